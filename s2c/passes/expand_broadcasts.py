"""Brings every broadcast of add, mul and zip into the form that kernels take: operand a whole, b repeated on
outer and inner axes.

before:  %2 = add(%0, %1) : f32[1,4,6]   with %0 : f32[1,1,6], %1 : f32[1,4,6]
after:   %2 = add(%1, %0) : f32[1,4,6]

Valid because ops whose operands change places commute, to the bit; an operand for which no such form exists
is repeated by a gather.
"""

from __future__ import annotations

from dataclasses import replace

from s2c.ir import Graph, Node, Uses
from s2c.ops import make
from s2c.ops.arithmetic import repeats
from s2c.ops.movement import lower_expand


def expand_broadcasts(graph: Graph) -> Graph:
    def rule(node: Node, uses: Uses) -> Node | None:
        if node.op not in ("add", "mul", "zip") or repeats(node) is not None:
            return None
        swapped = replace(node, inputs=node.inputs[::-1])
        if commutes(node) and repeats(swapped) is not None:
            return swapped
        return replace(node, inputs=tuple(expanded(each, node.type.shape) for each in node.inputs))

    return graph.rewrite(rule)


COMMUTING = ("bit_and", "bit_or", "bit_xor", "equal", "maximum", "minimum")


def commutes(node: Node) -> bool:
    return node.op in ("add", "mul") or node.attrs["function"] in COMMUTING


def expanded(node: Node, shape: tuple[int, ...]) -> Node:
    if node.type.shape == shape:
        return node
    return lower_expand(make("expand", (node,), node.layer, node.type.quant, shape=shape))
