"""ONNX LSTM, GRU and RNN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.activations import PARAMETRIC, Activation, activation
from s2c.layers.basic import chunk, concat, narrow, reshape, stack, swap
from s2c.layers.recurrent import Direction, Weights, gru, lstm, rnn
from s2c.readers.onnx.parameter import parameter
from s2c.readers.onnx.source import Reader, Source, Value, given, refuse, tensor
from s2c.readers.onnx.source import activation as float_input

DIRECTIONS: Mapping[str, tuple[bool, ...]] = {
    "forward": (False,),
    "reverse": (True,),
    "bidirectional": (False, True),
}
# Results [steps, batch, hidden] of one direction, and its last states.
Build = Callable[[Node, Weights, int, Direction], tuple[Node, ...]]


def recurrent(source: Source, order: Sequence[int], build: Build) -> tuple[Value, ...]:
    """Results and last states of all directions; order: which of ONNX's gates each of ours is."""
    layer = source.layer
    batch_first = bool(source.attrs.get("layout", 0))
    x = float_input(source)
    if len(x.type.shape) != 3:
        raise refuse(source, "an input of three axes", str(x.type), "reshape the input")
    x = swap(x, 0, 1, layer) if batch_first else x
    reverses = directions(source)
    check_parameters(source, x, len(reverses), len(order))
    lengths = None if given(source, 4) is None else tensor(source, 4)
    clip = source.attrs.get("clip")
    results = []
    for index, reverse in enumerate(reverses):
        direction = Direction(reverse, lengths, None if clip is None else float(clip))
        results.append(build(x, weights_of(source, index, order), index, direction))
    y, *states = (list(each) for each in zip(*results, strict=True))
    # [steps, directions, batch, hidden], or [batch, steps, directions, hidden]
    whole = stack([swap(each, 0, 1, layer) for each in y], 2, layer) if batch_first else stack(y, 1, layer)
    return (whole, *(stack(each, 1 if batch_first else 0, layer) for each in states))[: source.outputs]


def directions(source: Source) -> tuple[bool, ...]:
    name = source.attrs.get("direction", "forward")
    if name not in DIRECTIONS:
        raise refuse(source, f"a direction of {', '.join(DIRECTIONS)}", name, "check the layer's attributes")
    return DIRECTIONS[name]


def check_parameters(source: Source, x: Node, count: int, gates: int) -> None:
    """Raises where a parameter has not the shape that the input, the directions and the gates ask for."""
    _, batch, inputs = x.type.shape
    hidden = tensor(source, 2).type.shape[-1:]
    hidden_size = int(source.attrs.get("hidden_size", hidden[0] if hidden else 0))
    rows = gates * hidden_size
    state = (batch, count, hidden_size) if source.attrs.get("layout", 0) else (count, batch, hidden_size)
    shapes = (
        (1, (count, rows, inputs)),
        (2, (count, rows, hidden_size)),
        (3, (count, 2 * rows)),
        (4, (batch,)),
    )
    for index, wanted in (*shapes, (5, state), (6, state), (7, (count, 3 * hidden_size))):
        found = None if given(source, index) is None else tensor(source, index).type
        if found is not None and found.shape != wanted:
            do = "check the layer's weights and hidden_size"
            raise refuse(source, f"input {index} of shape {list(wanted)}", str(found), do)


def part(source: Source, index: int, direction: int) -> Node:
    """One direction of a parameter."""
    node = parameter(source, index)
    return reshape(narrow(node, 0, direction, 1, source.layer), node.type.shape[1:], source.layer)


def reordered(node: Node, order: Sequence[int], layer: str) -> Node:
    parts = chunk(node, 0, len(order), layer)
    return node if list(order) == sorted(order) else concat([parts[each] for each in order], 0, layer)


def weights_of(source: Source, direction: int, order: Sequence[int]) -> Weights:
    layer = source.layer
    first, second = (reordered(part(source, index, direction), order, layer) for index in (1, 2))
    if given(source, 3) is None:
        return Weights(first, second)
    biases = chunk(part(source, 3, direction), 0, 2, layer)
    return Weights(first, second, *(reordered(each, order, layer) for each in biases))


def state(source: Source, index: int, direction: int, x: Node, hidden: int) -> Node:
    """[batch, hidden] of an initial state, zeros where it is left out."""
    layer = source.layer
    if given(source, index) is None:
        return constant(np.zeros((x.type.shape[1], hidden), np.float32), layer)
    node = parameter(source, index)
    axis = 1 if source.attrs.get("layout", 0) else 0
    return reshape(narrow(node, axis, direction, 1, layer), (x.type.shape[1], hidden), layer)


def functions(source: Source, direction: int, defaults: Sequence[str]) -> list[Activation]:
    """Of one direction; activation_alpha and activation_beta hold values for those that take one."""
    count = len(defaults) * len(directions(source))
    chosen = [each.decode("utf-8", "replace").lower() for each in source.attrs.get("activations", ())]
    names = chosen or [*defaults] * len(directions(source))
    unknown = [each for each in names if each not in PARAMETRIC]
    if unknown or len(names) != count:
        raise refuse(
            source,
            f"{count} activations of {', '.join(sorted(PARAMETRIC))}",
            ", ".join(names),
            "check the layer's activations",
        )
    alphas = iter(source.attrs.get("activation_alpha", ()))
    betas = iter(source.attrs.get("activation_beta", ()))
    found = []
    for name in names:
        _, alpha, beta = PARAMETRIC[name]
        alpha = alpha if alpha is None else next(alphas, alpha)
        found.append(activation(name, alpha, beta if beta is None else next(betas, beta)))
    return found[direction * len(defaults) :][: len(defaults)]


def hidden_of(weights: Weights) -> int:
    return weights.recurrent.type.shape[-1]


def read_rnn(source: Source) -> tuple[Value, ...]:
    def build(x: Node, weights: Weights, index: int, direction: Direction) -> tuple[Node, ...]:
        h = state(source, 5, index, x, hidden_of(weights))
        (function,) = functions(source, index, ("tanh",))
        return rnn(x, weights, h, function, direction, source.layer)

    return recurrent(source, (0,), build)


def read_gru(source: Source) -> tuple[Value, ...]:
    """ONNX's gates are update, reset, new."""
    after = bool(source.attrs.get("linear_before_reset", 0))

    def build(x: Node, weights: Weights, index: int, direction: Direction) -> tuple[Node, ...]:
        h = state(source, 5, index, x, hidden_of(weights))
        chosen = functions(source, index, ("sigmoid", "tanh"))
        return gru(x, weights, h, after, chosen, direction, source.layer)

    return recurrent(source, (1, 0, 2), build)


def read_lstm(source: Source) -> tuple[Value, ...]:
    """ONNX's gates are input, output, forget, cell; its peepholes input, output, forget."""
    coupled = bool(source.attrs.get("input_forget", 0))

    def build(x: Node, weights: Weights, index: int, direction: Direction) -> tuple[Node, ...]:
        hidden = hidden_of(weights)
        h, c = (state(source, each, index, x, hidden) for each in (5, 6))
        peepholes = None
        if given(source, 7) is not None:
            into, out, forget = chunk(part(source, 7, index), 0, 3, source.layer)
            peepholes = (into, forget, out)
        chosen = functions(source, index, ("sigmoid", "tanh", "tanh"))
        return lstm(x, weights, h, c, peepholes, coupled, chosen, direction, source.layer)

    return recurrent(source, (0, 2, 3, 1), build)


RECURRENT: Mapping[str, Reader] = {
    "GRU": read_gru,
    "LSTM": read_lstm,
    "RNN": read_rnn,
}
