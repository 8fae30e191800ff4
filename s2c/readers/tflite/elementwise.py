"""Readers of the .tflite ops on single elements, and of softmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any

import numpy as np

from s2c.ir import Node, constant
from s2c.layers import basic
from s2c.ops.integer import scale_of
from s2c.readers.tflite import integer, tables16
from s2c.readers.tflite.layer import Layer, Reader, is_int8


def relu(layer: Layer, **clamp: Any) -> Node:
    """Between two scales LiteRT rescales by the float32 quotient of the scales."""
    source = layer.any(0)
    if source.type.quant is None:
        return layer.make("relu", layer.float_only(), **clamp)
    if source.type.dtype == "i16":
        return integer.requantized(layer, **clamp)
    source = layer.real()
    if source.type.quant == layer.quant:
        return layer.make("relu", source, **clamp)
    ratio = float(np.float32(scale_of(source.type)) / np.float32(scale_of(layer.quantized_result)))
    return layer.make("requantize", source, ratio=ratio, **clamp)


def unary(layer: Layer, function: str) -> Node:
    source = layer.real()
    if is_int8(source):
        return layer.make("unary", source, quant=layer.quantized_result.quant, function=function)
    return layer.make("unary", source, function=function)


def float_unary(layer: Layer, function: str) -> Node:
    return layer.make("unary", layer.float_only(), function=function)


def abs_(layer: Layer) -> Node:
    if layer.any(0).type.dtype == "f32" or is_int8(layer.any(0)):
        return unary(layer, "abs")
    return basic.binary("maximum", layer.signed(), basic.negate(layer.signed(), layer.name), layer.name)


def gelu(layer: Layer) -> Node:
    return unary(layer, "gelu_tanh" if layer.option("Approximate") else "gelu")


def leaky_relu(layer: Layer) -> Node:
    source, alpha = layer.real(), layer.finite("Alpha")
    if is_int8(source):
        scales = [np.float32(scale_of(each)) for each in (source.type, layer.quantized_result)]
        integer.multipliers(layer, np.array([scales[0] / scales[1], abs(scales[0] * alpha) / scales[1]]))
    return layer.make("leaky_relu", source, alpha=alpha)


def prelu(layer: Layer) -> Node:
    if is_int8(layer.any(0)):
        return integer.prelu(layer)
    source, alpha = layer.float_only(), layer.reals(1, "slopes")
    if not broadcasts(alpha.shape, source.type.shape):
        found = f"{alpha.dtype}{list(alpha.shape)}"
        raise layer.error("float32 slopes that broadcast to the input", found, "export the model again")
    return layer.make("prelu", source, alpha=alpha)


def broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def logistic(layer: Layer) -> Node:
    return tables16.logistic(layer) if layer.any(0).type.dtype == "i16" else unary(layer, "sigmoid")


def tanh(layer: Layer) -> Node:
    return tables16.tanh(layer) if layer.any(0).type.dtype == "i16" else unary(layer, "tanh")


def softmax(layer: Layer) -> Node:
    if layer.any(0).type.dtype == "i16":
        return tables16.softmax(layer)
    return layer.make("softmax", layer.real(), beta=layer.finite("Beta"))


def log_softmax(layer: Layer) -> Node:
    """x - max - log(sum of exp(x - max)) over the last axis."""
    source = layer.float_only()
    last = (len(source.type.shape) - 1,)
    shifted = basic.sub(source, basic.reduce("max", source, last, layer.name), layer.name)
    total = basic.total(basic.unary("exp", shifted, layer.name), last, layer.name)
    return basic.sub(shifted, basic.unary("log", total, layer.name), layer.name)


def sum_or_product(layer: Layer, op: str) -> Node:
    """add and mul give the same bits either way round, so the larger operand goes first."""
    a, b = layer.any(0), layer.any(1)
    if a.type.quant is None and a.type.dtype != "f32":
        return layer.clamped(basic.binary(op, layer.number(0), layer.number(1), layer.name))
    if a.type.dtype == "i16":
        return integer.sum_or_product(layer, op)
    a, b = layer.real(0), layer.real(1)
    if is_int8(a) and layer.quant is None:
        raise layer.error("a result of int8 with one scale", str(layer.result_type), "quantize it again")
    if a.type.size < b.type.size:
        a, b = b, a
    return layer.make(op, a, b, **layer.clamp())


def sub(layer: Layer) -> Node:
    if layer.any(0).type.quant is not None:
        return integer.difference(layer)
    return layer.clamped(basic.sub(layer.number(0), layer.number(1), layer.name))


def div(layer: Layer) -> Node:
    return layer.clamped(basic.div(layer.number(0), layer.number(1), layer.name))


def add_n(layer: Layer) -> Node:
    nodes = [layer.number(index) for index in range(max(len(layer.inputs), 1))]
    return reduce(lambda a, b: basic.add(a, b, layer.name), nodes)


def pair(layer: Layer, function: str) -> Node:
    return basic.binary(function, layer.number(0), layer.number(1), layer.name)


def extreme(layer: Layer, function: str) -> Node:
    """Of quantized values LiteRT compares the stored ones, and takes for granted that scales are equal."""
    if layer.any(0).type.quant is None:
        return pair(layer, function)
    layer.same_quant(layer.any(0))
    layer.same_quant(layer.any(1))
    return layer.stored(basic.binary(function, layer.raw(0), layer.raw(1), layer.name))


def squared_difference(layer: Layer) -> Node:
    if layer.any(0).type.quant is not None:
        return integer.squared_difference(layer)
    return basic.square(basic.sub(layer.number(0), layer.number(1), layer.name), layer.name)


def power(layer: Layer) -> Node:
    """A constant exponent of 2 is a square, which costs less and is exact."""
    base, exponent = layer.float_only(0), layer.float_only(1)
    if exponent.op == "constant" and bool((exponent.attrs["value"] == 2).all()):
        return basic.square(base, layer.name)
    return basic.binary("pow", base, exponent, layer.name)


def floor_div(layer: Layer) -> Node:
    """The quotient rounded down: what the division towards zero leaves says whether to go one lower."""
    a, b = layer.number(0), layer.number(1)
    rest = remainder(layer, a, b)
    lower = basic.cast(is_beside(layer, rest, b), a.type.dtype, layer.name)
    if a.type.dtype != "f32":
        return basic.sub(basic.binary("divide", a, b, layer.name), lower, layer.name)
    whole = basic.div(basic.sub(a, rest, layer.name), b, layer.name)
    return basic.sub(basic.unary("round", whole, layer.name), lower, layer.name)


def floor_mod(layer: Layer) -> Node:
    """The remainder of the divisor's sign."""
    a, b = layer.number(0), layer.number(1)
    rest = remainder(layer, a, b)
    moved = basic.add(rest, b, layer.name)
    return basic.where(is_beside(layer, rest, b), moved, rest, layer.name)


