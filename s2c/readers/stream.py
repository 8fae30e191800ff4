"""Nets over a stream of samples: blocks of fixed length, and what is kept from one block to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from s2c import oracle
from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph, Node, State, Type, constant, input_node, state_node
from s2c.layers.basic import concat, dense, expand, narrow, transpose
from s2c.layers.convolution import conv
from s2c.layers.recurrent import FORWARD, SIGMOID, TANH, Weights
from s2c.layers.recurrent import gru as recurrent_gru
from s2c.layers.recurrent import lstm as recurrent_lstm
from s2c.layers.windows import Window

SAMPLES = "samples"
DEFAULT_SAMPLES = 64  # a block as small as audio hosts use
MOST_SAMPLES = 1 << 13
MOST_STEPS = 1 << 12  # of all recurrent layers together, which are unrolled
MOST_KEPT = 1 << 24  # elements of all states


def block_length(dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> int:
    """--dim samples; raises CompileError where it is out of range or another name is given."""
    problems = []
    for each in sorted(set(dims) - {SAMPLES}):
        problems.append(Problem("model", f"--dim {SAMPLES} alone", repr(each), f"correct --dim {each}"))
    for each in sorted(consts):
        problems.append(Problem("model", "no input that --const can bind", repr(each), "leave it out"))
    samples = int(dims.get(SAMPLES, DEFAULT_SAMPLES))
    if not 1 <= samples <= MOST_SAMPLES:
        wanted = f"--dim {SAMPLES} from 1 to {MOST_SAMPLES}"
        problems.append(Problem("model", wanted, str(samples), "choose another block"))
    if problems:
        raise CompileError(tuple(problems))
    return samples


class Stream:
    """The states of one net while its Graph is built. first: what the past of each layer holds in the first
    call, [1, 1, *rest] in order of use; zeros where not given."""

    def __init__(self, first: Sequence[np.ndarray] = ()) -> None:
        self.first = list(first)
        self.states: list[State] = []
        self.kept = 0
        self.steps = 0

    def with_past(self, x: Node, count: int, layer: str) -> Node:
        """x [1, samples, *rest] behind the last count samples of the calls before: [1, count + samples,
        *rest]."""
        _, samples, *rest = x.type.shape
        if count == 0:
            return x
        self.keep(count * int(np.prod(rest)), layer)
        value = self.first.pop(0) if self.first else np.zeros((), np.float32)
        line = state_node(np.broadcast_to(value, (1, count, *rest)).astype(np.float32), layer)
        window = concat((line, x), 1, layer)
        self.states.append(State(line, narrow(window, 1, samples, count, layer)))
        return window

    def keep(self, elements: int, layer: str) -> None:
        self.kept += elements
        if self.kept > MOST_KEPT:
            found = f"{self.kept} or more"
            raise error(layer, f"at most {MOST_KEPT} values kept between calls", found, "use a smaller net")

    def unroll(self, steps: int, layer: str) -> None:
        self.steps += steps
        if self.steps > MOST_STEPS:
            wanted = f"at most {MOST_STEPS} steps of recurrent layers in a call"
            raise error(layer, wanted, f"{self.steps} or more", f"set a shorter block with --dim {SAMPLES}=N")

    def convolution(
        self, x: Node, weight: np.ndarray, bias: np.ndarray | None, dilation: int, groups: int, layer: str
    ) -> Node:
        """Causal: x [1, samples, inputs], weight [outputs, taps, inputs of a group], the last tap on the
        newest sample."""
        outputs, taps, depth = weight.shape
        if taps == 1 and groups == 1:
            return dense(x, weight.reshape(outputs, depth), bias, layer)
        window = self.with_past(x, (taps - 1) * dilation, layer)
        geometry = Window((taps,), (1,), (dilation,), ((0, 0),))
        given = None if bias is None else constant(bias, layer)
        return conv(window, constant(weight, layer), given, geometry, groups, layer)

    def lstm(self, x: Node, weights: Weights, h: np.ndarray, c: np.ndarray, layer: str) -> Node:
        """x [1, samples, inputs], gates in the order of s2c.layers; h and c [hidden], of the first call."""
        old_h, old_c = (self.start(each, layer) for each in (h, c))
        self.unroll(x.type.shape[1], layer)
        steps = transpose(x, (1, 0, 2), layer)
        functions = (SIGMOID, TANH, TANH)
        y, new_h, new_c = recurrent_lstm(steps, weights, old_h, old_c, None, False, functions, FORWARD, layer)
        self.states += [State(old_h, new_h), State(old_c, new_c)]
        return transpose(y, (1, 0, 2), layer)

    def gru(self, x: Node, weights: Weights, h: np.ndarray, layer: str) -> Node:
        """As lstm; the reset gate scales what the recurrent weights give."""
        start = self.start(h, layer)
        self.unroll(x.type.shape[1], layer)
        steps = transpose(x, (1, 0, 2), layer)
        y, last = recurrent_gru(steps, weights, start, True, (SIGMOID, TANH), FORWARD, layer)
        self.states.append(State(start, last))
        return transpose(y, (1, 0, 2), layer)

    def start(self, value: np.ndarray, layer: str) -> Node:
        self.keep(value.size, layer)
        return state_node(value.reshape(1, -1), layer)


class Silence(Stream):
    """A stream in which nothing has ever changed: the past of each signal is its present. held: the signals
    whose past is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Node] = []

    def with_past(self, x: Node, count: int, layer: str) -> Node:
        if count == 0:
            return x
        self.keep(count * int(np.prod(x.type.shape[2:])), layer)
        self.held.append(x)
        return concat((expand(x, (1, count, *x.type.shape[2:]), layer), x), 1, layer)


Build = Callable[[Node, Stream], Node]


def stream_graph(build: Build, shape: tuple[int, ...], stream: Stream) -> Graph:
    """The Graph of what build makes of an input [1, samples, *rest]."""
    x = input_node("input", Type(shape, "f32"))
    y = build(x, stream)
    return Graph((x,), (y,), ("output",), tuple(stream.states))


def after_silence(build: Build, channels: int) -> Stream:
    """A stream whose first call finds what endless silence before it has left; for nets that forget."""
    silence = Silence()
    graph = stream_graph(build, (1, 1, channels), silence)
    values = oracle.trace(graph, np.zeros((1, 1, channels), np.float32))
    return Stream([values[each] for each in silence.held])
