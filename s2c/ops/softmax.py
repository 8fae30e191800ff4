"""softmax over the last axis; on int8 it is TFLite's reference fixed-point arithmetic (gemmlowp)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Quant, Type, constant
from s2c.ops.integer import (
    LOWEST,
    rounding_doubling_high,
    rounding_shift_right,
    saturate,
    scale_of,
)
from s2c.ops.table import Consts, Op, Params

DIFFERENCE_BITS = 5
SUM_BITS = 12
MOST_VALUES = (1 << SUM_BITS) - 1
RESULT = Quant((1.0 / 256,), LOWEST)

# exp(-2**k) as Q0.31, for k = -2 .. 4: the barrel of the fixed-point exponential.
BARREL = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)


def infer_softmax(node: Node) -> Type:
    kind = node.inputs[0].type
    if kind.dtype == "i8" and node.type.quant != RESULT:
        raise error(
            node.layer,
            "an int8 softmax with scale 1/256 and zero point -128",
            str(node.type.quant),
            "quantize the output as TFLite's converter does",
        )
    if kind.dtype == "i8" and kind.shape[-1] > MOST_VALUES:
        raise error(
            node.layer,
            f"an int8 softmax over at most {MOST_VALUES} values, whose sum TFLite's int32 can hold",
            str(kind.shape[-1]),
            "drop the softmax (the order of the scores stays), or keep it in float",
        )
    if kind.dtype == "i8" and step_of_difference(node) <= 1.0:
        raise error(
            node.layer,
            f"an int8 softmax whose beta * scale is above {2.0 ** (DIFFERENCE_BITS - 31):g}",
            f"{node.attrs['beta'] * scale_of(kind):g}",
            "quantize the input with a larger scale",
        )
    return Type(kind.shape, kind.dtype, node.type.quant)


def step_of_difference(node: Node) -> float:
    """beta times the difference of two neighbouring stored values, in units of the fixed-point difference."""
    return float(node.attrs["beta"] * scale_of(node.inputs[0].type) * (1 << (31 - DIFFERENCE_BITS)))


def exp_of_negative(raw: int) -> int:
    """exp of a Q5.26 number at or below 0, as Q0.31: gemmlowp's exp_on_negative_values."""
    if raw == 0:
        return (1 << 31) - 1
    quarter = 1 << (31 - DIFFERENCE_BITS - 2)
    in_quarter = (raw & (quarter - 1)) - quarter
    remainder = in_quarter - raw
    result = exp_in_quarter(in_quarter * (1 << DIFFERENCE_BITS))
    for exponent, factor in BARREL:
        if remainder & (1 << (31 - DIFFERENCE_BITS + exponent)):
            result = high(result, factor)
    return result


def exp_in_quarter(a: int) -> int:
    """exp of a Q0.31 number in [-1/4, 0): a polynomial about -1/8."""
    x = a + (1 << 28)
    x2 = high(x, x)
    x3 = high(x2, x)
    x4 = high(x2, x2)
    cubic = high(shift_right(x4, 2) + x3, 715827883)
    return 1895147668 + high(1895147668, x + shift_right(cubic + x2, 1))


def high(a: int, b: int) -> int:
    return int(rounding_doubling_high(np.array(a), b))


def shift_right(x: int, shift: int) -> int:
    return int(rounding_shift_right(np.array(x), shift))


def exponentials(node: Node) -> np.ndarray:
    """exp((q - max) * scale * beta) as Q0.31 for max - q = 0 .. 255; 0 where TFLite skips the element."""
    return np.array(powers(step_of_difference(node)), np.int32)


@lru_cache
def powers(step: float) -> tuple[int, ...]:
    real = min(step, 2.0**31 - 1)
    fraction, left = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        left += 1
    radius = math.floor(((1 << DIFFERENCE_BITS) - 1) * (1 << (31 - DIFFERENCE_BITS)) / 2.0**left)
    return tuple(
        exp_of_negative(high(-difference * (1 << left), multiplier)) if difference <= radius else 0
        for difference in range(256)
    )


