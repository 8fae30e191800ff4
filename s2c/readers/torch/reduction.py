"""ATen reductions, and scans along an axis."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import (
    cast,
    gather_constant,
    mean,
    mul,
    reduce,
    reshape,
    square,
    sub,
    total,
    unary,
    unsqueeze,
)
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    axes_of,
    given,
    node,
    refuse,
    result_kind,
    result_shape,
)


def reduced(function: str) -> Reader:
    """Of bools: sums and products as integers, extrema as `or` and `and`."""

    def read(source: Source) -> Value:
        kind = result_kind(source)
        x = node(source, "self", "i32" if kind == "bool" else kind)
        axes = axes_of(source, source.args.get("dim"), len(x.type.shape))
        return cast(over(source, function, x, axes), kind, source.layer)

    return read


def over(source: Source, function: str, x: Node, axes: tuple[int, ...]) -> Node:
    return reshape(reduce(function, x, axes, source.layer), result_shape(source), source.layer)


def truth(function: str) -> Reader:
    """any: a maximum of bools; all: a minimum."""

    def read(source: Source) -> Value:
        x = cast(node(source, "self", "bool"), "i32", source.layer)
        axes = axes_of(source, source.args.get("dim"), len(x.type.shape))
        return cast(over(source, function, x, axes), "bool", source.layer)

    return read


def variance(source: Source) -> Value:
    return variance_and_mean(source)[0]


def variance_and_mean(source: Source) -> tuple[Value, ...]:
    """The sum of squared distances from the mean over count - correction."""
    x = node(source, "self", "f32")
    axes = axes_of(source, given(source, "dim"), len(x.type.shape))
    count = 1
    for axis in axes:
        count *= x.type.shape[axis]
    correction = 1 if given(source, "correction") is None else given(source, "correction")
    if count <= correction:
        raise refuse(source, f"more than {correction} values", f"a variance of {count}", "set correction=0")
    average = mean(x, axes, source.layer)
    sums = total(square(sub(x, average, source.layer), source.layer), axes, source.layer)
    spread = mul(sums, 1.0 / (count - correction), source.layer)
    shape = result_shape(source, 0) if isinstance(source.result, (tuple, list)) else result_shape(source)
    return reshape(spread, shape, source.layer), reshape(average, shape, source.layer)


def vector_norm(source: Source) -> Value:
    x = node(source, "self", "f32")
    axes = axes_of(source, given(source, "dim"), len(x.type.shape))
    return norm(source, x, axes, float(given(source, "ord")))


def norm(source: Source, x: Node, axes: tuple[int, ...], order: float) -> Node:
    if order == 2:
        return unary("sqrt", over(source, "sum", square(x, source.layer), axes), source.layer)
    functions = {1.0: "sum", math.inf: "max", -math.inf: "min"}
    if order not in functions:
        raise refuse(source, "a norm of order 1, 2 or inf", f"order {order:g}", "use one of these orders")
    return over(source, functions[order], unary("abs", x, source.layer), axes)


def distances(source: Source) -> Value:
    """The norms of the differences of all rows of x1 [..., P, M] and x2 [..., R, M]."""
    a, b = node(source, "x1", "f32"), node(source, "x2", "f32")
    rank = max(len(a.type.shape), len(b.type.shape))
    difference = sub(
        unsqueeze(a, len(a.type.shape) - 1, source.layer),
        unsqueeze(b, len(b.type.shape) - 2, source.layer),
        source.layer,
    )
    return norm(source, difference, (rank,), float(given(source, "p")))


def distances_of_pairs(source: Source) -> Value:
    """Those of each two rows, the first row's first."""
    x = node(source, "self", "f32")
    first, second = np.triu_indices(x.type.shape[0], 1)
    a, b = (gather_constant(x, 0, index, source.layer) for index in (first, second))
    return norm(source, sub(a, b, source.layer), (1,), float(given(source, "p")))


REDUCTION: Mapping[str, Reader] = {
    "aten._cdist_forward.default": distances,
    "aten._pdist_forward.default": distances_of_pairs,
    "aten.all.default": truth("min"),
    "aten.all.dim": truth("min"),
    "aten.all.dims": truth("min"),
    "aten.amax.default": reduced("max"),
    "aten.amin.default": reduced("min"),
    "aten.any.default": truth("max"),
    "aten.any.dim": truth("max"),
    "aten.any.dims": truth("max"),
    "aten.linalg_vector_norm.default": vector_norm,
    "aten.max.default": reduced("max"),
    "aten.mean.default": reduced("mean"),
    "aten.mean.dim": reduced("mean"),
    "aten.min.default": reduced("min"),
    "aten.prod.default": reduced("prod"),
    "aten.prod.dim_int": reduced("prod"),
    "aten.sum.default": reduced("sum"),
    "aten.sum.dim_IntList": reduced("sum"),
    "aten.var.correction": variance,
    "aten.var_mean.correction": variance_and_mean,
}
