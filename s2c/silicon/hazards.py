"""When instructions may start: reads wait for writes, and the back half's fields for results under way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from s2c.silicon.datapath import Lanes
from s2c.silicon.instructions import DRAINED, FETCHED, READABLE, WRITTEN, Back, Front, Instruction, Unit, walk

FIRST_START = 2  # the chip is started in cycle 0, and fetches its first instruction in cycle 1


@dataclass
class Clock:
    """The cycles of a program that grows instruction by instruction. readable: of each byte of the arena the
    first cycle in which it may be read. next_start: of the next instruction, if it need not wait. switch: the
    first cycle in which the back half's fields may become another call's."""

    arena_bytes: int
    lanes: Lanes
    next_start: int = FIRST_START
    switch: int = 0
    readable: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.readable = np.zeros(self.arena_bytes + 2 * self.lanes.count, np.int64)

    @property
    def horizon(self) -> int:
        """Cycles behind the last step after which nothing is under way."""
        return READABLE + self.lanes.beats + 1

    def wait_for(self, instruction: Instruction) -> int:
        front, back = instruction.front, instruction.back
        if front.unit == Unit.SOFTMAX:
            return max(int(self.readable.max()) - self.next_start, 0)
        earliest = self.next_start
        steps = list(walk(front, self.horizon))
        for step in steps:
            for first, last in read_spans(front, step.address, step.line, step.offset, self.lanes, back):
                ready = int(self.readable[first:last].max(initial=0))
                earliest = max(earliest, ready - step.cycle)
        first_tile = front.tile_steps - 1
        return max(earliest, self.switch - DRAINED - first_tile) - self.next_start

    def place(self, instruction: Instruction, wait: int) -> int:
        """The cycle of its first step."""
        front, back = instruction.front, instruction.back
        start = self.next_start + wait
        last = start + front.cycles - 1
        if back is None:
            self.readable[front.output : front.output + front.count * front.size] = last + 1
        else:
            self.note_writes(front, back, start)
            self.switch = last + WRITTEN + back.beats * self.drained(back)
        self.next_start = last + FETCHED + 1
        return start

    def wait_for_end(self) -> int:
        """Until the last result is in the arena."""
        return max(int(self.readable.max()) - self.next_start, 0)

    def drained(self, back: Back) -> int:
        """Cycles of the drain register for each beat."""
        return max((1 << back.merge) // self.lanes.results, 1)

    def note_writes(self, front: Front, back: Back, start: int) -> None:
        """When each result that is written near the end, or later, may be read."""
        period = front.tile_steps + front.gap
        end = start + front.cycles - 1
        total = back.rows * back.tiles
        recent = self.horizon // period + 2
        tiles = np.arange(max(total - recent, 0), total)
        row, tile = np.divmod(tiles, back.tiles)
        for at, position, ended in zip(row, tile, end - (total - 1 - tiles) * period, strict=True):
            for beat, (first, count) in enumerate(tile_results(back, int(position))):
                place = back.output + int(at) * (row_bytes(back) + back.skip) + first
                delay = beat * self.drained(back) + self.drained(back) - 1
                self.readable[place : place + count] = int(ended) + READABLE + delay


def group_tiles(back: Back) -> int:
    """Tiles that `columns` results need."""
    return -(-back.columns // (back.take * back.beats))


def row_bytes(back: Back) -> int:
    return back.tiles // group_tiles(back) * back.columns


def tile_results(back: Back, tile: int) -> list[tuple[int, int]]:
    """Of each beat: where its results begin within the row, and how many there are. A row's tiles are groups
    of as many tiles as `columns` need."""
    group, position = divmod(tile, group_tiles(back))
    spans = []
    for beat in range(back.beats):
        first = (position * back.beats + beat) * back.take
        count = max(min(back.take, back.columns - first), 0)
        spans.append((group * back.columns + min(first, back.columns), count))
    return spans


def read_spans(
    front: Front, address: int, line: int, offset: int, lanes: Lanes, back: Back | None
) -> list[tuple[int, int]]:
    """Bytes of the arena that a step's results depend on, as first and behind the last."""
    assert back is not None
    width = lanes.count if front.channelwise else 1 << front.merge
    if front.unit == Unit.TABLE:
        width = back.take
    low, high = 0, width
    if front.image is not None:
        lines, row = front.image
        low, high = max(-offset, 0), min(row - offset, width)
        high = high if 0 <= line < lines else 0
    return [(address + low, address + high)] if low < high else []
