"""The sweep's data files to what it is judged by."""

from __future__ import annotations

import numpy as np

from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph
from s2c.sweep.recipe import Sweep
from s2c.train.data import Samples, load_samples


def load_test(sweep: Sweep, graph: Graph) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Inputs as in the files, and what the outputs are compared with; raises CompileError."""
    samples = load_samples(sweep.test, graph, sweep.task)
    if samples.task == "autoencoder":
        return samples.inputs, samples.inputs[0].astype(np.float32)
    if samples.targets is None:
        do = "add y: a class for each sample, or the wanted output; or choose --task autoencoder"
        raise error(sweep.test[0].name, "test data with answers", "no array y", do)
    return samples.inputs, samples.targets


def load_both(sweep: Sweep, graph: Graph) -> tuple[Samples | None, np.ndarray]:
    """The training data and the test set's answers; raises CompileError with what is wrong with either."""
    problems: list[Problem] = []
    training, answers = None, np.empty(0)
    try:
        training = load_samples(sweep.data, graph, sweep.task, every_class=True) if sweep.data else None
    except CompileError as problem:
        problems += problem.problems
    try:
        answers = load_test(sweep, graph)[1]
    except CompileError as problem:
        problems += problem.problems
    if problems:
        raise CompileError(tuple(problems))
    return training, answers
