"""Which channels a budget leaves: scores of units on data, counts by group, the search for a program."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s2c import cost
from s2c.adapt.programs import measure_program
from s2c.adapt.recipe import DEFAULT_METHOD, FROM_DATA, WITHOUT_DATA
from s2c.adapt.refusals import keeps_states, macs_problems, no_channels, unreachable, width_problems
from s2c.adapt.work import Job
from s2c.budget import Counts, keep_count, kept_units, levels, spend
from s2c.channels import Channels, find_channels
from s2c.errors import CompileError, error
from s2c.files import write_whole
from s2c.importance import NO_ORDERS, NO_SPREAD, OF_READERS, importance
from s2c.passes.prune_channels import Pruned, prune_channels

if TYPE_CHECKING:
    from s2c.train.judge import Judge

MOST_BUILDS = 8  # programs that the search for a latency or a number of instructions measures
UNITS = {"latency": "us", "instructions": "instructions"}


def shrink(job: Job) -> tuple[Pruned, Judge | None]:
    """The original within the recipe's budget, untrained; and who judged it, where there are data. Raises
    CompileError where nothing can go, or not enough: before anything takes long."""
    channels = find_channels(job.original)
    if not channels.groups:
        raise CompileError((no_channels(job.recipe.request.name, "compile it without a budget"),))
    method = job.recipe.importance
    if job.original.states and method in FROM_DATA:
        do = "give --importance l2, which weighs the weights alone"
        raise error(f"--importance {method}", "a net without states", "one that keeps some", do)
    choice = Choice(job, channels)
    counts = choice.counts()
    pruned = choice.pruned(counts)
    report = job.report
    report["importance"] = choice.method
    report["groups"] = [
        {"name": group.name, "layers": list(group.layers), "before": group.units, "after": count}
        for group, count in zip(channels.groups, counts, strict=True)
    ]
    report["macs"]["pruned"] = cost.macs(pruned.graph)
    report["parameters"]["pruned"] = cost.parameters(pruned.graph.nodes())
    return pruned, choice.judge


@dataclass(frozen=True, eq=False)
class Choice:
    """Of how many units of each group stay. A class, because what is measured on data is asked for in several
    places and must be measured once."""

    job: Job
    channels: Channels

    @cached_property
    def judge(self) -> Judge | None:
        """On training data; None where there are none, or the net keeps states."""
        trained = self.job.work.trained
        if trained is None or self.job.original.states:
            return None
        from s2c.train.judge import Judge

        return Judge(self.job.original, trained, self.job.recipe.seed)

    @property
    def method(self) -> str:
        """What scores units: without data, the weights alone can."""
        given = self.job.recipe.importance
        return given or (DEFAULT_METHOD if self.judge else WITHOUT_DATA)

    @cached_property
    def scores(self) -> Mapping[int, np.ndarray]:
        judge, method = self.judge, self.method
        if judge is None:
            return importance(self.channels, method)
        if method == "taylor":
            found = [importance(self.channels, method, each) for each in judge.gradients()]
            return {index: np.mean([each[index] for each in found], axis=0) for index in found[0]}
        return importance(
            self.channels,
            method,
            deviations=judge.deviations(),
            variances=judge.variances() if method in OF_READERS else NO_SPREAD,
            orders=self.orders(judge) if method == "reconstruction" else NO_ORDERS,
        )

    def orders(self, judge: Judge) -> dict[int, np.ndarray]:
        """Elimination orders of the groups that have one."""
        found = {}
        for index, group in enumerate(self.channels.groups):
            self.job.say(f"importance {index + 1} of {len(self.channels.groups)}: {group.name}")
            order = judge.elimination_order(group)
            if order is not None:
                found[index] = order
        return found

    @cached_property
    def ladders(self) -> list[tuple[int, ...]]:
        lanes = self.job.recipe.request.target.lanes
        return [levels(group, lanes) for group in self.channels.groups]

    @property
    def most(self) -> Counts:
        return tuple(group.units for group in self.channels.groups)

    @property
    def least(self) -> Counts:
        return tuple(ladder[-1] for ladder in self.ladders)

    def pruned(self, counts: Counts) -> Pruned:
        return prune_channels(self.channels, kept_units(self.channels, counts, self.scores))

    def macs(self, counts: Counts) -> int:
        """They depend on how many units stay, not on which."""
        keep = {index: np.arange(count) for index, count in enumerate(counts)}
        return self.channels.macs(keep)

    def counts(self) -> Counts:
        assert self.job.recipe.budget is not None
        kind, value = self.job.recipe.budget
        if kind == "width":
            return self.of_width(value)
        if self.judge is None:
            wanted = f"data to spend --{kind} where it costs least"
            if self.job.original.states:
                raise CompileError((keeps_states(f"--{kind}"),))
            raise error("--data", wanted, "none", "give --data, or --width")
        if kind == "macs":
            return self.of_macs(value * self.macs(self.most) if value <= 1 else value)
        return self.of_program(kind, value)

    def of_width(self, width: float) -> Counts:
        lanes = self.job.recipe.request.target.lanes
        if problems := width_problems(self.channels, width, lanes):
            raise CompileError(tuple(problems))
        return tuple(keep_count(group, width, lanes) for group in self.channels.groups)

    def of_macs(self, budget: float) -> Counts:
        lanes = self.job.recipe.request.target.lanes
        if problems := macs_problems(self.channels, "--macs", budget, lanes):
            raise CompileError(tuple(problems))
        found = self.within(budget)
        assert found is not None, budget
        return found

    def within(self, budget: float) -> Counts | None:
        return spend(self.ladders, self.losses, self.macs, budget)

    @cached_property
    def losses(self) -> list[list[float]]:
        """The loss on data of each level of each group alone."""
        from s2c.train.parts import side_by_side

        judge = self.judge
        scores = self.scores  # made here, once, and not by each of the threads
        assert judge is not None

        def loss(counts: Counts) -> float:
            return judge.loss(prune_channels(self.channels, kept_units(self.channels, counts, scores)))

        result = []
        with side_by_side(self.job.threads) as each:
            for index, ladder in enumerate(self.ladders):
                place = f"{index + 1} of {len(self.ladders)}: {self.channels.groups[index].name}"
                self.job.say(f"sensitivity {place}", index / len(self.ladders))
                result.append([0.0, *each(loss, [self.alone(index, count) for count in ladder[1:]])])
        return result

    def alone(self, index: int, count: int) -> Counts:
        return tuple(count if at == index else each for at, each in enumerate(self.most))

    # programs

    def of_program(self, kind: str, value: float) -> Counts:
        """Times differ from run to run: the counts that were found lie beside the checkpoint, for a run that
        goes on."""
        known = None if self.job.checkpoint is None else counts_file(self.job.checkpoint)
        if known is not None and known.exists():
            return tuple(json.loads(known.read_text(encoding="utf-8")))
        least = self.measured(self.least)
        if least > value:
            wanted = f"{value:g} {UNITS[kind]}"
            raise CompileError((unreachable(f"--{kind}", wanted, f"{least:g} {UNITS[kind]}"),))
        counts = self.search(value)
        if known is not None:
            write_whole(known, json.dumps(counts).encode())
        return counts

    def search(self, value: float) -> Counts:
        """The most MACs whose program, built and run on the target, keeps the budget: the interval is
        halved."""
        if self.measured_or_too_large(self.most) <= value:
            return self.most
        low, high, best = float(self.macs(self.least)), float(self.macs(self.most)), self.least
        fits = {best: True}
        for _ in range(MOST_BUILDS):
            middle = math.sqrt(low * high)
            counts = self.within(middle) or self.least
            if counts not in fits:
                fits[counts] = self.measured_or_too_large(counts) <= value
            if fits[counts]:
                best, low = counts, middle
            else:
                high = middle
        return best

    def measured(self, counts: Counts) -> float:
        recipe = self.job.recipe
        self.job.say(f"building for {recipe.request.target.name}: {self.macs(counts):,} MACs")
        return measure_program(recipe, self.pruned(counts).graph, self.job.work.calibration)

    def measured_or_too_large(self, counts: Counts) -> float:
        """The least channels fit, so that a larger net that is refused is too large for the target."""
        try:
            return self.measured(counts)
        except CompileError:
            return math.inf


def counts_file(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".counts.json")
