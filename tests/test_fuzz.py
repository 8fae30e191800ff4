"""What the fuzzers found once, and a few hundred strange models with a fixed seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.attempt import attempt
from fuzz.cases import MAKERS, SUFFIXES, corpus, make_cases

pytestmark = pytest.mark.build

# Keras nets are read by a process each, and torch is slow.
CASES = {"keras": 20, "nam": 60, "onnx": 300, "rtneural": 100, "s2c": 300, "tflite": 300, "torch": 20}
NEEDS = {"keras": "h5py", "torch": "torch"}
SEED = 0


@pytest.mark.parametrize("path", [path for reader in sorted(MAKERS) for path in corpus(reader)], ids=str)
def test_corpus(path: Path) -> None:
    outcome = attempt(path)
    assert outcome.kind != "found", outcome.trace


@pytest.mark.parametrize("reader", sorted(MAKERS))
def test_mutations(tmp_path: Path, reader: str) -> None:
    if reader in NEEDS:
        pytest.importorskip(NEEDS[reader], reason=f"{NEEDS[reader]} is not installed")
    make = make_cases(reader, SEED)
    path = tmp_path / f"case{SUFFIXES[reader]}"
    kinds = set()
    for number in range(CASES[reader]):
        path.write_bytes(make(number))
        outcome = attempt(path)
        assert outcome.kind != "found", f"seed {SEED}, case {number}\n{outcome.trace}"
        kinds.add(outcome.kind)
    assert kinds == {"compiled", "refused"}
