"""Readers of the .tflite ops that reduce axes, and of running sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from s2c.ir import Node, constant
from s2c.layers import basic, sort
from s2c.ops.integer import scale_of
from s2c.readers.tflite import integer
from s2c.readers.tflite.contraction import mean as pooled_mean
from s2c.readers.tflite.layer import Layer, Reader
from s2c.readers.tflite.tensors import dtype_of

# Of a running sum, whose cost is that number squared.
MOST_STEPS = 1 << 12


def axes_of(layer: Layer) -> tuple[int, ...]:
    rank = len(layer.any(0).type.shape)
    return tuple(sorted({layer.axis(axis, rank) for axis in layer.integers(1, "axes")}))


def reduced(layer: Layer, function: str, node: Node) -> Node:
    keeps = bool(layer.option("KeepDims"))
    return basic.reduce(function, node, axes_of(layer), layer.name, keeps)


def extreme(layer: Layer, function: str) -> Node:
    """Of quantized values LiteRT compares the stored ones."""
    layer.same_quant(layer.any(0))
    return layer.stored(reduced(layer, function, layer.raw(0)))


def product(layer: Layer) -> Node:
    return reduced(layer, "prod", layer.number())


def sum_(layer: Layer) -> Node:
    source = layer.any(0)
    if source.type.quant is None:
        return reduced(layer, "sum", layer.number())
    if source.type.quant == layer.quant:
        # LiteRT adds the stored values in their own dtype here, which wraps around.
        raise layer.error("a result on another scale than the input", str(layer.quant), "quantize it again")
    integer.quantized(layer, 0)
    count = math.prod(source.type.shape[axis] for axis in axes_of(layer))
    total = reduced(layer, "sum", integer.centred(layer, source))
    ratio = scale_of(source.type) / scale_of(layer.quantized_result)
    return integer.finished(layer, total, ratio, count * integer.reach(source))


def mean(layer: Layer) -> Node:
    """Integers are divided towards zero."""
    source = layer.any(0)
    if source.type.dtype == "f32" or source.type.quant is not None:
        return pooled_mean(layer)
    count = math.prod(source.type.shape[axis] for axis in axes_of(layer))
    if source.type.dtype not in ("i32", "i64"):
        raise layer.error("float32, int32 or int64", str(source.type), "cast its input")
    return basic.div(reduced(layer, "sum", layer.number()), count, layer.name)


def truth(layer: Layer, function: str) -> Node:
    """any and all are max and min of 0 and 1."""
    whole = basic.cast(layer.any(0), "i32", layer.name)
    return basic.cast(reduced(layer, function, whole), "bool", layer.name)


def arg(layer: Layer, function: str) -> Node:
    """The first position of the greatest or least value along an axis."""
    source = layer.raw(0)
    if source.type.dtype in ("i8", "u8", "bool"):
        source = basic.cast(source, "i32", layer.name)
    shape = source.type.shape
    axis = layer.axis(layer.one_integer(1, "axis"), len(shape))
    place = sort.arg(function, source, axis, False, layer.name)
    flat = basic.reshape(place, (*shape[:axis], *shape[axis + 1 :]), layer.name)
    return basic.cast(flat, layer.result_type.dtype, layer.name)


def top_k(layer: Layer) -> tuple[Node, ...]:
    """Of the last axis, in order, with their positions."""
    layer.same_quant(layer.any(0))
    source = layer.raw(0)
    if not source.type.shape:
        raise layer.error("an input of at least one axis", str(source.type), "reshape it")
    count, extent = layer.one_integer(1, "k"), source.type.shape[-1]
    if not 0 < count <= extent:
        raise layer.error(f"1 to {extent} values", f"{count}", "check the layer's k")
    values, places = sort.top_k(source, count, len(source.type.shape) - 1, True, layer.name)
    return layer.stored(values), basic.cast(places, dtype_of(layer.outputs[-1]), layer.name)


def cumsum(layer: Layer) -> Node:
    """A sum with a triangle of ones: over floats a contraction, over integers one sum for each position."""
    source = layer.number()
    shape = source.type.shape
    axis = layer.axis(layer.one_integer(1, "axis"), len(shape))
    extent = layer.at_most(shape[axis], MOST_STEPS, "an extent")
    triangle = np.tri(extent, k=-1 if layer.option("Exclusive") else 0, dtype=np.float32)
    if layer.option("Reverse"):
        triangle = triangle.T
    if source.type.dtype == "f32":
        moved = basic.move_axis(source, axis, -1, layer.name)
        return basic.move_axis(basic.dense(moved, triangle, None, layer.name), -1, axis, layer.name)
    column = basic.unsqueeze(source, axis, layer.name)
    weight = triangle.astype(source.type.numpy).reshape(extent, extent, *(1,) * (len(shape) - axis - 1))
    weighted = basic.mul(column, constant(weight, layer.name), layer.name)
    return basic.total(weighted, (axis + 1,), layer.name, keepdims=False)


def of(read: Callable[..., Node], options: str = "ReducerOptions", **arguments: Any) -> Reader:
    return Reader(partial(read, **arguments), options)


REDUCTION: Mapping[str, Reader] = {
    "ARG_MAX": of(arg, "", function="max"),
    "ARG_MIN": of(arg, "", function="min"),
    "CUMSUM": of(cumsum, "CumsumOptions"),
    "MEAN": of(mean),
    "REDUCE_ALL": of(truth, function="min"),
    "REDUCE_ANY": of(truth, function="max"),
    "REDUCE_MAX": of(extreme, function="max"),
    "REDUCE_MIN": of(extreme, function="min"),
    "REDUCE_PROD": of(product),
    "SUM": of(sum_),
    "TOPK_V2": Reader(top_k),
}
