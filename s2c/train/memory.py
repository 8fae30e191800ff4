"""How many samples a net may see at once: counts of what is kept of each of them."""

from __future__ import annotations

from collections.abc import Iterable

from s2c.ir import Graph, Node
from s2c.quantization.scales import CONTRACTIONS
from s2c.train.refit import POSITIONS

MOST_BYTES = 1 << 30  # that samples take, in a batch of which all values are kept or all together otherwise;
# as often as threads work side by side, which samples at a time must not depend on
COPIES = 2  # of a value: before and after its clamp, or as a sum and normalised
FLOAT = 4  # bytes


def batch_size(graph: Graph, most: int) -> int:
    """Of how many samples every value is affordable, as gradients need them."""
    return affordable(COPIES * sum_of_bytes(graph.nodes()), most)


def sample_count(graph: Graph, most: int) -> int:
    """Of how many samples it is affordable to keep inputs, outputs and rows to fit, while all of them pass
    the net node by node, as in GraphModule.normalise."""
    rows = sum(node.type.shape[-1] for node in graph.nodes() if node.op in CONTRACTIONS)
    ends = sum_of_bytes((*graph.inputs, *graph.outputs))
    return affordable(ends + POSITIONS * FLOAT * rows + most_alive(graph), most)


def affordable(each: int, most: int) -> int:
    return max(1, min(most, MOST_BYTES // each))


def sum_of_bytes(nodes: Iterable[Node]) -> int:
    """Of one sample; constants have no samples."""
    return sum(node.type.bytes for node in nodes if node.op != "constant")


def most_alive(graph: Graph) -> int:
    """The most bytes of a sample that a pass needs at a time: values that are still to be read, and what is
    being computed."""
    order = graph.nodes()
    last = {each: node for node in order for each in node.inputs}
    ends: dict[Node, list[Node]] = {}
    for each, node in last.items():
        ends.setdefault(node, []).append(each)
    alive, most = 0, 0
    for node in order:
        size = sum_of_bytes([node])
        most = max(most, alive + COPIES * size)
        alive += size - sum_of_bytes(ends.get(node, ()))
    return most
