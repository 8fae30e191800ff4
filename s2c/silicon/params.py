"""Schedule -> the words of biases, multipliers and shifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2c.silicon.datapath import signed_bits, unsigned_bits
from s2c.silicon.fields import join_bits
from s2c.silicon.instructions import Rounding
from s2c.silicon.schedule import Schedule

MULTIPLIER_BITS = 31


@dataclass(frozen=True)
class Scales:
    """What the requantizer does in the program: the largest shift to the left, and by how much it shifts to
    the right behind the product, at least and at most."""

    most_left: int
    least_amount: int
    most_amount: int


def amount_of(shift: int, rounding: Rounding) -> int:
    return max(-shift, 0) + (rounding == Rounding.ONCE)


def param_amounts(schedule: Schedule) -> np.ndarray:
    """[words, results]: by how much a result is shifted to the right behind the product."""
    backs = [each.back for each in schedule.instructions if each.back is not None]
    roms = schedule.roms
    amounts: np.ndarray = np.maximum(-roms.shift, 0)
    starts = sorted({each.params: each.rounding for each in backs}.items())
    for start, rounding in starts:
        end = min((each for each, _ in starts if each > start), default=len(amounts))
        amounts[start:end] += rounding == Rounding.ONCE
    return amounts


def find_scales(schedule: Schedule) -> Scales:
    """Of results whose multiplier is 0 no shift matters."""
    used = schedule.roms.multiplier != 0
    assert schedule.roms.multiplier.max() < 1 << MULTIPLIER_BITS, schedule.roms.multiplier.max()
    if not used.any():
        return Scales(0, 0, 0)
    amounts, left = param_amounts(schedule)[used], np.maximum(schedule.roms.shift[used], 0)
    return Scales(int(left.max()), int(amounts.min()), int(amounts.max()))


@dataclass(frozen=True)
class ParamLayout:
    """Bits of a result's bias, multiplier, left and amount, which stand in a word in this order, from the
    lowest bit on; 0: it is not there."""

    bias: int
    multiplier: int
    left: int
    amount: int

    @property
    def result(self) -> int:
        return self.bias + self.multiplier + self.left + self.amount


def param_layout(schedule: Schedule) -> ParamLayout:
    roms = schedule.roms
    bias = max(signed_bits(int(roms.bias.min()), int(roms.bias.max())), 2)
    if roms.is_uniform:
        return ParamLayout(bias if roms.bias.any() else 0, 0, 0, 0)
    scales = find_scales(schedule)
    amount = unsigned_bits(scales.most_amount - scales.least_amount)
    return ParamLayout(bias, MULTIPLIER_BITS, unsigned_bits(scales.most_left), amount)


def param_words(schedule: Schedule) -> list[int]:
    """Each word's first result lowest."""
    layout, roms, scales = param_layout(schedule), schedule.roms, find_scales(schedule)
    used = roms.multiplier != 0
    left = np.where(used, np.maximum(roms.shift, 0), 0)
    amount = np.where(used, param_amounts(schedule) - scales.least_amount, 0)
    columns = [roms.bias, roms.multiplier, left, amount]
    widths = [layout.bias, layout.multiplier, layout.left, layout.amount]
    return [
        join_bits(
            [
                (int(column[word, result]), width)
                for result in range(roms.bias.shape[1])
                for column, width in zip(columns, widths, strict=True)
            ]
        )
        for word in range(len(roms.bias))
    ]
