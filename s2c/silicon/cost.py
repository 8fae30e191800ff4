"""Schedule -> what a chip costs, before anything is built: cycles, use of its lanes, bits of its ROMs."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass

import numpy as np

from s2c.silicon.datapath import signed_bits
from s2c.silicon.instructions import FETCHED, Front
from s2c.silicon.occupancy import utilisation
from s2c.silicon.schedule import Roms, Schedule


@dataclass(frozen=True)
class RomBits:
    """parameters: biases, multipliers, shifts. tables: of maps and additions, and the powers of softmax."""

    weights: int
    parameters: int
    tables: int
    program: int


@dataclass(frozen=True)
class ChipCost:
    """utilisation: MACs / (lanes * cycles)."""

    lanes: int
    cycles: int
    macs: int
    utilisation: float
    rom_bits: RomBits


def chip_cost(schedule: Schedule) -> ChipCost:
    macs = sum(each.macs for each in schedule.instructions)
    return ChipCost(schedule.lanes.count, schedule.cycles, macs, utilisation(schedule), rom_bits(schedule))


def call_cycles(schedule: Schedule) -> list[int]:
    """Of each of the plan's calls, with what its instructions wait and are fetched; what is left of a run's
    cycles are the start and the end."""
    result = [0] * len(schedule.plan.calls)
    for each in schedule.instructions:
        result[each.call] += FETCHED + each.front.wait + each.front.cycles
    return result


def rom_bits(schedule: Schedule) -> RomBits:
    roms = schedule.roms
    return RomBits(
        weights=8 * roms.weights.size,
        parameters=parameter_bits(roms),
        tables=array_bits(roms.tables) + array_bits(roms.powers),
        program=program_bits(schedule),
    )


def array_bits(*arrays: np.ndarray) -> int:
    """Each array's words are as wide as its widest number."""
    return sum(each.size * signed_bits(int(each.min()), int(each.max())) for each in arrays if each.size)


def parameter_bits(roms: Roms) -> int:
    """Biases alone, where the instructions hold multiplier and shift."""
    return array_bits(roms.bias) if roms.is_uniform else array_bits(roms.bias, roms.multiplier, roms.shift)


def program_bits(schedule: Schedule) -> int:
    """Fields that are the same in all instructions take none."""
    fronts = [front_row(each.front, most_loops(schedule)) for each in schedule.instructions]
    backs = [astuple(each.back) for each in schedule.instructions if each.back is not None]
    return sum(column_bits(column) for rows in (fronts, backs) for column in zip(*rows, strict=True))


def column_bits(column: tuple[int, ...]) -> int:
    return 0 if len(set(column)) == 1 else len(column) * signed_bits(min(column), max(column))


def most_loops(schedule: Schedule) -> int:
    return max((len(each.front.loops) for each in schedule.instructions), default=0)


def front_row(front: Front, loops: int) -> tuple[int, ...]:
    """All fields as numbers, with as many loops as the longest has."""
    values = asdict(front)
    lines, row = front.image or (0, 0)
    numbers = [int(value) for name, value in values.items() if name not in ("loops", "image")]
    places = [number for loop in front.loops for number in astuple(loop)]
    room = [0] * (4 * (loops - len(front.loops)))
    return (*numbers, int(front.image is not None), lines, row, *places, *room)
