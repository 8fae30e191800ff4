"""Pools over any number of axes, their indices, and their inverse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from s2c.errors import error
from s2c.ir import Node, constant
from s2c.layers.basic import (
    add,
    binary,
    cast,
    equal,
    less,
    mul,
    reshape,
    sub,
    total,
    unary,
    where,
)
from s2c.layers.limits import check_constants, check_rounds, iota
from s2c.layers.windows import Window, as_image, as_spatial, taps
from s2c.ops import make

MOST_POWER = 64

# x [batch, *spatial, channels]


def max_pool(x: Node, window: Window, layer: str) -> Node:
    return by_images("max_pool", x, window, layer)


def average_pool(x: Node, window: Window, count_pads: bool, layer: str) -> Node:
    """Padding counts in the divisor, or it does not. An average over all axes is one of averages, as the
    counts are products."""
    return by_images("average_pool", x, window, layer, count_pads=count_pads, mean=False)


def by_images(op: str, x: Node, window: Window, layer: str, **attrs: Any) -> Node:
    """A pool over the last two axes of each image, then over the axes before."""
    batch, *spatial, channels = x.type.shape
    if len(spatial) <= 2:
        y = make(op, (as_image(x, layer),), layer, **window.attrs(), **attrs)
        return as_spatial(y, len(spatial), layer)
    outer = math.prod((batch, *spatial[:-2]))
    images = reshape(x, (outer, *spatial[-2:], channels), layer)
    y = by_images(op, images, window.axes(slice(-2, None)), layer, **attrs)
    extents = y.type.shape[1:3]
    rows = reshape(y, (batch, *spatial[:-2], math.prod(extents) * channels), layer)
    y = by_images(op, rows, window.axes(slice(0, -2)), layer, **attrs)
    return reshape(y, (*y.type.shape[:-1], *extents, channels), layer)


def lp_pool(x: Node, window: Window, p: int, layer: str) -> Node:
    """The p-th root of the sum of |x|^p under each window."""
    mean = average_pool(power(unary("abs", x, layer), p, layer), window, True, layer)
    return root(mul(mean, math.prod(window.kernel), layer), p, layer)


def power(x: Node, p: int, layer: str) -> Node:
    if not 1 <= p <= MOST_POWER:
        raise error(layer, f"a p of 1 to {MOST_POWER}", str(p), "check the layer's p")
    result = x
    for _ in range(p - 1):
        result = mul(result, x, layer)
    return result


def root(x: Node, p: int, layer: str) -> Node:
    """Of numbers of at least 0."""
    if p == 1:
        return x
    return unary("sqrt", x, layer) if p == 2 else binary("pow", x, 1 / p, layer)


# x [batch, channels, *spatial]


def max_pool_with_indices(x: Node, window: Window, column_major: bool, layer: str) -> tuple[Node, Node]:
    """The largest value under each window of any numbers, and its i64 position in all of x: the first of
    equals; column_major counts the spatial axes from the first on."""
    batch, channels, *spatial = x.type.shape
    check_rounds(math.prod(window.kernel), "taps", layer)
    check_constants(math.prod((batch, channels, *window.outputs(tuple(spatial)))), "positions", layer)
    lowest = -math.inf if x.type.dtype == "f32" else np.iinfo(x.type.numpy).min
    plane = math.prod(spatial)
    strides = np.cumprod([1, *(spatial[:-1] if column_major else spatial[:0:-1])])
    strides = strides if column_major else strides[::-1]
    best = place = None
    for tap, value in taps(x, 2, window, lowest, layer):
        position = tap_positions(tap, window, value.type.shape[2:], strides)
        here = constant(position[np.newaxis, np.newaxis].astype(np.int32), layer)
        if best is None or place is None:
            best, place = value, here
            continue
        larger = less(best, value, layer)
        best = where(larger, value, best, layer)
        place = where(larger, here, place, layer)
    assert best is not None and place is not None, layer
    base = np.arange(batch * channels, dtype=np.int32).reshape(batch, channels, *(1,) * len(spatial)) * plane
    return best, cast(add(place, constant(base, layer), layer), "i64", layer)


def tap_positions(
    tap: tuple[int, ...], window: Window, outputs: tuple[int, ...], strides: np.ndarray
) -> np.ndarray:
    """Where in a plane a place of the kernel lies, for each output position."""
    result = np.zeros(outputs, np.int64)
    for axis, each in enumerate(np.indices(outputs)):
        start = tap[axis] * window.dilation[axis] - window.pads[axis][0]
        result += (each * window.stride[axis] + start) * strides[axis]
    return result


def max_unpool(x: Node, indices: Node, spatial: tuple[int, ...], layer: str) -> Node:
    """[batch, channels, *spatial] of zeros with the values of x at their flat indices, which lie in the
    plane that the value lies in, as those of a max pool do."""
    batch, channels, *own = x.type.shape
    planes, plane = batch * channels, math.prod(spatial)
    base = constant(np.arange(planes, dtype=np.int64).reshape(planes, 1) * plane, layer)
    index = cast(sub(reshape(indices, (planes, -1), layer), base, layer), "i32", layer)
    values = reshape(x, (planes, 1, math.prod(own)), layer)
    positions = reshape(iota(plane, "i32", layer), (1, plane, 1), layer)
    match = equal(reshape(index, (planes, 1, -1), layer), positions, layer)
    y = total(where(match, values, 0, layer), (2,), layer, keepdims=False)
    return reshape(y, (batch, channels, *spatial), layer)
