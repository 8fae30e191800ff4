"""A Schedule to what its lanes do when, and what other numbers of lanes would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s2c.plan import Plan
from s2c.silicon.area import Estimate, estimate
from s2c.silicon.datapath import LANES
from s2c.silicon.schedule import Schedule, make_schedule


@dataclass(frozen=True)
class Span:
    """An instruction on the front half. start, cycles: its steps. share: of its cycles' lanes that multiply
    what the net needs."""

    layer: str
    unit: str
    start: int
    cycles: int
    macs: int
    share: float


@dataclass(frozen=True)
class Lanes:
    """A net on so many lanes. utilisation: its MACs over all that the lanes could have done. rom_bits: of
    weights, and of biases, multipliers and shifts as 32, 31 and 6 bits."""

    lanes: int
    cycles: int
    utilisation: float
    weight_bits: int
    param_bits: int
    arena_bytes: int
    area: Estimate  # of an ECP5


def spans(schedule: Schedule) -> tuple[Span, ...]:
    return tuple(
        Span(
            layer=each.layer,
            unit=each.front.unit.name.lower(),
            start=start,
            cycles=each.front.cycles,
            macs=each.macs,
            share=each.macs / (schedule.lanes.count * each.front.cycles),
        )
        for each, start in zip(schedule.instructions, schedule.starts, strict=True)
    )


def utilisation(schedule: Schedule) -> float:
    macs = sum(each.macs for each in schedule.instructions)
    return macs / (schedule.lanes.count * schedule.cycles)


def compare_lanes(plan: Plan, counts: Sequence[int] = LANES) -> tuple[Lanes, ...]:
    """The same plan on each number of lanes."""
    return tuple(describe_lanes(make_schedule(plan, count)) for count in counts)


def describe_lanes(schedule: Schedule) -> Lanes:
    roms = schedule.roms
    return Lanes(
        lanes=schedule.lanes.count,
        cycles=schedule.cycles,
        utilisation=utilisation(schedule),
        weight_bits=8 * roms.weights.size,
        param_bits=(32 if roms.is_uniform else 69) * roms.bias.size,
        arena_bytes=schedule.plan.arena_bytes,
        area=estimate(schedule),
    )
