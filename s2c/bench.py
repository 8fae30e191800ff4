"""An artifact to what it costs to run: latencies on the host, exact instructions on an emulated target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2c.artifact import GOLDEN
from s2c.program import Program
from s2c.target import load_target

CALLS = 1000


@dataclass(frozen=True)
class Latencies:
    """Of calls, after one to warm up; a percentile is the least that so many do not exceed."""

    target: str
    calls: int
    minimum_microseconds: float
    median_microseconds: float
    p99_microseconds: float
    p99_9_microseconds: float
    max_microseconds: float


@dataclass(frozen=True)
class LayerCount:
    layer: str
    kernel: str
    macs: int
    instructions: int


@dataclass(frozen=True)
class Instructions:
    """Of one inference; entry is what runs before the first layer."""

    target: str
    instructions: int
    macs: int
    entry: int
    layers: tuple[LayerCount, ...]


def bench(folder: Path, calls: int) -> Latencies | Instructions:
    """Runs the first golden inputs. calls: how many to time; an emulated target needs one."""
    with Program(folder) as program:
        with np.load(folder / GOLDEN) as goldens:
            inputs = tuple(goldens[f"input_{index}"][0] for index in range(len(program.manifest["inputs"])))
        if load_target(program.manifest["target"]).emulated:
            return count_instructions(program, inputs)
        return time_calls(program, inputs, calls)


def time_calls(program: Program, inputs: tuple[np.ndarray, ...], calls: int) -> Latencies:
    with program.start(repeat=calls + 1) as process:
        _, counters = program.run(process, inputs)
    times = np.array(counters["nanoseconds"][1:]) / 1000
    median, p99, p99_9 = np.percentile(times, [50, 99, 99.9], method="inverted_cdf").tolist()
    return Latencies(
        target=program.manifest["target"],
        calls=calls,
        minimum_microseconds=float(times.min()),
        median_microseconds=median,
        p99_microseconds=p99,
        p99_9_microseconds=p99_9,
        max_microseconds=float(times.max()),
    )


def count_instructions(program: Program, inputs: tuple[np.ndarray, ...]) -> Instructions:
    with program.start(count_calls=True) as process:
        _, counters = program.run(process, inputs)
    layers = tuple(
        LayerCount(call["layer"], call["kernel"], call["macs"], instructions)
        for call, instructions in zip(program.manifest["calls"], counters["calls"], strict=True)
    )
    return Instructions(
        target=program.manifest["target"],
        instructions=counters["instructions"],
        macs=program.manifest["macs"],
        entry=counters["prologue"],
        layers=layers,
    )
