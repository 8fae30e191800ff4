"""Readers of the .tflite ops on images that are no plain convolution or pool, and of products of matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tflite

from s2c.ir import Node, constant
from s2c.layers import basic
from s2c.layers.convolution import conv
from s2c.layers.norms import root_of_power
from s2c.layers.windows import Window
from s2c.readers.tflite import integer
from s2c.readers.tflite.contraction import (
    biases,
    nhwc,
    pool_attrs,
    refuse_no_scale,
    same_pads,
    weight_scale,
)
from s2c.readers.tflite.layer import Layer, Reader
from s2c.readers.tflite.tensors import UNSIGNED

# Resizing

MOST_PIXELS = 1 << 16  # along an axis


def sizes(layer: Layer) -> tuple[int, int]:
    wanted = layer.integers(1, "size")
    if len(wanted) != 2 or not all(0 < each <= MOST_PIXELS for each in wanted):
        found = str(list(wanted))
        raise layer.error(f"a height and a width of up to {MOST_PIXELS}", found, "export the model again")
    return wanted[0], wanted[1]


def resize_nearest(layer: Layer) -> Node:
    """TFLite computes the position of each pixel in float32."""
    layer.same_quant(layer.any(0))
    node = layer.raw(0)
    if len(node.type.shape) != 4:
        raise layer.error("an input [batch, height, width, channels]", str(node.type), "reshape it")
    aligned, centred = (bool(layer.option(name)) for name in ("AlignCorners", "HalfPixelCenters"))
    for axis, target in enumerate(sizes(layer), 1):
        extent = node.type.shape[axis]
        ends = aligned and target > 1
        scale = (
            np.float32(extent - 1) / np.float32(target - 1)
            if ends
            else np.float32(extent) / np.float32(target)
        )
        place = (np.arange(target, dtype=np.float32) + np.float32(0.5 if centred else 0.0)) * scale
        whole = np.floor(place + np.float32(0.5)) if aligned else np.floor(place)
        index = np.clip(whole.astype(np.int64), 0, extent - 1)
        node = basic.gather_constant(node, axis, index, layer.name)
    return layer.stored(node)


def resize_bilinear(layer: Layer) -> Node:
    source = layer.real()
    layer.same_quant(source)
    if len(source.type.shape) != 4:
        raise layer.error("an input [batch, height, width, channels]", str(source.type), "reshape it")
    if source.type.dtype == "f32":
        node = source
        for axis, target in enumerate(sizes(layer), 1):
            node = interpolated(layer, node, axis, target)
        return node
    if layer.outputs[0].dtype == "UINT8":
        return interpolated_bytes(layer)
    node = basic.cast(layer.raw(0), "i32", layer.name)
    for axis, target in enumerate(sizes(layer), 1):
        node = interpolated_whole(layer, node, axis, target)
    # Twice the sum, so that halving it loses nothing before the one rounding that counts.
    twice = basic.mul(node, 2, layer.name)
    rounded = integer.rescaled(layer, twice, 2.0 ** -(2 * POSITION_BITS + 1), 1 << (2 * POSITION_BITS + 8))
    return layer.stored(basic.cast(rounded, "i8", layer.name))


POSITION_BITS = 10


def positions(layer: Layer, extent: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels before and behind each result along an axis, and the part of the latter: in float32."""
    ends = layer.option("AlignCorners") and target > 1
    scale = (
        np.float32(extent - 1) / np.float32(target - 1) if ends else np.float32(extent) / np.float32(target)
    )
    place = np.arange(target, dtype=np.float32) * scale
    if layer.option("HalfPixelCenters"):
        place = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    lower = np.maximum(np.floor(place), 0).astype(np.int64)
    upper = np.minimum(np.ceil(place), extent - 1).astype(np.int64)
    return lower, upper, (place - lower.astype(np.float32)).astype(np.float32)


def interpolated(layer: Layer, node: Node, axis: int, target: int) -> Node:
    """Each pixel of an axis between two others."""
    lower, upper, rest = positions(layer, node.type.shape[axis], target)
    return between(layer, node, axis, lower, upper, np.stack((1 - rest, rest)))


