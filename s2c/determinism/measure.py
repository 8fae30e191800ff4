"""A compiled folder, and peers with the same net, to a document that says how steady each runs."""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from s2c.determinism.peers import PEERS, check_peers, open_compiled, pick_model
from s2c.determinism.probe import COUNTED_CALLS, is_throttled, open_spin, quiet_core
from s2c.determinism.statistics import spread
from s2c.determinism.ticks import Tick
from s2c.determinism.turns import Entry, Pace, probe, take_turns, turn_calls
from s2c.determinism.valgrind import count_by_valgrind
from s2c.determinism.worker import Job, Worker, WorkerError
from s2c.errors import error
from s2c.inputs import FLOATS, filled, highest, lowest, random_array
from s2c.ir import DTYPES, Type
from s2c.program import read_manifest
from s2c.target import load_target

CALLS = 20_000
OWN, EMPTY = "s2c", "empty loop"
SEED = 0
TURN_SECONDS = 0.002
SKIPPED = 3
REST = 0.25  # so that real-time processes take no more than four fifths of a core
HOSTILE = {"subnormal": "subnormal", "NaN": "not a number", "infinity": "infinity"}
TURNS = 20  # at least

Shapes = Sequence[tuple[tuple[int, ...], np.dtype[Any]]]
Times = Mapping[str, np.ndarray]


def find_models(folder: Path, manifest: Mapping[str, Any], given: Sequence[Path]) -> list[Path]:
    """What peers may load: the files of --model first, then the model that the folder holds."""
    for path in given:
        if not path.is_file():
            raise error(f"--model {path}", "a model file", "no such file", "name the file of the same net")
    return [*given, folder / manifest["model"]["file"]]


