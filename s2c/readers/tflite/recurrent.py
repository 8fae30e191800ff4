"""Readers of the .tflite ops that keep a state: LSTM, RNN and SVDF, unrolled over their steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import tflite

from s2c.ir import Node, constant
from s2c.layers import basic
from s2c.ops.integer import LIMITS, scale_of
from s2c.readers.tflite import integer
from s2c.readers.tflite.layer import Layer, Reader

MOST_STEPS = 1 << 12
LEAST_VARIANCE = 1e-8


def activated(layer: Layer, node: Node) -> Node:
    """With the fused activation, which may be a tanh here."""
    code = layer.option("FusedActivationFunction")
    if code != tflite.ActivationFunctionType.TANH:
        return layer.clamped(node)
    return basic.unary("tanh", node, layer.name)


@dataclass(frozen=True)
class Steps:
    """The rows of a sequence [steps, batch, inputs], and where its states stand among the op's inputs."""

    layer: Layer
    rows: Node
    reverse: bool = False

    def run(self, step: Callable[[Node], Node]) -> Node:
        """The results of all steps, [steps, batch, outputs]."""
        count = self.rows.type.shape[0]
        if count > MOST_STEPS:
            raise self.layer.error(f"at most {MOST_STEPS} steps", f"{count}", "feed the net piece by piece")
        results: dict[int, Node] = {}
        for time in range(count)[:: -1 if self.reverse else 1]:
            results[time] = step(row_of(self.layer, self.rows, time))
        return basic.stack([results[time] for time in range(count)], 0, self.layer.name)


def row_of(layer: Layer, rows: Node, time: int) -> Node:
    row = basic.narrow(rows, 0, time, 1, layer.name)
    return basic.reshape(row, rows.type.shape[1:], layer.name)


def sequence(layer: Layer, is_sequence: bool) -> Node:
    """The input as [steps, batch, inputs]."""
    source = layer.float_only()
    if len(source.type.shape) != (3 if is_sequence else 2):
        raise layer.error("an input of batch, steps and values", str(source.type), "reshape it")
    if not is_sequence:
        return basic.unsqueeze(source, 0, layer.name)
    return source if layer.option("TimeMajor") else basic.swap(source, 0, 1, layer.name)


def as_declared(layer: Layer, results: Node, is_sequence: bool) -> Node:
    """[steps, batch, outputs] in the layout of the input."""
    if not is_sequence:
        return basic.reshape(results, results.type.shape[1:], layer.name)
    return results if layer.option("TimeMajor") else basic.swap(results, 0, 1, layer.name)


def optional(layer: Layer, index: int, what: str) -> np.ndarray | None:
    return layer.reals(index, what) if layer.has(index) else None


def matrix(layer: Layer, index: int, what: str = "weights") -> np.ndarray:
    value = layer.reals(index, what)
    if value.ndim != 2:
        raise layer.error(f"{what} of two axes", str(list(value.shape)), "convert it again")
    return value


def biases(layer: Layer, index: int, outputs: int) -> np.ndarray | None:
    value = optional(layer, index, "biases")
    if value is not None and value.shape != (outputs,):
        raise layer.error(f"{outputs} biases", str(list(value.shape)), "convert it again")
    return value


# LSTM: the places of its weights among the inputs, counted from that of the first


@dataclass(frozen=True)
class Gate:
    """weight, recurrent [cells, inputs], bias, peephole and norm [cells], each None where there is none."""

    weight: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray
    peephole: np.ndarray | None
    norm: np.ndarray | None


@dataclass(frozen=True)
class Cell:
    """gates: input (None: 1 - forget), forget, cell, output."""

    gates: tuple[Gate | None, Gate, Gate, Gate]
    projection: np.ndarray | None
    projection_bias: np.ndarray | None


PEEPHOLES = (8, 9, None, 10)


