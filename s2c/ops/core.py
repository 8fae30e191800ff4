"""The core ops: the instruction set that every target has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from s2c.ir import Node, Type
from s2c.ops.arithmetic import (
    add_params,
    elementwise_channelwise,
    eval_add,
    eval_mul,
    infer_elementwise,
    mul_params,
)
from s2c.ops.clamp import bounds, integer_bounds, real_clamp
from s2c.ops.functions import FUNCTIONS
from s2c.ops.integer import (
    HIGHEST,
    LOWEST,
    saturate,
    scale_of,
    zero_of,
)
from s2c.ops.matmul import (
    eval_matmul,
    infer_matmul,
    matmul_accumulator,
    matmul_consts,
    matmul_macs,
    matmul_params,
    matmul_stem,
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
    if "table" in node.attrs and node.type.dtype == "f32":
        step, zero = steps_of(node.attrs["table"])
        return {"size": node.type.size, "scale": step, "zero": zero}
    return {"size": node.type.size}


def steps_of(table: np.ndarray) -> tuple[float, int]:
    """scale and zero of a float32 table that is (q - zero) * scale for all int8 q, to the bit; else 0, 0."""
    values = np.arange(LOWEST, HIGHEST + 1)
    for zero in values[table == 0]:
        step = np.float32(table[1] - table[0]) if zero == LOWEST else -table[zero - 1 - LOWEST]
        line = (values - zero).astype(np.float32) * step
        if step > 0 and np.array_equal(line.view(np.int32), table.view(np.int32)):
            return float(step), int(zero)
    return 0.0, 0


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
        stem=matmul_stem,
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
