"""Float contractions that gain by it take operands rounded to bfloat16; sums, and all else, stay float32.

before:  %1 = matmul(%0) weight=<f32>
after:   %1 = matmul(%0) precision='bf16' weight=<f32, rounded>
"""

from __future__ import annotations

from collections.abc import Callable

from s2c.ir import Graph, Node
from s2c.ops.bfloat16 import to_bfloat16

Gains = Callable[[Node], bool]  # whether a contraction is computed faster so


def use_bf16(graph: Graph, gains: Gains) -> Graph:
    def rule(node: Node, _uses: object) -> Node | None:
        if node.op not in ("matmul", "batch_matmul"):
            return None
        if node.type.dtype != "f32" or "precision" in node.attrs or not gains(node):
            return None
        weight = {"weight": to_bfloat16(node.attrs["weight"])} if node.op == "matmul" else {}
        return node.with_attrs(precision="bf16", **weight)

    return graph.rewrite(rule)