def remainder(layer: Layer, a: Node, b: Node) -> Node:
    return basic.binary("fmod" if a.type.dtype == "f32" else "remainder", a, b, layer.name)


def is_beside(layer: Layer, rest: Node, b: Node) -> Node:
    """Whether the remainder is not 0, and its sign not the divisor's."""
    signs = basic.binary("bit_xor", basic.less(rest, 0, layer.name), basic.less(b, 0, layer.name), layer.name)
    is_whole = basic.equal(rest, 0, layer.name)
    return basic.both(negated(layer, is_whole), signs, layer.name)


def square(layer: Layer) -> Node:
    return basic.square(layer.number(), layer.name)


def neg(layer: Layer) -> Node:
    return basic.negate(layer.signed(), layer.name)


# comparisons and logic


def compare(layer: Layer, function: str, swaps: bool = False, negates: bool = False) -> Node:
    """a > b is b < a, a != b is not a == b; NaN compares false but for !=."""
    a, b = integer.comparable(layer)
    result = basic.binary(function, *((b, a) if swaps else (a, b)), layer.name)
    return negated(layer, result) if negates else result


def logic(layer: Layer, function: str) -> Node:
    return basic.binary(function, layer.any(0), layer.any(1), layer.name)


def logical_not(layer: Layer) -> Node:
    return negated(layer, layer.any(0))


def negated(layer: Layer, node: Node) -> Node:
    return basic.binary("bit_xor", node, 1, layer.name)


def select(layer: Layer) -> Node:
    """SELECT with a condition of one axis picks whole rows."""
    condition, a, b = layer.any(0), layer.raw(1), layer.raw(2)
    for index in (1, 2):
        layer.same_quant(layer.any(index))
    if layer.operator.op == "SELECT" and len(condition.type.shape) == 1 < len(a.type.shape):
        ones = (1,) * (len(a.type.shape) - 1)
        condition = layer.reshape(condition, (*condition.type.shape, *ones))
    return layer.stored(basic.where(condition, a, b, layer.name))


