"""TFLite's int8 RSQRT: an inverse square root in fixed point, by Newton's steps."""

from __future__ import annotations

import math

from s2c.ir import Type
from s2c.ops.integer import HIGHEST, LOWEST, quantize_multiplier, scale_of, zero_of

LEFT_SHIFT = 20
STEPS = 5
INT32_MAX = (1 << 31) - 1


def high(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul."""
    return min((a * b + (1 << 30)) >> 31, INT32_MAX)


def shifted_left(x: int, bits: int) -> int:
    return max(min(x << bits, INT32_MAX), -(1 << 31))


def inverse_root(x: int) -> tuple[int, int]:
    """1 / sqrt(x) as multiplier * 2**(shift - 31), for x of at least 1: GetInvSqrtQuantizedMultiplierExp."""
    if x <= 1:
        return INT32_MAX, 0
    pairs = (32 - x.bit_length() - 1) // 2 - 1
    raw = (x << (2 * pairs)) >> 1
    half = (raw + 1) >> 1
    three_halves = (1 << 28) + (1 << 27)
    root = 1 << 28
    for _ in range(STEPS):
        cube = shifted_left(high(high(root, root), root), 6)
        root = shifted_left(high(three_halves, root) - high(half, cube), 3)
    multiplier, shift = high(root, 1518500250), 11 - pairs
    return (multiplier << -shift, 0) if shift < 0 else (multiplier, -shift)


def scaled(x: int, multiplier: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier."""
    result = high(x << max(shift, 0), multiplier)
    right = max(-shift, 0)
    return (result + ((1 << right) >> 1) - (result < 0 and right > 0)) >> right


def rsqrt(x: int, source: Type, result: Type) -> int:
    """The stored result for a stored x; TFLite has none below the zero point, here it is the highest."""
    value = x - zero_of(source)
    if value <= 0:
        return HIGHEST
    multiplier, shift = quantize_multiplier(1.0 / (math.sqrt(scale_of(source)) * scale_of(result)))
    root, root_shift = inverse_root(value)
    wide = scaled(1, root, root_shift + LEFT_SHIFT)
    return min(max(scaled(wide, multiplier, shift - LEFT_SHIFT) + zero_of(result), LOWEST), HIGHEST)
