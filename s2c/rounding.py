"""The oracle with each rounding made once more, elsewhere: how far rounding alone may move a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from s2c import oracle
from s2c.compare import TOLERANCE, Comparison, compare
from s2c.ir import Graph, Node
from s2c.ops.core import LEAVES

SEED = 2
SAMPLES = 4
HALF_STEP = 2.0**-24  # of float32, relative
SUMS = frozenset({"average_pool", "batch_matmul", "conv2d", "dense", "matmul", "reduce"})
SUMMING = ("mean", "sum")  # of the functions of reduce


def compare_outputs(
    graph: Graph,
    arrays: Sequence[np.ndarray],
    values: oracle.Values,
    states: oracle.Values,
    found: Sequence[np.ndarray],
    moved: Sequence[oracle.Values],
) -> tuple[Comparison, ...]:
    """values: the oracle's, after states; found: the program's outputs; moved: values of the oracle where it
    rounded again, which are computed here, where they are needed, if there are none."""
    wanted = outputs_of(graph, values)
    comparisons = tuple(map(compare, wanted, found))
    if all(each.difference <= TOLERANCE * each.largest for each in comparisons):
        return comparisons
    source = np.random.default_rng(SEED)
    if not moved:
        moved = [trace_rounding_again(graph, arrays, states, source) for _ in range(SAMPLES)]
    for other in moved:
        differences = [each.difference for each in map(compare, wanted, outputs_of(graph, other))]
        comparisons = tuple(
            replace(each, sensitivity=max(each.sensitivity, difference))
            for each, difference in zip(comparisons, differences, strict=True)
        )
    return comparisons


def outputs_of(graph: Graph, values: oracle.Values) -> tuple[np.ndarray, ...]:
    return tuple(values[each] for each in graph.outputs)


def trace_rounding_again(
    graph: Graph, arrays: Sequence[np.ndarray], states: oracle.Values, source: np.random.Generator
) -> oracle.Values:
    """Monte Carlo arithmetic (Parker, 1997): each float of the oracle becomes a neighbour, and that of a sum
    moves by what one rounding on the way may make: half a step of the sum of the terms' magnitudes."""
    values = {**states, **dict(zip(graph.inputs, arrays, strict=True))}
    with np.errstate(all="ignore"):
        for node in graph.nodes():
            if node not in values:
                operands = tuple(values[each] for each in node.inputs)
                exact = oracle.evaluate(node, *operands)
                moved = exact if node.op in LEAVES else round_again(exact, source)
                values[node] = move_sum(node, operands, moved, source)
    return values


def move_sum(
    node: Node, arrays: Sequence[np.ndarray], value: np.ndarray, source: np.random.Generator
) -> np.ndarray:
    if node.op not in SUMS or value.dtype != np.float32 or node.attrs.get("function", "sum") not in SUMMING:
        return value
    weights = {name: np.abs(node.attrs[name]) for name in ("weight", "bias") if name in node.attrs}
    attrs = {key: each for key, each in node.attrs.items() if key not in ("lo", "hi")}
    magnitudes = oracle.evaluate(replace(node, attrs={**attrs, **weights}), *map(np.abs, arrays))
    step = source.choice(np.array([-HALF_STEP, HALF_STEP], np.float32), value.shape)
    return np.asarray(value + step * magnitudes, np.float32)


def round_again(array: np.ndarray, source: np.random.Generator) -> np.ndarray:
    if array.dtype != np.float32:
        return array
    ends = source.choice(np.array([-np.inf, np.inf], np.float32), array.shape)
    return np.asarray(np.nextafter(array, ends))
