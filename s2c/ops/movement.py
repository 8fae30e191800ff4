"""Source ops that only move elements: reshape, transpose, slice, pad, concat, expand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.core import MOST_AXES, strided
from s2c.ops.table import Op


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def gather(
    node: Node,
    source: Node,
    extents: tuple[int, ...],
    source_strides: tuple[int, ...],
    source_offset: int = 0,
    target_strides: tuple[int, ...] | None = None,
    target_offset: int = 0,
    value: float = 0,
) -> Node:
    """The core gather with node's type; adjacent axes that move as one are merged."""
    target = target_strides or strides_of(extents)
    merged: list[tuple[int, int, int]] = []
    for extent, from_stride, to_stride in zip(extents, source_strides, target, strict=True):
        if extent == 1:
            continue
        if merged:
            before, from_before, to_before = merged[-1]
            if from_before == from_stride * extent and to_before == to_stride * extent:
                merged[-1] = (before * extent, from_stride, to_stride)
                continue
        merged.append((extent, from_stride, to_stride))
    merged = merged or [(1, 1, 1)]
    if len(merged) > MOST_AXES:
        return take_elements(node, source, merged, source_offset, target_offset, value)
    attrs = {
        "shape": node.type.shape,
        "extents": tuple(each[0] for each in merged),
        "source_strides": tuple(each[1] for each in merged),
        "source_offset": source_offset,
        "target_strides": tuple(each[2] for each in merged),
        "target_offset": target_offset,
        "value": value,
    }
    return Node("gather", (source,), attrs, node.type, node.layer)


def take_elements(
    node: Node,
    source: Node,
    region: list[tuple[int, int, int]],
    source_offset: int,
    target_offset: int,
    value: float,
) -> Node:
    """A movement of more axes than gather has, by an index for each element: rare, and paid for in ROM."""
    extents, from_strides, to_strides = (tuple(each) for each in zip(*region, strict=True))
    index = np.full(node.type.size, -1, np.int32)
    index[strided(extents, target_offset, to_strides)] = strided(extents, source_offset, from_strides)
    attrs = {
        "outer": 1,
        "source": source.type.size,
        "inner": 1,
        "index": index,
        "shape": node.type.shape,
        "value": value,
    }
    return Node("take", (source,), attrs, node.type, node.layer)


def is_contiguous(node: Node) -> bool:
    """Whether a gather leaves every element where it is, so that no code is needed."""
    attrs = node.attrs
    size = node.type.size
    return bool(
        node.op == "gather"
        and size == node.inputs[0].type.size
        and attrs["extents"] == (size,)
        and attrs["source_strides"] == (1,)
        and attrs["target_strides"] == (1,)
        and attrs["source_offset"] == attrs["target_offset"] == 0
    )


# reshape


def infer_reshape(node: Node) -> Type:
    kind = node.inputs[0].type
    shape = tuple(node.attrs["shape"])
    if math.prod(shape) != kind.size:
        raise error(
            node.layer, f"a shape of {kind.size} elements", str(list(shape)), "check the layer's shape"
        )
    return Type(shape, kind.dtype, kind.quant)


def eval_reshape(node: Node, x: np.ndarray) -> np.ndarray:
    return x.reshape(node.type.shape)


def lower_reshape(node: Node) -> Node:
    return gather(node, node.inputs[0], (node.type.size,), (1,))


# transpose: result axis i is input axis perm[i]


def infer_transpose(node: Node) -> Type:
    kind = node.inputs[0].type
    perm = node.attrs["perm"]
    if sorted(perm) != list(range(len(kind.shape))):
        raise error(
            node.layer, f"a permutation of {len(kind.shape)} axes", str(perm), "check the layer's perm"
        )
    return Type(tuple(kind.shape[axis] for axis in perm), kind.dtype, kind.quant)


def eval_transpose(node: Node, x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(node.attrs["perm"]))


def lower_transpose(node: Node) -> Node:
    strides = strides_of(node.inputs[0].type.shape)
    return gather(node, node.inputs[0], node.type.shape, tuple(strides[axis] for axis in node.attrs["perm"]))


# slice: starts, steps (any sign but 0) and the resulting shape, one for each axis


def infer_slice(node: Node) -> Type:
    kind = node.inputs[0].type
    starts, steps, shape = (node.attrs[name] for name in ("starts", "steps", "shape"))
    for extent, start, step, count in zip(kind.shape, starts, steps, shape, strict=True):
        last = start + step * (count - 1)
        if count < 1 or not (0 <= start < extent and 0 <= last < extent):
            raise error(
                node.layer,
                f"a slice inside {list(kind.shape)}",
                f"starts {list(starts)}, steps {list(steps)}, shape {list(shape)}",
                "check the layer's bounds",
            )
    return Type(tuple(shape), kind.dtype, kind.quant)


def eval_slice(node: Node, x: np.ndarray) -> np.ndarray:
    for axis, (start, step, count) in enumerate(
        zip(node.attrs["starts"], node.attrs["steps"], node.attrs["shape"], strict=True)
    ):
        x = np.take(x, start + step * np.arange(count), axis=axis)
    return x


