"""Source ops on single elements: unary functions, quantize and dequantize, sub, prelu."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type, constant
from s2c.ops.arithmetic import infer_elementwise
from s2c.ops.clamp import integer_bounds
from s2c.ops.core import map_params, quantize, round_away
from s2c.ops.functions import FUNCTIONS
from s2c.ops.integer import (
    HIGHEST,
    LOWEST,
    quantize_multiplier,
    rounding_shift_right,
    saturate,
    scale,
    scale_of,
    zero_of,
)
from s2c.ops.integer_rsqrt import rsqrt
from s2c.ops.table import Op, Params, always, like_input

ALL_VALUES = np.arange(LOWEST, HIGHEST + 1, dtype=np.int8)


# unary: a function of FUNCTIONS applied to each element


def infer_unary(node: Node) -> Type:
    kind = node.inputs[0].type
    if node.attrs["function"] not in FUNCTIONS:
        known = ", ".join(sorted(FUNCTIONS))
        raise error(node.layer, f"one of the functions {known}", node.attrs["function"], "rewrite the layer")
    return Type(kind.shape, kind.dtype, node.type.quant)


def eval_unary(node: Node, x: np.ndarray) -> np.ndarray:
    """On int8: TFLite's table, f(float32(scale * (q - zero))) / scale' rounded away from zero at ties.

    NaN becomes the lowest value; INTEGER_FUNCTIONS has what TFLite computes in integers instead.
    """
    if node.type.dtype == "i8" and node.attrs["function"] in INTEGER_FUNCTIONS:
        return INTEGER_FUNCTIONS[node.attrs["function"]](node, x)
    function = FUNCTIONS[node.attrs["function"]]
    with np.errstate(all="ignore"):
        if node.type.dtype != "i8":
            return np.asarray(function(x.astype(np.float64)), np.float32)
        source, result = node.inputs[0].type, node.type
        real = np.float32(scale_of(source)) * (x.astype(np.int32) - zero_of(source)).astype(np.float32)
        y = np.asarray(function(real.astype(np.float64)), np.float32) * np.float32(1.0 / scale_of(result))
        return saturate(np.nan_to_num(round_away(y), nan=-np.inf) + zero_of(result))


def integer_abs(node: Node, x: np.ndarray) -> np.ndarray:
    """The distance to the zero point, rescaled by the float32 quotient of the scales."""
    source, result = node.inputs[0].type, node.type
    ratio = float(np.float32(scale_of(source)) / np.float32(scale_of(result)))
    distance = np.abs(x.astype(np.int64) - zero_of(source))
    return saturate(scale(distance, *quantize_multiplier(ratio)) + zero_of(result))


def integer_hard_swish(node: Node, x: np.ndarray) -> np.ndarray:
    """TFLite's HARD_SWISH in 16 bits: x on the output's scale times (x + 3) / 6 as Q0.15 within 0..1."""
    source, result = node.inputs[0].type, node.type
    fine = np.float32(1 / 128) * np.float32(scale_of(source))
    factor, exponent = multiplier16(fine / np.float32(scale_of(result)))
    relu_factor, relu_exponent = multiplier16(fine / np.float32(3 / 32768))
    value = (x.astype(np.int64) - zero_of(source)) * 128
    ramp = saturate16(value << max(relu_exponent - 1, 0))
    ramp = high16(ramp, relu_factor)
    ramp = saturate16(ramp << min(max(relu_exponent, 0), 1))
    ramp = rounding_shift_right(ramp, max(-relu_exponent, 0))
    gate = (ramp + (1 << 15)) >> 1
    product = gate * high16(value, factor)
    whole = np.asarray(np.sign(product) * (np.abs(product) >> 15))
    return saturate(rounding_shift_right(whole, -exponent) + zero_of(result))


def integer_rsqrt(node: Node, x: np.ndarray) -> np.ndarray:
    source, result = node.inputs[0].type, node.type
    roots = np.array([rsqrt(int(each), source, result) for each in ALL_VALUES], np.int8)
    return np.asarray(roots[x.astype(np.int64) - LOWEST])


def multiplier16(real: np.float32) -> tuple[int, int]:
    """quantize_multiplier with a multiplier of 16 bits."""
    multiplier, shift = quantize_multiplier(float(real))
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1), shift


def saturate16(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(x, -(1 << 15), (1 << 15) - 1))


def high16(a: np.ndarray, b: int) -> np.ndarray:
    """Rounding doubling high product of two int16, ties upwards."""
    return (a * b + (1 << 14)) >> 15


INTEGER_FUNCTIONS: Mapping[str, Callable[[Node, np.ndarray], np.ndarray]] = {
    "abs": integer_abs,
    "hard_swish": integer_hard_swish,
    "rsqrt": integer_rsqrt,
}


def lower_unary(node: Node) -> Node:
    if node.type.dtype == "i8":
        return tabulate(node)
    return Node("map", node.inputs, {"function": node.attrs["function"]}, node.type, node.layer)


def tabulate(node: Node) -> Node:
    """The map of an int8 node with one input: its own meaning at all 256 values."""
    source = Node("input", (), {}, replace(node.inputs[0].type, shape=(256,)), "")
    row = replace(node, inputs=(source,), type=replace(node.type, shape=(256,)))
    from s2c.ops import OPS  # the table of ops holds this function

    table = OPS[node.op].eval(row, ALL_VALUES)
    return Node("map", node.inputs, {"table": table}, node.type, node.layer)


# requantize: int8 to int8 of another scale; leaky_relu: x where x >= 0, else alpha * x


def eval_requantize(node: Node, x: np.ndarray) -> np.ndarray:
    """TFLite's QUANTIZE of int8, and its RELU between two scales: the rescaled difference to the zero point.

    ratio, where given, replaces the quotient of the scales: TFLite's RELU rounds it to float32.
    """
    source = node.inputs[0].type
    ratio = node.attrs.get("ratio", scale_of(source) / scale_of(node.type))
    centred = x.astype(np.int64) - zero_of(source)
    return saturate(scale(centred, *quantize_multiplier(ratio)) + zero_of(node.type), *integer_bounds(node))


def eval_leaky_relu(node: Node, x: np.ndarray) -> np.ndarray:
    alpha = node.attrs["alpha"]
    if node.type.dtype != "i8":
        with np.errstate(all="ignore"):
            return np.where(x < 0, np.float32(alpha) * x, x).astype(np.float32)
    source = node.inputs[0].type
    # TFLite computes both multipliers in float32; a negative alpha gives a negative multiplier.
    own, result = np.float32(scale_of(source)), np.float32(scale_of(node.type))
    centred = x.astype(np.int64) - zero_of(source)
    kept = scale(centred, *quantize_multiplier(float(own / result)))
    leaked = scale(centred, *quantize_multiplier(float(own * np.float32(alpha) / result)))
    return saturate(np.where(centred >= 0, kept, leaked) + zero_of(node.type))


def lower_leaky_relu(node: Node) -> Node:
    if node.type.dtype == "i8":
        return tabulate(node)
    return lower_slopes(node, np.asarray(node.attrs["alpha"], np.float32))


def eval_prelu(node: Node, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.where(x < 0, node.attrs["alpha"] * x, x).astype(np.float32)


def lower_prelu(node: Node) -> Node:
    return lower_slopes(node, node.attrs["alpha"])


def lower_slopes(node: Node, alpha: np.ndarray) -> Node:
    """clamp(x, 0, inf) + alpha * clamp(x, -inf, 0)."""
    source = node.inputs[0]
    above = Node("relu", (source,), {"lo": 0.0}, node.type, node.layer)
    below = Node("relu", (source,), {"hi": 0.0}, node.type, node.layer)
    slope = constant(alpha.astype(np.float32), node.layer)
    leaked = Node("mul", (below, slope), {}, node.type, node.layer)
    return Node("add", (above, leaked), {}, node.type, node.layer)


def infer_same_dtype(node: Node) -> Type:
    kind = node.inputs[0].type
    return Type(kind.shape, kind.dtype, node.type.quant)


# quantize: f32 to i8; dequantize: i8 to f32


def infer_quantize(node: Node) -> Type:
    return Type(node.inputs[0].type.shape, "i8", node.type.quant)


def eval_quantize(node: Node, x: np.ndarray) -> np.ndarray:
    return quantize(x, node.type, rounding(node))


def rounding(node: Node) -> str:
    """The function of ROUNDINGS: ties is "even" (ONNX, where not given) or "away" (TFLite)."""
    return "quantize_away" if node.attrs.get("ties") == "away" else "quantize"


def lower_quantize(node: Node) -> Node:
    return Node("map", node.inputs, {"function": rounding(node)}, node.type, node.layer)


def quantize_params(node: Node) -> Params:
    return map_params(lower_quantize(node))


def infer_dequantize(node: Node) -> Type:
    return Type(node.inputs[0].type.shape, "f32")


def eval_dequantize(node: Node, x: np.ndarray) -> np.ndarray:
    source = node.inputs[0].type
    return (x.astype(np.int32) - zero_of(source)).astype(np.float32) * np.float32(scale_of(source))


# sub, for floats: a + b * -1; div, for floats: a * (1 / b)


def eval_sub(node: Node, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(a - b, np.float32)


def lower_sub(node: Node) -> Node:
    a, b = node.inputs
    minus = constant(np.full((), -1.0, np.float32), node.layer)
    negated = Node("mul", (b, minus), {}, b.type, node.layer)
    return Node("add", (a, negated), {}, node.type, node.layer)


def eval_div(node: Node, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A divisor above 2**126, whose inverse is subnormal, counts as infinite."""
    with np.errstate(all="ignore"):
        divisor = np.where(np.abs(b) > 2.0**126, np.copysign(np.float32(np.inf), b), b)
        return np.asarray(a / divisor, np.float32)


