"""Runs a Graph in numpy, by the meaning that the op table gives to each node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from s2c.ir import Graph, Node
from s2c.ops import OPS

EMPTY: Mapping[Node, np.ndarray] = MappingProxyType({})
SMALLEST = np.finfo(np.float32).smallest_normal


Values = Mapping[Node, np.ndarray]


def run(graph: Graph, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The outputs of the first call, for one array per graph input, each of its input's shape and dtype."""
    values = trace(graph, *arrays)
    return tuple(values[each] for each in graph.outputs)


def run_sequence(graph: Graph, calls: Iterable[tuple[np.ndarray, ...]]) -> list[tuple[np.ndarray, ...]]:
    """The outputs of one call after the other."""
    states: Values = {}
    results = []
    for arrays in calls:
        values = trace(graph, *arrays, states=states)
        states = next_states(graph, values)
        results.append(tuple(values[each] for each in graph.outputs))
    return results


def next_states(graph: Graph, values: Values) -> Values:
    """What a call leaves to the next, by state node."""
    return {each.node: values[each.next] for each in graph.states}


def trace(graph: Graph, *arrays: np.ndarray, states: Values = EMPTY) -> dict[Node, np.ndarray]:
    """The value of every node. states: what the call before left; empty for the first call."""
    values: dict[Node, np.ndarray] = dict(states)
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
