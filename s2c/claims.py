"""What verify says of an artifact: claims, and the runs that they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s2c.compare import Comparison

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Claim:
    """One row of a Verification. "proved": for every input. "tested": on the inputs that were tried."""

    name: str
    status: str
    evidence: str
    failures: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One inference; its outputs are compared at once. ended: why the image gave none. overflows: some value
    of the oracle is NaN or infinite, so that the order of a sum, which the specification leaves open, may
    decide between NaN, an infinity and a finite value."""

    name: str
    is_ordinary: bool
    comparisons: tuple[Comparison, ...] = ()
    counters: Mapping[str, Any] = field(default_factory=dict)
    ended: str = ""
    overflows: bool = False


def make_claim(
    name: str, status: str, evidence: str, failures: Sequence[str] = (), unproved: Sequence[str] = ()
) -> Claim:
    """status: what the claim is where nothing stands against it."""
    if failures:
        status = "failed"
    elif unproved:
        status = "unproved"
    return Claim(name, status, evidence, tuple(failures), tuple(unproved))
