"""cast: from any dtype to any; convert, a step of it that has a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from s2c.ir import DTYPES, Node, Type
from s2c.ops.table import Op, Params

# What a dtype is converted to in one step.
STEPS: Mapping[str, tuple[str, ...]] = {
    "bool": ("i32",),
    "i8": ("i32",),
    "u8": ("i32",),
    "i16": ("i32",),
    "u16": ("i32",),
    "i32": ("i8", "u8", "i16", "u16", "i64", "f32", "bool"),
    "i64": ("i32", "u32", "u64", "f32", "bool"),
    "u32": ("i64",),
    "u64": ("i64", "f32"),
    "f32": ("i32", "i64", "f16", "bool"),
    "f16": ("f32",),
}
# Through what the others pass.
HUBS: Mapping[str, str] = {
    **dict.fromkeys(("bool", "i8", "u8", "i16", "u16"), "i32"),
    **dict.fromkeys(("u32", "u64"), "i64"),
    "f16": "f32",
}


def path(source: str, target: str) -> tuple[str, ...]:
    """The dtypes on the way, both ends included."""
    if source == target:
        return (source,)
    if target in STEPS[source]:
        step = target
    else:
        step = HUBS[target] if HUBS.get(target) in STEPS[source] else HUBS[source]
    return (source, *path(step, target))


def infer_cast(node: Node) -> Type:
    return Type(node.inputs[0].type.shape, node.attrs["dtype"])


def eval_cast(node: Node, x: np.ndarray) -> np.ndarray:
    """Floats become integers towards zero, saturated at int32 or, for wider ones, int64, with NaN as 0; a
    narrower integer takes the low bits. bool is whether a value is not 0."""
    target = DTYPES[node.attrs["dtype"]]
    with np.errstate(all="ignore"):
        if target == np.bool_:
            return np.asarray(x != 0)
        if x.dtype.kind != "f" or target.kind == "f":
            return np.asarray(x.astype(target))
        wide = (
            np.dtype(np.int32)
            if node.attrs["dtype"] in ("i8", "u8", "i16", "u16", "i32")
            else np.dtype(np.int64)
        )
        return saturated(x, wide).astype(target)


def saturated(x: np.ndarray, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Towards zero, within an integer dtype."""
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    beyond = -float(limits.min)
    inside = np.abs(x) < beyond
    whole = np.where(inside, x, 0).astype(dtype)
    ends = np.where(x >= beyond, limits.max, np.where(x <= -beyond, limits.min, 0))
    return np.where(inside, whole, ends).astype(dtype)


def lower_cast(node: Node) -> Node:
    result = node.inputs[0]
    for _, step in pairwise(path(result.type.dtype, node.attrs["dtype"])):
        kind = replace(result.type, dtype=step, quant=None)
        result = Node("convert", (result,), {"dtype": step}, kind, node.layer)
    return result


def convert_params(node: Node) -> Params:
    return {"size": node.type.size}


CAST: Mapping[str, Op] = {
    "convert": Op(infer_cast, eval_cast, params=convert_params),
    "cast": Op(infer_cast, eval_cast, lower_cast),
}
