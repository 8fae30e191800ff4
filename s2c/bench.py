"""An artifact to what it costs to run: latencies on the host, exact instructions on an emulated target, exact
cycles of a chip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from s2c.artifact import GOLDEN
from s2c.errors import error
from s2c.program import Program
from s2c.silicon.clock import check_clock
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


@dataclass(frozen=True)
class LayerCycles:
    """utilisation: MACs / (lanes * cycles). microseconds: where a frequency is given."""

    layer: str
    kernel: str
    macs: int
    cycles: int
    utilisation: float
    microseconds: float | None


@dataclass(frozen=True)
class Cycles:
    """Of one inference; predicted from the schedule, and those that the model counted; ends are those before
    the first layer and behind the last."""

    target: str
    lanes: int
    cycles: int
    predicted: int
    macs: int
    ends: int
    utilisation: float
    megahertz: float | None
    microseconds: float | None
    layers: tuple[LayerCycles, ...]


@dataclass(frozen=True)
class StageCycles:
    """cycles: for which a stage is busy with each inference. share: of those from one result to the next.
    utilisation: of its lanes, while it is busy. start: of its first step, behind the launch."""

    layer: str
    kernel: str
    macs: int
    lanes: int
    start: int
    cycles: int
    share: float
    utilisation: float


@dataclass(frozen=True)
class StreamCycles:
    """Of a chip that is a pipeline. cycles: of one inference alone; interval: from one result to the next,
    where inputs come without a pause. Each predicted, and what the model counted. lanes: that multiply."""

    target: str
    lanes: int
    cycles: int
    predicted: int
    interval: int
    predicted_interval: int
    macs: int
    utilisation: float
    megahertz: float | None
    microseconds: float | None
    interval_microseconds: float | None
    layers: tuple[StageCycles, ...]


Measurement = Latencies | Instructions | Cycles | StreamCycles


def bench(folder: Path, calls: int, megahertz: float | None = None) -> Measurement:
    """Runs the first golden inputs. calls: how many to time; an emulated target and a chip need one.
    megahertz: of a chip's clock, for times."""
    with Program(folder) as program:
        target = load_target(program.manifest["target"])
        if megahertz is not None:
            refuse_frequency(program.manifest, megahertz)
        with np.load(folder / GOLDEN) as goldens:
            inputs = tuple(goldens[f"input_{index}"][0] for index in range(len(program.manifest["inputs"])))
        if target.is_chip:
            return count_cycles(program, inputs, megahertz)
        if target.emulated:
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


def count_cycles(
    program: Program, inputs: tuple[np.ndarray, ...], megahertz: float | None
) -> Cycles | StreamCycles:
    with program.start() as process:
        _, counters = program.run(process, inputs)
    predicted = predict_cycles(program.manifest, megahertz)
    if isinstance(predicted, StreamCycles):
        return replace(predicted, cycles=counters["cycles"], interval=counters["interval"])
    return replace(predicted, cycles=counters["cycles"])


def predict_cycles(manifest: Mapping[str, Any], megahertz: float | None) -> Cycles | StreamCycles:
    """What a chip's manifest says."""
    predict = predict_stream if "interval" in manifest else predict_datapath
    return predict(manifest, megahertz)


def predict_stream(manifest: Mapping[str, Any], megahertz: float | None) -> StreamCycles:
    cycles, interval = manifest["cycles"], manifest["interval"]
    layers = tuple(
        StageCycles(
            call["layer"],
            call["kernel"],
            call["macs"],
            call["lanes"],
            call["start"],
            call["cycles"],
            call["cycles"] / interval,
            call["macs"] / (call["lanes"] * call["cycles"]),
        )
        for call in manifest["calls"]
    )
    return StreamCycles(
        target=manifest["target"],
        lanes=manifest["lanes"],
        cycles=cycles,
        predicted=cycles,
        interval=interval,
        predicted_interval=interval,
        macs=manifest["macs"],
        utilisation=manifest["utilisation"],
        megahertz=megahertz,
        microseconds=megahertz and cycles / megahertz,
        interval_microseconds=megahertz and interval / megahertz,
        layers=layers,
    )


def predict_datapath(manifest: Mapping[str, Any], megahertz: float | None) -> Cycles:
    lanes, cycles = manifest["lanes"], manifest["cycles"]
    layers = tuple(
        LayerCycles(
            call["layer"],
            call["kernel"],
            call["macs"],
            call["cycles"],
            call["macs"] / (lanes * call["cycles"]),
            megahertz and call["cycles"] / megahertz,
        )
        for call in manifest["calls"]
    )
    return Cycles(
        target=manifest["target"],
        lanes=lanes,
        cycles=cycles,
        predicted=cycles,
        macs=manifest["macs"],
        ends=cycles - sum(each.cycles for each in layers),
        utilisation=manifest["utilisation"],
        megahertz=megahertz,
        microseconds=megahertz and cycles / megahertz,
        layers=layers,
    )


def refuse_frequency(manifest: Mapping[str, Any], megahertz: float) -> None:
    if "cycles" not in manifest:
        raise error("--mhz", "a net that was compiled for a chip", manifest["target"], "leave it out")
    check_clock(megahertz)