def interpolated_bytes(layer: Layer) -> Node:
    """uint8 in float32: four products in LiteRT's order, and a half that rounds what is cut off."""
    name = layer.name
    low, ratios = basic.cast(layer.raw(0), "f32", name), []
    source = basic.add(low, float(UNSIGNED), name)
    corners: list[Node] = [source]
    for axis, target in enumerate(sizes(layer), 1):
        lower, upper, rest = positions(layer, source.type.shape[axis], target)
        corners = [
            basic.gather_constant(each, axis, index, name) for index in (lower, upper) for each in corners
        ]
        column = rest.reshape((-1,) + (1,) * (3 - axis))
        ratios.append([constant(each.astype(np.float32), name) for each in (1 - column, column)])
    total: Node | None = None
    for place, corner in enumerate(corners):
        vertical, horizontal = ratios[0][place % 2], ratios[1][place // 2]
        product = basic.mul(basic.mul(corner, vertical, name), horizontal, name)
        total = product if total is None else basic.add(total, product, name)
    assert total is not None
    whole = basic.cast(basic.add(total, 0.5, name), "i32", name)
    return layer.stored(basic.cast(basic.sub(whole, UNSIGNED, name), "i8", name))


def interpolated_whole(layer: Layer, node: Node, axis: int, target: int) -> Node:
    """The same in integers, times 2**POSITION_BITS."""
    extent, unit = node.type.shape[axis], 1 << POSITION_BITS
    ends = layer.option("AlignCorners") and target > 1
    top, bottom = (extent - 1, target - 1) if ends else (extent, target)
    scale = (unit * top + bottom // 2) // bottom
    place = np.arange(target, dtype=np.int64) * scale
    if layer.option("HalfPixelCenters"):
        place = place + scale // 2 - unit // 2
    lower = np.maximum(np.trunc(place / unit), 0).astype(np.int64)
    upper = np.minimum(np.trunc((place + unit - 1) / unit), extent - 1).astype(np.int64)
    rest = place - unit * lower
    return between(layer, node, axis, lower, upper, np.stack((unit - rest, rest)))


def between(
    layer: Layer, node: Node, axis: int, lower: np.ndarray, upper: np.ndarray, parts: np.ndarray
) -> Node:
    """The sum of the pixels at lower and upper, each times its part."""
    column = (-1,) + (1,) * (len(node.type.shape) - axis - 1)
    first, second = (
        basic.mul(
            basic.gather_constant(node, axis, index, layer.name),
            basic.vector(part.reshape(column), node, layer.name),
            layer.name,
        )
        for index, part in zip((lower, upper), parts, strict=True)
    )
    return basic.add(first, second, layer.name)


# Convolutions


def transpose_conv(layer: Layer) -> Node:
    """The convolution, with the kernel turned round, of an input whose pixels lie a stride apart."""
    source = layer.real(2)
    shape = layer.integers(0, "output shape")
    is_int8 = source.type.dtype == "i8"
    weight = layer.array(1, "weights") if is_int8 else layer.reals(1, "weights")
    if len(source.type.shape) != 4 or len(shape) != 4 or weight.ndim != 4:
        raise layer.error("input, output shape and weights of four axes", f"{shape}", "export it again")
    stride = (layer.integer("StrideH"), layer.integer("StrideW"))
    is_same = layer.option("Padding") == tflite.Padding.SAME
    zero = source.type.quant.zero if source.type.quant else 0
    node = source
    for axis in (1, 2):
        taps, step = weight.shape[axis], stride[axis - 1]
        before = same_pads(shape[axis], taps, step, 1)[0] if is_same else 0
        reach = taps - 1 - before
        after = shape[axis] + taps - 1 - reach - ((node.type.shape[axis] - 1) * step + 1)
        node = apart(layer, node, axis, step, (reach, after), zero)
    attrs = dict(layer.clamp())
    if is_int8:
        refuse_no_scale(layer)
        attrs["weight_scale"] = weight_scale(layer, weight.shape[0], 0)
    bias = biases(layer, 3, len(weight), is_int8)
    unit: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1), "pads": ((0, 0), (0, 0)), "groups": 1}
    turned = np.ascontiguousarray(weight[:, ::-1, ::-1])
    return layer.make("conv2d", node, weight=turned, bias=bias, **unit, **attrs)


def apart(layer: Layer, node: Node, axis: int, step: int, around: tuple[int, int], zero: int) -> Node:
    """An axis with step - 1 zeros between its elements and some around; negative numbers cut."""
    name = layer.name
    shape = node.type.shape
    if step > 1:
        column = basic.unsqueeze(node, axis + 1, name)
        wide = basic.pad_axis(column, axis + 1, 0, step - 1, name, zero)
        joined = basic.reshape(wide, (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]), name)
        node = basic.narrow(joined, axis, 0, (shape[axis] - 1) * step + 1, name)
    before, after = around
    start = max(-before, 0)
    kept = node.type.shape[axis] - start - max(-after, 0)
    node = basic.narrow(node, axis, start, kept, name)
    return basic.pad_axis(node, axis, max(before, 0), max(after, 0), name, zero)


