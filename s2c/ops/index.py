"""take: rows picked by constant indices; lookup: rows of a constant table picked by computed ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.errors import error
from s2c.ir import DTYPES, Node, Type
from s2c.ops.core import stored_bits
from s2c.ops.reduction import reshape_node
from s2c.ops.table import Consts, Op, Params

# take: [outer, source, inner] -> [outer, indices, inner]; an index of -1 gives `value`


def infer_take(node: Node) -> Type:
    kind = node.inputs[0].type
    attrs = node.attrs
    assert attrs["outer"] * attrs["source"] * attrs["inner"] == kind.size, (node.layer, str(kind))
    return Type(tuple(attrs["shape"]), kind.dtype, kind.quant)


def eval_take(node: Node, x: np.ndarray) -> np.ndarray:
    attrs = node.attrs
    index = attrs["index"]
    rows = x.reshape(attrs["outer"], attrs["source"], attrs["inner"])[:, np.maximum(index, 0)]
    value = np.asarray(attrs["value"], x.dtype)
    return np.where((index < 0)[:, np.newaxis], value, rows).reshape(node.type.shape)


def take_consts(node: Node) -> Consts:
    return {"index": node.attrs["index"].astype(np.int32)}


def take_params(node: Node) -> Params:
    """value as the bits of an element."""
    attrs = node.attrs
    return {
        "outer": attrs["outer"],
        "source": attrs["source"],
        "inner": attrs["inner"],
        "count": len(attrs["index"]),
        "bytes": node.type.numpy.itemsize,
        "fill": int((attrs["index"] < 0).any()),
        "value": stored_bits(attrs["value"], node.type),
    }


# gather_constant: numpy.take along an axis; tile: numpy.tile


def infer_gather_constant(node: Node) -> Type:
    kind = node.inputs[0].type
    axis, index = node.attrs["axis"], node.attrs["index"]
    extent = kind.shape[axis]
    if index.size and (index.min() < 0 or index.max() >= extent):
        raise error(
            node.layer,
            f"indices of 0 to {extent - 1}",
            f"{index.min()} to {index.max()}",
            "check the layer's indices",
        )
    return Type((*kind.shape[:axis], *index.shape, *kind.shape[axis + 1 :]), kind.dtype, kind.quant)


def eval_gather_constant(node: Node, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.take(x, node.attrs["index"], axis=node.attrs["axis"]))


def lower_gather_constant(node: Node) -> Node:
    """A slice where the indices lie in equal steps, else a take."""
    source = node.inputs[0]
    axis, index = node.attrs["axis"], node.attrs["index"].reshape(-1)
    shape = source.type.shape
    picked = (*shape[:axis], len(index), *shape[axis + 1 :])
    step = equal_step(index)
    if step is not None:
        zeros, ones = [0] * len(shape), [1] * len(shape)
        zeros[axis], ones[axis] = int(index[0]), step
        attrs = {"starts": tuple(zeros), "steps": tuple(ones), "shape": picked}
        part = Node("slice", (source,), attrs, Type(picked, source.type.dtype, node.type.quant), node.layer)
        return reshape_node(part, node.type.shape, node.layer)
    return take(node, source, axis, index)


def equal_step(index: np.ndarray) -> int | None:
    """The step between indices where it is one and not 0."""
    if len(index) == 1:
        return 1
    steps = np.diff(index)
    return int(steps[0]) if steps[0] != 0 and (steps == steps[0]).all() else None


def take(node: Node, source: Node, axis: int, index: np.ndarray, value: float = 0) -> Node:
    """The core take along an axis of source, with node's type."""
    shape = source.type.shape
    attrs = {
        "outer": math.prod(shape[:axis]),
        "source": shape[axis],
        "inner": math.prod(shape[axis + 1 :]),
        "index": index.astype(np.int32),
        "shape": node.type.shape,
        "value": value,
    }
    return Node("take", (source,), attrs, node.type, node.layer)


def infer_tile(node: Node) -> Type:
    kind = node.inputs[0].type
    repeats = tuple(node.attrs["repeats"])
    if len(repeats) != len(kind.shape) or any(each < 1 for each in repeats):
        raise error(
            node.layer, f"{len(kind.shape)} repeats of at least 1", str(list(repeats)), "check the layer"
        )
    shape = tuple(extent * each for extent, each in zip(kind.shape, repeats, strict=True))
    return Type(shape, kind.dtype, kind.quant)


def eval_tile(node: Node, x: np.ndarray) -> np.ndarray:
    return np.tile(x, node.attrs["repeats"])


def lower_tile(node: Node) -> Node:
    """Axis by axis."""
    result = node.inputs[0]
    for axis, repeat in enumerate(node.attrs["repeats"]):
        shape = result.type.shape
        if repeat == 1:
            continue
        larger = (*shape[:axis], shape[axis] * repeat, *shape[axis + 1 :])
        draft = Node("take", (), {}, Type(larger, node.type.dtype, node.type.quant), node.layer)
        result = take(draft, result, axis, np.tile(np.arange(shape[axis]), repeat))
    return result


# lookup


def infer_lookup(node: Node) -> Type:
    indices = node.inputs[0].type
    table = node.attrs["table"]
    assert indices.dtype == "i32", (node.layer, str(indices))
    dtype = next(name for name, known in DTYPES.items() if known == table.dtype)
    return Type((*indices.shape, *table.shape[1:]), dtype, node.type.quant)


def eval_lookup(node: Node, indices: np.ndarray) -> np.ndarray:
    """Indices outside of the table are clamped to its ends."""
    table = node.attrs["table"]
    return np.asarray(table[np.clip(indices, 0, len(table) - 1)])


def lookup_consts(node: Node) -> Consts:
    return {"table": node.attrs["table"]}


def lookup_params(node: Node) -> Params:
    table = node.attrs["table"]
    return {
        "count": node.inputs[0].type.size,
        "rows": len(table),
        "row_bytes": math.prod(table.shape[1:]) * table.dtype.itemsize,
    }


INDEX: Mapping[str, Op] = {
    "take": Op(infer_take, eval_take, consts=take_consts, params=take_params),
    "lookup": Op(infer_lookup, eval_lookup, consts=lookup_consts, params=lookup_params),
    "gather_constant": Op(infer_gather_constant, eval_gather_constant, lower_gather_constant),
    "tile": Op(infer_tile, eval_tile, lower_tile),
}
