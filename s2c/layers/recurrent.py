"""LSTM, GRU and simple recurrent nets over a known number of steps, one direction at a time, unrolled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.activations import Activation, activation
from s2c.layers.basic import (
    add,
    cast,
    chunk,
    clamp,
    dense,
    is_constant,
    less,
    mul,
    narrow,
    reshape,
    split,
    stack,
    sub,
    unsqueeze,
    where,
)
from s2c.layers.limits import check_rounds
from s2c.ops import make

SIGMOID = activation("sigmoid")
TANH = activation("tanh")
States = tuple[Node, ...]
Rows = tuple[Node, ...]  # what the inputs of one step give to its gates, [batch, width] each
Step = Callable[[Rows, States], States]


@dataclass(frozen=True)
class Weights:
    """input [gates * hidden, inputs], recurrent [gates * hidden, hidden], biases [gates * hidden]; constant
    or computed."""

    input: Node
    recurrent: Node
    input_bias: Node | None = None
    recurrent_bias: Node | None = None


@dataclass(frozen=True)
class Direction:
    """reverse: from the last step to the first. lengths: [batch], of each sequence; its states then stay,
    and its results are 0. clip: bounds what goes into the activations of gates."""

    reverse: bool = False
    lengths: Node | None = None
    clip: float | None = None


FORWARD = Direction()


def linear(x: Node, weight: Node, bias: Node | None, layer: str) -> Node:
    """x [..., depth] times weight [outputs, depth] transposed, plus a bias."""
    if is_constant(weight) and (bias is None or is_constant(bias)):
        return dense(x, weight.attrs["value"], None if bias is None else bias.attrs["value"], layer)
    rows = reshape(x, (1, -1, x.type.shape[-1]), layer)
    y = make("batch_matmul", (rows, unsqueeze(weight, 0, layer)), layer, transpose=True)
    y = reshape(y, (*x.type.shape[:-1], weight.type.shape[0]), layer)
    return y if bias is None else add(y, bias, layer)


def both_biases(weights: Weights, layer: str) -> Node | None:
    a, b = weights.input_bias, weights.recurrent_bias
    if a is None or b is None:
        return b if a is None else a
    return add(a, b, layer)


def clipped(x: Node, clip: float | None, layer: str) -> Node:
    return x if clip is None else clamp(x, -clip, clip, layer)


def unroll(
    gates: Sequence[Node], states: States, step: Step, direction: Direction, layer: str
) -> tuple[Node, States]:
    """gates [steps, batch, width] each through step after step: the first state after each, [steps, batch,
    hidden], and the last states. From the end on, states wait for the end of their own sequence."""
    count = gates[0].type.shape[0]
    check_rounds(count, "steps", layer)
    results: dict[int, Node] = {}
    for time in range(count)[:: -1 if direction.reverse else 1]:
        rows = (reshape(narrow(each, 0, time, 1, layer), each.type.shape[1:], layer) for each in gates)
        after = step(tuple(rows), states)
        results[time] = after[0]
        running = is_running(direction.lengths, time, count, layer)
        if running is not None:
            results[time] = where(running, after[0], 0, layer)
            after = tuple(where(running, new, old, layer) for new, old in zip(after, states, strict=True))
        states = after
    return stack([results[time] for time in range(count)], 0, layer), states


def is_running(lengths: Node | None, time: int, count: int, layer: str) -> Node | None:
    """[batch, 1]: whether a sequence has this step; None where all have."""
    if lengths is None or (is_constant(lengths) and lengths.attrs["value"].min() >= count):
        return None
    column = reshape(cast(lengths, "i32", layer), (-1, 1), layer)
    return less(constant(np.full((), time, np.int32), layer), column, layer)


def rnn(
    x: Node, weights: Weights, h: Node, function: Activation, direction: Direction, layer: str
) -> tuple[Node, Node]:
    """x [steps, batch, inputs], h [batch, hidden]: results [steps, batch, hidden] and the last h."""
    gates = linear(x, weights.input, both_biases(weights, layer), layer)

    def step(rows: Rows, states: States) -> States:
        z = add(rows[0], linear(states[0], weights.recurrent, None, layer), layer)
        return (function(clipped(z, direction.clip, layer), layer),)

    y, (last,) = unroll((gates,), (h,), step, direction, layer)
    return y, last


def gru(
    x: Node,
    weights: Weights,
    h: Node,
    reset_after: bool,
    functions: Sequence[Activation],
    direction: Direction,
    layer: str,
) -> tuple[Node, Node]:
    """As rnn, with gates in the order reset, update, new: h' = (1 - update) * new + update * h.

    reset_after: the reset gate scales what the recurrent weights give, and not what goes into them.
    functions: of the first two gates, and of the new state."""
    gate, new = functions
    hidden = h.type.shape[-1]
    sizes = (2 * hidden, hidden)
    first, last = split(weights.recurrent, 0, sizes, layer)
    bias = weights.recurrent_bias if reset_after else None
    first_bias, last_bias = (None, None) if bias is None else split(bias, 0, sizes, layer)
    into = weights.input_bias if reset_after else both_biases(weights, layer)
    biases = (None, None) if into is None else split(into, 0, sizes, layer)
    kernels = split(weights.input, 0, sizes, layer)
    gates = [linear(x, *each, layer) for each in zip(kernels, biases, strict=True)]

    def step(rows: Rows, states: States) -> States:
        (old,) = states
        pair = clipped(add(rows[0], linear(old, first, first_bias, layer), layer), direction.clip, layer)
        reset, update = chunk(gate(pair, layer), 1, 2, layer)
        if reset_after:
            scaled = mul(reset, linear(old, last, last_bias, layer), layer)
        else:
            scaled = linear(mul(reset, old, layer), last, None, layer)
        fresh = new(clipped(add(rows[1], scaled, layer), direction.clip, layer), layer)
        return (add(fresh, mul(update, sub(old, fresh, layer), layer), layer),)

    y, (end,) = unroll(gates, (h,), step, direction, layer)
    return y, end


def lstm(
    x: Node,
    weights: Weights,
    h: Node,
    c: Node,
    peepholes: Sequence[Node] | None,
    coupled: bool,
    functions: Sequence[Activation],
    direction: Direction,
    layer: str,
) -> tuple[Node, Node, Node]:
    """As rnn, with gates in the order input, forget, cell, output, and the last c.

    peepholes: [hidden] weights of c in the input, forget and output gate. coupled: forget = 1 - input.
    functions: of the gates, of the cell's input and of its output."""
    gate, cell, output = functions
    gates = linear(x, weights.input, both_biases(weights, layer), layer)

    def peeked(z: Node, which: int, state: Node) -> Node:
        seen = z if peepholes is None else add(z, mul(state, peepholes[which], layer), layer)
        return gate(clipped(seen, direction.clip, layer), layer)

    def step(rows: Rows, states: States) -> States:
        old, kept = states
        z = add(rows[0], linear(old, weights.recurrent, None, layer), layer)
        into, keep, fresh, out = chunk(z, 1, 4, layer)
        into = peeked(into, 0, kept)
        keep = sub(1, into, layer) if coupled else peeked(keep, 1, kept)
        fresh = cell(clipped(fresh, direction.clip, layer), layer)
        state = add(mul(keep, kept, layer), mul(into, fresh, layer), layer)
        return mul(peeked(out, 2, state), output(state, layer), layer), state

    y, (last, last_c) = unroll((gates,), (h, c), step, direction, layer)
    return y, last, last_c
