"""Readers of the .tflite ops that pick and place elements by indices, and that make constants."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node, constant
from s2c.layers import basic, onehot
from s2c.readers.tflite.layer import Layer, Reader

# Of a constant that is made here and stands in no file.
MOST_MADE = 1 << 24


def gather(layer: Layer) -> Node:
    """Rows along an axis; behind batch axes, which both inputs have, those of each by itself."""
    source, indices = layer.raw(0), layer.any(1)
    layer.same_quant(layer.any(0))
    rank = len(source.type.shape)
    axis = layer.axis(layer.option("Axis"), rank)
    batch = layer.option("BatchDims")
    if not batch:
        return layer.stored(onehot.gather_axis(source, indices, axis, layer.name))
    if not 0 < batch == axis <= len(indices.type.shape):
        raise layer.error(
            "batch axes just before the axis", f"{batch} and axis {axis}", "transpose its input"
        )
    if source.type.shape[:batch] != indices.type.shape[:batch]:
        found = f"{source.type} and {indices.type}"
        raise layer.error(f"{batch} batch axes in common", found, "check the layer's indices")
    column = basic.unsqueeze(indices, len(indices.type.shape), layer.name)
    return layer.stored(onehot.gather_nd(source, column, batch, layer.name))


def gather_nd(layer: Layer) -> Node:
    layer.same_quant(layer.any(0))
    return layer.stored(onehot.gather_nd(layer.raw(0), layer.any(1), 0, layer.name))


def embedding_lookup(layer: Layer) -> Node:
    """Rows of a table; a quantized table of a float result is dequantized here."""
    table, indices = layer.any(1), layer.any(0)
    if layer.result_type.dtype == "f32" and table.type.dtype != "f32":
        table = constant(layer.reals(1, "table"), layer.name)
    else:
        table = layer.raw(1)
    axis = layer.axis(0, len(table.type.shape))
    return layer.stored(onehot.gather_axis(table, indices, axis, layer.name))


def scatter_nd(layer: Layer) -> Node:
    """Updates at their positions in zeros; those of one position are added."""
    updates = layer.number(1)
    empty = zeros(layer, layer.integers(2, "shape"), updates)
    return onehot.scatter_nd(empty, layer.any(0), updates, "add", layer.name)


def dynamic_update_slice(layer: Layer) -> Node:
    """The operand with the update at constant starts, which are moved so that it fits."""
    source, update = layer.raw(0), layer.raw(1)
    shape, size = source.type.shape, update.type.shape
    starts = layer.integers(2, "starts")
    if not len(starts) == len(shape) == len(size) or any(a > b for a, b in zip(size, shape, strict=True)):
        raise layer.error(f"an update inside {list(shape)}", f"{list(size)} at {starts}", "export it again")
    layer.at_most(source.type.size, MOST_MADE, "elements")
    places = np.indices(size)
    for axis, start in enumerate(starts):
        places[axis] += min(max(start, 0), shape[axis] - size[axis])
    flat = np.ravel_multi_index(tuple(places), shape)
    written = onehot.scatter_flat(source, flat, update, "none", layer.name)
    return layer.stored(basic.reshape(written, shape, layer.name))


def one_hot(layer: Layer) -> Node:
    """Every index against every position of the new axis; one outside is off everywhere."""
    indices, depth = layer.any(0), layer.one_integer(1, "depth")
    rank = len(indices.type.shape)
    axis = layer.axis(layer.option("Axis"), rank + 1)
    if not 0 < depth <= MOST_MADE:
        raise layer.error(f"a depth of 1 to {MOST_MADE}", str(depth), "rebuild the model")
    places = np.arange(depth).reshape((-1,) + (1,) * (rank - axis))
    column = basic.unsqueeze(indices, axis, layer.name)
    is_on = basic.equal(column, basic.vector(places, indices, layer.name), layer.name)
    return layer.stored(basic.where(is_on, layer.raw(2), layer.raw(3), layer.name))


# what shapes and constants give


def shape_(layer: Layer) -> Node:
    """Shapes are fixed, so they are constants."""
    return constant(np.array(layer.any(0).type.shape, extent_dtype(layer)), layer.name)


def extent_dtype(layer: Layer) -> np.dtype:
    if layer.result_type.dtype not in ("i32", "i64"):
        raise layer.error("a result of int32 or int64", layer.result_type.dtype, "export the model again")
    return layer.result_type.numpy


def rank(layer: Layer) -> Node:
    return constant(np.array(len(layer.any(0).type.shape), np.int32), layer.name)


def zeros_like(layer: Layer) -> Node:
    return zeros(layer, layer.number().type.shape, layer.number())


def zeros(layer: Layer, shape: tuple[int, ...], like: Node) -> Node:
    if min(shape, default=1) < 1 or math.prod(shape) > MOST_MADE:
        raise layer.error(f"1 to {MOST_MADE} elements", str(list(shape)), "rebuild the model")
    return constant(np.zeros(shape, like.type.numpy), layer.name)


def range_(layer: Layer) -> Node:
    """From a start up to a limit, all of them constants."""
    start, limit, step = (
        layer.array(index, what).reshape(-1) for index, what in enumerate(("start", "limit", "step"))
    )
    if not start.size == limit.size == step.size == 1 or not step[0]:
        raise layer.error("one start, limit and step that is not 0", f"{start}, {limit}, {step}", "mend it")
    count = math.ceil((float(limit[0]) - float(start[0])) / float(step[0]))
    if not 0 < count <= MOST_MADE:
        raise layer.error(f"1 to {MOST_MADE} elements", str(count), "rebuild the model")
    return constant((start[0] + np.arange(count) * step[0]).astype(start.dtype), layer.name)


def fill(layer: Layer) -> Node:
    value = layer.any(1)
    one = basic.reshape(value, (), layer.name) if value.type.size == 1 else value
    return layer.stored(layer.make("expand", one, shape=layer.integers(0, "shape")))


def broadcast_to(layer: Layer) -> Node:
    return layer.make("expand", layer.any(0), shape=layer.integers(1, "shape"))


def broadcast_args(layer: Layer) -> Node:
    shapes = [layer.integers(index, "shape") for index in (0, 1)]
    try:
        return constant(np.array(np.broadcast_shapes(*shapes), extent_dtype(layer)), layer.name)
    except ValueError:
        raise layer.error("two shapes that broadcast", f"{shapes}", "reshape one of them") from None


INDEXING: Mapping[str, Reader] = {
    "BROADCAST_ARGS": Reader(broadcast_args),
    "BROADCAST_TO": Reader(broadcast_to),
    "DYNAMIC_UPDATE_SLICE": Reader(dynamic_update_slice),
    "EMBEDDING_LOOKUP": Reader(embedding_lookup),
    "FILL": Reader(fill),
    "GATHER": Reader(gather, "GatherOptions"),
    "GATHER_ND": Reader(gather_nd),
    "ONE_HOT": Reader(one_hot, "OneHotOptions"),
    "RANGE": Reader(range_),
    "RANK": Reader(rank),
    "SCATTER_ND": Reader(scatter_nd),
    "SHAPE": Reader(shape_),
    "ZEROS_LIKE": Reader(zeros_like),
}
