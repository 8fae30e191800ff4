"""The integer arithmetic against TFLite's in plain Python, on extremes, ties and at random."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import numpy as np
import pytest
import reference
from graphs import tensor
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c.ir import Node, Quant
from s2c.ops import OPS, make
from s2c.ops.arithmetic import add_scales
from s2c.ops.integer import (
    quantize_multiplier,
    quantize_multipliers,
    quantized_range,
    round_half_away,
    rounding_doubling_high,
    rounding_shift_right,
    scale,
    scale_once,
)
from s2c.ops.pooling import MOST_VALUES

LOW, HIGH = -(1 << 31), (1 << 31) - 1
EXTREMES = [
    LOW,
    LOW + 1,
    -(1 << 30) - 1,
    -(1 << 30),
    -3,
    -2,
    -1,
    0,
    1,
    2,
    3,
    (1 << 30) - 1,
    1 << 30,
    HIGH - 1,
    HIGH,
]
int32 = st.one_of(st.sampled_from(EXTREMES), st.integers(LOW, HIGH), st.integers(-300, 300))
multiplier = st.one_of(
    st.sampled_from([1 << 30, (1 << 30) + 1, HIGH - 1, HIGH, 0]), st.integers(1 << 30, HIGH)
)
thorough = settings(max_examples=200, deadline=None, derandomize=True)


def test_high_product_of_extremes() -> None:
    for a, b in itertools.product(EXTREMES, EXTREMES):
        wanted = reference.saturating_rounding_doubling_high_mul(a, b)
        assert rounding_doubling_high(np.int64(a), np.int64(b)) == wanted, (a, b)


@pytest.mark.build
@thorough
@given(int32, int32)
def test_high_product(a: int, b: int) -> None:
    assert rounding_doubling_high(np.int64(a), b) == reference.saturating_rounding_doubling_high_mul(a, b)


@pytest.mark.parametrize("sign", [1, -1])
def test_high_product_at_ties(sign: int) -> None:
    """Products of an odd multiple of 2**30 lie between two results."""
    for odd in range(1, 400, 2):
        a, b = sign * odd, 1 << 30
        assert rounding_doubling_high(np.int64(a), b) == reference.saturating_rounding_doubling_high_mul(a, b)


@pytest.mark.build
@thorough
@given(int32, st.integers(0, 31))
def test_shift(x: int, exponent: int) -> None:
    assert rounding_shift_right(np.int64(x), exponent) == reference.rounding_divide_by_pot(x, exponent)


@pytest.mark.build
@thorough
@given(int32, multiplier, st.integers(-31, 12))
def test_scale(x: int, factor: int, shift: int) -> None:
    x >>= max(shift, 0)
    wanted = reference.multiply_by_quantized_multiplier(x, factor, shift)
    assert scale(np.int64(x), factor, shift) == wanted


def test_scale_of_arrays_is_scale_of_each() -> None:
    source = np.random.default_rng(0)
    x = source.integers(-(1 << 24), 1 << 24, (50, 8))
    factors = source.integers(1 << 30, 1 << 31, 8)
    shifts = source.integers(-20, 7, 8)
    wanted = [
        [
            reference.multiply_by_quantized_multiplier(*map(int, each))
            for each in zip(row, factors, shifts, strict=True)
        ]
        for row in x
    ]
    np.testing.assert_array_equal(scale(x, factors, shifts), wanted)


@pytest.mark.build
@thorough
@given(int32, multiplier, st.integers(-31, 0))
def test_scale_once_is_the_nearest_integer(x: int, factor: int, shift: int) -> None:
    divisor = 1 << (31 - shift)
    distance = abs(int(scale_once(np.int64(x), factor, shift)) * divisor - x * factor)
    assert 2 * distance <= divisor


def reals() -> Iterator[float]:
    source = random.Random(0)
    yield from (
        1.0,
        0.5,
        0.25,
        0.999999999999,
        1 - 2.0**-32,
        1 - 2.0**-33,
        2.0**-31,
        2.0**-32,
        3.0,
        1e6,
        1e-9,
    )
    for _ in range(500):
        yield math.exp(source.uniform(-20, 15))


def test_multiplier_is_the_nearest() -> None:
    for real in reals():
        factor, shift = quantize_multiplier(real)
        assert factor == 0 or 1 << 30 <= factor < 1 << 31, real
        assert abs(factor * 2.0 ** (shift - 31) - real) <= 2.0 ** (shift - 32), real


def test_multiplier_of_the_ends() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(1.0) == (1 << 30, 1)
    assert quantize_multiplier(1.0 - 2.0**-40) == (1 << 30, 1)
    assert quantize_multiplier(2.0**-32) == (1 << 30, -31)
    assert quantize_multiplier(2.0**-33) == (0, 0)


def test_multipliers_of_an_array() -> None:
    factors, shifts = quantize_multipliers(np.array([0.3, 7.0, 1e-4]))
    assert list(zip(factors.tolist(), shifts.tolist(), strict=True)) == [
        quantize_multiplier(each) for each in (0.3, 7.0, 1e-4)
    ]


@pytest.mark.parametrize(
    ("x", "wanted"), [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49, 0), (0.0, 0), (-1.2, -1)]
)
def test_round_half_away(x: float, wanted: int) -> None:
    assert round_half_away(x) == wanted


def test_clamp_in_steps() -> None:
    kind = tensor("x", 1, quant=Quant((0.1,), -5)).type
    assert quantized_range(kind, -math.inf, math.inf) == (-128, 127)
    assert quantized_range(kind, 0.0, 6.0) == (-5, 55)
    assert quantized_range(kind, -100.0, 100.0) == (-128, 127)


def addition(a: Quant, b: Quant, result: Quant, size: int) -> Node:
    return make("add", (tensor("a", size, quant=a), tensor("b", size, quant=b)), "sum", result)


@pytest.mark.parametrize("seed", range(6))
def test_add_is_that_of_tflite(seed: int) -> None:
    source = random.Random(seed)
    quants = [Quant((math.exp(source.uniform(-6, 0)),), source.randint(-128, 127)) for _ in range(3)]
    pairs = source.sample(list(itertools.product(range(-128, 128), repeat=2)), 1500)
    node = addition(*quants, len(pairs))
    a, b = np.array(pairs, np.int8).T
    found = OPS["add"].eval(node, a, b).tolist()
    scales = list(add_scales(node))
    zeros = (quants[0].zero, quants[1].zero, quants[2].zero)
    for pair, each in zip(pairs, found, strict=True):
        assert each == reference.add(*pair, zeros, scales, -128, 127), pair


def plain_average(values: int, channels: int) -> Node:
    source = tensor("x", 1, values, 1, channels, quant=Quant((0.5,), 7))
    geometry = {"kernel": (values, 1), "stride": (1, 1), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}
    return make(
        "average_pool", (source,), "average", Quant((0.5,), 7), **geometry, count_pads=False, mean=False
    )


@pytest.mark.parametrize("values", [1, 2, 3, 7, 16, 49, 100, 255, 1001, 2047, MOST_VALUES])
def test_average_is_that_of_tflite(values: int) -> None:
    """Sums at ties, next to them and at random; the multiplier that kernels get gives the same."""
    source = np.random.default_rng(values)
    sums = source.integers(-128 * values, 127 * values + 1, 40)
    ties = [(2 * step + 1) * values // 2 + side for step in (-100, -7, -1, 0, 5, 90) for side in (-1, 0, 1)]
    wanted_sums = [*sums, *(each for each in ties if -128 * values <= each <= 127 * values), -128 * values]
    columns = [spread(int(each), values) for each in wanted_sums]
    node = plain_average(values, len(columns))
    found = OPS["average_pool"].eval(node, np.array(columns, np.int8).T.reshape(node.inputs[0].type.shape))
    assert found.reshape(-1).tolist() == [reference.average(column, -128, 127) for column in columns]
    consts = OPS["average_pool"].consts(node)
    rounded = scale(np.array(wanted_sums), consts["multiplier"], consts["shift"])
    assert rounded.tolist() == found.reshape(-1).tolist()


def spread(total: int, count: int) -> list[int]:
    """count int8 values with that sum."""
    low, extra = divmod(total, count)
    return [low + 1] * extra + [low] * (count - extra)


@pytest.mark.build
def test_average_multiplier_is_exact_for_every_count() -> None:
    """At each tie and its neighbours, where alone a multiplier can go wrong."""
    for count in range(1, MOST_VALUES + 1):
        factor = min((1 << 31) // count + 1, HIGH)
        halves = np.arange(-255, 256, 2, dtype=np.int64) * count
        sums = np.concatenate([halves // 2 - 1, halves // 2, halves // 2 + 1])
        sums = sums[np.abs(sums) <= 128 * count]
        wanted = np.sign(sums) * ((np.abs(sums) + count // 2) // count)
        np.testing.assert_array_equal(scale(sums, factor, 0), wanted, err_msg=str(count))
