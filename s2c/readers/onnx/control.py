"""ONNX control flow: branches chosen while reading or by a select, loops of known length unrolled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from onnx import GraphProto

from s2c.errors import error
from s2c.ir import Node
from s2c.layers.basic import narrow, reshape, stack
from s2c.ops import make
from s2c.readers.onnx.source import (
    Anything,
    Constant,
    Reader,
    Source,
    Unsigned,
    Value,
    axis_of,
    constant_node,
    given,
    number,
    refuse,
    required,
    stored_unsigned,
    tensor,
)

MOST_ITERATIONS = 1 << 12


def if_(source: Source) -> tuple[Anything, ...]:
    """One branch where the condition is constant; else both, and a select of their results."""
    condition = required(source, 0)
    branches = source.attrs["then_branch"], source.attrs["else_branch"]
    if isinstance(condition, Constant):
        return source.read_graph(branches[0 if condition.value.item() else 1], (), "")
    results = [source.read_graph(graph, (), "") for graph in branches]
    chosen = reshape(condition, (), source.layer)
    return tuple(selected(source, chosen, a, b) for a, b in zip(*results, strict=True))


def selected(source: Source, condition: Node, a: Anything, b: Anything) -> Value:
    both = [node_of(source.layer, each) for each in (a, b)]
    kinds = [each.type for each in both]
    if kinds[0].shape != kinds[1].shape or kinds[0].dtype != kinds[1].dtype:
        raise refuse(
            source,
            "a constant condition, or branches with results of one shape",
            f"{kinds[0]} and {kinds[1]}",
            "bind the inputs that the condition comes from with --const",
        )
    return make("where", (condition, *both), source.layer)


def node_of(layer: str, value: Anything) -> Node:
    if isinstance(value, Unsigned):
        return stored_unsigned(value)
    if isinstance(value, Constant):
        return constant_node(layer, value)
    if not isinstance(value, Node):
        raise error(layer, "a tensor", "a sequence or optional", "make the condition or trip count constant")
    return value


def is_true(source: Source, value: Anything) -> bool:
    if not isinstance(value, Constant):
        raise refuse(
            source,
            "control flow of known length: a Loop whose condition is constant",
            "a computed condition",
            "export the model with a fixed trip count",
        )
    return bool(value.value.item())


def loop(source: Source) -> tuple[Anything, ...]:
    """The body once for each iteration; carried values first, then the scanned ones, stacked."""
    body = source.attrs["body"]
    count = math.inf if given(source, 0) is None else int(number(source, 0, "trip count"))
    condition = required(source, 1) if given(source, 1) is not None else Constant(np.array(True))
    carried: tuple[Anything, ...] = tuple(each for each in source.inputs[2:] if each is not None)
    scanned: list[tuple[Anything, ...]] = []
    iteration = 0
    while iteration < count and is_true(source, condition):
        refuse_long(source, iteration + 1)
        place = Constant(np.array(iteration, np.int64))
        results = source.read_graph(body, (place, condition, *carried), f"[{iteration}]")
        first: Anything = results[0]
        condition = required_tensor(source, first)
        carried = results[1 : 1 + len(carried)]
        scanned.append(results[1 + len(carried) :])
        iteration += 1
    if not scanned and source.outputs > len(carried):
        do = "check the trip count and the condition"
        raise refuse(source, "a Loop of at least one iteration", "none, so that a result has no elements", do)
    columns = zip(*scanned, strict=True)
    return (*carried, *(stacked(source, column, 0) for column in columns))


def required_tensor(source: Source, value: Anything) -> Value:
    if not isinstance(value, (Node, Constant)):
        raise refuse(source, "a condition that is a tensor", type(value).__name__, "check the model")
    return value


def refuse_long(source: Source, iterations: int) -> None:
    if iterations > MOST_ITERATIONS:
        raise refuse(
            source,
            f"control flow of known length: at most {MOST_ITERATIONS} iterations",
            "more",
            "export the model with a fixed and smaller trip count",
        )


def stacked(source: Source, column: Sequence[Anything], axis: int) -> Value:
    """The results of all iterations along a new axis."""
    constants = [each.value for each in column if isinstance(each, Constant)]
    if len(constants) == len(column):
        return Constant(np.stack(constants, axis))
    nodes = [node_of(source.layer, each) for each in column]
    rank = len(nodes[0].type.shape) + 1
    return stack(nodes, axis_of(source, axis, rank), source.layer)


# Scan


def scan(source: Source) -> tuple[Anything, ...]:
    """The body once for each slice of the scanned inputs; in opset 8 for each element of a batch."""
    if source.opset < 9:
        return batched_scan(source)
    body, count = source.attrs["body"], int(source.attrs["num_scan_inputs"])
    values = [required(source, index) for index in range(len(source.inputs))]
    if not 1 <= count <= len(values):
        raise refuse(source, f"num_scan_inputs of 1 to {len(values)}", str(count), "check the model")
    states, inputs = values[: len(values) - count], values[len(values) - count :]
    axes = tuple(source.attrs.get("scan_input_axes", (0,) * count))
    turned = tuple(source.attrs.get("scan_input_directions", (0,) * count))
    outputs = len(body.output) - len(states)
    output_axes = tuple(source.attrs.get("scan_output_axes", (0,) * outputs))
    output_turned = tuple(source.attrs.get("scan_output_directions", (0,) * outputs))
    columns = [slices(source, *each) for each in zip(inputs, axes, turned, strict=True)]
    final, scanned = scan_body(source, body, states, columns)
    results = [
        stacked(source, column[::-1] if back else column, axis)
        for column, axis, back in zip(scanned, output_axes, output_turned, strict=True)
    ]
    return (*final, *results)


def slices(source: Source, value: Value, axis: int, turned: int) -> list[Value]:
    """A tensor's slices along an axis, without it."""
    node = value if isinstance(value, Node) else constant_node(source.layer, value)
    axis = axis_of(source, axis, len(node.type.shape))
    shape = node.type.shape
    rest = (*shape[:axis], *shape[axis + 1 :])
    refuse_long(source, shape[axis])
    parts: list[Value] = [
        reshape(narrow(node, axis, index, 1, source.layer), rest, source.layer)
        for index in range(shape[axis])
    ]
    return parts[::-1] if turned else parts


