"""Exact counts of a Plan before anything is built: MACs, parameters, bytes of constants."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from s2c.ir import Graph, Node
from s2c.ops import OPS
from s2c.ops.core import LEAVES
from s2c.plan import Call, Plan

# Arrays that quantization derives: nobody trains them.
DERIVED = frozenset({"fraction", "index", "multiplier", "shift", "table", "weight_scale"})


@dataclass(frozen=True)
class CallCost:
    """One call: the user's layer, its kernel, the shape of its output, and what it costs."""

    layer: str
    kernel: str
    shape: tuple[int, ...]
    macs: int
    parameters: int
    constant_bytes: int
    output_bytes: int


def call_cost(call: Call) -> CallCost:
    operands = [each for each in call.inputs if isinstance(each, np.ndarray)]
    kind = call.nodes[-1].type
    return CallCost(
        layer=call.layer,
        kernel=call.kernel.name,
        shape=kind.shape,
        macs=call.macs,
        parameters=parameters(call.nodes) + sum(each.size for each in operands),
        constant_bytes=sum(array.nbytes for array in (*call.consts.values(), *operands)),
        output_bytes=kind.bytes,
    )


def count_ops(graph: Graph) -> dict[str, int]:
    """How many nodes of each op compute something, by name."""
    names = [node.op for node in graph.nodes() if node.op not in LEAVES]
    return dict(sorted(Counter(names).items()))


def macs(graph: Graph) -> int:
    return sum(OPS[node.op].macs(node) for node in graph.nodes())


def matmul_share(graph: Graph) -> float:
    """The part of a lowered graph's MACs that is in matmul; 1 where there are none."""
    counts = {node: OPS[node.op].macs(node) for node in graph.nodes()}
    in_matmul = sum(count for node, count in counts.items() if node.op == "matmul")
    return in_matmul / sum(counts.values()) if any(counts.values()) else 1.0


def parameters(nodes: Iterable[Node]) -> int:
    """Elements of the arrays in the nodes' attrs, but those that are derived, and states; equal arrays, as in
    the steps of an unrolled layer, count once."""
    return sum(
        each.size
        for each in distinct(
            value
            for node in nodes
            if node.op != "state"
            for name, value in node.attrs.items()
            if isinstance(value, np.ndarray) and name not in DERIVED
        )
    )


def distinct(arrays: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Of arrays that hold the same, one: that is what is emitted."""
    found: dict[tuple[str, bytes], np.ndarray] = {}
    seen: set[int] = set()
    for array in arrays:
        if id(array) not in seen:
            seen.add(id(array))
            digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
            found.setdefault((array.dtype.str, digest), array)
    return list(found.values())


def plan_macs(plan: Plan) -> int:
    return sum(call.macs for call in plan.calls)


def constant_bytes(plan: Plan) -> int:
    """Of all constants that calls take; equal arrays count once."""
    arrays = [
        array
        for call in plan.calls
        for array in (*call.consts.values(), *call.inputs)
        if isinstance(array, np.ndarray)
    ]
    return sum(array.nbytes for array in distinct(arrays))
