"""ATen ops that compare along an axis: the place of the largest, sorting; and running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from s2c.ir import Node
from s2c.layers.basic import binary, cast, narrow, reduce, reshape
from s2c.layers.scan import scan
from s2c.layers.sort import arg, sort, top_k
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    axis_of,
    given,
    has,
    node,
    refuse,
    result_kind,
    result_shape,
)


def comparable(source: Source) -> Node:
    """Bools as integers."""
    x = node(source)
    x = cast(x, "i32", source.layer) if x.type.dtype == "bool" else x
    return x if x.type.shape else reshape(x, (1,), source.layer)


def place(function: str) -> Reader:
    """Without an axis: the place in the flattened tensor."""

    def read(source: Source) -> Value:
        x = comparable(source)
        x = x if has(source, "dim") else reshape(x, (-1,), source.layer)
        axis = axis_of(source, given(source, "dim") or 0, len(x.type.shape))
        index = cast(arg(function, x, axis, False, source.layer), "i64", source.layer)
        return reshape(index, result_shape(source), source.layer)

    return read


def extremum(function: str) -> Reader:
    """The value and its place."""

    def read(source: Source) -> tuple[Value, ...]:
        x = comparable(source)
        axis = axis_of(source, given(source, "dim"), len(x.type.shape))
        best = cast(reduce(function, x, (axis,), source.layer), result_kind(source, 0), source.layer)
        index = cast(arg(function, x, axis, False, source.layer), "i64", source.layer)
        shape = result_shape(source, 0)
        return reshape(best, shape, source.layer), reshape(index, shape, source.layer)

    return read


def several(source: Source, values: Node, indices: Node) -> tuple[Value, ...]:
    kind, shape = result_kind(source, 0), result_shape(source, 0)
    return (
        reshape(cast(values, kind, source.layer), shape, source.layer),
        reshape(cast(indices, "i64", source.layer), shape, source.layer),
    )


def sorted_along(source: Source) -> tuple[Value, ...]:
    x = comparable(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    return several(source, *sort(x, axis, bool(given(source, "descending")), source.layer))


def best_of(source: Source) -> tuple[Value, ...]:
    x = comparable(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    return several(source, *top_k(x, given(source, "k"), axis, bool(given(source, "largest")), source.layer))


def ranked(rank_of: Callable[[Source, int], int]) -> Reader:
    """The element of one rank along an axis, and its place."""

    def read(source: Source) -> tuple[Value, ...]:
        x = comparable(source)
        axis = axis_of(source, given(source, "dim"), len(x.type.shape))
        rank = rank_of(source, x.type.shape[axis])
        values, indices = top_k(x, rank + 1, axis, False, source.layer)
        last = (narrow(each, axis, rank, 1, source.layer) for each in (values, indices))
        return several(source, *last)

    return read


def running(function: str) -> Reader:
    def read(source: Source) -> Value:
        x = node(source, "self", result_kind(source))
        if not x.type.shape:
            return x
        return scan(function, x, axis_of(source, given(source, "dim"), len(x.type.shape)), source.layer)

    return read


def running_extremum(source: Source) -> tuple[Value | None, ...]:
    """Its places, a second result, are not read."""
    function = "max" if "cummax" in source.op else "min"
    x = node(source)
    if x.type.dtype not in ("f32", "i32", "i64"):
        raise refuse(source, "float32, int32 or int64", str(x.type), "cast the tensor")
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    return scan(function, x, axis, source.layer), None


def bucketed(source: Source) -> Value:
    """How many boundaries lie below each element; right: or are equal to it."""
    x = node(source)
    bounds = node(source, "boundaries", x.type.dtype)
    column = reshape(x, (*x.type.shape, 1), source.layer)
    compare = "less_equal" if given(source, "right") else "less"
    below = cast(binary(compare, bounds, column, source.layer), "i32", source.layer)
    count = reduce("sum", below, (len(x.type.shape),), source.layer, keepdims=False)
    return cast(count, result_kind(source), source.layer)


ORDER: Mapping[str, Reader] = {
    "aten.argmax.default": place("max"),
    "aten.argmin.default": place("min"),
    "aten.bucketize.Tensor": bucketed,
    "aten.cummax.default": running_extremum,
    "aten.cummin.default": running_extremum,
    "aten.cumprod.default": running("prod"),
    "aten.cumsum.default": running("sum"),
    "aten.kthvalue.default": ranked(lambda source, extent: int(given(source, "k")) - 1),
    "aten.max.dim": extremum("max"),
    "aten.median.dim": ranked(lambda source, extent: (extent - 1) // 2),
    "aten.min.dim": extremum("min"),
    "aten.sort.default": sorted_along,
    "aten.sort.stable": sorted_along,
    "aten.topk.default": best_of,
}