def conv_3d(layer: Layer) -> Node:
    """Weights [depth, height, width, inputs, outputs]."""
    source = layer.float_only()
    weight = layer.reals(1, "weights")
    if len(source.type.shape) != 5 or weight.ndim != 5:
        raise layer.error("input and weights of five axes", str(source.type), "reshape it to five axes")
    stride, dilation = (
        tuple(layer.integer(f"{name}{axis}{end}") for axis in "DHW")
        for name, end in (("Stride", ""), ("Dilation", "Factor"))
    )
    kernel = weight.shape[:3]
    is_same = layer.option("Padding") == tflite.Padding.SAME
    rows = zip(source.type.shape[1:4], kernel, stride, dilation, strict=True)
    pads = tuple(same_pads(*each) if is_same else (0, 0) for each in rows)
    groups = max(source.type.shape[4] // weight.shape[3], 1)
    moved = constant(np.ascontiguousarray(weight.transpose(4, 0, 1, 2, 3)), layer.name)
    bias = constant(biases(layer, 2, moved.type.shape[0], False), layer.name)
    return layer.clamped(
        conv(source, moved, bias, Window(kernel, stride, dilation, pads), groups, layer.name)
    )


def batch_matmul(layer: Layer) -> Node:
    """Of the last two axes, either of which may be exchanged."""
    a, b = layer.any(0), layer.any(1)
    if min(len(a.type.shape), len(b.type.shape)) < 2:
        raise layer.error("two operands of at least two axes", f"{a.type} and {b.type}", "reshape them")
    is_float = a.type.dtype == "f32"
    nodes = []
    for index, node in enumerate((a, b)):
        if is_float and node.op == "constant":
            node = constant(layer.reals(index, "matrix"), layer.name)
        elif not is_float:
            node = integer.centred(layer, integer.quantized(layer, index))
        nodes.append(basic.swap(node, -1, -2, layer.name) if layer.option(f"Adj{'XY'[index]}") else node)
    check_products(layer, nodes[0].type.shape, nodes[1].type.shape)
    if is_float:
        return basic.matmul(nodes[0], nodes[1], layer.name)
    return integer.batch_matmul(layer, nodes[0], nodes[1])


def check_products(layer: Layer, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        np.broadcast_shapes(a[:-2], b[:-2])
        fits = a[-1] == b[-2]
    except ValueError:
        fits = False
    if not fits:
        raise layer.error("two stacks of matrices that fit together", f"{a} and {b}", "check their shapes")


# Norms over channels


LEAST_NORM = 1e-6


def l2_normalization(layer: Layer) -> Node:
    """x over the root of the sum of the squares of the last axis, which counts as at least LEAST_NORM."""
    source = layer.float_only()
    last = (len(source.type.shape) - 1,)
    total = basic.total(basic.square(source, layer.name), last, layer.name)
    norm = basic.clamp(basic.unary("sqrt", total, layer.name), LEAST_NORM, math.inf, layer.name)
    return layer.clamped(basic.div(source, norm, layer.name))


def l2_pool(layer: Layer) -> Node:
    source = nhwc(layer)
    squares = basic.square(layer.float_only(), layer.name)
    assert source.type.dtype == "f32"
    mean = layer.make("average_pool", squares, count_pads=False, mean=False, **pool_attrs(layer))
    return layer.clamped(basic.unary("sqrt", mean, layer.name))


def local_response_normalization(layer: Layer) -> Node:
    """x / (bias + alpha * sum of squares within a radius of channels)**beta, both ends included: LiteRT's
    reference kernel, unlike its others and TensorFlow, leaves out the last."""
    source = layer.float_only()
    channels = source.type.shape[-1]
    radius = layer.integer("Radius", 0)
    places = np.arange(channels)
    band = (np.abs(places - places[:, np.newaxis]) <= radius) * np.float32(layer.option("Alpha"))
    bias = np.full(channels, layer.option("Bias"), np.float32)
    sums = basic.dense(basic.square(source, layer.name), band.astype(np.float32), bias, layer.name)
    return basic.div(source, root_of_power(sums, float(layer.option("Beta")), layer.name), layer.name)


IMAGE: Mapping[str, Reader] = {
    "BATCH_MATMUL": Reader(batch_matmul, "BatchMatMulOptions"),
    "CONV_3D": Reader(conv_3d, "Conv3DOptions"),
    "L2_NORMALIZATION": Reader(l2_normalization),
    "L2_POOL_2D": Reader(l2_pool, "Pool2DOptions"),
    "LOCAL_RESPONSE_NORMALIZATION": Reader(local_response_normalization, "LocalResponseNormalizationOptions"),
    "RESIZE_BILINEAR": Reader(resize_bilinear, "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": Reader(resize_nearest, "ResizeNearestNeighborOptions"),
    "TRANSPOSE_CONV": Reader(transpose_conv, "TransposeConvOptions"),
}
