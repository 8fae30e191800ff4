"""A chip's artifact to what is proved and tested of it beyond its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from s2c.claims import Claim, Run, make_claim


def cycles_claim(manifest: Mapping[str, Any], runs: Sequence[Run]) -> Claim:
    """No instruction depends on data, so the schedule's count holds for all inputs; the model, which counts
    clock by clock, must agree."""
    predicted = manifest["cycles"]
    counted = [run for run in runs if run.counters]
    failures = [
        f"input {run.name!r}: {run.counters['cycles']:,}, and {predicted:,} are predicted"
        for run in counted
        if run.counters["cycles"] != predicted
    ]
    evidence = f"{predicted:,} by the schedule; the model counts as many on {len(counted)} inputs"
    if failures:
        evidence = f"{predicted:,} by the schedule; the model counts others"
    return make_claim("one cycle count", "proved", evidence, failures)
