"""The command line's lists to a Sweep, with all that is wrong with them before any work."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from s2c.arguments import parse_list
from s2c.errors import NOT_INSTALLED, CompileError, Problem
from s2c.sweep.recipe import PRECISIONS, Budget, Sweep
from s2c.target import list_targets, load_target, missing_tools

PACKAGES = {"torch": "torch", "matplotlib": "report", "jinja2": "report"}  # and the extra that brings each


def make_sweep(
    model: Path,
    lists: tuple[str, str, str, str],
    files: tuple[tuple[Path, ...], tuple[Path, ...]],
    classes: Path | None,
    ray: str | None = None,
    jobs: int | None = None,
    **settings: Any,
) -> Sweep:
    """lists: widths, MACs, precisions and targets, with commas. files: training and test data. ray: a
    cluster's address; jobs: at the same time. settings: further fields of Sweep. Raises CompileError."""
    problems: list[Problem] = []
    widths, macs, precisions, targets = lists
    data, test = files
    budgets = [*shares("width", widths, problems), *shares("macs", macs, problems)]
    chosen = names("--precision", precisions, PRECISIONS, problems)
    places = names("--target", targets, [each.name for each in list_targets() if not each.is_chip], problems)
    problems += tool_problems(places, ray is not None)
    if ray is not None and jobs is not None:
        found = "--ray, which takes the cluster's cores"
        problems.append(Problem("--jobs", "jobs on this machine", found, "leave one of them out"))
    problems += file_problems(model, data, test, classes)
    labels = read_classes(classes, problems)
    if not data and ("int8" in chosen or any(share < 1 for _, share in budgets)):
        do = "give training data, or --width 1 --precision f32"
        problems.append(Problem("--data", "data to retrain and to quantize with", "none", do))
    if problems:
        raise CompileError(tuple(problems))
    return Sweep(model, tuple(budgets), tuple(chosen), tuple(places), data, test, classes=labels, **settings)


def shares(kind: str, text: str, problems: list[Problem]) -> list[Budget]:
    found: list[Budget] = []
    for part in parse_list(text):
        try:
            share = float(part)
        except ValueError:
            share = math.nan
        if not 0 < share <= 1 or (kind, share) in found:
            wanted = "shares above 0 and at most 1, each once"
            problems.append(Problem(f"--{kind}", wanted, part, f"e.g. --{kind} 0.75,0.5"))
        else:
            found.append((kind, share))
    if kind == "width" and not parse_list(text):
        problems.append(Problem("--width", "a list of shares", "none", "e.g. --width 1,0.5"))
    return found


def names(flag: str, text: str, known: Sequence[str], problems: list[Problem]) -> list[str]:
    found = parse_list(text)
    wanted = f"a list of {', '.join(known)}, each once"
    if not found:
        problems.append(Problem(flag, wanted, "none", "name at least one"))
    for index, part in enumerate(found):
        if part not in known or part in found[:index]:
            problems.append(Problem(flag, wanted, part, "name these"))
    return [part for part in dict.fromkeys(found) if part in known]


def tool_problems(targets: Sequence[str], needs_ray: bool) -> list[Problem]:
    problems = []
    for name in dict.fromkeys([*targets, "host"]):
        for line in missing_tools(load_target(name)):
            problems.append(Problem(f"target {name}", "all its tools", line, "install what is missing"))
    for package, extra in {**PACKAGES, **({"ray": "cluster"} if needs_ray else {})}.items():
        if find_spec(package) is None:
            do = f"pip install 's2c[{extra}]'"
            problems.append(Problem("s2c sweep", package, NOT_INSTALLED, do))
    return problems


def file_problems(
    model: Path, data: Sequence[Path], test: Sequence[Path], classes: Path | None
) -> list[Problem]:
    problems = []
    given = [("MODEL", model), *(("--data", path) for path in data), *(("--test", path) for path in test)]
    for flag, path in [*given, *([("--classes", classes)] if classes else [])]:
        if not is_readable(path):
            found = "a folder" if path.is_dir() else "none that can be read"
            problems.append(Problem(f"{flag} {path}", "a file", found, "check the path"))
    if not test:
        problems.append(Problem("--test", "data to measure each net on", "none", "give a test set"))
    return problems


def read_classes(path: Path | None, problems: list[Problem]) -> tuple[str, ...]:
    """Lines that are not empty; none of a file that cannot be read, of which file_problems tells."""
    if path is None or not is_readable(path):
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as fault:
        found = f"byte 0x{fault.object[fault.start]:02x} at {fault.start}"
        problems.append(Problem(f"--classes {path}", "text in UTF-8", found, "save it in UTF-8"))
        return ()
    return tuple(line.strip() for line in lines if line.strip())


def is_readable(path: Path) -> bool:
    return os.access(path, os.R_OK) and not path.is_dir()


def check_contents(sweep: Sweep) -> np.ndarray:
    """Reads model and data; gives the test set's answers. Raises CompileError with all that is wrong."""
    from s2c.adapt.refusals import budget_problems
    from s2c.sweep.jobs import load_model
    from s2c.sweep.samples import load_test, load_training
    from s2c.train.augment import check_augment
    from s2c.train.heads import classes_of
    from s2c.train.memory import length_problems
    from s2c.train.quantization import BATCH, refuse_unquantizable

    graph = load_model(sweep)
    problems: list[Problem] = []
    answers = np.empty(0)
    try:
        check_augment(graph, sweep.augment)
    except CompileError as found:
        problems += found.problems
    try:
        training = load_training(sweep, graph)
        if training is not None and any(share < 1 for _, share in sweep.budgets) and sweep.epochs != 0:
            problems += length_problems(graph, training)
        if training is not None and "int8" in sweep.precisions:
            problems += length_problems(graph, training, BATCH, 1)
    except CompileError as found:
        problems += found.problems
    try:
        answers = load_test(sweep, graph)[1]
    except CompileError as found:
        problems += found.problems
    problems += class_problems(sweep.classes, classes_of(graph))
    problems += budget_problems(sweep.budgets, graph, sweep.request().target.lanes)
    if "int8" in sweep.precisions:
        try:
            refuse_unquantizable(graph, ())
        except CompileError as found:
            problems += found.problems
    if problems:
        raise CompileError(tuple(problems))
    return answers


def class_problems(classes: Sequence[str], count: int) -> list[Problem]:
    if not classes or len(classes) == count:
        return []
    do = "name each class that the net gives"
    return [Problem("--classes", f"{count} names, one a line", str(len(classes)), do)]
