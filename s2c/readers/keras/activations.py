"""ACTIVATIONS: each activation of Keras as source ops; and the layers that are one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from s2c.ir import Node
from s2c.layers.basic import add, clamp, mul, unary
from s2c.ops import make
from s2c.readers.keras.layer import AGAIN, Layer


def relu(x: Node, name: str) -> Node:
    return make("relu", (x,), name, lo=0.0)


def softmax(x: Node, name: str) -> Node:
    return make("softmax", (x,), name, beta=1.0)


def function(word: str) -> Callable[[Node, str], Node]:
    return lambda x, name: unary(word, x, name)


def hard_sigmoid(x: Node, name: str) -> Node:
    """clamp(0.2 x + 0.5, 0, 1), as Keras 2 has it."""
    return make("relu", (add(mul(x, 0.2, name), 0.5, name),), name, lo=0.0, hi=1.0)


ACTIVATIONS: Mapping[str, Callable[[Node, str], Node]] = {
    "elu": function("elu"),
    "exponential": function("exp"),
    "gelu": function("gelu"),
    "hard_sigmoid": hard_sigmoid,
    "linear": lambda x, name: x,
    "relu": relu,
    "relu6": lambda x, name: make("relu", (x,), name, lo=0.0, hi=6.0),
    "sigmoid": function("sigmoid"),
    "silu": function("silu"),
    "softmax": softmax,
    "softplus": function("softplus"),
    "swish": function("silu"),
    "tanh": function("tanh"),
}


def activated(layer: Layer, x: Node) -> Node:
    name = layer.config.get("activation", "linear")
    if name not in ACTIVATIONS:
        raise layer.error(
            f"one of the activations {', '.join(ACTIVATIONS)}", str(name), "choose one of these"
        )
    return ACTIVATIONS[name](x, layer.name)


def activation(layer: Layer) -> Node:
    return activated(layer, layer.input)


def relu_layer(layer: Layer) -> Node:
    """max_value, negative_slope; a threshold other than 0 is refused."""
    has_most, slope = layer.config.get("max_value") is not None, layer.number("negative_slope", 0.0)
    if layer.number("threshold", 0.0) or (slope and has_most):
        raise layer.error("a threshold of 0, and no slope with a maximum", "another", "write it with ONNX")
    if slope:
        return make("leaky_relu", (layer.input,), layer.name, alpha=slope)
    most = layer.number("max_value", 0.0) if has_most else math.inf
    if most < 0:
        raise layer.error("a max_value of at least 0", f"{most:g}", AGAIN)
    return clamp(layer.input, 0.0, most, layer.name)


def leaky_relu(layer: Layer) -> Node:
    alpha = layer.number("alpha", layer.number("negative_slope", 0.3))
    return make("leaky_relu", (layer.input,), layer.name, alpha=alpha)


def elu(layer: Layer) -> Node:
    if layer.config.get("alpha", 1.0) != 1.0:
        raise layer.error("alpha 1", str(layer.config["alpha"]), "export the model to ONNX")
    return unary("elu", layer.input, layer.name)


def prelu(layer: Layer) -> Node:
    """A slope for each element of a sample, or one along the shared axes."""
    x = layer.input
    alpha = layer.weight(0, *(-1,) * (len(x.type.shape) - 1))
    if any(a not in (1, b) for a, b in zip(alpha.shape, x.type.shape[1:], strict=True)):
        raise layer.error("slopes that fit the input", f"{list(alpha.shape)} and {x.type}", AGAIN)
    return make("prelu", (x,), layer.name, alpha=alpha)


def softmax_layer(layer: Layer) -> Node:
    if layer.config.get("axis", -1) not in (-1, len(layer.input.type.shape) - 1):
        raise layer.error("the last axis", str(layer.config["axis"]), "permute the axes before it")
    return softmax(layer.input, layer.name)
