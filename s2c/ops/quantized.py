"""Steps of TFLite's integer arithmetic that other ops are composed of: rescale, recenter, reinterpret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from s2c.ir import DTYPES, Node, Type
from s2c.ops.matmul import ROUNDINGS, scale_params
from s2c.ops.movement import gather
from s2c.ops.table import Consts, Op, Params

# rescale: clamp(zero + x * multiplier * 2**(shift - 31), lo, hi) of plain integers x, as dtype; multiplier
# and shift have one value, or one for each index of the last axis. bound: the largest |x|. rounding: "twice"
# and "once" as a matmul rounds, or, of i64, "wide" as TFLite rounds the sums of int16 layers.

WIDE_LIMIT = 1 << 47


def infer_rescale(node: Node) -> Type:
    kind = node.inputs[0].type
    attrs = node.attrs
    is_wide = kind.dtype == "i64"
    assert kind.dtype in ("i32", "i64") and is_wide == (attrs["rounding"] == "wide"), (node.layer, str(kind))
    assert not is_wide or attrs["bound"] < WIDE_LIMIT, (node.layer, attrs["bound"])
    return Type(kind.shape, attrs["dtype"], node.type.quant)


def eval_rescale(node: Node, x: np.ndarray) -> np.ndarray:
    attrs = node.attrs
    scaled = ROUNDINGS[attrs["rounding"]](x.astype(np.int64), attrs["multiplier"], attrs["shift"])
    clamped = np.clip(scaled + attrs["zero"], attrs["lo"], attrs["hi"])
    return np.asarray(clamped.astype(DTYPES[attrs["dtype"]]).reshape(node.type.shape))


def rescale_consts(node: Node) -> Consts:
    return {"multiplier": node.attrs["multiplier"], "shift": node.attrs["shift"]}


def rescale_params(node: Node) -> Params:
    attrs = node.attrs
    scales = scale_params(attrs["shift"], attrs["bound"])
    extents = {"rows": node.type.size // len(attrs["shift"]), **scales}
    ends = {"zero": attrs["zero"], "lo": attrs["lo"], "hi": attrs["hi"]}
    return {**extents, "once": int(attrs["rounding"] == "once"), **ends}


def rescale_accumulator(node: Node) -> int:
    """The bound of x where int32 must hold it."""
    return int(node.attrs["bound"]) if node.inputs[0].type.dtype == "i32" else 0


# recenter: a quantized u8 as the i8 that stands for the same number, and back: q - 128 with zero - 128


def infer_recenter(node: Node) -> Type:
    kind = node.inputs[0].type
    assert kind.quant is not None and kind.dtype in ("i8", "u8"), (node.layer, str(kind))
    to_signed = kind.dtype == "u8"
    zero = kind.quant.zero + (-128 if to_signed else 128)
    return Type(kind.shape, "i8" if to_signed else "u8", replace(kind.quant, zero=zero))


def eval_recenter(node: Node, x: np.ndarray) -> np.ndarray:
    return (x.view(np.uint8) ^ np.uint8(128)).view(node.type.numpy)


def recenter_params(node: Node) -> Params:
    return {"size": node.type.size}


# reinterpret: the stored values under another quantization, or under none


def infer_reinterpret(node: Node) -> Type:
    kind = node.inputs[0].type
    return Type(kind.shape, kind.dtype, node.type.quant)


def eval_reinterpret(node: Node, x: np.ndarray) -> np.ndarray:
    return x


def lower_reinterpret(node: Node) -> Node:
    return gather(node, node.inputs[0], (node.type.size,), (1,))


QUANTIZED: Mapping[str, Op] = {
    "rescale": Op(
        infer_rescale,
        eval_rescale,
        consts=rescale_consts,
        params=rescale_params,
        accumulator=rescale_accumulator,
    ),
    "recenter": Op(infer_recenter, eval_recenter, params=recenter_params),
    "reinterpret": Op(infer_reinterpret, eval_reinterpret, lower_reinterpret),
}
