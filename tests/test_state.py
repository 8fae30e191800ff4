"""State: what a call leaves to the next, in the oracle, in the Plan and in compiled C."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from native import build_library, compiler

from s2c import oracle
from s2c.emit.c_header import emit_header
from s2c.ir import Graph, Node, State, Type, input_node, state_node
from s2c.kernel import usable_kernels
from s2c.ops import make
from s2c.passes import stages
from s2c.plan import Plan, make_plan
from s2c.plan_values import run_sequence, view

KERNELS = usable_kernels("c", ())
CALLS = 5


def delay_line() -> Graph:
    """The last four samples, oldest first, and their sum so far."""
    x = input_node("x", Type((1, 1), "f32"))
    line = state_node(np.zeros((1, 3), np.float32), "line")
    total = state_node(np.full((1, 4), 2, np.float32), "total")
    window = make("concat", (line, x), "window", axis=1)
    newest = make("slice", (window,), "newest", starts=(0, 1), steps=(1, 1), shape=(1, 3))
    sums = make("add", (total, window), "sums")
    return Graph((x,), (window, sums), (), (State(line, newest), State(total, sums)))


def swapped() -> Graph:
    """Two states that change places, one that is read out and one that never changes."""
    x = input_node("x", Type((2,), "f32"))
    a = state_node(np.array([1, 2], np.float32), "a")
    b = state_node(np.array([3, 4], np.float32), "b")
    kept = state_node(np.array([5, 6], np.float32), "kept")
    seen = state_node(np.array([7, 8], np.float32), "seen")
    y = make("add", (make("add", (a, x), "ax"), kept), "y")
    states = (State(a, b), State(b, a), State(kept, kept), State(seen, x))
    return Graph((x,), (y, seen), (), states)


def counter() -> Graph:
    """An integer state that counts calls, beside a reshaped float one."""
    x = input_node("x", Type((2, 3), "f32"))
    count = state_node(np.zeros((1,), np.int64), "count")
    last = state_node(np.zeros((3, 2), np.float32), "last")
    one = Node("constant", (), {"value": np.ones((1,), np.int64)}, Type((1,), "i64"), "one")
    more = make("add", (count, one), "more")
    turned = make("transpose", (x,), "turned", perm=(1, 0))
    return Graph(
        (x,), (make("add", (last, turned), "y"), more), (), (State(count, more), State(last, turned))
    )


GRAPHS = {"delay_line": delay_line, "swapped": swapped, "counter": counter}


def planned(graph: Graph) -> Plan:
    for _, lowered in stages(graph, lambda node: False):
        graph = lowered
    return make_plan(graph, KERNELS)


def calls(graph: Graph) -> list[tuple[np.ndarray, ...]]:
    source = np.random.default_rng(7)
    return [
        tuple(source.normal(size=each.type.shape).astype(np.float32) for each in graph.inputs)
        for _ in range(CALLS)
    ]


def test_the_delay_line_remembers() -> None:
    graph = delay_line()
    ones = [(np.full((1, 1), value, np.float32),) for value in (1, 2, 3, 4, 5)]
    outputs = oracle.run_sequence(graph, ones)
    assert outputs[0][0].tolist() == [[0, 0, 0, 1]]
    assert outputs[4][0].tolist() == [[2, 3, 4, 5]]
    assert outputs[1][1].tolist() == [[2, 2, 3, 5]]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_plan_keeps_state_as_the_oracle_does(name: str) -> None:
    graph = GRAPHS[name]()
    wanted = oracle.run_sequence(graph, calls(graph))
    found = run_sequence(planned(graph), calls(graph))
    assert any(not np.array_equal(a, b) for a, b in zip(wanted[0], wanted[1], strict=True))
    for a, b in zip(wanted, found, strict=True):
        assert all(np.array_equal(each, other) for each, other in zip(a, b, strict=True)), name


@pytest.mark.build
@pytest.mark.parametrize("command", ["zig", "gcc"])
def test_compiled_nets_keep_state(command: str, tmp_path: Path) -> None:
    plans = {name: planned(make_graph()) for name, make_graph in GRAPHS.items()}
    library = build_library(compiler(command), tmp_path, plans)
    for name, each in plans.items():
        graph = GRAPHS[name]()
        arena = np.random.default_rng(1).integers(0, 256, each.arena_bytes + 16, np.uint8)
        start = -arena.ctypes.data % 16
        memory = arena[start : start + each.arena_bytes]
        for _ in range(2):  # the second time after a reset
            library[f"{name}_reset"](ctypes.c_void_p(memory.ctypes.data))
            for arrays, wanted in zip(calls(graph), oracle.run_sequence(graph, calls(graph)), strict=True):
                for offset, array in zip(each.inputs, arrays, strict=True):
                    view(memory, offset, Type(array.shape, "f32"))[...] = array
                library[f"{name}_run"](ctypes.c_void_p(memory.ctypes.data))
                for node, offset, array in zip(each.graph.outputs, each.outputs, wanted, strict=True):
                    assert np.array_equal(view(memory, offset, node.type), array), (name, node.layer)


def test_the_header_declares_a_reset_only_where_there_is_state() -> None:
    text = emit_header(planned(swapped()), "net", "net")
    assert "void net_reset(void *arena);" in text
    graph = swapped()
    stateless = Graph(graph.inputs, (make("add", (graph.inputs[0], graph.inputs[0]), "y"),))
    assert "reset" not in emit_header(planned(stateless), "net", "net")
