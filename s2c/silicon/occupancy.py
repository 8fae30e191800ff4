"""A Schedule to what its lanes do when, and what other numbers of lanes would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s2c.plan import Plan
from s2c.silicon.area import Estimate, estimate
from s2c.silicon.cost import ChipCost, chip_cost
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
class Variant:
    """A net on one number of lanes."""

    cost: ChipCost
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


def compare_lanes(plan: Plan, counts: Sequence[int] = LANES) -> tuple[Variant, ...]:
    """The same plan on each number of lanes."""
    schedules = [make_schedule(plan, count) for count in counts]
    return tuple(Variant(chip_cost(each), plan.arena_bytes, estimate(each)) for each in schedules)
