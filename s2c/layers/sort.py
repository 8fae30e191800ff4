"""Sorting, the k largest and the place of the largest, in a fixed order of comparisons.

A key is followed by its index, which decides between equals, so the order is stable. With NaN among the keys
the result is some permutation of them.
"""

from __future__ import annotations

import math

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import (
    binary,
    both,
    cast,
    concat,
    either,
    equal,
    expand,
    flip,
    less,
    move_axis,
    narrow,
    pad_axis,
    reduce,
    reshape,
    where,
)
from s2c.layers.limits import iota

Pair = tuple[Node, Node]  # keys and i32 indices
STAGE_NODES = 15  # of a stage of the network
ROUND_NODES = 10  # of choosing one element

# the place of the largest


def arg(function: str, x: Node, axis: int, last: bool, layer: str) -> Node:
    """i32 index along an axis, kept, of the max or min: the first, or the last, of equals; or of NaN."""
    best = reduce(function, x, (axis,), layer)
    return place_of(best, x, iota_of(x, axis, layer), axis, last, layer)


def iota_of(x: Node, axis: int, layer: str) -> Node:
    shape = [1] * len(x.type.shape)
    shape[axis] = -1
    return reshape(iota(x.type.shape[axis], "i32", layer), shape, layer)


def place_of(best: Node, x: Node, places: Node, axis: int, last: bool, layer: str) -> Node:
    """The index of what equals best, or is NaN."""
    nowhere = -1 if last else x.type.shape[axis]
    found = where(equal(x, best, layer), places, nowhere, layer)
    if x.type.dtype == "f32":
        found = where(equal(x, x, layer), found, places, layer)
    return reduce("max" if last else "min", found, (axis,), layer)


# the k largest


def sort(x: Node, axis: int, descending: bool, layer: str) -> Pair:
    return top_k(x, x.type.shape[axis], axis, descending, layer)


def top_k(x: Node, k: int, axis: int, largest: bool, layer: str) -> Pair:
    """The k largest or smallest along an axis, in order, with their i32 indices."""
    rows = move_axis(x, axis, -1, layer)
    keys = sortable(reshape(rows, (-1, x.type.shape[axis]), layer), layer)
    stages = math.comb(bits(x.type.shape[axis]) + 1, 2)
    choose = select_rounds if k * ROUND_NODES <= stages * STAGE_NODES else sort_network
    values, indices = choose(keys, k, largest, layer)
    shape = (*rows.type.shape[:-1], k)
    results = (unsortable(values, x.type.dtype, layer), indices)
    first, second = (move_axis(reshape(each, shape, layer), -1, axis, layer) for each in results)
    return first, second


def bits(extent: int) -> int:
    """Of the next power of two."""
    return (extent - 1).bit_length()


def sortable(x: Node, layer: str) -> Node:
    """In a dtype that compares: narrow integers as i32, u64 as i64 in its order."""
    dtype = x.type.dtype
    if dtype == "u64":
        return binary("bit_xor", cast(x, "i64", layer), np.iinfo(np.int64).min, layer)
    if dtype == "u32":
        return cast(x, "i64", layer)
    return x if dtype in ("f32", "i64") else cast(x, "i32", layer)


def unsortable(x: Node, dtype: str, layer: str) -> Node:
    if dtype == "u64":
        x = binary("bit_xor", x, np.iinfo(np.int64).min, layer)
    return cast(x, dtype, layer)


def beyond(x: Node, largest: bool) -> float:
    """A key behind, or equal to, every other."""
    if x.type.dtype == "f32":
        return -math.inf if largest else math.inf
    limits = np.iinfo(x.type.numpy)
    return int(limits.min if largest else limits.max)


def select_rounds(x: Node, k: int, largest: bool, layer: str) -> Pair:
    """[rows, n] to [rows, k], one column after the other: the best of those that are left."""
    extent = x.type.shape[1]
    places = iota_of(x, 1, layer)
    left: Node | None = None
    values, indices = [], []
    for turn in range(k):
        keys = x if left is None else where(left, x, beyond(x, largest), layer)
        best = reduce("max" if largest else "min", keys, (1,), layer)
        hit = place_among(best, keys, places, left, extent, layer)
        values.append(best)
        indices.append(hit)
        if turn < k - 1:
            others = either(less(places, hit, layer), less(hit, places, layer), layer)
            left = others if left is None else both(left, others, layer)
    return concat(values, 1, layer), concat(indices, 1, layer)


def place_among(best: Node, keys: Node, places: Node, left: Node | None, extent: int, layer: str) -> Node:
    """The first index of what equals best among those that are left."""
    among = places if left is None else where(left, places, extent, layer)
    return place_of(best, keys, among, 1, False, layer)


# the network


def sort_network(x: Node, k: int, largest: bool, layer: str) -> Pair:
    """[rows, n] to [rows, k] by a bitonic network (Batcher 1968) over the next power of two: sorted blocks
    of twice the size come from comparing each with its mirror image, then halves, quarters and so on."""
    rows, extent = x.type.shape
    size = 1 << bits(extent)
    keys = pad_axis(x, 1, 0, size - extent, layer, beyond(x, largest))
    indices = expand(reshape(iota(size, "i32", layer), (1, size), layer), (rows, size), layer)
    pair = (keys, indices)
    for level in range(1, bits(extent) + 1):
        pair = compare(pair, 1 << level, True, largest, layer)
        for step in range(level - 1, 0, -1):
            pair = compare(pair, 1 << step, False, largest, layer)
    return narrow(pair[0], 1, 0, k, layer), narrow(pair[1], 1, 0, k, layer)


def compare(pair: Pair, block: int, mirrored: bool, largest: bool, layer: str) -> Pair:
    """The first half of each block against the second, element by element, the better one in front."""
    shape = pair[0].type.shape

    def halves(node: Node) -> Pair:
        blocks = reshape(node, (*shape[:-1], shape[-1] // block, block), layer)
        second = narrow(blocks, 2, block // 2, block // 2, layer)
        return narrow(blocks, 2, 0, block // 2, layer), flip(second, 2, layer) if mirrored else second

    (key, other_key), (index, other_index) = map(halves, pair)
    ahead = less(key, other_key, layer) if largest else less(other_key, key, layer)
    tie = both(equal(key, other_key, layer), less(other_index, index, layer), layer)
    swapped = either(ahead, tie, layer)

    def joined(a: Node, b: Node) -> Node:
        first, second = where(swapped, b, a, layer), where(swapped, a, b, layer)
        whole = concat((first, flip(second, 2, layer) if mirrored else second), 2, layer)
        return reshape(whole, shape, layer)

    return joined(key, other_key), joined(index, other_index)
