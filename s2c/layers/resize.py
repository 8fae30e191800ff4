"""Resizing by interpolation: along each axis a constant matrix, as indices or as sums of a few elements."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import add, dense, gather_constant, move_axis, mul, vector
from s2c.layers.limits import check_constants

Kernel = Callable[[np.ndarray], np.ndarray]
ROUNDINGS: Mapping[str, Kernel] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
}


@dataclass(frozen=True)
class Axis:
    """source, target: extents. scale: target / source before rounding. start, end: of the region that
    tf_crop_and_resize takes, as parts of the source."""

    source: int
    target: int
    scale: float
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class Filter:
    """mode: nearest, linear or cubic. rounding: of ROUNDINGS, for nearest. a: of the cubic. antialias: widen
    it when it shrinks. exclude_outside: elements beyond the edge have no weight, else that of the edge."""

    mode: str
    rounding: str = "round_prefer_floor"
    a: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False


# where in the source, in elements, a target element lies (ONNX, Resize)


def half_pixel(y: np.ndarray, axis: Axis) -> np.ndarray:
    return (y + 0.5) / axis.scale - 0.5


def half_pixel_symmetric(y: np.ndarray, axis: Axis) -> np.ndarray:
    return axis.source / 2 * (1 - axis.target / resized(axis)) + half_pixel(y, axis)


def pytorch_half_pixel(y: np.ndarray, axis: Axis) -> np.ndarray:
    return half_pixel(y, axis) if axis.target > 1 else np.zeros_like(y)


def align_corners(y: np.ndarray, axis: Axis) -> np.ndarray:
    return spread(y, axis, axis.source - 1.0)


def asymmetric(y: np.ndarray, axis: Axis) -> np.ndarray:
    return y / axis.scale


def half_pixel_without_offset(y: np.ndarray, axis: Axis) -> np.ndarray:
    return (y + 0.5) / axis.scale


def crop(y: np.ndarray, axis: Axis) -> np.ndarray:
    length = (axis.end - axis.start) * (axis.source - 1)
    middle = length / 2 if resized(axis) == 1 else 0.0
    return axis.start * (axis.source - 1) + middle + spread(y, axis, length)


def resized(axis: Axis) -> float:
    return axis.scale * axis.source


def spread(y: np.ndarray, axis: Axis, length: float) -> np.ndarray:
    """From 0 to length over the target."""
    size = resized(axis)
    return y * length / (size - 1) if size != 1 else np.zeros_like(y)


COORDINATES: Mapping[str, Callable[[np.ndarray, Axis], np.ndarray]] = {
    "align_corners": align_corners,
    "asymmetric": asymmetric,
    "half_pixel": half_pixel,
    "half_pixel_symmetric": half_pixel_symmetric,
    "pytorch_half_pixel": pytorch_half_pixel,
    "tf_crop_and_resize": crop,
    "tf_half_pixel_for_nn": half_pixel_without_offset,
}


def coordinates(mode: str, axis: Axis) -> np.ndarray:
    """mode: of COORDINATES."""
    return np.asarray(COORDINATES[mode](np.arange(axis.target, dtype=np.float64), axis))


# the source elements that a target element is made of


def linear_kernel(distance: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(1 - np.abs(distance), 0))


def cubic_kernel(a: float) -> Kernel:
    """Keys 1981, of which a is the slope at 1."""

    def weigh(distance: np.ndarray) -> np.ndarray:
        d = np.abs(distance)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return weigh


@dataclass(frozen=True)
class Taps:
    """The source elements that each target element is made of, and what they count: [target, taps]."""

    index: np.ndarray
    factor: np.ndarray


def taps_of(places: np.ndarray, axis: Axis, chosen: Filter) -> Taps:
    """places: where in the source each target element lies."""
    if chosen.mode == "nearest":
        rounded = ROUNDINGS[chosen.rounding](places)[:, np.newaxis]
        return Taps(inside(rounded, axis), np.ones(rounded.shape))
    kernel, reach = (linear_kernel, 1) if chosen.mode == "linear" else (cubic_kernel(chosen.a), 2)
    shrink = min(axis.scale, 1.0) if chosen.antialias else 1.0
    first = math.floor(-reach / shrink) + 1
    taps = np.ceil(places)[:, np.newaxis] - 1 + np.arange(first, 2 - first)
    factor = kernel((taps - places[:, np.newaxis]) * shrink)
    if chosen.exclude_outside:
        factor = np.where((taps >= 0) & (taps < axis.source), factor, 0)
    factor = factor / factor.sum(axis=1, keepdims=True)
    used = (factor != 0).any(axis=0)
    return Taps(inside(taps, axis)[:, used], factor[:, used])


def inside(places: np.ndarray, axis: Axis) -> np.ndarray:
    return np.asarray(np.clip(places, 0, axis.source - 1), np.int64)


# applied


def contract(x: Node, axis: int, taps: Taps, layer: str) -> Node:
    """The sum of each target element's taps along an axis of x: an index where it is one that counts 1, a
    sum of weighted gathers, or a dense layer where that costs less."""
    target, count = taps.index.shape
    if count == 1 and (taps.factor == 1).all():
        return gather_constant(x, axis, taps.index[:, 0], layer)
    if x.type.shape[axis] <= 3 * count:
        matrix = np.zeros((target, x.type.shape[axis]))
        np.add.at(matrix, (np.arange(target)[:, np.newaxis], taps.index), taps.factor)
        rows = dense(move_axis(x, axis, -1, layer), matrix.astype(np.float32), None, layer)
        return move_axis(rows, -1, axis, layer)
    shape = [-1 if each == axis else 1 for each in range(len(x.type.shape))]
    terms = [
        mul(gather_constant(x, axis, index, layer), vector(factor.reshape(shape), x, layer), layer)
        for index, factor in zip(taps.index.T, taps.factor.T, strict=True)
    ]
    return functools.reduce(lambda a, b: add(a, b, layer), terms)


def resize(x: Node, axes: Mapping[int, Axis], coordinate_mode: str, chosen: Filter, layer: str) -> Node:
    """x resized along some of its axes; floats, or anything where the mode is nearest."""
    for index, axis in sorted(axes.items()):
        check_constants(axis.target, "an axis", layer)
        x = contract(x, index, taps_of(coordinates(coordinate_mode, axis), axis, chosen), layer)
    return x
