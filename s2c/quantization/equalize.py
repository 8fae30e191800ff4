"""Factors that even out the channels between two contractions, so that one scale suits all of them.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction": what lies between
is positively homogeneous, f(s * x) = s * f(x) for s > 0, so a factor moves from one's weights to the other's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from s2c.ir import Graph, Node
from s2c.ops.clamp import bounds
from s2c.quantization.scales import CONTRACTIONS

CARRIERS = ("average_pool", "leaky_relu", "max_pool", "relu")
MOST = 64.0  # that a factor is from 1: beyond it a channel says nothing


@dataclass(frozen=True, eq=False)
class Pair:
    """producer's result is read by consumer alone; between: what carries it there, each read once."""

    producer: Node
    between: tuple[Node, ...]
    consumer: Node


def find_pairs(graph: Graph) -> list[Pair]:
    uses = graph.uses()
    found = []
    for consumer in graph.nodes():
        if consumer.op not in CONTRACTIONS:
            continue
        between = []
        source = consumer.inputs[0]
        while uses[source] == 1 and keeps_channels(source) and is_homogeneous(source):
            between.append(source)
            source = source.inputs[0]
        if source.op in CONTRACTIONS and uses[source] == 1 and is_homogeneous(source):
            found.append(Pair(source, tuple(reversed(between)), consumer))
    return found


def keeps_channels(node: Node) -> bool:
    if node.op == "reshape":
        return node.type.shape[-1] == node.inputs[0].type.shape[-1]
    if node.op == "pad":
        return bool(node.attrs["value"] == 0.0 and node.type.shape[-1] == node.inputs[0].type.shape[-1])
    return node.op in CARRIERS


def is_homogeneous(node: Node) -> bool:
    lo, hi = bounds(node)
    return math.isinf(hi) and (lo == 0.0 or math.isinf(lo))


def input_channels(node: Node) -> np.ndarray:
    """Of each weight [outputs, .., depth] the input channel that it multiplies."""
    weight = node.attrs["weight"]
    depth, groups = weight.shape[-1], node.attrs.get("groups", 1)
    first = np.repeat(np.arange(groups) * depth, len(weight) // groups)
    shape = (-1, *(1,) * (weight.ndim - 1))
    return np.asarray(np.broadcast_to(first.reshape(shape) + np.arange(depth), weight.shape))


def find_factors(pair: Pair, largest: np.ndarray) -> np.ndarray:
    """What to divide each channel by. largest: its absolute value at the consumer.

    With one weight scale for all of its inputs the consumer takes up half of the difference, as the square
    root is; a depthwise one has a scale for each channel and takes up all of it.
    """
    weight = pair.consumer.attrs["weight"]
    widest = np.zeros(len(largest))
    np.maximum.at(widest, input_channels(pair.consumer).reshape(-1), np.abs(weight).reshape(-1))
    alive = (largest > 0) & (widest > 0)
    factors = np.ones(len(largest))
    factors[alive] = largest[alive] if weight.shape[-1] == 1 else np.sqrt(largest[alive] / widest[alive])
    if alive.any():
        factors[alive] /= np.exp(np.log(factors[alive]).mean())
    return np.asarray(np.clip(factors, 1 / MOST, MOST), np.float32)


def equalize(graph: Graph, pair: Pair, factors: np.ndarray) -> tuple[Graph, Mapping[Node, Node]]:
    """The Graph with the factors moved, and what became of each of its nodes."""
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        attrs: dict[str, Any] = dict(node.attrs)
        if node is pair.producer:
            rows = factors.reshape(-1, *(1,) * (attrs["weight"].ndim - 1))
            attrs |= {"weight": attrs["weight"] / rows, "bias": attrs["bias"] / factors}
        if node is pair.consumer:
            attrs["weight"] = attrs["weight"] * factors[input_channels(node)]
        new[node] = replace(node, inputs=tuple(new[each] for each in node.inputs), attrs=attrs)
    return graph.mapped(new), new
