"""TFLite's scalar integer arithmetic in plain Python, as C computes it: truncating division, a nudge that
depends on the sign (gemmlowp's fixedpoint.h), int32 and int64 ranges asserted."""

from __future__ import annotations

INT32 = range(-(1 << 31), 1 << 31)
INT64 = range(-(1 << 63), 1 << 63)


def c_division(a: int, b: int) -> int:
    """Towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def saturating_rounding_doubling_high_mul(a: int, b: int) -> int:
    assert a in INT32 and b in INT32
    if a == b == INT32[0]:
        return INT32[-1]
    product = a * b
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    assert product + nudge in INT64
    return c_division(product + nudge, 1 << 31)


def rounding_divide_by_pot(x: int, exponent: int) -> int:
    assert x in INT32 and 0 <= exponent <= 31
    mask = (1 << exponent) - 1
    remainder = x & mask
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if remainder > threshold else 0)


def multiply_by_quantized_multiplier(x: int, multiplier: int, shift: int) -> int:
    left, right = max(shift, 0), max(-shift, 0)
    assert x << left in INT32
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(x << left, multiplier), right)


def add(a: int, b: int, zeros: tuple[int, int, int], scales: list[tuple[int, int]], lo: int, hi: int) -> int:
    """One element of int8 ADD; scales are multiplier and shift of both operands and the result."""
    parts = [
        multiply_by_quantized_multiplier((value - zero) * (1 << 20), *pair)
        for value, zero, pair in zip((a, b), zeros[:2], scales[:2], strict=True)
    ]
    total = multiply_by_quantized_multiplier(sum(parts), *scales[2]) + zeros[2]
    return min(max(total, lo), hi)


def average(values: list[int], lo: int, hi: int) -> int:
    """One element of int8 AVERAGE_POOL_2D."""
    total, count = sum(values), len(values)
    rounded = c_division(total + count // 2, count) if total > 0 else c_division(total - count // 2, count)
    return min(max(rounded, lo), hi)
