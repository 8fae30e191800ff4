"""The one integer arithmetic: TFLite's reference requantization, in numpy.

Source: the TensorFlow Lite 8-bit quantization specification and its reference kernels (double rounding).
"""

from __future__ import annotations

import math

import numpy as np

from s2c.ir import Quant, Type

LOWEST, HIGHEST = -128, 127
MOST_SHIFT = 127  # what int8 holds; accumulators that are shifted left by half as much are refused
# What a stored value can be.
LIMITS = {"i8": (LOWEST, HIGHEST), "i16": (-(1 << 15), (1 << 15) - 1)}


def quantize_multiplier(real: float) -> tuple[int, int]:
    """real = multiplier * 2**(shift - 31) with multiplier in [2**30, 2**31), or (0, 0) for 0."""
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def quantize_multipliers(reals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """quantize_multiplier of each: int32 multipliers and int8 shifts."""
    pairs = [quantize_multiplier(float(each)) for each in np.atleast_1d(reals)]
    return (
        np.array([multiplier for multiplier, _ in pairs], np.int32),
        np.array([min(shift, MOST_SHIFT) for _, shift in pairs], np.int8),
    )


def rounding_doubling_high(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """SaturatingRoundingDoublingHighMul of two int32 (as int64 arrays): (a * b + 2**30) >> 31.

    That floor equals TFLite's sign-dependent nudge with division towards zero, for every product.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.asarray(np.minimum((product + (1 << 30)) >> 31, (1 << 31) - 1))


def rounding_shift_right(x: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """RoundingDivideByPOT: x / 2**shift, ties away from zero."""
    x, shift = np.broadcast_arrays(np.asarray(x, np.int64), np.asarray(shift, np.int64))
    half = (np.int64(1) << shift) >> 1
    return np.where(shift > 0, (x + half - (x < 0)) >> shift, x)


def scale(x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """MultiplyByQuantizedMultiplier: x * multiplier * 2**(shift - 31), rounded twice as TFLite rounds."""
    shift = np.asarray(shift, np.int64)
    left = np.maximum(shift, 0)
    wide = np.asarray(x, np.int64) * (np.int64(1) << left)
    return rounding_shift_right(rounding_doubling_high(wide, multiplier), np.maximum(-shift, 0))


def scale_once(x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """x * multiplier * 2**(shift - 31), rounded once, ties upwards."""
    shift = np.asarray(shift, np.int64)
    product = np.asarray(x, np.int64) * np.asarray(multiplier, np.int64)
    return np.asarray((product + (np.int64(1) << (30 - shift))) >> (31 - shift))


def scale_wide(x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """MultiplyByQuantizedMultiplier of int64: x * (multiplier / 2**16) * 2**(shift - 15), where the
    multiplier is rounded to 15 bits and the product once, ties upwards. |x| is below 2**47, shift between -31
    and 7.
    """
    wide = np.asarray(multiplier, np.int64)
    factor = np.where(wide < 0x7FFF0000, (wide + (1 << 15)) >> 16, 0x7FFF)
    right = 15 - np.asarray(shift, np.int64)
    return np.asarray((np.asarray(x, np.int64) * factor + (np.int64(1) << (right - 1))) >> right)


def split_multiplier(real: float) -> tuple[int, int, int]:
    """real = (multiplier + fraction * 2**-31) * 2**(shift - 31) with both below 2**31, larger by 2**-62 at
    most: then a product that is a tie, or rounds to one in float64, is rounded away from zero."""
    mantissa, shift = math.frexp(real)
    whole = int(math.ldexp(mantissa, 53)) * (1 << 9) + 1
    return whole >> 31, whole & ((1 << 31) - 1), shift


def scale_split(x: np.ndarray, multiplier: np.ndarray, fraction: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """x * (multiplier + fraction * 2**-31) * 2**(shift - 31), rounded once; |x| is below 2**31."""
    right = 31 - np.asarray(shift, np.int64)
    product = x * multiplier.astype(np.int64) + ((x * fraction.astype(np.int64)) >> 31)
    return np.asarray((product + (np.int64(1) << (right - 1))) >> right)


def saturate(x: np.ndarray, lo: int = LOWEST, hi: int = HIGHEST) -> np.ndarray:
    return np.asarray(np.clip(x, lo, hi).astype(np.int8))


def scale_of(kind: Type) -> float:
    """A tensor's one scale: a float32 value, widened."""
    assert kind.quant is not None and len(kind.quant.scale) == 1, kind
    return float(np.float32(kind.quant.scale[0]))


def zero_of(kind: Type) -> int:
    return kind.quant.zero if kind.quant else 0


def quantized_range(kind: Type, lo: float, hi: float) -> tuple[int, int]:
    """The stored values that stand for the real clamp lo..hi, within the dtype."""
    lowest, highest = LIMITS[kind.dtype]
    bounds = []
    for bound, limit in ((lo, lowest), (hi, highest)):
        if math.isinf(bound):
            bounds.append(limit)
        else:
            steps = round_half_away(bound / np.float32(scale_of(kind)))
            bounds.append(min(max(steps + zero_of(kind), lowest), highest))
    return bounds[0], bounds[1]


def round_half_away(x: float | np.floating) -> int:
    return int(math.copysign(math.floor(abs(float(x)) + 0.5), float(x)))


def same_quant(a: Quant | None, b: Quant | None) -> bool:
    return a == b
