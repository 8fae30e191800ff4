"""Runtimes to timed calls: each in a process of its own, so that none disturbs another; they take turns.

The time of a call is taken inside its process. A runtime that crashes loses its own results alone.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, final

import numpy as np

from s2c.determinism.peers import Session, Settings
from s2c.determinism.probe import count_calls, settle
from s2c.determinism.ticks import Tick, find_tick, listen

USUAL, USUAL_CALLS = 3, 5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """What one process holds. open: a function of a module, for it is named to the child. path: what that
    takes, a model file or a compiled folder. cores: on which it may run; none: all. is_settled: it asks for
    what keeps it undisturbed.
    """

    runtime: str
    path: Path
    open: Callable[[Path, Settings], Session]
    settings: Settings = field(default_factory=Settings)
    cores: tuple[int, ...] = ()
    is_settled: bool = False


class WorkerError(RuntimeError):
    """A runtime that could not load the net, or whose process ended."""


def time_calls(session: Session, count: int, skipped: int = 0, tick: Tick | None = None) -> np.ndarray:
    """Nanoseconds of each call: int64[count], after some that are not timed, for another process may have had
    the caches. Inputs are written again before each, outside of its time. tick: no call may meet it.
    """
    clock, call, refill = time.perf_counter_ns, session.call, session.refill
    for _ in range(skipped):
        call()
    if tick is not None:
        return time_between(session, count, tick)
    times = [0] * count
    if refill is None:
        for index in range(count):
            started = clock()
            call()
            times[index] = clock() - started
    else:
        for index in range(count):
            refill()
            started = clock()
            call()
            times[index] = clock() - started
    return np.array(times, np.int64)


def time_between(session: Session, count: int, tick: Tick) -> np.ndarray:
    """As time_calls, but calls begin so early that the next tick finds them ended. After a wait the first
    call is not timed."""
    clock, call, refill = time.perf_counter_ns, session.call, session.refill or (lambda: None)
    needed = slowest_usual(session)
    times = [0] * count
    for index in range(count):
        refill()
        if tick.wait(needed):
            call()
            refill()
        started = clock()
        call()
        times[index] = clock() - started
    return np.array(times, np.int64)


def slowest_usual(session: Session) -> int:
    """Nanoseconds that two calls take, and what lies between them."""
    return int(USUAL * np.median(time_calls(session, USUAL_CALLS)))


# in the child


def write_inputs(session: Session, arrays: Sequence[np.ndarray]) -> None:
    """Reshaped: formats name the same axes differently, but lay them out alike."""
    session.write([array.reshape(shape) for array, (shape, _) in zip(arrays, session.shapes, strict=True)])


def run_once(session: Session, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    write_inputs(session, arrays)
    session.call()
    return session.read()


COMMANDS: Mapping[str, Callable[..., Any]] = {
    "shapes": lambda session: session.shapes,
    "write": write_inputs,
    "run": run_once,
    "time": time_calls,
    "count": count_calls,
    "usual": slowest_usual,
    "tick": lambda _: find_tick(listen()),
}


def serve(connection: Connection, job: Job) -> None:
    """Answers (True, result) or (False, what went wrong) to each command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    with suppress(EOFError, BrokenPipeError):
        try:
            if job.cores:
                os.sched_setaffinity(0, job.cores)
            session = job.open(job.path, job.settings)
            gc.collect()
            gc.disable()
            granted = settle(job.cores) if job.is_settled else {}
        except Exception as problem:
            connection.send((False, describe(problem)))
            return
        connection.send((True, granted))
        while True:
            command, arguments = connection.recv()
            try:
                connection.send((True, COMMANDS[command](session, *arguments)))
            except Exception as problem:
                connection.send((False, describe(problem)))


def describe(problem: BaseException) -> str:
    text = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {text[0] if text else ''}"


# in the parent


@final
class Worker:
    """A runtime with one net: a class, because it owns a child process."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.job = job
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=serve, args=(theirs, job), daemon=True)
        start_with_threads(self.process, job.settings.threads)
        theirs.close()
        try:
            self.granted: Mapping[str, str] = self.receive()
        except BaseException:
            self.close()
            raise

    def receive(self) -> Any:
        try:
            is_done, result = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            found = f"its process ended with status {self.process.exitcode}"
            raise WorkerError(f"{self.job.runtime}: {found}") from None
        if not is_done:
            raise WorkerError(f"{self.job.runtime}: {result}")
        return result

    def ask(self, command: str, *arguments: Any) -> Any:
        with suppress(BrokenPipeError):  # receive says how the process ended
            self.connection.send((command, arguments))
        return self.receive()

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_with_threads(process: BaseProcess, threads: int) -> None:
    """Libraries read their number of threads from the environment when they are loaded."""
    kept = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        process.start()
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
