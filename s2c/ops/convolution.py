"""Source ops that are contractions: convolution, dense, batchnorm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.core import round_away
from s2c.ops.integer import (
    HIGHEST,
    LOWEST,
    quantize_multipliers,
    saturate,
    scale,
    scale_of,
    scale_once,
    zero_of,
)
from s2c.ops.matmul import rounds_once
from s2c.ops.table import Op, always, like_input
from s2c.ops.window import infer_window, taps, window_outputs

# conv2d: input [batch, height, width, channels], weight [outputs, kernel h, kernel w, channels / groups]


def infer_conv2d(node: Node) -> Type:
    kind = node.inputs[0].type
    outputs, *kernel, depth = node.attrs["weight"].shape
    groups = node.attrs["groups"]
    if kind.shape[-1] != depth * groups or outputs % groups:
        raise error(
            node.layer,
            f"{depth * groups} input channels and outputs in {groups} equal groups",
            f"{kind.shape[-1]} input channels, {outputs} outputs",
            "check the layer's weights and groups",
        )
    window = node.with_attrs(kernel=tuple(kernel))
    return Type((kind.shape[0], *window_outputs(window), outputs), kind.dtype, node.type.quant)


def result_scales(node: Node) -> np.ndarray:
    """What a sum is multiplied by, per output (or one), from the scales of input, weights and result. attrs
    narrow_scales: the first two are multiplied in float32, as TFLite does for uint8."""
    weight_scale = np.atleast_1d(np.asarray(node.attrs["weight_scale"], np.float32)).astype(np.float64)
    if node.attrs.get("narrow_scales"):
        product = np.float32(scale_of(node.inputs[0].type)) * weight_scale.astype(np.float32)
        return np.asarray(product.astype(np.float64) / scale_of(node.type))
    return np.asarray(scale_of(node.inputs[0].type) * weight_scale / scale_of(node.type))


def requantization(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """multiplier and shift per output (or one of each) from the scales of input, weights and result."""
    return quantize_multipliers(result_scales(node))


def rescale(node: Node, sums: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """TFLite rounds a product twice; a quantized ONNX net means the real product, rounded once."""
    return (scale_once if rounds_once(node) else scale)(sums.astype(np.int64), multiplier, shift)


def finish(node: Node, sums: np.ndarray) -> np.ndarray:
    """Bias, requantization and clamp of exact sums [..., outputs]."""
    sums = sums + node.attrs["bias"].astype(np.float64)
    if node.type.dtype != "i8":
        with np.errstate(over="ignore"):
            return real_clamp(sums.astype(np.float32), *bounds(node))
    if node.op == "dense":
        scaled = round_away(sums * result_scales(node))
    else:
        scaled = rescale(node, sums, *requantization(node))
    return saturate(scaled + zero_of(node.type), *integer_bounds(node))


def eval_conv2d(node: Node, x: np.ndarray) -> np.ndarray:
    """The sum over taps and channels of (input - zero) * weight, where padding is a real zero."""
    weight = node.attrs["weight"].astype(np.float64)
    outputs, kernel_h, kernel_w, depth = weight.shape
    groups = node.attrs["groups"]
    window = node.with_attrs(kernel=(kernel_h, kernel_w), value=0)
    centred = x.astype(np.float64) - zero_of(node.inputs[0].type)
    patches = taps(window, centred)
    grouped = patches.reshape(*patches.shape[:4], groups, depth)
    kernels = weight.reshape(groups, outputs // groups, kernel_h * kernel_w, depth)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.stack(
            [np.tensordot(grouped[..., g, :], kernels[g], axes=([3, 4], [1, 2])) for g in range(groups)],
            axis=3,
        )
    return finish(node, sums.reshape(node.type.shape))


def lowered_matmul(node: Node, source: Node, weight: np.ndarray) -> Node:
    """A core matmul with weight [groups, columns, depth]; an int8 input's zero point goes into the bias."""
    attrs = {key: node.attrs[key] for key in ("lo", "hi") if key in node.attrs}
    attrs |= {"weight": weight, "bias": node.attrs["bias"]}
    if node.type.dtype == "i8":
        sums = weight.astype(np.int64).sum(axis=2).reshape(-1)
        bias = node.attrs["bias"].astype(np.int64) - zero_of(node.inputs[0].type) * sums
        attrs["bias"] = int32(node.layer, bias)
        if node.op == "dense":
            attrs["multiplier"], attrs["shift"] = exact_multipliers(node)
        else:
            attrs["multiplier"], attrs["shift"] = requantization(node)
        attrs["rounding"] = "once" if node.op == "dense" or rounds_once(node) else "twice"
    return Node("matmul", (source,), attrs, node.type, node.layer)


def int32(layer: str, values: np.ndarray) -> np.ndarray:
    if values.size and int(np.abs(values).max()) >= 1 << 31:
        raise error(
            layer,
            "biases that fit into int32 once the input's zero point is folded in",
            f"one of {int(np.abs(values).max())}",
            "quantize the layer with larger scales",
        )
    return values.astype(np.int32)


def is_pointwise(node: Node) -> bool:
    unit = node.attrs["stride"] == (1, 1) and node.attrs["pads"] == ((0, 0), (0, 0))
    return unit and tuple(node.attrs["weight"].shape[1:3]) == (1, 1)


