"""An instruction to the cycles in which it reads each byte of its operands and writes each of its results.

All are counted from its first step, and bytes from the first of a frame. kernels/verilog/README.md says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2c.plan import Call
from s2c.silicon.contraction import find_runs, geometry_of
from s2c.silicon.datapath import Lanes
from s2c.silicon.hazards import group_tiles
from s2c.silicon.instructions import SOFTMAX_ROW, WRITTEN, Back, Front, Unit

LATE = 1 << 40  # the first read of a byte that is never read; its last is -LATE
SCALED = 56  # cycles of a softmax between its second pass over a row and its third
STORED = 12  # cycles between the address of a softmax's third pass and its byte at the write port


@dataclass(frozen=True)
class Reads:
    """int64 [bytes] each: the first and the last cycle in which a byte that is needed is read."""

    first: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class Axis:
    """A loop's contribution to each step's place and time, as strides."""

    count: int
    address: int
    line: int
    offset: int
    cycle: int

    @property
    def stays(self) -> bool:
        return self.address == self.line == self.offset == 0


def reads_of(call: Call, front: Front, back: Back | None, lanes: Lanes, operand: int, frame: int) -> Reads:
    """Of an operand of `frame` bytes."""
    if back is None:
        return softmax_reads(front)
    if front.unit == Unit.TABLE:
        cycles = np.arange(frame) // back.take * (front.tile_steps + front.gap) + operand
        return Reads(cycles, cycles)
    return window_reads(call, front, back, lanes, frame)


def softmax_reads(front: Front) -> Reads:
    """The first pass over a row begins in its cycle 1, the second follows, the third comes after the sum's
    reciprocal."""
    row = np.arange(front.count)[:, None] * (3 * front.size + SOFTMAX_ROW)
    value = np.arange(front.size)
    return Reads((row + 1 + value).reshape(-1), (row + 2 * front.size + SCALED + value).reshape(-1))


def window_reads(call: Call, front: Front, back: Back, lanes: Lanes, frame: int) -> Reads:
    """Loops that read the same bytes again need no walk: their first turn is the first to read, their last
    the last."""
    axes = axes_of(front)
    again = sum(each.cycle * (each.count - 1) for each in axes if each.stays)
    needed = needed_bytes(call, front, back, lanes)
    moving = [each for each in axes if not each.stays]
    cycle, address, line, offset = (
        spread(moving, name, start)
        for name, start in (
            ("cycle", 0),
            ("address", front.address),
            ("line", front.line),
            ("offset", front.offset),
        )
    )
    count = spread_needed(moving, axes, needed)
    low, high = np.zeros_like(count), count
    if front.image is not None:
        lines, row = front.image
        inside = (line >= 0) & (line < lines)
        low = np.maximum(-offset, 0)
        high = np.where(inside, np.minimum(row - offset, count), 0)
    reads = Reads(np.full(frame, LATE), np.full(frame, -LATE))
    for at in range(int(high.max(initial=0))):
        taken = (low <= at) & (at < high)
        place, time = (address + at)[taken], cycle[taken]
        np.minimum.at(reads.first, place, time)
        np.maximum.at(reads.last, place, time + again)
    return reads


def axes_of(front: Front) -> list[Axis]:
    """Innermost first."""
    axes: list[Axis] = []
    steps = 1
    for level, loop in enumerate(front.loops):
        address, line, offset = (
            getattr(loop, name) + sum(getattr(each, name) * (each.count - 1) for each in axes)
            for name in ("address", "line", "offset")
        )
        tiles = steps // front.tile_steps if level >= front.tile_loops else 0
        axes.append(Axis(loop.count, address, line, offset, steps + tiles * front.gap))
        steps *= loop.count
    return axes


def spread(axes: Sequence[Axis], name: str, start: int) -> np.ndarray:
    """A sum for each step, in the order of time."""
    total = np.array([start])
    for axis in axes:
        total = (np.arange(axis.count)[:, None] * getattr(axis, name) + total).reshape(-1)
    return total


@dataclass(frozen=True)
class Needed:
    """most: bytes that a step reads. total: bytes in all the steps of the innermost loop that moves on by
    `most`, if there is one, of which the last may need fewer."""

    most: int
    total: int
    level: int


def needed_bytes(call: Call, front: Front, back: Back, lanes: Lanes) -> Needed:
    """What a step reads beyond the end of a run, or of a row's columns, no result depends on."""
    if front.channelwise:
        return Needed(lanes.count, back.columns, front.tile_loops)
    groups = int(call.params["groups"])
    return Needed(1 << front.merge, find_runs(geometry_of(call), groups).bytes, 0)


def spread_needed(moving: Sequence[Axis], axes: Sequence[Axis], needed: Needed) -> np.ndarray:
    """Bytes that each step needs."""
    pieces = -(-needed.total // needed.most)
    counts = np.minimum(needed.total - np.arange(pieces) * needed.most, needed.most)
    total = np.ones(1, np.int64) if pieces > 1 else counts
    for axis in moving:
        own = counts if pieces > 1 and axis is axes[needed.level] else np.ones(axis.count, np.int64)
        total = (own[:, None] * total).reshape(-1)
    return total


def write_cycles(front: Front, back: Back | None, lanes: Lanes) -> np.ndarray:
    """int64 [bytes]: when each result stands at the write port."""
    if back is None:
        return softmax_reads(front).last + STORED
    tiles, position = group_tiles(back), np.arange(back.columns)
    tile, within = np.divmod(position, back.take * back.beats)
    drained = max((1 << back.merge) // lanes.results, 1)
    period = front.tile_steps + front.gap
    column = tile * period + (within // back.take + 1) * drained - 1
    groups = np.arange(back.rows * (back.tiles // tiles))[:, None] * tiles * period
    return np.asarray(front.tile_steps - 1 + WRITTEN + (groups + column).reshape(-1))
