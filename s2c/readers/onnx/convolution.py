"""ONNX convolutions: plain, transposed, of integers; pixels move to channels-last and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from s2c.ir import Node
from s2c.layers.basic import cast, is_constant, move_axis, mul, reshape, sub
from s2c.layers.convolution import conv as conv_layer
from s2c.layers.convolution import conv_computed, transposed_conv
from s2c.layers.windows import Window
from s2c.readers.onnx.file import MOST_AXES
from s2c.readers.onnx.geometry import (
    channels_last,
    channels_second,
    declared_window,
    geometry,
    halves,
    spatial_extents,
)
from s2c.readers.onnx.parameter import optional_parameter, parameter
from s2c.readers.onnx.quantized import dequantize_linear, quantize_linear
from s2c.readers.onnx.source import (
    Anything,
    Constant,
    Reader,
    Source,
    Value,
    activation,
    check_rank,
    given,
    refuse,
    required,
    tensor,
)
from s2c.readers.onnx.weights import weight_scale


def groups_of(source: Source) -> int:
    return int(source.attrs.get("group", 1))


def check_weight(source: Source, x: Node, weight: Node, channels: int) -> None:
    """channels: how many the weights are for."""
    shape = x.type.shape
    groups = groups_of(source)
    if len(shape) != len(weight.type.shape) or shape[1] != channels or groups < 1 or channels % groups:
        raise refuse(
            source,
            f"an input of {len(weight.type.shape)} axes with {channels} channels in at least 1 equal group",
            f"input {x.type}, {groups} groups",
            "check the layer's weights",
        )


def optional_bias(source: Source, index: int, outputs: int) -> Node | None:
    bias = optional_parameter(source, index)
    if bias is not None and bias.type.shape != (outputs,):
        raise refuse(source, f"a bias of {outputs} values", str(bias.type), "check the layer's weights")
    return bias


def conv(source: Source) -> Value:
    x, weight = activation(source), parameter(source, 1)
    spatial_extents(source, x)
    check_rank(source, weight, 3, MOST_AXES, "weights")
    groups = groups_of(source)
    check_weight(source, x, weight, weight.type.shape[1] * groups)
    bias = optional_bias(source, 2, weight.type.shape[0])
    window = geometry(source, x.type.shape[2:], weight.type.shape[2:])
    value = required(source, 1)
    scale: Mapping[str, Any] = weight_scale(source, value, 0) if isinstance(value, Constant) else {}
    last = move_axis(weight, 1, -1, source.layer)
    y = conv_layer(channels_last(x, source.layer), last, bias, window, groups, source.layer, **scale)
    return channels_second(y, source.layer)


def conv_transpose(source: Source) -> Value:
    x, weight = activation(source), parameter(source, 1)
    spatial_extents(source, x)
    check_rank(source, weight, 3, MOST_AXES, "weights")
    groups = groups_of(source)
    check_weight(source, x, weight, weight.type.shape[0])
    bias = optional_bias(source, 2, weight.type.shape[1] * groups)
    window, padding = transposed_geometry(source, x.type.shape[2:], weight.type.shape[2:])
    last = move_axis(weight, 1, -1, source.layer)
    pixels = channels_last(x, source.layer)
    y = transposed_conv(pixels, last, bias, window, padding, groups, source.layer)
    return channels_second(y, source.layer)


def transposed_geometry(
    source: Source, extents: tuple[int, ...], kernel: tuple[int, ...]
) -> tuple[Window, tuple[int, ...]]:
    """output_shape, or auto_pad, gives the pads: total_padding = stride * (extent - 1) + output_padding +
    span - output_shape."""
    window = declared_window(source, kernel)
    axes = range(len(kernel))
    padding = tuple(source.attrs.get("output_padding", (0,) * len(kernel)))
    auto_pad = source.attrs.get("auto_pad", "NOTSET")
    shape = source.attrs.get("output_shape")
    if shape is None and auto_pad in ("NOTSET", ""):
        return window, padding
    if auto_pad == "VALID" and shape is None:
        return window.without_pads(), padding
    wanted = [extents[i] * window.stride[i] for i in axes] if shape is None else list(shape)[-len(kernel) :]
    upper = "SAME_UPPER" if auto_pad == "SAME_UPPER" else "SAME_LOWER"
    pads = []
    more = list(padding)
    for i in axes:
        span = (kernel[i] - 1) * window.dilation[i] + 1
        total = window.stride[i] * (extents[i] - 1) + padding[i] + span - wanted[i]
        more[i] += max(-total, 0)
        pads.append(halves(source, upper, max(total, 0)))
    return Window(kernel, window.stride, window.dilation, tuple(pads)), tuple(more)


def conv_integer(source: Source) -> Value:
    """int32 sums of (x - x's zero point) * (w - w's zero point); padding is a real zero."""
    layer = source.layer
    x, weight = centred(source, 0, 2), centred(source, 1, 3)
    spatial_extents(source, x)
    check_rank(source, weight, 3, MOST_AXES, "weights")
    groups = groups_of(source)
    check_weight(source, x, weight, weight.type.shape[1] * groups)
    window = geometry(source, spatial_extents(source, x), weight.type.shape[2:])
    last = move_axis(weight, 1, -1, layer)
    return channels_second(conv_computed(channels_last(x, layer), last, None, window, groups, layer), layer)


def centred(source: Source, index: int, zero_index: int) -> Node:
    """An 8-bit input as int32, less its zero point."""
    layer = source.layer
    x = tensor(source, index)
    wide = cast(x, "i32", layer)
    if given(source, zero_index) is None:
        return wide
    zero = cast(tensor(source, zero_index), "i32", layer)
    if zero.type.size > 1:
        zero = reshape(zero, (-1, *(1,) * (len(x.type.shape) - 1)), layer)
    else:
        zero = reshape(zero, (), layer)
    return sub(wide, zero, layer)


def qlinear_conv(source: Source) -> Anything:
    """quantize(conv(dequantize(x), dequantize(w)) + bias), the bias on the product of both scales."""
    if len(source.inputs) < 8:
        raise refuse(source, "eight inputs", str(len(source.inputs)), "export the model again")
    x = dequantize_linear(replace(source, op="DequantizeLinear", inputs=source.inputs[:3], attrs={}))
    rows = {"axis": 0}
    w = dequantize_linear(replace(source, op="DequantizeLinear", inputs=source.inputs[3:6], attrs=rows))
    bias = quantized_bias(source) if given(source, 8) is not None else None
    y = conv(replace(source, op="Conv", inputs=(x, w, bias)))
    last = replace(source, op="QuantizeLinear", inputs=(y, *source.inputs[6:8]), attrs={})
    return quantize_linear(last)


def quantized_bias(source: Source) -> Value:
    layer = source.layer
    scale = mul(tensor(source, 1), tensor(source, 4), layer)
    scale = scale if scale.type.size > 1 else reshape(scale, (), layer)
    bias = mul(cast(tensor(source, 8), "f32", layer), scale, layer)
    return Constant(bias.attrs["value"]) if is_constant(bias) else bias


CONVOLUTION: Mapping[str, Reader] = {
    "Conv": conv,
    "ConvInteger": conv_integer,
    "ConvTranspose": conv_transpose,
    "QLinearConv": qlinear_conv,
}
