"""A net's file to what its program costs on a target, and how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from s2c.artifact import write_artifact
from s2c.bench import Instructions, Latencies, bench
from s2c.compare import TOLERANCE, compare
from s2c.driver import compile_model, make_request
from s2c.program import Program
from s2c.sweep.score import run_samples, score, to_floats

EMULATED_INPUTS = 8  # test inputs that an emulated target runs itself; a program for the host runs them all
MICROSECONDS_TIMED = 2e6
FEWEST_CALLS, MOST_CALLS = 20, 1000
FIGURES = ("macs", "parameters", "rom_bytes", "arena_bytes", "stack_bytes")


@contextmanager
def built(net: Path, symbol: str, target: str, work: Path) -> Iterator[Program]:
    """The program of a net, in a folder that goes when the block ends; raises CompileError."""
    compilation = compile_model(make_request(net, target, symbol))
    with TemporaryDirectory(dir=work) as folder:
        write_artifact(compilation, Path(folder))
        with Program(Path(folder)) as program:
            yield program


def judge(program: Program, inputs: tuple[np.ndarray, ...], targets: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays to keep of a program on the test inputs: its Score, and its first outputs as they are."""
    outputs = run_samples(program, inputs)
    wanted = program.manifest["outputs"][0]
    floats = to_floats(outputs, wanted)
    found = score(floats if wanted["shape"] else floats[..., None], targets)
    kept = {**vars(found), "first_output": outputs[:EMULATED_INPUTS]}
    kept |= {f"first_input_{index}": array[:EMULATED_INPUTS] for index, array in enumerate(inputs)}
    return {name: np.asarray(value) for name, value in kept.items()}


def first_of(kept: Mapping[str, np.ndarray]) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The first test inputs of what `judge` keeps, and the program's outputs."""
    names = sorted(
        (name for name in kept if name.startswith("first_input_")), key=lambda name: int(name[12:])
    )
    return tuple(kept[name] for name in names), kept["first_output"]


def measure(program: Program, inputs: tuple[np.ndarray, ...], wanted: np.ndarray) -> dict[str, Any]:
    """Figures of a program: exact ones, then time or instructions. inputs: the first of the test set, wanted:
    the outputs of the host's program, with which those of an emulated target are compared."""
    found: dict[str, Any] = {name: program.manifest[name] for name in FIGURES}
    cost = bench(program.folder, FEWEST_CALLS)
    if isinstance(cost, Instructions):
        outputs = run_samples(program, inputs)
        same = sum(is_same(a, b) for a, b in zip(wanted, outputs, strict=True))
        return {**found, "instructions": cost.instructions, "emulated": len(outputs), "emulated_same": same}
    assert isinstance(cost, Latencies), cost
    return {**found, "microseconds": median(program, cost)}


def median(program: Program, first: Latencies) -> float:
    """Of as many calls as fit a time, since slow nets need fewer."""
    calls = int(MICROSECONDS_TIMED / max(first.median_microseconds, 1e-3))
    again = bench(program.folder, max(FEWEST_CALLS, min(calls, MOST_CALLS)))
    assert isinstance(again, Latencies), again
    return again.median_microseconds


def is_same(wanted: np.ndarray, found: np.ndarray) -> bool:
    """Integers by equality, floats by TOLERANCE."""
    each = compare(wanted, found)
    return each.apart == 0 and each.difference <= (TOLERANCE * each.largest if each.is_float else 0)
