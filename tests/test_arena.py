"""Buffers with lifetimes: no overlap, never below the lower bound, and how near to it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c.arena import ALIGNMENT, Buffer, aligned, height, lower_bound, pack

lifetimes = st.tuples(st.integers(0, 12), st.integers(0, 5))
buffers = st.lists(
    st.builds(lambda size, life: Buffer(size, life[0], sum(life)), st.integers(1, 70), lifetimes), max_size=14
)


def overlaps(found: Sequence[Buffer], offsets: Sequence[int]) -> list[tuple[Buffer, Buffer]]:
    """Brute force: every pair that is live at one step and shares a byte."""
    cells: dict[tuple[int, int], Buffer] = {}
    clashes = []
    for buffer, offset in zip(found, offsets, strict=True):
        for step in range(buffer.first, buffer.last + 1):
            for byte in range(offset, offset + buffer.size):
                if (step, byte) in cells:
                    clashes.append((cells[step, byte], buffer))
                cells[step, byte] = buffer
    return clashes


@settings(max_examples=60, deadline=None, derandomize=True)
@given(buffers)
def test_live_buffers_never_overlap(found: list[Buffer]) -> None:
    offsets = pack(found)
    assert len(offsets) == len(found)
    assert overlaps(found, offsets) == []
    assert all(offset >= 0 and offset % ALIGNMENT == 0 for offset in offsets)
    assert height(found, offsets) >= lower_bound(found)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(buffers)
def test_lower_bound_is_the_largest_sum_at_a_step(found: list[Buffer]) -> None:
    steps = range(20)
    sums = [sum(aligned(each.size) for each in found if each.first <= step <= each.last) for step in steps]
    assert lower_bound(found) == max(sums)


def test_nothing_needs_nothing() -> None:
    assert pack([]) == () and lower_bound([]) == 0 and height([], ()) == 0


def chain(sizes: Sequence[int]) -> list[Buffer]:
    return [Buffer(size, max(index - 1, 0), index) for index, size in enumerate(sizes)]


def residual(blocks: int, source: random.Random) -> list[Buffer]:
    """Blocks of three layers around which a value stays live, with scratch."""
    found = []
    for block in range(blocks):
        at, size = 3 * block, source.randrange(100, 5000)
        found += [Buffer(size, at, at + 2), Buffer(2 * size, at, at + 1), Buffer(size, at + 1, at + 2)]
        found += [Buffer(source.randrange(9, 900), at + 1, at + 1), Buffer(size, at + 2, at + 3)]
    return found


@pytest.mark.parametrize("seed", range(8))
def test_chains_reach_the_lower_bound(seed: int) -> None:
    source = random.Random(seed)
    found = chain([source.randrange(1, 40_000) for _ in range(60)])
    assert height(found, pack(found)) == lower_bound(found)


@pytest.mark.parametrize("seed", range(8))
def test_residual_nets_come_near_the_lower_bound(seed: int) -> None:
    found = residual(12, random.Random(seed))
    assert height(found, pack(found)) <= 1.02 * lower_bound(found)


@pytest.mark.build
def test_many_random_buffers_are_near_the_bound_and_fast() -> None:
    source = random.Random(0)
    found = []
    for _ in range(100):
        first = source.randrange(50)
        found.append(Buffer(source.randrange(1, 9000), first, first + source.randrange(8)))
    start = time.process_time()
    offsets = pack(found)
    assert time.process_time() - start < 5
    assert height(found, offsets) <= 1.15 * lower_bound(found)


def test_same_buffers_same_offsets() -> None:
    found = residual(10, random.Random(3))
    assert pack(found) == pack(list(found))