def reciprocal(total: int) -> tuple[int, int]:
    """1 / total for total in Q12.19: the Q0.31 fraction and its exponent (gemmlowp's GetReciprocal)."""
    zeros = 32 - total.bit_length()
    fraction = (total << zeros) - (1 << 31)
    half = (fraction + (1 << 31)) >> 1
    x = 1515870810 + high(half, -1010580540)
    for _ in range(3):
        rest = (1 << 29) - high(half, x)
        x += saturating_shift_left(high(x, rest), 2)
    return saturating_shift_left(x, 1), SUM_BITS - zeros


def saturating_shift_left(x: int, bits: int) -> int:
    return max(min(x << bits, (1 << 31) - 1), -(1 << 31))


def eval_softmax(node: Node, x: np.ndarray) -> np.ndarray:
    rows = x.reshape(-1, x.shape[-1])
    if node.type.dtype != "i8":
        with np.errstate(all="ignore"):
            wide = rows.astype(np.float64) * node.attrs["beta"]
            powers = np.exp(wide - wide.max(axis=1, keepdims=True))
            y = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return np.asarray(y.reshape(x.shape))
    powers = exponentials(node).astype(np.int64)[rows.max(axis=1, keepdims=True).astype(np.int64) - rows]
    totals = rounding_shift_right(powers, SUM_BITS).sum(axis=1)
    result = np.empty(rows.shape, np.int8)
    for index, total in enumerate(totals):
        factor, exponent = reciprocal(int(total))
        scaled = rounding_doubling_high(powers[index], factor)
        result[index] = saturate(rounding_shift_right(scaled, min(exponent + 23, 31)) + LOWEST)
    return result.reshape(x.shape)


def softmax_consts(node: Node) -> Consts:
    return {"exponentials": exponentials(node)} if node.type.dtype == "i8" else {}


def softmax_params(node: Node) -> Params:
    size = node.type.shape[-1]
    rows = {"rows": node.type.size // size, "size": size}
    return rows if node.type.dtype == "i8" else {**rows, "beta": float(node.attrs["beta"])}


def lower_softmax(node: Node) -> Node:
    """exp(x - max) times the reciprocal of its sum, from core ops; floats only."""
    if node.type.dtype != "f32":
        raise error(
            node.layer,
            "a target with a kernel for int8 softmax",
            "one without it",
            "drop the softmax (the order of the scores stays), or choose another target",
        )
    source, size, layer = node.inputs[0], node.type.shape[-1], node.layer
    kind = node.type
    column = replace(kind, shape=(*kind.shape[:-1], 1))
    minus = constant(np.full((), -1.0, np.float32), layer)
    beta = constant(np.full((), node.attrs["beta"], np.float32), layer)
    highest = Node("max", (source,), {"size": size}, column, layer)
    spread = expand_last(Node("mul", (highest, minus), {}, column, layer), kind)
    shifted = Node("add", (source, spread), {}, kind, layer)
    powers = Node("map", (Node("mul", (shifted, beta), {}, kind, layer),), {"function": "exp"}, kind, layer)
    ones = {"weight": np.ones((1, 1, size), np.float32), "bias": np.zeros(1, np.float32)}
    total = Node("matmul", (powers,), ones, column, layer)
    inverse = Node("map", (total,), {"function": "reciprocal"}, column, layer)
    return Node("mul", (powers, expand_last(inverse, kind)), {}, kind, layer)


def expand_last(node: Node, kind: Type) -> Node:
    return Node("expand", (node,), {"shape": kind.shape}, kind, node.layer)


SOFTMAX: Mapping[str, Op] = {
    "softmax": Op(
        infer_softmax,
        eval_softmax,
        lower_softmax,
        consts=softmax_consts,
        params=softmax_params,
    ),
}
