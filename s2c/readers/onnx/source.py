"""One node of an ONNX model with its inputs read, and what its reader may ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto

from s2c.errors import CompileError, error
from s2c.ir import DTYPES, Node, Quant, constant
from s2c.ops import make
from s2c.ops.core import MOST_AXES

OWN_DOMAINS = ("", "ai.onnx")
INTEGERS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")


@dataclass(frozen=True)
class Constant:
    """An array known while reading; with `quant` it is an int8 array, dequantized.

    element: the model's element type, where the array has a wider one (file.WIDENED, float16).
    """

    value: np.ndarray
    quant: Quant | None = None
    element: int = 0


Value = Node | Constant


@dataclass(frozen=True)
class Unsigned:
    """A quantized uint8 tensor: node is int8, with 128 subtracted from values and zero point."""

    node: Node


@dataclass(frozen=True)
class Items:
    """A sequence of tensors, of known length."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Nothing:
    """An optional input left out of a function's call, or an empty optional."""


Anything = Value | Unsigned | Items | Nothing
Result = Anything | tuple[Anything, ...]
ReadGraph = Callable[[GraphProto, Sequence[Anything], str], tuple[Anything, ...]]


def no_graph(graph: GraphProto, inputs: Sequence[Anything], suffix: str) -> tuple[Anything, ...]:
    raise AssertionError("a node without a scope has no graphs")


@dataclass(frozen=True)
class Source:
    """inputs: None stands for an optional input left out. outputs: how many the node names.

    read_graph: the outputs of a graph among the attributes, for values of its inputs; the suffix tells its
    layers from those of the same graph read again.
    """

    layer: str
    op: str
    opset: int
    attrs: Mapping[str, Any]
    inputs: tuple[Anything | None, ...]
    outputs: int
    read_graph: ReadGraph = no_graph


Reader = Callable[[Source], Result]


def refuse(source: Source, wanted: str, found: str, do: str) -> CompileError:
    return error(source.layer, wanted, found, do)


def of_unknown_shape(layer: str, op: str) -> CompileError:
    do = "mask the values with Where, or bind the inputs that it comes from with --const"
    return error(layer, "results of a fixed shape", f"{op} of computed values", do)


def given(source: Source, index: int) -> Value | None:
    """An input as a tensor, quantized uint8 as what the model calls its values; None where it is left out."""
    value = source.inputs[index] if index < len(source.inputs) else None
    if isinstance(value, Items):
        raise refuse(source, f"a tensor as input {index} of {source.op}", "a sequence", "check the model")
    if isinstance(value, Unsigned):
        return stored_unsigned(value)
    return None if isinstance(value, Nothing) else value


def stored_unsigned(value: Unsigned) -> Node:
    """int8 values as uint8, 128 higher."""
    layer = value.node.layer
    wide = make("cast", (value.node,), layer, dtype="i32")
    moved = make("binary", (wide, constant(np.full((), 128, np.int32), layer)), layer, function="add")
    return make("cast", (moved,), layer, dtype="u8")


def required(source: Source, index: int) -> Value:
    value = given(source, index)
    if value is None:
        raise refuse(source, f"an input {index} of {source.op}", "none", "export the model again")
    return value


def tensor(source: Source, index: int) -> Node:
    """An input as a node of any dtype that a Graph has."""
    value = required(source, index)
    return value if isinstance(value, Node) else constant_node(source.layer, value)


def activation(source: Source, index: int = 0) -> Node:
    """An input as a float node."""
    node = tensor(source, index)
    if node.type.dtype != "f32":
        raise refuse(
            source,
            f"a float32 input of {source.op}",
            str(node.type),
            "cast or dequantize the input before it",
        )
    return node


def constant_node(layer: str, value: Constant) -> Node:
    array = value.value
    if array.dtype not in DTYPES.values():
        raise error(
            layer,
            f"a constant of one of {', '.join(DTYPES)}",
            str(array.dtype),
            "cast the constant to float32",
        )
    if not array.size:
        do = "export the model without it"
        raise error(layer, "tensors of at least one element", f"one of shape {list(array.shape)}", do)
    if array.dtype == np.float64:
        raise error(
            layer, "a constant of another type than float64", "float64", "export the model in float32"
        )
    if value.quant is None or value.quant.axis is not None:
        return constant(array, layer)
    stored = np.rint(array / np.float32(value.quant.scale[0])) + value.quant.zero
    return make("dequantize", (constant(stored.astype(np.int8), layer, value.quant),), layer)


