"""What is to become of a model, as the command line says it, and what can be wrong with that."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from s2c.arguments import file_digest, parse_latency
from s2c.driver import Request
from s2c.errors import NOT_INSTALLED, CompileError, Problem, error
from s2c.importance import METHODS
from s2c.readers import self_contained

# The least held loss after retraining, of ResNet-20 and resnet8 at half of the MACs: see RATIONALE.md.
DEFAULT_METHOD = "reconstruction"
WITHOUT_DATA = "l2"
FROM_DATA = ("batchnorm", "taylor", "contribution", "reconstruction")
BUDGETS = ("width", "macs", "latency", "instructions")


@dataclass(frozen=True)
class Recipe:
    """What is to become of a model. budget: one of BUDGETS with its value: a share of each group's units, of
    the MACs (above 1: their number), microseconds on the host, instructions on an emulated target.

    epochs 0 leaves the pruned net untrained. max_drop: points of accuracy (or percent of the error) that
    quantization may cost before the net is trained to make up for it.
    """

    request: Request
    budget: tuple[str, float] | None = None
    importance: str | None = None
    data: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    task: str = "auto"
    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    augment: tuple[str, ...] = ()
    int8: bool = False
    calibration: tuple[Path, ...] = ()
    max_drop: float | None = None
    keep_float: tuple[str, ...] = ()
    float_io: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the model stays as it is."""
        return self.budget is None and not self.int8 and self.epochs is None

    @property
    def trains(self) -> bool:
        """Whether weights may be trained, with what the other flags ask for."""
        is_int8_trained = self.int8 and self.max_drop is not None
        return bool(self.epochs) or is_int8_trained or (self.budget is not None and self.epochs is None)

    def digest(self) -> str:
        """SHA-256 of the model, the flags and the data: equal digests give equal nets."""
        hasher = hashlib.sha256(self.request.digest().encode())
        hasher.update(hashlib.sha256(self_contained(self.request.model)).digest())
        for path in (*self.data, *self.test, *self.calibration):
            hasher.update(file_digest(path).encode())
        flags = (
            self.budget,
            self.importance or (DEFAULT_METHOD, WITHOUT_DATA),
            len(self.data),
            len(self.test),
            self.task,
            self.epochs,
            self.minutes,
        )
        rest = (self.seed, self.augment, self.int8, self.max_drop, self.keep_float, self.float_io)
        hasher.update(repr((flags, rest)).encode())
        return hasher.hexdigest()


def check_recipe(recipe: Recipe) -> None:
    """Raises CompileError with everything that is wrong with the flags, before a file is read."""
    problems = needless(recipe)
    if recipe.budget is not None:
        problems += budget_problems(recipe, *recipe.budget)
    if recipe.importance is not None and recipe.importance not in METHODS:
        wanted = f"one of {', '.join(METHODS)}"
        problems.append(Problem("--importance", wanted, recipe.importance, "name one of these"))
    problems += missing_data(recipe)
    if recipe.minutes is not None and not recipe.minutes > 0:
        problems.append(Problem("--minutes", "more than 0", f"{recipe.minutes:g}", "give the time to train"))
    if recipe.max_drop is not None and math.isnan(recipe.max_drop):
        problems.append(Problem("--max-drop", "a number of points", "nan", "e.g. 0.5"))
    for flag, value in (("--seed", recipe.seed), ("--epochs", recipe.epochs)):
        if value is not None and value < 0:
            problems.append(Problem(flag, "0 or more", f"{value}", "leave it out for the default"))
    if not recipe.is_empty and find_spec("torch") is None:
        do = "pip install 's2c[torch]'"
        problems.append(Problem("torch", "torch, which prunes, trains and quantizes", NOT_INSTALLED, do))
    if problems:
        raise CompileError(tuple(problems))


def missing_data(recipe: Recipe) -> list[Problem]:
    problems = []
    if recipe.budget is not None and not recipe.data and recipe.epochs != 0:
        do = "give the training data, or --epochs 0 to leave the pruned net untrained"
        problems.append(Problem("--data", "data to retrain the pruned net with", "none", do))
    elif recipe.epochs and not recipe.data:
        problems.append(Problem("--data", "data to train with", "none", "give the training data"))
    if recipe.importance in FROM_DATA and recipe.budget is not None and not recipe.data:
        do = "give the training data, or --importance l2"
        problems.append(Problem(f"--importance {recipe.importance}", "data to measure it on", "none", do))
    if recipe.int8 and not (recipe.data or recipe.calibration):
        do = "give --calibration or --data: some hundred typical inputs"
        problems.append(Problem("--int8", "inputs to find the tensors' ranges with", "none", do))
    if recipe.int8 and recipe.max_drop is not None and not recipe.data:
        do = "give the training data, or leave --max-drop out"
        problems.append(Problem("--data", "data to train the quantized net with", "none", do))
    return problems


