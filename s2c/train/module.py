"""A Graph as a torch module whose parameters are the Graph's weights, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node
from s2c.ops import OPS
from s2c.ops.core import LEAVES
from s2c.train.functions import TORCH, Tensor, clamp, conv2d_sums, flat, unflat

# The array attrs that are trained; a constant operand is trained where `is_trained_constant` says so.
TRAINED: Mapping[str, tuple[str, ...]] = {
    "batchnorm": ("scale", "shift"),
    "conv2d": ("weight", "bias"),
    "dense": ("weight", "bias"),
    "matmul": ("weight", "bias"),
}
NORMALISED = ("conv2d", "dense")
EPSILON = 1e-5
MOMENTUM = 0.1


def trainable(graph: Graph) -> Graph:
    """The Graph with source ops that torch has no function for lowered; raises CompileError for an op that has
    neither, and for quantized tensors: all at once."""

    def rule(node: Node, _uses: object) -> Node | None:
        if node.op in TORCH or node.op in LEAVES:
            return None
        lower = OPS[node.op].lower
        return lower(node) if lower else None

    while True:
        lowered = graph.rewrite(rule)
        if all(a is b for a, b in zip(lowered.results(), graph.results(), strict=True)):
            break
        graph = lowered
    problems = [each for node in graph.nodes() if (each := untrainable(node)) is not None]
    if problems:
        raise CompileError(tuple(problems))
    return graph


def untrainable(node: Node) -> Problem | None:
    if node.op in ("quantize", "dequantize") or node.type.quant is not None:
        wanted = "a net of floats, to prune, retrain or quantize it"
        return Problem(node.layer, wanted, f"quantized {node.type}", "start from the float model")
    if node.op not in TORCH and node.op not in LEAVES:
        wanted = "ops that can be trained"
        return Problem(node.layer, wanted, node.op, "compile the net as it is, or rewrite the layer")
    return None


def is_trained_constant(node: Node) -> bool:
    """A table, filter or offset; not a mask, a repeated number or a single one."""
    if node.op != "constant" or node.type.dtype != "f32" or node.type.size < 2:
        return False
    value = node.attrs["value"]
    return bool(np.isfinite(value).all() and (value != value.reshape(-1)[0]).any())


class Norm(nn.Module):
    """Batch normalisation of a contraction's sums, last axis, while a net is trained; to_graph folds it away."""

    mean: Tensor
    variance: Tensor

    def __init__(self, mean: Tensor, variance: Tensor, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale.clone())
        self.shift = nn.Parameter(shift.clone())
        self.register_buffer("mean", mean.clone())
        self.register_buffer("variance", variance.clone())

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.mean, self.variance, self.scale, self.shift, self.training, MOMENTUM, EPSILON
        )

    def factor(self) -> Tensor:
        return self.scale / torch.sqrt(self.variance + EPSILON)