def lower_slice(node: Node) -> Node:
    strides = strides_of(node.inputs[0].type.shape)
    offset = sum(start * stride for start, stride in zip(node.attrs["starts"], strides, strict=True))
    steps = tuple(step * stride for step, stride in zip(node.attrs["steps"], strides, strict=True))
    return gather(node, node.inputs[0], node.type.shape, steps, offset)


# pad: pads ((before, after), ...) filled with the stored value


def infer_pad(node: Node) -> Type:
    kind = node.inputs[0].type
    pads = node.attrs["pads"]
    if len(pads) != len(kind.shape) or any(each < 0 for pair in pads for each in pair):
        raise error(
            node.layer,
            f"pads of at least 0 for {len(kind.shape)} axes",
            str(pads),
            "crop with a slice instead of negative pads",
        )
    shape = tuple(extent + sum(pair) for extent, pair in zip(kind.shape, pads, strict=True))
    return Type(shape, kind.dtype, kind.quant)


def eval_pad(node: Node, x: np.ndarray) -> np.ndarray:
    return np.pad(x, node.attrs["pads"], constant_values=node.attrs["value"])


def lower_pad(node: Node) -> Node:
    kind = node.inputs[0].type
    target = strides_of(node.type.shape)
    offset = sum(pair[0] * stride for pair, stride in zip(node.attrs["pads"], target, strict=True))
    return gather(
        node, node.inputs[0], kind.shape, strides_of(kind.shape), 0, target, offset, node.attrs["value"]
    )


# concat along one axis


def infer_concat(node: Node) -> Type:
    axis = node.attrs["axis"]
    kinds = [each.type for each in node.inputs]
    first = kinds[0]
    for kind in kinds[1:]:
        others = [(a, b) for a, b in zip(enumerate(first.shape), kind.shape, strict=False) if a[0] != axis]
        if len(kind.shape) != len(first.shape) or any(a[1] != b for a, b in others):
            raise error(
                node.layer,
                f"inputs alike but for axis {axis}",
                " and ".join(map(str, kinds)),
                "check the layer's inputs",
            )
        if kind.dtype != first.dtype or kind.quant != first.quant:
            raise error(
                node.layer,
                "inputs of one dtype and quantization",
                " and ".join(map(str, kinds)),
                "requantize the inputs to one scale",
            )
    shape = list(first.shape)
    shape[axis] = sum(kind.shape[axis] for kind in kinds)
    return Type(tuple(shape), first.dtype, first.quant)


def eval_concat(node: Node, *arrays: np.ndarray) -> np.ndarray:
    return np.concatenate(arrays, axis=node.attrs["axis"])


def lower_concat(node: Node) -> Node:
    """A gather of the first input into the whole result, then one insert for each other."""
    axis = node.attrs["axis"]
    target = strides_of(node.type.shape)
    result: Node | None = None
    start = 0
    for each in node.inputs:
        shape = each.type.shape
        piece = gather(node, each, shape, strides_of(shape), 0, target, start * target[axis])
        if result is not None:
            attrs = {name: value for name, value in piece.attrs.items() if name not in ("shape", "value")}
            piece = replace(piece, op="insert", inputs=(result, each), attrs=attrs)
        result = piece
        start += shape[axis]
    assert result is not None
    return result


# expand: repeat axes of extent 1


def infer_expand(node: Node) -> Type:
    kind = node.inputs[0].type
    shape = tuple(node.attrs["shape"])
    try:
        fits = np.broadcast_shapes(kind.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise error(
            node.layer, f"a shape that {kind} broadcasts to", str(list(shape)), "check the layer's shape"
        )
    return Type(shape, kind.dtype, kind.quant)


def eval_expand(node: Node, x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(x, node.type.shape))


def lower_expand(node: Node) -> Node:
    shape = node.type.shape
    own = (1,) * (len(shape) - len(node.inputs[0].type.shape)) + node.inputs[0].type.shape
    steps = tuple(0 if extent == 1 else stride for extent, stride in zip(own, strides_of(own), strict=True))
    return gather(node, node.inputs[0], shape, steps)


# a movement is channelwise where the last axis stays whole and last


def keeps_last_extent(node: Node) -> bool:
    return node.type.shape[-1:] == node.inputs[0].type.shape[-1:]


def keeps_last_axis(node: Node) -> bool:
    perm = node.attrs["perm"]
    return bool(perm and perm[-1] == len(perm) - 1)


def slices_no_channel(node: Node) -> bool:
    return keeps_last_extent(node) and bool(node.attrs["steps"][-1] == 1)


MOVEMENT: Mapping[str, Op] = {
    "reshape": Op(infer_reshape, eval_reshape, lower_reshape, channelwise=keeps_last_extent),
    "transpose": Op(infer_transpose, eval_transpose, lower_transpose, channelwise=keeps_last_axis),
    "slice": Op(infer_slice, eval_slice, lower_slice, channelwise=slices_no_channel),
    "pad": Op(infer_pad, eval_pad, lower_pad, channelwise=keeps_last_extent),
    "concat": Op(infer_concat, eval_concat, lower_concat),
    "expand": Op(infer_expand, eval_expand, lower_expand),
}
