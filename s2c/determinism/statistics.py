"""Times of calls to how steady they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERCENTILES = (50.0, 99.0, 99.9, 99.99)


@dataclass(frozen=True)
class Spread:
    """Microseconds; a percentile is the least that so many calls do not exceed. ratio: p99.9 over p50."""

    calls: int
    minimum: float
    p50: float
    p99: float
    p99_9: float
    p99_99: float
    maximum: float
    ratio: float


def spread(nanoseconds: np.ndarray) -> Spread:
    """Of at least one call."""
    times = nanoseconds / 1000
    p50, p99, p99_9, p99_99 = np.percentile(times, PERCENTILES, method="inverted_cdf").tolist()
    return Spread(
        calls=len(times),
        minimum=float(times.min()),
        p50=p50,
        p99=p99,
        p99_9=p99_9,
        p99_99=p99_99,
        maximum=float(times.max()),
        ratio=p99_9 / p50,
    )


def exceedance(nanoseconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points of a quantile plot: one in x calls takes at least y microseconds; x grows."""
    times = np.sort(nanoseconds)[::-1] / 1000
    return len(times) / np.arange(len(times), 0, -1), times[::-1]
