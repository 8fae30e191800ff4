"""Byte offsets for buffers with lifetimes: near-optimal packing into one arena."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

ALIGNMENT = 4
TRIES = 50  # swaps in an order; fewer where placing visits many pairs of buffers
MOST_VISITS = 1 << 19


@dataclass(frozen=True)
class Buffer:
    """Live during the calls first..last, both included."""

    size: int
    first: int
    last: int


Conflicts = Sequence[Sequence[int]]


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The largest sum of sizes that are live at once: no packing can be smaller."""
    changes: dict[int, int] = {}
    for buffer in buffers:
        changes[buffer.first] = changes.get(buffer.first, 0) + aligned(buffer.size)
        changes[buffer.last + 1] = changes.get(buffer.last + 1, 0) - aligned(buffer.size)
    return max(accumulate(changes[step] for step in sorted(changes)), default=0)


def pack(buffers: Sequence[Buffer]) -> tuple[int, ...]:
    """An offset for each buffer, so that no two which are live together overlap.

    Greedy placement in several orders (large first, long-lived first, in time), each changed by random swaps
    from a fixed seed until the lower bound is met; the smallest arena wins, the first of equals.
    """
    bound = lower_bound(buffers)
    conflicts = find_conflicts(buffers)
    source = random.Random(0)
    best = place(buffers, conflicts, range(len(buffers)), bound)
    for order in orders(buffers):
        found = search(buffers, conflicts, order, bound, source)
        best = min(best, found, key=lambda offsets: height(buffers, offsets))
    return best


def find_conflicts(buffers: Sequence[Buffer]) -> Conflicts:
    """For each buffer those others that are live together with it."""
    conflicts: list[list[int]] = [[] for _ in buffers]
    live: list[int] = []
    for index in sorted(range(len(buffers)), key=lambda i: buffers[i].first):
        live = [other for other in live if buffers[other].last >= buffers[index].first]
        for other in live:
            conflicts[other].append(index)
        conflicts[index] += live
        live.append(index)
    return conflicts


def orders(buffers: Sequence[Buffer]) -> list[list[int]]:
    indices = range(len(buffers))
    return [
        sorted(indices, key=lambda i: (-buffers[i].size, buffers[i].first)),
        sorted(indices, key=lambda i: (-buffers[i].size * (buffers[i].last - buffers[i].first + 1), i)),
        sorted(indices, key=lambda i: (buffers[i].first - buffers[i].last, -buffers[i].size, i)),
        sorted(indices, key=lambda i: (buffers[i].first, -buffers[i].size)),
    ]


def search(
    buffers: Sequence[Buffer], conflicts: Conflicts, order: list[int], bound: int, source: random.Random
) -> tuple[int, ...]:
    """The best placement of an order and of swaps in it; one that does no harm is kept."""
    best = place(buffers, conflicts, order, bound)
    for _ in range(min(TRIES, MOST_VISITS // max(sum(map(len, conflicts)), 1))):
        if height(buffers, best) == bound:
            break
        a, b = source.randrange(len(order)), source.randrange(len(order))
        changed = list(order)
        changed[a], changed[b] = changed[b], changed[a]
        found = place(buffers, conflicts, changed, bound)
        if height(buffers, found) <= height(buffers, best):
            best, order = found, changed
    return best


def place(
    buffers: Sequence[Buffer], conflicts: Conflicts, order: Sequence[int], bound: int
) -> tuple[int, ...]:
    """From the bottom up, or from both ends of an arena of `bound` bytes, which is the optimum for a chain
    of layers.
    """
    upwards = fit(buffers, conflicts, order, None)
    if height(buffers, upwards) == bound:
        return upwards
    both = fit(buffers, conflicts, order, bound)
    return min(upwards, both, key=lambda offsets: height(buffers, offsets))


def height(buffers: Sequence[Buffer], offsets: Sequence[int]) -> int:
    return max(
        (offset + aligned(buffer.size) for buffer, offset in zip(buffers, offsets, strict=True)), default=0
    )


def fit(
    buffers: Sequence[Buffer], conflicts: Conflicts, order: Sequence[int], ceiling: int | None
) -> tuple[int, ...]:
    """Each buffer in turn at the lowest offset that is free during its whole life.

    With a ceiling, one that does not fit at the bottom hangs below the ceiling, if that place is free.
    """
    places: dict[int, tuple[int, int]] = {}
    for index in order:
        size = aligned(buffers[index].size)
        taken = sorted([places[other] for other in conflicts[index] if other in places])
        lowest = end = 0
        for start, stop in taken:
            if lowest == end and start - end < size:
                lowest = max(end, stop)
            elif ceiling is None:
                break
            end = max(end, stop)
        hangs = ceiling is not None and lowest > 0 and ceiling - size >= end
        offset = ceiling - size if ceiling is not None and hangs else lowest
        places[index] = (offset, offset + size)
    return tuple(places[index][0] for index in range(len(buffers)))
