"""What a Plan computes by the op table's meaning, on a real arena: a wrong offset gives a wrong result."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from s2c import oracle
from s2c.ir import Type
from s2c.plan import Call, Plan


def run(plan: Plan, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The outputs of the first call."""
    return run_sequence(plan, [arrays])[0]


def run_sequence(plan: Plan, calls: Iterable[tuple[np.ndarray, ...]]) -> list[tuple[np.ndarray, ...]]:
    """The outputs of each of so many calls. Memory starts as garbage from a fixed seed, and scratch is
    overwritten with garbage by each call."""
    source = np.random.default_rng(0)
    memory = source.integers(0, 256, plan.arena_bytes, np.uint8)
    for reset in plan.resets:
        execute(reset, partial(view, memory))
    return [run_once(plan, memory, source, arrays) for arrays in calls]


def view(memory: np.ndarray, offset: int, kind: Type) -> np.ndarray[Any, Any]:
    return memory[offset : offset + kind.bytes].view(kind.numpy).reshape(kind.shape)


def run_once(
    plan: Plan, memory: np.ndarray, source: np.random.Generator, arrays: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
    at = partial(view, memory)
    for node, offset, array in zip(plan.graph.inputs, plan.inputs, arrays, strict=True):
        at(offset, node.type)[...] = array
    for call in plan.calls:
        execute(call, at)
        if call.scratch is not None:
            size = call.scratch_bytes * max(len(call.parts), 1)
            memory[call.scratch : call.scratch + size] = source.integers(0, 256, size, np.uint8)
    return tuple(
        at(offset, node.type).copy() for node, offset in zip(plan.graph.outputs, plan.outputs, strict=True)
    )


def execute(call: Call, view: Any) -> None:
    first, *links = call.nodes
    operands = list(call.inputs)

    def operand(kind: Type) -> np.ndarray:
        each = operands.pop(0)
        return each.reshape(kind.shape) if isinstance(each, np.ndarray) else view(each, kind).copy()

    value = oracle.evaluate(first, *(operand(each.type) for each in first.inputs))
    for node in links:
        value = oracle.evaluate(node, value, *(operand(each.type) for each in node.inputs[1:]))
    view(call.output, call.nodes[-1].type)[...] = value
