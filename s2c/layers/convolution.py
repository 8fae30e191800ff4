"""Convolutions over any number of axes, also transposed, of integers, and with computed weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import (
    add,
    concat,
    is_constant,
    move_axis,
    narrow,
    pad_axis,
    reshape,
    stack,
    swap,
    transpose,
    unsqueeze,
)
from s2c.layers.limits import check_rounds
from s2c.layers.windows import Window, as_image, as_spatial, taps
from s2c.ops import make


def conv(
    x: Node, weight: Node, bias: Node | None, window: Window, groups: int, layer: str, **scale: Any
) -> Node:
    """x [batch, *spatial, channels], weight [outputs, *kernel, channels / groups], bias [outputs].

    scale: weight_scale of quantized weights."""
    if not is_constant(weight) or (bias is not None and not is_constant(bias)):
        return conv_computed(x, weight, bias, window, groups, layer)
    outputs, *kernel, depth = weight.type.shape
    if len(kernel) > 2:
        folded, rest, inner = fold_first_axis(x, window, groups, layer)
        flat = reshape(move_axis(weight, 1, -2, layer), (outputs, *kernel[1:], kernel[0] * depth), layer)
        y = conv(folded, flat, bias, inner, groups, layer, **scale)
        return reshape(y, (*rest, *y.type.shape[1:]), layer)
    attrs = window.attrs()
    height_width = attrs.pop("kernel")
    attrs["weight"] = np.ascontiguousarray(weight.attrs["value"].reshape(outputs, *height_width, depth))
    attrs["bias"] = np.zeros(outputs, np.float32) if bias is None else bias.attrs["value"]
    y = make("conv2d", (as_image(x, layer),), layer, groups=groups, **attrs, **scale)
    return as_spatial(y, len(kernel), layer)


def fold_first_axis(x: Node, window: Window, groups: int, layer: str) -> tuple[Node, tuple[int, int], Window]:
    """The kernel's first axis in front of the channels of each group, and that axis of the result beside
    the batch: [batch * first', *rest, groups * taps * channels / groups]."""
    batch, _, *rest, channels = x.type.shape
    parts = [part for _, part in taps(x, 1, window.axes(slice(0, 1)), 0, layer)]
    first = parts[0].type.shape[1]
    split = [reshape(each, (batch * first, *rest, groups, channels // groups), layer) for each in parts]
    y = stack(split, len(rest) + 2, layer)
    folded = reshape(y, (batch * first, *rest, len(parts) * channels), layer)
    return folded, (batch, first), window.axes(slice(1, None))


def conv_computed(
    x: Node, weight: Node, bias: Node | None, window: Window, groups: int, layer: str, value: float = 0
) -> Node:
    """conv of any numbers that batch_matmul takes, whose weights may be computed; padding holds value."""
    outputs, *kernel, depth = weight.type.shape
    check_rounds(math.prod(kernel), "taps of computed weights", layer)
    batch = x.type.shape[0]
    patches = concat([unsqueeze(part, 1, layer) for _, part in taps(x, 1, window, value, layer)], 1, layer)
    spatial = patches.type.shape[2:-1]
    size = math.prod(kernel)
    rows = batch * math.prod(spatial)
    split = reshape(patches, (batch, size, math.prod(spatial), groups, depth), layer)
    a = reshape(transpose(split, (3, 0, 2, 1, 4), layer), (groups, rows, size * depth), layer)
    b = reshape(weight, (groups, outputs // groups, size * depth), layer)
    y = move_axis(make("batch_matmul", (a, b), layer, transpose=True), 0, 1, layer)
    y = reshape(y, (batch, *spatial, outputs), layer)
    return y if bias is None else add(y, bias, layer)


def transposed_conv(
    x: Node,
    weight: Node,
    bias: Node | None,
    window: Window,
    output_padding: tuple[int, ...],
    groups: int,
    layer: str,
) -> Node:
    """The transpose of a convolution: x [batch, *spatial, channels], weight [channels, *kernel, outputs /
    groups]. The convolution with the turned kernel of an x whose pixels lie stride apart."""
    depth, *kernel, columns = weight.type.shape
    for axis, (size, stride, dilation) in enumerate(zip(kernel, window.stride, window.dilation, strict=True)):
        reach = (size - 1) * dilation
        before, after = window.pads[axis]
        x = apart(x, axis + 1, stride, layer)
        x = resized(x, axis + 1, reach - before, reach - after + output_padding[axis] - (stride - 1), layer)
    unit = (1,) * len(kernel)
    inner = Window(tuple(kernel), unit, window.dilation, ((0, 0),) * len(kernel))
    grouped = reshape(weight, (groups, depth // groups, *kernel, columns), layer)
    turned = swap(grouped, 1, -1, layer)
    for axis in range(len(kernel)):
        extent = turned.type.shape[axis + 2]
        turned = narrow(turned, axis + 2, extent - 1, extent, layer, -1) if extent > 1 else turned
    turned = reshape(turned, (groups * columns, *kernel, depth // groups), layer)
    return conv(x, turned, bias, inner, groups, layer)


def apart(x: Node, axis: int, stride: int, layer: str) -> Node:
    """Every element followed by stride - 1 zeros."""
    if stride == 1:
        return x
    shape = x.type.shape
    column = unsqueeze(x, axis + 1, layer)
    wide = pad_axis(column, axis + 1, 0, stride - 1, layer)
    return reshape(wide, (*shape[:axis], shape[axis] * stride, *shape[axis + 1 :]), layer)


def resized(x: Node, axis: int, before: int, after: int, layer: str) -> Node:
    """Zeros around an axis; a negative number cuts."""
    extent = x.type.shape[axis]
    start = max(-before, 0)
    kept = extent - start - max(-after, 0)
    return pad_axis(narrow(x, axis, start, kept, layer), axis, max(before, 0), max(after, 0), layer)
