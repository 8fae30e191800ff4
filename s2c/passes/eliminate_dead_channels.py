"""Removes channels that are constant or that nobody reads; a constant one goes into the bias of the layers
that read it.

before:  %1 = conv2d(%0) weight=<int8[256, 1, 1, 256]> (234 outputs have only zero weights); %2 = dense(%1)
bias=b
after:   %1 = conv2d(%0) weight=<int8[22, 1, 1, 256]>; %2 = dense(%1) bias=b + what the constants contributed

Valid because interval arithmetic over the actual weights shows that such a channel holds one value at every
position and for every input: its weights are zero, or its clamp always meets the same bound. A layer that
pads may only drop a constant that equals its padding, as the border would differ. Channels that elementwise
ops tie together are kept or dropped as one. Integers stay equal to the bit; floats up to the order of
summation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from s2c.ir import Graph, Node
from s2c.ops import OPS
from s2c.ops.convolution import finish, int32
from s2c.ops.integer import HIGHEST, LOWEST, zero_of

# Values of channels, one for each index of the last axis; NaN where a channel is not constant.
Constants = Mapping[Node, np.ndarray]

MOST_WORK = 1 << 24  # of finding the range of one channel of one node
MOST_CHANNELS = 1 << 20  # a wider node keeps all of them, and takes no memory for each

# Ops whose result cannot fall where an operand rises.
RISING = frozenset(
    {"add", "average_pool", "max_pool", "pad", "relu", "requantize", "reshape", "slice", "transpose"}
)


def eliminate_dead_channels(graph: Graph) -> Graph:
    constants = {node: constant_part(each) for node, each in find_ranges(graph).items()}
    keep = find_kept(graph, constants)
    if all(kept.all() for kept in keep.values()):
        return graph
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        new[node] = shrink(node, tuple(new[each] for each in node.inputs), keep, constants)
    return graph.mapped(new)


def channels_of(node: Node) -> int:
    return node.type.shape[-1] if node.type.shape else 1


def is_contraction(node: Node) -> bool:
    """Every output channel reads every input channel."""
    return node.op == "dense" or (
        node.op == "conv2d" and node.attrs["groups"] == 1 and not is_channelwise(node)
    )


def is_channelwise(node: Node) -> bool:
    return bool(node.inputs) and OPS[node.op].channelwise(node)


def weights_by_channel(node: Node) -> np.ndarray:
    """A contraction's weights as [outputs, taps, channels]."""
    weight = node.attrs["weight"]
    return np.asarray(weight.reshape(weight.shape[0], -1, weight.shape[-1]))


# which channels are constant: those whose least and greatest value are one


@dataclass(frozen=True)
class Range:
    """The least and the greatest stored value of each channel, at any position and for any input."""

    least: np.ndarray
    most: np.ndarray
    is_unknown: bool = False


def constant_part(values: Range) -> np.ndarray:
    if values.is_unknown:
        return np.broadcast_to(np.nan, values.least.shape)
    return np.where((values.least == values.most) & np.isfinite(values.least), values.least, np.nan)


def unknown(node: Node) -> Range:
    """Any value of the type: two numbers, however many channels there are."""
    ends = (LOWEST, HIGHEST) if node.type.dtype == "i8" else (-np.inf, np.inf)
    least, most = (np.broadcast_to(float(each), (channels_of(node),)) for each in ends)
    return Range(least, most, is_unknown=True)


def is_wide(node: Node) -> bool:
    return channels_of(node) > MOST_CHANNELS


def find_ranges(graph: Graph) -> dict[Node, Range]:
    ranges: dict[Node, Range] = {}
    for node in graph.nodes():
        operands = [ranges[each] for each in node.inputs]
        if node.type.dtype not in ("f32", "i8") or not node.type.size or is_wide(node):
            ranges[node] = unknown(node)  # plain integers wrap around
        elif node.op == "constant":
            rows = node.attrs["value"].reshape(-1, channels_of(node)).astype(np.float64)
            ranges[node] = Range(rows.min(axis=0), rows.max(axis=0))
        elif is_contraction(node) or (node.op == "conv2d" and is_channelwise(node)):
            ranges[node] = contraction_range(node, operands[0])
        elif is_channelwise(node):
            ranges[node] = channelwise_range(node, operands)
        else:
            ranges[node] = unknown(node)
    return ranges


