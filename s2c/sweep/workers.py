"""Jobs in processes of their own, on this machine."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final

from s2c.errors import CompileError, Problem, error

if TYPE_CHECKING:
    from s2c.progress import Say
    from s2c.sweep.recipe import Job, Sweep
    from s2c.sweep.store import Files

    Run = Callable[[Sweep, Job, Path, Say], Files]

# Of each library that would start a thread for every core in every process.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Message:
    """What a worker says of a job: kind is "says" with a text, "done" with Files, "refused" with problems, or
    "failed" with a traceback."""

    job: Job
    kind: str
    value: Any


class Workers(Protocol):
    """Where jobs run. room: how many at the same time."""

    room: int

    def start(self, job: Job) -> None: ...

    def wait(self) -> list[Message]:
        """At least one message."""

    def close(self) -> None:
        """Ends what still runs."""


@final
class LocalWorkers:
    """One process a job: a class, because it owns them."""

    def __init__(self, run: Run, sweep: Sweep, folder: Path, room: int) -> None:
        self.run, self.sweep, self.folder, self.room = run, sweep, folder, room
        self.running: dict[Connection, tuple[Job, BaseProcess]] = {}

    def start(self, job: Job) -> None:
        context = get_context("spawn")  # a fork of a process with torch's threads may hang
        ours, theirs = context.Pipe(duplex=False)
        arguments = (theirs, self.run, self.sweep, job, self.folder)
        process = context.Process(target=serve, args=arguments, daemon=True, name=job.name)
        with one_thread():
            process.start()
        theirs.close()
        self.running[ours] = (job, process)

    def wait(self) -> list[Message]:
        found = []
        for each in connection.wait(list(self.running)):
            assert isinstance(each, Connection)
            job, process = self.running[each]
            try:
                kind, value = each.recv()
            except EOFError:
                process.join()
                kind, value = "refused", (death(job, process.exitcode),)
            if kind != "says":
                del self.running[each]
                each.close()
                process.join()
            found.append(Message(job, kind, value))
        return found

    def close(self) -> None:
        for each, (_, process) in self.running.items():
            process.kill()
            process.join()
            each.close()
        self.running.clear()


def death(job: Job, status: int | None) -> Problem:
    do = "memory may be short: give fewer --jobs; what is done stays done"
    return error(f"point {job.name}", "a result", f"its process ended with status {status}", do).problems[0]


@contextmanager
def one_thread() -> Iterator[None]:
    """What starts in this block computes with one thread; libraries read this when they are loaded."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def serve(answers: Connection, run: Run, sweep: Sweep, job: Job, folder: Path) -> None:
    """In the worker: runs a job and sends its result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends us
    threading.Thread(target=end_with_parent, daemon=True).start()
    answers.send(attempt(partial(run, sweep, job, folder), lambda text, _=None: answers.send(("says", text))))


def attempt(run: Callable[[Say], Files], say: Say) -> tuple[str, Any]:
    """Kind and value of the last Message."""
    try:
        return "done", run(say)
    except CompileError as problem:
        return "refused", problem.problems
    except Exception:
        return "failed", traceback.format_exc()


def end_with_parent() -> None:
    """A killed parent cannot end its workers, and a sweep that resumes must not meet them."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
