"""The folder of a sweep: finished results, each written whole or not at all."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2c.errors import CompileError, Problem, error
from s2c.files import DRAFT, write_whole
from s2c.sweep.recipe import Job, Net, Sweep, all_jobs

Files = dict[str, bytes]  # of a job, by path in the folder; the last says that the job is done
RECIPE = "recipe.json"
LOCK = "lock"
CHECKPOINTS, WORK = "checkpoints", "work"
OWN = (
    RECIPE,
    LOCK,
    CHECKPOINTS,
    WORK,
    "nets",
    "points",
    "doubts.json",
    "sweep.csv",
    "sweep.json",
    "sweep.html",
)


@contextmanager
def opened(folder: Path, sweep: Sweep) -> Iterator[None]:
    """The folder, made where there is none, for this process alone; raises CompileError where it holds
    anything but this very sweep, and then changes nothing.

    What a killed sweep leaves can be told from other folders by RECIPE, which therefore is written first.
    """
    settings = sweep.settings()
    refuse_foreign(folder, settings)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wanted = "a folder that no other sweep is writing"
            raise error(f"-o {folder}", wanted, "one that runs", "wait until it ends") from None
        write_whole(folder / RECIPE, json.dumps(settings, indent=1).encode())
        shutil.rmtree(folder / WORK, ignore_errors=True)  # what a killed sweep left
        for name in (CHECKPOINTS, WORK, "nets", "points"):
            (folder / name).mkdir(exist_ok=True)
        forget_refused(folder, sweep)
        yield
        shutil.rmtree(folder / WORK, ignore_errors=True)


def refuse_foreign(folder: Path, settings: Mapping[str, Any]) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise error(f"-o {folder}", "a folder", "a file of that name", "name another")
    found_names = sorted(path.name for path in folder.iterdir() if not path.name.endswith(DRAFT))
    strangers = [name for name in found_names if name not in OWN]
    recipe = folder / RECIPE
    if strangers or (not recipe.exists() and found_names not in ([], [LOCK])):
        wanted, found = (
            "a new folder, or one of this sweep",
            ", ".join(strangers[:3]) or "no recipe.json in it",
        )
        raise error(f"-o {folder}", wanted, found, "name another folder")
    if recipe.exists():
        refuse_other(folder, read_recipe(folder), settings)


def read_recipe(folder: Path) -> Mapping[str, Any]:
    try:
        found = read_json(folder / RECIPE)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        wanted, broken = f"a {RECIPE} that a sweep wrote", "one that cannot be read"
        raise error(f"-o {folder}", wanted, broken, "name another folder")
    return found


def refuse_other(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """One problem for each setting that the folder's sweep has otherwise."""
    problems = tuple(
        Problem(
            f"-o {folder}",
            f"the sweep that it holds: {flag} {describe(old.get(flag))}",
            f"{flag} {describe(new.get(flag))}",
            "give the same, or name another folder",
        )
        for flag in sorted({*old, *new})
        if old.get(flag) != new.get(flag)
    )
    if problems:
        raise CompileError(problems)


def describe(value: Any) -> str:
    """Digests by their beginning."""
    if isinstance(value, list):
        return ",".join(map(describe, value)) or "none"
    return str(value)[:12]


def checkpoint_file(net: Net) -> str:
    """Where training goes on from, in the sweep's folder."""
    return f"{CHECKPOINTS}/{net.name}.pt"


def is_done(folder: Path, job: Job) -> bool:
    return (folder / job.result).exists()


def refusals(folder: Path, job: Job) -> list[dict[str, str]]:
    """The problems that a finished job met in the place of a result."""
    found = read_json(folder / job.result)
    return found.get("problems", []) if isinstance(found, dict) else []


def forget_refused(folder: Path, sweep: Sweep) -> None:
    """A sweep that resumes tries them again: what refused them may be mended."""
    for job in all_jobs(sweep):
        if is_done(folder, job) and refusals(folder, job):
            (folder / job.result).unlink()


def write_files(folder: Path, files: Files) -> None:
    for name, data in files.items():
        write_whole(folder / name, data)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
