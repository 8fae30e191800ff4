"""ONNX sequences and optionals, as tuples of values while reading; nothing of them is left in the Graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import concat, narrow, reshape
from s2c.readers.onnx.control import node_of, refuse_long, stacked
from s2c.readers.onnx.source import (
    Anything,
    Constant,
    Items,
    Nothing,
    Reader,
    Source,
    Value,
    axis_of,
    given,
    known,
    number,
    refuse,
    required,
    tensor,
)


def items(source: Source, index: int = 0) -> tuple[Value, ...]:
    value = source.inputs[index] if index < len(source.inputs) else None
    if not isinstance(value, Items):
        raise refuse(source, f"a sequence as input {index} of {source.op}", "none", "check the model")
    return value.values


def construct(source: Source) -> Anything:
    return Items(tuple(required(source, index) for index in range(len(source.inputs))))


def empty(source: Source) -> Anything:
    return Items(())


def length(source: Source) -> Anything:
    return Constant(np.array(len(items(source)), np.int64))


def position(source: Source, index: int, count: int, most: int) -> int:
    """A constant place in a sequence of `count` items, of 0 to `most`."""
    place = int(number(source, index, "position"))
    if not -count <= place <= most:
        raise refuse(source, f"a position in {count} items", str(place), "check the layer's position")
    return place % count if place < 0 else place


def at(source: Source) -> Anything:
    values = items(source)
    return values[position(source, 1, len(values), len(values) - 1)]


def insert(source: Source) -> Anything:
    values = list(items(source))
    count = len(values)
    place = count if given(source, 2) is None else position(source, 2, count, count)
    values.insert(place, required(source, 1))
    return Items(tuple(values))


def erase(source: Source) -> Anything:
    values = list(items(source))
    count = len(values)
    del values[count - 1 if given(source, 1) is None else position(source, 1, count, count - 1)]
    return Items(tuple(values))


def concat_from(source: Source) -> Anything:
    values = items(source)
    axis = int(source.attrs["axis"])
    if not values:
        raise refuse(source, "a sequence of at least one tensor", "an empty one", "check the model")
    if source.attrs.get("new_axis", 0):
        return stacked(source, values, axis)
    constants = [each.value for each in values if isinstance(each, Constant)]
    if len(constants) == len(values):
        return Constant(np.concatenate(constants, axis))
    nodes = [node_of(source.layer, each) for each in values]
    return concat(nodes, axis_of(source, axis, len(nodes[0].type.shape)), source.layer)


def split_to(source: Source) -> Anything:
    """Into parts of one size, but for the last, or of given sizes; without any of 1, as keepdims says."""
    x, layer = tensor(source, 0), source.layer
    axis = axis_of(source, int(source.attrs.get("axis", 0)), len(x.type.shape))
    extent = x.type.shape[axis]
    refuse_long(source, extent)
    sizes = [1] * extent
    keep = bool(source.attrs.get("keepdims", 1)) or given(source, 1) is not None
    if given(source, 1) is not None:
        split = known(source, 1, "split").value
        size = max(int(split.reshape(-1)[0]), 1)
        whole = [size] * (extent // size) + [extent % size] * bool(extent % size)
        sizes = whole if split.ndim == 0 else [int(each) for each in split]
    if sum(sizes) != extent or min(sizes) < 1:
        do = "check the layer's split"
        raise refuse(source, f"positive sizes that add up to {extent}", str(sizes), do)
    parts = []
    for index, size in enumerate(sizes):
        part = narrow(x, axis, sum(sizes[:index]), size, layer)
        rest = (*x.type.shape[:axis], *x.type.shape[axis + 1 :])
        parts.append(part if keep else reshape(part, rest, layer))
    return Items(tuple(parts))


def map_(source: Source) -> tuple[Anything, ...]:
    """The body for each place in the sequences; tensors beside the first are the same for all."""
    first = items(source)
    if not first:
        raise refuse(source, "a sequence of at least one tensor", "an empty one", "check the model")
    others = [value for value in source.inputs[1:] if value is not None]
    if any(isinstance(each, Items) and len(each.values) < len(first) for each in others):
        raise refuse(source, f"sequences of {len(first)} tensors", "a shorter one", "check the model")
    rows = []
    for index, value in enumerate(first):
        now = [each.values[index] if isinstance(each, Items) else each for each in others]
        rows.append(source.read_graph(source.attrs["body"], (value, *now), f"[{index}]"))
    columns = zip(*rows, strict=True)
    return tuple(Items(tuple(node_or_constant(source, each) for each in column)) for column in columns)


def node_or_constant(source: Source, value: Anything) -> Value:
    if not isinstance(value, (Node, Constant)):
        raise refuse(source, "tensors as results of the body", "another", "check the model")
    return value


def optional(source: Source) -> Anything:
    value = source.inputs[0] if source.inputs else None
    return Nothing() if value is None else value


def has_element(source: Source) -> Anything:
    return Constant(np.array(bool(source.inputs) and source.inputs[0] is not None))


def get_element(source: Source) -> Anything:
    value = source.inputs[0] if source.inputs else None
    if value is None:
        raise refuse(source, "an optional that holds a value", "an empty one", "check the model")
    return value


SEQUENCE: Mapping[str, Reader] = {
    "ConcatFromSequence": concat_from,
    "Optional": optional,
    "OptionalGetElement": get_element,
    "OptionalHasElement": has_element,
    "SequenceAt": at,
    "SequenceConstruct": construct,
    "SequenceEmpty": empty,
    "SequenceErase": erase,
    "SequenceInsert": insert,
    "SequenceLength": length,
    "SequenceMap": map_,
    "SplitToSequence": split_to,
}