def measure_determinism(
    folder: Path,
    against: Sequence[str],
    models: Sequence[Path],
    calls: int,
    say: Callable[..., None] = lambda text, done=None: None,
    between_ticks: bool = False,
) -> tuple[dict[str, Any], Times]:
    """The document, and nanoseconds of each call by its entry's name. between_ticks: no call meets the
    kernel's timer tick.

    All runtimes are timed in one run, each in a process of its own, on one core, in turns of random order.
    CompileError where a peer is unknown, not installed, has no model, or cannot load it.
    """
    manifest = read_manifest(folder)
    jobs = list_jobs(folder, manifest, against, models)
    kinds = [Type(tuple(each["shape"]), each["dtype"]) for each in manifest["inputs"]]
    hostile = hostile_inputs(kinds)
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for job in jobs:
            say(f"loading {job.runtime}")
            workers[job.runtime] = stack.enter_context(load(job))
        entries = {name: Entry(each, draw_inputs(each.ask("shapes"))) for name, each in workers.items()}
        refuse_other_nets(manifest, entries)
        own = entries[OWN]
        entries |= {f"{OWN}, {name}": replace(own, inputs=arrays) for name, arrays in hostile.items()}
        nanoseconds = probe(own.worker)
        spin = partial(open_spin, nanoseconds=nanoseconds)
        workers[EMPTY] = stack.enter_context(load(replace(jobs[0], runtime=EMPTY, open=spin)))
        entries[EMPTY] = Entry(workers[EMPTY])
        turn = turn_calls(nanoseconds, TURN_SECONDS, max(1, calls // TURNS))
        is_real_time = not own.worker.granted["SCHED_FIFO"]
        pace = Pace(
            rounds=math.ceil(calls / turn),
            skipped=SKIPPED,
            rest=REST if is_real_time and is_throttled() else 0.0,
            tick=find_gap(workers) if between_ticks else None,
        )
        told = partial(say, "timing in turns")
        found = take_turns(entries, dict.fromkeys(entries, turn), pace, SEED, told)
        say("counting")
        counts = {name: worker.ask("count") for name, worker in workers.items()}
    times = {name: each[:calls] for name, each in found.items()}
    document = {
        "net": manifest["name"],
        "float_mode": manifest["float_mode"],
        **surroundings(jobs),
        "calls": calls,
        "turn": turn,
        "skipped": SKIPPED,
        "rest": pace.rest,
        "tick": None if pace.tick is None else asdict(pace.tick),
        "counted_calls": COUNTED_CALLS,
        "granted": {name: worker.granted for name, worker in workers.items()},
        "valgrind": count_by_valgrind(folder, {"normal": own.inputs or (), **hostile}),
        "entries": [
            {"name": name, **asdict(spread(each)), **counts.get(name, {})} for name, each in times.items()
        ],
    }
    return document, times


def find_gap(workers: Mapping[str, Worker]) -> Tick:
    """CompileError where no tick is felt, or one that leaves no room for a call."""
    flag = "--between-ticks"
    tick: Tick | None = workers[OWN].ask("tick")
    if tick is None:
        found = "none, or no regular one, on this core"
        raise error(flag, "a timer tick to stay clear of", found, "leave it out")
    needed = {name: each.ask("usual") for name, each in workers.items()}
    slow = [name for name, each in needed.items() if not tick.leaves(each)]
    if slow:
        found = f"{', '.join(slow)}, a tick every {tick.period / 1e6:.3g} ms"
        do = "leave it out: ticks weigh little on calls so long"
        raise error(flag, "calls that fit between two timer ticks", found, do)
    return tick


def list_jobs(
    folder: Path, manifest: Mapping[str, Any], against: Sequence[str], models: Sequence[Path]
) -> list[Job]:
    """s2c's first."""
    target = load_target(manifest["target"])
    if target.emulated or target.is_chip:
        counted = "cycles" if target.is_chip else "instructions"
        do = f"compile with --target host; s2c bench counts the {counted} of this one"
        raise error("--determinism", "a net for this machine", f"one for {manifest['target']}", do)
    if manifest["threads"] > 1:
        do = "compile it with one: every runtime here has one core"
        raise error("--determinism", "a net of one thread", f"{manifest['threads']} threads", do)
    files = find_models(folder, manifest, models)
    core = quiet_core()
    paths = {name: pick_model(name, files) for name in check_peers(against)}
    return [Job(OWN, folder, open_compiled, cores=(core,), is_settled=True)] + [
        Job(name, path, PEERS[name].open, cores=(core,), is_settled=True) for name, path in paths.items()
    ]


def surroundings(jobs: Sequence[Job]) -> dict[str, Any]:
    names = {job.runtime: PEERS[job.runtime].distribution for job in jobs if job.runtime in PEERS}
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": {name: metadata.version(each) for name, each in {OWN: "s2c", **names}.items()},
        "core": jobs[0].cores[0],
        "cores": os.cpu_count(),
    }


def load(job: Job) -> Worker:
    try:
        return Worker(job)
    except WorkerError as problem:
        what = f"--against {job.runtime}" if job.runtime in PEERS else job.runtime
        do = "leave it out, or give it the same net in another file with --model"
        raise error(what, f"a runtime that loads {job.path.name}", str(problem), do) from None


def refuse_other_nets(manifest: Mapping[str, Any], entries: Mapping[str, Entry]) -> None:
    """By the sizes of their inputs: formats name shapes differently."""
    wanted = [math.prod(each["shape"]) for each in manifest["inputs"]]
    for name, entry in entries.items():
        found = [array.size for array in entry.inputs or ()]
        if found != wanted:
            do = "give it the same net with --model"
            raise error(f"--against {name}", f"inputs of {wanted} elements", str(found), do)


# inputs


def draw_inputs(shapes: Shapes) -> tuple[np.ndarray, ...]:
    """The same for every runtime that has the same shapes: floats around 0, integers over their range."""
    names = {np.dtype(kind): name for name, kind in DTYPES.items()}
    source = np.random.default_rng(SEED)
    return tuple(random_array(Type(shape, names[dtype]), source, 1.0) for shape, dtype in shapes)


def hostile_inputs(kinds: Sequence[Type]) -> dict[str, tuple[np.ndarray, ...]]:
    """By name: what slows ordinary programs; extremes where no input is of floats."""
    if any(kind.numpy.kind == "f" for kind in kinds):
        return {
            name: tuple(filled(kind, FLOATS[value] if kind.numpy.kind == "f" else 0) for kind in kinds)
            for name, value in HOSTILE.items()
        }
    extremes = {"lowest": lowest, "highest": highest}
    return {name: tuple(filled(kind, of(kind)) for kind in kinds) for name, of in extremes.items()}


def machine() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return f"{names[0] if names else platform.machine()}, {platform.system()} {platform.release()}"
