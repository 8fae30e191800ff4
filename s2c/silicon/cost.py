"""Schedule -> what a chip costs, before anything is built: cycles, use of its lanes, bits of its ROMs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from s2c.silicon.back_program import back_fields
from s2c.silicon.datapath import signed_bits
from s2c.silicon.fields import Field
from s2c.silicon.front_program import front_fields
from s2c.silicon.instructions import FETCHED, Unit
from s2c.silicon.params import param_layout
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import find_sizes

POWER_BITS = 31


@dataclass(frozen=True)
class RomBits:
    """parameters: biases, multipliers, shifts. tables: of maps and additions, and the powers of softmax.
    program: of both halves."""

    weights: int
    parameters: int
    tables: int
    program: int


@dataclass(frozen=True)
class ChipCost:
    """utilisation: MACs / (lanes * cycles)."""

    lanes: int
    cycles: int
    utilisation: float
    rom_bits: RomBits

    @property
    def interval(self) -> int:
        """Cycles between two results."""
        return self.cycles


def chip_cost(schedule: Schedule) -> ChipCost:
    return ChipCost(schedule.lanes.count, schedule.cycles, utilisation(schedule), rom_bits(schedule))


def utilisation(schedule: Schedule) -> float:
    macs = sum(each.macs for each in schedule.instructions)
    return macs / (schedule.lanes.count * schedule.cycles)


def call_cycles(schedule: Schedule) -> list[int]:
    """Of each of the plan's calls, with what its instructions wait and are fetched; what is left of a run's
    cycles are the start and the end."""
    result = [0] * len(schedule.plan.calls)
    for each in schedule.instructions:
        result[each.call] += FETCHED + each.front.wait + each.front.cycles
    return result


def rom_bits(schedule: Schedule) -> RomBits:
    """As emit_verilog fills them."""
    roms, sizes = schedule.roms, find_sizes(schedule)
    multiplies = any(
        each.front.unit == Unit.MULTIPLY and not each.front.ones for each in schedule.instructions
    )
    halves = (front_fields(schedule, sizes), back_fields(schedule, sizes))
    return RomBits(
        weights=8 * roms.weights.size if multiplies else 0,
        parameters=param_layout(schedule).result * roms.bias.size,
        tables=entry_bits(roms.tables) * roms.tables.size + POWER_BITS * roms.powers.size,
        program=sum(map(program_bits, halves)),
    )


def entry_bits(tables: np.ndarray) -> int:
    return max(signed_bits(int(tables.min()), int(tables.max())), 2) if tables.size else 0


def program_bits(fields: Iterable[Field]) -> int:
    """Fields that are the same in all words take none."""
    return sum(each.width * len(each.values) for each in fields if not each.is_constant)
