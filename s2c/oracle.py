"""Runs a Graph in numpy, by the meaning that the op table gives to each node."""

from __future__ import annotations

import numpy as np

from s2c.ir import Graph, Node
from s2c.ops import OPS

SMALLEST = np.finfo(np.float32).smallest_normal


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
            values[node] = evaluate(node, *(values[each] for each in node.inputs))
            assert values[node].shape == node.type.shape, (node.layer, values[node].shape, str(node.type))
            assert values[node].dtype == node.type.numpy, (node.layer, values[node].dtype, str(node.type))
    return values


def evaluate(node: Node, *arrays: np.ndarray) -> np.ndarray:
    """The value of a node from those of its inputs: the float specification.

    An f32 op reads subnormals as zero, computes what the op table says, rounds once to float32, and gives
    zero for a subnormal result; zeros keep their sign. That is what FPUs do in the mode of
    kernels/c/lib/float_mode.h, in which no time depends on data. Integers are not touched.
    """
    return flush(OPS[node.op].eval(node, *map(flush, arrays)))


def flush(array: np.ndarray) -> np.ndarray:
    """Zero, of the same sign, in place of each subnormal float."""
    if array.dtype != np.float32:
        return array
    is_subnormal = (np.abs(array) < SMALLEST) & (array != 0)
    return np.where(is_subnormal, np.copysign(np.float32(0), array), array) if is_subnormal.any() else array
