"""How good a net is on Samples: accuracy or mean squared error, and of which classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2c.ir import Graph, Node
from s2c.train.data import Samples
from s2c.train.heads import classes_of, is_softmax
from s2c.train.losses import compared_values, given_values, last_rows
from s2c.train.memory import sample_count, step_count
from s2c.train.module import GraphModule, batch_of

BATCH = 250


@dataclass(frozen=True, eq=False)
class Score:
    """kind: "accuracy", against labels; "agreement" with the teacher's classes; "error", the mean square of
    the difference to the targets, or to the teacher where there are none. Of a classifier, right and total
    count the samples of each class, predictions are the classes found [samples], and certainty [samples] is
    the probability that the net gives to the right one.
    """

    kind: str
    value: float
    right: tuple[int, ...] = ()
    total: tuple[int, ...] = ()
    predictions: np.ndarray | None = None
    certainty: np.ndarray | None = None


def measure(net: GraphModule | Graph, samples: Samples, teacher: GraphModule | Graph | None = None) -> Score:
    """teacher: needed where the samples have no targets. Raises CompileError for a Graph of integers."""
    module = module_of(net)
    taught = module_of(teacher) if teacher is not None and needs_teacher(samples) else None
    step = sample_count(module.graph, BATCH, step_count(module.graph, samples))
    parts = [samples.part(slice(start, start + step)) for start in range(0, len(samples), step)]
    scores = [
        score(module.graph, part, predict(module, part), None if taught is None else predict(taught, part))
        for part in parts
    ]
    return joined(scores, [len(part) for part in parts])


def module_of(net: GraphModule | Graph) -> GraphModule:
    return net if isinstance(net, GraphModule) else GraphModule(net)


def needs_teacher(samples: Samples) -> bool:
    return samples.targets is None and samples.task != "autoencoder"


def predict(module: GraphModule, samples: Samples) -> np.ndarray:
    """What is compared of the first output, logits where it is shares of classes: [samples, *shape]; of a net
    with states [samples, steps, *shape]. All samples pass the net at once."""
    was_training = module.training
    module.eval()
    with torch.no_grad():
        found: np.ndarray = compared_values(module, batch_of(samples.batch(slice(None))))[0].numpy()
    module.train(was_training)
    return found


def joined(scores: Sequence[Score], counts: Sequence[int]) -> Score:
    """Of parts, so many samples each, to that of all samples."""
    first = scores[0]
    if len(scores) == 1:
        return first
    total = sum(counts)
    if first.kind == "error":
        errors = [each.value * count for each, count in zip(scores, counts, strict=True)]
        return Score(first.kind, math.fsum(errors) / total)
    right = tuple(map(sum, zip(*(each.right for each in scores), strict=True)))
    return Score(
        first.kind,
        sum(right) / total,
        right,
        tuple(map(sum, zip(*(each.total for each in scores), strict=True))),
        np.concatenate([each.predictions for each in scores if each.predictions is not None]),
        np.concatenate([each.certainty for each in scores if each.certainty is not None]),
    )


def score(graph: Graph, samples: Samples, found: np.ndarray, taught: np.ndarray | None = None) -> Score:
    """found, taught: what a net and its teacher give for the samples, as `predict` returns it."""
    output = graph.outputs[0]
    if samples.task == "classification" or (
        samples.task == "distillation" and classes_of(graph) > 0 and is_softmax(output)
    ):
        return class_score(samples, torch.from_numpy(found), taught)
    wanted = samples.targets if taught is None else given(output, taught)
    if samples.task == "autoencoder":
        wanted = samples.inputs[0]
    assert wanted is not None, "a teacher is needed"
    return Score("error", mean_square(given(output, found), wanted))


def given(output: Node, found: np.ndarray) -> np.ndarray:
    values: np.ndarray = given_values(output, torch.from_numpy(found)).numpy()
    return values


def mean_square(found: np.ndarray, wanted: np.ndarray) -> float:
    total = 0.0
    for start in range(0, len(found), BATCH):
        part = found[start : start + BATCH].astype(np.float64)
        total += float(np.square(part - wanted[start : start + BATCH].reshape(part.shape)).sum())
    return total / found.size


def class_score(samples: Samples, found: Tensor, taught: np.ndarray | None) -> Score:
    logits = last_rows(found, len(samples))
    classes = logits.shape[-1]
    if samples.targets is not None:
        labels = torch.from_numpy(samples.targets)
    else:
        assert taught is not None, "a teacher is needed"
        labels = last_rows(torch.from_numpy(taught), len(samples)).argmax(-1)
    predictions = logits.argmax(-1)
    right = torch.bincount(labels[predictions == labels], minlength=classes)
    certainty = torch.softmax(logits, -1).gather(1, labels[:, None])[:, 0]
    return Score(
        "agreement" if samples.targets is None else "accuracy",
        float((predictions == labels).double().mean()),
        tuple(right.tolist()),
        tuple(torch.bincount(labels, minlength=classes).tolist()),
        predictions.numpy(),
        certainty.numpy(),
    )
