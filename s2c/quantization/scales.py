"""Which nodes of a float Graph become int8, which tensors are stored alike, and what their scales allow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from s2c.ir import Graph, Node, Quant
from s2c.ops.arithmetic import ADD_LEFT_SHIFT
from s2c.ops.softmax import RESULT
from s2c.passes.fuse_qdq import FUSED, MOVED
from s2c.passes.quantize import weight_scale

INT8 = frozenset({*FUSED, *MOVED, "concat"}) - {"dequantize"}
CONTRACTIONS = ("conv2d", "dense")
HUGE = 1e30
LEAST_RATIO = 2.0**-12  # of a product's scale: the kernels shift 16 bits left by 13 at most


@dataclass(frozen=True, eq=False)
class Layout:
    """int8: the nodes that are computed in int8. groups: the stored tensors, which are those and what they
    read, by common Quant; measured: of each group those that say which."""

    int8: frozenset[Node]
    groups: tuple[tuple[Node, ...], ...]
    measured: tuple[tuple[Node, ...], ...]


def int8_nodes(graph: Graph, keep_float: Collection[str]) -> frozenset[Node]:
    """Contractions that are not kept, and what computes on nothing but int8: a float op in the middle of a
    layer normalisation or an attention leaves those behind it in float up to the next contraction."""
    found: set[Node] = set()
    leaves = {node for node in graph.nodes() if node.op in ("input", "constant") and is_float(node)}
    for node in graph.nodes():
        is_able = (
            node.op in INT8 and is_float(node) and node.layer not in keep_float and not pads_infinity(node)
        )
        follows = all(each in found or each in leaves for each in node.inputs)
        if is_able and (follows or node.op in CONTRACTIONS):
            found.add(node)
    return frozenset(found | {each for node in found for each in node.inputs if each in leaves})


def is_float(node: Node) -> bool:
    return node.type.dtype == "f32"


def pads_infinity(node: Node) -> bool:
    """As before a max: no Quant that suits the other values holds it."""
    return node.op == "pad" and abs(node.attrs["value"]) > HUGE


def find_layout(graph: Graph, keep_float: Collection[str] = ()) -> Layout:
    """Movements keep their source's Quant, and parts their concatenation's where nothing else reads them."""
    int8 = int8_nodes(graph, keep_float)
    uses = graph.uses()
    stored = {node: node for node in graph.nodes() if node in int8}
    for node in graph.nodes():
        if node in int8:
            stored |= {each: each for each in node.inputs}

    def root(node: Node) -> Node:
        while stored[node] is not node:
            node = stored[node]
        return node

    replaced: set[Node] = set()
    for node in stored:
        if node not in int8:
            continue
        if node.op in MOVED:
            stored[root(node)] = root(node.inputs[0])
            if uses[node.inputs[0]] == 1:
                replaced.add(node.inputs[0])
        if node.op == "concat":
            for each in node.inputs:
                if uses[each] == 1 and root(each).op != "softmax" and root(each) is not root(node):
                    stored[root(each)] = root(node)
    members: dict[Node, list[Node]] = {}
    for node in graph.nodes():
        if node in stored:
            members.setdefault(root(node), []).append(node)
    groups = tuple(tuple(each) for each in members.values())
    measured = tuple(tuple(each for each in group if each not in replaced) for group in groups)
    return Layout(int8, groups, measured)


def fixed_quant(group: tuple[Node, ...]) -> Quant | None:
    """What the int8 arithmetic of an op asks for."""
    return RESULT if any(node.op == "softmax" for node in group) else None


def allowed(layout: Layout, quants: Mapping[Node, Quant]) -> dict[Node, Quant]:
    """The Quants with those scales made larger that no int8 kernel could reach: of results that hardly differ
    from zero."""
    result = dict(quants)
    for group in layout.groups:
        least = max(least_scale(node, result) for node in group if node in layout.int8 or node in result)
        quant = result[group[0]]
        if quant.scale[0] < least:
            result |= dict.fromkeys(group, replace(quant, scale=(float(np.float32(least)),)))
    return result


def least_scale(node: Node, quants: Mapping[Node, Quant]) -> float:
    """Below it a kernel would have to shift its sums left by more than fits."""
    scales = [quants[each].scale[0] for each in node.inputs if each in quants]
    if len(scales) < len(node.inputs) or not scales:
        return 0.0
    if node.op == "add":
        return max(scales) * 2.0 ** (1 - ADD_LEFT_SHIFT)
    if node.op == "mul":
        return scales[0] * scales[1] * LEAST_RATIO
    if node.op in CONTRACTIONS:
        return scales[0] * float(weight_scale(node, quants[node.inputs[0]]).max())
    return 0.0
