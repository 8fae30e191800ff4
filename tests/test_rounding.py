"""How far verify lets a float differ: by what rounding may do on the way, and by no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from graphs import GEOMETRY, single, tensor

from s2c import oracle
from s2c.compare import TOLERANCE, Comparison
from s2c.ir import Graph, Node, State, Type, constant, input_node, state_node
from s2c.ops import make
from s2c.rounding import HALF_STEP, compare_outputs, trace_rounding_again
from s2c.verify import ROUNDINGS, Claim, Run, outputs_claim, try_inputs

STEP = 2 * HALF_STEP  # from one float32 to the next, relative, at most
TERMS = np.array([1e6, -1e6, 1.0], np.float32)  # their sum is 1
MAGNITUDE = float(np.abs(TERMS).sum())


def dense() -> Node:
    weight, bias = np.ones((1, 3), np.float32), np.zeros(1, np.float32)
    return make("dense", (tensor("x", 1, 3),), "sum", weight=weight, bias=bias)


def batch_matmul() -> Node:
    ones = constant(np.ones((1, 3, 1), np.float32), "ones")
    return make("batch_matmul", (tensor("x", 1, 1, 3), ones), "sum", transpose=False)


def conv2d() -> Node:
    weight, bias = np.ones((1, 1, 3, 1), np.float32), np.zeros(1, np.float32)
    return make("conv2d", (tensor("x", 1, 1, 3, 1),), "sum", weight=weight, bias=bias, groups=1, **GEOMETRY)


def reduce() -> Node:
    return make("reduce", (tensor("x", 1, 3),), "sum", function="sum", axes=(1,), keepdims=True)


SUMS: dict[str, Callable[[], Node]] = {
    "batch_matmul": batch_matmul,
    "conv2d": conv2d,
    "dense": dense,
    "reduce": reduce,
}


def summing(name: str, terms: np.ndarray) -> tuple[Graph, np.ndarray]:
    """A graph with that sum and its input."""
    result = SUMS[name]()
    x = result.inputs[0]
    return Graph((x,), (result,)), terms.reshape(x.type.shape)


def powers() -> Graph:
    """Ten products in a row."""
    x = y = tensor("x", 1, 8)
    for index in range(10):
        y = make("mul", (y, x), f"power {index + 2}")
    return Graph((x,), (y,))


def moved_outputs(graph: Graph, array: np.ndarray, count: int = 50) -> np.ndarray:
    source = np.random.default_rng(0)
    samples = [trace_rounding_again(graph, (array,), {}, source) for _ in range(count)]
    return np.array([each[graph.outputs[0]] for each in samples], np.float64)


def allowance(graph: Graph, array: np.ndarray) -> Comparison:
    """Of an output so wrong that verify asks what rounding does."""
    values = oracle.trace(graph, array)
    return compare_outputs(graph, (array,), values, {}, (values[graph.outputs[0]] + np.float32(1e9),), ())[0]


def claim_of(graph: Graph, array: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> Claim:
    """What verify says of a program that gives a changed output."""
    values = oracle.trace(graph, array)
    found = np.asarray(change(values[graph.outputs[0]]), np.float32)
    return outputs_claim([Run("a", True, compare_outputs(graph, (array,), values, {}, (found,), ()))])


@pytest.mark.parametrize("name", SUMS)
def test_a_cancelling_sum_moves_by_the_magnitude_of_its_terms(name: str) -> None:
    graph, array = summing(name, TERMS)
    assert oracle.run(graph, array)[0].item() == 1
    unit = MAGNITUDE * HALF_STEP
    distances = np.abs(moved_outputs(graph, array) - 1)
    assert 0.9 * unit < distances.min() and distances.max() < 1.1 * unit
    assert claim_of(graph, array, lambda y: y + 0.9 * ROUNDINGS * unit).failures == ()
    assert claim_of(graph, array, lambda y: y + 1.1 * ROUNDINGS * unit).status == "failed"


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_that_does_not_cancel_stays_tight(name: str) -> None:
    graph, array = summing(name, np.abs(TERMS))
    distances = np.abs(moved_outputs(graph, array) / MAGNITUDE - 1)
    assert 0 < distances.max() <= 2 * STEP


def test_a_chain_of_products_stays_tight() -> None:
    graph = powers()
    array = np.linspace(0.9, 1.1, 8, dtype=np.float32)[None]
    wanted = oracle.run(graph, array)[0].astype(np.float64)
    distances = np.abs(moved_outputs(graph, array) / wanted - 1)
    assert 0 < distances.max() <= 10 * STEP * 1.01
    assert ROUNDINGS * allowance(graph, array).sensitivity <= ROUNDINGS * 10.1 * STEP * wanted.max()
    assert claim_of(graph, array, lambda y: y * (1 + TOLERANCE / 2)).status == "tested"


NETS = {"powers": powers(), **{name: summing(name, TERMS)[0] for name in SUMS}}


@pytest.mark.parametrize("name", NETS)
def test_a_wrong_value_still_fails(name: str) -> None:
    kind = NETS[name].inputs[0].type
    array = np.linspace(0.9, 1.1, kind.size, dtype=np.float32).reshape(kind.shape)
    claim = claim_of(NETS[name], array, lambda y: y * np.float32(1.001))
    assert claim.status == "failed"
    assert claim.failures == ("input 'a', output 0: the largest error is 0.001",)


def test_integers_and_leaves_do_not_move() -> None:
    graph = single(make("cast", (tensor("x", 1, 3),), "cast", dtype="i32"))
    graph = Graph(graph.inputs, (*graph.outputs, constant(TERMS, "terms")))
    array = np.array([[1.5, -2.5, 3.5]], np.float32)
    moved = trace_rounding_again(graph, (array,), {}, np.random.default_rng(0))
    for node in graph.nodes():
        np.testing.assert_array_equal(moved[node], oracle.trace(graph, array)[node])


# states


def integrator() -> Graph:
    x = input_node("x", Type((1,), "f32"))
    total = state_node(np.zeros(1, np.float32), "total")
    following = make("add", (total, x), "following")
    return Graph((x,), (following,), (), (State(total, following),))


class Integrator:
    """A program whose first sum is wrong by some float32 steps. A class, because it has a state."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.total = np.zeros(1, np.float32)

    def start(self, count_calls: bool) -> Any:
        return nullcontext()

    def run(
        self, process: None, arrays: Sequence[np.ndarray]
    ) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
        self.total = self.total + arrays[0]
        for _ in range(self.steps):
            self.total = np.nextafter(self.total, np.float32(np.inf))
        self.steps = 0
        return (self.total,), {}


def claim_on_a_sequence(steps: int) -> Claim:
    """The large sum of the first call cancels in the second; all later calls keep what is left."""
    sequence = [1000.3, -1000.0, 0.0, 0.0, 0.0]
    inputs = [(f"random {index}", (np.array([x], np.float32),)) for index, x in enumerate(sequence)]
    program: Any = Integrator(steps)
    return outputs_claim(try_inputs(program, integrator(), inputs, lambda each: each))


def test_what_rounding_moves_is_carried_by_states() -> None:
    assert claim_on_a_sequence(0).evidence == "5 inputs, equal to the bit"
    rounded = claim_on_a_sequence(1)
    assert rounded.failures == () and len(rounded.unproved) == 4
    assert all("which rounding alone may cause here" in text for text in rounded.unproved)
    wrong = claim_on_a_sequence(30)
    assert len(wrong.failures) == 4 and "largest error" in wrong.failures[0]
