"""Nets of one or two ops whose inputs and outputs are what data have to fit, and data."""

from __future__ import annotations

import numpy as np
from graphs import relu, single, tensor

from s2c.ir import Graph, Node, State, Type, input_node, state_node
from s2c.ops import make

CLASSES = 3
LABELS = np.arange(12) % CLASSES


def image_net() -> Graph:
    """f32[1,4,5,2] to the shares of three classes."""
    x = tensor("x", 1, 4, 5, 2)
    return single(make("softmax", (row_of(x),), "softmax", beta=1.0), x)


def binary_net() -> Graph:
    """The same input to the share of the second of two classes."""
    x = tensor("x", 1, 4, 5, 2)
    first = make("slice", (row_of(x),), "first", starts=(0, 0), steps=(1, 1), shape=(1, 1))
    return single(make("unary", (first,), "sigmoid", function="sigmoid"), x)


def row_of(x: Node) -> Node:
    """The first row of CLASSES elements."""
    flat = make("reshape", (x,), "flat", shape=(1, x.type.size))
    return make("slice", (flat,), "row", starts=(0, 0), steps=(1, 1), shape=(1, CLASSES))


def same_net() -> Graph:
    x = tensor("x", 1, 4)
    return single(relu(x, "r"), x)


def integer_net() -> Graph:
    x = input_node("ids", Type((1, 4), "i8"))
    return single(make("reshape", (x,), "r", shape=(4,)), x)


def two_inputs() -> Graph:
    a, b = tensor("a", 1, 3), tensor("b", 1, 3)
    return Graph((a, b), (make("add", (a, b), "sum"),))


def two_outputs() -> Graph:
    x = tensor("x", 1, 4)
    return Graph((x,), (relu(x, "r"), make("reshape", (x,), "s", shape=(4,))))


def binary_counter() -> Graph:
    """Whether there was more than nothing so far."""
    x = tensor("x", 1, 1)
    state = state_node(np.zeros((1, 1), np.float32), "state")
    total = make("add", (x, state), "total")
    share = make("unary", (total,), "sigmoid", function="sigmoid")
    return Graph((x,), (share,), states=(State(state, total),))


def counter() -> Graph:
    """Adds what it is given to what it was given before."""
    x = tensor("x", 1, 3)
    state = state_node(np.zeros((1, 3), np.float32), "state")
    total = make("add", (x, state), "total")
    return Graph((x,), (total,), states=(State(state, total),))


def images(count: int = 12, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, (count, 4, 5, 2)).astype(dtype)
