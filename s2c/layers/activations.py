"""Scalar functions with parameters, and the table of those that recurrent layers name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from s2c.ir import Node
from s2c.layers.basic import add, clamp, less, mul, unary, where
from s2c.ops import make

Activation = Callable[[Node, str], Node]


def affine(x: Node, alpha: float, beta: float, layer: str) -> Node:
    """alpha * x + beta."""
    return add(mul(x, alpha, layer), beta, layer)


def elu(x: Node, alpha: float, layer: str) -> Node:
    """x, but alpha * (exp(x) - 1) below 0."""
    y = unary("elu", x, layer)
    return y if alpha == 1 else where(less(x, 0, layer), mul(y, alpha, layer), x, layer)


def hard_sigmoid(x: Node, alpha: float, beta: float, layer: str) -> Node:
    return clamp(affine(x, alpha, beta, layer), 0.0, 1.0, layer)


def leaky_relu(x: Node, alpha: float, layer: str) -> Node:
    return make("leaky_relu", (x,), layer, alpha=float(alpha))


def scaled_tanh(x: Node, alpha: float, beta: float, layer: str) -> Node:
    """alpha * tanh(beta * x)."""
    return mul(unary("tanh", mul(x, beta, layer), layer), alpha, layer)


def softsign(x: Node, layer: str) -> Node:
    return unary("softsign", x, layer)


def thresholded_relu(x: Node, alpha: float, layer: str) -> Node:
    """x where it is above alpha, else 0."""
    return where(less(alpha, x, layer), x, 0, layer)


# name -> (how alpha and beta are used, their defaults); None: it has no such parameter
PARAMETRIC: Mapping[str, tuple[Callable[[Node, float, float, str], Node], float | None, float | None]] = {
    "affine": (affine, 1.0, 0.0),
    "elu": (lambda x, alpha, beta, layer: elu(x, alpha, layer), 1.0, None),
    "hardsigmoid": (hard_sigmoid, 0.2, 0.5),
    "leakyrelu": (lambda x, alpha, beta, layer: leaky_relu(x, alpha, layer), 0.01, None),
    "relu": (lambda x, alpha, beta, layer: clamp(x, 0.0, math.inf, layer), None, None),
    "scaledtanh": (scaled_tanh, 1.0, 1.0),
    "sigmoid": (lambda x, alpha, beta, layer: unary("sigmoid", x, layer), None, None),
    "softplus": (lambda x, alpha, beta, layer: unary("softplus", x, layer), None, None),
    "softsign": (lambda x, alpha, beta, layer: softsign(x, layer), None, None),
    "tanh": (lambda x, alpha, beta, layer: unary("tanh", x, layer), None, None),
    "thresholdedrelu": (lambda x, alpha, beta, layer: thresholded_relu(x, alpha, layer), 1.0, None),
}


def activation(name: str, alpha: float | None = None, beta: float | None = None) -> Activation:
    """A row of PARAMETRIC with its parameters or their defaults."""
    function, default_alpha, default_beta = PARAMETRIC[name]
    a = default_alpha if alpha is None else alpha
    b = default_beta if beta is None else beta
    return lambda x, layer: function(x, a or 0.0, b or 0.0, layer)