def read_gate(layer: Layer, gate: int, first: int, norms: int | None) -> Gate | None:
    if not layer.has(first + gate):
        return None
    weight = matrix(layer, first + gate)
    recurrent = matrix(layer, first + 4 + gate, "recurrent weights")
    bias = optional(layer, first + 11 + gate, "biases")
    place = PEEPHOLES[gate]
    peephole = None if place is None else optional(layer, first + place, "peephole weights")
    norm = None if norms is None else optional(layer, norms + gate, "norm")
    if len(weight) != len(recurrent):
        found = f"{list(weight.shape)} and {list(recurrent.shape)}"
        raise layer.error("weights [cells, inputs] of a gate", found, "convert it again")
    if any(each is not None and each.shape != (len(weight),) for each in (bias, peephole, norm)):
        raise layer.error(f"{len(weight)} biases, peephole and norm weights", "others", "convert it again")
    zeros = np.zeros(len(weight), np.float32)
    return Gate(weight, recurrent, zeros if bias is None else bias, peephole, norm)


def read_cell(layer: Layer, first: int, norms: int | None) -> Cell:
    gates = [read_gate(layer, gate, first, norms) for gate in range(4)]
    _, forget, cell, output = gates
    if forget is None or cell is None or output is None:
        raise layer.error("weights of the forget, cell and output gates", "none", "convert it again")
    kept = [each for each in gates if each is not None]
    if len({(each.weight.shape, each.recurrent.shape) for each in kept}) > 1:
        raise layer.error("gates of one size", "others", "convert it again")
    if not layer.has(first + 15):
        return Cell((gates[0], forget, cell, output), None, None)
    projection = matrix(layer, first + 15, "projection")
    projection_bias = biases(layer, first + 16, len(projection))
    return Cell((gates[0], forget, cell, output), projection, projection_bias)


def lstm_pass(layer: Layer, rows: Node, cell: Cell, states: tuple[int, int], reverse: bool = False) -> Node:
    """One direction; what its states hold in the end stays in their variables. states: the places of the
    last result and the cell among the inputs."""
    name = layer.name
    values = [layer.float_only(place) for place in states]
    kept = [each for each in cell.gates if each is not None]
    weight, bias = (np.concatenate(each) for each in ([g.weight for g in kept], [gate_bias(g) for g in kept]))
    sums = basic.dense(rows, weight, bias, name)
    recurrent = np.concatenate([each.recurrent for each in kept])

    def step(row: Node) -> Node:
        h, c = values
        both = basic.add(row, basic.dense(h, recurrent, None, name), name)
        parts: list[Node | None] = list(basic.chunk(both, 1, len(kept), name))
        if cell.gates[0] is None:
            parts.insert(0, None)
        values[:] = lstm_step(layer, cell, parts, c)
        return values[0]

    results = Steps(layer, sums, reverse).run(step)
    for place, value in zip(states, values, strict=True):
        layer.keep(layer.operator, place, value)
    return results


def gate_bias(gate: Gate) -> np.ndarray:
    """A norm comes before its bias."""
    return gate.bias if gate.norm is None else np.zeros_like(gate.bias)


def lstm_step(layer: Layer, cell: Cell, parts: list[Node | None], c: Node) -> tuple[Node, Node]:
    """The next result and cell from the weighted sums of each gate."""
    name = layer.name
    first, forget_gate, new_gate, output_gate = cell.gates
    _, forget_sum, new_sum, output_sum = parts
    assert forget_sum is not None and new_sum is not None and output_sum is not None, name
    forget = basic.unary("sigmoid", gate_sum(layer, forget_gate, forget_sum, c), name)
    if first is None or parts[0] is None:
        take = basic.sub(1.0, forget, name)
    else:
        take = basic.unary("sigmoid", gate_sum(layer, first, parts[0], c), name)
    new = activated(layer, gate_sum(layer, new_gate, new_sum, c))
    c = basic.add(basic.mul(forget, c, name), basic.mul(take, new, name), name)
    c = clipped(layer, c, "CellClip")
    output = basic.unary("sigmoid", gate_sum(layer, output_gate, output_sum, c), name)
    h = basic.mul(output, activated(layer, c), name)
    if cell.projection is not None:
        h = clipped(layer, basic.dense(h, cell.projection, cell.projection_bias, name), "ProjClip")
    return h, c


