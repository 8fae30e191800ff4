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
        simulation_claim(folder, manifest, graph, inputs, name, each) for name, each in SIMULATORS.items()
    ]
    return [cycles_claim(manifest, runs), *simulations]


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


def simulation_claim(
    folder: Path, manifest: Mapping[str, Any], graph: Graph, inputs: Named, name: str, simulator: Simulator
) -> Claim:
    """On as many inputs as SECONDS allow, adversarial ones first."""
    title, cycles = f"Verilog in {name}", manifest["cycles"]
    missing = simulator.missing()
    if missing is not None:
        reason = f"Verilog: not simulated by {name}, which is not installed: {missing}"
        return make_claim(title, "tested", "not simulated", unproved=[reason])
    chosen = list(reversed(inputs))[: simulator.count_inputs(SECONDS, cycles, manifest["lanes"])]
    if not chosen:
        reason = f"Verilog: not simulated by {name}: an inference of {cycles:,} cycles takes it too long"
        return make_claim(title, "tested", "not simulated", unproved=[reason])
    wanted = [raw(oracle.run(graph, *arrays)) for _, arrays in chosen]
    data = [raw(arrays) for _, arrays in chosen]
    limit = 2 * (cycles + len(data[0]) + len(wanted[0])) + WAITING
    with tempfile.TemporaryDirectory(prefix="s2c-") as work:
        try:
            found = simulator.simulate(
                folder, manifest["name"], Path(work), data, len(wanted[0]), seconds=STOPPED, limit=limit
            )
        except SimulationError as problem:
            reason = f"Verilog: not simulated by {name}: {problem}"
            return make_claim(title, "tested", "not simulated", unproved=[reason])
    return compare_simulation(title, [each for each, _ in chosen], wanted, found, cycles)


def compare_simulation(
    title: str, names: Sequence[str], wanted: Sequence[bytes], found: Simulation, cycles: int
) -> Claim:
    """Of the inputs that were simulated; where that is none, nothing is claimed."""
    failures = simulation_failures(names, wanted, found, cycles)
    done = len(found.outputs)
    if not done:
        reason = f"{title}: too slow: {found.ended} before the first of {len(names)} inputs was done"
        return make_claim(title, "tested", "not simulated", unproved=[reason])
    evidence = (
        f"{done} of {len(names)} inputs, then {found.ended}, " if found.ended else f"{len(names)} inputs, "
    ) + ("not all equal" if failures else "outputs equal to the bit, cycles as predicted")
    return make_claim(title, "tested", evidence, failures)


def simulation_failures(
    names: Sequence[str], wanted: Sequence[bytes], found: Simulation, cycles: int
) -> list[str]:
    """Of those that were simulated, the first ones."""
    done = len(found.outputs)
    rows = zip(names[:done], wanted[:done], found.outputs, found.cycles, strict=True)
    failures = []
    for name, outputs, own, count in rows:
        if own != outputs:
            failures.append(f"input {name!r}: other outputs than the oracle's")
        if count != cycles:
            failures.append(f"input {name!r}: {count:,} cycles, and {cycles:,} are predicted")
    return failures


def raw(arrays: Sequence[np.ndarray]) -> bytes:
    """One after the other, as the chip's port takes and gives them."""
    return b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)
