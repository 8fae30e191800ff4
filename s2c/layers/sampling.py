"""Sampling at computed positions: every pixel's weight for every sample, then a matrix product, so that no
address depends on data. An infinity anywhere in an image reaches all samples of it, as NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.basic import (
    add,
    clamp,
    dense,
    equal,
    less,
    matmul,
    mul,
    narrow,
    reshape,
    sub,
    swap,
    unary,
    where,
)
from s2c.layers.limits import iota
from s2c.layers.windows import Window
from s2c.ops import make

MARGIN = 2  # elements beyond the edge that a cubic reaches from within half an element of it
CUBIC = -0.75


def positions(first: int, count: int, layer: str) -> Node:
    return iota(count, "f32", layer, first)


def linear_weights(places: Node, grid: Node, layer: str) -> Node:
    """max(1 - |place - position|, 0)."""
    distance = unary("abs", sub(places, grid, layer), layer)
    return clamp(sub(1, distance, layer), 0.0, math.inf, layer)


def nearest_weights(places: Node, grid: Node, layer: str) -> Node:
    """1 at the position, which places are rounded to already."""
    return where(equal(places, grid, layer), constant(np.ones((), np.float32), layer), 0, layer)


def cubic_weights(places: Node, grid: Node, layer: str) -> Node:
    """Keys 1981 with the slope CUBIC at 1."""
    d = unary("abs", sub(places, grid, layer), layer)
    near = add(mul(mul(sub(mul(d, CUBIC + 2, layer), CUBIC + 3, layer), d, layer), d, layer), 1, layer)
    far = sub(mul(d, CUBIC, layer), 5 * CUBIC, layer)
    far = sub(mul(add(mul(far, d, layer), 8 * CUBIC, layer), d, layer), 4 * CUBIC, layer)
    return where(less(d, 1, layer), near, where(less(d, 2, layer), far, 0, layer), layer)


WEIGHTS = {"nearest": nearest_weights, "linear": linear_weights, "cubic": cubic_weights}


def denormalized(u: Node, extent: int, align_corners: bool, layer: str) -> Node:
    """-1..1 as elements: between the centres of the outermost ones, or between their edges."""
    moved = add(u, 1, layer)
    if align_corners:
        return mul(mul(moved, 0.5, layer), extent - 1, layer)
    return mul(sub(mul(moved, extent, layer), 1, layer), 0.5, layer)


def reflected(u: Node, lo: float, hi: float, layer: str) -> Node:
    """u mirrored at lo and hi until it lies between: a triangle wave."""
    span = hi - lo
    if span == 0:
        return mul(u, 0, layer)
    distance = unary("abs", sub(u, lo, layer), layer)
    turns = unary("floor", mul(distance, 1 / (2 * span), layer), layer)
    rest = sub(distance, mul(turns, 2 * span, layer), layer)
    return add(sub(span, unary("abs", sub(rest, span, layer), layer), layer), lo, layer)


def folding(extent: int, padding: str, lo: float, hi: float) -> np.ndarray:
    """[extent, extent + 2 * MARGIN]: which element each position of the margin stands for."""
    places = np.arange(-MARGIN, extent + MARGIN, dtype=np.float64)
    if padding == "reflection" and hi > lo:
        distance = np.abs(places - lo) % (2 * (hi - lo))
        places = (hi - lo) - np.abs(distance - (hi - lo)) + lo
    index = np.clip(places, 0, extent - 1).astype(np.int64)
    return np.asarray(index == np.arange(extent)[:, np.newaxis], np.float32)


def axis_weights(u: Node, extent: int, mode: str, padding: str, align_corners: bool, layer: str) -> Node:
    """u [batch, samples, 1] in -1..1: [batch, samples, extent]."""
    lo, hi = (0.0, extent - 1.0) if align_corners else (-0.5, extent - 0.5)
    places = denormalized(u, extent, align_corners, layer)
    if mode == "nearest":
        places = unary("round", places, layer)
    weigh = WEIGHTS[mode]
    if padding == "zeros":
        return weigh(places, positions(0, extent, layer), layer)
    if padding == "border":
        inside = clamp(places, 0.0, extent - 1.0, layer)
        if mode != "cubic":
            return weigh(inside, positions(0, extent, layer), layer)
        # Within half an element of the edge, a cubic goes on beyond it.
        beyond = less(places, lo, layer), less(hi, places, layer)
        inside = where(beyond[0], inside, where(beyond[1], inside, places, layer), layer)
    else:
        inside = reflected(places, lo, hi, layer)
    wide = weigh(inside, positions(-MARGIN, extent + 2 * MARGIN, layer), layer)
    return dense(wide, folding(extent, padding, lo, hi), None, layer)


def grid_sample(x: Node, grid: Node, mode: str, padding: str, align_corners: bool, layer: str) -> Node:
    """x [batch, channels, *spatial] at grid [batch, *outputs, axes], whose last axis counts from the last
    spatial axis: [batch, channels, *outputs].

    mode: nearest, linear or cubic. padding: zeros, border or reflection."""
    batch, channels, *spatial = x.type.shape
    outputs = grid.type.shape[1:-1]
    points = reshape(grid, (batch, math.prod(outputs), len(spatial)), layer)
    per_axis = [
        axis_weights(
            narrow(points, 2, len(spatial) - 1 - axis, 1, layer), extent, mode, padding, align_corners, layer
        )
        for axis, extent in enumerate(spatial)
    ]
    y = weighted(
        reshape(x, (batch, channels, math.prod(spatial)), layer), outer_product(per_axis, layer), layer
    )
    return reshape(y, (batch, channels, *outputs), layer)


def outer_product(per_axis: Sequence[Node], layer: str) -> Node:
    """[batch, samples, extents...] of each axis as [batch, samples, pixels]."""
    result = per_axis[0]
    for each in per_axis[1:]:
        batch, samples, size = result.type.shape
        left = reshape(result, (batch, samples, size, 1), layer)
        right = reshape(each, (batch, samples, 1, each.type.shape[2]), layer)
        result = reshape(mul(left, right, layer), (batch, samples, -1), layer)
    return result


def weighted(x: Node, weights: Node, layer: str) -> Node:
    """x [batch, channels, pixels], weights [batch, samples, pixels]: [batch, channels, samples]."""
    return make("batch_matmul", (x, weights), layer, transpose=True)


def roi_align(
    x: Node, rois: Node, output: tuple[int, int], samples: int, scale: float, aligned: bool, layer: str
) -> Node:
    """x [regions, channels, height, width], rois [regions, 4] as x1, y1, x2, y2: the averages of samples^2
    bilinear samples in each of output bins (He 2017): [regions, channels, *output]."""
    regions, channels, height, width = x.type.shape
    offset = 0.5 if aligned else 0.0
    ends = sub(mul(rois, scale, layer), offset, layer)
    rows = bin_weights(ends, 1, height, output[0], samples, aligned, layer)
    columns = bin_weights(ends, 0, width, output[1], samples, aligned, layer)
    pixels = outer_product_of_bins(rows, columns, layer)
    y = weighted(reshape(x, (regions, channels, height * width), layer), pixels, layer)
    return reshape(y, (regions, channels, *output), layer)


def bin_weights(
    ends: Node, first: int, extent: int, bins: int, samples: int, aligned: bool, layer: str
) -> Node:
    """[regions, bins, extent]: the mean weights of the samples of each bin along one axis."""
    start, end = narrow(ends, 1, first, 1, layer), narrow(ends, 1, first + 2, 1, layer)
    length = sub(end, start, layer)
    if not aligned:
        length = clamp(length, 1.0, math.inf, layer)
    steps = (np.arange(bins * samples, dtype=np.float64) + 0.5) / (bins * samples)
    parts = constant(steps.astype(np.float32).reshape(1, -1), layer)
    places = reshape(add(start, mul(length, parts, layer), layer), (-1, bins * samples, 1), layer)
    inside = clamp(places, 0.0, extent - 1.0, layer)
    weights = linear_weights(inside, positions(0, extent, layer), layer)
    weights = where(less(places, -1, layer), 0, weights, layer)
    weights = where(less(extent, places, layer), 0, weights, layer)
    regions = weights.type.shape[0]
    mean = np.kron(np.eye(bins), np.full((1, samples), 1 / samples)).astype(np.float32)
    summed = dense(swap(weights, 1, 2, layer), mean, None, layer)
    return reshape(swap(summed, 1, 2, layer), (regions, bins, extent), layer)


def outer_product_of_bins(rows: Node, columns: Node, layer: str) -> Node:
    """[regions, bins, height] and [regions, bins', width] as [regions, bins * bins', height * width]."""
    regions, row_bins, height = rows.type.shape
    _, column_bins, width = columns.type.shape
    left = reshape(rows, (regions, row_bins, 1, height, 1), layer)
    right = reshape(columns, (regions, 1, column_bins, 1, width), layer)
    return reshape(mul(left, right, layer), (regions, row_bins * column_bins, height * width), layer)


def deformable_conv(
    x: Node,
    weight: Node,
    offset: Node,
    mask: Node | None,
    window: Window,
    groups: int,
    offset_groups: int,
    layer: str,
) -> Node:
    """A convolution whose taps lie at computed offsets, sampled linearly with zeros outside, and scaled by a
    mask (Dai 2017, Zhu 2019).

    x [batch, channels, *spatial], weight [outputs, channels / groups, *kernel], offset [batch, offset_groups
    * taps * axes, *outputs], mask [batch, offset_groups * taps, *outputs]: [batch, outputs, *outputs]."""
    batch, channels, *spatial = x.type.shape
    outputs = offset.type.shape[2:]
    taps, size, axes = math.prod(window.kernel), math.prod(outputs), len(spatial)
    stacks = batch * offset_groups
    moved = reshape(offset, (stacks, taps, axes, size), layer)
    per_axis = []
    for axis, extent in enumerate(spatial):
        start = constant(tap_places(axis, window, outputs), layer)
        places = add(reshape(narrow(moved, 2, axis, 1, layer), (stacks, taps, size), layer), start, layer)
        column = reshape(places, (stacks, taps * size, 1), layer)
        per_axis.append(linear_weights(column, positions(0, extent, layer), layer))
    pixels = outer_product(per_axis, layer)
    if mask is not None:
        pixels = mul(pixels, reshape(mask, (stacks, taps * size, 1), layer), layer)
    images = reshape(x, (stacks, channels // offset_groups, math.prod(spatial)), layer)
    columns = reshape(weighted(images, pixels, layer), (batch, groups, -1, size), layer)
    kernels = reshape(weight, (groups, weight.type.shape[0] // groups, -1), layer)
    return reshape(matmul(kernels, columns, layer), (batch, -1, *outputs), layer)


def tap_places(axis: int, window: Window, outputs: tuple[int, ...]) -> np.ndarray:
    """[taps, outputs]: where along an axis each tap of the kernel lies without an offset."""
    taps = np.indices(window.kernel)[axis].reshape(-1, 1) * window.dilation[axis]
    starts = np.indices(outputs)[axis].reshape(1, -1) * window.stride[axis] - window.pads[axis][0]
    return np.asarray(taps + starts, np.float32)
