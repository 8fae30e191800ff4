"""The sweep's data files to what it is judged by."""

from __future__ import annotations

import numpy as np

from s2c.errors import error
from s2c.ir import Graph
from s2c.sweep.recipe import Sweep
from s2c.train.data import Samples, load_samples


def load_test(sweep: Sweep, graph: Graph) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Inputs as in the files, and what the outputs are compared with; raises CompileError. A distillation
    trains without y, but is measured by it.
    """
    task = "auto" if sweep.task == "distillation" else sweep.task
    samples = load_samples(sweep.test, graph, task)
    if samples.task == "autoencoder":
        return samples.inputs, samples.inputs[0].astype(np.float32)
    if samples.targets is None:
        do = "add y: a class for each sample, or the wanted output; or choose --task autoencoder"
        raise error(sweep.test[0].name, "test data with answers", "no array y", do)
    return samples.inputs, samples.targets


def load_training(sweep: Sweep, graph: Graph) -> Samples | None:
    """None where the sweep has no training data; raises CompileError."""
    return load_samples(sweep.data, graph, sweep.task, every_class=True) if sweep.data else None