def scan_body(
    source: Source, body: GraphProto, states: Sequence[Value], columns: Sequence[Sequence[Value]]
) -> tuple[tuple[Anything, ...], list[list[Anything]]]:
    """The final states, and the results of all steps for each scanned output."""
    state: tuple[Anything, ...] = tuple(states)
    steps = []
    for index, slices_now in enumerate(zip(*columns, strict=True)):
        refuse_long(source, index + 1)
        results = source.read_graph(body, (*state, *slices_now), f"[{index}]")
        state = results[: len(states)]
        steps.append(results[len(states) :])
    return state, [list(column) for column in zip(*steps, strict=True)]


def batched_scan(source: Source) -> tuple[Anything, ...]:
    """Opset 8: sequence_lens, left out; then states and inputs of a batch, scanned along axis 1."""
    if given(source, 0) is not None:
        raise refuse(source, "no sequence_lens", "some", "export the model with opset 9 or newer")
    body, count = source.attrs["body"], int(source.attrs["num_scan_inputs"])
    nodes = [tensor(source, index) for index in range(1, len(source.inputs))]
    if not 1 <= count <= len(nodes):
        raise refuse(source, f"num_scan_inputs of 1 to {len(nodes)}", str(count), "check the model")
    turned = tuple(source.attrs.get("directions", (0,) * count))
    rows = []
    for row in range(nodes[0].type.shape[0]):
        parts = [slices(source, node, 0, 0)[row] for node in nodes]
        states, inputs = parts[: len(parts) - count], parts[len(parts) - count :]
        columns = [slices(source, each, 0, back) for each, back in zip(inputs, turned, strict=True)]
        final, scanned = scan_body(source, body, states, columns)
        rows.append((*final, *(stacked(source, column, 0) for column in scanned)))
    return tuple(stacked(source, column, 0) for column in zip(*rows, strict=True))


CONTROL: Mapping[str, Reader] = {"If": if_, "Loop": loop, "Scan": scan}
