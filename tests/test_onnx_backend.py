"""ONNX's own backend tests through compiled host C, and s2c as a backend of onnx."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx_suite
import plan_batch
import pytest
from onnx import TensorProto, helper
from onnx_cases import Case, DataSet, Refusal, compile_bound
from onnx_suite import Result, counts_of, describe, reason_of, run_group, run_share, summary

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

from onnx_coverage import coverage_table

from s2c.driver import Compilation, make_request
from s2c.emit.c_family import emit_source
from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Type, input_node
from s2c.onnx_backend import RefusedModel, prepare, run_model, run_node, supports_device
from s2c.plan import Plan
from s2c.target import load_target

# Of each of the shares that the suite is run in: neighbours are alike and lie in different ones.
SHARES = 2
CASES = 1012  # of onnx 1.23
FLOOR = 780  # passed or bound
MOST_DISPROVED = 1  # an inverse DFT, whose data hold the noise of a float32 FFT


@pytest.mark.build
@pytest.mark.parametrize("share", range(SHARES))
def test_onnx_backend_suite(share: int) -> None:
    results = run_share("", share, SHARES)
    counts = counts_of(results)
    print(summary(results))
    assert [describe(each) for each in results if each.status == "failed"] == []
    assert len(results) >= CASES or not onnx.__version__.startswith("1.23")
    assert counts["passed"] + counts["bound"] >= FLOOR
    assert counts["disproved"] <= MOST_DISPROVED, "see float64_outputs: is it the data, or s2c?"
    assert all(each.reason and each.detail for each in results if each.status == "refused")


@pytest.mark.parametrize(
    ("wanted", "found", "reason"),
    [
        ("an ONNX op that s2c reads", "Unique", "op Unique"),
        ("a float32 input", "double", "float64"),
        ("a float32 input", "no tensor", "sequences, optionals and maps"),
        ("an op of ONNX's own domain", "ai.onnx.ml.Scaler", "ops of ai.onnx.ml"),
        ("2 sizes that add up to 8", "[8, 0]", "not N sizes that add up to N"),
    ],
)
def test_reasons(wanted: str, found: str, reason: str) -> None:
    """Of the first problem that is not mended by binding an input."""
    bindable = Problem("k", "a constant k", "an input", "bind it with --const k=FILE.npy")
    assert reason_of((bindable, Problem("layer", wanted, found, "do"))) == reason


def test_description() -> None:
    result = Result("test_clip", "node", "bound", bound=("min", "max"))
    assert describe(result) == "bound: test_clip (min, max by --const)"


def test_coverage_table() -> None:
    reasons = ["strings"] * 5 + ["op Unique"] * 2 + ["not a fixed shape"]
    results = [Result(f"r{index}", "node", "refused", each, "why") for index, each in enumerate(reasons)]
    results += [Result(f"b{index}", "node", "bound", bound=("k",)) for index in range(5)]
    table = coverage_table([*results, Result("p", "node", "passed")])
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in table.splitlines()[2:9]]
    assert rows == [
        ["passed", "1"],
        ["passed with inputs bound by `--const`", "5"],
        ["refused: strings", "5"],
        ["refused: op that is not read", "2"],
        ["refused: other reasons", "1"],
        ["failed", "0"],
        ["all", "14"],
    ]


# the harness


def model_of(op: str, dtype: int = TensorProto.FLOAT) -> onnx.ModelProto:
    declared = [helper.make_tensor_value_info(name, dtype, [2, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "net", declared[:1], declared[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


X = np.float32([[-1, 2, -3], [4, -5, 6]])


def case_of(name: str, wanted: np.ndarray) -> Case:
    model = model_of("Relu")
    model.graph.node[0].name = name
    return Case(name, "node", model, (DataSet({"x": X}, (wanted,)),), 1e-3, 1e-7)


def broken_source(plan: Plan, name: str, title: str, language: str) -> str:
    """Layers of these names crash, hang, write too far, do not compile or do nothing."""
    bodies = {
        "crash": "*(volatile int *)arena = 0; __builtin_trap();",
        "hang": "for (volatile int i = 0;; i = 0) { }",
        "outside": "((char *)arena)[-1] = 0;",
        "syntax": "(",
        "wrong": "(void)arena;",
    }
    body = bodies.get(plan.calls[0].layer)
    return f"void {name}_run(void *arena) {{ {body} }}" if body else emit_source(plan, name, title, language)


@pytest.mark.build
def test_faults_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a group with nets that are right, which pass."""
    monkeypatch.setattr(plan_batch, "emit_source", broken_source)
    monkeypatch.setattr(onnx_suite, "RUN_SECONDS", 2)
    right, other = np.maximum(X, 0), np.maximum(X, 1)
    names = ("good", "crash", "hang", "outside", "syntax", "fine", "wrong")
    cases = [case_of(name, right) for name in names]
    cases += [case_of("other", other), case_of("dtype", right.astype(np.int32)), case_of("shape", right[0])]
    results = {each.name: each for each in run_group(cases, load_target("host"))}
    assert [name for name, each in results.items() if each.status == "passed"] == ["good", "fine"]
    assert [name for name, each in results.items() if each.status == "disproved"] == ["other"]
    details = {name: each.detail for name, each in results.items() if each.status == "failed"}
    assert details["crash"].startswith("ended with status -")
    assert details["hang"] == "still runs after 2 s"
    assert details["outside"] == "wrote outside its arena"
    assert "error:" in details["syntax"]
    assert details["wrong"] == "output 0 differs in 3 of 6 values, first at [0, 0]: -1.0, wanted 0.0"
    assert details["dtype"] == "output 0 is float32[2, 3], wanted int32[2, 3]"
    assert details["shape"] == "output 0 is float32[2, 3], wanted float32[3]"


