"""A sweep's jobs in their order: what is done already is left out, what failed is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2c.errors import CompileError
from s2c.sweep.recipe import Job, Sweep, all_jobs
from s2c.sweep.store import checkpoint_file, is_done, write_files
from s2c.sweep.workers import LocalWorkers, Message, Workers

if TYPE_CHECKING:
    from s2c.progress import Say
    from s2c.sweep.workers import Run


def run_jobs(run: Run, sweep: Sweep, folder: Path, workers: Workers, say: Say) -> None:
    """Until all results lie in the folder; raises CompileError where a process dies or the model is refused.

    What is timed runs last, here, one after the other, wherever the rest ran: times of different machines do
    not compare.
    """
    jobs = all_jobs(sweep)
    run_some([job for job in jobs if not job.is_timed], jobs, folder, workers, say)
    alone = LocalWorkers(run, sweep, folder, 1)
    try:
        run_some([job for job in jobs if job.is_timed], jobs, folder, alone, say)
    finally:
        alone.close()


def run_some(wanted: Sequence[Job], jobs: Sequence[Job], folder: Path, workers: Workers, say: Say) -> None:
    """jobs: all of the sweep, to say how far it is."""
    waiting = [job for job in wanted if not is_done(folder, job)]
    running: set[Job] = set()
    while waiting or running:
        ready = [job for job in waiting if job.source is None or is_done(folder, Job("net", job.source))]
        for job in ready[: workers.room - len(running)]:
            workers.start(job)
            waiting.remove(job)
            running.add(job)
        assert running, [job.name for job in waiting]
        for message in workers.wait():
            if message.kind != "says":
                running.remove(message.job)
                keep(folder, message)
            count = sum(is_done(folder, job) for job in jobs)
            text = message.value if message.kind == "says" else message.kind
            say(f"{count} of {len(jobs)} jobs done; {message.job.name}: {text}", count / len(jobs))


def keep(folder: Path, message: Message) -> None:
    """Of a job that ended. A net's checkpoint goes, for which the net itself stands now."""
    if message.kind == "refused":
        raise CompileError(message.value)
    if message.kind == "failed":
        raise RuntimeError(f"{message.job.name}:\n{message.value}")
    write_files(folder, message.value)
    net = message.job.net
    if message.job.kind == "net" and net.file in message.value:
        (folder / checkpoint_file(net)).unlink(missing_ok=True)