def lower_conv2d(node: Node) -> Node:
    outputs, kernel_h, kernel_w, depth = node.attrs["weight"].shape
    groups = node.attrs["groups"]
    weight = node.attrs["weight"].reshape(groups, outputs // groups, kernel_h * kernel_w * depth)
    source = node.inputs[0]
    if not is_pointwise(node):
        source = window(source, node.layer, (kernel_h, kernel_w), node.attrs, groups, zero_of(source.type))
    return lowered_matmul(node, source, weight)


def window(
    source: Node,
    layer: str,
    kernel: tuple[int, int],
    geometry: Mapping[str, object],
    groups: int,
    value: float,
) -> Node:
    """A window with the stride, dilation and pads of `geometry`."""
    attrs = {key: geometry[key] for key in ("stride", "dilation", "pads")}
    attrs |= {"kernel": kernel, "groups": groups, "value": value}
    node = Node("window", (source,), attrs, source.type, layer)
    return replace(node, type=infer_window(node))


def conv2d_macs(node: Node) -> int:
    _, kernel_h, kernel_w, depth = node.attrs["weight"].shape
    return node.type.size * int(kernel_h * kernel_w * depth)


def is_depthwise(node: Node) -> bool:
    outputs, _, _, depth = node.attrs["weight"].shape
    return bool(depth == 1 and outputs == node.attrs["groups"])


# dense: input [..., depth], weight [outputs, depth]; on int8 LiteRT's reference FULLY_CONNECTED, unlike its
# other ops, rounds the float64 product of sum and scales once, ties away from zero

NUDGES = (0, 1, -1, 2, -2)


def exact_multipliers(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Multiplier and shift per output with which scale_once gives that rounded product, for every sum in
    reach.

    Both are monotone in the sum, so they are equal everywhere if they are next to each point where an int8
    result steps. There the 31 bits of a multiplier can be too coarse; then a neighbouring multiplier does it.
    """
    weight = np.abs(node.attrs["weight"].astype(np.int64)).sum(axis=1)
    zero = zero_of(node.inputs[0].type)
    reach = weight * max(HIGHEST - zero, zero - LOWEST) + np.abs(node.attrs["bias"].astype(np.int64))
    reals = np.broadcast_to(result_scales(node), reach.shape)
    multiplier, shift = quantize_multipliers(reals)
    least, most = integer_bounds(node)
    results = np.arange(least - zero_of(node.type), most - zero_of(node.type))
    steps = (results + 0.5)[:, np.newaxis] / reals
    around = np.array([-1, 0, 1, 2])[:, np.newaxis, np.newaxis]
    sums = np.floor(np.clip(steps, 1 - (1 << 31), (1 << 31) - 3)) + around
    wanted = np.where(np.abs(sums) <= reach, round_away(sums * reals), np.nan)
    result = np.zeros_like(multiplier)
    found = np.zeros(len(reals), np.bool_)
    for nudge in NUDGES:
        nudged = np.clip(multiplier.astype(np.int64) + nudge, 0, (1 << 31) - 1)
        same = (scale_once(sums.astype(np.int64), nudged, shift) == wanted) | np.isnan(wanted)
        fits = same.all(axis=(0, 1)) & ~found
        result = np.where(fits, nudged, result)
        found |= fits
    if not found.all():
        raise error(
            node.layer,
            "scales whose quotient a multiplier of 31 bits can stand for",
            f"{reals[~found][0]:.17g}",
            "quantize the model again",
        )
    if (result == result[0]).all() and (shift == shift[0]).all():
        result, shift = result[:1], shift[:1]
    return result.astype(np.int32), shift


def infer_dense(node: Node) -> Type:
    kind = node.inputs[0].type
    outputs, depth = node.attrs["weight"].shape
    if not kind.shape or kind.shape[-1] != depth:
        raise error(
            node.layer, f"an input whose last axis is {depth}", str(kind), "check the layer's weights"
        )
    return Type((*kind.shape[:-1], outputs), kind.dtype, node.type.quant)


def eval_dense(node: Node, x: np.ndarray) -> np.ndarray:
    centred = x.astype(np.float64) - zero_of(node.inputs[0].type)
    with np.errstate(invalid="ignore", over="ignore"):
        return finish(node, centred @ node.attrs["weight"].astype(np.float64).T)


def lower_dense(node: Node) -> Node:
    return lowered_matmul(node, node.inputs[0], node.attrs["weight"][np.newaxis])


# batchnorm: input * scale + shift per channel (last axis), floats only


def eval_batchnorm(node: Node, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        y = x.astype(np.float64) * node.attrs["scale"].astype(np.float64) + node.attrs["shift"]
        return np.asarray(y, np.float32)


def lower_batchnorm(node: Node) -> Node:
    """A grouped contraction of depth one: the same two roundings fewer than mul and add."""
    weight = node.attrs["scale"].astype(np.float32).reshape(-1, 1, 1)
    attrs = {"weight": weight, "bias": node.attrs["shift"].astype(np.float32)}
    return Node("matmul", node.inputs, attrs, node.type, node.layer)


CONVOLUTION: Mapping[str, Op] = {
    "conv2d": Op(infer_conv2d, eval_conv2d, lower_conv2d, conv2d_macs, channelwise=is_depthwise),
    "dense": Op(
        infer_dense, eval_dense, lower_dense, lambda node: node.type.size * node.attrs["weight"].shape[1]
    ),
    "batchnorm": Op(
        like_input, eval_batchnorm, lower_batchnorm, lambda node: node.type.size, channelwise=always
    ),
}
