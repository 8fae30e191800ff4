"""Schedule -> about what a chip takes of an ECP5, before anything is synthesised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2c.silicon.datapath import signed_bits
from s2c.silicon.instructions import Unit
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import find_sizes
from s2c.silicon.widths import find_widths

# Logic cells (LUTs, and two for a carry) of each part, fitted to what yosys made of the 64-32-10 MLP on 1,
# 8 and 32 lanes, of sww on 1 and 8, and of kws, ad01 and digits on 8: these come out within a seventh.
BASE, LANE, RESULT, SOFTMAX, BYTE, PADDED_BYTE, PAGE_BIT = 90, 37, 290, 1300, 60, 33, 0.75
# Of a block of memory: bits of a word, and words.
BLOCKS = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
PAGE = 2048  # words of a deep ROM that lie in blocks of their own
LEAST_BLOCK = 32  # words; smaller memories are logic
MULTIPLIER = 19  # bits, signed: one more than a multiplier has, which yosys makes of logic
Shape = tuple[int, int]  # of a memory: bits of a word, and words


@dataclass(frozen=True)
class Estimate:
    """By the names of a device's capacity. Multipliers and block RAM are counted, logic is fitted."""

    logic: int
    multipliers: int
    block_rams: int


def estimate(schedule: Schedule) -> Estimate:
    lanes, results = schedule.lanes.count, schedule.lanes.results
    has_softmax = any(each.front.unit == Unit.SOFTMAX for each in schedule.instructions)
    is_padded = any(each.front.image is not None for each in schedule.instructions)
    read = find_sizes(schedule).read
    wide = find_widths(schedule).shifted > MULTIPLIER
    logic = BASE + LANE * lanes + RESULT * results + SOFTMAX * has_softmax
    logic += (BYTE * read if read > 1 else 0) + PADDED_BYTE * read * is_padded
    logic += paged_logic(memories(schedule))
    return Estimate(
        logic=logic,
        multipliers=lanes + results * (4 if wide else 2) + 4 * has_softmax,
        block_rams=sum(count_blocks(*each) for each in memories(schedule)),
    )


def paged_logic(shapes: Sequence[Shape]) -> int:
    """What joins the pages of deep memories."""
    return int(sum(PAGE_BIT * width * ((words - 1) // PAGE) for width, words in shapes if words))


def memories(schedule: Schedule) -> list[Shape]:
    sizes = find_sizes(schedule)
    return [*rom_shapes(schedule), *[(8, sizes.rows)] * sizes.read]


def rom_shapes(schedule: Schedule) -> list[Shape]:
    """Of weights, parameters, tables and powers; those that a net has not are of no words."""
    roms = schedule.roms
    params = [roms.bias] if roms.is_uniform else [roms.bias, roms.multiplier, roms.shift]
    return [
        (8 * roms.weights.shape[1], len(roms.weights)),
        (sum(map(bits, params)) * schedule.lanes.results, len(roms.bias)),
        *[(bits(roms.tables), roms.tables.size)] * schedule.lanes.results,
        (bits(roms.powers), roms.powers.size),
    ]


def bits(array: np.ndarray) -> int:
    return signed_bits(int(array.min()), int(array.max())) if array.size else 0


def count_blocks(width: int, words: int) -> int:
    """Each page in the blocks of the shape that takes the fewest."""
    if words < LEAST_BLOCK or width == 0:
        return 0
    pages = [PAGE] * (words // PAGE) + ([words % PAGE] if words % PAGE else [])
    return sum(min(-(-width // wide) * -(-page // deep) for wide, deep in BLOCKS) for page in pages)