def is_padded(node: Node) -> bool:
    return node.op == "conv2d" and any(each for pair in node.attrs["pads"] for each in pair)


def foldable(node: Node, values: np.ndarray) -> np.ndarray:
    """Which constant input channels look the same at a contraction's border as inside."""
    usable = np.isfinite(values)
    return np.asarray(usable & (values == zero_of(node.inputs[0].type)) if is_padded(node) else usable)


def contraction_range(node: Node, source: Range) -> Range:
    """Interval arithmetic over the weights; a padded tap adds zero. Requantization and clamp are monotone."""
    zero = zero_of(node.inputs[0].type)
    least, most = source.least - zero, source.most - zero
    if is_padded(node):
        least, most = np.minimum(least, 0.0), np.maximum(most, 0.0)
    weights = weights_by_channel(node).astype(np.float64)
    above, below = np.maximum(weights, 0.0).sum(axis=1), np.minimum(weights, 0.0).sum(axis=1)
    if is_channelwise(node):
        above, below = above.T, below.T
    axis = 0 if is_channelwise(node) else 1
    low = weighted(above, least, below, most).sum(axis=axis)
    high = weighted(above, most, below, least).sum(axis=axis)
    least, most = (finish(node, each).astype(np.float64) for each in (low, high))
    return Range(least, most)


def weighted(a: np.ndarray, x: np.ndarray, b: np.ndarray, y: np.ndarray) -> np.ndarray:
    """a * x + b * y, where a weight of zero counts as nothing even against an infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(a == 0, 0.0, a * x) + np.where(b == 0, 0.0, b * y)


def channelwise_range(node: Node, operands: list[Range]) -> Range:
    if work(node) > MOST_WORK:
        return unknown(node)
    known = np.logical_and.reduce([np.isfinite(each.least) & np.isfinite(each.most) for each in operands])
    if node.op not in RISING:
        known &= np.logical_and.reduce([each.least == each.most for each in operands])
    result = unknown(node)
    if not known.any():
        return result
    least, most = result.least.copy(), result.most.copy()
    inputs = tuple(narrowed(each, known) for each in node.inputs)
    smaller = shrink_channelwise(node, inputs, known)
    least[known] = evaluate(smaller, [each.least[known] for each in operands]).min(axis=0)
    most[known] = evaluate(smaller, [each.most[known] for each in operands]).max(axis=0)
    return Range(least, most)


def work(node: Node) -> int:
    """Values that the op table's meaning of a node reads, for one channel."""
    positions = node.type.size // max(channels_of(node), 1)
    return int(positions * math.prod(node.attrs.get("kernel", ())))


def narrowed(node: Node, kept: np.ndarray) -> Node:
    """A stand-in with fewer channels, for its type."""
    return replace(node, type=replace(node.type, shape=(*node.type.shape[:-1], int(kept.sum()))))


def evaluate(node: Node, operands: list[np.ndarray]) -> np.ndarray:
    """A node's values on inputs that are constant per channel: [positions, channels]."""
    arrays = [
        np.broadcast_to(values.astype(each.type.numpy), each.type.shape)
        for each, values in zip(node.inputs, operands, strict=True)
    ]
    return OPS[node.op].eval(node, *arrays).reshape(-1, channels_of(node)).astype(np.float64)


# which channels stay


@dataclass
class Groups:
    """Nodes whose channels are kept or dropped as one (union-find), and what each group keeps so far."""

    parent: dict[Node, Node]
    keep: dict[Node, np.ndarray]

    def find(self, node: Node) -> Node:
        while self.parent[node] is not node:
            node = self.parent[node]
        return node

    def join(self, a: Node, b: Node) -> None:
        self.parent[self.find(a)] = self.find(b)

    def add(self, node: Node, kept: np.ndarray | bool) -> bool:
        """Whether this made the group keep more."""
        found = self.keep[self.find(node)]
        if is_wide(node):
            return False
        before = int(found.sum())
        found |= kept
        return int(found.sum()) > before


