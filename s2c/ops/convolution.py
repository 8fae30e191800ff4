"""Source ops that are contractions: convolution, dense, batchnorm, pools and means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.core import (
    bounds,
    integer_bounds,
    real_clamp,
    round_away,
    rounds_once,
    scale_params,
    taps,
    window_outputs,
    window_params,
)
from s2c.ops.integer import (
    HIGHEST,
    LOWEST,
    quantize_multiplier,
    quantize_multipliers,
    saturate,
    scale,
    scale_of,
    scale_once,
    zero_of,
)
from s2c.ops.table import Consts, Op, Params, always, like_input

MOST_VALUES = 2800

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
    """What a sum is multiplied by, per output (or one), from the scales of input, weights and result."""
    weight_scale = np.atleast_1d(np.asarray(node.attrs["weight_scale"], np.float32)).astype(np.float64)
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
    source: Node, layer: str, kernel: tuple[int, int], geometry: Mapping[str, object], groups: int, value: float
) -> Node:
    """A window with the stride, dilation and pads of `geometry`."""
    attrs = {key: geometry[key] for key in ("stride", "dilation", "pads")}
    attrs |= {"kernel": kernel, "groups": groups, "value": value}
    node = Node("window", (source,), attrs, source.type, layer)
    _, height, width, channels = source.type.shape
    out_height, out_width = window_outputs(node)
    shape = (source.type.shape[0], out_height, out_width, channels * math.prod(kernel))
    return replace(node, type=Type(shape, source.type.dtype, source.type.quant))


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
    """Multiplier and shift per output with which scale_once gives that rounded product, for every sum in reach.

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


# pools over [batch, height, width, channels]; padding never counts as a value


def infer_pool(node: Node) -> Type:
    kind = node.inputs[0].type
    shape = (kind.shape[0], *window_outputs(node), kind.shape[-1])
    return Type(shape, kind.dtype, node.type.quant or kind.quant)


def eval_max_pool(node: Node, x: np.ndarray) -> np.ndarray:
    """A fold of selects over the taps in order, as `max` has it."""
    patches = taps(node.with_attrs(value=lowest(node)), x)
    result = patches[..., 0, :]
    for index in range(1, patches.shape[3]):
        result = np.where(patches[..., index, :] > result, patches[..., index, :], result)
    return result


def lowest(node: Node) -> float:
    return LOWEST if node.type.dtype == "i8" else -math.inf


def lower_max_pool(node: Node) -> Node:
    channels = node.type.shape[-1]
    kernel = node.attrs["kernel"]
    patches = window(node.inputs[0], node.layer, kernel, node.attrs, channels, lowest(node))
    return Node("max", (patches,), {"size": math.prod(kernel)}, node.type, node.layer)