def lower_div(node: Node) -> Node:
    a, b = node.inputs
    inverse = Node("map", (b,), {"function": "reciprocal"}, b.type, node.layer)
    return Node("mul", (a, inverse), {}, node.type, node.layer)


def floats_only(node: Node) -> Type:
    if node.inputs[0].type.dtype != "f32":
        raise error(
            node.layer, f"float operands of {node.op}", str(node.inputs[0].type), "keep this layer in float"
        )
    return infer_elementwise(node)


ELEMENTWISE: Mapping[str, Op] = {
    "unary": Op(infer_unary, eval_unary, lower_unary, channelwise=always),
    "requantize": Op(infer_same_dtype, eval_requantize, tabulate, channelwise=always),
    "leaky_relu": Op(infer_same_dtype, eval_leaky_relu, lower_leaky_relu, channelwise=always),
    "prelu": Op(like_input, eval_prelu, lower_prelu),
    "quantize": Op(
        infer_quantize,
        eval_quantize,
        lower_quantize,
        params=quantize_params,
        stem=rounding,
        channelwise=always,
    ),
    "dequantize": Op(infer_dequantize, eval_dequantize, tabulate, channelwise=always),
    "sub": Op(floats_only, eval_sub, lower_sub),
    "div": Op(floats_only, eval_div, lower_div),
}
