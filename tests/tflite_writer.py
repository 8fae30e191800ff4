"""Writes .tflite files of one op, for tests of ops that no trained net at hand has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

TENSOR_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "uint16": tflite.TensorType.UINT16,
    "uint32": tflite.TensorType.UINT32,
    "bool": tflite.TensorType.BOOL,
    "complex64": tflite.TensorType.COMPLEX64,
    "resource": tflite.TensorType.RESOURCE,
}


@dataclass(frozen=True)
class Tensor:
    """value makes it a constant; scale and zero have one value, or one for each index of `axis`."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: tuple[float, ...] = ()
    zero: tuple[int, ...] = ()
    axis: int = 0
    value: np.ndarray | None = None
    signature: tuple[int, ...] = ()
    is_variable: bool = False


def int8(name: str, shape: tuple[int, ...], scale: float = 0.1, zero: int = 0) -> Tensor:
    return Tensor(name, shape, "int8", (scale,), (zero,))


def constant(name: str, value: Any, scale: tuple[float, ...] = (), zero: int = 0, axis: int = 0) -> Tensor:
    array = np.asarray(value)
    zeros = (zero,) * len(scale)
    return Tensor(name, array.shape, array.dtype.name, scale, zeros, axis, array)


@dataclass(frozen=True)
class Op:
    """inputs and outputs name tensors, "" an omitted one; options: fields of the class `kind` + "Options"."""

    op: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    kind: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subgraph:
    """inputs: names, where they are not all that no op makes and that are neither constants nor variables."""

    tensors: Sequence[Tensor]
    ops: Sequence[Op]
    outputs: Sequence[str]
    inputs: Sequence[str] | None = None

    def input_names(self) -> Sequence[str]:
        if self.inputs is not None:
            return self.inputs
        made = {name for op in self.ops for name in op.outputs}
        known = {each.name for each in self.tensors if each.value is not None or each.is_variable}
        return [each.name for each in self.tensors if each.name not in made | known]


def write(tensors: Sequence[Tensor], ops: Sequence[Op], outputs: Sequence[str]) -> bytes:
    """A model of one subgraph."""
    return write_subgraphs([Subgraph(tensors, ops, outputs)])


def write_subgraphs(graphs: Sequence[Subgraph]) -> bytes:
    builder = flatbuffers.Builder(1024)
    tensors = [tensor for graph in graphs for tensor in graph.tensors]
    contents = [b""] + [b"" if each.value is None else each.value.tobytes() for each in tensors]
    buffers = [write_buffer(builder, content) for content in contents]
    tables = []
    codes = [write_code(builder, op) for graph in graphs for op in graph.ops]
    first_tensor, first_op = 0, 0
    for graph in graphs:
        tables.append(write_subgraph(builder, graph, first_tensor, first_op))
        first_tensor += len(graph.tensors)
        first_op += len(graph.ops)
    model = {
        "Version": 3,
        "OperatorCodes": offsets(builder, codes),
        "Subgraphs": offsets(builder, tables),
        "Buffers": offsets(builder, buffers),
    }
    builder.Finish(table(builder, "Model", model), b"TFL3")
    return bytes(builder.Output())


def write_subgraph(builder: flatbuffers.Builder, graph: Subgraph, first_tensor: int, first_op: int) -> int:
    index = {each.name: place for place, each in enumerate(graph.tensors)} | {"": -1}
    tables = [
        write_tensor(builder, each, first_tensor + place + 1) for place, each in enumerate(graph.tensors)
    ]
    operators = [write_op(builder, op, first_op + place, index) for place, op in enumerate(graph.ops)]
    parts = {
        "Tensors": offsets(builder, tables),
        "Inputs": integers(builder, [index[name] for name in graph.input_names()]),
        "Outputs": integers(builder, [index[name] for name in graph.outputs]),
        "Operators": offsets(builder, operators),
    }
    return table(builder, "SubGraph", parts)


def write_code(builder: flatbuffers.Builder, op: Op) -> int:
    custom = None if hasattr(tflite.BuiltinOperator, op.op) else builder.CreateString(op.op)
    number = getattr(tflite.BuiltinOperator, op.op, tflite.BuiltinOperator.CUSTOM)
    fields = {"BuiltinCode": number, "DeprecatedBuiltinCode": min(number, 127), "Version": 1}
    return table(builder, "OperatorCode", fields | ({"CustomCode": custom} if custom else {}))


def table(builder: flatbuffers.Builder, kind: str, fields: Mapping[str, Any]) -> int:
    getattr(tflite, f"{kind}Start")(builder)
    for name, value in fields.items():
        getattr(tflite, f"{kind}Add{name}")(builder, value)
    return int(getattr(tflite, f"{kind}End")(builder))


def offsets(builder: flatbuffers.Builder, values: Sequence[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    return int(builder.EndVector())


def integers(builder: flatbuffers.Builder, values: Sequence[int], dtype: str = "int32") -> int:
    return int(builder.CreateNumpyVector(np.array(values, dtype)))


def write_buffer(builder: flatbuffers.Builder, content: bytes) -> int:
    if not content:
        return table(builder, "Buffer", {})
    builder.StartVector(1, len(content), 16)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    return table(builder, "Buffer", {"Data": builder.EndVector()})


def write_tensor(builder: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    fields = {
        "Shape": integers(builder, tensor.shape),
        "Type": TENSOR_TYPES[tensor.dtype],
        "Buffer": buffer,
        "Name": builder.CreateString(tensor.name),
        "IsVariable": tensor.is_variable,
    }
    if tensor.signature:
        fields["ShapeSignature"] = integers(builder, tensor.signature)
    if tensor.scale:
        parts = {
            "Scale": int(builder.CreateNumpyVector(np.array(tensor.scale, np.float32))),
            "ZeroPoint": integers(builder, tensor.zero, "int64"),
            "QuantizedDimension": tensor.axis,
        }
        fields["Quantization"] = table(builder, "QuantizationParameters", parts)
    return table(builder, "Tensor", fields)


def write_op(builder: flatbuffers.Builder, op: Op, code: int, index: Mapping[str, int]) -> int:
    fields: dict[str, Any] = {
        "OpcodeIndex": code,
        "Inputs": integers(builder, [index[name] for name in op.inputs]),
        "Outputs": integers(builder, [index[name] for name in op.outputs]),
    }
    if op.kind:
        options = {
            name: integers(builder, value)
            if isinstance(value, tuple)
            else builder.CreateString(value)
            if isinstance(value, str)
            else value
            for name, value in op.options.items()
        }
        fields["BuiltinOptions"] = table(builder, f"{op.kind}Options", options)
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, f"{op.kind}Options")
    return table(builder, "Operator", fields)
