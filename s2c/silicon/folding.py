"""A number of lanes to those of each stage of a stream: the slowest is as fast as they allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2c.errors import error
from s2c.plan import Plan
from s2c.silicon.datapath import LANES
from s2c.silicon.instructions import Unit
from s2c.silicon.schedule import Schedule
from s2c.silicon.stream_stages import Options, fewest_results, occupied_cycles, stage_options

DEFAULT_LANES = 64
Choices = Sequence[Mapping[int, Options]]  # of each stage, by its lanes


@dataclass(frozen=True)
class Fold:
    """lanes: in all, of the stages that multiply. schedules: of each stage with its own lanes."""

    lanes: int
    schedules: tuple[Schedule, ...]

    @property
    def stage_lanes(self) -> tuple[int, ...]:
        return tuple(each.lanes.count for each in self.schedules)


def fold(plan: Plan, budget: int | None) -> tuple[int, ...]:
    """The lanes of each call: at most `budget` of those that multiply, and no more than the slowest stage
    makes use of. None: DEFAULT_LANES, or one for each stage that multiplies. Raises CompileError with each
    layer that no stage can compute."""
    return choose_fold(make_folds(plan), budget).stage_lanes


def choose_fold(folds: Sequence[Fold], budget: int | None) -> Fold:
    """folds: the slowest first."""
    least = max(folds[0].lanes, 1)
    most = max(DEFAULT_LANES, least) if budget is None else budget
    if most < least:
        raise error(
            "--lanes",
            f"at least {least} for a pipeline, one for each layer that multiplies",
            str(budget),
            "give as many, or take --style datapath",
        )
    return next(each for each in reversed(folds) if each.lanes <= most)


def make_folds(plan: Plan) -> list[Fold]:
    """For each number of lanes that makes the slowest stage faster than fewer would, the slowest first."""
    choices = stage_choices(plan)
    slowest = {occupied_cycles(each) for stage in choices for options in stage.values() for each in options}
    folds: list[Fold] = []
    for cycles in sorted(slowest, reverse=True):
        options = fewest_lanes(choices, cycles)
        if options is None:
            break
        schedules = tuple(fewest_results(plan, options))
        lanes = sum(each.lanes.count for each in schedules if multiplies(each))
        if folds and folds[-1].lanes == lanes:
            folds.pop()
        folds.append(Fold(lanes, schedules))
    return folds


def stage_choices(plan: Plan) -> Choices:
    of_counts = {count: stage_options(plan, [count] * len(plan.calls)) for count in LANES}
    return [{count: options[at] for count, options in of_counts.items()} for at in range(len(plan.calls))]


def fewest_lanes(choices: Choices, cycles: int) -> tuple[Options, ...] | None:
    """Of each stage those on the fewest lanes that take no longer; None where not all are so fast."""
    found = [
        next((each for _, each in sorted(stage.items()) if min(map(occupied_cycles, each)) <= cycles), None)
        for stage in choices
    ]
    options = tuple(each for each in found if each is not None)
    return options if len(options) == len(choices) else None


def multiplies(schedule: Schedule) -> bool:
    """Whether its lanes have multipliers."""
    front = schedule.instructions[0].front
    return front.unit == Unit.MULTIPLY and not front.ones
