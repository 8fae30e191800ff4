"""What a net's tensors hold on typical inputs, and what is left of its outputs when some of them are
rounded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, Quant
from s2c.ops.integer import HIGHEST, LOWEST
from s2c.passes.quantize import int8_steps, weight_scale
from s2c.quantization.ranges import BINS, Seen
from s2c.train.heads import is_softmax, logits_of
from s2c.train.module import GraphModule
from s2c.train.tensors import same_samples

Batch = Sequence[Tensor]
NOISELESS = 200.0  # dB: more than float32 can tell apart


class RoundedModule(GraphModule):
    """A float net some of whose tensors are rounded to what int8 stores, and the weights of some of its
    layers."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.eval()
        self.tensors: Mapping[Node, Quant] = {}
        self.layers: Mapping[Node, Quant] = {}  # contractions, with their input's Quant
        self.shifts: Mapping[Node, Tensor] = {}  # that are added to biases
        self.rounded_weights: dict[tuple[Node, Quant], Tensor] = {}

    def values(self, wanted: Iterable[Node], *inputs: Tensor, states: Sequence[Tensor] = ()) -> list[Tensor]:
        stored = [self.round(node, x) for node, x in zip(self.graph.inputs, inputs, strict=True)]
        return super().values(wanted, *stored, states=states)

    def value(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        return self.round(node, super().value(node, inputs))

    def round(self, node: Node, x: Tensor) -> Tensor:
        quant = self.tensors.get(node)
        return x if quant is None else rounded(x, quant)

    def attr(self, node: Node, name: str) -> Tensor:
        if name == "bias" and node in self.shifts:
            return super().attr(node, name) + self.shifts[node]
        if name != "weight" or node not in self.layers:
            return super().attr(node, name)
        key = node, self.layers[node]
        if key not in self.rounded_weights:
            scale = weight_scale(node, self.layers[node])
            weight = node.attrs["weight"]
            steps = int8_steps(weight, scale) * scale.reshape(-1, *(1,) * (weight.ndim - 1))
            self.rounded_weights[key] = torch.from_numpy(steps)
        return self.rounded_weights[key]


def rounded(x: Tensor, quant: Quant) -> Tensor:
    scale = float(np.float32(quant.scale[0]))
    return (torch.round(x / scale).add_(quant.zero).clamp_(LOWEST, HIGHEST).sub_(quant.zero)).mul_(scale)


def steps_of(graph: Graph, batch: Batch) -> Iterable[list[Tensor]]:
    """Each call's inputs: one, or of a net with states as many as the second axis holds."""
    if not graph.states:
        return [list(batch)]
    return [[each[:, step] for each in batch] for step in range(batch[0].shape[1])]


def values_of(module: GraphModule, nodes: Sequence[Node], batch: Batch) -> list[Tensor]:
    """The nodes' values over all calls, [calls, samples, *shape]."""
    found: list[list[Tensor]] = []
    states: list[Tensor] = []
    after = [each.next for each in module.graph.states]
    for inputs in steps_of(module.graph, batch):
        with torch.no_grad():
            values = module.values((*nodes, *after), *inputs, states=states)
        found.append(values[: len(nodes)])
        states = values[len(nodes) :]
    return [torch.stack(same_samples(*each)).detach() for each in zip(*found, strict=True)]


def observe(module: GraphModule, nodes: Sequence[Node], batches: Sequence[Batch]) -> dict[Node, Seen]:
    """How the values of each node are spread. Raises CompileError that names where some are not finite."""
    ends = find_ends(module, nodes, batches)
    counts = {node: torch.zeros(BINS) for node in nodes}
    for batch in batches:
        for node, value in zip(nodes, values_of(module, nodes, batch), strict=True):
            lo, hi = ends[node]
            if hi > lo:
                counts[node] += torch.histc(value.flatten(), BINS, lo, hi)
    return {node: Seen(*ends[node], counts[node].double().numpy()) for node in nodes}


def find_ends(
    module: GraphModule, nodes: Sequence[Node], batches: Sequence[Batch]
) -> dict[Node, tuple[float, float]]:
    """The least and largest value of each node. Raises CompileError that names where they are not finite."""
    ends = dict.fromkeys(nodes, (math.inf, -math.inf))
    for batch in batches:
        for node, value in zip(nodes, values_of(module, nodes, batch), strict=True):
            lo, hi = (float(each) for each in torch.aminmax(value))
            ends[node] = min(ends[node][0], lo), max(ends[node][1], hi)
            if not (math.isfinite(lo) and math.isfinite(hi)):
                ends[node] = math.nan, math.nan
    refuse_infinite(module, ends)
    return ends


def refuse_infinite(module: GraphModule, ends: Mapping[Node, tuple[float, float]]) -> None:
    """Names the nodes whose own inputs are still finite."""
    problems = [
        Problem(
            node.layer,
            "finite values on the calibration data",
            "NaN or infinite ones",
            "leave the samples out that give them, or mend the net",
        )
        for node in module.order
        if node in ends
        and not math.isfinite(ends[node][0])
        and all(math.isfinite(ends.get(each, (0.0, 0.0))[0]) for each in node.inputs)
    ]
    if problems:
        raise CompileError(tuple(problems))


def answers(module: GraphModule, batches: Sequence[Batch]) -> list[Tensor]:
    """By output what it gives over all batches, or the logits where it is their softmax."""
    nodes = [(is_softmax(each) and logits_of(each)) or each for each in module.graph.outputs]
    parts = [values_of(module, nodes, batch) for batch in batches]
    return [torch.cat([part[index] for part in parts], 1) for index in range(len(nodes))]


def noise_db(wanted: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """The signal to noise ratio of tensors: their variance over the mean square of what was added, averaged
    as noise."""
    noise = [
        float((a - b).double().square().mean()) / max(float(a.double().var(correction=0)), 1e-30)
        for a, b in zip(wanted, found, strict=True)
    ]
    return decibel(sum(noise) / len(noise))


def decibel(noise: float) -> float:
    """Of the signal to a noise that is given in parts of the signal."""
    return -10 * math.log10(max(noise, 10 ** (-NOISELESS / 10)))


def channel_extremes(
    module: GraphModule, nodes: Sequence[Node], batches: Sequence[Batch]
) -> dict[Node, np.ndarray]:
    """The largest absolute value of each channel (last axis)."""
    found = {node: torch.zeros(node.type.shape[-1]) for node in nodes}
    for batch in batches:
        for node, value in zip(nodes, values_of(module, nodes, batch), strict=True):
            found[node] = torch.maximum(found[node], value.abs().flatten(0, -2).amax(0))
    return {node: value.numpy() for node, value in found.items()}
