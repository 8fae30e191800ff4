"""Puts the operand of an addition that can be fused first: the fresh result of a contraction.

before:  %3 = add(%1, %2)   with %2 = matmul(..) read by nobody else
after:   %3 = add(%2, %1)

Valid because addition commutes to the bit, in the integer arithmetic too. The planner fuses along first
operands.
"""

from __future__ import annotations

from dataclasses import replace

from s2c.ir import Graph, Node, Uses


def order_addends(graph: Graph) -> Graph:
    def rule(node: Node, uses: Uses) -> Node | None:
        if node.op != "add":
            return None
        a, b = node.inputs
        if a.type.shape != b.type.shape:
            return None

        def fusable(each: Node) -> bool:
            return each.op == "matmul" and uses(each) == 1

        return replace(node, inputs=(b, a)) if fusable(b) and not fusable(a) else None

    return graph.rewrite(rule)