def needless(recipe: Recipe) -> list[Problem]:
    """Flags that say something about a step that is not asked for."""
    problems = []
    int8 = {
        "--calibration": bool(recipe.calibration),
        "--max-drop": recipe.max_drop is not None,
        "--keep-float": bool(recipe.keep_float),
        "--float-io": recipe.float_io,
    }
    training = {"--minutes": recipe.minutes is not None, "--augment": bool(recipe.augment)}
    steps = {
        "--data": bool(recipe.data),
        "--test": bool(recipe.test),
        **training,
        "--importance": recipe.importance is not None,
    }
    for flag, given in int8.items():
        if given and not recipe.int8:
            problems.append(Problem(flag, "a net to quantize", "no --int8", "add --int8, or leave it out"))
    for flag, given in steps.items():
        if given and recipe.is_empty:
            wanted = "a budget, --epochs or --int8"
            problems.append(Problem(flag, wanted, "none", "add one, e.g. --width 0.5, or leave it out"))
    for flag, given in training.items():
        if given and not recipe.is_empty and not recipe.trains:
            found = "--epochs 0" if recipe.epochs == 0 else "--int8 alone"
            problems.append(Problem(flag, "training", found, "leave it out, or add --epochs or --max-drop"))
    if recipe.importance is not None and recipe.budget is None and not recipe.is_empty:
        do = "add one, e.g. --width 0.5, or leave it out"
        problems.append(Problem("--importance", "a budget, for which channels are chosen", "none", do))
    if recipe.task != "auto" and not (recipe.data or recipe.test):
        problems.append(
            Problem("--task", "data with a task", "no --data or --test", "add it, or leave it out")
        )
    if recipe.epochs == 0 and recipe.max_drop is not None:
        problems.append(Problem("--max-drop", "training", "--epochs 0", "leave one of them out"))
    return problems


def budget_problems(recipe: Recipe, kind: str, value: float) -> list[Problem]:
    problems = []
    emulated = recipe.request.target.emulated
    assert kind != "latency" or not recipe.request.target.is_chip  # which takes it for its lanes: take_goal
    if not (math.isfinite(value) and value > 0) or (kind == "width" and value > 1):
        wanted = "a share above 0 and at most 1" if kind == "width" else "more than 0"
        problems.append(
            Problem(f"--{kind}", wanted, f"{value:g}", "e.g. 0.5" if kind == "width" else "give more")
        )
    if kind == "latency" and emulated:
        do = "give --instructions: an emulated target counts them"
        problems.append(Problem("--latency", "a target that runs here", recipe.request.target.name, do))
    if kind == "instructions" and not emulated:
        do = "give --macs or --width" if recipe.request.target.is_chip else "give --latency"
        problems.append(Problem("--instructions", "an emulated target", recipe.request.target.name, do))
    return problems


PATHS = ("data", "test", "calibration")
WORDS = ("augment", "keep_float")
PLAIN = ("importance", "task", "epochs", "minutes", "seed", "int8", "max_drop", "float_io")


def make_recipe(request: Request, **flags: Any) -> Recipe:
    """A Recipe from flags by name, None standing for none: one of BUDGETS, and what Recipe has. Paths and
    words may be one or several; a latency is a text with its unit. Raises CompileError with all that is
    wrong.
    """
    known = (*BUDGETS, *PATHS, *WORDS, *PLAIN)
    problems = [
        Problem(name, f"one of {', '.join(known)}", "another argument", "correct the name")
        for name in sorted(set(flags) - set(known))
    ]
    if problems:
        raise CompileError(tuple(problems))
    given = {name: value for name, value in flags.items() if value is not None}
    fields: dict[str, Any] = {name: given[name] for name in PLAIN if name in given}
    fields |= {name: tuple(map(Path, several(given[name]))) for name in PATHS if name in given}
    fields |= {name: tuple(several(given[name])) for name in WORDS if name in given}
    recipe = Recipe(request, find_budget({name: given[name] for name in BUDGETS if name in given}), **fields)
    check_recipe(recipe)
    return recipe


def several(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, (str, Path)) else list(value)


def find_budget(given: Mapping[str, Any]) -> tuple[str, float] | None:
    """The one of BUDGETS that is given; raises CompileError where several are."""
    if len(given) > 1:
        flags = [f"--{flag}" for flag in given]
        raise error(flags[1], "one budget", " and ".join(flags), "leave one of them")
    for kind, value in given.items():
        return kind, parse_latency(str(value)) if kind == "latency" else float(value)
    return None


def refuse_stop(recipe: Recipe) -> None:
    if not recipe.is_empty:
        do = "compile into a folder, then --stop-after on the .s2c file in it"
        raise error("--stop-after", "a model that is compiled as it is", "flags that adapt it", do)
