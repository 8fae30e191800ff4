"""compare tells classes of floats apart; --check uses it on each stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s2c import oracle, stage_checks
from s2c.compare import compare
from s2c.driver import compile_model, make_request
from s2c.ir import Graph
from s2c.plan_values import run as run_plan
from tests.onnx_models import one_op

INT8 = Path(__file__).parents[1] / "demo" / "digits_int8.onnx"
SOME = np.array([np.nan, np.inf, -np.inf, 1.0], np.float32)


@pytest.mark.parametrize("a", SOME)
@pytest.mark.parametrize("b", SOME)
def test_classes_must_agree(a: np.float32, b: np.float32) -> None:
    found = compare(np.array([a]), np.array([b]))
    assert found.apart == int(str(a) != str(b))
    assert found.is_exact == (str(a) == str(b))


def test_differences_are_over_finite_values() -> None:
    found = compare(np.array([np.inf, 3.0], np.float32), np.array([np.inf, 3.5], np.float32))
    assert (found.difference, found.largest, found.apart) == (0.5, 3.0, 0)
    integers = compare(np.array([-128], np.int8), np.array([127], np.int8))
    assert (integers.difference, integers.is_exact) == (255.0, False)


def test_check_accepts_results_that_are_not_numbers(tmp_path: Path) -> None:
    path = tmp_path / "sqrt.onnx"
    path.write_bytes(one_op("Sqrt", [1, 8]))
    compile_model(make_request(path, "host"), checked=True)


def test_check_holds_later_stages_to_the_bit() -> None:
    compilation = compile_model(make_request(INT8, "host"), checked=True)
    source, reference = compilation.source, compilation.reference
    moved = move_last_bias(reference)
    with pytest.raises(AssertionError, match="stage late moved output"):
        stage_checks.check_stage("late", source, reference, moved)


def test_check_allows_steps_of_the_last_quantization(monkeypatch: pytest.MonkeyPatch) -> None:
    compilation = compile_model(make_request(INT8, "host"))
    source, reference = compilation.source, compilation.reference
    stage_checks.check_stage("fuse_qdq", source, None, reference)
    with pytest.raises(AssertionError, match="stage fuse_qdq moved output"):
        stage_checks.check_stage("fuse_qdq", source, None, move_last_bias(reference))
    monkeypatch.setattr(stage_checks, "STEPS", 0)
    arrays = stage_checks.random_inputs(source, np.random.default_rng(0))
    assert stage_checks.moved_by_steps(source, oracle.trace(source, *arrays)) == [0.0]


def move_last_bias(graph: Graph) -> Graph:
    """The graph with one layer's bias far from what it was."""
    layers = [node for node in graph.nodes() if "bias" in node.attrs]
    last = layers[-1]
    bias = last.attrs["bias"] + np.arange(len(last.attrs["bias"]), dtype=np.int32) * 10000
    return graph.rewrite(lambda node, _: node.with_attrs(bias=bias) if node is last else None)


def test_check_finds_an_infinity_of_the_other_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reciprocal.onnx"
    path.write_bytes(one_op("Reciprocal", [1, 4]))
    compilation = compile_model(make_request(path, "host"))
    zeros = (np.zeros((1, 4), np.float32),)
    monkeypatch.setattr(stage_checks, "random_inputs", lambda *_: zeros)
    monkeypatch.setattr(
        stage_checks, "run_plan", lambda plan, *arrays: [-each for each in run_plan(plan, *arrays)]
    )
    with pytest.raises(AssertionError, match="stage plan moved 4 NaN or infinite values"):
        stage_checks.check_plan(compilation.reference, compilation.plan)