def compilation_of(graph: Graph) -> Compilation:
    plan = Plan((), 0, 0, (), (), graph, 4)
    return Compilation(make_request("x.onnx", "host"), graph, graph, plan, ())


def test_inputs_are_bound_only_as_needed() -> None:
    """And never all: what is left must be read."""
    data = DataSet({"x": X, "k": np.array(1), "unused": X, "n": np.array([2])}, ())

    node = input_node("x", Type(X.shape, "f32"))

    def compile_with(consts: Mapping[str, np.ndarray]) -> Compilation:
        if "k" not in consts or "n" not in consts:
            do = "bind it with --const k=FILE.npy" if "k" not in consts else "bind what n comes from"
            raise CompileError((Problem("layer", "a constant", "an input", do),))
        return compilation_of(Graph((node,), (node,)))

    found = compile_bound(data, compile_with)
    assert isinstance(found, tuple) and found[1] == ("k", "n")


def test_binding_all_is_refused() -> None:
    data = DataSet({"start": np.array(0.0), "limit": np.array(1.0)}, ())

    def compile_with(consts: Mapping[str, np.ndarray]) -> Compilation:
        for name in {"start", "limit"} - set(consts):
            raise CompileError((Problem(name, "a constant", "an input", "bind it"),))
        return compilation_of(Graph((), ()))

    found = compile_bound(data, compile_with)
    assert isinstance(found, Refusal) and found.is_constant


# the backend


@contextmanager
def none_refused() -> Iterator[None]:
    """A RefusedModel would count as a skipped test."""
    try:
        yield
    except RefusedModel as refused:
        pytest.fail(str(refused))


@pytest.mark.build
def test_run_model() -> None:
    with none_refused():
        outputs = run_model(model_of("Relu"), [X])
    assert outputs.y.tolist() == np.maximum(X, 0).tolist()  # type: ignore[attr-defined]
    assert len(outputs) == 1


@pytest.mark.build
def test_run_node() -> None:
    node = helper.make_node("Add", ["a", "b"], ["c"])
    with none_refused():
        (found,) = run_node(node, [X, X[:1]], opset_version=14)
    assert found.tolist() == (X + X[:1]).tolist()


def test_devices() -> None:
    assert supports_device("CPU") and supports_device("CPU:0") and not supports_device("CUDA")
    with pytest.raises(CompileError) as caught:
        prepare(model_of("Relu"), "CUDA")
    assert str(caught.value) == "device: wanted CPU, found CUDA; ask for the device CPU"


def test_refused_model_counts_as_skipped() -> None:
    with pytest.raises(RefusedModel) as caught:
        prepare(model_of("Unique"))
    assert isinstance(caught.value, unittest.SkipTest)
    assert any("Unique" in f"{each.wanted} {each.found}" for each in caught.value.problems)
