"""Source ops that reduce windows: max pools, average pools and means."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.convolution import rescale, window
from s2c.ops.integer import (
    LOWEST,
    quantize_multiplier,
    saturate,
    scale_of,
    zero_of,
)
from s2c.ops.matmul import rounds_once, scale_params
from s2c.ops.table import Consts, Op, Params, always
from s2c.ops.window import taps, window_outputs, window_params

MOST_VALUES = 2800


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
    """How many values lie under each output pixel's kernel, and by how many to divide: each [height',
    width'].
    """
    _, height, width, _ = node.inputs[0].type.shape
    inside = (
        taps(node.with_attrs(value=0), np.ones((1, height, width, 1))).sum(axis=(0, 3, 4)).astype(np.int64)
    )
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
    same = node.inputs[0].type.quant == node.type.quant
    return same and not node.attrs["mean"] and not rounds_once(node)


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
    """TFLite's MEAN: the multiplier of the scales' ratio, divided by the count after as many left shifts
    as fit.
    """
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
    return {**geometry, **scales, "once": int(rounds_once(node)), "zero": zero, "lo": low, "hi": high}


def average_pool_accumulator(node: Node) -> int:
    """Sum of int8 values and a bias of at most as many zero points."""
    return int(2 * -LOWEST * math.prod(node.attrs["kernel"]))


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
        "rounding": node.attrs.get("rounding", "twice"),
    }
    return Node("matmul", (patches,), attrs, node.type, node.layer)


POOLING: Mapping[str, Op] = {
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
