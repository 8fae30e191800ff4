"""matmul: the core contraction."""

from __future__ import annotations

import math

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.bfloat16 import to_bfloat16
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.integer import LIMITS, scale, scale_once, scale_split, scale_wide, zero_of
from s2c.ops.table import Consts, Params

# matmul: output[r, g*N + n] = clamp(sum over k of input[r, g*K + k] * weight[g, n, k] + bias[g*N + n])
# precision "bf16": the input is rounded to bfloat16 first, and the weights have been.


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
    if node.attrs.get("precision") == "bf16":
        x = to_bfloat16(x)
    wide = x.reshape(rows, groups, depth).astype(np.float64).transpose(1, 0, 2)
    weight = node.attrs["weight"].astype(np.float64).transpose(0, 2, 1)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.matmul(wide, weight).transpose(1, 0, 2).reshape(rows, groups * columns)
        return np.asarray(sums + node.attrs["bias"].astype(np.float64))


def eval_matmul(node: Node, x: np.ndarray) -> np.ndarray:
    sums = matmul_sums(node, x)
    if node.type.dtype in LIMITS:
        scaled = scaled_sums(node, sums.astype(np.int64))
        y = np.clip(scaled + matmul_zero(node), *integer_bounds(node)).astype(node.type.numpy)
    else:
        with np.errstate(over="ignore"):
            y = real_clamp(sums.astype(np.float32), *bounds(node))
    return np.asarray(y.reshape(node.type.shape))


def scaled_sums(node: Node, sums: np.ndarray) -> np.ndarray:
    multiplier, shift = node.attrs["multiplier"], node.attrs["shift"]
    if not is_wide(node):
        return np.asarray(ROUNDINGS[node.attrs.get("rounding", "twice")](sums, multiplier, shift))
    if rounds_once(node):
        return scale_split(sums, multiplier, node.attrs["fraction"], shift)
    return scale_wide(sums, multiplier, shift)


def matmul_consts(node: Node) -> Consts:
    quantized: tuple[str, ...] = ("multiplier", "shift") if node.type.dtype in LIMITS else ()
    if is_wide(node):
        quantized = ("multiplier", "fraction", "shift")
    return {name: node.attrs[name] for name in ("weight", "bias", *quantized)}


def matmul_params(node: Node) -> Params:
    rows, groups, columns, depth = matmul_extents(node)
    extents = {"rows": rows, "groups": groups, "columns": columns, "depth": depth}
    if node.type.dtype not in LIMITS:
        lo, hi = bounds(node)
        return {**extents, "lo": float(lo), "hi": float(hi)}
    low, high = integer_bounds(node)
    ends = {"zero": matmul_zero(node), "lo": low, "hi": high}
    if is_wide(node):
        return {**extents, "scales": len(node.attrs["shift"]), "once": int(rounds_once(node)), **ends}
    scales = scale_params(node.attrs["shift"], matmul_reach(node))
    return {**extents, **scales, "once": int(rounds_once(node)), **ends}


def rounds_once(node: Node) -> bool:
    """Whether the product with the multiplier is rounded once; else twice, as TFLite's convolutions do."""
    return bool(node.attrs.get("rounding", "twice") == "once")


def is_wide(node: Node) -> bool:
    """Whether sums are int64, as in TFLite's int16 layers."""
    return node.type.dtype == "i16"


ROUNDINGS = {"twice": scale, "once": scale_once, "wide": scale_wide}


def matmul_zero(node: Node) -> int:
    """What is added after scaling: the result's zero point, unless the attrs say otherwise."""
    return int(node.attrs.get("zero", zero_of(node.type)))


def scale_params(shift: np.ndarray, accumulator: int) -> Params:
    """How many multipliers there are (1: one for the tensor), the sign of their least shift, their largest
    within -2..1, and whether the accumulator, shifted left by the largest, leaves the topmost bit of int32
    free.
    """
    most = int(shift.max())
    return {
        "scales": len(shift),
        "least_shift": int(np.sign(shift.min())),
        "most_shift": max(-2, min(most, 1)),
        "headroom": int(accumulator << max(most, 0) < 1 << 30),
    }


def matmul_stem(node: Node) -> str:
    return "matmul_bf16" if "precision" in node.attrs else "matmul"


def matmul_macs(node: Node) -> int:
    return math.prod(matmul_extents(node))


def matmul_reach(node: Node) -> int:
    """The largest absolute value of a sum, in any order of summation."""
    weight = np.abs(node.attrs["weight"].astype(np.int64))
    lowest, _ = LIMITS[node.inputs[0].type.dtype]
    widest = weight.sum(axis=2).reshape(-1) * -lowest + np.abs(node.attrs["bias"].astype(np.int64))
    return int(widest.max(initial=0))


def matmul_accumulator(node: Node) -> int:
    """What int32 has to hold: nothing where the sums are int64."""
    return 0 if is_wide(node) else matmul_reach(node)
