"""A classifier and samples to how much it believes in each class."""

from __future__ import annotations

import numpy as np
import torch

from s2c.ir import Graph
from s2c.train.data import Samples
from s2c.train.heads import head_of, is_binary
from s2c.train.module import GraphModule, batch_of

BATCH = 128


def confidences(graph: Graph, samples: Samples) -> np.ndarray:
    """Shares [samples, classes] that sum to 1, of the Graph's first output; of a net with states, after the
    last step. What is no softmax yet is made one."""
    module = GraphModule(graph).eval()
    rows = [slice(start, start + BATCH) for start in range(0, len(samples), BATCH)]
    with torch.no_grad():
        return np.concatenate([shares(module, samples.batch(each)) for each in rows])


def shares(module: GraphModule, arrays: list[np.ndarray]) -> np.ndarray:
    node = module.graph.outputs[0]
    output = last_output(module, batch_of(arrays))
    if is_binary(node):
        second = output.reshape(-1, 1)
        rows = torch.cat([1 - second, second], -1)
    else:
        rows = output.flatten(0, -2)
    if head_of(node) is None:
        rows = torch.softmax(rows, -1)
    found: np.ndarray = rows.double().numpy()
    return found


def last_output(module: GraphModule, inputs: list[torch.Tensor]) -> torch.Tensor:
    if not module.graph.states:
        return module(*inputs)[0]
    states: list[torch.Tensor] = []
    for step in range(inputs[0].shape[1]):
        outputs, states = module.step([each[:, step] for each in inputs], states)
    return outputs[0]
