"""A model to Chips: what it takes on each number of lanes."""

from __future__ import annotations

from dataclasses import replace

from s2c.driver import Request, compile_model
from s2c.silicon.chips import Chips
from s2c.silicon.clock import check_clock
from s2c.silicon.occupancy import compare_folds, compare_lanes, spans, stage_spans
from s2c.silicon.refusals import DATAPATH, STREAM
from s2c.silicon.schedule import make_schedule
from s2c.silicon.stream_cost import stream_lanes


def survey(request: Request, lanes: int | None, megahertz: float | None) -> Chips:
    """lanes: whose occupancy is told; by default those that are compiled for. Raises CompileError."""
    check_clock(megahertz)
    compiled = compile_model(replace(request, lanes=lanes) if request.style == STREAM else request)
    plan, stream = compiled.plan, compiled.stream
    if stream is not None:
        count, spans_found = stream_lanes(stream), stage_spans(stream)
        return Chips(request.name, STREAM, compare_folds(plan), count, spans_found, megahertz)
    schedule = make_schedule(plan, lanes or request.target.lanes)
    return Chips(
        request.name, DATAPATH, compare_lanes(plan), schedule.lanes.count, spans(schedule), megahertz
    )
