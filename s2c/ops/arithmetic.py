"""add and mul: elementwise; the second operand may be repeated along outer and inner axes."""

from __future__ import annotations

import math

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.integer import quantize_multiplier, saturate, scale, scale_of, zero_of
from s2c.ops.integer_types import COMPUTED
from s2c.ops.matmul import rounds_once
from s2c.ops.table import Params


def infer_elementwise(node: Node) -> Type:
    a, b = (each.type for each in node.inputs)
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise error(node.layer, "two shapes that broadcast", f"{a} and {b}", "reshape one of them") from None
    if a.dtype != b.dtype:
        raise error(node.layer, "operands of one dtype", f"{a} and {b}", "cast one of them")
    if a.dtype == "i8" and scale_of(node.type) < least_scale(node):
        raise error(
            node.layer,
            f"a result scale of at least {least_scale(node):g}, so that int32 cannot overflow",
            f"{scale_of(node.type):g}",
            "quantize the result with a larger scale",
        )
    return Type(shape, a.dtype, node.type.quant)


def least_scale(node: Node) -> float:
    """Of an int8 result: a sum (below 2**28) is shifted left by at most 2, a product (2**16) by 14."""
    a, b = (scale_of(each.type) for each in node.inputs)
    if node.op == "mul":
        return a * b * 2.0**-13
    return max(a, b) * 2.0**-ADD_LEFT_SHIFT


def repeats(node: Node) -> tuple[int, int, int] | None:
    """outer, middle, inner, where operand b is indexed by the middle one; None where no such form exists."""
    shape = node.type.shape
    if node.inputs[0].type.shape != shape:
        return None
    other = node.inputs[1].type.shape
    other = (1,) * (len(shape) - len(other)) + other
    own = [axis for axis, extent in enumerate(other) if extent != 1]
    if not own:
        return 1, 1, node.type.size
    first, last = own[0], own[-1] + 1
    if other[first:last] != shape[first:last]:
        return None
    return math.prod(shape[:first]), math.prod(shape[first:last]), math.prod(shape[last:])


def repeat_params(node: Node) -> Params:
    extents = repeats(node)
    assert extents is not None, (node.layer, [str(each.type) for each in node.inputs])
    return dict(zip(("outer", "middle", "inner"), extents, strict=True))


ADD_LEFT_SHIFT = 20


def add_scales(node: Node) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) of operand a, operand b and the result, as TFLite's ADD prepares them."""
    a, b = (scale_of(each.type) for each in node.inputs)
    twice = 2.0 * max(a, b)
    result = twice / ((1 << ADD_LEFT_SHIFT) * scale_of(node.type))
    return quantize_multiplier(a / twice), quantize_multiplier(b / twice), quantize_multiplier(result)


def add_once_scales(node: Node) -> tuple[tuple[int, int], int]:
    """Multipliers below 2**31 of operands a and b, and the right shift, 1 to 62, that they have in common."""
    ratios = [scale_of(each.type) / scale_of(node.type) for each in node.inputs]
    shift = min(max(31 - math.frexp(max(ratios))[1], 1), 62)
    a, b = (min(round(ratio * 2.0**shift), (1 << 31) - 1) for ratio in ratios)
    return (a, b), shift


def eval_add(node: Node, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if is_plain(node):
        return np.asarray(a + b)
    if node.type.dtype != "i8":
        with np.errstate(over="ignore", invalid="ignore"):
            return real_clamp((a + b).astype(np.float32), *bounds(node))
    centred = [x.astype(np.int64) - zero_of(each.type) for x, each in zip((a, b), node.inputs, strict=True)]
    if rounds_once(node):
        (a_multiplier, b_multiplier), shift = add_once_scales(node)
        exact = centred[0] * a_multiplier + centred[1] * b_multiplier
        total = (exact + (1 << (shift - 1))) >> shift
    else:
        scales = add_scales(node)
        wide = [scale(x << ADD_LEFT_SHIFT, *pair) for x, pair in zip(centred, scales, strict=False)]
        total = scale(wide[0] + wide[1], *scales[2])
    return saturate(total + zero_of(node.type), *integer_bounds(node))


def is_plain(node: Node) -> bool:
    """Integers without scale, which wrap around."""
    return node.type.dtype in COMPUTED


def add_params(node: Node) -> Params:
    if is_plain(node):
        return repeat_params(node)
    if node.type.dtype != "i8":
        return {**repeat_params(node), "add_lo": bounds(node)[0], "add_hi": bounds(node)[1]}
    low, high = integer_bounds(node)
    once = rounds_once(node)
    if once:
        (a, b), shift = add_once_scales(node)
        a_shift = b_shift = result = 0
    else:
        (a, a_shift), (b, b_shift), (result, shift) = add_scales(node)
    return {
        **repeat_params(node),
        "a_zero": zero_of(node.inputs[0].type),
        "a_multiplier": a,
        "a_shift": a_shift,
        "b_zero": zero_of(node.inputs[1].type),
        "b_multiplier": b,
        "b_shift": b_shift,
        "add_multiplier": result,
        "add_shift": shift,
        "add_once": int(once),
        "add_zero": zero_of(node.type),
        "add_lo": low,
        "add_hi": high,
    }


def mul_scale(node: Node) -> tuple[int, int]:
    """TFLite's MUL multiplies and divides the scales in float32."""
    a, b, result = (np.float32(scale_of(each)) for each in (*(each.type for each in node.inputs), node.type))
    return quantize_multiplier(float(a * b / result))


def eval_mul(node: Node, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if is_plain(node):
        return np.asarray(a * b)
    if node.type.dtype != "i8":
        with np.errstate(over="ignore", invalid="ignore"):
            return real_clamp((a * b).astype(np.float32), *bounds(node))
    centred = [x.astype(np.int64) - zero_of(each.type) for x, each in zip((a, b), node.inputs, strict=True)]
    scaled = scale(centred[0] * centred[1], *mul_scale(node)) + zero_of(node.type)
    return saturate(scaled, *integer_bounds(node))


def mul_params(node: Node) -> Params:
    if is_plain(node):
        return repeat_params(node)
    if node.type.dtype != "i8":
        return {**repeat_params(node), "mul_lo": bounds(node)[0], "mul_hi": bounds(node)[1]}
    low, high = integer_bounds(node)
    multiplier, shift = mul_scale(node)
    return {
        **repeat_params(node),
        "a_zero": zero_of(node.inputs[0].type),
        "b_zero": zero_of(node.inputs[1].type),
        "mul_multiplier": multiplier,
        "mul_shift": shift,
        "mul_zero": zero_of(node.type),
        "mul_lo": low,
        "mul_hi": high,
    }


def elementwise_channelwise(node: Node) -> bool:
    """Only where both operands carry the channels themselves."""
    return all(each.type.shape[-1:] == node.type.shape[-1:] for each in node.inputs)
