"""Functions: of the model, and of the ops that ONNX defines by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto, helper

from s2c.ir import Node
from s2c.readers.onnx.source import OWN_DOMAINS, Anything, Constant, Items, Nothing, Unsigned

Attributes = Mapping[str, AttributeProto]


@dataclass(frozen=True)
class Function:
    """body: nodes with local names. opset: of its nodes, 0: the caller's. attributes: those of a call."""

    body: FunctionProto
    opset: int
    attributes: Callable[[NodeProto], Attributes]
    is_local: bool


def local_functions(model: onnx.ModelProto) -> dict[tuple[str, str], Function]:
    """The model's own functions by domain and name."""
    return {(each.domain, each.name): local_function(each) for each in model.functions}


def local_function(body: FunctionProto) -> Function:
    def attributes(node: NodeProto) -> Attributes:
        defaults = {each.name: each for each in body.attribute_proto}
        return {**defaults, **{each.name: each for each in node.attribute}}

    return Function(body, opset_of_function(body), attributes, True)


def opset_of_function(body: FunctionProto) -> int:
    versions = [each.version for each in body.opset_import if each.domain in OWN_DOMAINS]
    return max(0, min(versions[0], onnx.defs.onnx_opset_version())) if versions else 0


def schema_of(node: NodeProto, opset: int) -> Any | None:
    """An onnx.defs.OpSchema, of which onnx's type stubs lack half."""
    try:
        return onnx.defs.get_schema(node.op_type, opset, "" if node.domain in OWN_DOMAINS else node.domain)
    except onnx.defs.SchemaError:
        return None


def has_function(schema: Any | None) -> bool:
    return schema is not None and bool(schema.has_function or schema.has_context_dependent_function)


def schema_function(node: NodeProto, opset: int, values: Sequence[Anything]) -> Function | None:
    """The body by which ONNX defines the op, of the newest version that the opset knows; None without one."""
    schema = schema_of(node, opset)
    if schema is None:
        return None
    plain = [version for version in schema.function_opset_versions if version <= opset]
    if plain:
        data = schema.get_function_with_opset_version(max(plain))
        return schema_body(schema, data, max(plain))
    versions = schema.context_dependent_function_opset_versions
    depending = [version for version in versions if version <= opset]
    if not depending:
        return None
    types = [type_of(value).SerializeToString() for value in values]
    data = schema.get_context_dependent_function_with_opset_version(
        max(depending), node.SerializeToString(), types
    )
    return schema_body(schema, data, max(depending)) if data else None


def schema_body(schema: onnx.defs.OpSchema, data: bytes, version: int) -> Function:
    body = FunctionProto.FromString(data)

    def attributes(node: NodeProto) -> Attributes:
        defaults = {
            name: each.default_value
            for name, each in schema.attributes.items()
            if each.default_value.type != AttributeProto.UNDEFINED
        }
        return {**defaults, **{each.name: each for each in node.attribute}}

    # Bodies of another domain are written for the newest ops.
    default = onnx.defs.onnx_opset_version() if schema.domain else version
    return Function(body, opset_of_function(body) or default, attributes, False)


def bound_attributes(node: NodeProto, attributes: Attributes) -> NodeProto:
    """The node with what its attributes refer to; one that the caller left out falls away."""
    bound = NodeProto()
    bound.CopyFrom(node)
    del bound.attribute[:]
    for each in node.attribute:
        if not each.ref_attr_name:
            bound.attribute.append(each)
        elif each.ref_attr_name in attributes:
            bound.attribute.append(attributes[each.ref_attr_name])
            bound.attribute[-1].name = each.name
    return bound


def type_of(value: Anything) -> TypeProto:
    """What ONNX calls the type of a value."""
    if isinstance(value, Nothing):
        return TypeProto()
    if isinstance(value, Items):
        element = type_of(value.values[0]) if value.values else TypeProto()
        return helper.make_sequence_type_proto(element)
    if isinstance(value, Constant):
        return tensor_type(value.value.dtype, value.value.shape)
    if isinstance(value, Unsigned):
        return tensor_type(np.dtype(np.uint8), value.node.type.shape)
    assert isinstance(value, Node)
    return tensor_type(value.type.numpy, value.type.shape)


def tensor_type(dtype: np.dtype[Any], shape: tuple[int, ...]) -> TypeProto:
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(dtype), shape)
