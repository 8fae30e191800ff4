"""One node of an ONNX model with its inputs read, and what its reader may ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2c.errors import CompileError, error
from s2c.ir import DTYPES, Node, Quant, constant
from s2c.ops import make


@dataclass(frozen=True)
class Constant:
    """An array known while reading; with `quant` it is an int8 array, dequantized."""

    value: np.ndarray
    quant: Quant | None = None


Value = Node | Constant


@dataclass(frozen=True)
class Source:
    """inputs: None stands for an optional input left out. outputs: how many the node names."""

    layer: str
    op: str
    opset: int
    attrs: Mapping[str, Any]
    inputs: tuple[Value | None, ...]
    outputs: int


Reader = Callable[[Source], Value | tuple[Value, ...]]


def refuse(source: Source, wanted: str, found: str, do: str) -> CompileError:
    return error(source.layer, wanted, found, do)


def given(source: Source, index: int) -> Value | None:
    return source.inputs[index] if index < len(source.inputs) else None


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


def listed(source: Source, name: str, index: int, since: int) -> tuple[int, ...] | None:
    """Integers: attribute `name` before opset `since`, input `index` from it on; None: left out."""
    if source.opset < since:
        return tuple(source.attrs[name]) if name in source.attrs else None
    return None if given(source, index) is None else integers(source, index, name)


def axis_of(source: Source, axis: int, rank: int) -> int:
    """An axis counted from the front."""
    if not -rank <= axis < rank:
        raise refuse(source, f"an axis of {rank}", str(axis), "check the layer's axis")
    return axis % rank


def transposed(node: Node, layer: str, perm: tuple[int, ...]) -> Node:
    if perm == tuple(range(len(perm))):
        return node
    return make("transpose", (node,), layer, perm=perm)


def reshaped(node: Node, layer: str, shape: tuple[int, ...]) -> Node:
    return node if node.type.shape == shape else make("reshape", (node,), layer, shape=shape)
