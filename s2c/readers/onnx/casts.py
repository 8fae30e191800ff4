"""ONNX casts, as source ops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from s2c.ir import DTYPES, Node
from s2c.layers.basic import cast
from s2c.readers.onnx.file import ELEMENTS, element_name
from s2c.readers.onnx.source import Constant, Reader, Source, Value, refuse, required

# What a cast may be to, by its number and, before opset 6, its name.
KINDS = {element: dtype for element, (dtype, _) in ELEMENTS.items()}
NAMES = dict(TensorProto.DataType.items())
ELEMENT_OF = {
    name: element for name, own in DTYPES.items() for element, dtype in KINDS.items() if own == dtype
}


def cast_(source: Source) -> Value:
    to = source.attrs.get("to")
    return cast_value(source, required(source, 0), NAMES.get(to, 0) if isinstance(to, str) else int(to or 0))


def cast_like(source: Source) -> Value:
    like = required(source, 1)
    if isinstance(like, Node):
        return cast_value(source, required(source, 0), ELEMENT_OF[like.type.dtype])
    own = helper.np_dtype_to_tensor_dtype(like.value.dtype)
    return cast_value(source, required(source, 0), like.element or own)


def cast_value(source: Source, x: Value, element: int) -> Value:
    """What the model computes in float16 stays float32, and is rounded where it is an output."""
    if element not in KINDS:
        raise refuse(
            source,
            "a cast to float32, float16, integers or bool",
            f"a cast to {element_name(element)}",
            "keep it in float32",
        )
    if isinstance(x, Constant):
        return cast_constant(x, KINDS[element])
    if element == TensorProto.FLOAT16:
        return cast(x, "f32", source.layer)
    if element == TensorProto.DOUBLE:
        raise refuse(source, "a net without float64", "a cast to float64", "export the model in float32")
    dtype = next(name for name, each in DTYPES.items() if each == KINDS[element])
    return cast(x, dtype, source.layer)


def cast_constant(x: Constant, dtype: np.dtype[Any]) -> Constant:
    with np.errstate(all="ignore"):
        if dtype == np.float16:
            return Constant(x.value.astype(np.float16).astype(np.float32), element=TensorProto.FLOAT16)
        return x if x.value.dtype == dtype else Constant(x.value.astype(dtype))


CASTS: Mapping[str, Reader] = {"Cast": cast_, "CastLike": cast_like}