def gate_sum(layer: Layer, gate: Gate, node: Node, c: Node) -> Node:
    """With the cell's own part, and normalized, where the gate has weights for that."""
    name = layer.name
    if gate.peephole is not None:
        node = basic.add(node, basic.mul(c, constant(gate.peephole, name), name), name)
    if gate.norm is None:
        return node
    centred = basic.sub(node, basic.mean(node, (1,), name), name)
    variance = basic.mean(basic.square(centred, name), (1,), name)
    inverse = basic.unary("rsqrt", basic.add(variance, LEAST_VARIANCE, name), name)
    scaled = basic.mul(basic.mul(centred, inverse, name), constant(gate.norm, name), name)
    return basic.add(scaled, constant(gate.bias, name), name)


def clipped(layer: Layer, node: Node, option: str) -> Node:
    limit = float(layer.option(option))
    return basic.clamp(node, -limit, limit, layer.name) if limit > 0 else node


def lstm(layer: Layer, is_sequence: bool) -> Node:
    if not is_sequence and layer.option("KernelType"):
        raise layer.error("the full kernel", "the basic one", "convert it with separate weights")
    rows = sequence(layer, is_sequence)
    results = lstm_pass(layer, rows, read_cell(layer, 1, 20 if len(layer.inputs) > 20 else None), (18, 19))
    return as_declared(layer, results, is_sequence)


def bidirectional_lstm(layer: Layer) -> Node | tuple[Node, ...]:
    if any(layer.has(index) for index in range(39, 48)):
        raise layer.error("no auxiliary input", "one", "concatenate it to the input")
    rows = sequence(layer, True)
    cells = [(read_cell(layer, 1, None), (35, 36), False), (read_cell(layer, 18, None), (37, 38), True)]
    return merged(layer, [lstm_pass(layer, rows, *each) for each in cells])


def merged(layer: Layer, results: list[Node]) -> Node | tuple[Node, ...]:
    """Both directions side by side, or as two outputs."""
    if layer.option("MergeOutputs"):
        return as_declared(layer, basic.concat(results, 2, layer.name), True)
    return tuple(as_declared(layer, each, True) for each in results)


# simple recurrent nets: input and recurrent weights, bias and state stand one after the other


def rnn_pass(layer: Layer, rows: Node, first: int, reverse: bool = False) -> Node:
    name = layer.name
    weight, recurrent = matrix(layer, first), matrix(layer, first + 1, "recurrent weights")
    bias = biases(layer, first + 2, len(weight))
    sums = basic.dense(rows, weight, bias, name)
    state = [layer.float_only(first + 3)]

    def step(row: Node) -> Node:
        state[0] = activated(layer, basic.add(row, basic.dense(state[0], recurrent, None, name), name))
        return state[0]

    results = Steps(layer, sums, reverse).run(step)
    layer.keep(layer.operator, first + 3, state[0])
    return results


def rnn(layer: Layer, is_sequence: bool) -> Node:
    return as_declared(layer, rnn_pass(layer, sequence(layer, is_sequence), 1), is_sequence)


def bidirectional_rnn(layer: Layer) -> Node | tuple[Node, ...]:
    if any(layer.has(index) for index in range(9, 12)):
        raise layer.error("no auxiliary input", "one", "concatenate it to the input")
    rows = sequence(layer, True)
    return merged(layer, [rnn_pass(layer, rows, 1), rnn_pass(layer, rows, 5, True)])


# SVDF: each filter's last values, weighted by time, summed over the filters of a unit


def svdf(layer: Layer) -> Node:
    source = layer.any(0)
    if len(source.type.shape) != 2:
        raise layer.error("an input of batch and values", str(source.type), "reshape it")
    if source.type.quant is not None:
        return integer_svdf(layer)
    name = layer.name
    feature, time = matrix(layer, 1, "feature weights"), matrix(layer, 2, "time weights")
    new = basic.dense(layer.float_only(), feature, None, name)
    memory = remembered(layer, new, time.shape)
    weighted = basic.mul(memory, constant(time, name), name)
    units = basic.total(by_unit(layer, weighted), (2,), name, keepdims=False)
    if layer.has(3):
        units = basic.add(units, constant(layer.reals(3, "biases"), name), name)
    return activated(layer, units)


