"""What a net gives against what its teacher and the labels say, as one number to bring down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from s2c.ir import Graph, Node
from s2c.train.data import Samples
from s2c.train.heads import head_of, is_binary, logits_of
from s2c.train.module import GraphModule

TEMPERATURE = 4.0  # of Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"
LABELS = 0.5  # the share of the loss that is against labels or targets, where there are any
LEAST_VARIANCE = 1e-12


def compared_nodes(graph: Graph) -> tuple[Node, ...]:
    """What is compared of two nets, by output: the output, or the logits where it is shares of classes."""
    return tuple(logits_of(each) or each for each in graph.outputs)


def factors_of(graph: Graph) -> list[float]:
    """By output: what its head multiplies the logits by."""
    return [1.0 if each is None else each.attrs.get("beta", 1.0) for each in map(head_of, graph.outputs)]


def compared_values(module: GraphModule, inputs: Sequence[Tensor]) -> list[Tensor]:
    """By output [samples, *shape], logits in the unit of e, one for each class; of a net with states
    [samples, steps, *shape]."""
    values = node_values(module, inputs)
    outputs = module.graph.outputs
    return [
        as_rows(node, value * factor)
        for node, value, factor in zip(outputs, values, factors_of(module.graph), strict=True)
    ]


def as_rows(node: Node, value: Tensor) -> Tensor:
    """With a logit of 0 for the first of two classes before that of the second, where an output has one."""
    if not is_binary(node):
        return value
    logit = value.reshape(*value.shape[: value.ndim - len(node_shape(node))], 1)
    return torch.cat([torch.zeros_like(logit), logit], -1)


def node_shape(node: Node) -> tuple[int, ...]:
    """Of what is compared of an output."""
    return (logits_of(node) or node).type.shape


def given_values(node: Node, compared: Tensor) -> Tensor:
    """compared_values of an output to what the net gives."""
    if head_of(node) is None:
        return compared
    shares = torch.softmax(compared, -1)
    return shares[..., 1:] if is_binary(node) else shares


def node_values(module: GraphModule, inputs: Sequence[Tensor]) -> list[Tensor]:
    nodes = compared_nodes(module.graph)
    states = module.graph.states
    if not states:
        return module.values(nodes, *inputs)
    kept: list[Tensor] = []
    steps = []
    for step in range(inputs[0].shape[1]):
        wanted = (*nodes, *(each.next for each in states))
        values = module.values(wanted, *(each[:, step] for each in inputs), states=kept)
        steps.append(values[: len(nodes)])
        kept = values[len(nodes) :]
    return [torch.stack(each, 1) for each in zip(*steps, strict=True)]


@dataclass(frozen=True)
class Loss:
    """output: the first one. classes: by output, whether it tells classes apart; variances: of what the
    teacher gives, by output, so that an error has no unit; target_variance: of the targets, 1 for labels.
    """

    task: str
    output: Node
    classes: tuple[bool, ...]
    variances: tuple[float, ...]
    target_variance: float

    def __call__(
        self,
        found: Sequence[Tensor],
        taught: Sequence[Tensor],
        targets: Tensor | None,
        whole: Tensor | None = None,
    ) -> Tensor:
        """The mean over the samples of a batch, without unit. whole: which of them the targets are true of;
        None: all."""
        outputs = zip(found, taught, self.classes, self.variances, strict=True)
        distilled = torch.stack([distance(*each) for each in outputs]).mean()
        if targets is None or (whole is not None and not whole.any()):
            return distilled
        own, wanted = (found[0], targets) if whole is None else (found[0][whole], targets[whole])
        return LABELS * self.against(own, wanted) + (1 - LABELS) * distilled

    def against(self, found: Tensor, targets: Tensor) -> Tensor:
        if self.task == "classification":
            return functional.cross_entropy(last_rows(found, len(targets)), targets)
        given = given_values(self.output, found)
        return functional.mse_loss(given.reshape(targets.shape), targets) / self.target_variance


def last_rows(logits: Tensor, samples: int) -> Tensor:
    """[samples, classes]; of a net with states, what its last step gives."""
    return logits.reshape(samples, -1, logits.shape[-1])[:, -1]


def distance(
    found: Tensor, taught: Tensor, classes: bool, variance: float, temperature: float = TEMPERATURE
) -> Tensor:
    """Of logits the Kullback-Leibler divergence in units of the temperature squared, else the mean square in
    parts of the variance."""
    if not classes:
        return functional.mse_loss(found, taught) / variance
    wanted = torch.log_softmax(taught / temperature, -1).flatten(0, -2)
    guess = torch.log_softmax(found / temperature, -1).flatten(0, -2)
    return temperature**2 * functional.kl_div(guess, wanted, reduction="batchmean", log_target=True)


def make_loss(graph: Graph, samples: Samples, taught: Sequence[Tensor], targets: Tensor | None) -> Loss:
    """taught, targets: of some samples, for their variance."""
    classes = tuple(samples.task == "classification" or head_of(node) is not None for node in graph.outputs)
    spread = 1.0
    if targets is not None and samples.task != "classification":
        spread = variance_of(targets)
    return Loss(samples.task, graph.outputs[0], classes, tuple(map(variance_of, taught)), spread)


def variance_of(values: Tensor) -> float:
    return max(float(values.var(correction=0)), LEAST_VARIANCE)
