"""ONNX's quantized ops: QuantizeLinear, DequantizeLinear, and products of quantized matrices.

int8 and uint8 tensors with one constant scale become quantized int8 ones: of uint8, 128 is subtracted from
values and zero points. All others are computed by their formula, in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from s2c.ir import DTYPES, Node, Quant, constant
from s2c.layers.basic import add, cast, clamp, is_constant, mul, reshape, sub, unary
from s2c.ops import make
from s2c.readers.onnx.dense import matmul, product
from s2c.readers.onnx.file import ELEMENTS, element_name
from s2c.readers.onnx.source import (
    Anything,
    Constant,
    Reader,
    Source,
    Unsigned,
    Value,
    activation,
    axis_of,
    given,
    known,
    refuse,
    required,
    tensor,
)

NARROW = ("i8", "u8")
STORED = ("i8", "u8", "i16", "u16")
SPLIT = 4097.0  # 2**12 + 1: halves a float32 significand


def dtype_name(dtype: np.dtype[np.generic]) -> str:
    return next(name for name, each in DTYPES.items() if each == dtype)


def quantize_linear(source: Source) -> Anything:
    x = activation(source) if tensor(source, 0).type.dtype == "f32" else cast_input(source)
    dtype = stored_dtype(source)
    quant = quant_of(source, dtype, x.type.shape)
    if quant is not None and quant.axis is None:
        y = make("quantize", (x,), source.layer, quant)
        return Unsigned(y) if dtype == "u8" else y
    shape = x.type.shape
    scale = fitted(source, 1, shape)
    y = unary("round", quotient(x, scale, source.layer), source.layer)
    if given(source, 2) is not None:
        y = add(y, cast(fitted(source, 2, shape), "f32", source.layer), source.layer)
    limits = np.iinfo(DTYPES[dtype])
    return cast(clamp(y, limits.min, limits.max, source.layer), dtype, source.layer)


def cast_input(source: Source) -> Node:
    return cast(tensor(source, 0), "f32", source.layer)


def stored_dtype(source: Source) -> str:
    """What QuantizeLinear gives: the dtype of the zero point, output_dtype, or uint8."""
    zero = given(source, 2)
    element = source.attrs.get("output_dtype", 0)
    if isinstance(zero, Constant):
        element = zero.element or element
        dtype = dtype_name(zero.value.dtype)
    elif zero is not None:
        dtype = zero.type.dtype
    else:
        dtype = dtype_name(ELEMENTS[element][0]) if element in ELEMENTS else "u8"
    if dtype not in STORED or element not in (0, *ELEMENTS):
        found = element_name(element) if element else dtype
        raise refuse(source, "quantized values of 8 or 16 bits", found, "quantize to int8")
    return dtype


def quant_of(source: Source, dtype: str, shape: tuple[int, ...]) -> Quant | None:
    """The Quant of int8 values with constant scales and one zero point; None for what is no such thing."""
    scale, zeros = given(source, 1), given(source, 2)
    if dtype not in NARROW or not isinstance(scale, Constant) or isinstance(zeros, Node):
        return None
    if source.attrs.get("block_size", 0) or scale.value.ndim > 1:
        return None
    check_scale(source, scale.value)
    zero = np.zeros(1, np.int64) if zeros is None else zeros.value.astype(np.int64).reshape(-1)
    if not zero.size or (zero != zero[0]).any():
        return None
    axis = axis_of(source, int(source.attrs.get("axis", 1)), len(shape)) if scale.value.size > 1 else None
    scales = tuple(float(each) for each in scale.value.reshape(-1))
    return Quant(scales, int(zero[0]) - (128 if dtype == "u8" else 0), axis)


def check_scale(source: Source, scale: np.ndarray) -> None:
    if scale.dtype != np.float32 or not np.isfinite(scale).all() or (scale <= 0).any() or not scale.size:
        raise refuse(
            source,
            "finite float32 scales above 0",
            f"{scale.dtype}{list(scale.shape)}",
            "quantize the layer again",
        )


def fitted(source: Source, index: int, shape: tuple[int, ...]) -> Node:
    """A scale or zero point that broadcasts to the quantized tensor: of blocks, repeated within each."""
    node = tensor(source, index)
    rank, own = len(shape), node.type.shape
    if node.type.size == 1:
        return reshape(node, (), source.layer)
    axis = axis_of(source, int(source.attrs.get("axis", 1)), rank)
    block = int(source.attrs.get("block_size", 0))
    if block:
        blocks = -(-shape[axis] // block)
        if own != (*shape[:axis], blocks, *shape[axis + 1 :]):
            wanted = f"a scale for each block of {block} of {list(shape)} along axis {axis}"
            raise refuse(source, wanted, str(list(own)), "quantize the layer again")
        index_in = np.arange(shape[axis]) // block
        if is_constant(node):
            repeated = np.ascontiguousarray(np.take(node.attrs["value"], index_in, axis=axis))
            return constant(repeated, source.layer)
        return make("gather_constant", (node,), source.layer, axis=axis, index=index_in)
    if own != (shape[axis],):
        wanted = f"{shape[axis]} scales along axis {axis}"
        raise refuse(source, wanted, str(list(own)), "quantize the weights again")
    return reshape(node, [-1 if each == axis else 1 for each in range(rank)], source.layer)


def quotient(x: Node, scale: Node, layer: str) -> Node:
    """x / scale, rounded once: x times the inverse, plus what is left of x, found exactly by Dekker's
    product (Numerische Mathematik 18, 1971), times the inverse."""
    if is_constant(scale):
        inverse = constant((1.0 / scale.attrs["value"].astype(np.float64)).astype(np.float32), layer)
    else:
        inverse = unary("reciprocal", scale, layer)
    first = mul(x, inverse, layer)
    high, low = halves(first, layer)
    scale_high, scale_low = halves(scale, layer)
    whole = mul(first, scale, layer)
    rest = sub(mul(high, scale_high, layer), whole, layer)
    for a, b in ((high, scale_low), (low, scale_high), (low, scale_low)):
        rest = add(rest, mul(a, b, layer), layer)
    left = sub(sub(x, whole, layer), rest, layer)
    return add(first, mul(left, inverse, layer), layer)


def halves(x: Node, layer: str) -> tuple[Node, Node]:
    """A float32 as a sum of two with at most 12 bits each (Veltkamp)."""
    scaled = mul(x, SPLIT, layer)
    high = sub(scaled, sub(scaled, x, layer), layer)
    return high, sub(x, high, layer)


# DequantizeLinear


def dequantize_linear(source: Source) -> Value:
    value = source.inputs[0] if source.inputs else None
    if isinstance(value, Constant):
        return dequantized(source, value)
    stored = value.node if isinstance(value, Unsigned) else required(source, 0)
    assert isinstance(stored, Node), stored
    dtype = "u8" if isinstance(value, Unsigned) else stored.type.dtype
    quant = quant_of(source, dtype, stored.type.shape)
    if quant is not None and stored.type.quant == quant:
        return make("dequantize", (stored,), source.layer)
    x = tensor(source, 0)
    y = by_formula(source, x)
    if quant is None or quant.axis is not None:
        return y
    # Exact, and what follows may be int8.
    return make("dequantize", (make("quantize", (y,), source.layer, quant),), source.layer)


def by_formula(source: Source, x: Node) -> Node:
    """(x - zero) * scale."""
    if x.type.dtype == "f32":
        raise refuse(source, "a tensor of integers", str(x.type), "quantize it to int8")
    shape, layer = x.type.shape, source.layer
    centred = cast(x, "i32", layer)
    if given(source, 2) is not None:
        centred = sub(centred, cast(fitted(source, 2, shape), "i32", layer), layer)
    return mul(cast(centred, "f32", layer), fitted(source, 1, shape), layer)


def dequantized(source: Source, stored: Constant) -> Constant:
    """A constant as floats; int8 and uint8 ones remember their quantization."""
    array = stored.value
    scale = known(source, 1, "scale").value
    check_scale(source, scale)
    zeros = given(source, 2)
    if zeros is None:
        zero = np.zeros((), array.dtype)
    else:
        zero = spread(source, known(source, 2, "zero point").value, array.shape)
    exact = np.dtype(np.float32) if array.dtype.kind == "f" else np.dtype(np.int64)
    centred = array.astype(exact) - zero.astype(exact)
    with np.errstate(over="ignore"):
        value = centred.astype(np.float32) * spread(source, scale, array.shape)
    is_narrow = array.dtype in (np.int8, np.uint8) and not stored.element
    quant = quant_of(source, dtype_name(array.dtype), array.shape) if is_narrow else None
    return Constant(np.asarray(value, np.float32), quant)


def spread(source: Source, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Constant scales or zero points over the elements that they belong to."""
    if array.size == 1:
        return array.reshape(())
    node = fitted(replace(source, inputs=(None, Constant(array))), 1, shape)
    return np.asarray(node.attrs["value"])


