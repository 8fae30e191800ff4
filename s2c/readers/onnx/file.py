"""ONNX bytes into a message, and its tensors into numpy arrays; nothing in a file is trusted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from s2c.errors import CompileError, error

MODEL = "model"
MOST_BYTES = 1 << 28

# ONNX element type -> (numpy dtype, field that holds the values where raw_data does not)
ELEMENTS: dict[int, tuple[np.dtype[Any], str]] = {
    TensorProto.FLOAT: (np.dtype(np.float32), "float_data"),
    TensorProto.DOUBLE: (np.dtype(np.float64), "double_data"),
    TensorProto.UINT8: (np.dtype(np.uint8), "int32_data"),
    TensorProto.INT8: (np.dtype(np.int8), "int32_data"),
    TensorProto.UINT16: (np.dtype(np.uint16), "int32_data"),
    TensorProto.INT16: (np.dtype(np.int16), "int32_data"),
    TensorProto.INT32: (np.dtype(np.int32), "int32_data"),
    TensorProto.INT64: (np.dtype(np.int64), "int64_data"),
    TensorProto.UINT32: (np.dtype(np.uint32), "uint64_data"),
    TensorProto.UINT64: (np.dtype(np.uint64), "uint64_data"),
    TensorProto.BOOL: (np.dtype(np.bool_), "int32_data"),
}


def parse(data: bytes) -> onnx.ModelProto:
    """The model of a whole file; CompileError where it is damaged or holds no graph."""
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise damaged("bytes that do not decode as one") from None
    if not model.HasField("graph") or not model.graph.output:
        raise damaged(f"{len(data)} bytes without a graph that has outputs")
    return model


def damaged(found: str) -> CompileError:
    return error(MODEL, "a whole ONNX file", found, "export or download the file again")


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own op set that the model is written in."""
    newest = onnx.defs.onnx_opset_version()
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    version = versions[0] if versions else 1
    if not 1 <= version <= newest:
        raise error(
            MODEL, f"an opset from 1 to {newest}", str(version), f"export the model with opset {newest}"
        )
    return version


def element_name(element: int) -> str:
    known = {value: name for name, value in TensorProto.DataType.items()}
    return str(known.get(element, f"element type {element}")).lower()


def array_of(tensor: TensorProto, layer: str) -> np.ndarray:
    """A tensor's values; its declared size must be that of the bytes there, before anything is allocated."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise error(
            layer,
            "weights inside the ONNX file",
            "external data",
            "save the model into one file with onnx.save(model, path, save_as_external_data=False)",
        )
    if tensor.data_type not in ELEMENTS:
        raise error(
            layer,
            "values of a float32, double, integer or bool type",
            element_name(tensor.data_type),
            "convert the tensor to float32",
        )
    dtype, field = ELEMENTS[tensor.data_type]
    shape = tuple(tensor.dims)
    size = math.prod(shape)
    raw = tensor.HasField("raw_data")
    held = len(tensor.raw_data) if raw else len(getattr(tensor, field)) * dtype.itemsize
    if any(extent < 0 for extent in shape) or held != size * dtype.itemsize:
        raise error(
            layer,
            f"{size * dtype.itemsize} bytes for {dtype}{list(shape)}",
            f"{held} bytes",
            "export or download the file again",
        )
    return np.array(onnx.numpy_helper.to_array(tensor), dtype)
