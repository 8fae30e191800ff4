"""ATen activations with parameters, and softmax."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import add, clamp, less, mul, sub, swap, unary, where
from s2c.ops import make
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    axis_of,
    float_node,
    given,
    node,
    operand,
    optional,
    refuse,
    result_kind,
)


def relu(source: Source) -> Value:
    return clamp(node(source), 0, math.inf, source.layer)


def hardtanh(source: Source) -> Value:
    x = node(source, "self", result_kind(source))
    return clamp(x, given(source, "min_val"), given(source, "max_val"), source.layer)


def hardsigmoid(source: Source) -> Value:
    sixth = mul(float_node(source), 1.0 / 6.0, source.layer)
    return clamp(add(sixth, 0.5, source.layer), 0.0, 1.0, source.layer)


def leaky_relu(source: Source) -> Value:
    slope = float(given(source, "negative_slope"))
    return make("leaky_relu", (float_node(source),), source.layer, alpha=slope)


def random_leaky_relu(source: Source) -> tuple[Value | None, ...]:
    """In evaluation the slope is the middle of its bounds."""
    if given(source, "training"):
        raise refuse(source, "a net for inference", "rrelu that trains", "call module.eval()")
    slope = (float(given(source, "lower")) + float(given(source, "upper"))) / 2
    return make("leaky_relu", (float_node(source),), source.layer, alpha=slope), None


def elu(source: Source) -> Value:
    """scale * (x where x > 0, else alpha * expm1(input_scale * x))."""
    x = float_node(source)
    alpha, scale, inner = (float(given(source, name)) for name in ("alpha", "scale", "input_scale"))
    if alpha == 1 and inner == 1:
        result = unary("elu", x, source.layer)
    else:
        below = clamp(x, -math.inf, 0.0, source.layer)
        inside = below if inner == 1 else mul(below, inner, source.layer)
        leaked = mul(unary("expm1", inside, source.layer), alpha, source.layer)
        result = add(clamp(x, 0.0, math.inf, source.layer), leaked, source.layer)
    return result if scale == 1 else mul(result, scale, source.layer)


def gelu(source: Source) -> Value:
    name = {"none": "gelu", "tanh": "gelu_tanh"}[given(source, "approximate")]
    return unary(name, float_node(source), source.layer)


def softplus(source: Source) -> Value:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x lies above the threshold."""
    x = float_node(source)
    beta, threshold = float(given(source, "beta")), float(given(source, "threshold"))
    scaled = x if beta == 1 else mul(x, beta, source.layer)
    soft = unary("softplus", scaled, source.layer)
    soft = soft if beta == 1 else mul(soft, 1.0 / beta, source.layer)
    if threshold >= -math.log(float(np.finfo(np.float32).eps)):
        return soft  # there float32 has no difference
    return where(less(threshold, scaled, source.layer), x, soft, source.layer)


def prelu(source: Source) -> Value:
    """A slope for each channel (axis 1), or one."""
    x = float_node(source)
    alpha = optional(source, "weight", "slopes")
    assert alpha is not None
    if alpha.size > 1:
        alpha = alpha.reshape(-1, *(1,) * (len(x.type.shape) - 2))
    return make("prelu", (x,), source.layer, alpha=alpha.astype(np.float32))


def threshold(source: Source) -> Value:
    x = node(source, "self", result_kind(source))
    above = less(operand(source, "threshold", x.type.dtype), x, source.layer)
    return where(above, x, operand(source, "value", x.type.dtype), source.layer)


def log_sigmoid(source: Source) -> tuple[Value | None, ...]:
    """-softplus(-x)."""
    inside = mul(float_node(source), -1.0, source.layer)
    return mul(unary("softplus", inside, source.layer), -1.0, source.layer), None


# softmax


def softmax(source: Source) -> Value:
    x, axis = softmax_operand(source)
    last = swap(x, axis, -1, source.layer)
    return swap(make("softmax", (last,), source.layer, beta=1.0), axis, -1, source.layer)


def softmax_operand(source: Source) -> tuple[Node, int]:
    x = float_node(source)
    if not x.type.shape:
        raise refuse(source, "a softmax over an axis", f"a scalar {x.type}", "give the tensor an axis")
    return x, axis_of(source, given(source, "dim"), len(x.type.shape))


def log_softmax(source: Source) -> Value:
    """x - max - log(sum(exp(x - max)))."""
    x, axis = softmax_operand(source)
    highest = make("reduce", (x,), source.layer, function="max", axes=(axis,), keepdims=True)
    shifted = sub(x, highest, source.layer)
    powers = unary("exp", shifted, source.layer)
    sums = make("reduce", (powers,), source.layer, function="sum", axes=(axis,), keepdims=True)
    return sub(shifted, unary("log", sums, source.layer), source.layer)


ACTIVATIONS: Mapping[str, Reader] = {
    "aten._log_softmax.default": log_softmax,
    "aten._softmax.default": softmax,
    "aten.elu.default": elu,
    "aten.gelu.default": gelu,
    "aten.hardsigmoid.default": hardsigmoid,
    "aten.hardtanh.default": hardtanh,
    "aten.leaky_relu.default": leaky_relu,
    "aten.log_sigmoid_forward.default": log_sigmoid,
    "aten.prelu.default": prelu,
    "aten.relu.default": relu,
    "aten.rrelu_with_noise_functional.default": random_leaky_relu,
    "aten.softplus.default": softplus,
    "aten.threshold.default": threshold,
}
