"""A Graph as a torch module whose parameters are the Graph's weights, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node
from s2c.ops import OPS
from s2c.ops.clamp import bounds
from s2c.ops.core import LEAVES
from s2c.quantization.scales import CONTRACTIONS
from s2c.train.functions import TORCH, conv2d_sums, has_function
from s2c.train.norm import Norm, Sums, folded, matched

# The array attrs that are trained; a constant operand is trained where `is_trained_constant` says so.
TRAINED: Mapping[str, tuple[str, ...]] = {
    "batchnorm": ("scale", "shift"),
    "conv2d": ("weight", "bias"),
    "dense": ("weight", "bias"),
    "lookup": ("table",),
    "matmul": ("weight", "bias"),
    "prelu": ("alpha",),
}
Moments = dict[Node, tuple[Tensor, Tensor]]  # mean and variance by channel
Schedule = list[tuple[Node, list[Node]]]


def trainable(graph: Graph) -> Graph:
    """The Graph with source ops that torch has no function for lowered.

    Raises CompileError, for all nodes at once, where an op has neither and where a tensor is quantized.
    """

    def rule(node: Node, _uses: object) -> Node | None:
        if has_function(node) or node.op in LEAVES:
            return None
        lower = OPS[node.op].lower
        return lower(node) if lower else None

    while True:
        lowered = graph.rewrite(rule)
        if all(a is b for a, b in zip(lowered.results(), graph.results(), strict=True)):
            break
        graph = lowered
    problems = [each for node in graph.nodes() if (each := untrainable(node)) is not None]
    if problems := quantized(graph) or problems:
        raise CompileError(tuple(problems))
    return graph


def quantized(graph: Graph) -> list[Problem]:
    """One problem for all quantized tensors of a net, at the first of them."""
    found = [node for node in graph.nodes() if node.type.quant is not None]
    if not found:
        return []
    wanted = "a net of floats, to prune, retrain or quantize it"
    text = f"{len(found)} quantized tensors, {found[0].type} the first"
    return [Problem(found[0].layer, wanted, text, "start from the float model")]


def untrainable(node: Node) -> Problem | None:
    if has_function(node) or node.op in LEAVES:
        return None
    wanted = "ops that can be trained"
    return Problem(node.layer, wanted, node.op, "compile the net as it is, or rewrite the layer")


def is_trained_constant(node: Node) -> bool:
    """A table, filter or offset; not a mask of two values, a repeated number or a single one."""
    if node.op != "constant" or node.type.dtype != "f32" or node.type.size < 2:
        return False
    value = node.attrs["value"]
    return bool(np.isfinite(value).all() and len(np.unique(value)) > min(value.size - 1, 2))


class GraphModule(nn.Module):  # type: ignore[misc]
    """forward takes one tensor [samples, *shape] for each input of the Graph, and gives one for each output.

    States: values given in `states` stand for the Graph's state nodes; `step` gives the next ones too.
    """

    is_exact = False  # whether rounding more than float32 does would be wrong

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = trainable(graph)
        self.order = self.graph.nodes()
        self.weights = nn.ParameterDict()
        self.norms = nn.ModuleDict()
        self.names: dict[int, str] = {}  # of a trained array, by its identity
        self.fixed: dict[int, Tensor] = {}  # other arrays
        self.index = {node: index for index, node in enumerate(self.order)}
        self.schedules: dict[tuple[Node, ...], Schedule] = {}
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
        wanted = tuple(wanted)
        known: dict[Node, Tensor] = dict(zip(self.graph.inputs, inputs, strict=True))
        if states:
            known.update(zip((each.node for each in self.graph.states), states, strict=True))
        if wanted not in self.schedules:
            self.schedules[wanted] = lifetimes(wanted, frozenset(wanted))
        for node, done in self.schedules[wanted]:
            if node not in known:
                known[node] = self.value(node, [known[each] for each in node.inputs])
            for each in done:
                known.pop(each)
        return [known[each] for each in wanted]

    def value(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        if node.op in ("constant", "state"):
            return self.attr(node, "value").unsqueeze(0)
        norm = self.norm(node)
        if norm is not None:
            return self.normalised(node, norm, self.sums(node, inputs[0]))
        return TORCH[node.op](node, lambda name: self.attr(node, name), *inputs)

    def norm(self, node: Node) -> Norm | None:
        name = str(self.index[node])
        return self.norms[name] if name in self.norms else None  # noqa: SIM401 (ModuleDict has no get)

    # normalisation while training

    def normalised(self, node: Node, norm: Norm, sums: Tensor) -> Tensor:
        """The value of a normalised contraction, from its sums."""
        result: Tensor = norm(sums, *bounds(node))
        return result

    def sums(self, node: Node, x: Tensor) -> Tensor:
        """A contraction without bias and clamp, [samples, *shape]."""
        if node.op == "conv2d":
            return conv2d_sums(node, lambda name: self.attr(node, name), x, None)
        return functional.linear(x, self.attr(node, "weight"))

    def normalisable(self) -> list[Node]:
        """Contractions with weights of their own that others come after: not those whose results the caller
        reads, and not those that see states, whose first values say nothing about the next ones."""
        ids = [id(node.attrs["weight"]) for node in self.order if "weight" in node.attrs]
        stateful = {each.node for each in self.graph.states}
        for node in self.order:
            if not stateful.isdisjoint(node.inputs):
                stateful.add(node)
        before: set[Node] = set()
        for node in reversed(self.order):
            if node in before or node.op in CONTRACTIONS:
                before.update(node.inputs)
        return [
            node
            for node in self.order
            if node.op in CONTRACTIONS
            and node in before
            and node not in stateful
            and ids.count(id(node.attrs["weight"])) == 1
        ]

    def moments(self, nodes: Sequence[Node], batches: Iterable[Sequence[Tensor]]) -> Moments:
        """Mean and variance of each node's sums without bias, by channel, over all samples of the batches."""
        found: dict[Node, Sums] = {node: Sums() for node in nodes}
        with torch.no_grad():
            for batch in batches:
                sources = self.values([node.inputs[0] for node in nodes], *batch)
                for node, x in zip(nodes, sources, strict=True):
                    found[node].add(self.sums(node, x))
        return {node: each.moments() for node, each in found.items()}

    def normalise(
        self,
        batches: Sequence[Sequence[Tensor]],
        wanted: Moments | None = None,
        refit: Callable[[Node, Sequence[Tensor]], None] | None = None,
        ends: Sequence[Node] = (),
    ) -> None:
        """Puts a Norm into each normalisable contraction: evaluated, the net computes what it did before.

        wanted: mean (with bias) and variance that a node's results are to have instead, as before pruning.
        Each contraction is measured behind those before it, which are corrected already; all batches pass
        node by node, so that nothing is computed twice. refit: is given each contraction and its inputs, by
        batch, before that, and may change its weights. ends: contractions that are treated alike but for a
        Norm; their bias brings them to the wanted mean.
        """
        self.eval()
        targets = dict.fromkeys(self.normalisable())
        known: dict[Node, list[Tensor]] = {
            node: [batch[index] for batch in batches] for index, node in enumerate(self.graph.inputs)
        }
        with torch.no_grad():
            for node, done in lifetimes((*targets, *ends)):
                if refit is not None and (node in targets or node in ends):
                    refit(node, known[node.inputs[0]])
                if node in ends and wanted is not None:
                    self.shift(node, known[node.inputs[0]], wanted[node][0])
                if node in targets:
                    known[node] = self.matched(node, known[node.inputs[0]], (wanted or {}).get(node))
                elif node not in known:
                    known[node] = [
                        self.value(node, [known[each][index] for each in node.inputs])
                        for index in range(len(batches))
                    ]
                for each in done:
                    known.pop(each)

    def matched(
        self, node: Node, inputs: Sequence[Tensor], goal: tuple[Tensor, Tensor] | None
    ) -> list[Tensor]:
        """A contraction's values for several batches, once it has got its Norm."""
        sums = [self.sums(node, x) for x in inputs]
        norm = matched(sums, self.attr(node, "bias"), goal)
        self.norms[str(self.index[node])] = norm
        return [self.normalised(node, norm, each) for each in sums]

    def shift(self, node: Node, inputs: Sequence[Tensor], mean: Tensor) -> None:
        """Brings a contraction's results to a mean by its bias."""
        found = Sums()
        for each in inputs:
            found.add(self.sums(node, each))
        self.attr(node, "bias").copy_(mean - found.moments()[0])

    # back

    def settings(self) -> str:
        """What its values depend on beside the Graph and the weights."""
        return ""

    def to_graph(self) -> Graph:
        """The Graph with the weights as they are now, normalisation folded in."""
        arrays: dict[int, np.ndarray] = {
            key: self.weights[name].detach().cpu().numpy().copy() for key, name in self.names.items()
        }
        new: dict[Node, Node] = {}
        for node in self.order:
            attrs = {key: arrays.get(id(value), value) for key, value in node.attrs.items()}
            norm = self.norm(node)
            if norm is not None:
                attrs["weight"], attrs["bias"] = folded(norm, attrs["weight"])
            new[node] = replace(node, inputs=tuple(new[each] for each in node.inputs), attrs=attrs)
        return self.graph.mapped(new)


def lifetimes(roots: tuple[Node, ...], keep: frozenset[Node] = frozenset()) -> Schedule:
    """Nodes in order, each with the inputs that nothing after it needs; those of keep are always needed."""
    nodes = Graph((), roots).nodes()
    last = {each: node for node in nodes for each in node.inputs if each not in keep}
    done: dict[Node, list[Node]] = {node: [] for node in nodes}
    for each, node in last.items():
        done[node].append(each)
    return list(done.items())


def trained_attrs(node: Node) -> tuple[str, ...]:
    if is_trained_constant(node):
        return ("value",)
    return tuple(name for name in TRAINED.get(node.op, ()) if node.attrs[name].dtype == np.float32)


def batch_of(arrays: Sequence[np.ndarray]) -> list[Tensor]:
    """Arrays [samples, *shape] as the tensors that forward takes."""
    return [torch.from_numpy(np.ascontiguousarray(each)) for each in arrays]
