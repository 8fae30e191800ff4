"""The data of a run, the notes that it leaves, and who hears of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2c.adapt.recipe import Recipe
from s2c.errors import CompileError, Problem
from s2c.ir import Graph
from s2c.progress import Say

if TYPE_CHECKING:
    from s2c.train.data import Samples
    from s2c.train.module import GraphModule

LEAST_SHARE = 0.05  # of --minutes, that each training gets


@dataclass(frozen=True, eq=False)
class Work:
    """The data of a run. train is what retrain takes, which trains on `trained` and chooses by `held`. judged
    is what scores are reported on, and nothing is chosen by where there are test data: these, or held."""

    task: str
    train: Samples | None
    trained: Samples | None
    held: Samples | None
    judged: Samples | None
    judged_name: str
    calibration: Samples | None


def load_work(recipe: Recipe, graph: Graph) -> Work:
    """Reads all data; raises CompileError with all of their problems."""
    from s2c.train.augment import check_augment
    from s2c.train.data import load_samples
    from s2c.train.held import split
    from s2c.train.memory import length_problems
    from s2c.train.quantization import BATCH

    problems: list[Problem] = []

    def load(paths: tuple[Path, ...], task: str, every_class: bool = False) -> Samples | None:
        if not paths:
            return None
        try:
            return load_samples(paths, graph, task, every_class)
        except CompileError as found:
            problems.extend(found.problems)
            return None

    train, test = load(recipe.data, recipe.task, True), load(recipe.test, recipe.task)
    calibration = load(recipe.calibration, "distillation")  # which needs no labels, and reads none
    try:
        check_augment(graph, recipe.augment)
    except CompileError as found:
        problems.extend(found.problems)
    if train is not None and recipe.trains:
        problems += length_problems(graph, train)
    if recipe.int8 and (seen := calibration or train) is not None:
        problems += length_problems(graph, seen, BATCH, 1)
    if problems:
        raise CompileError(tuple(problems))
    held = trained = None
    if train is not None:
        held, trained = (train.part(rows) for rows in split(train, recipe.seed))
    name = "nothing"
    if test is not None:
        name = f"{len(test)} test samples"
    elif held is not None:
        name = f"{len(held)} samples held back, by which the epoch is chosen"
    task = next((each.task for each in (train, test, calibration) if each), "distillation")
    return Work(task, train, trained, held, test or held, name, calibration or trained)


@dataclass(frozen=True, eq=False)
class Job:
    """One adaptation under way, begun at a time of time.monotonic(). report: its notes so far, for JSON.
    checkpoint: where training goes on from. threads: of sensitivities
    and training, which nothing but time depends on."""

    recipe: Recipe
    original: Graph
    work: Work
    checkpoint: Path | None
    say: Say
    report: dict[str, Any]
    begun: float
    threads: int = 1

    def record(self, step: str, net: Graph | GraphModule) -> None:
        """Notes the net's score on what is judged, under the step's name, and of what kind scores are."""
        if self.work.judged is not None:
            from s2c.train.measure import measure

            found = measure(net, self.work.judged, self.original)
            self.report["kind"] = found.kind
            self.report["score"][step] = found.value

    def minutes_left(self) -> float | None:
        """Of the time to train: a little, where none is."""
        limit = self.recipe.minutes
        spent = (time.monotonic() - self.begun) / 60
        return None if limit is None else max(limit - spent, limit * LEAST_SHARE)
