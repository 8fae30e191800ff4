"""A Schedule or Stream to what its lanes do when, and what other numbers of lanes would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s2c.plan import Plan
from s2c.silicon.area import Estimate, estimate
from s2c.silicon.cost import ChipCost, chip_cost
from s2c.silicon.datapath import LANES
from s2c.silicon.folding import make_folds
from s2c.silicon.schedule import Schedule, make_schedule
from s2c.silicon.stream import FIRST_START, Stream, connect
from s2c.silicon.stream_cost import StreamCost, all_rings, estimate_stream, stream_cost


@dataclass(frozen=True)
class Span:
    """An instruction on the front half, or a stage. start, cycles: its steps. share: of its cycles' lanes
    that multiply what the net needs."""

    layer: str
    unit: str
    start: int
    cycles: int
    macs: int
    share: float


@dataclass(frozen=True)
class Variant:
    """A net on one number of lanes. ram_bytes: of its arena, or of its rings."""

    cost: ChipCost | StreamCost
    ram_bytes: int
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


def stage_spans(stream: Stream) -> tuple[Span, ...]:
    """Of one inference alone, whose last byte is taken in cycle 0."""
    return tuple(
        Span(
            layer=each.layer,
            unit=each.instruction.front.unit.name.lower(),
            start=FIRST_START + each.start,
            cycles=each.instruction.front.cycles,
            macs=each.instruction.macs,
            share=each.instruction.macs / (each.schedule.lanes.count * each.instruction.front.cycles),
        )
        for each in stream.stages
    )


def compare_lanes(plan: Plan, counts: Sequence[int] = LANES) -> tuple[Variant, ...]:
    """The same plan on each number of lanes."""
    schedules = [make_schedule(plan, count) for count in counts]
    return tuple(Variant(chip_cost(each), plan.arena_bytes, estimate(each)) for each in schedules)


def compare_folds(plan: Plan) -> tuple[Variant, ...]:
    """Streams of the same plan, with more and more lanes."""
    streams = [connect(plan, each.schedules) for each in make_folds(plan)]
    return tuple(
        Variant(stream_cost(each), sum(ring.capacity for ring in all_rings(each)), estimate_stream(each))
        for each in streams
    )
