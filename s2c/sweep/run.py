"""A Sweep to its folder: results, sweep.csv, sweep.json and sweep.html."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2c.files import write_whole
from s2c.progress import Say, say_nothing
from s2c.report import to_json
from s2c.sweep.check import check_contents
from s2c.sweep.findings import find_results
from s2c.sweep.jobs import load_model, run_job
from s2c.sweep.page import make_page
from s2c.sweep.pictures import find_pictures
from s2c.sweep.recipe import Sweep
from s2c.sweep.schedule import run_jobs
from s2c.sweep.store import opened
from s2c.sweep.table import to_csv
from s2c.sweep.workers import LocalWorkers, Workers

if TYPE_CHECKING:
    from s2c.sweep.workers import Run


def run_sweep(
    sweep: Sweep,
    folder: Path,
    room: int,
    address: str | None,
    say: Say = say_nothing,
    run: Run = run_job,
) -> dict[str, Any]:
    """The document that sweep.json holds. room: jobs at the same time; address: of a Ray cluster, whose CPUs
    then are the room. Raises CompileError; what is done by then is found again by the next run."""
    answers = check_contents(sweep)
    with opened(folder, sweep):
        workers = start_workers(run, sweep, folder, room, address)
        try:
            run_jobs(run, sweep, folder, workers, say)
        finally:
            workers.close()
        document = find_results(sweep, folder, answers)
        pictures = find_pictures(sweep, load_model(sweep), document)
        write_whole(folder / "sweep.csv", to_csv(document["points"]).encode())
        write_whole(folder / "sweep.json", (to_json(document) + "\n").encode())
        write_whole(folder / "sweep.html", make_page(document, pictures).encode())
    return document


def start_workers(run: Run, sweep: Sweep, folder: Path, room: int, address: str | None) -> Workers:
    if address is None:
        return LocalWorkers(run, sweep, folder, room)
    from s2c.sweep.cluster import RayWorkers  # ray is an extra

    return RayWorkers(run, sweep, folder, address)