# products


def matmul_integer(source: Source) -> Node:
    """(a - zero) @ (b - zero) in int32; a vector of zero points of a has one for each row."""
    layer = source.layer
    sides = []
    for index in range(2):
        x = cast(tensor(source, index), "i32", layer)
        if given(source, index + 2) is not None:
            zero = cast(tensor(source, index + 2), "i32", layer)
            if index == 0 and zero.type.size > 1 and len(zero.type.shape) == 1:
                zero = reshape(zero, (-1, 1), layer)
            x = sub(x, zero if zero.type.size > 1 else reshape(zero, (), layer), layer)
        sides.append(x)
    return product(sides[0], sides[1], layer)


def qlinear_matmul(source: Source) -> Anything:
    """quantize(dequantize(a) @ dequantize(b)): int8 with symmetric weights, else summed in int32."""
    if len(source.inputs) < 8:
        raise refuse(source, "eight inputs", str(len(source.inputs)), "export the model again")
    b = dequantize_side(source, 3) if isinstance(source.inputs[3], Constant) else None
    if isinstance(b, Constant) and b.quant is not None and b.quant.zero == 0:
        a = dequantize_side(source, 0)
        y = matmul(replace(source, op="MatMul", inputs=(a, b), attrs={}))
    else:
        y = exact_product(source)
    last = replace(source, op="QuantizeLinear", inputs=(y, *source.inputs[6:8]), attrs={})
    return quantize_linear(last)


def dequantize_side(source: Source, first: int) -> Value:
    """Several scales of a are those of its rows, of b those of its columns."""
    value = source.inputs[first]
    rank = value.value.ndim if isinstance(value, Constant) else len(tensor(source, first).type.shape)
    attrs = {"axis": rank - (2 if first == 0 else 1)} if rank > 1 else {}
    inputs = source.inputs[first : first + 3]
    return dequantize_linear(replace(source, op="DequantizeLinear", inputs=inputs, attrs=attrs))


def exact_product(source: Source) -> Node:
    layer = source.layer
    integers = replace(source, inputs=tuple(source.inputs[index] for index in (0, 3, 2, 5)))
    y = cast(matmul_integer(integers), "f32", layer)
    for index in (1, 4):
        scale = tensor(source, index)
        by_row = index == 1 and scale.type.size > 1 and len(scale.type.shape) == 1
        shape = (-1, 1) if by_row else () if scale.type.size == 1 else scale.type.shape
        y = mul(y, reshape(scale, shape, layer), layer)
    return y


QUANTIZED: Mapping[str, Reader] = {
    "DequantizeLinear": dequantize_linear,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "QuantizeLinear": quantize_linear,
}
