"""Runs a Graph in numpy, by the meaning that the op table gives to each node."""

from __future__ import annotations

import numpy as np

from s2c.ir import Graph, Node
from s2c.ops import OPS


def run(graph: Graph, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The outputs for one array per graph input, each of its input's shape and dtype."""
    values = trace(graph, *arrays)
    return tuple(values[each] for each in graph.outputs)


def trace(graph: Graph, *arrays: np.ndarray) -> dict[Node, np.ndarray]:
    """The value of every node."""
    values: dict[Node, np.ndarray] = {}
    for node, array in zip(graph.inputs, arrays, strict=True):
        assert array.shape == node.type.shape and array.dtype == node.type.numpy, (node.layer, array.shape)
        values[node] = array
    for node in graph.nodes():
        if node not in values:
            values[node] = OPS[node.op].eval(node, *(values[each] for each in node.inputs))
            assert values[node].shape == node.type.shape, (node.layer, values[node].shape, str(node.type))
            assert values[node].dtype == node.type.numpy, (node.layer, values[node].dtype, str(node.type))
    return values
