"""Every net of S2C_DATA: none is wrong, and nearly all compile."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

from model_table import DATA, Row, flags_of, measure, model_paths, model_table

from s2c.driver import compile_model, make_request
from s2c.errors import CompileError

LEAST_COMPILED = 0.9  # of all nets
MISSING = [name for name in ("ai_edge_litert", "onnxruntime") if importlib.util.find_spec(name) is None]
PATHS = model_paths()

needs_data = pytest.mark.skipif(not PATHS, reason=f"missing nets: set S2C_DATA, now {DATA}")
needs_references = pytest.mark.skipif(bool(MISSING), reason=f"missing {', '.join(MISSING)}: pip install them")


@pytest.mark.build
@needs_references
@pytest.mark.parametrize("path", PATHS)
def test_is_equal_or_refused(path: str) -> None:
    row = measure(path)
    assert row.verdict in ("equal", "near", "refused", "unchecked"), row


@pytest.mark.build
@needs_data
def test_nearly_all_compile() -> None:
    refused = {}
    for path in PATHS:
        flags = flags_of(path)
        try:
            compile_model(make_request(DATA / path, "host", None, flags.dims, flags.consts))
        except CompileError as problem:
            refused[path] = problem.problems[0]
    assert len(refused) <= (1 - LEAST_COMPILED) * len(PATHS), refused


def test_table() -> None:
    rows = [
        Row("a.tflite", "equal", "to the bit", "to the bit"),
        Row("b.onnx", "refused", "wanted x, found y"),
    ]
    text = model_table(rows)
    assert (
        "| a.tflite | equal | to the bit | to the bit |\n| b.onnx | refused | wanted x, found y |  |\n"
        in text
    )
    assert "1 of 2 nets compile" in text
