"""Exact counts of a Plan before anything is built: MACs, parameters, bytes of constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2c.ir import Graph
from s2c.ops import OPS
from s2c.plan import Call, Plan


@dataclass(frozen=True)
class CallCost:
    """One call: the user's layer, its kernel, MACs, and the bytes of its constants and of its result."""

    layer: str
    kernel: str
    macs: int
    constant_bytes: int
    output_bytes: int


def call_cost(call: Call) -> CallCost:
    constants = [*call.consts.values(), *(each for each in call.inputs if isinstance(each, np.ndarray))]
    return CallCost(
        layer=call.layer,
        kernel=call.kernel.name,
        macs=call.macs,
        constant_bytes=sum(array.nbytes for array in constants),
        output_bytes=call.nodes[-1].type.bytes,
    )


def macs(graph: Graph) -> int:
    return sum(OPS[node.op].macs(node) for node in graph.nodes())


def parameters(graph: Graph) -> int:
    """Elements of all arrays in the nodes' attrs."""
    return sum(
        value.size for node in graph.nodes() for value in node.attrs.values() if isinstance(value, np.ndarray)
    )


def plan_macs(plan: Plan) -> int:
    return sum(call.macs for call in plan.calls)
