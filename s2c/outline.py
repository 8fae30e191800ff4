"""The Graph that a reader gives to a tree of the model's layers with what each costs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from s2c import cost
from s2c.ir import Graph, Node
from s2c.ops import OPS
from s2c.ops.core import LEAVES

DEEPEST = 8  # parts of a name that become levels
MOST_ROWS = 60  # that are shown where no depth is asked for


@dataclass(frozen=True)
class Layer:
    """All nodes of one name: how many of each op, the shape of the last, and the sums."""

    name: str
    ops: dict[str, int]
    shape: tuple[int, ...]
    macs: int
    parameters: int


@dataclass(frozen=True)
class Branch:
    """A part of the layers' names: what lies below it, or the layer itself."""

    name: str
    layers: tuple[Layer, ...]
    children: tuple[Branch, ...] = ()


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """In the order of their first nodes. A constant counts for the layer that reads it first."""
    nodes: dict[str, list[Node]] = {}
    constants: Counter[str] = Counter()
    seen: set[Node] = set()
    for node in graph.nodes():
        if node.op in LEAVES:
            continue
        nodes.setdefault(node.layer, []).append(node)
        found = {each for each in node.inputs if each.op == "constant"} - seen
        seen |= found
        constants[node.layer] += cost.parameters(found)
    return tuple(
        Layer(
            name,
            count_costly_first(members),
            members[-1].type.shape,
            sum(macs(each) for each in members),
            constants[name] + cost.parameters(members),
        )
        for name, members in nodes.items()
    )


def count_costly_first(nodes: Sequence[Node]) -> dict[str, int]:
    """How many of each op there are; those that compute before those that move."""
    counts = Counter(node.op for node in sorted(nodes, key=macs, reverse=True))
    return dict(counts)


def macs(node: Node) -> int:
    return OPS[node.op].macs(node)


def grow(layers: Sequence[Layer]) -> tuple[Branch, ...]:
    """The tree of the parts of their names between / and . signs; of a fused layer's names, the first."""
    return branches([(parts_of(layer.name.partition(";")[0]), layer) for layer in layers])


def parts_of(name: str) -> tuple[str, ...]:
    """`stage/block.conv` is stage/ block. conv; what is deeper than DEEPEST stays together."""
    parts = re.findall(r"[^/.]+[/.]*", name.lstrip("/.")) or [name]
    return (*parts[: DEEPEST - 1], "".join(parts[DEEPEST - 1 :])) if len(parts) > DEEPEST else tuple(parts)


def bare(part: str) -> str:
    """Without the signs around it, unless it has nothing else."""
    return part.strip("/.") or part


def branches(items: Sequence[tuple[tuple[str, ...], Layer]]) -> tuple[Branch, ...]:
    """One branch for each first part; one with a single branch below it is merged with that."""
    groups: dict[str, list[tuple[tuple[str, ...], Layer]]] = {}
    for parts, layer in items:
        groups.setdefault(bare(parts[0]), []).append((parts, layer))
    result = []
    for group in groups.values():
        name = group[0][0][0]
        own = [Branch(name, (layer,)) for parts, layer in group if len(parts) == 1]
        below = branches([(parts[1:], layer) for parts, layer in group if len(parts) > 1])
        children = (*own, *below)
        if len(children) > 1:
            result.append(Branch(name, tuple(layer for _, layer in group), children))
        else:
            prefix = "" if own else name
            result.append(Branch(prefix + children[0].name, children[0].layers, children[0].children))
    return tuple(result)


def rows(tree: Sequence[Branch], depth: int, guide: str = "") -> Iterator[tuple[str, Branch]]:
    """Each branch of up to `depth` levels, with its name behind the lines that lead to it."""
    for index, branch in enumerate(tree):
        is_last = index == len(tree) - 1
        mark = "" if not guide else "└─ " if is_last else "├─ "
        yield guide[1:] + mark + bare(branch.name), branch
        if depth > 1:
            below = guide + ("   " if is_last else "│  ") if guide else " "
            yield from rows(branch.children, depth - 1, below)


def shown_depth(tree: Sequence[Branch]) -> int:
    """The deepest that needs no more than MOST_ROWS."""
    fitting = [depth for depth in range(1, DEEPEST + 1) if len(list(rows(tree, depth))) <= MOST_ROWS]
    return max(fitting, default=1)
