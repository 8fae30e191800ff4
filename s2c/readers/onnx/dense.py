"""ONNX matrix products, with a constant side as dense layers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.errors import error
from s2c.ir import Node, constant
from s2c.layers import basic
from s2c.layers.basic import add, cast, mul, reshape, total
from s2c.ops import make
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    activation,
    check_broadcast,
    given,
    known,
    refuse,
    required,
    reshaped,
    shape_of,
    tensor,
    transposed,
)
from s2c.readers.onnx.weights import float_array, weight_scale


def gemm(source: Source) -> Value:
    """alpha * A @ B + beta * C; a constant B becomes weights, and a C that is no bias is added after."""
    a, b = tensor(source, 0), shape_of(required(source, 1))
    layer = source.layer
    if len(a.type.shape) != 2 or len(b) != 2:
        raise refuse(source, "two matrices", f"{a.type} and {list(b)}", "use MatMul for other shapes")
    if source.attrs.get("transA", 0):
        a = transposed(a, layer, (1, 0))
    turned = bool(source.attrs.get("transB", 0))
    check_broadcast(source, 2, (a.type.shape[0], b[0 if turned else 1]))
    if isinstance(given(source, 1), Node) or a.type.dtype != "f32":
        return gemm_of_computed(source, a)
    weight = float_array(source, 1, "weights")
    alpha = np.float32(source.attrs.get("alpha", 1.0))
    scale = weight_scale(source, known(source, 1, "weights"), 0 if turned else 1) if alpha == 1 else {}
    weight = np.ascontiguousarray((weight if turned else weight.T) * alpha)
    bias, rest = gemm_bias(source, weight.shape[0])
    y = make("dense", (a,), layer, weight=weight, bias=bias, **scale)
    return y if rest is None else make("add", (y, rest), layer)


def gemm_of_computed(source: Source, a: Node) -> Value:
    b, layer = tensor(source, 1), source.layer
    if source.attrs.get("transB", 0):
        b = transposed(b, layer, (1, 0))
    y = product(a, b, layer)
    alpha, beta = (float(source.attrs.get(name, 1.0)) for name in ("alpha", "beta"))
    if alpha != 1:
        y = mul(y, alpha, layer)
    if given(source, 2) is None or beta == 0:
        return y
    c = tensor(source, 2)
    return add(y, c if beta == 1 else mul(c, beta, layer), layer)


def gemm_bias(source: Source, outputs: int) -> tuple[np.ndarray, Node | None]:
    """C * beta as a bias where it is one value per output, and otherwise as what is still to add."""
    zeros = np.zeros(outputs, np.float32)
    beta = np.float32(source.attrs.get("beta", 1.0))
    value = given(source, 2)
    if value is None or beta == 0:
        return zeros, None
    if isinstance(value, Constant):
        scaled = float_array(source, 2, "bias") * beta
        if scaled.size == scaled.shape[-1] if scaled.ndim else True:
            return np.array(np.broadcast_to(scaled.reshape(-1), (outputs,))), None
        return zeros, constant(scaled, source.layer)
    rest = activation(source, 2)
    if beta != 1:
        rest = make("mul", (rest, constant(np.full((), beta, np.float32), source.layer)), source.layer)
    return zeros, rest


def matmul(source: Source) -> Value:
    """A @ B; a side that is a constant matrix becomes the weights of a dense layer."""
    if is_weight(given(source, 1)):
        return matmul_weight_right(source)
    if is_weight(given(source, 0)):
        return matmul_weight_left(source)
    return product(tensor(source, 0), tensor(source, 1), source.layer)


def is_weight(value: Value | None) -> bool:
    if not isinstance(value, Constant) or value.value.dtype != np.float32:
        return False
    return value.value.ndim > 0 and math.prod(value.value.shape[:-2]) == 1


def product(a: Node, b: Node, layer: str) -> Node:
    """numpy.matmul of two computed tensors, or of integers."""
    kinds = (a.type, b.type)
    inner = b.type.shape[-2 if len(b.type.shape) > 1 else -1 :][:1]
    if not a.type.shape or not b.type.shape or a.type.shape[-1:] != inner:
        raise error(
            layer,
            "matrices of which the first have as many columns as the second rows",
            f"{kinds[0]} and {kinds[1]}",
            "check the layer's shapes",
        )
    if a.type.dtype == b.type.dtype and a.type.dtype not in ("f32", "i32"):
        if a.type.dtype in ("u32", "i64", "u64"):
            return wide_product(a, b, layer)
        return cast(basic.matmul(cast(a, "i32", layer), cast(b, "i32", layer), layer), a.type.dtype, layer)
    return basic.matmul(a, b, layer)


def wide_product(a: Node, b: Node, layer: str) -> Node:
    """Of 64-bit integers: all products of a row and a column, summed."""
    dtype = a.type.dtype
    a, b = cast(a, "i64", layer), cast(b, "i64", layer)
    left = a if len(a.type.shape) > 1 else reshape(a, (1, -1), layer)
    right = b if len(b.type.shape) > 1 else reshape(b, (-1, 1), layer)
    rank = len(right.type.shape)
    turned = transposed(right, layer, (*range(rank - 2), rank - 1, rank - 2))
    rows = reshape(left, (*left.type.shape[:-1], 1, left.type.shape[-1]), layer)
    columns = reshape(turned, (*turned.type.shape[:-2], 1, *turned.type.shape[-2:]), layer)
    products = mul(rows, columns, layer)
    y = total(products, (len(products.type.shape) - 1,), layer, keepdims=False)
    shape = y.type.shape
    if len(b.type.shape) == 1:
        shape = shape[:-1]
    if len(a.type.shape) == 1:
        shape = (*shape[: len(y.type.shape) - 2], *shape[len(y.type.shape) - 1 :])
    return cast(reshape(y, shape, layer), dtype, layer)


def matrix(source: Source, index: int) -> np.ndarray:
    """Weights as a matrix: leading axes of extent 1 fall away, a vector gets a unit axis outside."""
    array = float_array(source, index, "weights")
    if array.ndim == 1:
        return array.reshape((-1, 1) if index else (1, -1))
    return array.reshape(array.shape[-2:])


def matmul_weight_right(source: Source) -> Value:
    a = activation(source)
    value = known(source, 1, "weights")
    weight = np.ascontiguousarray(matrix(source, 1).T)
    scale = weight_scale(source, value, value.value.ndim - 1)
    y = make("dense", (a,), source.layer, weight=weight, bias=np.zeros(len(weight), np.float32), **scale)
    added = max(value.value.ndim - len(a.type.shape), 0) if value.value.ndim > 2 else 0
    shape = (1,) * added + (y.type.shape if value.value.ndim > 1 else y.type.shape[:-1])
    return reshaped(y, source.layer, shape)


def matmul_weight_left(source: Source) -> Value:
    """(B transposed @ A transposed) transposed."""
    b = activation(source, 1)
    value = known(source, 0, "weights")
    weight = matrix(source, 0)
    rank = len(b.type.shape)
    scale = weight_scale(source, value, value.value.ndim - 2)
    swap = (*range(rank - 2), rank - 1, rank - 2)
    columns = b if rank == 1 else transposed(b, source.layer, swap)
    y = make(
        "dense", (columns,), source.layer, weight=weight, bias=np.zeros(len(weight), np.float32), **scale
    )
    if value.value.ndim == 1:
        return reshaped(y, source.layer, y.type.shape[:-1])
    y = y if rank == 1 else transposed(y, source.layer, swap)
    added = max(value.value.ndim - rank, 0) if value.value.ndim > 2 else 0
    return reshaped(y, source.layer, (1,) * added + y.type.shape)


DENSE: Mapping[str, Reader] = {
    "Gemm": gemm,
    "MatMul": matmul,
}
