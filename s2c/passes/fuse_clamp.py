"""Fuses a threshold into the op whose result it clamps.

before:  %1 = conv2d(%0) lo=0.0; %2 = relu(%1) hi=6.0
after:   %2 = conv2d(%0) lo=0.0 hi=6.0

Valid because two clamps in a row are one: clamp(clamp(x, a, b), c, d) = clamp(x, clamp(a, c, d), clamp(b, c,
d)). It needs that nobody else reads the unclamped result and, for integers, that both have one quantization.
"""

from __future__ import annotations

from dataclasses import replace

from s2c.ir import Graph, Node, Uses
from s2c.ops.clamp import bounds

CLAMPED = frozenset({"add", "average_pool", "conv2d", "dense", "matmul", "mul", "relu"})


def fuse_clamp(graph: Graph) -> Graph:
    def rule(node: Node, uses: Uses) -> Node | None:
        if node.op != "relu":
            return None
        producer = node.inputs[0]
        if producer.op not in CLAMPED or uses(producer) != 1 or producer.type.quant != node.type.quant:
            return None
        lo, hi = bounds(node)
        first_lo, first_hi = bounds(producer)
        merged = producer.with_attrs(lo=min(max(first_lo, lo), hi), hi=min(max(first_hi, lo), hi))
        return replace(merged, layer=node.layer)

    return graph.rewrite(rule)
