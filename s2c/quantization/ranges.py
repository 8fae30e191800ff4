"""How a tensor's values spread -> the Quant that stores them: by extremes, percentiles or least error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from s2c.ir import Quant
from s2c.ops.integer import HIGHEST, LOWEST

STEPS = HIGHEST - LOWEST
BINS = 4096
SHRINKS = tuple(0.98**power for power in range(50))  # down to 0.37 of the range


@dataclass(frozen=True, eq=False)
class Seen:
    """The values of a tensor over some samples: counts in equal bins between the least and the largest."""

    lo: float
    hi: float
    counts: np.ndarray

    def middles(self) -> np.ndarray:
        edges = np.linspace(self.lo, self.hi, len(self.counts) + 1)
        return np.asarray((edges[:-1] + edges[1:]) / 2)


Range = tuple[float, float]


def affine(lo: float, hi: float) -> Quant:
    """The int8 Quant whose values reach from lo to hi; 0 is always one of them, so that padding is exact."""
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = float(np.float32((hi - lo) / STEPS))
    if scale < np.finfo(np.float32).smallest_normal:
        return Quant((1.0,), LOWEST)
    return Quant((scale,), int(np.clip(round(LOWEST - lo / scale), LOWEST, HIGHEST)))


def extremes(seen: Seen) -> Range:
    return seen.lo, seen.hi


def percentile(share: float) -> Callable[[Seen], Range]:
    """The range that leaves out the share's rest, half of it at each end."""

    def find(seen: Seen) -> Range:
        below = np.cumsum(seen.counts) / seen.counts.sum()
        edges = np.linspace(seen.lo, seen.hi, len(seen.counts) + 1)
        rest = (1 - share) / 2
        first = int(np.searchsorted(below, rest, side="right"))
        last = int(np.searchsorted(below, 1 - rest, side="left"))
        return float(edges[first]), float(edges[min(last, len(below) - 1) + 1])

    return find


def least_error(seen: Seen) -> Range:
    """The range with the least mean square of rounding and clipping, shrunk at one end after the other."""
    middles = seen.middles()

    def error(lo: float, hi: float) -> float:
        return float((seen.counts * np.square(rounded(middles, affine(lo, hi)) - middles)).sum())

    lo, hi = seen.lo, seen.hi
    for _ in range(2):
        hi = min((seen.hi * each for each in SHRINKS), key=lambda each: error(lo, each))
        lo = min((seen.lo * each for each in SHRINKS), key=lambda each: error(each, hi))
    return lo, hi


def rounded(values: np.ndarray, quant: Quant) -> np.ndarray:
    """What is left of real values that are stored."""
    scale = float(np.float32(quant.scale[0]))
    return np.asarray((np.clip(np.rint(values / scale) + quant.zero, LOWEST, HIGHEST) - quant.zero) * scale)


# In the order in which they are preferred where they measure alike.
METHODS: Mapping[str, Callable[[Seen], Range]] = {
    "min-max": extremes,
    "percentile 99.99": percentile(0.9999),
    "percentile 99.9": percentile(0.999),
    "least error": least_error,
}


def candidates(tensors: Sequence[Seen]) -> dict[str, Quant]:
    """One Quant for tensors that are stored alike, by method; those equal to an earlier one left out."""
    found: dict[str, Quant] = {}
    is_spread = all(each.hi > each.lo for each in tensors)
    for name, method in METHODS.items() if is_spread else [("min-max", extremes)]:
        ends = [method(each) for each in tensors]
        quant = affine(min(lo for lo, _ in ends), max(hi for _, hi in ends))
        if quant not in found.values():
            found[name] = quant
    return found
