"""Each op of the .tflite reader, on every dtype: against LiteRT's reference kernels, lowered, and as C."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tflite_float_cases
import tflite_quantized_cases
import tflite_state_cases
from graphs import KERNELS, has_host_kernel
from litert import reference
from native import build_library, compiler
from nets import data

from s2c import oracle
from s2c.ir import Graph
from s2c.passes import stages
from s2c.plan import Plan, make_plan
from s2c.readers import load_model
from s2c.readers.tflite import load_tflite

CALLS = 6
TOLERANCE = 1e-5
needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None,
    reason="missing ai_edge_litert: pip install ai-edge-litert",
)
FAMILIES = {
    "float": tflite_float_cases.cases,
    "quantized": tflite_quantized_cases.cases,
    "state": tflite_state_cases.cases,
}
STREAMS = ("micro_wake_word/okay_nabu", "micro_wake_word/vad")


def inputs_of(graph: Graph) -> list[tuple[np.ndarray, ...]]:
    """The inputs of CALLS calls: extremes, zero points, extremes mixed, then random values."""
    random = np.random.default_rng(0)
    arrays = []
    for node in graph.inputs:
        kind = node.type
        shape = (CALLS, *kind.shape)
        if kind.dtype == "f32":
            array = random.normal(size=shape).astype(np.float32)
            array[0], array[1] = 0, 1
            array[2] *= 10
            array[3] = random.integers(-8, 8, kind.shape) / 4
        elif kind.dtype == "bool":
            array = random.integers(0, 2, shape).astype(np.bool_)
        elif kind.dtype in ("i32", "i64"):
            array = random.integers(-50, 50, shape).astype(kind.numpy)
        else:
            limits = np.iinfo(kind.numpy)
            array = random.integers(limits.min, limits.max + 1, shape).astype(kind.numpy)
            array[0], array[1] = limits.min, limits.max
            array[2] = kind.quant.zero if kind.quant else 0
            array[3] = random.choice([limits.min, limits.max], kind.shape)
        arrays.append(array)
    return [tuple(array[call] for array in arrays) for call in range(CALLS)]


def differs(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whole numbers with ==, floats within TOLERANCE of the largest."""
    if found.dtype != wanted.dtype or found.shape != wanted.shape:
        return True
    if wanted.dtype != np.float32:
        return not np.array_equal(found, wanted)
    finite = np.isfinite(wanted) & np.isfinite(found) & (np.abs(wanted) < np.finfo(np.float32).max)
    most = np.abs(wanted[finite]).max(initial=1e-3)
    return bool(np.abs(found[finite] - wanted[finite]).max(initial=0) > TOLERANCE * most)


def differences(
    name: str, found: Sequence[Sequence[np.ndarray]], wanted: Sequence[Sequence[np.ndarray]]
) -> list[str]:
    return [
        f"{name}, call {call}, output {index}"
        for call, rows in enumerate(zip(found, wanted, strict=True))
        for index, (a, b) in enumerate(zip(*rows, strict=True))
        if differs(a, b)
    ]


def stacked(calls: Sequence[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """One array for each input, or output, with the calls in front."""
    return [np.stack(arrays) for arrays in zip(*calls, strict=True)]


@pytest.mark.build
@needs_litert
@pytest.mark.parametrize("family", FAMILIES)
def test_ops_equal_litert(family: str) -> None:
    models = FAMILIES[family]()
    graphs = {name: load_tflite(each, {}, {}) for name, each in models.items()}
    calls = {name: inputs_of(graph) for name, graph in graphs.items()}
    wanted = reference({name: (models[name], stacked(calls[name])) for name in models})
    wrong = []
    for name, graph in graphs.items():
        found = oracle.run_sequence(graph, calls[name])
        wrong += differences(name, found, list(zip(*wanted[name], strict=True)))
    assert wrong == []


@pytest.mark.build
@needs_litert
@pytest.mark.parametrize("name", STREAMS)
def test_streams_equal_litert(name: str) -> None:
    """Nets whose variables carry over from call to call."""
    path = data(f"{name}.tflite")
    graph = load_model(path, {}, {})
    assert graph.states
    calls = inputs_of(graph)
    wanted = reference({name: (path.read_bytes(), stacked(calls))})[name]
    found = oracle.run_sequence(graph, calls)
    assert differences(name, found, list(zip(*wanted, strict=True))) == []


def planned(graph: Graph) -> Plan:
    for _, after in stages(graph, has_host_kernel):
        graph = after
    return make_plan(graph, KERNELS)


def first_of_each(models: dict[str, bytes]) -> dict[str, Graph]:
    """One model of each op and dtype."""
    chosen: dict[tuple[str, ...], Graph] = {}
    for name, each in models.items():
        graph = load_tflite(each, {}, {})
        dtypes = [node.type.dtype for node in (*graph.inputs, *graph.outputs)]
        chosen.setdefault((name.split()[0], *dtypes), graph)
    return {f"net{index}_{key[0].lower()}": graph for index, (key, graph) in enumerate(chosen.items())}


def run_calls(
    library: ctypes.CDLL, name: str, plan: Plan, calls: Sequence[tuple[np.ndarray, ...]]
) -> list[tuple[np.ndarray, ...]]:
    """Call after call on one arena."""
    memory = np.full(plan.arena_bytes + 64, 0xA5, np.uint8)
    start = -memory.ctypes.data % 64
    arena = memory[start : start + plan.arena_bytes]
    pointer = ctypes.c_void_p(arena.ctypes.data)
    if plan.states:
        library[f"{name}_reset"](pointer)
    results = []
    for arrays in calls:
        for offset, array in zip(plan.inputs, arrays, strict=True):
            arena[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
        library[f"{name}_run"](pointer)
        rows = zip(plan.outputs, plan.graph.outputs, strict=True)
        raw = [(arena[at : at + node.type.bytes].copy(), node.type) for at, node in rows]
        results.append(tuple(each.view(kind.numpy).reshape(kind.shape) for each, kind in raw))
    return results


@pytest.mark.build
@pytest.mark.parametrize("family", FAMILIES)
def test_ops_compile_to_what_they_mean(family: str, tmp_path: Path) -> None:
    graphs = first_of_each(FAMILIES[family]())
    plans = {name: planned(graph) for name, graph in graphs.items()}
    library = build_library(compiler("zig"), tmp_path, plans)
    wrong = []
    for name, graph in graphs.items():
        calls = inputs_of(graph)
        wrong += differences(
            name, run_calls(library, name, plans[name], calls), oracle.run_sequence(graph, calls)
        )
    assert wrong == []
