"""What ONNX declares of an op: its attributes, how many inputs it has, and of which types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto

from s2c.errors import error
from s2c.ir import Node
from s2c.readers.onnx.external import text_of
from s2c.readers.onnx.file import WIDENED, element_name
from s2c.readers.onnx.source import Anything, Constant, Unsigned, shape_of

DAMAGED = "check the file with onnx.checker.check_model"
# What may stand for another: floats are computed in float32, and 4-bit integers in 8 bits.
ALIKE = {
    **{element_name(element): "float" for element in WIDENED},
    "float16": "float",
    "int4": "int8",
    "uint4": "uint8",
}


@dataclass(frozen=True)
class Input:
    """kind: inputs of one kind have one type. types: all that it may have."""

    kind: str
    types: frozenset[str]


@dataclass(frozen=True)
class Signature:
    """attributes: their AttributeProto types by name. inputs: the last one stands for all further ones."""

    attributes: Mapping[str, int]
    inputs: tuple[Input, ...]
    most: int


@cache
def signature(op: str, opset: int, domain: str) -> Signature | None:
    """Of an op by its newest version that the opset knows; None where it knows none."""
    try:
        schema: Any = onnx.defs.get_schema(op, opset, domain)
    except onnx.defs.SchemaError:
        return None
    attributes = {name: int(each.type.value) for name, each in schema.attributes.items()}
    inputs = tuple(
        Input(each.type_str if each.is_homogeneous else "", frozenset(map(plain, each.types)))
        for each in schema.inputs
    )
    return Signature(attributes, inputs, schema.max_input)


def plain(declared: str) -> str:
    """tensor(float16) as float."""
    name = declared.removeprefix("tensor(").removesuffix(")")
    return ALIKE.get(name, name)


def check_attributes(layer: str, node: NodeProto, declared: Mapping[str, int]) -> None:
    """Raises for an attribute that the op lacks, which would have no effect, or of another type."""
    for each in node.attribute:
        name = text_of(each.name)
        if name.startswith("__"):
            continue
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise error(layer, f"attributes that {node.op_type} has ({known})", name, DAMAGED)
        if each.type != declared[name]:
            wanted, found = (
                AttributeProto.AttributeType.Name(kind).lower() for kind in (declared[name], each.type)
            )
            raise error(layer, f"{node.op_type}'s {name} of type {wanted}", found, DAMAGED)


def check_inputs(layer: str, node: NodeProto, declared: Signature, values: Sequence[Anything]) -> None:
    """Raises for more inputs than the op has, and where one has a type that it, or another one, excludes."""
    if len(values) > declared.most:
        raise error(layer, f"at most {declared.most} inputs of {node.op_type}", str(len(values)), DAMAGED)
    found: dict[str, str] = {}
    for index, value in enumerate(values):
        name, own = type_name(value), declared.inputs[min(index, len(declared.inputs) - 1)]
        if name in ("", "double"):  # of float64, readers say more
            continue
        if name not in own.types:
            wanted = f"input {index} of {node.op_type} as {', '.join(sorted(own.types))}"
            raise error(layer, wanted, name, DAMAGED)
        if own.kind and found.setdefault(own.kind, name) != name:
            both = f"{found[own.kind]} and {name}"
            raise error(layer, f"inputs of one type ({own.kind}) of {node.op_type}", both, DAMAGED)


def type_name(value: Anything) -> str:
    """The type of a tensor's elements as ONNX calls it, or what stands for it; empty of what is no tensor."""
    if isinstance(value, Unsigned):
        return "uint8"
    if isinstance(value, Constant):
        element = value.element or element_of(value.value.dtype)
    elif isinstance(value, Node):
        element = element_of(value.type.numpy)
    else:
        return ""
    name = element_name(element)
    return ALIKE.get(name, name)


def described(values: Sequence[Anything]) -> str:
    nodes = [value.node if isinstance(value, Unsigned) else value for value in values]
    texts = [
        f"{type_name(value)}{list(shape_of(node))}" if isinstance(node, (Node, Constant)) else "none"
        for value, node in zip(values, nodes, strict=True)
    ]
    return " and ".join(texts) or "none"


@cache
def element_of(dtype: np.dtype[Any]) -> int:
    element: int = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    return element
