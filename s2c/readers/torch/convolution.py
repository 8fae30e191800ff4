"""ATen convolutions and pools: the pixels move to channels-last and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.basic import add, concat, dense, move_axis, mul, narrow, pad, reduce, reshape, sub
from s2c.layers.convolution import conv, transposed_conv
from s2c.layers.pooling import average_pool, max_pool, max_pool_with_indices, max_unpool
from s2c.layers.windows import Window
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    float_node,
    given,
    has,
    node,
    result_kind,
    result_shape,
)


def over_pixels(source: Source, x: Node, axes: int, build: Callable[[Node], Node]) -> Node:
    """build applied to [batch, *spatial, channels]; an image without a batch gets one."""
    alone = len(x.type.shape) == axes + 1
    batched = reshape(x, (1, *x.type.shape), source.layer) if alone else x
    y = move_axis(build(move_axis(batched, 1, -1, source.layer)), -1, 1, source.layer)
    return reshape(y, y.type.shape[1:], source.layer) if alone else y


def each_axis(values: Any, axes: int) -> tuple[int, ...]:
    """One value for each axis; a single one is for all."""
    listed = tuple(values) if isinstance(values, (list, tuple)) else (values,)
    return listed * axes if len(listed) == 1 else listed


def convolution(source: Source) -> Value:
    """weight [outputs, channels / groups, *kernel]; transposed: [channels, outputs / groups, *kernel]."""
    x, weight = node(source, "input", "f32"), node(source, "weight", "f32")
    axes = len(weight.type.shape) - 2
    pads = tuple((each, each) for each in each_axis(given(source, "padding"), axes))
    stride = each_axis(given(source, "stride"), axes)
    dilation = each_axis(given(source, "dilation"), axes)
    window = Window(weight.type.shape[2:], stride, dilation, pads)
    bias = node(source, "bias", "f32") if has(source, "bias") else None
    last = move_axis(weight, 1, -1, source.layer)
    groups = given(source, "groups")

    def build(pixels: Node) -> Node:
        if given(source, "transposed"):
            extra = each_axis(given(source, "output_padding"), axes)
            return transposed_conv(pixels, last, bias, window, extra, groups, source.layer)
        return conv(pixels, last, bias, window, groups, source.layer)

    return over_pixels(source, x, axes, build)


# pools


def window_of(source: Source, axes: int) -> Window:
    kernel = each_axis(given(source, "kernel_size"), axes)
    stride = each_axis(given(source, "stride"), axes) if given(source, "stride") else kernel
    dilation = each_axis(source.args.get("dilation", 1), axes)
    pads = tuple((each, each) for each in each_axis(given(source, "padding"), axes))
    return Window(kernel, stride, dilation, pads)


def ceiled(window: Window, extents: tuple[int, ...]) -> Window:
    """With pads that round the number of windows up; each begins before the pads at the end."""
    rows = zip(extents, window.kernel, window.stride, window.dilation, window.pads, strict=True)
    return replace(window, pads=tuple(ceiled_pads(*row) for row in rows))


def ceiled_pads(
    extent: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> tuple[int, int]:
    span = (kernel - 1) * dilation + 1
    windows = -(-(extent + sum(pads) - span) // stride) + 1
    if (windows - 1) * stride >= extent + pads[0]:
        windows -= 1
    return pads[0], max((windows - 1) * stride + span - extent - pads[0], pads[1])


def max_pool_reader(axes: int) -> Reader:
    """The largest values, and where in its plane each lies."""

    def read(source: Source) -> tuple[Value, ...]:
        x = float_node(source)
        window = window_of(source, axes)
        grown = ceiled(window, x.type.shape[-axes:]) if given(source, "ceil_mode") else window
        y = over_pixels(source, x, axes, lambda pixels: max_pool(pixels, grown, source.layer))
        batched = reshape(x, (-1, *x.type.shape[-axes - 1 :]), source.layer)
        _, places = max_pool_with_indices(batched, grown, False, source.layer)
        places = sub(places, first_places(places, x.type.shape[-axes:], source.layer), source.layer)
        return y, reshape(places, y.type.shape, source.layer)

    return read


def first_places(places: Node, spatial: tuple[int, ...], layer: str) -> Node:
    """The position, in all of a tensor, at which the plane of each element begins."""
    batch, channels, *rest = places.type.shape
    planes = np.arange(batch * channels, dtype=np.int64) * math.prod(spatial)
    return constant(planes.reshape(batch, channels, *(1,) * len(rest)), layer)


def unpool(axes: int) -> Reader:
    """Zeros, with each value at its place in its plane."""

    def read(source: Source) -> Value:
        x, indices = float_node(source), node(source, "indices", "i64")
        shape = result_shape(source)
        batched, places = (
            reshape(each, (-1, *each.type.shape[-axes - 1 :]), source.layer) for each in (x, indices)
        )
        places = add(places, first_places(places, shape[-axes:], source.layer), source.layer)
        return reshape(max_unpool(batched, places, shape[-axes:], source.layer), shape, source.layer)

    return read


def average_pool_reader(axes: int) -> Reader:
    def read(source: Source) -> Value:
        window = window_of(source, axes)
        counts = bool(given(source, "count_include_pad"))
        divisor = source.args.get("divisor_override")

        def build(pixels: Node) -> Node:
            grown = ceiled(window, pixels.type.shape[1:-1]) if given(source, "ceil_mode") else window
            if divisor is not None:
                mean = average_pool(pixels, grown, True, source.layer)
                return mul(mean, int(np.prod(window.kernel)) / divisor, source.layer)
            if not counts or grown == window:
                return average_pool(pixels, grown, counts, source.layer)
            # The model's own pads count, those of rounding up do not: the former become zeros of the input.
            padded = pad(pixels, ((0, 0), *window.pads, (0, 0)), source.layer)
            rest = tuple((0, g[1] - w[1]) for g, w in zip(grown.pads, window.pads, strict=True))
            return average_pool(padded, replace(grown, pads=rest), False, source.layer)

        return over_pixels(source, float_node(source), axes, build)

    return read


def adaptive_ranges(extent: int, count: int) -> list[range]:
    """The elements that each of count results is made of."""
    return [range(i * extent // count, -(-(i + 1) * extent // count)) for i in range(count)]


def adaptive_average(axes: int) -> Reader:
    """Equal windows are a pool; others a mean along each axis by itself, as the counts are products."""

    def read(source: Source) -> Value:
        x = float_node(source)
        wanted = result_shape(source)[-axes:]
        extents = x.type.shape[-axes:]
        if all(extent % count == 0 for extent, count in zip(extents, wanted, strict=True)):
            kernel = tuple(extent // count for extent, count in zip(extents, wanted, strict=True))
            window = Window(kernel, kernel, (1,) * axes, ((0, 0),) * axes)
            return over_pixels(
                source, x, axes, lambda pixels: average_pool(pixels, window, True, source.layer)
            )
        for axis, (extent, count) in enumerate(zip(extents, wanted, strict=True)):
            weight = np.zeros((count, extent), np.float32)
            for row, members in enumerate(adaptive_ranges(extent, count)):
                weight[row, members] = 1.0 / len(members)
            place = axis - axes
            last = dense(move_axis(x, place, -1, source.layer), weight, None, source.layer)
            x = move_axis(last, -1, place, source.layer)
        return x

    return read


def adaptive_max(axes: int) -> Reader:
    """The maximum along each axis by itself; the positions, a second result, are not read."""

    def read(source: Source) -> tuple[Value | None, ...]:
        x = node(source, "self", result_kind(source, 0))
        rank = len(x.type.shape)
        for axis, count in enumerate(result_shape(source, 0)[-axes:], rank - axes):
            parts = [
                reduce("max", narrow(x, axis, r.start, len(r), source.layer), (axis,), source.layer)
                for r in adaptive_ranges(x.type.shape[axis], count)
            ]
            x = concat(parts, axis, source.layer)
        return x, None

    return read


CONVOLUTION: Mapping[str, Reader] = {
    "aten._adaptive_avg_pool2d.default": adaptive_average(2),
    "aten._adaptive_avg_pool3d.default": adaptive_average(3),
    "aten.adaptive_avg_pool1d.default": adaptive_average(1),
    "aten.adaptive_max_pool2d.default": adaptive_max(2),
    "aten.adaptive_max_pool3d.default": adaptive_max(3),
    "aten.avg_pool1d.default": average_pool_reader(1),
    "aten.avg_pool2d.default": average_pool_reader(2),
    "aten.avg_pool3d.default": average_pool_reader(3),
    "aten.convolution.default": convolution,
    "aten.max_pool2d_with_indices.default": max_pool_reader(2),
    "aten.max_pool3d_with_indices.default": max_pool_reader(3),
    "aten.max_unpool2d.default": unpool(2),
    "aten.max_unpool3d.default": unpool(3),
}
