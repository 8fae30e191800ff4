"""What pruning costs, before any retraining: gradients, deviations, and the loss of a pruned net, on data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from s2c.channels import Group
from s2c.importance import is_read
from s2c.ir import Graph, Node
from s2c.passes.prune_channels import Pruned
from s2c.quantization.scales import CONTRACTIONS
from s2c.train.data import Samples
from s2c.train.heads import head_of
from s2c.train.losses import LEAST_VARIANCE, compared_values, distance, last_rows
from s2c.train.memory import batch_size, sample_count
from s2c.train.module import GraphModule, Moments, batch_of
from s2c.train.norm import Sums
from s2c.train.reconstruction import columns_of, elimination_order
from s2c.train.refit import Places, Scatter, is_refittable, pieces, refit, results

BATCH = 128
MOST_SAMPLES = 1024
ENOUGH = 8  # rows for each weight of an output, where they also tell how good a fit is


class Judge:
    """Compares pruned nets with the original on some of the samples. The net keeps no states.

    samples: those that are trained on, as split of s2c.train.held has them: what is held back is not to
    choose channels. No more of them are taken than memory allows, in batches of at most BATCH.
    """

    def __init__(self, original: Graph, samples: Samples, seed: int) -> None:
        self.original = GraphModule(original).eval()
        graph = self.original.graph
        order = np.random.default_rng(seed).permutation(len(samples))[: sample_count(graph, MOST_SAMPLES)]
        step = batch_size(graph, BATCH)
        rows = [order[start : start + step] for start in range(0, len(order), step)]
        self.batches = batches = [batch_of(samples.batch(each)) for each in rows]
        self.labels = [labels_of(samples, each) for each in rows]
        self.nodes = [node for node in self.original.order if node.op in CONTRACTIONS]
        self.normalised = frozenset(self.original.normalisable())
        self.places = Places(seed)
        self.results = self.original_results()
        self.moments = with_bias(self.original, self.original.moments(self.nodes, batches))
        with torch.no_grad():
            self.wanted = [compared_values(self.original, each) for each in batches]

    def original_results(self) -> dict[Node, list[Tensor]]:
        """What refit compares with, by contraction and batch."""
        nodes = [node for node in self.nodes if is_refittable(node)]
        found: dict[Node, list[Tensor]] = {node: [] for node in nodes}
        for batch in self.batches:
            with torch.no_grad():
                sources = self.original.values([node.inputs[0] for node in nodes], *batch)
                for node, source in zip(nodes, sources, strict=True):
                    found[node].append(results(self.original, node, source, self.places.of(node)))
        return found

    def loss(self, pruned: Pruned) -> float:
        """How far the outputs are from the original's, once means and variances are put right: of a
        classifier the Kullback-Leibler divergence, else the squared error in parts of the outputs'
        variance."""
        module = self.corrected(pruned)
        total, count = 0.0, 0
        for batch, wanted in zip(self.batches, self.wanted, strict=True):
            with torch.no_grad():
                found = compared_values(module, batch)
            for node, a, b in zip(self.original.graph.outputs, wanted, found, strict=True):
                total += float(difference(node, a, b)) * len(a)
            count += len(batch[0])
        return total / count

    def corrected(self, pruned: Pruned) -> GraphModule:
        """The pruned net, each contraction fitted anew and brought to the mean and variance that it had
        before; where no normalisation can follow, as at the end of a net, to the mean."""
        module = GraphModule(pruned.graph)
        wanted: Moments = {}
        for new, (old, kept) in pruned.origin.items():
            if old in self.moments:
                mean, variance = self.moments[old]
                wanted[new] = (mean[kept], variance[kept])
        ends = [
            new
            for new, (old, _) in pruned.origin.items()
            if old not in self.normalised and self.is_fitted(old)
        ]
        module.normalise(self.batches, wanted, partial(self.fit, module, pruned), ends)
        return module

    def fit(self, module: GraphModule, pruned: Pruned, node: Node, sources: Sequence[Tensor]) -> None:
        """sources: inputs of a contraction of the pruned net, by batch."""
        old, kept = pruned.origin[node]
        if old in self.results:
            rows = [each[:, torch.from_numpy(kept)] for each in self.results[old]]
            refit(module, node, sources, rows, self.places.of(old))

    def is_fitted(self, node: Node) -> bool:
        """Whether a contraction of the original is, in a pruned net, to what its results were: the last ones
        only on many more rows than weights of an output, since these samples judge them, too, and where no
        other layer has their arrays."""
        if node not in self.results or node in self.normalised:
            return node in self.results
        rows = sum(map(len, self.results[node]))
        arrays = [each.attrs[name] for each in self.nodes for name in ("weight", "bias")]
        own = [node.attrs[name] for name in ("weight", "bias")]
        is_alone = all(sum(each is array for each in arrays) == 1 for array in own)
        return is_alone and rows >= ENOUGH * node.attrs["weight"][0].size

    def deviations(self) -> dict[Node, np.ndarray]:
        """The standard deviation of each contraction's results, by channel."""
        return {node: variance.sqrt().numpy() for node, (_, variance) in self.moments.items()}

    def variances(self) -> dict[Node, np.ndarray]:
        """The variance of each contraction's input, by channel."""
        found = {node: Sums() for node in self.nodes}
        for batch in self.batches:
            with torch.no_grad():
                sources = self.original.values([node.inputs[0] for node in self.nodes], *batch)
            for node, source in zip(self.nodes, sources, strict=True):
                found[node].add(source)
        return {node: each.moments()[1].numpy() for node, each in found.items()}

    def elimination_order(self, group: Group) -> np.ndarray | None:
        """By unit of a group that a single layer reads, which is fitted anew once the group is pruned; else
        None: what several layers read, each of them would make up for in a way of its own."""
        readers = [each for each in group.slices if is_read(each)]
        if len(readers) != 1:
            return None
        node, columns = readers[0].node, columns_of(readers[0], group.units)
        if columns is None or not self.is_fitted(node):
            return None
        found = self.scatter(node).ridged()
        if found is None:
            return None
        weight = node.attrs["weight"]
        return elimination_order(weight.reshape(len(weight), -1), torch.linalg.inv(found[0]), columns)

    def scatter(self, node: Node) -> Scatter:
        """Of what the weights of a contraction meet."""
        found = Scatter(node.attrs["weight"][0].size)
        for batch in self.batches:
            with torch.no_grad():
                (source,) = self.original.values(node.inputs[:1], *batch)
                for each in pieces(node, source, self.places.of(node)):
                    found.add(each.double())
        return found

    def gradients(self) -> Iterator[dict[int, np.ndarray]]:
        """Of the loss by each weight, for each batch, keyed by the identity of the Graph's arrays. Where a
        batch has no labels, a classifier is given its own answers, another net asked for zeros."""
        module = self.original
        for batch, answers in zip(self.batches, self.labels, strict=True):
            module.zero_grad()
            values = compared_values(module, batch)
            total = sum(
                (
                    task_loss(node, value, answers)
                    for node, value in zip(module.graph.outputs, values, strict=True)
                ),
                torch.zeros(()),
            )
            total.backward()
            yield {
                key: module.weights[name].grad.numpy().copy()
                for key, name in module.names.items()
                if module.weights[name].grad is not None
            }
        module.zero_grad()


def with_bias(module: GraphModule, moments: Moments) -> Moments:
    return {
        node: (mean + module.attr(node, "bias").detach(), variance)
        for node, (mean, variance) in moments.items()
    }


def difference(node: Node, wanted: Tensor, found: Tensor) -> Tensor:
    """Of an output of the original and of a pruned net, for a batch."""
    variance = float(wanted.var().clamp_min(LEAST_VARIANCE))
    return distance(found, wanted, head_of(node) is not None, variance, temperature=1.0)


def task_loss(node: Node, value: Tensor, labels: Tensor | None) -> Tensor:
    rows = value.flatten(0, -2)
    if labels is not None:
        return functional.cross_entropy(last_rows(value, len(labels)), labels)
    if head_of(node) is not None:
        return functional.cross_entropy(rows, rows.detach().argmax(-1))
    return value.square().mean() / 2


def labels_of(samples: Samples, rows: np.ndarray) -> Tensor | None:
    """Labels of some of the samples, where the targets are labels."""
    if samples.targets is not None and samples.targets.dtype == np.int64:
        return torch.from_numpy(samples.targets[rows])
    return None
