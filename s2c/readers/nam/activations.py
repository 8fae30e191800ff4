"""ACTIVATIONS: each activation of a .nam file, by its name or an object with parameters, as source ops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from s2c.errors import error
from s2c.ir import Node
from s2c.layers.activations import Activation, affine, leaky_relu
from s2c.layers.basic import add, clamp, div, mul, sub, unary
from s2c.ops import make
from s2c.readers.plain_json import Fields


def function(name: str) -> Callable[[Fields], Activation]:
    return lambda fields: lambda x, layer: unary(name, x, layer)


def clamped(lo: float, hi: float) -> Callable[[Fields], Activation]:
    return lambda fields: lambda x, layer: clamp(x, lo, hi, layer)


def leaky(fields: Fields) -> Activation:
    slope = fields.number("negative_slope", 0.01)
    return lambda x, layer: leaky_relu(x, slope, layer)


def prelu(fields: Fields) -> Activation:
    """One slope, or one for each channel."""
    if fields.missing("negative_slopes"):
        return leaky(fields)
    slopes = fields.array("negative_slopes")
    if slopes is None or slopes.ndim != 1:
        return leaky(fields)

    def apply(x: Node, layer: str) -> Node:
        channels = x.type.shape[-1]
        if len(slopes) not in (1, channels):
            found = f"{len(slopes)} negative_slopes"
            raise error(layer, f"1 or {channels} negative_slopes", found, "export the model again")
        return make("prelu", (x,), layer, alpha=np.broadcast_to(slopes, channels))

    return apply


def leaky_hardtanh(fields: Fields) -> Activation:
    """x between two bounds, and lines of other slopes beyond them."""
    lo, hi = fields.number("min_val", -1.0), fields.number("max_val", 1.0)
    below, above = fields.number("min_slope", 0.01), fields.number("max_slope", 0.01)

    def apply(x: Node, layer: str) -> Node:
        under = mul(clamp(sub(x, lo, layer), -math.inf, 0.0, layer), below, layer)
        over = mul(clamp(sub(x, hi, layer), 0.0, math.inf, layer), above, layer)
        return add(add(clamp(x, lo, hi, layer), under, layer), over, layer)

    return apply


def fast_tanh(x: Node, layer: str) -> Node:
    """The rational function that stands for tanh in models of this name."""
    size, square = unary("abs", x, layer), mul(x, x, layer)
    high = mul(affine(size, 0.821226666969744, 0.893229853513558, layer), square, layer)
    low = affine(size, 2.45550750702956, 2.45550750702956, layer)
    bend = unary("abs", add(x, mul(mul(x, size, layer), 0.814642734961073, layer), layer), layer)
    rest = mul(affine(square, 1.0, 2.44506634652299, layer), bend, layer)
    below = affine(rest, 1.0, 2.44506634652299, layer)
    return div(mul(x, add(low, high, layer), layer), below, layer)


ACTIVATIONS: Mapping[str, Callable[[Fields], Activation]] = {
    "Fasttanh": lambda fields: fast_tanh,
    "Hardswish": function("hard_swish"),
    "Hardtanh": clamped(-1.0, 1.0),
    "LeakyHardTanh": leaky_hardtanh,
    "LeakyHardtanh": leaky_hardtanh,
    "LeakyReLU": leaky,
    "PReLU": prelu,
    "ReLU": clamped(0.0, math.inf),
    "SiLU": function("silu"),
    "Sigmoid": function("sigmoid"),
    "Softsign": function("softsign"),
    "Tanh": function("tanh"),
}


def read_activation(fields: Fields, key: str, value: Any) -> Activation:
    """A name, or an object whose "type" is the name."""
    inner = Fields(fields.layer, value if isinstance(value, dict) else {"type": value}, fields.problems)
    name = inner.values.get("type")
    if not isinstance(name, str) or name not in ACTIVATIONS:
        fields.problem(f"{key}, one of {', '.join(ACTIVATIONS)}", "none" if name is None else name)
        return function("tanh")(fields)
    return ACTIVATIONS[name](inner)