def find_kept(graph: Graph, constants: Constants) -> Mapping[Node, np.ndarray]:
    """The smallest sets that meet every need: grown until nothing changes."""
    nodes = graph.nodes()
    groups = Groups({node: node for node in nodes}, {})
    for node in nodes:
        if is_channelwise(node):
            for each in node.inputs:
                groups.join(each, node)
    for node in nodes:
        count = channels_of(node)
        groups.keep[groups.find(node)] = (
            np.broadcast_to(True, (count,)) if is_wide(node) else np.zeros(count, bool)
        )
    fixed = {*graph.inputs, *graph.results()}
    for node in nodes:
        if node in fixed or not (is_contraction(node) or is_channelwise(node) or node.op == "constant"):
            groups.add(node, True)
        if not (is_contraction(node) or is_channelwise(node)):
            for each in node.inputs:
                groups.add(each, True)
    grow(nodes, groups, constants)
    for node in nodes:
        if not groups.keep[groups.find(node)].any():
            groups.keep[groups.find(node)][0] = True
    grow(nodes, groups, constants)
    return {node: groups.keep[groups.find(node)] for node in nodes}


def grow(nodes: list[Node], groups: Groups, constants: Constants) -> None:
    """Adds what contractions need until nothing changes."""
    grown = True
    while grown:
        needs = [(node.inputs[0], needed(node, groups, constants)) for node in nodes if is_contraction(node)]
        grown = any([groups.add(source, need) for source, need in needs])  # noqa: C419 (add all, not the first)


def needed(node: Node, groups: Groups, constants: Constants) -> np.ndarray:
    """The input channels that a contraction's kept outputs depend on and that cannot go into its bias."""
    rows = weights_by_channel(node)[groups.keep[groups.find(node)]]
    values = constants[node.inputs[0]]
    return np.asarray(rows.any(axis=(0, 1)) & ~foldable(node, values))


# the smaller net


def shrink(
    node: Node, inputs: tuple[Node, ...], keep: Mapping[Node, np.ndarray], constants: Constants
) -> Node:
    if is_contraction(node):
        source = node.inputs[0]
        return shrink_contraction(node, inputs[0], keep[node], keep[source], constants[source])
    if (is_channelwise(node) or node.op == "constant") and not keep[node].all():
        return shrink_channelwise(node, inputs, keep[node])
    return replace(node, inputs=inputs)


def per_channel(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return values if len(values) == 1 and len(kept) > 1 else values[kept]


def shrink_contraction(
    node: Node, source: Node, outputs: np.ndarray, inputs: np.ndarray, values: np.ndarray
) -> Node:
    """Keeps some outputs and inputs; what the other inputs contribute, being constant, goes into the bias."""
    attrs = dict(node.attrs)
    weight = attrs["weight"][outputs]
    bias = attrs["bias"][outputs]
    if not inputs.all():
        dropped = np.where(np.isfinite(values), values - zero_of(node.inputs[0].type), 0.0)[~inputs]
        taps = weight.reshape(weight.shape[0], -1, weight.shape[-1])[:, :, ~inputs].astype(np.float64)
        folded = bias.astype(np.float64) + (taps * dropped).sum(axis=(1, 2))
        bias = int32(node.layer, np.rint(folded)) if bias.dtype == np.int32 else folded.astype(bias.dtype)
        weight = weight[..., inputs]
    attrs |= {"weight": np.ascontiguousarray(weight), "bias": bias}
    if "weight_scale" in attrs:
        attrs["weight_scale"] = per_channel(attrs["weight_scale"], outputs)
    kind = replace(node.type, shape=(*node.type.shape[:-1], int(outputs.sum())))
    return replace(node, inputs=(source,), attrs=attrs, type=kind)


def shrink_channelwise(node: Node, inputs: tuple[Node, ...], kept: np.ndarray) -> Node:
    attrs = dict(node.attrs)
    count = int(kept.sum())
    if node.op == "conv2d":
        attrs |= {"weight": attrs["weight"][kept], "bias": attrs["bias"][kept], "groups": count}
        if "weight_scale" in attrs:
            attrs["weight_scale"] = per_channel(attrs["weight_scale"], kept)
    if node.op == "batchnorm":
        attrs |= {"scale": attrs["scale"][kept], "shift": attrs["shift"][kept]}
    if node.op == "constant":
        attrs["value"] = np.ascontiguousarray(attrs["value"][..., kept])
    if "shape" in attrs:
        attrs["shape"] = (*attrs["shape"][:-1], count)
    kind = replace(node.type, shape=(*node.type.shape[:-1], count))
    return replace(node, inputs=inputs, attrs=attrs, type=kind)
