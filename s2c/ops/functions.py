"""Scalar functions of one float: what `map` and `unary` mean, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def erf(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x))


def erfc(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.vectorize(math.erfc, otypes=[np.float64])(x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


def gelu(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * x * (1.0 + erf(x / math.sqrt(2.0))))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """GELU with tanh for the error function: x * sigmoid(2 * y)."""
    return np.asarray(x * sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def hard_swish(x: np.ndarray) -> np.ndarray:
    return x * np.clip(x + 3.0, 0.0, 6.0) / 6.0


def silu(x: np.ndarray) -> np.ndarray:
    return np.asarray(x * sigmoid(x))


def mish(x: np.ndarray) -> np.ndarray:
    return np.asarray(x * np.tanh(softplus(x)))


def softsign(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / (1.0 + np.abs(x)))


def rsqrt(x: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / np.sqrt(x))


ROUNDINGS: Mapping[str, Function] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "round": np.rint,  # ties to even
    "sign": np.sign,
    "trunc": np.trunc,
}
POWERS: Mapping[str, Function] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "reciprocal": np.reciprocal,
    "rsqrt": rsqrt,
    "sqrt": np.sqrt,
}
TRIGONOMETRIC: Mapping[str, Function] = {
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "cos": np.cos,
    "sin": np.sin,
    "tan": np.tan,
}
HYPERBOLIC: Mapping[str, Function] = {
    "acosh": np.arccosh,
    "asinh": np.arcsinh,
    "atanh": np.arctanh,
    "cosh": np.cosh,
    "sinh": np.sinh,
    "tanh": np.tanh,
}
ACTIVATIONS: Mapping[str, Function] = {
    "elu": elu,
    "erf": erf,
    "erfc": erfc,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "hard_swish": hard_swish,
    "mish": mish,
    "sigmoid": sigmoid,
    "silu": silu,
    "softplus": softplus,
    "softsign": softsign,
}
FUNCTIONS: Mapping[str, Function] = {**ROUNDINGS, **POWERS, **TRIGONOMETRIC, **HYPERBOLIC, **ACTIVATIONS}
