"""Byte offsets for buffers with lifetimes: near-optimal packing into one arena."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 4
TRIES = 200


@dataclass(frozen=True)
class Buffer:
    """Live during the calls first..last, both included."""

    size: int
    first: int
    last: int


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The largest sum of sizes that are live at once: no packing can be smaller."""
    steps = {buffer.first for buffer in buffers}
    return max((sum(aligned(b.size) for b in buffers if b.first <= step <= b.last) for step in steps), default=0)


def pack(buffers: Sequence[Buffer]) -> tuple[int, ...]:
    """An offset for each buffer, so that no two which are live together overlap.

    First fit in several orders (large first, long-lived first, in time), then in shuffled ones from a fixed seed until
    the lower bound is met; the smallest arena wins, the first of equals.
    """
    bound = lower_bound(buffers)
    indices = list(range(len(buffers)))
    orders = [
        sorted(indices, key=lambda i: (-buffers[i].size, buffers[i].first)),
        sorted(indices, key=lambda i: (-buffers[i].size * (buffers[i].last - buffers[i].first + 1), i)),
        sorted(indices, key=lambda i: (buffers[i].first - buffers[i].last, -buffers[i].size, i)),
        sorted(indices, key=lambda i: (buffers[i].first, -buffers[i].size)),
    ]
    best = min((first_fit(buffers, order) for order in orders), key=lambda found: height(buffers, found))
    shuffled = list(orders[0])
    source = random.Random(0)
    for _ in range(TRIES):
        if height(buffers, best) == bound:
            break
        a, b = source.randrange(len(shuffled)), source.randrange(len(shuffled))
        candidate = list(shuffled)
        candidate[a], candidate[b] = candidate[b], candidate[a]
        found = first_fit(buffers, candidate)
        if height(buffers, found) <= height(buffers, best):
            best, shuffled = found, candidate
    return best


def height(buffers: Sequence[Buffer], offsets: Sequence[int]) -> int:
    return max((offset + aligned(buffer.size) for buffer, offset in zip(buffers, offsets, strict=True)), default=0)


def first_fit(buffers: Sequence[Buffer], order: Sequence[int]) -> tuple[int, ...]:
    """Each buffer in turn at the lowest offset that is free during its whole life."""
    offsets: dict[int, int] = {}
    for index in order:
        buffer = buffers[index]
        taken = sorted(
            (offsets[other], offsets[other] + aligned(buffers[other].size))
            for other in offsets
            if buffers[other].first <= buffer.last and buffer.first <= buffers[other].last
        )
        offset = 0
        for start, end in taken:
            if start - offset >= aligned(buffer.size):
                break
            offset = max(offset, end)
        offsets[index] = offset
    return tuple(offsets[index] for index in range(len(buffers)))
