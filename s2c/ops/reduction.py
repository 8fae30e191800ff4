"""fold: sum, product, least or greatest along the middle of three axes; reduce, the same over any axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type, constant
from s2c.ops.integer_types import narrowed, widened
from s2c.ops.table import Op, Params
from s2c.ops.zips import flip_topmost_bit

Fold = Callable[..., Any]
# max and min give NaN where there is one.
FOLDS: Mapping[str, Fold] = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}
ORDERED = ("max", "min")


def infer_fold(node: Node) -> Type:
    outer, size, inner = (node.attrs[name] for name in ("outer", "size", "inner"))
    assert outer * size * inner == node.inputs[0].type.size, (node.layer, dict(node.attrs))
    return Type(tuple(node.attrs["shape"]), node.inputs[0].type.dtype)


def eval_fold(node: Node, x: np.ndarray) -> np.ndarray:
    rows = x.reshape([node.attrs[name] for name in ("outer", "size", "inner")])
    return folded(node.attrs["function"], rows, 1).astype(x.dtype).reshape(node.type.shape)


def folded(function: str, x: np.ndarray, axes: int | tuple[int, ...]) -> np.ndarray:
    """Sums and products of floats in float64; of integers wrapping."""
    wide = x.astype(np.float64) if x.dtype == np.float32 else x
    keywords = {"dtype": wide.dtype} if function in ("sum", "prod") else {}
    with np.errstate(all="ignore"):
        return np.asarray(FOLDS[function](wide, axis=axes, **keywords))


def fold_params(node: Node) -> Params:
    return {name: node.attrs[name] for name in ("outer", "size", "inner")}


def fold_stem(node: Node) -> str:
    return f"fold_{node.attrs['function']}"


# reduce


def infer_reduce(node: Node) -> Type:
    kind = node.inputs[0].type
    axes = node.attrs["axes"]
    if any(not 0 <= axis < len(kind.shape) for axis in axes) or len(set(axes)) != len(axes):
        raise error(node.layer, f"different axes of {kind}", str(list(axes)), "check the layer's axes")
    if node.attrs["function"] == "mean" and kind.dtype != "f32":
        raise error(node.layer, "a mean of float32", str(kind), "cast the input to float32")
    shape = [1 if axis in axes else extent for axis, extent in enumerate(kind.shape)]
    if not node.attrs["keepdims"]:
        shape = [extent for axis, extent in enumerate(shape) if axis not in axes]
    return Type(tuple(shape), kind.dtype)


def eval_reduce(node: Node, x: np.ndarray) -> np.ndarray:
    axes = tuple(node.attrs["axes"])
    with np.errstate(all="ignore"):
        if node.attrs["function"] == "mean":
            y = np.mean(x.astype(np.float64), axis=axes)
        else:
            y = folded(node.attrs["function"], x, axes)
        return np.asarray(y).astype(x.dtype).reshape(node.type.shape)


def lower_reduce(node: Node) -> Node:
    """One fold for each run of neighbouring axes, the last first; a mean is a sum times 1 / count."""
    source = widened(node.inputs[0], node.layer)
    shape = source.type.shape
    axes = set(node.attrs["axes"])
    is_mean = node.attrs["function"] == "mean"
    is_flipped = node.type.dtype == "u64" and node.attrs["function"] in ORDERED
    result = flip_topmost_bit(source) if is_flipped else source
    for first, last in reversed(runs(shape, axes)):
        now = result.type.shape
        left = (*now[:first], *(1 for _ in now[first:last]), *now[last:])
        attrs = {
            "function": "sum" if is_mean else node.attrs["function"],
            "outer": math.prod(now[:first]),
            "size": math.prod(now[first:last]),
            "inner": math.prod(now[last:]),
            "shape": left,
        }
        result = Node("fold", (result,), attrs, replace(result.type, shape=left, quant=None), node.layer)
    result = reshape_node(result, node.type.shape, node.layer)
    if is_mean:
        count = math.prod(shape[axis] for axis in axes)
        factor = constant(np.full((), 1.0 / count, np.float32), node.layer)
        result = Node("mul", (result, factor), {}, result.type, node.layer)
    return narrowed(flip_topmost_bit(result) if is_flipped else result, node.type.dtype)


def reshape_node(node: Node, shape: tuple[int, ...], layer: str) -> Node:
    if node.type.shape == shape:
        return node
    return Node("reshape", (node,), {"shape": shape}, replace(node.type, shape=shape), layer)


def runs(shape: tuple[int, ...], axes: set[int]) -> list[tuple[int, int]]:
    """Neighbouring axes to reduce, as (first, behind the last); axes of extent 1 join and make no run."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for axis, extent in enumerate((*shape, 0)):
        if axis < len(shape) and axis in axes and extent != 1:
            start = axis if start is None else start
        elif start is not None and extent != 1:
            found.append((start, axis))
            start = None
    return found


REDUCTION: Mapping[str, Op] = {
    "fold": Op(infer_fold, eval_fold, params=fold_params, stem=fold_stem),
    "reduce": Op(infer_reduce, eval_reduce, lower_reduce),
}