def pool_counts(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """How many values lie under each output pixel's kernel, and by how many to divide: each [height', width']."""
    _, height, width, _ = node.inputs[0].type.shape
    inside = taps(node.with_attrs(value=0), np.ones((1, height, width, 1))).sum(axis=(0, 3, 4)).astype(np.int64)
    whole = np.full_like(inside, math.prod(node.attrs["kernel"]))
    return inside, whole if node.attrs["count_pads"] else inside


def position_counts(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """pool_counts flattened over the output positions; one value each where all positions are alike."""
    inside, divisor = pool_counts(node)
    if (inside == inside[0, 0]).all():
        inside, divisor = inside[:1, :1], divisor[:1, :1]
    return inside.reshape(-1), divisor.reshape(-1)


def is_plain_average(node: Node) -> bool:
    """TFLite's AVERAGE_POOL: no requantization; else the sum of (input - zero) is requantized."""
    return node.inputs[0].type.quant == node.type.quant and not node.attrs["mean"]


def pool_scales(node: Node) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """(multiplier, shift, bias) for each position or one for all, and the zero to add.

    A plain average is sum / count, ties away from zero. multiplier = floor(2**31 / count) + 1 with no shift
    gives exactly that for every count up to MOST_VALUES: |product| exceeds the quotient, so that ties go away
    from zero, by at most |sum| / 2**31 <= 128 * count / 2**31, while a quotient that is no tie lies at least
    1 / (2 * count) from the next one.
    """
    inside, divisor = position_counts(node)
    source, result = node.inputs[0].type, node.type
    if is_plain_average(node):
        if divisor.max() > MOST_VALUES:
            raise error(
                node.layer,
                f"an average of at most {MOST_VALUES} values",
                f"{divisor.max()}",
                "split the pool in two",
            )
        multiplier = np.minimum((1 << 31) // divisor + 1, (1 << 31) - 1)
        bias = zero_of(source) * (divisor - inside)
        return multiplier.astype(np.int32), np.zeros(len(divisor), np.int8), bias.astype(np.int32), 0
    ratio = scale_of(source) / scale_of(result)
    pairs = [mean_scale(node, ratio, int(count)) for count in divisor]
    multipliers = np.array([pair[0] for pair in pairs], np.int32)
    shifts = np.array([pair[1] for pair in pairs], np.int8)
    return multipliers, shifts, (-zero_of(source) * inside).astype(np.int32), zero_of(result)


def mean_scale(node: Node, ratio: float, count: int) -> tuple[int, int]:
    """TFLite's MEAN: the multiplier of the scales' ratio, divided by the count after as many left shifts as fit."""
    if rounds_once(node):
        return quantize_multiplier(ratio / count)
    multiplier, shift = quantize_multiplier(ratio)
    room = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << room) // count, shift - room


def eval_average_pool(node: Node, x: np.ndarray) -> np.ndarray:
    zero = zero_of(node.inputs[0].type)
    sums = taps(node.with_attrs(value=0), x.astype(np.float64) - zero).sum(axis=3)
    divisor = pool_counts(node)[1][..., np.newaxis]
    if node.type.dtype != "i8":
        with np.errstate(all="ignore"):
            return real_clamp((sums / divisor).astype(np.float32), *bounds(node))
    whole = sums.astype(np.int64)
    if is_plain_average(node):
        raw = whole + zero * divisor
        average = np.sign(raw) * ((np.abs(raw) + divisor // 2) // divisor)
        return saturate(average, *integer_bounds(node))
    ratio = scale_of(node.inputs[0].type) / scale_of(node.type)
    pairs = [mean_scale(node, ratio, int(count)) for count in divisor.reshape(-1)]
    multiplier = np.array([pair[0] for pair in pairs]).reshape(divisor.shape)
    shift = np.array([pair[1] for pair in pairs]).reshape(divisor.shape)
    return saturate(rescale(node, whole, multiplier, shift) + zero_of(node.type), *integer_bounds(node))


def average_pool_consts(node: Node) -> Consts:
    if node.type.dtype != "i8":
        return {"factor": (1.0 / position_counts(node)[1]).astype(np.float32)}
    multiplier, shift, bias, _ = pool_scales(node)
    return {"bias": bias, "multiplier": multiplier, "shift": shift}


def average_pool_params(node: Node) -> Params:
    geometry = dict(window_params(node.with_attrs(groups=1, value=0)))
    del geometry["window_groups"], geometry["value"]
    if node.type.dtype != "i8":
        lo, hi = bounds(node)
        return {**geometry, "scales": len(position_counts(node)[1]), "lo": lo, "hi": hi}
    _, shift, _, zero = pool_scales(node)
    low, high = integer_bounds(node)
    scales = scale_params(shift, average_pool_accumulator(node))
    once = int(rounds_once(node) and not is_plain_average(node))
    return {**geometry, **scales, "once": once, "zero": zero, "lo": low, "hi": high}


def average_pool_accumulator(node: Node) -> int:
    """Sum of int8 values and a bias of at most as many zero points."""
    return 2 * -LOWEST * math.prod(node.attrs["kernel"])


def lower_average_pool(node: Node) -> Node:
    """A contraction with ones, where every patch holds the same number of values."""
    inside, divisor = position_counts(node)
    if len(inside) > 1:
        raise error(
            node.layer,
            "an average pool whose patches all hold the same number of values",
            f"between {inside.min()} and {inside.max()} values, as padding does not count",
            "choose a target that has a kernel for average_pool, or pool without padding",
        )
    channels = node.type.shape[-1]
    kernel = node.attrs["kernel"]
    size = math.prod(kernel)
    attrs = {key: node.attrs[key] for key in ("lo", "hi") if key in node.attrs}
    if node.type.dtype != "i8":
        patches = window(node.inputs[0], node.layer, kernel, node.attrs, channels, 0.0)
        weight = np.full((channels, 1, size), 1.0 / int(divisor[0]), np.float32)
        attrs |= {"weight": weight, "bias": np.zeros(channels, np.float32)}
        return Node("matmul", (patches,), attrs, node.type, node.layer)
    # A padded position reads the value 0 here, so the sum and the bias are those of pool_scales.
    patches = window(node.inputs[0], node.layer, kernel, node.attrs, channels, 0)
    multiplier, shift, bias, zero = pool_scales(node)
    attrs |= {
        "weight": np.ones((channels, 1, size), np.int8),
        "bias": np.repeat(bias, channels),
        "multiplier": multiplier,
        "shift": shift,
        "zero": zero,
        "rounding": "once" if rounds_once(node) and not is_plain_average(node) else "twice",
    }
    return Node("matmul", (patches,), attrs, node.type, node.layer)


CONVOLUTION: Mapping[str, Op] = {
    "conv2d": Op(infer_conv2d, eval_conv2d, lower_conv2d, conv2d_macs, channelwise=is_depthwise),
    "dense": Op(infer_dense, eval_dense, lower_dense, lambda node: node.type.size * node.attrs["weight"].shape[1]),
    "batchnorm": Op(
        like_input, eval_batchnorm, lower_batchnorm, lambda node: node.type.size, channelwise=always
    ),
    "max_pool": Op(infer_pool, eval_max_pool, lower_max_pool, channelwise=always),
    "average_pool": Op(
        infer_pool,
        eval_average_pool,
        lower_average_pool,
        consts=average_pool_consts,
        params=average_pool_params,
        accumulator=average_pool_accumulator,
        channelwise=always,
    ),
}
