"""A model to Chips: what it takes on each number of lanes."""

from __future__ import annotations

from s2c.driver import Request, compile_model
from s2c.silicon.chips import Chips
from s2c.silicon.clock import check_clock
from s2c.silicon.occupancy import compare_lanes, spans
from s2c.silicon.schedule import make_schedule


def survey(request: Request, lanes: int | None, megahertz: float | None) -> Chips:
    """lanes: whose occupancy is told; by default the target's. Raises CompileError."""
    check_clock(megahertz)
    plan = compile_model(request).plan
    schedule = make_schedule(plan, lanes or request.target.lanes)
    return Chips(request.name, compare_lanes(plan), schedule.lanes.count, spans(schedule), megahertz)
