"""Makes one function of what exporters write for GELU.

before:  %1 = mul(%0, 0.70710678); %2 = unary(%1) function=erf; %3 = add(%2, 1.0); %4 = mul(%3, 0.5)
         %5 = mul(%0, %4)
after:   %5 = unary(%0) function=gelu

Valid because gelu(x) = x * (1 + erf(x / sqrt(2))) / 2; the constants may differ from these by rounding to
float32, and stand at any of the factors.
"""

from __future__ import annotations

import math
from dataclasses import replace

from s2c.ir import Graph, Node, Uses

ROUNDED = 2.0**-22  # of a constant: the square root and a division in float32


def fuse_gelu(graph: Graph) -> Graph:
    def rule(node: Node, _uses: Uses) -> Node | None:
        if node.op not in ("mul", "div") or node.type.dtype != "f32":
            return None
        x = gelu_input(node)
        if x is None or x.type != node.type:
            return None
        return replace(node, op="unary", inputs=(x,), attrs={"function": "gelu"})

    return graph.rewrite(rule)


def gelu_input(node: Node) -> Node | None:
    """x, where node is gelu(x)."""
    product, outer = scaled(node)
    if product.op != "mul" or is_clamped(product):
        return None
    for gate, other in (product.inputs, product.inputs[::-1]):
        erf, scale, offset = scaled_and_shifted(gate)
        if erf.op != "unary" or erf.attrs["function"] != "erf":
            continue
        x, shrunk = scaled(erf.inputs[0])
        y, factor = (x, 1.0) if other is x else scaled(other)
        share = outer * factor
        if y is x and same((shrunk, share * scale, share * offset), (math.sqrt(0.5), 0.5, 0.5)):
            return x
    return None


def scaled_and_shifted(node: Node) -> tuple[Node, float, float]:
    """(x, scale, offset) of a node that is scale * x + offset, by constants of one value."""
    scale, offset = 1.0, 0.0
    while True:
        if node.op == "add" and not is_clamped(node) and any(map(is_scalar, node.inputs)):
            node, added = parted(node)
            offset += scale * added
            continue
        inner, factor = scaled(node)
        if inner is node:
            return node, scale, offset
        node, scale = inner, scale * factor


def scaled(node: Node) -> tuple[Node, float]:
    """(x, factor) of a node that is x times or by a constant of one value; other nodes are themselves."""
    if is_clamped(node):
        return node, 1.0
    if node.op == "mul" and any(map(is_scalar, node.inputs)):
        return parted(node)
    if node.op == "div" and is_scalar(node.inputs[1]):
        x, divisor = parted(node)
        return (x, 1.0 / divisor) if divisor else (node, 1.0)
    return node, 1.0


def parted(node: Node) -> tuple[Node, float]:
    """Of two operands the one that is no constant of one value, and that."""
    a, b = node.inputs
    x, constant = (a, b) if is_scalar(b) else (b, a)
    return x, float(constant.attrs["value"].reshape(()))


def is_scalar(node: Node) -> bool:
    return node.op == "constant" and node.type.size == 1 and node.type.dtype == "f32"


def is_clamped(node: Node) -> bool:
    return "lo" in node.attrs or "hi" in node.attrs


def same(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return all(abs(a - b) <= ROUNDED * b for a, b in zip(found, wanted, strict=True))
