"""ATen's LSTM, GRU and simple recurrent nets: several layers, one or both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from s2c.ir import Node
from s2c.layers.activations import activation
from s2c.layers.basic import concat, narrow, reshape, stack, swap
from s2c.layers.recurrent import Direction, Weights, gru, lstm, rnn
from s2c.readers.torch.source import Reader, Source, Value, as_node, given, refuse

SIGMOID, TANH = activation("sigmoid"), activation("tanh")
States = tuple[Node, ...]

# (x [steps, batch, inputs], weights, states [batch, hidden], direction, layer) -> (results, last states)
Cell = Callable[[Node, Weights, States, Direction, str], tuple[Node, States]]


def lstm_cell(
    x: Node, weights: Weights, states: States, direction: Direction, layer: str
) -> tuple[Node, States]:
    functions = (SIGMOID, TANH, TANH)
    y, h, c = lstm(x, weights, states[0], states[1], None, False, functions, direction, layer)
    return y, (h, c)


def gru_cell(
    x: Node, weights: Weights, states: States, direction: Direction, layer: str
) -> tuple[Node, States]:
    y, h = gru(x, weights, states[0], True, (SIGMOID, TANH), direction, layer)
    return y, (h,)


def simple_cell(function: str) -> Cell:
    def cell(
        x: Node, weights: Weights, states: States, direction: Direction, layer: str
    ) -> tuple[Node, States]:
        y, h = rnn(x, weights, states[0], activation(function), direction, layer)
        return y, (h,)

    return cell


def row(states: Node, index: int, layer: str) -> Node:
    """One of [layers * directions, batch, hidden]."""
    return reshape(narrow(states, 0, index, 1, layer), states.type.shape[1:], layer)


def weights_of(source: Source, parameters: Sequence[Value], index: int) -> Weights:
    count = 4 if given(source, "has_biases") else 2
    own = parameters[index * count : (index + 1) * count]
    nodes = [as_node(source.layer, each) for each in own]
    return Weights(*nodes)


def recurrent(cell: Cell) -> Reader:
    """(results, last h[, last c]); a second direction's results lie behind those of the first."""

    def read(source: Source) -> tuple[Value, ...]:
        layer = source.layer
        hx = given(source, "hx")
        initial = [as_node(layer, each) for each in (hx if isinstance(hx, (list, tuple)) else [hx])]
        directions = 2 if given(source, "bidirectional") else 1
        parameters: Sequence[Value] = given(source, "params")
        count = 4 if given(source, "has_biases") else 2
        if len(parameters) != count * directions * given(source, "num_layers"):
            raise refuse(
                source, "cells without a projection", "proj_size", "project behind the layer with nn.Linear"
            )
        if given(source, "train") and given(source, "dropout"):
            raise refuse(source, "a net for inference", "dropout that trains", "call module.eval()")
        x = as_node(layer, given(source, "input"))
        x = swap(x, 0, 1, layer) if given(source, "batch_first") else x
        last: list[States] = []
        for depth in range(given(source, "num_layers")):
            results = []
            for way in range(directions):
                index = depth * directions + way
                states = tuple(row(each, index, layer) for each in initial)
                weights = weights_of(source, parameters, index)
                y, after = cell(x, weights, states, Direction(reverse=way == 1), layer)
                results.append(y)
                last.append(after)
            x = concat(results, 2, layer)
        finals = [stack(each, 0, layer) for each in zip(*last, strict=True)]
        return (swap(x, 0, 1, layer) if given(source, "batch_first") else x, *finals)

    return read


RECURRENT: Mapping[str, Reader] = {
    "aten.gru.input": recurrent(gru_cell),
    "aten.lstm.input": recurrent(lstm_cell),
    "aten.rnn_relu.input": recurrent(simple_cell("relu")),
    "aten.rnn_tanh.input": recurrent(simple_cell("tanh")),
}
