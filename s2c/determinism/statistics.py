"""Times of calls to how steady they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERCENTILES = (5000, 9900, 9990, 9999)  # in hundredths of a percent, since 99.9 is no float
WHOLE = 10_000


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
    times = np.sort(nanoseconds) / 1000
    ranks = [-(-len(times) * percentile // WHOLE) for percentile in PERCENTILES]
    p50, p99, p99_9, p99_99 = (float(times[rank - 1]) for rank in ranks)
    return Spread(
        calls=len(times),
        minimum=float(times[0]),
        p50=p50,
        p99=p99,
        p99_9=p99_9,
        p99_99=p99_99,
        maximum=float(times[-1]),
        ratio=p99_9 / p50,
    )


def exceedance(nanoseconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points of a quantile plot: one in x calls takes at least y microseconds; x grows."""
    times = np.sort(nanoseconds)[::-1] / 1000
    return len(times) / np.arange(len(times), 0, -1), times[::-1]
