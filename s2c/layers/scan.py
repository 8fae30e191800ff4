"""Running sums, products, maxima: log2(n) additions of the whole to itself, shifted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.basic import add, binary, mul, narrow, pad_axis

Combine = Callable[[Node, Node, str], Node]

SCANS: Mapping[str, Combine] = {
    "sum": add,
    "prod": mul,
    "max": lambda a, b, layer: binary("maximum", a, b, layer),
    "min": lambda a, b, layer: binary("minimum", a, b, layer),
}


def neutral(function: str, x: Node) -> float:
    """What changes nothing."""
    if function in ("sum", "prod"):
        return 0 if function == "sum" else 1
    sign = -1 if function == "max" else 1
    if x.type.dtype == "f32":
        return sign * math.inf
    limits = np.iinfo(x.type.numpy)
    return int(limits.min if sign < 0 else limits.max)


def shifted(x: Node, axis: int, steps: int, value: float, reverse: bool, layer: str) -> Node:
    """Elements moved towards the end of an axis, or its beginning; value comes in."""
    kept = x.type.shape[axis] - steps
    if reverse:
        return pad_axis(narrow(x, axis, steps, kept, layer), axis, 0, steps, layer, value)
    return pad_axis(narrow(x, axis, 0, kept, layer), axis, steps, 0, layer, value)


def scan(
    function: str, x: Node, axis: int, layer: str, exclusive: bool = False, reverse: bool = False
) -> Node:
    """A function of SCANS of all elements up to each, along an axis; exclusive: without itself."""
    extent = x.type.shape[axis]
    value = neutral(function, x)
    result = x
    if exclusive and extent == 1:
        return constant(np.full(x.type.shape, value, x.type.numpy), layer)
    if exclusive:
        result = shifted(x, axis, 1, value, reverse, layer)
    steps = 1
    while steps < extent:
        result = SCANS[function](result, shifted(result, axis, steps, value, reverse, layer), layer)
        steps *= 2
    return result
