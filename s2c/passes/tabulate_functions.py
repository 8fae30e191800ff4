"""Makes one table of what is a function of a single int8 tensor, element by element.

before:  %1 = dequantize(%0) : f32[4,8]
         %2 = mul(%1, %c) : f32[4,8]
         %3 = unary(%2) function=erf : f32[4,8]
         %4 = quantize(%3) : i8[4,8]~0.01@0
         %5 = mul(%0, %4) : i8[4,8]~0.02@3
after:   %5 = map(%0) table=<int8[256]> : i8[4,8]~0.02@3

Valid because an element has 256 values only: the op table's meaning computes the result of each. What
others read stays, and so do clamps alone, which the op before them takes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from s2c import oracle
from s2c.ir import Graph, Node, Uses, constant, input_node
from s2c.ops.elementwise import ALL_VALUES

BY_ELEMENT = frozenset(
    {
        "add",
        "binary",
        "dequantize",
        "div",
        "leaky_relu",
        "map",
        "mul",
        "quantize",
        "relu",
        "requantize",
        "sub",
        "unary",
    }
)


def tabulate_functions(graph: Graph) -> Graph:
    """The Graph with a map for each int8 node that two or more ops, or one of two operands, make of one."""
    sources: dict[Node, Node] = {}

    def rule(node: Node, uses: Uses) -> Node | None:
        source = only_source(node, sources)
        sources[node] = source
        if source is node or node.type.dtype != "i8":
            return None
        members = between(source, node)
        if all(each.op == "relu" for each in members) or node.inputs == (source,):
            return None
        tabulated = replace(node, op="map", inputs=(source,), attrs={"table": table_of(source, members)})
        sources[tabulated] = source
        return tabulated

    return graph.rewrite(rule)


def only_source(node: Node, sources: dict[Node, Node]) -> Node:
    """The int8 tensor of the node's shape whose elements alone determine the node's; the node itself, where
    there is none. sources holds those of the node's inputs."""
    found = {sources[each] for each in node.inputs if not is_scalar(each)}
    if node.op not in BY_ELEMENT or len(found) != 1:
        return node
    (source,) = found
    return source if source.type.dtype == "i8" and source.type.shape == node.type.shape else node


def is_scalar(node: Node) -> bool:
    return node.op == "constant" and node.type.size == 1


def between(source: Node, node: Node) -> list[Node]:
    """The nodes that make the node of the source, with their constants, each after its inputs."""
    order: list[Node] = []
    seen = {source}
    stack = [(node, iter(node.inputs))]
    while stack:
        last, rest = stack[-1]
        child = next((each for each in rest if each not in seen), None)
        if child is None:
            order.append(last)
            stack.pop()
        else:
            seen.add(child)
            stack.append((child, iter(child.inputs)))
    return order


def table_of(source: Node, members: list[Node]) -> np.ndarray:
    """The last member's 256 values."""
    row = (ALL_VALUES.size,)
    first = input_node("", replace(source.type, shape=row))
    new = {source: first}
    for node in members:
        if is_scalar(node):
            new[node] = constant(node.attrs["value"].reshape(()), node.layer, node.type.quant)
        else:
            inputs = tuple(new[each] for each in node.inputs)
            new[node] = replace(node, inputs=inputs, type=replace(node.type, shape=row))
    with np.errstate(all="ignore"):
        return oracle.run(Graph((first,), (new[members[-1]],)), ALL_VALUES)[0]