def scalar_node(source: Source, value: float) -> Node:
    return constant(np.full((), value, np.float32), source.layer)


def known(source: Source, index: int, what: str) -> Constant:
    """An input that must be a constant."""
    value = required(source, index)
    if isinstance(value, Node):
        raise refuse(
            source,
            f"constant {what} of {source.op}",
            f"a computed tensor {value.type}",
            "make it an initializer, or bind the input that it comes from with --const",
        )
    return value


def integers(source: Source, index: int, what: str) -> tuple[int, ...]:
    """A constant input of integers, flattened."""
    array = known(source, index, what).value
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise refuse(source, f"integer {what}", f"{array.dtype}{list(array.shape)}", "export the model again")
    return tuple(int(each) for each in array.reshape(-1))


def number(source: Source, index: int, what: str) -> Any:
    """A constant input of one number, as Python's int, float or bool."""
    array = known(source, index, what).value
    if array.size != 1:
        raise refuse(source, f"one number as {what}", f"{array.dtype}{list(array.shape)}", "check the model")
    return array.item()


def check_rank(source: Source, node: Node, least: int, most: int, what: str = "an input") -> None:
    if not least <= len(node.type.shape) <= most:
        axes = f"{least}" if least == most else f"{least} to {most}"
        raise refuse(source, f"{what} of {axes} axes", str(node.type), "check the layer's shapes")


def listed(source: Source, name: str, index: int, since: int) -> tuple[int, ...] | None:
    """Integers: attribute `name` before opset `since`, input `index` from it on; None: left out."""
    if source.opset < since:
        return tuple(source.attrs[name]) if name in source.attrs else None
    return None if given(source, index) is None else integers(source, index, name)


def axis_of(source: Source, axis: int, rank: int) -> int:
    """An axis counted from the front."""
    if not -rank <= axis < rank:
        wanted = f"an axis from {-rank} to {rank - 1}" if rank else "an input with axes"
        raise refuse(source, wanted, str(axis), "check the layer's axis")
    return axis % rank


def transposed(node: Node, layer: str, perm: tuple[int, ...]) -> Node:
    """By several transposes where one would move more axes apart than a target's gather takes."""
    while True:
        if perm == tuple(range(len(perm))):
            return node
        if moved_groups(node.type.shape, perm) <= MOST_AXES:
            return make("transpose", (node,), layer, perm=perm)
        front = leading_run(perm)
        step = (*front, *(axis for axis in range(len(perm)) if axis not in front))
        node = make("transpose", (node,), layer, perm=step)
        perm = tuple(step.index(axis) for axis in perm)


def moved_groups(shape: tuple[int, ...], perm: tuple[int, ...]) -> int:
    """How many runs of axes move apart, those of extent 1 left out."""
    long = [axis for axis in range(len(shape)) if shape[axis] != 1]
    order = [long.index(axis) for axis in perm if shape[axis] != 1]
    return sum(1 for index, each in enumerate(order) if not index or order[index - 1] != each - 1)


def leading_run(perm: tuple[int, ...]) -> tuple[int, ...]:
    """The first axes of the result up to the second that does not follow on its neighbour."""
    breaks = [index for index in range(1, len(perm)) if perm[index] != perm[index - 1] + 1]
    return perm[: breaks[1]]


def shape_of(value: Value) -> tuple[int, ...]:
    return value.type.shape if isinstance(value, Node) else value.value.shape


def broadcasts(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether numpy broadcasts an array of one shape to another."""
    pairs = zip(reversed(own), reversed(shape), strict=False)
    return len(own) <= len(shape) and all(extent in (1, wide) for extent, wide in pairs)


def check_broadcast(source: Source, index: int, shape: tuple[int, ...]) -> None:
    """Raises where an input, if it is given, does not broadcast to a shape."""
    value = given(source, index)
    own = () if value is None else shape_of(value)
    if not broadcasts(own, shape):
        wanted = f"an input {index} that broadcasts to {list(shape)}"
        raise refuse(source, wanted, str(list(own)), "check the layer's weights")


def reshaped(node: Node, layer: str, shape: tuple[int, ...]) -> Node:
    return node if node.type.shape == shape else make("reshape", (node,), layer, shape=shape)
