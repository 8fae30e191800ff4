"""Readers of the .tflite ops on single elements, and of softmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from s2c.ir import Node, constant
from s2c.readers.tflite.layer import Layer, Reader


def relu(layer: Layer, **clamp: Any) -> Node:
    """Between two scales LiteRT rescales by the float32 quotient of the scales."""
    source = layer.real()
    before, after = source.type.quant, layer.quant
    if before is None or after is None or before == after:
        return layer.make("relu", source, **clamp)
    ratio = float(np.float32(before.scale[0]) / np.float32(after.scale[0]))
    return layer.make("requantize", source, ratio=ratio, **clamp)


def unary(layer: Layer, function: str) -> Node:
    return layer.make("unary", layer.real(), function=function)


def float_unary(layer: Layer, function: str) -> Node:
    return layer.make("unary", layer.float_only(), function=function)


def rsqrt(layer: Layer) -> Node:
    root = layer.make("unary", layer.float_only(), function="sqrt")
    return layer.make("unary", root, function="reciprocal")


def gelu(layer: Layer) -> Node:
    return unary(layer, "gelu_tanh" if layer.option("Approximate") else "gelu")


def leaky_relu(layer: Layer) -> Node:
    return layer.make("leaky_relu", layer.real(), alpha=float(layer.option("Alpha")))


def prelu(layer: Layer) -> Node:
    source, alpha = layer.float_only(), layer.array(1, "slopes")
    if alpha.dtype != np.float32 or not broadcasts(alpha.shape, source.type.shape):
        found = f"{alpha.dtype}{list(alpha.shape)}"
        raise layer.error("float32 slopes that broadcast to the input", found, "export the model again")
    return layer.make("prelu", source, alpha=alpha)


def broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def softmax(layer: Layer) -> Node:
    return layer.make("softmax", layer.real(), beta=float(layer.option("Beta")))


def sum_or_product(layer: Layer, op: str) -> Node:
    """add and mul give the same bits either way round, so the larger operand goes first."""
    a, b = layer.real(0), layer.real(1)
    if a.type.size < b.type.size:
        a, b = b, a
    return layer.make(op, a, b, **layer.clamp())


def float_pair(layer: Layer, op: str) -> Node:
    return layer.clamped(layer.make(op, layer.float_only(0), layer.float_only(1)))


def square(layer: Layer) -> Node:
    source = layer.float_only()
    return layer.make("mul", source, source)


def neg(layer: Layer) -> Node:
    minus = constant(np.full((), -1.0, np.float32), layer.name)
    return layer.make("mul", layer.float_only(), minus)


def quantize(layer: Layer) -> Node:
    source = layer.real()
    if source.type.dtype == "f32":
        return layer.make("quantize", source, ties="away")
    return layer.make("requantize", source)


def dequantize(layer: Layer) -> Node:
    return layer.make("dequantize", layer.real())


def of(read: Callable[..., Node], options: str = "", **arguments: Any) -> Reader:
    return Reader(partial(read, **arguments), options)


ELEMENTWISE: Mapping[str, Reader] = {
    "ABS": of(unary, function="abs"),
    "ADD": of(sum_or_product, "AddOptions", op="add"),
    "DEQUANTIZE": of(dequantize),
    "DIV": of(float_pair, "DivOptions", op="div"),
    "ELU": of(unary, function="elu"),
    "EXP": of(unary, function="exp"),
    "GELU": of(gelu, "GeluOptions"),
    "HARD_SWISH": of(unary, function="hard_swish"),
    "LEAKY_RELU": of(leaky_relu, "LeakyReluOptions"),
    "LOG": of(unary, function="log"),
    "LOGISTIC": of(unary, function="sigmoid"),
    "MUL": of(sum_or_product, "MulOptions", op="mul"),
    "NEG": of(neg),
    "PRELU": of(prelu),
    "QUANTIZE": of(quantize),
    "RELU": of(relu, lo=0.0),
    "RELU6": of(relu, lo=0.0, hi=6.0),
    "RELU_0_TO_1": of(relu, lo=0.0, hi=1.0),
    "RELU_N1_TO_1": of(relu, lo=-1.0, hi=1.0),
    "RSQRT": of(rsqrt),
    "SOFTMAX": of(softmax, "SoftmaxOptions"),
    "SQRT": of(float_unary, function="sqrt"),
    "SQUARE": of(square),
    "SUB": of(float_pair, "SubOptions", op="sub"),
    "TANH": of(unary, function="tanh"),
}
