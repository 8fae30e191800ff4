"""Names of a model's layers to those of what computes them, once neighbours are folded into each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from s2c.ir import Graph, Node
from s2c.quantization.scales import CONTRACTIONS

SILENT = ("constant", "input", "reshape", "state", "transpose")  # they compute nothing
MULTIPLIES = (*CONTRACTIONS, "matmul")


def folded_layers(names: Collection[str], source: Graph, folded: Graph) -> tuple[str, ...]:
    """The layers of `folded` that hold those of `source`: a convolution bears the name of the batch norm and
    the threshold that have become parts of it. A name that is not found stays."""
    nodes = source.nodes()
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for each in dict.fromkeys(node.inputs):
            users[each].append(node)
    computed: dict[str, bool] = {}  # by layer: whether it multiplies
    for node in folded.nodes():
        if node.op not in SILENT:
            computed[node.layer] = computed.get(node.layer, False) or node.op in MULTIPLIES
    found: dict[str, None] = {}
    for name in names:
        own = [node for node in nodes if node.layer == name and node.op not in SILENT]
        ends = [end for node in own if (end := end_of(node, users, computed)) is not None]
        found |= dict.fromkeys(ends or [name])
    return tuple(found)


def end_of(node: Node, users: Mapping[Node, list[Node]], computed: Mapping[str, bool]) -> str | None:
    """The layer that a node is computed in: its own, or the first behind it that it can have been folded
    into."""
    multiplies = node.op in MULTIPLIES
    while not (node.layer in computed and computed[node.layer] >= multiplies):
        following = users[node]
        if len(following) != 1 or following[0].op in MULTIPLIES:
            return None
        (node,) = following
    return node.layer
