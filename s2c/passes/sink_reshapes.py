"""Moves reshapes behind elementwise ops, so that a contraction and what follows it stand next to each other.

before:  %1 = reshape(%0) shape=(1, 64, 16) : f32[1,64,16]     # behind a conv2d, which has four axes
         %2 = mul(%1, %k)                   with %k : f32[1,1,1]
         %3 = relu(%2) lo=0.0
after:   %2 = mul(%0, %k)                   with %k : f32[]
         %3 = relu(%2) lo=0.0 : f32[1,1,64,16]
         %4 = reshape(%3) shape=(1, 64, 16) : f32[1,64,16]

Valid because a reshape leaves the elements in their order, and each of these ops computes an element from the
elements at its place: both operands are reshaped alike, or one is a constant of one value, or of one for each
index of the last axis, which the reshape keeps.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from s2c.ir import Graph, Node, Uses
from s2c.ops import make

ELEMENTWISE = frozenset({"add", "binary", "div", "leaky_relu", "mul", "relu", "sub", "unary"})


def sink_reshapes(graph: Graph) -> Graph:
    def rule(node: Node, _uses: Uses) -> Node | None:
        if node.op == "reshape":
            return merged(node)
        source = next((each.inputs[0] for each in node.inputs if each.op == "reshape"), None)
        if node.op not in ELEMENTWISE or source is None:
            return None
        parts = [unshaped(each, node.type.shape, source.type.shape) for each in node.inputs]
        inputs = tuple(each for each in parts if each is not None)
        if len(inputs) < len(parts):
            return None
        result = make(node.op, inputs, node.layer, node.type.quant, **node.attrs)
        if result.type != replace(node.type, shape=source.type.shape):
            return None
        return make("reshape", (result,), node.layer, shape=node.type.shape)

    return graph.rewrite(rule)


def merged(node: Node) -> Node | None:
    """A reshape of a reshape as one, or none where the shape is the same again."""
    source = node.inputs[0]
    if source.op == "reshape":
        source = source.inputs[0]
    if source.type == node.type:
        return source
    return replace(node, inputs=(source,)) if source is not node.inputs[0] else None


def unshaped(node: Node, shape: tuple[int, ...], wanted: tuple[int, ...]) -> Node | None:
    """An operand of a result of `shape` for one of the shape `wanted`, where it costs nothing."""
    own = node.type.shape
    if node.op == "reshape" and own == shape and node.inputs[0].type.shape == wanted:
        return node.inputs[0]
    if node.op != "constant" or (node.type.quant is not None and len(node.type.quant.scale) > 1):
        return None
    if node.type.size == 1:
        return shaped(node, ())
    last = own[-1:]
    if math.prod(own[:-1]) == 1 and last == shape[-1:] == wanted[-1:]:
        return shaped(node, last)
    return None


def shaped(node: Node, shape: tuple[int, ...]) -> Node:
    """A constant of another shape."""
    value = np.asarray(node.attrs["value"]).reshape(shape)
    return replace(node, attrs={**node.attrs, "value": value}, type=replace(node.type, shape=shape))
