"""find_channels: a float Graph's channels, in groups that can be taken out of it unit by unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from s2c.channels.arrays import ArrayAxis, array_axes, is_depthwise
from s2c.channels.labels import FIRST, STAYS, UNKNOWN, row, varying
from s2c.channels.rules import RULES, Labelling, unknown
from s2c.ir import Graph, Node
from s2c.ops import OPS

PRODUCERS = ("weight", "table")


@dataclass(frozen=True, eq=False)
class Slice:
    """One axis of one array of a node, some of whose entries go with a group's units. unit[i]: the unit that
    entry i belongs to, -1 for none. makes: the array makes the node's outputs; else it reads them."""

    node: Node
    attr: str
    axis: int
    unit: np.ndarray
    makes: bool


@dataclass(frozen=True, eq=False)
class Group:
    """Channels of one kind: any of its units but one can go, each as a whole and by itself. name: the layer
    that makes them first; layers: all that do."""

    name: str
    layers: tuple[str, ...]
    units: int
    slices: tuple[Slice, ...]


@dataclass(frozen=True, eq=False)
class Along:
    """The one axis of a tensor that loses elements, and the unit of each index: counted through all groups,
    their total for what stays."""

    axis: int
    unit: np.ndarray


@dataclass(frozen=True, eq=False)
class Channels:
    graph: Graph
    groups: tuple[Group, ...]
    along: Mapping[Node, Along]

    def kept(self, keep: Mapping[int, np.ndarray]) -> np.ndarray:
        """Which units stay, of all groups in order, and True for what belongs to none: bool [units + 1].
        keep: by group, the units that stay; a group that is not there keeps all."""
        result = []
        for index, group in enumerate(self.groups):
            units = np.asarray(keep.get(index, np.arange(group.units)))
            result.append(np.isin(np.arange(group.units), units))
            assert result[-1].sum() == len(units) > 0, (group.name, group.units, units)
        assert set(keep) <= set(range(len(self.groups))), sorted(keep)
        return np.concatenate([*result, [True]])

    def macs(self, keep: Mapping[int, np.ndarray]) -> int:
        """Multiply-accumulates of the pruned Graph, without making it."""
        kept = self.kept(keep)
        total = 0
        for macs, units in self.costs:
            counts = [int(kept[each].sum()) for each in units]
            total += macs * math.prod(counts) // math.prod(len(each) for each in units)
        return total

    @cached_property
    def costs(self) -> list[tuple[int, tuple[np.ndarray, ...]]]:
        """MACs, with the units of the axes that they are in proportion to; nodes of equal axes, as the steps
        of an unrolled layer are, count together."""
        found: dict[tuple[bytes, ...], tuple[int, tuple[np.ndarray, ...]]] = {}
        for node in self.graph.nodes():
            macs = OPS[node.op].macs(node)
            units = tuple(self.lost_by(node)) if macs else ()
            key = tuple(each.tobytes() for each in units)
            found[key] = (found.get(key, (0, units))[0] + macs, units)
        return list(found.values())

    def lost_by(self, node: Node) -> Iterator[np.ndarray]:
        """The units of the axes of a contraction, of its result and of what it sums over."""
        if node in self.along:
            yield self.along[node].unit
        for source in contracted(node):
            if source in self.along and self.along[source].axis == len(source.type.shape) - 1:
                yield self.along[source].unit


def contracted(node: Node) -> tuple[Node, ...]:
    """The input whose last axis a contraction sums over."""
    sums = node.op in ("conv2d", "dense", "batch_matmul") and not is_depthwise(node)
    return node.inputs[:1] if sums else ()


def find_channels(graph: Graph) -> Channels:
    """Groups in the order of the graph. What has to stay is in none: channels of inputs and outputs, and what
    an op mixes or knows nothing of. Nothing is pruned that would leave a tensor without elements."""
    found = label(graph, {})
    axes = {each.node: state_axis(found.labels.compress(found.of[each.next])) for each in graph.states}
    if axes:
        found = label(graph, axes)
    for node in graph.nodes():
        found.of[node] = found.labels.straighten(found.of[node])
    labels = {node: found.labels.compress(each) for node, each in found.of.items()}
    kinds = grouped(labels, len(found.labels.parent))
    along = find_along(labels, kinds, len(found.labels.parent))
    slices = grouped_slices(graph, along, [len(each) for each in kinds])
    groups = tuple(group_of(each, len(kind)) for each, kind in zip(slices, kinds, strict=True))
    return Channels(graph, groups, along)


