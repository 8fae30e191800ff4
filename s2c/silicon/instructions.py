"""What a chip executes: instructions whose front half reads and computes, and whose back half writes.

kernels/verilog/README.md describes the datapath, stage by stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

# Cycles after the one in which a step's address stands at the arena's read port.
SUMMED = 5  # its accumulators hold it
DRAINED = (
    6  # the drain register holds the tile that it ended, and the back half's fields are those of its call
)
WRITTEN = 16  # its first results stand at the arena's write port
READABLE = WRITTEN + 1  # a read of them may start
FETCHED = 1  # cycles between one instruction's last step and the next one's wait
SOFTMAX_ROW = 68  # cycles of a softmax for each row, besides three for each value


class Unit(IntEnum):
    MULTIPLY = 0  # lanes add products
    MOST = 1  # lanes keep the largest; of one value, that is a copy
    TABLE = 2  # results are sums of table entries
    SOFTMAX = 3  # a unit of its own
    SEND = 4  # steps read an output; the emitted program ends with these


class Params(IntEnum):
    """When the word of bias, multiplier and shift changes."""

    HOLD = 0  # never: one for the call
    BEAT = 1  # with each beat of results; from the first on again for each row
    ROW = 2  # with each row


class Rounding(IntEnum):
    NONE = 0  # the result is only clamped
    TWICE = 1  # as TFLite's convolutions round
    ONCE = 2


@dataclass(frozen=True)
class Loop:
    """What is added when it advances, while the loops within it go back to their first step."""

    count: int
    address: int
    line: int
    offset: int


@dataclass(frozen=True)
class Step:
    """One cycle of the front half: bytes from `address` on are read. A byte `at` behind it is padding unless
    0 <= line < lines and 0 <= offset + at < row. weight: of the word, counted from the call's first."""

    cycle: int  # after the first step's
    address: int
    line: int
    offset: int
    weight: int
    is_first: bool  # of its tile
    is_last: bool


@dataclass(frozen=True)
class Front:
    """loops: innermost first; the first tile_loops are a tile's steps, the first row_loops a row's, through
    which the weights go once. lines, row: bytes of an image and of one of its rows, where it is padded with
    value; None for all inside. channelwise: lane i takes byte i, else byte i modulo 1 << merge. ones: all
    weights are 1. words: the first word of its weights, or its first table. gap: idle cycles behind each tile
    but the last. wait: before the first step. Of a softmax, address and output are where its rows lie, count
    and size their number and length.
    """

    unit: Unit
    address: int
    line: int = 0
    offset: int = 0
    loops: tuple[Loop, ...] = ()
    tile_loops: int = 0
    row_loops: int = 0
    image: tuple[int, int] | None = None  # lines, row
    value: int = 0
    channelwise: bool = False
    merge: int = 0  # log2 of the lanes that a result is the sum of
    ones: bool = False
    words: int = 0
    gap: int = 0
    wait: int = 0
    output: int = 0
    count: int = 0
    size: int = 0

    @property
    def tile_steps(self) -> int:
        return steps_of(self.loops[: self.tile_loops])

    @property
    def tiles(self) -> int:
        return steps_of(self.loops[self.tile_loops :])

    @property
    def cycles(self) -> int:
        """From the first step up to the last, both counted."""
        if self.unit == Unit.SOFTMAX:
            return self.count * (3 * self.size + SOFTMAX_ROW)
        return self.tiles * (self.tile_steps + self.gap) - self.gap


@dataclass(frozen=True)
class Back:
    """Results come in beats of up to `take`, of which the last of a row's `columns` may be fewer; tiles: that
    make a row; rows: that make a call. beats: of a tile. skip: bytes between the results of two rows.
    params: the first word of bias, multiplier and shift. multiplier, shift: of all results, where no call of
    the program has its own for each."""

    take: int
    merge: int
    columns: int
    tiles: int
    rows: int
    beats: int
    output: int
    skip: int
    params: int
    params_step: Params
    rounding: Rounding
    zero: int
    lo: int
    hi: int
    multiplier: int = 0
    shift: int = 0


@dataclass(frozen=True)
class Instruction:
    """back is None for a softmax, which writes its results itself. call: index in the plan."""

    layer: str
    call: int
    front: Front
    back: Back | None
    macs: int


def steps_of(loops: Sequence[Loop]) -> int:
    product = 1
    for loop in loops:
        product *= loop.count
    return product


def make_loops(levels: Sequence[tuple[int, int, int, int]]) -> tuple[Loop, ...]:
    """levels: count, then the strides of address, line and offset, innermost first; loops of one step are
    left out, and each loop takes back what the loops within it added."""
    loops: list[Loop] = []
    back = (0, 0, 0)
    for count, *strides in levels:
        if count > 1:
            address, line, offset = (stride - each for stride, each in zip(strides, back, strict=True))
            loops.append(Loop(count, address, line, offset))
            address, line, offset = (
                each + stride * (count - 1) for stride, each in zip(strides, back, strict=True)
            )
            back = (address, line, offset)
    return tuple(loops)


def count_loops(levels: Sequence[tuple[int, int, int, int]]) -> int:
    """How many loops make_loops makes of them."""
    return sum(count > 1 for count, *_ in levels)


def walk(front: Front, limit: int) -> Iterator[Step]:
    """The steps of the first `limit` cycles."""
    counters = [0] * len(front.loops)
    cycle, address, line, offset, weight = 0, front.address, front.line, front.offset, 0
    is_first = True
    while cycle < limit:
        wrapped = next(
            (level for level, loop in enumerate(front.loops) if counters[level] < loop.count - 1),
            len(front.loops),
        )
        is_last = wrapped >= front.tile_loops
        yield Step(cycle, address, line, offset, weight, is_first, is_last)
        if wrapped == len(front.loops):
            return
        counters[:wrapped] = [0] * wrapped
        counters[wrapped] += 1
        loop = front.loops[wrapped]
        address, line, offset = address + loop.address, line + loop.line, offset + loop.offset
        weight = 0 if wrapped >= front.row_loops else weight + 1
        cycle += 1 + (front.gap if is_last else 0)
        is_first = is_last
