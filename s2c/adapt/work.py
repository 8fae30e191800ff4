"""The data of a run, the notes that it leaves, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2c.adapt.recipe import Recipe
from s2c.errors import CompileError, Problem
from s2c.ir import Graph

if TYPE_CHECKING:
    from s2c.train.data import Samples
    from s2c.train.module import GraphModule

Say = Callable[..., None]
"""say(text, done=None) hears what is going on, in a few words, and how much of it is done, 0..1."""


def say_nothing(text: str, done: float | None = None) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Work:
    """The data of a run. train is what retrain takes, which does not
    train on held; judged is what scores
    are reported on: the test data, or the part that is held back."""

    task: str
    train: Samples | None
    held: Samples | None
    judged: Samples | None
    judged_name: str
    calibration: Samples | None


def load_work(recipe: Recipe, graph: Graph) -> Work:
    """Reads all data; raises CompileError with all of their problems."""
    from s2c.train.data import load_samples
    from s2c.train.retrain import split

    problems: list[Problem] = []

    def load(paths: tuple[Path, ...], every_class: bool = False) -> Samples | None:
        if not paths:
            return None
        try:
            return load_samples(paths, graph, recipe.task, every_class)
        except CompileError as found:
            problems.extend(found.problems)
            return None

    train, test, calibration = load(recipe.data, True), load(recipe.test), load(recipe.calibration)
    if problems:
        raise CompileError(tuple(problems))
    held = None if train is None else train.part(split(train, recipe.seed)[0])
    name = "nothing"
    if test is not None:
        name = f"{len(test)} test samples"
    elif held is not None:
        name = f"{len(held)} samples that were not trained on"
    task = next((each.task for each in (train, test, calibration) if each), "distillation")
    return Work(task, train, held, test or held, name, calibration or train)


@dataclass(frozen=True, eq=False)
class Job:
    """One adaptation under way. report: its notes so far, for JSON. checkpoint: where training goes on
    from."""

    recipe: Recipe
    original: Graph
    work: Work
    checkpoint: Path | None
    say: Say
    report: dict[str, Any]

    def record(self, step: str, net: Graph | GraphModule) -> None:
        """Notes the net's score on what is judged, under the step's name."""
        if self.work.judged is not None:
            from s2c.train.measure import measure

            self.report["score"][step] = measure(net, self.work.judged, self.original).value