# conversions


def cast(layer: Layer) -> Node:
    """Of quantized values the stored ones."""
    return layer.stored(basic.cast(layer.raw(), layer.result_type.dtype, layer.name))


def quantize(layer: Layer) -> Node:
    source = layer.any(0)
    if source.type.quant == layer.quant and source.type.dtype == layer.result_type.dtype:
        return source
    if source.type.dtype == "f32":
        if layer.quantized_result.dtype != "i8":
            raise layer.error("a result of int8", layer.result_type.dtype, "feed int16 values to the net")
        return layer.make("quantize", source, ties="away")
    if "i16" in (layer.result_type.dtype, source.type.dtype):
        return integer.requantized(layer)
    return layer.make("requantize", layer.real(), quant=layer.quantized_result.quant)


def dequantize(layer: Layer) -> Node:
    """float16 constants too, and weights with a scale for each index of an axis."""
    source = layer.any(0)
    if source.op == "constant":
        return constant(layer.reals(0, "values"), layer.name)
    if source.type.dtype == "f16":
        return basic.cast(source, "f32", layer.name)
    if source.type.dtype == "i16":
        return integer.dequantized(layer)
    return layer.make("dequantize", integer.quantized(layer, 0))


def of(read: Callable[..., Node], options: str = "", **arguments: Any) -> Reader:
    return Reader(partial(read, **arguments), options)


ELEMENTWISE: Mapping[str, Reader] = {
    "ABS": of(abs_),
    "ADD": of(sum_or_product, "AddOptions", op="add"),
    "ADD_N": of(add_n),
    "ATAN2": of(pair, function="atan2"),
    "BITWISE_XOR": of(logic, function="bit_xor"),
    "CAST": of(cast),
    "CEIL": of(float_unary, function="ceil"),
    "COS": of(float_unary, function="cos"),
    "DEQUANTIZE": of(dequantize),
    "DIV": of(div, "DivOptions"),
    "ELU": of(unary, function="elu"),
    "EQUAL": of(compare, function="equal"),
    "EXP": of(unary, function="exp"),
    "FLOOR": of(float_unary, function="floor"),
    "FLOOR_DIV": of(floor_div),
    "FLOOR_MOD": of(floor_mod),
    "GELU": of(gelu, "GeluOptions"),
    "GREATER": of(compare, function="less", swaps=True),
    "GREATER_EQUAL": of(compare, function="less_equal", swaps=True),
    "HARD_SWISH": of(unary, function="hard_swish"),
    "LEAKY_RELU": of(leaky_relu, "LeakyReluOptions"),
    "LESS": of(compare, function="less"),
    "LESS_EQUAL": of(compare, function="less_equal"),
    "LOG": of(unary, function="log"),
    "LOGICAL_AND": of(logic, function="bit_and"),
    "LOGICAL_NOT": of(logical_not),
    "LOGICAL_OR": of(logic, function="bit_or"),
    "LOGISTIC": of(logistic),
    "LOG_SOFTMAX": of(log_softmax),
    "MAXIMUM": of(extreme, function="maximum"),
    "MINIMUM": of(extreme, function="minimum"),
    "MUL": of(sum_or_product, "MulOptions", op="mul"),
    "NEG": of(neg),
    "NOT_EQUAL": of(compare, function="equal", negates=True),
    "POW": of(power),
    "PRELU": of(prelu),
    "QUANTIZE": of(quantize),
    "RELU": of(relu, lo=0.0),
    "RELU6": of(relu, lo=0.0, hi=6.0),
    "RELU_0_TO_1": of(relu, lo=0.0, hi=1.0),
    "RELU_N1_TO_1": of(relu, lo=-1.0, hi=1.0),
    "ROUND": of(float_unary, function="round"),
    "RSQRT": of(unary, function="rsqrt"),
    "SELECT": of(select),
    "SELECT_V2": of(select),
    "SIGN": of(float_unary, function="sign"),
    "SIN": of(float_unary, function="sin"),
    "SOFTMAX": of(softmax, "SoftmaxOptions"),
    "SQRT": of(float_unary, function="sqrt"),
    "SQUARE": of(square),
    "SQUARED_DIFFERENCE": of(squared_difference),
    "SUB": of(sub, "SubOptions"),
    "TANH": of(tanh),
}
