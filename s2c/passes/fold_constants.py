"""Computes what depends on constants alone.

before:  %0 = constant() ...; %1 = reshape(%0) shape=(1, 4); %2 = add(%x, %1)
after:   %1 = constant() ...; %2 = add(%x, %1)

Valid because an op's value is a function of its inputs; the op table's meaning computes it. A result that is
much larger than what it came from is left alone, so that a repeated constant does not fill the ROM.
"""

from __future__ import annotations

from s2c import oracle
from s2c.ir import Graph, Node, Uses, constant

MOST_GROWTH = 1024  # bytes of ROM


def fold_constants(graph: Graph) -> Graph:
    def rule(node: Node, uses: Uses) -> Node | None:
        if not node.inputs or any(each.op != "constant" for each in node.inputs):
            return None
        if node.type.bytes > sum(each.type.bytes for each in node.inputs) + MOST_GROWTH:
            return None
        value = oracle.evaluate(node, *(each.attrs["value"] for each in node.inputs))
        return constant(value, node.layer, node.type.quant)

    return graph.rewrite(rule)
