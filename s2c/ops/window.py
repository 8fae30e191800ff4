"""window: the patch under each output pixel, and the geometry that convolutions and pools share."""

from __future__ import annotations

import math

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.table import Params

# window: the patch under each output pixel, [batch, height', width', groups * taps * channels of a group]


def output_extent(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> int:
    return (size + pads[0] + pads[1] - (kernel - 1) * dilation - 1) // stride + 1


def window_outputs(node: Node) -> tuple[int, int]:
    """Output height and width of a node with kernel, stride, dilation and pads over [batch, height, width,
    channels].
    """
    _, height, width, _ = node.inputs[0].type.shape
    attrs = node.attrs
    sizes = tuple(
        output_extent(size, *each)
        for size, each in zip(
            (height, width),
            zip(attrs["kernel"], attrs["stride"], attrs["dilation"], attrs["pads"], strict=True),
            strict=True,
        )
    )
    if min(sizes) < 1:
        raise error(
            node.layer,
            f"a kernel {attrs['kernel']} that fits into the padded input",
            f"{node.inputs[0].type} with pads {attrs['pads']}",
            "check the layer's kernel, dilation and padding",
        )
    return sizes[0], sizes[1]


def infer_window(node: Node) -> Type:
    kind = node.inputs[0].type
    batch, _, _, channels = kind.shape
    taps = math.prod(node.attrs["kernel"])
    return Type((batch, *window_outputs(node), channels * taps), kind.dtype, kind.quant)


def padded(node: Node, x: np.ndarray) -> np.ndarray:
    (top, bottom), (left, right) = node.attrs["pads"]
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=node.attrs["value"])


def taps(node: Node, x: np.ndarray) -> np.ndarray:
    """The padded input under each output pixel: [batch, height', width', taps, channels]."""
    out_height, out_width = window_outputs(node)
    (stride_h, stride_w), (dilation_h, dilation_w) = node.attrs["stride"], node.attrs["dilation"]
    kernel_h, kernel_w = node.attrs["kernel"]
    x = padded(node, x)
    reach = ((kernel_h - 1) * dilation_h + 1, (kernel_w - 1) * dilation_w + 1)
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2))
    chosen = windows[:, ::stride_h, ::stride_w, :, ::dilation_h, ::dilation_w][:, :out_height, :out_width]
    shape = (len(x), out_height, out_width, kernel_h * kernel_w, x.shape[3])
    return np.moveaxis(chosen, 3, 5).reshape(shape)


def eval_window(node: Node, x: np.ndarray) -> np.ndarray:
    patches = taps(node, x)
    *outer, count, channels = patches.shape
    groups = node.attrs["groups"]
    grouped = patches.reshape(*outer, count, groups, channels // groups)
    return np.moveaxis(grouped, -2, -3).reshape(node.type.shape)


def window_params(node: Node) -> Params:
    batch, height, width, channels = node.inputs[0].type.shape
    out_height, out_width = window_outputs(node)
    attrs = node.attrs
    value = attrs["value"]
    return {
        "batch": batch,
        "height": height,
        "width": width,
        "channels": channels,
        "kernel_height": attrs["kernel"][0],
        "kernel_width": attrs["kernel"][1],
        "stride_height": attrs["stride"][0],
        "stride_width": attrs["stride"][1],
        "dilation_height": attrs["dilation"][0],
        "dilation_width": attrs["dilation"][1],
        "pad_top": attrs["pads"][0][0],
        "pad_left": attrs["pads"][1][0],
        "output_height": out_height,
        "output_width": out_width,
        "window_groups": attrs["groups"],
        "value": int(value) if node.type.dtype != "f32" else float(value),
    }


def window_channelwise(node: Node) -> bool:
    return bool(node.attrs["kernel"] == (1, 1))
