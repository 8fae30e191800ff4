"""What must hold of a Graph: types as the op table infers them, and accumulators that cannot overflow."""

from __future__ import annotations

from dataclasses import dataclass

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node
from s2c.ops import OPS

ACCUMULATOR_LIMIT = 1 << 31


@dataclass(frozen=True)
class AccumulatorBound:
    """A layer's largest absolute accumulator, for any input and any order of summation, from its actual
    weights.
    """

    layer: str
    bound: int


def check_types(graph: Graph) -> None:
    """Asserts that each node's type is what its inputs and attrs give."""
    for node in graph.nodes():
        inferred = OPS[node.op].infer(node)
        found = (node.type.shape, node.type.dtype)
        assert found == (inferred.shape, inferred.dtype), (node.layer, node.op, str(node.type), str(inferred))


def accumulator_bounds(graph: Graph) -> tuple[AccumulatorBound, ...]:
    """One for each integer contraction of a lowered graph; raises CompileError where one reaches the
    limit.
    """
    bounds = tuple(
        AccumulatorBound(node.layer, scaled_bound(node))
        for node in graph.nodes()
        if OPS[node.op].accumulator is not None and node.type.dtype != "f32"
    )
    problems = tuple(
        Problem(
            each.layer,
            f"accumulators below {ACCUMULATOR_LIMIT} for every input, so that int32 cannot overflow",
            f"up to {each.bound}",
            "quantize the layer's bias or weights with a larger scale",
        )
        for each in bounds
        if each.bound >= ACCUMULATOR_LIMIT
    )
    if problems:
        raise CompileError(problems)
    return bounds


def scaled_bound(node: Node) -> int:
    """The accumulator's bound after the left shift that its requantization begins with."""
    accumulator = OPS[node.op].accumulator
    assert accumulator is not None
    shift = OPS[node.op].consts(node)["shift"]
    return max(accumulator(node), 1) << max(int(shift.max()), 0)  # a shift by 31 is no shift at all
