"""The core ops: the instruction set that every target has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.functions import FUNCTIONS
from s2c.ops.integer import (
    HIGHEST,
    LOWEST,
    quantize_multiplier,
    saturate,
    scale,
    scale_of,
    zero_of,
)
from s2c.ops.integer_types import COMPUTED
from s2c.ops.matmul import (
    eval_matmul,
    infer_matmul,
    matmul_accumulator,
    matmul_consts,
    matmul_macs,
    matmul_params,
    rounds_once,
)
from s2c.ops.table import Consts, Op, Params, always, like_input
from s2c.ops.window import eval_window, infer_window, window_channelwise, window_params

# relu: the threshold at lo and hi


def eval_relu(node: Node, x: np.ndarray) -> np.ndarray:
    if node.type.dtype == "i8":
        return saturate(x, *integer_bounds(node))
    return real_clamp(x, *bounds(node))


def clamp_params(node: Node) -> Params:
    low, high = integer_bounds(node) if node.type.dtype == "i8" else bounds(node)
    return {"size": node.type.size, "lo": low, "hi": high}


# max: the largest of each `size` neighbours on the last axis


def infer_max(node: Node) -> Type:
    kind = node.inputs[0].type
    return Type((*kind.shape[:-1], kind.shape[-1] // node.attrs["size"]), kind.dtype, kind.quant)


def eval_max(node: Node, x: np.ndarray) -> np.ndarray:
    """A fold of selects `x > m ? x : m` from the first element, so that NaN has a defined meaning."""
    rows = x.reshape(*node.type.shape, node.attrs["size"])
    result = rows[..., 0]
    for index in range(1, node.attrs["size"]):
        result = np.where(rows[..., index] > result, rows[..., index], result)
    return result


def max_params(node: Node) -> Params:
    return {"count": node.type.size, "size": node.attrs["size"]}


# add, mul: elementwise; the second operand may be repeated along outer and inner axes


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


# map: a scalar function: a 256-entry table where the input is int8, else a function of FUNCTIONS


def infer_map(node: Node) -> Type:
    kind = node.inputs[0].type
    if "table" in node.attrs:
        dtype = {"int8": "i8", "float32": "f32"}[node.attrs["table"].dtype.name]
        return Type(kind.shape, dtype, node.type.quant)
    if node.attrs["function"] in ROUNDINGS:
        return Type(kind.shape, "i8", node.type.quant)
    return Type(kind.shape, kind.dtype)


def eval_map(node: Node, x: np.ndarray) -> np.ndarray:
    if "table" in node.attrs:
        return np.asarray(node.attrs["table"][x.astype(np.int64) - LOWEST])
    if node.attrs["function"] in ROUNDINGS:
        return quantize(x, node.type, node.attrs["function"])
    with np.errstate(all="ignore"):
        return np.asarray(FUNCTIONS[node.attrs["function"]](x.astype(np.float64)), np.float32)


def round_away(x: np.ndarray) -> np.ndarray:
    """Rounds to nearest, ties away from zero; adding a half first would round twice."""
    whole = np.trunc(x)
    return np.asarray(whole + np.where(np.abs(x - whole) >= 0.5, np.sign(x), 0.0))


# The functions that give int8: ONNX's QuantizeLinear rounds ties to even, TFLite's QUANTIZE away from zero.
ROUNDINGS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "quantize": np.rint,
    "quantize_away": round_away,
}


def quantize(x: np.ndarray, kind: Type, function: str = "quantize") -> np.ndarray:
    """round(x / scale) + zero, saturated; NaN becomes the lowest value. function is a key of ROUNDINGS."""
    with np.errstate(all="ignore"):
        quotient = x.astype(np.float32) / np.float32(scale_of(kind))
        steps = ROUNDINGS[function](quotient) + np.float32(zero_of(kind))
    bounded = np.where(steps > LOWEST, steps, np.float32(LOWEST))
    return np.where(bounded < HIGHEST, bounded, np.float32(HIGHEST)).astype(np.int8)


def map_consts(node: Node) -> Consts:
    return {"table": node.attrs["table"]} if "table" in node.attrs else {}


def map_params(node: Node) -> Params:
    if node.attrs.get("function") in ROUNDINGS:
        return {"size": node.type.size, "scale": scale_of(node.type), "zero": zero_of(node.type)}
    return {"size": node.type.size}


def map_stem(node: Node) -> str:
    return str(node.attrs.get("function", "map"))


# gather: output[i] = input[offset + strides . i]; insert: base with such a region overwritten

MOST_AXES = 5


def infer_gather(node: Node) -> Type:
    kind = node.inputs[0].type
    return Type(tuple(node.attrs["shape"]), kind.dtype, node.type.quant or kind.quant)


def strided(extents: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> np.ndarray:
    """The flat index of each element of a strided region."""
    index = np.full(extents, offset, np.int64)
    for axis, (extent, stride) in enumerate(zip(extents, strides, strict=True)):
        steps = np.arange(extent, dtype=np.int64) * stride
        index += steps.reshape((-1,) + (1,) * (len(extents) - axis - 1))
    return index


def eval_gather(node: Node, x: np.ndarray) -> np.ndarray:
    """The region goes from the source's strides to the target's; what it leaves out is `value`."""
    attrs = node.attrs
    result = np.full(node.type.size, attrs["value"], node.type.numpy)
    source = strided(attrs["extents"], attrs["source_offset"], attrs["source_strides"])
    target = strided(attrs["extents"], attrs["target_offset"], attrs["target_strides"])
    result[target] = x.reshape(-1)[source]
    return result.reshape(node.type.shape)


def eval_insert(node: Node, base: np.ndarray, x: np.ndarray) -> np.ndarray:
    attrs = node.attrs
    result = base.reshape(-1).copy()
    target = strided(attrs["extents"], attrs["target_offset"], attrs["target_strides"])
    source = strided(attrs["extents"], attrs["source_offset"], attrs["source_strides"])
    result[target] = x.reshape(-1)[source]
    return result.reshape(node.type.shape)


def region_params(node: Node) -> Params:
    """The region with MOST_AXES axes, unit ones in front."""
    attrs = node.attrs
    missing = MOST_AXES - len(attrs["extents"])
    assert missing >= 0, (node.layer, attrs["extents"])
    extents = (1,) * missing + tuple(attrs["extents"])
    source = (0,) * missing + tuple(attrs["source_strides"])
    target = (0,) * missing + tuple(attrs["target_strides"])
    params: dict[str, int | float] = {"size": node.type.size}
    for axis in range(MOST_AXES):
        params[f"extent{axis}"] = extents[axis]
        params[f"source_stride{axis}"] = source[axis]
        params[f"target_stride{axis}"] = target[axis]
    params["source_offset"] = attrs["source_offset"]
    params["target_offset"] = attrs["target_offset"]
    return params


def gather_params(node: Node) -> Params:
    value = node.attrs["value"]
    covered = math.prod(node.attrs["extents"]) == node.type.size
    return {
        **region_params(node),
        "fill": int(not covered),
        "value": float(value) if node.type.dtype == "f32" else stored_bits(value, node.type),
    }


def stored_bits(value: float, kind: Type) -> int:
    """An element of a type as the signed integer of as many bits."""
    return int(np.array([value]).astype(kind.numpy).view(f"i{kind.numpy.itemsize}")[0])


# leaves


def infer_leaf(node: Node) -> Type:
    return node.type


def eval_constant(node: Node) -> np.ndarray:
    return np.asarray(node.attrs["value"])


def eval_input(node: Node) -> np.ndarray:
    raise AssertionError(f"input {node.layer} has no value of its own")


def elementwise_channelwise(node: Node) -> bool:
    """Only where both operands carry the channels themselves."""
    return all(each.type.shape[-1:] == node.type.shape[-1:] for each in node.inputs)


LEAVES: Mapping[str, Op] = {
    "input": Op(infer_leaf, eval_input),
    "constant": Op(infer_leaf, eval_constant),
    "state": Op(infer_leaf, eval_constant),
}

CORE: Mapping[str, Op] = {
    "matmul": Op(
        infer_matmul,
        eval_matmul,
        macs=matmul_macs,
        consts=matmul_consts,
        params=matmul_params,
        accumulator=matmul_accumulator,
    ),
    "window": Op(infer_window, eval_window, params=window_params, channelwise=window_channelwise),
    "relu": Op(like_input, eval_relu, params=clamp_params, channelwise=always),
    "max": Op(infer_max, eval_max, params=max_params),
    "add": Op(infer_elementwise, eval_add, params=add_params, channelwise=elementwise_channelwise),
    "mul": Op(infer_elementwise, eval_mul, params=mul_params, channelwise=elementwise_channelwise),
    "map": Op(infer_map, eval_map, consts=map_consts, params=map_params, stem=map_stem, channelwise=always),
    "gather": Op(infer_gather, eval_gather, params=gather_params),
    "insert": Op(like_input, eval_insert, params=region_params),
}
