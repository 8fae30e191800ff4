"""Makes one table of what is a function of a single int8 tensor, element by element.

before:  %1 = dequantize(%0) : f32[4,8]
         %2 = mul(%1, %c) : f32[4,8]
         %3 = unary(%2) function=erf : f32[4,8]
         %4 = quantize(%3) : i8[4,8]~0.01@0
         %5 = mul(%0, %4) : i8[4,8]~0.02@3
after:   %5 = map(%0) table=<int8[256]> : i8[4,8]~0.02@3

Valid because an element has 256 values only: the op table's meaning computes the result for each. What
others read stays; a clamp of anything but a table stays too, as the op before it takes it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from s2c import oracle
from s2c.ir import Graph, Node, Uses, constant, input_node
from s2c.ops.elementwise import ALL_VALUES

BY_ELEMENT = frozenset(
    {"add", "dequantize", "div", "leaky_relu", "map", "mul", "quantize", "relu", "requantize", "sub", "unary"}
)


def tabulate_functions(graph: Graph) -> Graph:
    return graph.rewrite(tabulate_function)


def tabulate_function(node: Node, uses: Uses) -> Node | None:
    if node.type.dtype != "i8" or node.op not in BY_ELEMENT or is_table(node.inputs[0], node):
        return None
    chain = chain_to_source(node)
    if chain is None:
        return None
    source, members = chain
    if node.op == "relu" and len(members) == 1:
        return None
    table = table_of(source, members)
    return Node("map", (source,), {"table": table}, node.type, node.layer)


def chain_to_source(node: Node) -> tuple[Node, list[Node]] | None:
    """The only int8 tensor that the node depends on, and what lies between, the node last; None where there is
    no such tensor, or where it or anything between has another shape."""
    sources, members, seen, open_nodes = set(), [], {node}, [node]
    while open_nodes:
        each = open_nodes.pop()
        members.append(each)
        for before in each.inputs:
            if before in seen:
                continue
    return None
