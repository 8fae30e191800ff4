"""Workers to the times of their calls: they take turns in random order, so that all meet the same noise."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from s2c.determinism.ticks import Tick
from s2c.determinism.worker import Worker

WARM_UP = 3
PROBES = 5  # calls from which the length of a turn is set


@dataclass(frozen=True)
class Entry:
    """What is timed: a worker and, where it has them anew in each turn, its inputs."""

    worker: Worker
    inputs: tuple[np.ndarray, ...] | None = None


@dataclass(frozen=True)
class Pace:
    """When turns end: at least so many rounds and seconds. skipped: calls of each turn that are not timed,
    for the caches held another's data. rest: how long nothing is done after a round, as a share of its time.
    settle: seconds before each turn, in which threads that still look for work after the turn before go to
    sleep. tick: what no call may meet.
    """

    rounds: int
    seconds: float = 0.0
    skipped: int = 0
    rest: float = 0.0
    settle: float = 0.0
    tick: Tick | None = None


def turn_calls(nanoseconds: float, turn_seconds: float, most: int) -> int:
    """How many calls make a turn."""
    return max(1, min(most, round(turn_seconds * 1e9 / max(nanoseconds, 1.0))))


def probe(worker: Worker) -> float:
    """Nanoseconds of a call, roughly, after some to warm up."""
    worker.ask("time", PROBES, WARM_UP)
    return float(np.median(worker.ask("time", PROBES)))


def orders(names: Sequence[str], seed: int) -> Iterator[list[str]]:
    """The names in a new random order, without end."""
    source = random.Random(seed)
    while True:
        order = list(names)
        source.shuffle(order)
        yield order


def take_turns(
    entries: Mapping[str, Entry],
    calls: Mapping[str, int],
    pace: Pace,
    seed: int = 0,
    tell: Callable[[float], None] = lambda share: None,
) -> dict[str, np.ndarray]:
    """Nanoseconds of each call, by entry. calls: of each turn. tell hears how much is done, 0..1."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in entries}
    started = time.monotonic()
    for count, order in enumerate(orders(list(entries), seed)):
        spent = time.monotonic() - started
        if count >= pace.rounds and spent >= pace.seconds:
            break
        tell(min(count / pace.rounds, spent / pace.seconds if pace.seconds else 1.0))
        for name in order:
            entry = entries[name]
            if entry.inputs is not None:
                entry.worker.ask("write", entry.inputs)
            time.sleep(pace.settle)
            found[name].append(entry.worker.ask("time", calls[name], pace.skipped, pace.tick))
        time.sleep((time.monotonic() - started - spent) * pace.rest)
    return {name: np.concatenate(each) for name, each in found.items()}
