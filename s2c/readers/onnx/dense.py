"""ONNX matrix products with a constant side, as dense layers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node, constant
from s2c.ops import make
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    activation,
    given,
    known,
    refuse,
    reshaped,
    transposed,
)
from s2c.readers.onnx.weights import float_array, weight_scale


def gemm(source: Source) -> Value:
    """alpha * A @ B + beta * C with a constant B; a C that is no bias is added after."""
    a = activation(source)
    if source.attrs.get("transA", 0):
        a = transposed(a, source.layer, (1, 0))
    weight = float_array(source, 1, "weights")
    if weight.ndim != 2 or len(a.type.shape) != 2:
        raise refuse(
            source, "two matrices", f"{a.type} and {list(weight.shape)}", "use MatMul for other shapes"
        )
    turned = bool(source.attrs.get("transB", 0))
    alpha = np.float32(source.attrs.get("alpha", 1.0))
    scale = weight_scale(source, known(source, 1, "weights"), 0 if turned else 1) if alpha == 1 else {}
    weight = np.ascontiguousarray((weight if turned else weight.T) * alpha)
    bias, rest = gemm_bias(source, weight.shape[0])
    y = make("dense", (a,), source.layer, weight=weight, bias=bias, **scale)
    return y if rest is None else make("add", (y, rest), source.layer)


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
    """A @ B where one side is constant: that side becomes the weights of a dense layer."""
    if isinstance(given(source, 1), Constant):
        return matmul_weight_right(source)
    if isinstance(given(source, 0), Constant):
        return matmul_weight_left(source)
    raise refuse(
        source,
        "MatMul with a constant side",
        "two computed tensors",
        "bind the input that one side comes from with --const",
    )


def matrix(source: Source, index: int) -> np.ndarray:
    """Weights as a matrix: leading axes of extent 1 fall away, a vector gets a unit axis outside."""
    array = float_array(source, index, "weights")
    if array.ndim > 2 and math.prod(array.shape[:-2]) != 1:
        raise refuse(
            source,
            "a constant matrix",
            f"a constant {list(array.shape)}",
            "split the layer into one per matrix",
        )
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
