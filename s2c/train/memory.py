"""How many samples a net may see at once: counts of what is kept of each of them."""

from __future__ import annotations

from collections.abc import Iterable

from s2c.errors import Problem
from s2c.ir import Graph, Node
from s2c.quantization.scales import CONTRACTIONS
from s2c.train.data import Samples
from s2c.train.parts import PART
from s2c.train.refit import POSITIONS

MOST_BYTES = 1 << 30  # that samples take, in a batch of which all values are kept or all together otherwise;
# as often as threads work side by side, which samples at a time must not depend on
COPIES = 2  # of a value: before and after its clamp, or as a sum and normalised
FLOAT = 4  # bytes
LONGEST_BYTES = 1 << 32  # that a part of a batch of sequences takes, which pass the net whole


def step_count(graph: Graph, samples: Samples) -> int:
    """Of each sample: calls of a net with states."""
    return samples.inputs[0].shape[1] if graph.states else 1


def length_problems(graph: Graph, samples: Samples, batch: int = PART, copies: int = COPIES) -> list[Problem]:
    """Where sequences are too long for a net with states that keeps the values of all steps: of so many
    samples at a time, so many times, as in training by default."""
    each = copies * sum_of_bytes(graph.nodes()) * min(batch, len(samples))
    steps, most = step_count(graph, samples), max(1, LONGEST_BYTES // each)
    if steps <= most:
        return []
    wanted = f"sequences of at most {most} steps, whose values fit {LONGEST_BYTES >> 20} MiB"
    return [Problem("x", wanted, f"{steps}", "cut them into shorter ones")]


def batch_size(graph: Graph, most: int, steps: int = 1) -> int:
    """Of how many samples, of so many steps each, every value is affordable, as gradients need them."""
    return affordable(COPIES * sum_of_bytes(graph.nodes()) * steps, most)


def sample_count(graph: Graph, most: int, steps: int = 1) -> int:
    """Of how many samples, of so many steps each, it is affordable to keep inputs, outputs and rows to fit,
    while all of them pass the net node by node, as in GraphModule.normalise."""
    rows = sum(node.type.shape[-1] for node in graph.nodes() if node.op in CONTRACTIONS)
    ends = sum_of_bytes((*graph.inputs, *graph.outputs)) * steps
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