class GraphModule(nn.Module):
    """forward takes one tensor [samples, *shape] for each input of the Graph, and gives one for each output.

    States: values given in `states` stand for the Graph's state nodes; `step` gives the next ones too.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = trainable(graph)
        self.order = self.graph.nodes()
        self.weights = nn.ParameterDict()
        self.norms = nn.ModuleDict()
        self.names: dict[int, str] = {}  # of a trained array, by its identity
        self.fixed: dict[int, Tensor] = {}  # other arrays
        self.index = {node: index for index, node in enumerate(self.order)}
        for node in self.order:
            trained = set(trained_attrs(node))
            for name, value in node.attrs.items():
                if not isinstance(value, np.ndarray):
                    continue
                if name in trained:
                    self.add_weight(f"{self.index[node]}_{name}", value)
                else:
                    self.fixed[id(value)] = torch.from_numpy(np.array(value))

    def add_weight(self, name: str, value: np.ndarray) -> None:
        """Equal identity, as in the steps of an unrolled layer, is one parameter."""
        if id(value) not in self.names:
            self.names[id(value)] = name
            self.weights[name] = nn.Parameter(torch.from_numpy(np.array(value, np.float32)))

    def attr(self, node: Node, name: str) -> Tensor:
        value = node.attrs[name]
        known = self.names.get(id(value))
        if known is not None:
            parameter: Tensor = self.weights[known]
            return parameter
        return self.fixed[id(value)]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.values(self.graph.outputs, *inputs))

    def step(self, inputs: Sequence[Tensor], states: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """One call: the outputs, and the states that it leaves. No states: the first call."""
        found = self.values(self.graph.results(), *inputs, states=states)
        count = len(self.graph.outputs)
        return found[:count], found[count:]

    def values(self, wanted: Iterable[Node], *inputs: Tensor, states: Sequence[Tensor] = ()) -> list[Tensor]:
        """The values [samples, *shape] of nodes of `graph`; a constant's has one sample."""
        wanted = list(wanted)
        known: dict[Node, Tensor] = dict(zip(self.graph.inputs, inputs, strict=True))
        if states:
            known.update(zip((each.node for each in self.graph.states), states, strict=True))
        nodes = Graph((), tuple(wanted)).nodes()
        last: dict[Node, Node] = {each: node for node in nodes for each in node.inputs}
        keep = set(wanted)
        for node in nodes:
            if node not in known:
                known[node] = self.value(node, [known[each] for each in node.inputs])
            for each in node.inputs:
                if last[each] is node and each not in keep:
                    known.pop(each, None)
        return [known[each] for each in wanted]

    def value(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        if node.op in ("constant", "state"):
            return self.attr(node, "value").unsqueeze(0)
        norm = self.norms[str(self.index[node])] if str(self.index[node]) in self.norms else None
        if norm is not None:
            return self.normalised(node, norm, inputs[0])
        return TORCH[node.op](node, lambda name: self.attr(node, name), *inputs)

    # normalisation while training

    def normalised(self, node: Node, norm: nn.Module, x: Tensor) -> Tensor:
        sums = self.sums(node, x)
        if node.op == "conv2d":
            return clamp(node, unflat(norm(flat(sums)), x.shape[0]))
        rows: Tensor = norm(sums.flatten(0, -2))
        return clamp(node, rows.reshape(sums.shape))

    def sums(self, node: Node, x: Tensor) -> Tensor:
        """A contraction without bias and clamp, [samples, *shape]."""
        if node.op == "conv2d":
            return conv2d_sums(node, lambda name: self.attr(node, name), x, None)
        return F.linear(x, self.attr(node, "weight"))

    def normalisable(self) -> list[Node]:
        """Contractions with weights of their own, but for those that nothing trained comes after."""
        ids = [
            id(node.attrs["weight"]) for node in self.order if node.op in TRAINED and "weight" in node.attrs
        ]
        before: set[Node] = set()
        for node in reversed(self.order):
            if node in before or node.op in NORMALISED:
                before.update(node.inputs)
        return [
            node
            for node in self.order
            if node.op in NORMALISED and node in before and ids.count(id(node.attrs["weight"])) == 1
        ]

    @torch.no_grad()
    def moments(
        self, nodes: Sequence[Node], batches: Iterable[Sequence[Tensor]]
    ) -> dict[Node, tuple[Tensor, Tensor]]:
        """Mean and variance of each node's sums without bias, by channel, over all samples of the batches."""
        totals: dict[Node, list[Tensor]] = {}
        for batch in batches:
            sources = self.values([node.inputs[0] for node in nodes], *batch)
            for node, x in zip(nodes, sources, strict=True):
                rows = self.sums(node, x).flatten(0, -2).double()
                part = [torch.tensor(float(rows.shape[0])), rows.sum(0), rows.square().sum(0)]
                totals[node] = (
                    [a + b for a, b in zip(totals[node], part, strict=True)] if node in totals else part
                )
        result = {}
        for node, (count, total, squares) in totals.items():
            mean = total / count
            result[node] = (mean.float(), (squares / count - mean.square()).clamp_min(0).float())
        return result

    def normalise(
        self,
        batches: Sequence[Sequence[Tensor]],
        wanted: Mapping[Node, tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        """Puts a Norm into each normalisable contraction: in evaluation mode the net computes what it did before.

        wanted: mean (with bias) and variance that a node's results are to have instead, as before pruning; then
        contractions are measured and corrected one after the other, in order.
        """
        self.eval()
        for node in self.normalisable():
            mean, variance = self.moments([node], batches)[node]
            goal_mean, goal_variance = (mean + self.attr(node, "bias").detach(), variance)
            if wanted is not None and node in wanted:
                goal_mean, goal_variance = wanted[node]
            scale = torch.sqrt(goal_variance + EPSILON)
            self.norms[str(self.index[node])] = Norm(mean, variance, scale, goal_mean)

    # back

    @torch.no_grad()
    def to_graph(self) -> Graph:
        """The Graph with the weights as they are now, normalisation folded in."""
        arrays: dict[int, np.ndarray] = {
            key: self.weights[name].detach().cpu().numpy().copy() for key, name in self.names.items()
        }
        new: dict[Node, Node] = {}
        for node in self.order:
            attrs = {key: arrays.get(id(value), value) for key, value in node.attrs.items()}
            norm = self.norms[str(self.index[node])] if str(self.index[node]) in self.norms else None
            if isinstance(norm, Norm):
                factor = norm.factor().double()
                weight = torch.from_numpy(attrs["weight"]).double()
                folded = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
                attrs["weight"] = folded.float().numpy()
                attrs["bias"] = (norm.shift.double() - norm.mean.double() * factor).float().numpy()
            new[node] = replace(node, inputs=tuple(new[each] for each in node.inputs), attrs=attrs)
        return self.graph.mapped(new)


def trained_attrs(node: Node) -> tuple[str, ...]:
    if is_trained_constant(node):
        return ("value",)
    return tuple(name for name in TRAINED.get(node.op, ()) if node.attrs[name].dtype == np.float32)


def batch_of(arrays: Sequence[np.ndarray]) -> list[Tensor]:
    """Arrays [samples, *shape] as the tensors that forward takes."""
    return [torch.from_numpy(np.ascontiguousarray(each)) for each in arrays]
