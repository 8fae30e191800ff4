"""Tensors of a .tflite file to types and leaves: dtypes, quantization, extents set at load."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.errors import CompileError, Problem, error
from s2c.ir import DTYPES, Node, Quant, Type, constant, input_node
from s2c.ops import make
from s2c.ops.core import MOST_AXES
from s2c.readers.tflite.schema import Tensor

READ_DTYPES = {
    "BOOL": "bool",
    "FLOAT16": "f16",
    "FLOAT32": "f32",
    "INT4": "i8",
    "INT8": "i8",
    "INT16": "i16",
    "INT32": "i32",
    "INT64": "i64",
    "UINT8": "u8",
    "UINT16": "u16",
    "UINT32": "u32",
    "UINT64": "u64",
}
# What a stored number can be, where a scale gives it a meaning. A quantized uint8 is read as int8.
QUANTIZED_RANGES = {"INT4": (-8, 7), "INT8": (-128, 127), "INT16": (-32768, 32767), "UINT8": (0, 255)}
UNSIGNED = 128
MOST_ELEMENTS = 1 << 28

# No sensible scale is outside; inside, no quotient of scales overflows.
LEAST_SCALE, MOST_SCALE = 1e-18, 1e18


def stored_dtype(tensor: Tensor) -> str:
    """The dtype in the file and at inputs and outputs."""
    if tensor.dtype not in READ_DTYPES:
        raise error(
            tensor.name,
            "a tensor of float32, float16, bool or integers",
            tensor.dtype.lower(),
            "rebuild the model without it",
        )
    return READ_DTYPES[tensor.dtype]


def stored_quant(tensor: Tensor) -> Quant | None:
    """Scale and zero point as stored; one scale for each index of an axis is for weights only."""
    if tensor.dtype not in QUANTIZED_RANGES or not tensor.scale.size:
        return None
    usable = np.isfinite(tensor.scale) & (tensor.scale >= LEAST_SCALE) & (tensor.scale <= MOST_SCALE)
    if not usable.all():
        raise error(
            tensor.name, f"scales of {LEAST_SCALE:g} to {MOST_SCALE:g}", "others", "quantize the model again"
        )
    lowest, highest = QUANTIZED_RANGES[tensor.dtype]
    zeros = set(tensor.zero.tolist()) or {0}
    zero = min(zeros)
    if len(zeros) > 1 or not lowest <= zero <= highest or (tensor.scale.size > 1 and zero):
        raise error(
            tensor.name,
            f"one zero point of {lowest} to {highest}, which is 0 where there are several scales",
            f"{sorted(zeros)[:4]}",
            "quantize the model again",
        )
    axis = tensor.axis if tensor.scale.size > 1 else None
    return Quant(tuple(float(each) for each in tensor.scale), int(zero), axis)


def is_recentred(tensor: Tensor) -> bool:
    return tensor.dtype == "UINT8" and stored_quant(tensor) is not None


def dtype_of(tensor: Tensor) -> str:
    """The dtype in the Graph."""
    return "i8" if is_recentred(tensor) else stored_dtype(tensor)


def quant_of(tensor: Tensor) -> Quant | None:
    """The quantization in the Graph."""
    quant = stored_quant(tensor)
    if quant is None or not is_recentred(tensor):
        return quant
    return Quant(quant.scale, quant.zero - UNSIGNED, quant.axis)


def result_quant(tensor: Tensor) -> Quant | None:
    """The quantization of what an op makes: it has one scale."""
    stored_dtype(tensor)
    quant = quant_of(tensor)
    if quant is not None and quant.axis is not None:
        raise error(
            tensor.name,
            "one scale for the result of a layer",
            f"{len(quant.scale)}",
            "quantize the model again",
        )
    return quant


def recentred(node: Node) -> Node:
    """A quantized uint8 as int8, and back."""
    return make("recenter", (node,), node.layer)


def read_input(tensor: Tensor, dims: Mapping[str, int]) -> Node:
    """An input as the file declares it."""
    shape = input_shape(tensor, dims)
    check_size(tensor.name, shape)
    return input_node(tensor.name, Type(shape, stored_dtype(tensor), stored_quant(tensor)))


def input_shape(tensor: Tensor, dims: Mapping[str, int]) -> tuple[int, ...]:
    """The fixed shape; an unknown axis 0 of extent 1 stays 1, as every .tflite runtime has it."""
    shape = list(tensor.shape)
    problems = []
    for axis, extent in enumerate(tensor.signature[: len(shape)]):
        if extent >= 0:
            continue
        name = f"{tensor.name}.{axis}"
        chosen = dims.get(name, dims.get("batch") if axis == 0 else None)
        if chosen is not None:
            shape[axis] = chosen
        elif axis or shape[0] != 1:
            flag = "batch=1" if axis == 0 else f"{name}=N"
            problems.append(
                Problem(tensor.name, f"a known extent of axis {axis}", "none", f"set it with --dim {flag}")
            )
    if problems:
        raise CompileError(tuple(problems))
    return tuple(shape)


def bind(tensor: Tensor, value: np.ndarray) -> Node:
    """An input that the user binds to an array at compile time."""
    dtype = DTYPES[stored_dtype(tensor)]
    fits = len(value.shape) == len(tensor.shape) and all(
        extent in (wanted, -1) for extent, wanted in zip(tensor.signature, value.shape, strict=False)
    )
    if value.dtype != dtype or not fits:
        wanted = f"{dtype}{['?' if each < 0 else each for each in tensor.signature]}".replace("'", "")
        raise error(
            tensor.name, f"--const of {wanted}", f"{value.dtype}{list(value.shape)}", "save another array"
        )
    return leaf(tensor, value)


def read_constant(tensor: Tensor) -> Node:
    if tensor.is_sparse:
        raise error(tensor.name, "a dense tensor", "a sparse one", "export the model without sparse tensors")
    assert tensor.value is not None, tensor.name
    stored_dtype(tensor)
    return leaf(tensor, tensor.value)


def leaf(tensor: Tensor, value: np.ndarray) -> Node:
    if is_recentred(tensor):
        value = (value ^ np.uint8(UNSIGNED)).view(np.int8)
    return constant(value, tensor.name, quant_of(tensor))


def check_size(layer: str, shape: tuple[int, ...]) -> None:
    if min(shape, default=1) < 1 or math.prod(shape) > MOST_ELEMENTS or len(shape) > MOST_AXES:
        raise error(
            layer,
            f"1 to {MOST_ELEMENTS} elements on up to {MOST_AXES} axes",
            str(list(shape)),
            "rebuild the model with other shapes",
        )


def check_count(layer: str, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MOST_ELEMENTS:
        raise error(
            layer, f"at most {MOST_ELEMENTS} elements within", str(list(shape)), "rebuild the model with less"
        )


def check_result(node: Node, tensor: Tensor, is_resized: bool) -> None:
    """What the file declares must be what its ops give; it declares no shape where one was set at load."""
    kind = Type(tensor.shape, dtype_of(tensor), quant_of(tensor))
    known = zip(node.type.shape, tensor.shape, tensor.signature, strict=False)
    same_shape = len(node.type.shape) == len(tensor.shape) and all(
        a == b for a, b, sign in known if sign >= 0
    )
    if is_resized or not tensor.shape:
        same_shape = True
    if not same_shape or node.type.dtype != kind.dtype or node.type.quant != kind.quant:
        raise error(tensor.name, f"{kind}, as the file declares", str(node.type), "export the model again")
