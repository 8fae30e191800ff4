"""ONNX activations, clamps and softmax, as source ops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.basic import (
    add,
    binary,
    cast,
    clamp,
    equal,
    less,
    mul,
    reduce,
    scalar,
    sub,
    total,
    unary,
    where,
)
from s2c.ops import make
from s2c.readers.onnx.elementwise import of_floats
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    check_broadcast,
    given,
    number,
    refuse,
    reshaped,
    tensor,
    transposed,
)


def above(x: Node, layer: str) -> Node:
    return clamp(x, 0.0, math.inf, layer)


def below(x: Node, layer: str) -> Node:
    return clamp(x, -math.inf, 0.0, layer)


def relu(source: Source) -> Value:
    return above(tensor(source, 0), source.layer)


def clip(source: Source) -> Value:
    """Attributes min and max before opset 11, inputs from then on; the maximum wins."""
    x, layer = tensor(source, 0), source.layer
    if source.opset < 11:
        return clamp(x, source.attrs.get("min", -math.inf), source.attrs.get("max", math.inf), layer)
    lo, hi = given(source, 1), given(source, 2)
    if x.type.dtype == "f32" and not isinstance(lo, Node) and not isinstance(hi, Node):
        low = -math.inf if lo is None else number(source, 1, "minimum")
        high = math.inf if hi is None else number(source, 2, "maximum")
        if low <= high:
            return clamp(x, low, high, layer)
    if lo is not None:
        x = binary("maximum", x, tensor(source, 1), layer)
    return x if hi is None else binary("minimum", x, tensor(source, 2), layer)


def leaky_relu(source: Source) -> Value:
    alpha = float(source.attrs.get("alpha", 0.01))
    return make("leaky_relu", (activation(source),), source.layer, alpha=alpha)


def prelu(source: Source) -> Value:
    x, slope = tensor(source, 0), tensor(source, 1)
    layer = source.layer
    if source.opset < 7 and len(slope.type.shape) == 1 and slope.type.size > 1:
        slope = reshaped(slope, layer, (slope.type.size, *(1,) * (len(x.type.shape) - 2)))
    check_broadcast(replace(source, inputs=(x, slope)), 1, x.type.shape)
    if x.type.dtype != "f32":
        return where(less(x, 0, layer), mul(slope, x, layer), x, layer)
    if slope.op == "constant":
        return make("prelu", (x,), layer, alpha=slope.attrs["value"])
    return add(above(x, layer), mul(below(x, layer), slope, layer), layer)


def elu(source: Source) -> Value:
    alpha = float(source.attrs.get("alpha", 1.0))
    return scaled_elu(activation(source), 1.0, alpha, 1.0, source.layer)


def selu(source: Source) -> Value:
    alpha = float(source.attrs.get("alpha", 1.67326319217681884765625))
    gamma = float(source.attrs.get("gamma", 1.05070102214813232421875))
    return scaled_elu(activation(source), gamma, alpha, 1.0, source.layer)


def celu(source: Source) -> Value:
    alpha = float(source.attrs.get("alpha", 1.0))
    if not alpha > 0:
        raise refuse(source, "an alpha above 0", str(alpha), "check the layer's alpha")
    return scaled_elu(activation(source), 1.0, alpha, 1.0 / alpha, source.layer)


def scaled_elu(x: Node, gamma: float, alpha: float, inner: float, layer: str) -> Node:
    """gamma * (max(x, 0) + alpha * (exp(inner * min(x, 0)) - 1))."""
    if gamma == alpha == inner == 1:
        return unary("elu", x, layer)
    under = below(x, layer)
    curved = unary("elu", under if inner == 1 else mul(under, inner, layer), layer)
    over = above(x, layer)
    leaked = mul(curved, gamma * alpha, layer)
    return add(over if gamma == 1 else mul(over, gamma, layer), leaked, layer)


def hard_sigmoid(source: Source) -> Value:
    alpha, beta = float(source.attrs.get("alpha", 0.2)), float(source.attrs.get("beta", 0.5))
    layer = source.layer
    return clamp(add(mul(activation(source), alpha, layer), beta, layer), 0.0, 1.0, layer)


def gelu(source: Source) -> Value:
    approximate = source.attrs.get("approximate", "none")
    names = {"none": "gelu", "tanh": "gelu_tanh"}
    if approximate not in names:
        raise refuse(source, "approximate none or tanh", str(approximate), "export the model again")
    return unary(names[approximate], activation(source), source.layer)


def swish(source: Source) -> Value:
    x, layer = activation(source), source.layer
    alpha = float(source.attrs.get("alpha", 1.0))
    if alpha == 1:
        return unary("silu", x, layer)
    return mul(x, unary("sigmoid", mul(x, alpha, layer), layer), layer)


def thresholded_relu(source: Source) -> Value:
    x, layer = activation(source), source.layer
    threshold = scalar(float(source.attrs.get("alpha", 1.0)), x, layer)
    return where(less(threshold, x, layer), x, 0.0, layer)


def shrink(source: Source) -> Value:
    """Nearer to 0 by bias, and 0 within lambd of it."""
    x, layer = tensor(source, 0), source.layer
    bias, limit = float(source.attrs.get("bias", 0.0)), float(source.attrs.get("lambd", 0.5))
    under = where(less(x, -limit, layer), add(x, bias, layer), 0, layer)
    return where(less(scalar(limit, x, layer), x, layer), sub(x, bias, layer), under, layer)


# over an axis


def over_last(source: Source, build: Callable[[Node, str], Node]) -> Value:
    """From opset 13 over one axis; before over all axes from `axis` on, as one."""
    x = activation(source)
    shape, layer = x.type.shape, source.layer
    rank = len(shape)
    if source.opset < 13:
        axis = axis_of(source, source.attrs.get("axis", 1), rank)
        flat = reshaped(x, layer, (*shape[:axis], math.prod(shape[axis:])))
        return reshaped(build(flat, layer), layer, shape)
    axis = axis_of(source, source.attrs.get("axis", -1), rank)
    swap = [*range(rank)]
    swap[axis], swap[-1] = swap[-1], swap[axis]
    last = transposed(x, layer, tuple(swap))
    return transposed(build(last, layer), layer, tuple(swap))


def softmax_of(x: Node, layer: str) -> Node:
    return make("softmax", (x,), layer, beta=1.0)


def log_softmax_of(x: Node, layer: str) -> Node:
    last = len(x.type.shape) - 1
    lowered = sub(x, reduce("max", x, (last,), layer), layer)
    return sub(lowered, unary("log", total(unary("exp", lowered, layer), (last,), layer), layer), layer)


def hardmax_of(x: Node, layer: str) -> Node:
    """1 at the first of the largest elements."""
    last = len(x.type.shape) - 1
    count = x.type.shape[-1]
    positions = constant(np.arange(count, dtype=np.int32), layer)
    largest = equal(x, reduce("max", x, (last,), layer), layer)
    place = where(largest, positions, scalar(count, positions, layer), layer)
    first = reduce("min", place, (last,), layer)
    return cast(equal(first, positions, layer), "f32", layer)


def softmax(source: Source) -> Value:
    return over_last(source, softmax_of)


def log_softmax(source: Source) -> Value:
    return over_last(source, log_softmax_of)


def hardmax(source: Source) -> Value:
    return over_last(source, hardmax_of)


def dropout(source: Source) -> Value | tuple[Value, ...]:
    """The input; a mask, where one is asked for, lets everything through."""
    x = tensor(source, 0)
    ratio, training = given(source, 1), given(source, 2)
    trains = isinstance(training, Node) or (training is not None and training.value.any())
    drops = isinstance(ratio, Node) or ratio is None or ratio.value.any()
    if trains and drops:
        raise refuse(
            source, "Dropout for inference", "training_mode 1", "export the model in evaluation mode"
        )
    mask = np.bool_ if source.opset >= 10 else x.type.numpy
    return (x, Constant(np.ones(x.type.shape, mask)))[: max(source.outputs, 1)]


ACTIVATIONS: Mapping[str, Reader] = {
    "Celu": celu,
    "Clip": clip,
    "Dropout": dropout,
    "Elu": elu,
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": of_floats("hard_swish"),
    "Hardmax": hardmax,
    "LeakyRelu": leaky_relu,
    "LogSoftmax": log_softmax,
    "Mish": of_floats("mish"),
    "PRelu": prelu,
    "Relu": relu,
    "Selu": selu,
    "Shrink": shrink,
    "Sigmoid": of_floats("sigmoid"),
    "Softmax": softmax,
    "Softplus": of_floats("softplus"),
    "Softsign": of_floats("softsign"),
    "Swish": swish,
    "ThresholdedRelu": thresholded_relu,
}
