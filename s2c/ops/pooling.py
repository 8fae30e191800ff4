"""Source ops that reduce windows: max pools, average pools and means."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.convolution import rescale, window
from s2c.ops.integer import LIMITS, quantize_multiplier, scale_of, split_multiplier, zero_of
from s2c.ops.matmul import rounds_once, scale_params
from s2c.ops.table import Consts, Op, Params, always
from s2c.ops.window import taps, window_outputs, window_params

MOST_VALUES = 2800
MOST_UNSIGNED_VALUES = 2000


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
    return LIMITS[node.type.dtype][0] if node.type.dtype in LIMITS else -math.inf


def lower_max_pool(node: Node) -> Node:
    channels = node.type.shape[-1]
    kernel = node.attrs["kernel"]
    patches = window(node.inputs[0], node.layer, kernel, node.attrs, channels, lowest(node))
    return Node("max", (patches,), {"size": math.prod(kernel)}, node.type, node.layer)


def pool_counts(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """How many values lie under each output pixel's kernel, and by how many to divide: each [height',
    width'].
    """
    attrs = node.attrs
    rows, columns = (
        axis_counts(*each)
        for each in zip(
            node.inputs[0].type.shape[1:3],
            window_outputs(node),
            attrs["kernel"],
            attrs["stride"],
            attrs["dilation"],
            attrs["pads"],
            strict=True,
        )
    )
    inside = np.multiply.outer(rows, columns)
    whole = np.full_like(inside, math.prod(node.attrs["kernel"]))
    return inside, whole if node.attrs["count_pads"] else inside


def axis_counts(
    size: int, outputs: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> np.ndarray:
    """How many of the kernel's places along one axis lie inside, for each output."""
    first = np.arange(outputs, dtype=np.int64) * stride - pads[0]
    before = np.clip(-(first // dilation), 0, kernel)  # places left of 0: ceil(-first / dilation)
    end = np.clip(-((first - size) // dilation), 0, kernel)  # places left of size
    return np.asarray(end - before)


def position_counts(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """pool_counts flattened over the output positions; one value each where all positions are alike."""
    inside, divisor = pool_counts(node)
    if (inside == inside[0, 0]).all():
        inside, divisor = inside[:1, :1], divisor[:1, :1]
    return inside.reshape(-1), divisor.reshape(-1)


def unsigned_offset(node: Node) -> int:
    """What makes the values those of uint8 where attrs unsigned asks for its rounding: then ties of negative
    ones, which are none there, go up."""
    return -LIMITS["i8"][0] if node.attrs.get("unsigned") else 0


def is_plain_average(node: Node) -> bool:
    """TFLite's AVERAGE_POOL: no requantization; else the sum of (input - zero) is requantized."""
    same = node.inputs[0].type.quant == node.type.quant
    return same and not node.attrs["mean"] and not rounds_once(node)


def pool_scales(node: Node) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """(multiplier, shift, bias) for each position or one for all, and the zero to add.

    A plain average is sum / count, ties away from zero. multiplier = floor(2**31 / count) + 1 with no shift
    gives exactly that for every count up to MOST_VALUES: |product| exceeds the quotient, so that ties go away
    from zero, by at most |sum| / 2**31 <= 128 * count / 2**31 (unsigned: 255 * count / 2**31), while a
    quotient that is no tie lies at least 1 / (2 * count) from the next one.
    """
    inside, divisor = position_counts(node)
    source, result = node.inputs[0].type, node.type
    if is_plain_average(node):
        offset = unsigned_offset(node)
        most = MOST_UNSIGNED_VALUES if offset else MOST_VALUES
        if divisor.max() > most:
            raise error(
                node.layer,
                f"an average of at most {most} values",
                f"{divisor.max()}",
                "split the pool in two",
            )
        multiplier = np.minimum((1 << 31) // divisor + 1, (1 << 31) - 1)
        bias = zero_of(source) * (divisor - inside) + offset * divisor
        return multiplier.astype(np.int32), np.zeros(len(divisor), np.int8), bias.astype(np.int32), -offset
    ratio = scale_of(source) / scale_of(result)
    pairs = [mean_scale(node, ratio, int(count)) for count in divisor]
    multipliers = np.array([pair[0] for pair in pairs], np.int32)
    shifts = np.array([pair[1] for pair in pairs], np.int8)
    return multipliers, shifts, (-zero_of(source) * inside).astype(np.int32), zero_of(result)


def mean_scale(node: Node, ratio: float, count: int) -> tuple[int, int]:
    return quantize_multiplier(ratio / count) if rounds_once(node) else tflite_mean_scale(ratio, count)


def tflite_mean_scale(ratio: float, count: int) -> tuple[int, int]:
    """TFLite's MEAN: the multiplier of the scales' ratio, divided by the count after as many left shifts
    as fit.
    """
    multiplier, shift = quantize_multiplier(ratio)
    room = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << room) // count, shift - room


def eval_average_pool(node: Node, x: np.ndarray) -> np.ndarray:
    zero = zero_of(node.inputs[0].type)
    sums = taps(node.with_attrs(value=0), x.astype(np.float64) - zero).sum(axis=3)
    divisor = pool_counts(node)[1][..., np.newaxis]
    if node.type.dtype not in LIMITS:
        with np.errstate(all="ignore"):
            return real_clamp((sums / divisor).astype(np.float32), *bounds(node))
    whole = sums.astype(np.int64)
    if is_plain_average(node):
        offset = unsigned_offset(node)
        raw = whole + (zero + offset) * divisor
        average = np.sign(raw) * ((np.abs(raw) + divisor // 2) // divisor)
        return stored(node, average - offset)
    ratio = scale_of(node.inputs[0].type) / scale_of(node.type)
    pairs = [mean_scale(node, ratio, int(count)) for count in divisor.reshape(-1)]
    multiplier = np.array([pair[0] for pair in pairs]).reshape(divisor.shape)
    shift = np.array([pair[1] for pair in pairs]).reshape(divisor.shape)
    return stored(node, rescale(node, whole, multiplier, shift) + zero_of(node.type))


def stored(node: Node, values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(values, *integer_bounds(node)).astype(node.type.numpy))


def average_pool_consts(node: Node) -> Consts:
    if node.type.dtype not in LIMITS:
        return {"factor": (1.0 / position_counts(node)[1]).astype(np.float32)}
    multiplier, shift, bias, _ = pool_scales(node)
    return {"bias": bias, "multiplier": multiplier, "shift": shift}


def average_pool_params(node: Node) -> Params:
    geometry = dict(window_params(node.with_attrs(groups=1, value=0)))
    del geometry["window_groups"], geometry["value"]
    if node.type.dtype not in LIMITS:
        lo, hi = bounds(node)
        return {**geometry, "scales": len(position_counts(node)[1]), "lo": lo, "hi": hi}
    _, shift, _, zero = pool_scales(node)
    low, high = integer_bounds(node)
    scales = scale_params(shift, average_pool_accumulator(node))
    return {**geometry, **scales, "once": int(rounds_once(node)), "zero": zero, "lo": low, "hi": high}


def average_pool_accumulator(node: Node) -> int:
    """Sum of stored values and a bias of at most as many zero points and offsets."""
    lowest, _ = LIMITS[node.type.dtype]
    return int((2 * -lowest + unsigned_offset(node)) * math.prod(node.attrs["kernel"]))


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
    if node.type.dtype not in LIMITS:
        patches = window(node.inputs[0], node.layer, kernel, node.attrs, channels, 0.0)
        weight = np.full((channels, 1, size), 1.0 / int(divisor[0]), np.float32)
        attrs |= {"weight": weight, "bias": np.zeros(channels, np.float32)}
        return Node("matmul", (patches,), attrs, node.type, node.layer)
    # A padded position reads the value 0 here, so the sum and the bias are those of pool_scales.
    patches = window(node.inputs[0], node.layer, kernel, node.attrs, channels, 0)
    attrs["weight"] = np.ones((channels, 1, size), np.int8)
    if node.type.dtype == "i16":
        return Node(
            "matmul", (patches,), {**attrs, **average16(node, int(divisor[0]))}, node.type, node.layer
        )
    multiplier, shift, bias, zero = pool_scales(node)
    attrs |= {
        "bias": np.repeat(bias, channels),
        "multiplier": multiplier,
        "shift": shift,
        "zero": zero,
        "rounding": node.attrs.get("rounding", "twice"),
    }
    return Node("matmul", (patches,), attrs, node.type, node.layer)


def average16(node: Node, count: int) -> Mapping[str, object]:
    """Of int16, where the zero point is 0: a plain average, whose ties go away from zero."""
    assert is_plain_average(node) and zero_of(node.type) == 0, node.layer
    multiplier, fraction, shift = split_multiplier(1.0 / count)
    return {
        "bias": np.zeros(node.type.shape[-1], np.int64),
        "multiplier": np.array([multiplier], np.int32),
        "fraction": np.array([fraction], np.int32),
        "shift": np.array([shift], np.int8),
        "rounding": "once",
    }


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
