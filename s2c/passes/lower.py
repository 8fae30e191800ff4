"""Replaces each source op that the target has no kernel for by what it is made of.

before:  %1 = conv2d(%0) weight=W bias=b
after:   %1 = window(%0) kernel=(3, 3); %2 = matmul(%1) weight=W' bias=b'

Valid by the definition of each op: a test compares every op with its lowering.
"""

from __future__ import annotations

from collections.abc import Callable

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, Uses
from s2c.ops import OPS, is_core

HasKernel = Callable[[Node], bool]


def lower(graph: Graph, has_kernel: HasKernel) -> Graph:
    """has_kernel(node) says whether the target computes a source op by itself. Raises CompileError with
    all problems.
    """
    problems: list[Problem] = []

    def is_final(node: Node) -> bool:
        return is_core(node) or has_kernel(node)

    def rule(node: Node, uses: Uses) -> Node | None:
        lowering = OPS[node.op].lower
        if is_final(node) or lowering is None:
            return None
        try:
            return lowering(node)
        except CompileError as error:
            problems.extend(error.problems)
            return None

    while not all(is_final(node) for node in graph.nodes()):
        graph = graph.rewrite(rule)
        if problems:
            raise CompileError(tuple(problems))
    return graph
