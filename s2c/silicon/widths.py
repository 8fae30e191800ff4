"""How wide a chip's numbers are: what the proof that nothing overflows leaves for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2c.plan import Call
from s2c.silicon.datapath import signed_bits
from s2c.silicon.instructions import Instruction, Unit
from s2c.silicon.schedule import Schedule

LOWEST, HIGHEST = -128, 127
Range = tuple[int, int]


@dataclass(frozen=True)
class Reach:
    """Lowest and highest values, zero among them. lanes: of sums of products, in any order, and of what is
    kept; entries: of sums of table entries; sums: of both with bias; shifted: of these, shifted left."""

    lanes: Range = (0, 0)
    entries: Range = (0, 0)
    sums: Range = (0, 0)
    shifted: Range = (0, 0)

    def join(self, other: Reach) -> Reach:
        return Reach(
            join(self.lanes, other.lanes),
            join(self.entries, other.entries),
            join(self.sums, other.sums),
            join(self.shifted, other.shifted),
        )


@dataclass(frozen=True)
class Widths:
    """Bits: lane: of an accumulator; entries: of a sum of table entries; result: of what the drain register
    hands on; sum, shifted: of the requantizer's numbers."""

    lane: int
    entries: int
    result: int
    sum: int
    shifted: int


PRODUCT = 16  # bits


def find_widths(schedule: Schedule) -> Widths:
    reach = Reach()
    for instruction in schedule.instructions:
        if instruction.back is not None:
            reach = reach.join(reach_of(instruction, schedule.plan.calls[instruction.call], schedule))
    lane = max(signed_bits(*reach.lanes), PRODUCT)
    entries = signed_bits(*reach.entries)
    result = max(lane, entries)
    bias = signed_bits(int(schedule.roms.bias.min()), int(schedule.roms.bias.max()))
    total = max(signed_bits(*reach.sums), result, bias)
    return Widths(lane, entries, result, total, max(signed_bits(*reach.shifted), total))


def reach_of(instruction: Instruction, call: Call, schedule: Schedule) -> Reach:
    front = instruction.front
    if front.unit == Unit.TABLE:
        tables = schedule.roms.tables[front.words : front.words + front.tile_steps]
        entries = around_zero(int(tables.min(axis=1).sum()), int(tables.max(axis=1).sum()))
        return Reach(entries=entries, sums=entries, shifted=shift(entries, instruction))
    if front.unit == Unit.MOST:
        kept = (LOWEST, HIGHEST)
        return Reach(lanes=kept, sums=kept, shifted=kept)
    low, high = reach_of_ones(front.tile_steps) if front.ones else reach_of_weights(call)
    bias, left = call.consts["bias"].astype(np.int64), np.maximum(call.consts["shift"].astype(np.int64), 0)
    lows, highs = low + bias, high + bias
    return Reach(
        lanes=around_zero(int(low.min()), int(high.max())),
        sums=around_zero(int(lows.min()), int(highs.max())),
        shifted=around_zero(int((lows << left).min()), int((highs << left).max())),
    )


def reach_of_ones(values: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([LOWEST * values]), np.array([HIGHEST * values])


def reach_of_weights(call: Call) -> tuple[np.ndarray, np.ndarray]:
    """Of each column's sum: every weight times the value that takes it furthest."""
    weight = call.consts["weight"].astype(np.int64).reshape(-1, int(call.params["depth"]))
    positive, negative = np.maximum(weight, 0).sum(axis=1), np.minimum(weight, 0).sum(axis=1)
    return positive * LOWEST + negative * HIGHEST, positive * HIGHEST + negative * LOWEST


def shift(range_: Range, instruction: Instruction) -> Range:
    assert instruction.back is not None
    left = max(instruction.back.shift, 0)
    return range_[0] << left, range_[1] << left


def around_zero(low: int, high: int) -> Range:
    return min(low, 0), max(high, 0)


def join(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])
