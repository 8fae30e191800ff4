"""ATen products of matrices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import (
    add,
    cast,
    dense,
    is_constant,
    matmul,
    mul,
    reshape,
    swap,
    total,
    unsqueeze,
)
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    given,
    has,
    node,
    refuse,
    result_kind,
    result_shape,
)


def linear(source: Source) -> Value:
    """input [..., depth] times weight [outputs, depth] transposed, plus bias, which broadcasts."""
    x, weight = node(source, "input", "f32"), node(source, "weight", "f32")
    bias = node(source, "bias", "f32") if has(source, "bias") else None
    shape = weight.type.shape
    if bias is not None and len(shape) == 2 and bias.type.shape not in ((), (1,), shape[:1]):
        raise refuse(source, f"{shape[0]} biases", str(list(bias.type.shape)), "export the model again")
    fits = bias is None or (is_constant(bias) and bias.type.shape == shape[:1])
    if is_constant(weight) and len(shape) == 2 and fits:
        offset = None if bias is None else bias.attrs["value"]
        return dense(x, weight.attrs["value"], offset, source.layer)
    turned = weight if len(shape) < 2 else swap(weight, -1, -2, source.layer)
    return plus(matmul(x, turned, source.layer), bias, source.layer)


def plus(x: Node, bias: Node | None, layer: str) -> Node:
    return x if bias is None else add(x, bias, layer)


def product(first: str, second: str) -> Reader:
    """numpy.matmul of two arguments; integers are multiplied as int32 or int64."""

    def read(source: Source) -> Value:
        kind = product_kind(source)
        y = matmul(node(source, first, kind), node(source, second, kind), source.layer)
        return cast(y, result_kind(source), source.layer)

    return read


def product_kind(source: Source) -> str:
    kind = result_kind(source)
    if kind in ("f32", "i32"):
        return kind
    if kind in ("i8", "u8", "i16", "u16"):
        return "i32"
    raise refuse(
        source,
        "matrices of float32 or of integers up to int32",
        str(source.result.dtype),
        "cast the operands to int32 or float32",
    )


def added_product(first: str, second: str) -> Reader:
    """beta * self + alpha * first @ second."""

    def read(source: Source) -> Value:
        kind = product_kind(source)
        a, b = node(source, first, kind), node(source, second, kind)
        alpha, beta = given(source, "alpha"), given(source, "beta")
        bias = node(source, "self", kind)
        plain = alpha == beta == 1 and is_constant(b) and is_constant(bias) and len(b.type.shape) == 2
        if plain and kind == "f32" and bias.type.shape == b.type.shape[1:]:
            return dense(a, np.ascontiguousarray(b.attrs["value"].T), bias.attrs["value"], source.layer)
        y = matmul(a, b, source.layer)
        y = y if alpha == 1 else mul(y, alpha, source.layer)
        if beta == 0:
            return y
        return add(y, bias if beta == 1 else mul(bias, beta, source.layer), source.layer)

    return read


def trilinear(source: Source) -> Value:
    """The product of three tensors, each with axes of extent 1 put in, summed over some axes."""
    layer = source.layer
    factors = []
    for index in "123":
        x = node(source, f"i{index}", "f32")
        for axis in sorted(given(source, f"expand{index}")):
            x = unsqueeze(x, axis, layer)
        factors.append(x)
    y = mul(mul(factors[0], factors[1], layer), factors[2], layer)
    return reshape(total(y, tuple(given(source, "sumdim")), layer), result_shape(source), layer)


DENSE: Mapping[str, Reader] = {
    "aten._trilinear.default": trilinear,
    "aten.addmm.default": added_product("mat1", "mat2"),
    "aten.baddbmm.default": added_product("batch1", "batch2"),
    "aten.bmm.default": product("self", "mat2"),
    "aten.linear.default": linear,
    "aten.matmul.default": product("self", "other"),
    "aten.mm.default": product("self", "mat2"),
}
