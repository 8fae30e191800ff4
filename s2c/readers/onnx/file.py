"""ONNX bytes into a message, and its tensors into numpy arrays; nothing in a file is trusted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from s2c.errors import CompileError, error
from s2c.readers.onnx.external import external_tensors, inline, is_external

MODEL = "model"
MOST_BYTES = 1 << 28
MOST_AXES = 32
MOST_ELEMENTS = 1 << 31  # of a tensor in a file

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
    TensorProto.FLOAT16: (np.dtype(np.float16), "int32_data"),
}

# Types that numpy lacks -> (numpy dtype that holds each of their values, bits of an element)
WIDENED: dict[int, tuple[np.dtype[Any], int]] = {
    TensorProto.BFLOAT16: (np.dtype(np.float32), 16),
    TensorProto.FLOAT8E4M3FN: (np.dtype(np.float32), 8),
    TensorProto.FLOAT8E4M3FNUZ: (np.dtype(np.float32), 8),
    TensorProto.FLOAT8E5M2: (np.dtype(np.float32), 8),
    TensorProto.FLOAT8E5M2FNUZ: (np.dtype(np.float32), 8),
    TensorProto.INT4: (np.dtype(np.int8), 4),
    TensorProto.UINT4: (np.dtype(np.uint8), 4),
}

# Of an element where raw_data or a file holds it.
BITS: dict[int, int] = {
    **{element: dtype.itemsize * 8 for element, (dtype, _) in ELEMENTS.items()},
    **{element: bits for element, (_, bits) in WIDENED.items()},
}


def parse(data: bytes, folder: Path | None = None) -> onnx.ModelProto:
    """The model of a whole file, with the external data that lies in its folder, if one is given.

    CompileError where it is damaged or holds no graph.
    """
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise damaged("bytes that do not decode as one") from None
    if not model.HasField("graph") or not model.graph.output:
        raise damaged(f"{len(data)} bytes without a graph that has outputs")
    if folder is not None:
        inline(model, folder, BITS)
    return model


def self_contained(data: bytes, folder: Path) -> bytes:
    """The file itself where it has no external data; else one that holds them."""
    if not external_tensors(parse(data)):
        return data
    return bytes(parse(data, folder).SerializeToString(deterministic=True))


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
    """A tensor's values, those of types that numpy lacks widened.

    Its declared size must be that of the bytes there, before anything is allocated.
    """
    if is_external(tensor):
        raise error(
            layer,
            "weights inside the ONNX file",
            "external data",
            "save the model into one file with onnx.save(model, path, save_as_external_data=False)",
        )
    if tensor.data_type not in BITS:
        raise error(
            layer,
            "values of a float, integer or bool type",
            element_name(tensor.data_type),
            "convert the tensor to float32",
        )
    refuse_wrong_size(tensor, layer)
    return np.array(onnx.numpy_helper.to_array(tensor), numpy_dtype(tensor.data_type))


def numpy_dtype(element: int) -> np.dtype[Any]:
    return ELEMENTS[element][0] if element in ELEMENTS else WIDENED[element][0]


def refuse_wrong_size(tensor: TensorProto, layer: str) -> None:
    shape, bits = tuple(tensor.dims), BITS[tensor.data_type]
    do = "export or download the file again"
    if len(shape) > MOST_AXES:
        raise error(layer, f"at most {MOST_AXES} axes", str(len(shape)), do)
    if 0 in shape and math.prod(extent or 1 for extent in shape) > MOST_ELEMENTS:
        wanted = f"extents whose product, zeros left out, is at most {MOST_ELEMENTS}"
        raise error(layer, wanted, str(list(shape)), do)
    size = -(-math.prod(shape) * bits // 8)
    if tensor.HasField("raw_data"):
        held = len(tensor.raw_data)
    else:
        field = ELEMENTS[tensor.data_type][1] if tensor.data_type in ELEMENTS else "int32_data"
        held = len(getattr(tensor, field)) * max(bits, 8) // 8
    if any(extent < 0 for extent in shape) or held != size:
        kind = (
            numpy_dtype(tensor.data_type) if tensor.data_type in ELEMENTS else element_name(tensor.data_type)
        )
        raise error(layer, f"{size} bytes for {kind}{list(shape)}", f"{held} bytes", do)
