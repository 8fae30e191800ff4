"""Gather and scatter: with computed indices in constant time, by comparing each with every position."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from s2c.errors import error
from s2c.ir import Node, constant
from s2c.layers.basic import (
    add,
    binary,
    cast,
    concat,
    equal,
    expand,
    gather_constant,
    is_constant,
    less,
    move_axis,
    mul,
    narrow,
    pad,
    reshape,
    total,
    where,
)
from s2c.layers.limits import check_rounds, iota
from s2c.ops import make
from s2c.ops.movement import strides_of

MOST_ELEMENTS = 1 << 14  # of one comparison of all indices with all positions

Combine = Callable[[Node, Node, str], Node]
# What a scatter does with the element that is there already.
REDUCTIONS: Mapping[str, Combine] = {
    "none": lambda old, new, layer: new,
    "add": add,
    "mul": mul,
    "max": lambda old, new, layer: binary("maximum", old, new, layer),
    "min": lambda old, new, layer: binary("minimum", old, new, layer),
}


def gather_axis(x: Node, indices: Node, axis: int, layer: str) -> Node:
    """numpy.take along an axis; negative indices count from the end, others outside give zeros (the
    nearest row, of a constant x)."""
    shape = x.type.shape
    if is_constant(indices):
        return gather_constant(x, axis, wrapped_array(indices.attrs["value"], shape[axis], layer), layer)
    index = wrapped(indices, shape[axis], layer)
    if is_constant(x):
        table = np.ascontiguousarray(np.moveaxis(x.attrs["value"], axis, 0))
        rows = make("lookup", (reshape(index, (-1,), layer),), layer, table=table)
        moved = move_axis(rows, 0, axis, layer)
    else:
        outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        moved = pick(reshape(x, (outer, shape[axis], inner), layer), reshape(index, (1, -1, 1), layer), layer)
    return reshape(moved, (*shape[:axis], *indices.type.shape, *shape[axis + 1 :]), layer)


def take_along(x: Node, indices: Node, axis: int, layer: str) -> Node:
    """numpy.take_along_axis; other axes of indices may be shorter than those of x."""
    shape, wanted = x.type.shape, indices.type.shape
    if is_constant(indices):
        places = list(np.indices(wanted))
        places[axis] = wrapped_array(indices.attrs["value"], shape[axis], layer)
        return gather_flat(x, np.ravel_multi_index(tuple(places), shape), layer)
    for other in range(len(shape)):
        if other != axis:
            x = narrow(x, other, 0, wanted[other], layer)
    outer, inner = math.prod(wanted[:axis]), math.prod(wanted[axis + 1 :])
    index = reshape(wrapped(indices, shape[axis], layer), (outer, wanted[axis], inner), layer)
    return reshape(pick(reshape(x, (outer, shape[axis], inner), layer), index, layer), wanted, layer)


def gather_nd(x: Node, indices: Node, batch_axes: int, layer: str) -> Node:
    """x at the positions that the last axis of indices holds, behind batch_axes that both have."""
    shape = x.type.shape
    depth = depth_of(indices, len(shape) - batch_axes, layer)
    if batch_axes < 0 or indices.type.shape[:batch_axes] != shape[:batch_axes]:
        found = f"{indices.type} with {batch_axes} batch axes"
        raise error(layer, f"indices behind the batch axes of {x.type}", found, "check the layer's indices")
    batch, extents = shape[:batch_axes], shape[batch_axes : batch_axes + depth]
    rest = shape[batch_axes + depth :]
    rows = (math.prod(batch), math.prod(extents), math.prod(rest))
    flat = reshape(flat_positions(indices, extents, layer), (rows[0], -1, 1), layer)
    result = (*indices.type.shape[:-1], *rest)
    if is_constant(flat):
        first = np.arange(rows[0]).reshape(-1, 1, 1) * rows[1] * rows[2]
        places = first + flat.attrs["value"] * rows[2] + np.arange(rows[2])
        return gather_flat(x, places.reshape(result), layer)
    return reshape(pick(reshape(x, rows, layer), flat, layer), result, layer)


def depth_of(indices: Node, most: int, layer: str) -> int:
    """How many axes a row of indices chooses a position of."""
    rows = indices.type.shape
    if not rows or not 1 <= rows[-1] <= most:
        wanted = f"indices whose last axis has 1 to {most} columns"
        raise error(layer, wanted, str(indices.type), "check the layer's indices")
    return rows[-1]


def flat_positions(indices: Node, extents: Sequence[int], layer: str) -> Node:
    """The row-major position, in an array of `extents`, that each row of the last axis stands for: i32."""
    if is_constant(indices):
        array = indices.attrs["value"]
        columns = [wrapped_array(array[..., axis], extent, layer) for axis, extent in enumerate(extents)]
        return constant(np.ravel_multi_index(columns, tuple(extents)).astype(np.int32), layer)
    last = len(indices.type.shape) - 1
    result: Node | None = None
    for axis, (extent, stride) in enumerate(zip(extents, strides_of(tuple(extents)), strict=True)):
        column = mul(wrapped(narrow(indices, last, axis, 1, layer), extent, layer), stride, layer)
        result = column if result is None else add(result, column, layer)
    assert result is not None, layer
    return reshape(result, indices.type.shape[:-1], layer)


def gather_flat(x: Node, positions: np.ndarray, layer: str) -> Node:
    """x, flattened, at constant positions of any shape."""
    return gather_constant(reshape(x, (-1,), layer), 0, positions, layer)


def wrapped(indices: Node, extent: int, layer: str) -> Node:
    """i32, with the extent added to negative ones."""
    index = cast(indices, "i32", layer)
    return where(less(index, 0, layer), add(index, extent, layer), index, layer)


def wrapped_array(indices: np.ndarray, extent: int, layer: str) -> np.ndarray:
    array = indices.astype(np.int64)
    array = np.where(array < 0, array + extent, array)
    if array.size and (array.min() < 0 or array.max() >= extent):
        raise error(
            layer,
            f"indices of {-extent} to {extent - 1}",
            f"{indices.min()} to {indices.max()}",
            "check the layer's indices",
        )
    return array


def pick(x: Node, index: Node, layer: str) -> Node:
    """x [outer, extent, inner] at index [outer or 1, count, inner or 1], i32: [outer, count, inner].

    A sum over a choice between an element and 0 reads every element once for each index, whatever it is;
    NaN elsewhere does not reach the result. Large ones go index by index, or position by position.
    """
    extent, count = x.type.shape[1], index.type.shape[1]
    if x.type.size * count <= MOST_ELEMENTS:
        return pick_at_once(x, index, layer)
    check_rounds(min(count, extent), "computed indices, or positions that they choose from", layer)
    if count <= extent:
        return concat(
            [pick_at_once(x, narrow(index, 1, each, 1, layer), layer) for each in range(count)], 1, layer
        )
    result: Node | None = None
    shape = (x.type.shape[0], count, x.type.shape[2])
    for position in range(extent):
        row = narrow(x, 1, position, 1, layer)
        other = expand(zeros_like(row, layer), shape, layer) if result is None else result
        result = where(equal(index, position, layer), row, other, layer)
    assert result is not None, layer
    return result


def zeros_like(like: Node, layer: str) -> Node:
    return constant(np.zeros(like.type.shape, like.type.numpy), layer)


def pick_at_once(x: Node, index: Node, layer: str) -> Node:
    outer, extent, inner = x.type.shape
    first, count, last = index.type.shape
    positions = reshape(iota(extent, "i32", layer), (1, 1, extent, 1), layer)
    match = equal(reshape(index, (first, count, 1, last), layer), positions, layer)
    values = reshape(summable(x, layer), (outer, 1, extent, inner), layer)
    chosen = total(where(match, values, 0, layer), (2,), layer, keepdims=False)
    return cast(chosen, x.type.dtype, layer)


def summable(x: Node, layer: str) -> Node:
    return cast(x, "i32", layer) if x.type.dtype == "bool" else x


# scatter


def scatter_along(x: Node, indices: Node, updates: Node, axis: int, reduction: str, layer: str) -> Node:
    """x with updates at indices along an axis, at their own places on the others; the last one stays."""
    shape, wanted = x.type.shape, indices.type.shape
    if is_constant(indices):
        places = list(np.indices(wanted))
        places[axis] = wrapped_array(indices.attrs["value"], shape[axis], layer)
        return scatter_flat(x, np.ravel_multi_index(tuple(places), shape), updates, reduction, layer)
    index = wrapped(indices, shape[axis], layer)
    column = [-1 if each == axis else 1 for each in range(len(shape))]
    positions = reshape(iota(shape[axis], "i32", layer), column, layer)
    whole = [(0, other - own) for own, other in zip(wanted, shape, strict=True)]
    whole[axis] = (0, 0)
    if any(map(any, whole)):
        index = pad(index, whole, layer, -1)
        updates = pad(updates, whole, layer)
    check_rounds(wanted[axis], "computed indices", layer)
    for each in range(wanted[axis]):
        hit = equal(narrow(index, axis, each, 1, layer), positions, layer)
        x = placed(x, hit, narrow(updates, axis, each, 1, layer), reduction, layer)
    return x


def scatter_nd(x: Node, indices: Node, updates: Node, reduction: str, layer: str) -> Node:
    """x with updates [*indices.shape[:-1], *rest] at the positions in the last axis of indices."""
    shape = x.type.shape
    depth = depth_of(indices, len(shape), layer)
    wanted = (*indices.type.shape[:-1], *shape[depth:])
    if updates.type.shape != wanted:
        raise error(layer, f"updates {list(wanted)}", str(updates.type), "check the layer's updates")
    extent, inner = math.prod(shape[:depth]), math.prod(shape[depth:])
    flat = reshape(flat_positions(indices, shape[:depth], layer), (-1,), layer)
    if is_constant(flat):
        places = flat.attrs["value"].astype(np.int64)[:, np.newaxis] * inner + np.arange(inner)
        return scatter_flat(x, places, updates, reduction, layer)
    rows = reshape(updates, (flat.type.size, inner), layer)
    result = reshape(x, (extent, inner), layer)
    positions = reshape(iota(extent, "i32", layer), (extent, 1), layer)
    check_rounds(flat.type.size, "computed indices", layer)
    for each in range(flat.type.size):
        hit = equal(narrow(flat, 0, each, 1, layer), positions, layer)
        result = placed(result, hit, narrow(rows, 0, each, 1, layer), reduction, layer)
    return reshape(result, shape, layer)


def placed(x: Node, hit: Node, update: Node, reduction: str, layer: str) -> Node:
    return where(hit, REDUCTIONS[reduction](x, update, layer), x, layer)


def scatter_flat(x: Node, positions: np.ndarray, updates: Node, reduction: str, layer: str) -> Node:
    """x, flattened, with updates at constant positions: in as many rounds as a position occurs at most."""
    places = positions.reshape(-1)
    values = reshape(updates, (-1,), layer)
    result = reshape(x, (-1,), layer)
    if reduction == "none":
        source = np.arange(x.type.size)
        source[places] = x.type.size + np.arange(len(places))
        return reshape(
            gather_constant(concat((result, values), 0, layer), 0, source, layer), x.type.shape, layer
        )
    order = occurrence(places)
    for turn in range(int(order.max(initial=-1)) + 1):
        chosen = np.flatnonzero(order == turn)
        source = np.zeros(x.type.size, np.int64)
        source[places[chosen]] = chosen
        hit = np.zeros(x.type.size, np.bool_)
        hit[places[chosen]] = True
        update = gather_constant(values, 0, source, layer)
        result = placed(result, constant(hit, layer), update, reduction, layer)
    return reshape(result, x.type.shape, layer)


def occurrence(places: np.ndarray) -> np.ndarray:
    """How many equal values stand before each."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.maximum.accumulate(
        np.where(np.diff(ordered, prepend=ordered[:1] - 1) != 0, np.arange(len(places)), 0)
    )
    result = np.empty(len(places), np.int64)
    result[order] = np.arange(len(places)) - starts
    return result
