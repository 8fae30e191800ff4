"""Graphs as torch modules against the oracle: what the tests of s2c.train share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from graphs import same_array

from s2c import oracle
from s2c.ir import Graph, Node
from s2c.train.module import GraphModule, batch_of

SAMPLES = 3
TOLERANCE = 1e-4  # of the largest value
QUANTIZED = ("quantize", "dequantize", "requantize", "rescale", "recenter", "reinterpret")
Arrays = Sequence[np.ndarray]


def stacked(samples: Sequence[Arrays]) -> list[torch.Tensor]:
    return batch_of([np.stack(each) for each in zip(*samples, strict=True)])


def outputs_of(module: GraphModule, samples: Sequence[Arrays]) -> list[list[np.ndarray]]:
    """For each sample its outputs; one that depends on no input comes once for all."""
    with torch.no_grad():
        found = [each.numpy() for each in module(*stacked(samples))]
    return [[each[index if len(each) > 1 else 0] for each in found] for index in range(len(samples))]


def check(graph: Graph, samples: Sequence[Arrays], tolerance: float = 1e-5) -> None:
    """A module of the Graph, and the Graph that it gives back, equal the oracle for each sample."""
    module = GraphModule(graph).eval()
    for arrays, found in zip(samples, outputs_of(module, samples), strict=True):
        wanted = oracle.run(graph, *arrays)
        for node, a, b in zip(graph.outputs, wanted, found, strict=True):
            assert same_array(a, b, tolerance), (node.layer, dict(node.attrs), a, b)
    same_weights(module.graph, module.to_graph())


def same_weights(before: Graph, after: Graph) -> None:
    for a, b in zip(before.nodes(), after.nodes(), strict=True):
        assert (a.op, a.type, a.attrs.keys()) == (b.op, b.type, b.attrs.keys())
        for name, value in a.attrs.items():
            if isinstance(value, np.ndarray):
                assert b.attrs[name].dtype == value.dtype and b.attrs[name].tobytes() == value.tobytes(), name


def is_quantized(graph: Graph) -> bool:
    return any(node.op in QUANTIZED or node.type.quant is not None for node in graph.nodes())


def with_inputs(node: Node) -> Graph:
    """The Graph of a node and of all inputs that it depends on."""
    return Graph(tuple(each for each in Graph((), (node,)).nodes() if each.op == "input"), (node,))
