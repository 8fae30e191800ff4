"""A chip's artifact to what is proved and tested of it beyond the outputs of its model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2c import oracle
from s2c.claims import Arrays, Claim, Run, make_claim
from s2c.ir import Graph
from s2c.silicon.simulators import SIMULATORS, Simulation, SimulationError, Simulator

SECONDS = 10.0  # of each simulator, building aside: what decides how many inputs it is given
STOPPED = 60.0  # seconds after which it is stopped
WAITING = 1000  # cycles, more than a chip needs beside its own and those of its bytes
Named = Sequence[tuple[str, Arrays]]


def chip_claims(
    folder: Path, manifest: Mapping[str, Any], graph: Graph, runs: Sequence[Run], inputs: Named
) -> list[Claim]:
    """graph: that the outputs must equal. runs: of the model, on the inputs."""
    simulations = [
        claim
        for name, each in SIMULATORS.items()
        for claim in simulation_claims(folder, manifest, graph, inputs, name, each)
    ]
    intervals = [interval_claim(manifest, runs)] if "interval" in manifest else []
    return [cycles_claim(manifest, runs), *intervals, *simulations]


def cycles_claim(manifest: Mapping[str, Any], runs: Sequence[Run]) -> Claim:
    """No instruction depends on data, so the schedule's count holds for all inputs; the model, which counts
    clock by clock, must agree."""
    predicted = manifest["cycles"]
    counted = [run for run in runs if run.counters]
    failures = [
        f"input {run.name!r}: {run.counters['cycles']:,}, and {predicted:,} are predicted"
        for run in counted
        if run.counters["cycles"] != predicted
    ]
    evidence = f"{predicted:,} by the schedule; the model counts as many on {len(counted)} inputs"
    if failures:
        evidence = f"{predicted:,} by the schedule; the model counts others"
    return make_claim("one cycle count", "proved", evidence, failures)


def interval_claim(manifest: Mapping[str, Any], runs: Sequence[Run]) -> Claim:
    """Of a pipeline: the model feeds frames without a pause, and compares what they give with what each gives
    alone."""
    predicted = manifest["interval"]
    counts = [(run.name, run.counters["interval"]) for run in runs if run.counters][:1]
    failures = [
        f"input {name!r}: "
        + (f"{count:,}, and {predicted:,} are predicted" if count else "a frame gives other bytes than alone")
        for name, count in counts
        if count != predicted
    ]
    evidence = f"a result every {predicted:,} cycles by the schedule; the model "
    evidence += "does not keep to it" if failures else "counts as many, with frames that differ"
    return make_claim("one interval", "proved", evidence, failures)


def simulation_claims(
    folder: Path, manifest: Mapping[str, Any], graph: Graph, inputs: Named, name: str, simulator: Simulator
) -> list[Claim]:
    """One on each input alone; of a pipeline, one on inputs without a pause, too."""
    with tempfile.TemporaryDirectory(prefix="s2c-") as work:

        def claim(is_stream: bool) -> Claim:
            return simulation_claim(folder, manifest, graph, inputs, name, simulator, Path(work), is_stream)

        return [claim(is_stream) for is_stream in ((False, True) if "interval" in manifest else (False,))]


def simulation_claim(
    folder: Path,
    manifest: Mapping[str, Any],
    graph: Graph,
    inputs: Named,
    name: str,
    simulator: Simulator,
    work: Path,
    is_stream: bool = False,
) -> Claim:
    """On as many inputs as SECONDS allow, adversarial ones first. is_stream: without a pause."""
    title, predicted = f"Verilog in {name}", manifest["interval" if is_stream else "cycles"]
    title += ", without a pause" if is_stream else ""
    missing = simulator.missing()
    if missing is not None:
        reason = f"Verilog: not simulated by {name}, which is not installed: {missing}"
        return make_claim(title, "tested", "not simulated", unproved=[reason])
    cycles = manifest["cycles"]
    chosen = list(reversed(inputs))[: simulator.count_inputs(SECONDS, predicted, *all_lanes(manifest))]
    if len(chosen) < needed(is_stream):
        reason = f"Verilog: not simulated by {name}: an inference of {cycles:,} cycles takes it too long"
        return make_claim(title, "tested", "not simulated", unproved=[reason])
    wanted = [raw(oracle.run(graph, *arrays)) for _, arrays in chosen]
    data = [raw(arrays) for _, arrays in chosen]
    limit = 2 * (cycles + len(data[0]) + len(wanted[0])) + WAITING
    try:
        found = simulator.simulate(
            folder,
            manifest["name"],
            work,
            data,
            len(wanted[0]),
            seconds=STOPPED,
            limit=limit,
            stream=is_stream,
        )
    except SimulationError as problem:
        reason = f"Verilog: not simulated by {name}: {problem}"
        return make_claim(title, "tested", "not simulated", unproved=[reason])
    return compare_simulation(title, [each for each, _ in chosen], wanted, found, predicted, is_stream)


def needed(is_stream: bool) -> int:
    """Inputs that show something: an interval lies between two."""
    return 2 if is_stream else 1


def all_lanes(manifest: Mapping[str, Any]) -> list[int]:
    """Of a datapath, or of each stage of a pipeline."""
    is_stream = "interval" in manifest
    return [call["lanes"] for call in manifest["calls"]] if is_stream else [manifest["lanes"]]


def compare_simulation(
    title: str,
    names: Sequence[str],
    wanted: Sequence[bytes],
    found: Simulation,
    predicted: int,
    is_stream: bool = False,
) -> Claim:
    """Of the inputs that were simulated; where that is none, nothing is claimed."""
    failures = simulation_failures(names, wanted, found, predicted, is_stream)
    done = len(found.outputs)
    if done < needed(is_stream):
        nth = "second" if is_stream else "first"
        reason = f"{title}: too slow: {found.ended} before the {nth} of {len(names)} inputs was done"
        return make_claim(title, "tested", "not simulated", unproved=[reason])
    counted = "intervals" if is_stream else "cycles"
    evidence = (
        f"{done} of {len(names)} inputs, then {found.ended}, " if found.ended else f"{len(names)} inputs, "
    ) + ("not all equal" if failures else f"outputs equal to the bit, {counted} as predicted")
    return make_claim(title, "tested", evidence, failures)


def simulation_failures(
    names: Sequence[str],
    wanted: Sequence[bytes],
    found: Simulation,
    predicted: int,
    is_stream: bool = False,
) -> list[str]:
    """Of those that were simulated, the first ones. predicted: cycles of each, or between two that came
    without a pause."""
    done = len(found.outputs)
    counts = [predicted, *found.intervals] if is_stream else found.cycles
    rows = zip(names[:done], wanted[:done], found.outputs, counts, strict=True)
    failures = []
    for name, outputs, own, count in rows:
        if own != outputs:
            failures.append(f"input {name!r}: other outputs than the oracle's")
        if count != predicted:
            failures.append(f"input {name!r}: {count:,} cycles, and {predicted:,} are predicted")
    return failures


def raw(arrays: Sequence[np.ndarray]) -> bytes:
    """One after the other, as the chip's port takes and gives them."""
    return b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)
