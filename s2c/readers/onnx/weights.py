"""The constants of an ONNX model, and the scale behind quantized weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from s2c.errors import error
from s2c.readers.onnx.file import WIDENED, array_of
from s2c.readers.onnx.source import Constant, Source, known, refuse

# What onnx computes in, that numpy lacks, by the name of its dtype.
EXTENSIONS = {helper.tensor_dtype_to_np_dtype(element).name: element for element in WIDENED}


def constant_of(tensor: TensorProto, layer: str) -> Constant:
    """A tensor of the model; half floats become float32, and other types that numpy lacks a wider one."""
    array = array_of(tensor, layer)
    if array.dtype == np.float16:
        return Constant(array.astype(np.float32), element=TensorProto.FLOAT16)
    return Constant(array, element=tensor.data_type if tensor.data_type in WIDENED else 0)


def constant_from(array: np.ndarray, layer: str) -> Constant:
    """What onnx has computed, in a type of numpy."""
    if array.dtype == np.float16:
        return Constant(array.astype(np.float32), element=TensorProto.FLOAT16)
    element = EXTENSIONS.get(array.dtype.name, 0)
    if element:
        return Constant(array.astype(WIDENED[element][0]), element=element)
    if array.dtype.kind not in "biuf":
        raise error(layer, "constants of numbers", f"a {array.dtype} one", "leave the strings out")
    return Constant(array)


def weight_scale(source: Source, weight: Constant, axis: int) -> Mapping[str, Any]:
    """The attr weight_scale of weights that are integers times a scale per output (`axis`), or one for all.

    It says that weight / weight_scale is integer, so that fuse_qdq finds the integers that the model stores.
    """
    quant = weight.quant
    if quant is None or quant.zero != 0 or quant.axis not in (None, axis):
        return {}
    return {"weight_scale": np.array(quant.scale, np.float32)}


def float_array(source: Source, index: int, what: str) -> np.ndarray:
    array = known(source, index, what).value
    if array.dtype != np.float32:
        raise refuse(source, f"float32 {what}", str(array.dtype), "convert the model to float32")
    return array
