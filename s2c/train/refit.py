"""Least-squares weights for a contraction of a pruned net: its results as near as can be to what they were.

He, Zhang, Sun 2017, "Channel Pruning for Accelerating Very Deep Neural Networks", fit each layer behind
pruned channels to the original's results on data; here all layers are fitted in order, each on the inputs
that those before it give by now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from s2c.ir import Node
from s2c.train.module import GraphModule

POSITIONS = 16  # of each sample's image that are compared
RIDGE = 1e-3  # of the inputs' mean square: how much pulls the weights to what they were
CHUNK = 32  # samples at most whose patches are made at a time
MOST_BYTES = 1 << 28  # of these patches, and of the images with their padding
ROUNDING = 1e-12  # of the inputs' mean square: below that they do not vary
# Inputs of an output: their products are a square matrix of 512 MiB, of which solving needs three at a time.
MOST_DEPTH = 1 << 13


class Places:
    """Which positions of a node's images are compared, the same ones for the original and the pruned net."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.known: dict[Node, Tensor] = {}

    def of(self, node: Node) -> Tensor:
        """Flat positions [at most POSITIONS] in an output of the node without its channels."""
        if node not in self.known:
            count = node.type.size // node.type.shape[-1]
            draws = np.random.default_rng(self.seed).permutation(count)[:POSITIONS]
            self.known[node] = torch.from_numpy(np.sort(draws))
        return self.known[node]


def is_refittable(node: Node) -> bool:
    """A dense layer or a convolution of one group, of not too many inputs."""
    is_whole = node.op == "dense" or (node.op == "conv2d" and node.attrs["groups"] == 1)
    return is_whole and node.attrs["weight"][0].size <= MOST_DEPTH


def results(module: GraphModule, node: Node, source: Tensor, places: Tensor) -> Tensor:
    """The node's sums without bias at some places: [samples * places, channels]."""
    sums = module.sums(node, source)
    return sums.reshape(len(sums), -1, sums.shape[-1])[:, places].flatten(0, 1)


def patches(node: Node, source: Tensor, places: Tensor) -> Tensor:
    """What the weights meet at these places: [samples * places, inputs of an output]."""
    if node.op == "dense":
        return source.reshape(len(source), -1, source.shape[-1])[:, places].flatten(0, 1)
    attrs = node.attrs
    _, high, wide, _ = attrs["weight"].shape
    image = source
    if is_padded(node):
        image = functional.pad(source, (0, 0, *attrs["pads"][1], *attrs["pads"][0]))
    *_, height, width, _ = node.type.shape
    number, position = places // (height * width), places % (height * width)
    rows = taps(position // width, high, attrs["stride"][0], attrs["dilation"][0])
    columns = taps(position % width, wide, attrs["stride"][1], attrs["dilation"][1])
    found = image[:, number[:, None, None], rows[:, :, None], columns[:, None, :]]
    return found.flatten(0, 1).flatten(1)


def is_padded(node: Node) -> bool:
    return any(map(any, node.attrs.get("pads", ())))


def taps(places: Tensor, count: int, stride: int, dilation: int) -> Tensor:
    """What the taps along one axis read for results at these places: [places, taps]."""
    return places[:, None] * stride + torch.arange(count) * dilation


def refit(
    module: GraphModule, node: Node, sources: Sequence[Tensor], wanted: Sequence[Tensor], places: Tensor
) -> None:
    """Sets the weights of a node of the pruned net. sources: its inputs, by batch; wanted: the original's
    results at the places for the channels that are left, by batch. Means are left to the normalisation that
    follows.
    """
    weight = module.attr(node, "weight").detach()
    depth = weight[0].numel()
    fit = Fit(depth, len(weight))
    step = chunk_size(node) * len(places)
    for source, rows in zip(sources, wanted, strict=True):
        for x, part in zip(pieces(node, source, places), rows.split(step), strict=True):
            fit.add(x, part)
    solved = fit.solve(weight.reshape(len(weight), depth))
    weight.copy_(solved.reshape(weight.shape))


def pieces(node: Node, source: Tensor, places: Tensor) -> Iterator[Tensor]:
    """The patches of all samples of a batch, some samples at a time."""
    for some in source.split(chunk_size(node)):
        yield patches(node, some, places)


def chunk_size(node: Node) -> int:
    """Samples whose patches are made at a time."""
    positions = min(POSITIONS, node.type.size // node.type.shape[-1])
    each = positions * int(node.attrs["weight"][0].nbytes)
    if is_padded(node):
        each += node.inputs[0].type.bytes
    return max(1, min(CHUNK, MOST_BYTES // each))


class Scatter:
    """Sums over rows [rows, depth], and of their products with each other, in float64."""

    def __init__(self, depth: int) -> None:
        self.count = 0
        self.square = torch.zeros(depth, depth, dtype=torch.float64)
        self.total = torch.zeros(depth, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        self.square += x.T @ x
        self.total += x.sum(0)
        self.count += len(x)

    def ridged(self) -> tuple[Tensor, float] | None:
        """[depth, depth], of the rows less their mean, with a pull to the diagonal; and the pull. None where
        nothing varies."""
        outer = torch.outer(self.total, self.total).div_(self.count)
        square = torch.sub(self.square, outer, out=outer)
        mean = float(square.diagonal().mean())
        if not mean > ROUNDING * float(self.square.diagonal().mean()):
            return None
        square.diagonal().add_(RIDGE * mean)
        return square, RIDGE * mean


class Fit:
    """Sums over rows of the products of inputs and results, in float64, from which weights are solved."""

    def __init__(self, depth: int, outputs: int) -> None:
        self.inputs = Scatter(depth)
        self.product = torch.zeros(depth, outputs, dtype=torch.float64)
        self.results = torch.zeros(outputs, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """x [rows, depth], y [rows, outputs]"""
        x, y = x.double(), y.double()
        self.inputs.add(x)
        self.product += x.T @ y
        self.results += y.sum(0)

    def solve(self, old: Tensor) -> Tensor:
        """Weights [outputs, depth] of least squares, pulled to the old ones; these where no input varies."""
        found = self.inputs.ridged()
        if found is None:
            return old
        square, pull = found
        product = self.product - torch.outer(self.inputs.total, self.results) / self.inputs.count
        return torch.linalg.solve(square, product + pull * old.double().T).T.float()
