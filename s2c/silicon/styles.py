"""Plan -> a chip in one of its styles, and what it is as text."""

from __future__ import annotations

from s2c.plan import Plan
from s2c.silicon.folding import fold
from s2c.silicon.refusals import STREAM
from s2c.silicon.schedule import Schedule, make_schedule, refuse_long
from s2c.silicon.stream import Stream, make_stream
from s2c.silicon.stream_cost import stream_lanes
from s2c.silicon.stream_text import stream_text
from s2c.silicon.text import schedule_text


def make_chip(plan: Plan, style: str, lanes: int | None) -> Schedule | Stream:
    """lanes: of a stream at most; a datapath has a number of them. Raises CompileError."""
    if style == STREAM:
        stream = make_stream(plan, fold(plan, lanes))
        refuse_long(stream_lanes(stream), stream.cycles)
        return stream
    assert lanes is not None
    schedule = make_schedule(plan, lanes)
    refuse_long(lanes, schedule.cycles)
    return schedule


def chip_text(chip: Schedule | Stream) -> str:
    return stream_text(chip) if isinstance(chip, Stream) else schedule_text(chip)
