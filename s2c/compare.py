"""Two arrays to a Comparison: what --check asks of two graphs, and verify of program and oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

HALF_STEP = 2.0**-11  # of float16, relative
TOLERANCE = 1e-5  # of the largest magnitude of a float output


@dataclass(frozen=True)
class Comparison:
    """Floats: difference and largest are over what both have finite; apart counts values of which one is
    finite, NaN, +inf or -inf, and the other is not the same. Integers: any difference is wrong.
    sensitivity, measured where it matters, is how far rounding alone may move the value."""

    is_float: bool
    is_exact: bool
    difference: float
    largest: float = 0.0
    apart: int = 0
    sensitivity: float = 0.0


def compare(wanted: np.ndarray, found: np.ndarray) -> Comparison:
    """Of two arrays of one shape and dtype."""
    assert (wanted.shape, wanted.dtype) == (found.shape, found.dtype), (wanted, found)
    if wanted.dtype == np.float16:
        each = compare(wanted.astype(np.float32), found.astype(np.float32))
        return replace(each, sensitivity=each.largest * HALF_STEP)
    if wanted.dtype != np.float32:
        difference = np.abs(wanted.astype(np.int64) - found.astype(np.int64)).max(initial=0)
        return Comparison(False, bool(difference == 0), float(difference))
    both_nan = np.isnan(wanted) & np.isnan(found)
    both = np.isfinite(wanted) & np.isfinite(found)
    a, b = wanted[both].astype(np.float64), found[both].astype(np.float64)
    return Comparison(
        is_float=True,
        is_exact=bool(((wanted.view(np.int32) == found.view(np.int32)) | both_nan).all()),
        difference=float(np.abs(a - b).max(initial=0)),
        largest=float(np.abs(a).max(initial=0)),
        apart=int(np.count_nonzero(~(both | both_nan | (wanted == found)))),
    )
