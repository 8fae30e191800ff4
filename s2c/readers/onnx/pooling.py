"""ONNX pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from s2c.ir import Node
from s2c.layers.basic import cast, pad, total, unary
from s2c.layers.pooling import (
    average_pool as average,
)
from s2c.layers.pooling import (
    lp_pool as lp,
)
from s2c.layers.pooling import (
    max_pool as maximum,
)
from s2c.layers.pooling import max_pool_with_indices, power, root
from s2c.layers.pooling import max_unpool as unpool
from s2c.layers.windows import Window, whole
from s2c.readers.onnx.geometry import (
    channels_last,
    channels_second,
    declared_window,
    geometry,
    padded_window,
    spatial_extents,
)
from s2c.readers.onnx.source import Reader, Source, Value, activation, given, integers, refuse, tensor


def kernel_shape(source: Source) -> tuple[int, ...]:
    return tuple(source.attrs["kernel_shape"])


def over_pixels(source: Source, x: Node, build: Callable[[Node], Node]) -> Node:
    return channels_second(build(channels_last(x, source.layer)), source.layer)


def max_pool(source: Source) -> Value | tuple[Value, ...]:
    layer = source.layer
    x = tensor(source, 0)
    window = geometry(source, spatial_extents(source, x), kernel_shape(source))
    floats = x.type.dtype == "f32" or x.type.quant is not None
    if source.outputs == 1 and floats:
        return over_pixels(source, x, lambda pixels: maximum(pixels, window, layer))
    wide = x if floats else cast(x, "i32", layer)
    column_major = bool(source.attrs.get("storage_order", 0))
    values, indices = max_pool_with_indices(wide, window, column_major, layer)
    return (cast(values, x.type.dtype, layer), indices)[: source.outputs]


def average_pool(source: Source) -> Value:
    layer = source.layer
    x = activation(source)
    counted = bool(source.attrs.get("count_include_pad", 0))
    window = geometry(source, spatial_extents(source, x), kernel_shape(source))
    if counted and source.attrs.get("ceil_mode", 0):
        # The model's own pads count, those of rounding up do not: the former become zeros of the input.
        own = padded_window(source, spatial_extents(source, x), window.kernel).pads
        rest = tuple((0, all_[1] - mine[1]) for all_, mine in zip(window.pads, own, strict=True))
        x = pad(x, ((0, 0), (0, 0), *own), layer, 0.0)
        window = Window(window.kernel, window.stride, window.dilation, rest)
        counted = False
    return over_pixels(source, x, lambda pixels: average(pixels, window, counted, layer))


def lp_pool(source: Source) -> Value:
    x = activation(source)
    window = geometry(source, spatial_extents(source, x), kernel_shape(source))
    p = int(source.attrs.get("p", 2))
    return over_pixels(source, x, lambda pixels: lp(pixels, window, p, source.layer))


def global_max_pool(source: Source) -> Value:
    x = tensor(source, 0)
    window = whole(spatial_extents(source, x))
    return over_pixels(source, x, lambda pixels: maximum(pixels, window, source.layer))


def global_average_pool(source: Source) -> Value:
    x = activation(source)
    window = whole(spatial_extents(source, x))
    return over_pixels(source, x, lambda pixels: average(pixels, window, False, source.layer))


def global_lp_pool(source: Source) -> Value:
    layer = source.layer
    x = activation(source)
    axes = range(2, len(x.type.shape))
    p = int(source.attrs.get("p", 2))
    return root(total(power(unary("abs", x, layer), p, layer), axes, layer), p, layer)


def max_unpool(source: Source) -> Value:
    """Of the indices of a MaxPool: each lies in its own plane."""
    x = activation(source)
    window = declared_window(source, kernel_shape(source))
    rows = zip(spatial_extents(source, x), window.kernel, window.stride, window.pads, strict=True)
    spatial = tuple((extent - 1) * stride + kernel - sum(pads) for extent, kernel, stride, pads in rows)
    indices = tensor(source, 1)
    y = unpool(x, indices, spatial, source.layer)
    if given(source, 2) is None:
        return y
    wanted = integers(source, 2, "output_shape")
    if len(wanted) != len(y.type.shape) or any(a > b for a, b in zip(y.type.shape, wanted, strict=True)):
        raise refuse(
            source, f"an output shape of at least {y.type}", str(list(wanted)), "check the layer's shape"
        )
    pads = [(0, extent - own) for own, extent in zip(y.type.shape, wanted, strict=True)]
    return pad(y, pads, source.layer)


POOLING: Mapping[str, Reader] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalLpPool": global_lp_pool,
    "GlobalMaxPool": global_max_pool,
    "LpPool": lp_pool,
    "MaxPool": max_pool,
    "MaxUnpool": max_unpool,
}
