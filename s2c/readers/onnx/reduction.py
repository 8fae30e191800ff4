"""ONNX reductions over any axes, as source ops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from s2c.ir import Node
from s2c.layers.basic import add, cast, div, reduce, sub, total, unary
from s2c.layers.basic import square as squared
from s2c.ops import make
from s2c.readers.onnx.elementwise import magnitude
from s2c.readers.onnx.source import (
    Reader,
    Source,
    Value,
    axis_of,
    given,
    integers,
    reshaped,
    tensor,
    transposed,
)

Axes = tuple[int, ...]
Reduction = Callable[[Node, Axes, str], Node]
Meaning = Callable[[Node, str], Node]


def reduced_axes(source: Source, rank: int) -> Axes:
    axes: Axes | None = None
    if "axes" in source.attrs:
        axes = tuple(source.attrs["axes"])
    elif given(source, 1) is not None:
        axes = integers(source, 1, "axes")
    if not axes:
        return () if source.attrs.get("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({axis_of(source, axis, rank) for axis in axes}))


def reduction(meaning: Reduction) -> Reader:
    """A reduction that keeps its axes, which fall away where the layer says so."""

    def read(source: Source) -> Value:
        x = tensor(source, 0)
        shape = x.type.shape
        axes = reduced_axes(source, len(shape))
        y = meaning(x, axes, source.layer)
        if source.attrs.get("keepdims", 1):
            return y
        return reshaped(y, source.layer, tuple(n for axis, n in enumerate(shape) if axis not in axes))

    return read


def plain(function: str) -> Reduction:
    def meaning(x: Node, axes: Axes, layer: str) -> Node:
        return reduce(function, x, axes, layer) if axes else x

    return meaning


def extreme(function: str) -> Reduction:
    """Of bool by integers; of an int8 image, over its pixels, by a pool, which is quantized."""

    def meaning(x: Node, axes: Axes, layer: str) -> Node:
        if not axes:
            return x
        if x.type.dtype == "bool":
            return cast(reduce(function, cast(x, "i32", layer), axes, layer), "bool", layer)
        if function == "max" and is_over_pixels(x, axes):
            return pooled(x, layer, "max_pool")
        return reduce(function, x, axes, layer)

    return meaning


def mean(x: Node, axes: Axes, layer: str) -> Node:
    """Of an image over its pixels by a pool, which has an int8 form; of integers towards zero."""
    if not axes:
        return x
    if x.type.dtype != "f32":
        count = math.prod(x.type.shape[axis] for axis in axes)
        wide = cast(x, "i64", layer)
        return cast(div(total(wide, axes, layer), count, layer), x.type.dtype, layer)
    if is_over_pixels(x, axes):
        return pooled(x, layer, "average_pool", count_pads=False, mean=False)
    return reduce("mean", x, axes, layer)


def is_over_pixels(x: Node, axes: Axes) -> bool:
    return x.type.dtype == "f32" and len(x.type.shape) == 4 and axes == (2, 3)


def pooled(x: Node, layer: str, op: str, **attrs: bool) -> Node:
    last = transposed(x, layer, (0, 2, 3, 1))
    window: dict[str, Any] = {"kernel": last.type.shape[1:3], "stride": (1, 1), "dilation": (1, 1), **attrs}
    y = make(op, (last,), layer, pads=((0, 0), (0, 0)), **window)
    return transposed(y, layer, (0, 3, 1, 2))


def identity(x: Node, layer: str) -> Node:
    return x


def in_floats(function: str) -> Meaning:
    """A function of floats; of integers by float32 and back."""

    def meaning(x: Node, layer: str) -> Node:
        return cast(unary(function, cast(x, "f32", layer), layer), x.type.dtype, layer)

    return meaning


def sum_between(before: Meaning, after: Meaning) -> Reduction:
    def meaning(x: Node, axes: Axes, layer: str) -> Node:
        return after(plain("sum")(before(x, layer), axes, layer), layer)

    return meaning


def log_sum_exp(x: Node, axes: Axes, layer: str) -> Node:
    """Less the largest first, so that no exponential overflows."""
    dtype = x.type.dtype
    x = cast(x, "f32", layer)
    if not axes:
        return cast(x, dtype, layer)
    largest = reduce("max", x, axes, layer)
    powers = unary("exp", sub(x, largest, layer), layer)
    return cast(add(unary("log", total(powers, axes, layer), layer), largest, layer), dtype, layer)


REDUCTION: Mapping[str, Reader] = {
    "ReduceL1": reduction(sum_between(magnitude, identity)),
    "ReduceL2": reduction(sum_between(squared, in_floats("sqrt"))),
    "ReduceLogSum": reduction(sum_between(identity, in_floats("log"))),
    "ReduceLogSumExp": reduction(log_sum_exp),
    "ReduceMax": reduction(extreme("max")),
    "ReduceMean": reduction(mean),
    "ReduceMin": reduction(extreme("min")),
    "ReduceProd": reduction(plain("prod")),
    "ReduceSum": reduction(plain("sum")),
    "ReduceSumSquare": reduction(sum_between(squared, identity)),
}
