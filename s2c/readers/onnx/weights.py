"""The constant weights of an ONNX layer, and the scale behind quantized ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from s2c.readers.onnx.source import Constant, Source, known, refuse


def weight_scale(source: Source, weight: Constant, axis: int) -> Mapping[str, Any]:
    """The attr weight_scale of weights that are integers times a scale per output (`axis`), or one for all.

    It says that weight / weight_scale is integer, so that fuse_qdq finds the integers that the model stores.
    """
    quant = weight.quant
    if quant is None:
        return {}
    if quant.zero != 0:
        raise refuse(
            source,
            "int8 weights with zero point 0",
            f"zero point {quant.zero}",
            "quantize the weights symmetrically",
        )
    if quant.axis not in (None, axis):
        return {}
    return {"weight_scale": np.array(quant.scale, np.float32)}


def float_array(source: Source, index: int, what: str) -> np.ndarray:
    array = known(source, index, what).value
    if array.dtype != np.float32:
        raise refuse(source, f"float32 {what}", str(array.dtype), "convert the model to float32")
    return array