def label(graph: Graph, state_axes: Mapping[Node, int | None]) -> Labelling:
    """The labels of all nodes. state_axes: along which a state has units; where it is not known yet, a state
    says nothing."""
    found = Labelling()
    for node in graph.nodes():
        if node.op == "state":
            made = state_labels(found, node, state_axes)
        elif node.type.size and all(each.type.size for each in node.inputs):
            made = RULES.get(node.op, unknown)(found, node)
        else:
            made = unknown(found, node)
        found.of[node] = made
    for each in graph.outputs:
        found.labels.unite(found.of[each], STAYS)
    for state in graph.states:
        found.labels.unite(found.of[state.node], found.of[state.next])
    return found


def state_labels(found: Labelling, node: Node, axes: Mapping[Node, int | None]) -> np.ndarray:
    rank = len(node.type.shape)
    axis = axes.get(node)
    if axis is None:
        return np.full((1,) * rank, STAYS if node in axes else UNKNOWN)
    return row(found.labels.fresh(node.type.shape[axis]), rank, axis)


def state_axis(labels: np.ndarray) -> int | None:
    """The axis along which a state's next value has most units."""
    counts = {}
    for axis in varying(labels):
        others = tuple(each for each in range(labels.ndim) if each != axis)
        counts[axis] = len(np.unique(labels.max(axis=others)))
    return max(counts, key=lambda axis: (counts[axis], axis), default=None)


def grouped(labels: Mapping[Node, np.ndarray], count: int) -> list[np.ndarray]:
    """The units' labels of each group: units that occur in the same tensors. So a tensor has all of a group
    or none, and keeps elements as long as each group does. count: of all labels."""
    places = np.zeros(count, np.int64)  # equal for units that occurred in the same tensors so far
    made = 0
    for each in labels.values():
        here = np.unique(each)
        _, before = np.unique(places[here], return_inverse=True)
        places[here] = made + 1 + before
        made += len(here)
    units = FIRST + np.flatnonzero(places[FIRST:])
    units = units[np.argsort(places[units], kind="stable")]
    kinds = np.split(units, 1 + np.flatnonzero(np.diff(places[units])))
    return sorted((each for each in kinds if len(each) > 1), key=lambda each: int(each[0]))


def find_along(
    labels: Mapping[Node, np.ndarray], kinds: Sequence[np.ndarray], count: int
) -> dict[Node, Along]:
    """kinds: the labels of each group's units; count: of all labels."""
    units = np.concatenate([*kinds, np.zeros(0, np.int64)])
    number = np.full(count, len(units))
    number[units] = np.arange(len(units))
    found = {}
    for node, each in labels.items():
        for axis in varying(each):
            along = Along(axis, number[each.reshape(-1)])
            if (along.unit < len(units)).any():
                found[node] = along
    return found


def grouped_slices(graph: Graph, along: Mapping[Node, Along], sizes: Sequence[int]) -> list[list[Slice]]:
    """By group, of sizes units each; an array that several nodes read alike is listed for each of them."""
    ends = np.cumsum(sizes, dtype=np.int64)
    slices: list[list[Slice]] = [[] for _ in sizes]
    for each, numbers in distinct_axes(graph, along):
        owner = np.searchsorted(ends, numbers, "right")
        for index in np.unique(owner[owner < len(sizes)]).tolist():
            unit = np.where(owner == index, numbers - (ends[index] - sizes[index]), -1)
            slices[index].append(Slice(each.owner, each.attr, each.axis, unit, each.makes))
    return slices


def distinct_axes(graph: Graph, along: Mapping[Node, Along]) -> Iterator[tuple[ArrayAxis, np.ndarray]]:
    """The axes of arrays that have units, with the unit of each entry; a constant that several nodes read
    alike once."""
    seen = set()
    for node in graph.nodes():
        for each in array_axes(node):
            found = along.get(each.tensor)
            if found is None or found.axis != each.along:
                continue
            numbers = found.unit[: each.owner.attrs[each.attr].shape[each.axis]]
            key = (each.owner, each.attr, each.axis, numbers.tobytes())
            if key not in seen:
                seen.add(key)
                yield each, numbers


def group_of(slices: list[Slice], units: int) -> Group:
    makers = [each.node.layer for each in slices if each.makes and each.attr in PRODUCERS]
    layers = tuple(dict.fromkeys(makers or [each.node.layer for each in slices]))
    return Group(layers[0] if layers else "", layers, units, tuple(slices))
