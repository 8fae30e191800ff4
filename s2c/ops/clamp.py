"""The clamp fused into a node: its real bounds, and the stored values that stand for them."""

from __future__ import annotations

import math

import numpy as np

from s2c.ir import Node
from s2c.ops.integer import (
    quantized_range,
)

UNBOUNDED = (-math.inf, math.inf)


def bounds(node: Node) -> tuple[float, float]:
    """The real clamp fused into a node."""
    return node.attrs.get("lo", UNBOUNDED[0]), node.attrs.get("hi", UNBOUNDED[1])


def real_clamp(x: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """Two selects, so NaN passes through; -0.0 and 0.0 are equal."""
    x = np.where(x < lo, np.float32(lo), x)
    return np.where(x > hi, np.float32(hi), x).astype(np.float32)


def integer_bounds(node: Node) -> tuple[int, int]:
    return quantized_range(node.type, *bounds(node))