def remembered(layer: Layer, new: Node, shape: tuple[int, ...]) -> Node:
    """The filters' values [batch, filters, steps] with the new ones last, which the state keeps."""
    batch, name = new.type.shape[0], layer.name
    filters, steps = shape
    state = layer.raw(4)
    if state.type.size != batch * filters * steps:
        raise layer.error(f"a state of {batch * filters * steps} values", str(state.type), "export it again")
    past = basic.reshape(state, (batch, filters, steps), name)
    column = basic.unsqueeze(new, 2, name)
    parts = [column] if steps == 1 else [basic.narrow(past, 2, 1, steps - 1, name), column]
    memory = basic.concat(parts, 2, name)
    flat = basic.reshape(memory, state.type.shape, name)
    quant = layer.any(4).type.quant
    layer.keep(layer.operator, 4, layer.make("reinterpret", flat, quant=quant) if quant else flat)
    return memory


def by_unit(layer: Layer, weighted: Node) -> Node:
    """[batch, units, values of all filters of a unit]."""
    batch, filters, steps = weighted.type.shape
    count = layer.integer("Rank")
    if filters % count:
        raise layer.error(f"filters in steps of {count}", f"{filters}", "export the model again")
    return basic.reshape(weighted, (batch, filters // count, count * steps), layer.name)


def integer_svdf(layer: Layer) -> Node:
    """int8 input and feature weights, int16 time weights and state."""
    name = layer.name
    kinds = [integer.quantized(layer, index).type for index in (0, 1, 2, 4)]
    own, feature_scale, time_scale, state_scale = (np.float32(scale_of(each)) for each in kinds)
    feature, time = (layer.array(index, "weights").astype(np.int32) for index in (1, 2))
    if feature.ndim != 2 or time.ndim != 2:
        found = f"{list(feature.shape)} and {list(time.shape)}"
        raise layer.error("feature and time weights of two axes", found, "convert it again")
    sums = basic.matmul(
        integer.centred(layer, layer.any(0)), constant(np.ascontiguousarray(feature.T), name), name
    )
    bound = int(np.abs(feature.astype(np.int64)).sum(axis=1).max()) * integer.reach(layer.any(0))
    ratio = float(own * feature_scale / state_scale)
    new = basic.cast(integer.rescaled(layer, sums, ratio, bound, LIMITS["i16"]), "i16", name)
    memory = basic.cast(remembered(layer, new, time.shape), "i32", name)
    weighted = basic.mul(memory, constant(time, name), name)
    units = basic.total(by_unit(layer, weighted), (2,), name, keepdims=False)
    reach = np.abs(time.astype(np.int64)).sum(axis=1).reshape(-1, layer.integer("Rank")).sum(axis=1) << 15
    if layer.has(3):
        bias = layer.array(3, "biases")
        units = basic.add(units, constant(bias, name), name)
        reach = reach + np.abs(bias.astype(np.int64))
    total = float(state_scale * time_scale / np.float32(scale_of(layer.quantized_result)))
    return integer.finished(layer, units, total, int(reach.max()))


RECURRENT: Mapping[str, Reader] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": Reader(bidirectional_lstm, "BidirectionalSequenceLSTMOptions"),
    "BIDIRECTIONAL_SEQUENCE_RNN": Reader(bidirectional_rnn, "BidirectionalSequenceRNNOptions"),
    "LSTM": Reader(partial(lstm, is_sequence=False), "LSTMOptions"),
    "RNN": Reader(partial(rnn, is_sequence=False), "RNNOptions"),
    "SVDF": Reader(svdf, "SVDFOptions"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Reader(
        partial(lstm, is_sequence=True), "UnidirectionalSequenceLSTMOptions"
    ),
    "UNIDIRECTIONAL_SEQUENCE_RNN": Reader(partial(rnn, is_sequence=True), "SequenceRNNOptions"),
}
