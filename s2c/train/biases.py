"""Biases that undo what rounding adds to the mean of each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from s2c.ir import Graph, Node
from s2c.quantization.scheme import Scheme
from s2c.train.calibration import Batch, RoundedModule, answers, noise_db
from s2c.train.module import GraphModule, lifetimes
from s2c.train.noise import roundings
from s2c.train.ranges import BETTER, reference


def correct_biases(scheme: Scheme, measured: Sequence[Batch]) -> Scheme:
    """Biases that undo what rounding adds to the mean of each channel, where the outputs are better for
    it."""
    if scheme.graph.states:
        return scheme
    module, wanted = reference(scheme.graph, measured)
    module.tensors, module.layers = roundings(scheme)
    before = noise_db(wanted, answers(module, measured))
    with torch.no_grad():
        shifts = mean_errors(scheme.graph, module, measured)
    corrected = scheme.of(with_shifts(scheme.graph, shifts))
    module = RoundedModule(corrected.graph)
    module.tensors, module.layers = roundings(corrected)
    after = noise_db(wanted, answers(module, measured))
    return corrected if after > before + BETTER else scheme


def with_shifts(graph: Graph, shifts: Mapping[Node, np.ndarray]) -> Graph:
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        copy = replace(node, inputs=tuple(new[each] for each in node.inputs))
        new[node] = copy.with_attrs(bias=node.attrs["bias"] + shifts[node]) if node in shifts else copy
    return graph.mapped(new)


def mean_errors(graph: Graph, module: RoundedModule, batches: Sequence[Batch]) -> dict[Node, np.ndarray]:
    """Of each int8 contraction by how much the mean of its sums is too low, behind those that are
    corrected."""
    float_module = GraphModule(graph).eval()
    exact: dict[Node, list[Tensor]] = {}
    noisy: dict[Node, list[Tensor]] = {}
    for index, node in enumerate(graph.inputs):
        exact[node] = [batch[index] for batch in batches]
        noisy[node] = [module.round(node, batch[index]) for batch in batches]
    shifts: dict[Node, np.ndarray] = {}
    for node, done in lifetimes(graph.outputs):
        if node not in exact:
            exact[node] = all_values(float_module, node, exact, len(batches))
            if node in module.layers:
                shift = mean_shift(float_module, module, node, exact, noisy)
                shifts[node] = shift.numpy()
                module.shifts = {**module.shifts, node: shift}
            noisy[node] = all_values(module, node, noisy, len(batches))
        for each in done:
            exact.pop(each)
            noisy.pop(each)
    return shifts


def all_values(
    module: GraphModule, node: Node, known: Mapping[Node, list[Tensor]], count: int
) -> list[Tensor]:
    return [module.value(node, [known[each][index] for each in node.inputs]) for index in range(count)]


def mean_shift(
    float_module: GraphModule,
    module: RoundedModule,
    node: Node,
    exact: Mapping[Node, list[Tensor]],
    noisy: Mapping[Node, list[Tensor]],
) -> Tensor:
    source = node.inputs[0]
    total = torch.zeros(node.type.shape[-1], dtype=torch.float64)
    for a, b in zip(exact[source], noisy[source], strict=True):
        difference = float_module.sums(node, a) - module.sums(node, b)
        total += difference.double().flatten(0, -2).mean(0) * len(a)
    return (total / sum(map(len, exact[source]))).float()
