"""matmul: the core contraction."""

from __future__ import annotations

import math

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.integer import (
    LOWEST,
    saturate,
    scale,
    scale_once,
    zero_of,
)
from s2c.ops.table import Consts, Params

# matmul: output[r, g*N + n] = clamp(sum over k of input[r, g*K + k] * weight[g, n, k] + bias[g*N + n])


def matmul_extents(node: Node) -> tuple[int, int, int, int]:
    """rows, groups, columns (outputs of a group), depth (inputs of a group)."""
    groups, columns, depth = node.attrs["weight"].shape
    return node.inputs[0].type.size // (groups * depth), groups, columns, depth


def infer_matmul(node: Node) -> Type:
    kind = node.inputs[0].type
    groups, columns, depth = node.attrs["weight"].shape
    if kind.shape[-1] != groups * depth:
        raise error(
            node.layer,
            f"an input whose last axis is {groups * depth}, as the weights have",
            str(kind),
            "check the layer's shapes",
        )
    return Type((*kind.shape[:-1], groups * columns), kind.dtype, node.type.quant)


def matmul_sums(node: Node, x: np.ndarray) -> np.ndarray:
    """The contraction with bias, [rows, groups * columns], as float64; integers below 2**53 are exact."""
    rows, groups, columns, depth = matmul_extents(node)
    wide = x.reshape(rows, groups, depth).astype(np.float64).transpose(1, 0, 2)
    weight = node.attrs["weight"].astype(np.float64).transpose(0, 2, 1)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.matmul(wide, weight).transpose(1, 0, 2).reshape(rows, groups * columns)
        return np.asarray(sums + node.attrs["bias"].astype(np.float64))


def eval_matmul(node: Node, x: np.ndarray) -> np.ndarray:
    sums = matmul_sums(node, x)
    if node.type.dtype == "i8":
        accumulator = sums.astype(np.int64)
        rescale = scale_once if rounds_once(node) else scale
        scaled = rescale(accumulator, node.attrs["multiplier"], node.attrs["shift"])
        y = saturate(scaled + matmul_zero(node), *integer_bounds(node))
    else:
        with np.errstate(over="ignore"):
            y = real_clamp(sums.astype(np.float32), *bounds(node))
    return y.reshape(node.type.shape)


def matmul_consts(node: Node) -> Consts:
    quantized = ("multiplier", "shift") if node.type.dtype == "i8" else ()
    return {name: node.attrs[name] for name in ("weight", "bias", *quantized)}


def matmul_params(node: Node) -> Params:
    rows, groups, columns, depth = matmul_extents(node)
    extents = {"rows": rows, "groups": groups, "columns": columns, "depth": depth}
    if node.type.dtype != "i8":
        lo, hi = bounds(node)
        return {**extents, "lo": float(lo), "hi": float(hi)}
    low, high = integer_bounds(node)
    scales = scale_params(node.attrs["shift"], matmul_accumulator(node))
    return {
        **extents,
        **scales,
        "once": int(rounds_once(node)),
        "zero": matmul_zero(node),
        "lo": low,
        "hi": high,
    }


def rounds_once(node: Node) -> bool:
    """Whether the product with the multiplier is rounded once; else twice, as TFLite's convolutions do."""
    return bool(node.attrs.get("rounding", "twice") == "once")


def matmul_zero(node: Node) -> int:
    """What is added after scaling: the result's zero point, unless the attrs say otherwise."""
    return int(node.attrs.get("zero", zero_of(node.type)))


def scale_params(shift: np.ndarray, accumulator: int) -> Params:
    """How many multipliers there are (1: one for the tensor), the signs of their least and largest shift,
    and whether the accumulator, shifted left by the largest, leaves the topmost bit of int32 free.
    """
    most = int(shift.max())
    return {
        "scales": len(shift),
        "least_shift": int(np.sign(shift.min())),
        "most_shift": int(np.sign(most)),
        "headroom": int(accumulator << max(most, 0) < 1 << 30),
    }


def matmul_macs(node: Node) -> int:
    return math.prod(matmul_extents(node))


def matmul_accumulator(node: Node) -> int:
    weight = np.abs(node.attrs["weight"].astype(np.int64))
    widest = weight.sum(axis=2).reshape(-1) * -LOWEST + np.abs(node.attrs["bias"].astype(np.int64))
    return int(widest.max(initial=0))
