"""One ATen call of an exported program with its arguments read, and what its reader may ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from s2c.errors import CompileError, error
from s2c.ir import DTYPES, Node, constant
from s2c.layers.basic import cast

# What each dtype is inside a Graph: half precisions are computed in float32.
KINDS: Mapping[torch.dtype, str] = {
    torch.float32: "f32",
    torch.float16: "f32",
    torch.bfloat16: "f32",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.int16: "i16",
    torch.uint16: "u16",
    torch.int32: "i32",
    torch.uint32: "u32",
    torch.int64: "i64",
    torch.uint64: "u64",
    torch.bool: "bool",
}
REMEDY: Mapping[torch.dtype, str] = {
    torch.float64: "compute in float32, as module.float() does",
    torch.complex64: "compute with real and imaginary parts as two float32 tensors",
}

# A tensor is known while reading (weights, and what is computed from them alone) or a node.
Value: TypeAlias = Node | torch.Tensor


@dataclass(frozen=True)
class Source:
    """args: by the names of the op's schema, defaults included. kinds: the same with fake tensors, which have
    a shape and a dtype alone, in the place of tensors. result: the fake tensors that the op gives."""

    layer: str
    op: str
    args: Mapping[str, Any]
    kinds: Mapping[str, Any]
    result: Any


Reader = Callable[[Source], "Value | tuple[Value | None, ...]"]


def refuse(source: Source, wanted: str, found: str, do: str) -> CompileError:
    return error(source.layer, wanted, found, do)


def kind_of(layer: str, dtype: torch.dtype) -> str:
    """The dtype inside a Graph, or a CompileError."""
    if dtype not in KINDS:
        listed = "a tensor of float32, float16, bfloat16, an integer dtype or bool"
        do = REMEDY.get(dtype, "compute in float32")
        raise error(layer, listed, str(dtype), do)
    return KINDS[dtype]


def result_kind(source: Source, index: int | None = None) -> str:
    fake = source.result if index is None else source.result[index]
    return kind_of(source.layer, fake.dtype)


def result_shape(source: Source, index: int | None = None) -> tuple[int, ...]:
    fake = source.result if index is None else source.result[index]
    return tuple(fake.shape)


def array_of(layer: str, value: torch.Tensor) -> np.ndarray:
    """Half precisions and float64 as float32."""
    dtype = value.dtype
    kind = "f32" if dtype == torch.float64 else kind_of(layer, dtype)
    plain = value.detach().to(torch.float32) if kind == "f32" else value.detach()
    return np.ascontiguousarray(plain.cpu().numpy()).reshape(tuple(value.shape))


def as_node(layer: str, value: Value) -> Node:
    return value if isinstance(value, Node) else constant(array_of(layer, value), layer)


def given(source: Source, name: str) -> Any:
    return source.args[name]


def has(source: Source, name: str) -> bool:
    return source.args.get(name) is not None


def node(source: Source, name: str = "self", kind: str | None = None) -> Node:
    """A tensor argument as a node, cast to a dtype where one is given."""
    found = as_node(source.layer, source.args[name])
    return found if kind is None else cast(found, kind, source.layer)


def float_node(source: Source, name: str = "self") -> Node:
    """A tensor argument as float32."""
    return node(source, name, "f32")


def operand(source: Source, name: str, kind: str) -> Node:
    """A tensor or a number as a node of a dtype."""
    value = source.args[name]
    if isinstance(value, (Node, torch.Tensor)):
        return node(source, name, kind)
    return number(source, value, kind)


def number(source: Source, value: float, kind: str) -> Node:
    """A constant of one element; a float within an integer op is refused by torch itself."""
    return constant(np.full((), value, DTYPES[kind]), source.layer)


def known(source: Source, name: str, what: str) -> np.ndarray:
    """A tensor argument that must be known while reading, as an array."""
    value = source.args[name]
    if isinstance(value, Node):
        raise refuse(
            source,
            f"constant {what} of {source.op}",
            f"a computed tensor {value.type}",
            "make it a parameter or a buffer, or bind the input that it comes from with consts",
        )
    return array_of(source.layer, value)


def optional(source: Source, name: str, what: str) -> np.ndarray | None:
    return known(source, name, what) if has(source, name) else None


def axis_of(source: Source, axis: int, rank: int) -> int:
    """An axis counted from the front; a tensor of rank 0 has one axis."""
    if not -max(rank, 1) <= axis < max(rank, 1):
        raise refuse(source, f"an axis of {rank}", str(axis), "check the layer's axis")
    return axis % max(rank, 1)


def axes_of(source: Source, axes: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from the front; none given: all."""
    if axes is None or (isinstance(axes, (list, tuple)) and not axes):
        return tuple(range(rank))
    listed = [axes] if isinstance(axes, int) else axes
    return tuple(sorted({axis_of(source, axis, rank) for axis in listed})) if rank else ()


def operands(source: Source, kind: str) -> tuple[Node, Node]:
    return operand(source, "self", kind), operand(source, "other", kind)


def both_forms(name: str, reader: Reader) -> dict[str, Reader]:
    return {f"aten.{name}.Tensor": reader, f"aten.{name}.Scalar": reader}
