"""A Net to one row of results: each runtime in its own process, calls interleaved, outputs compared."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from host.nets import BF16, F32, Net
from host.peak import call_macs, open_peak

import s2c
from s2c import cost
from s2c.artifact import GOLDEN
from s2c.determinism.measure import REST, draw_inputs
from s2c.determinism.peers import PEERS, Settings, open_compiled
from s2c.determinism.probe import is_throttled
from s2c.determinism.turns import Entry, Pace, probe, take_turns, turn_calls
from s2c.determinism.worker import Job, Worker, WorkerError
from s2c.driver import load_source, make_request

OWN, PEAK = "s2c", "peak"
RUNTIMES = ("onnxruntime", "openvino", "litert")  # beside s2c, in the table's order
TURN_SECONDS = 0.002
MOST_CALLS = 1000  # of a turn
SETTLE = 0.1  # seconds before a turn of several threads: what spins after its call takes a core from the next


def peer_files(net: Net) -> dict[str, Path]:
    """The file that each peer takes; those without one, or without the precision, are left out."""
    files = {"onnxruntime": net.onnx, "openvino": net.onnx, "litert": net.tflite}
    return {
        name: path
        for name, path in files.items()
        if path is not None and (net.precision != BF16 or BF16 in PEERS[name].precisions)
    }


def measure(net: Net, threads: int, pace: Pace, cores: tuple[int, ...], peak: Path) -> dict[str, Any]:
    """A JSON document. A runtime that fails has an "error" in the place of figures.

    Single threads ask for what keeps them undisturbed; several, with pools that spin, could stop the machine.
    """
    settings = Settings(threads, BF16 if net.precision == BF16 else F32)
    base = Job("", Path(), open_peak, settings, cores, is_settled=threads == 1)
    row: dict[str, Any] = {
        "net": net.name,
        "precision": net.precision,
        "threads": threads,
        "made": net.made,
        "macs": count_macs(net),
        "runtimes": {},
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "net"
        jobs = [
            replace(base, runtime=name, path=path, open=PEERS[name].open)
            for name, path in peer_files(net).items()
        ]
        row["compile_seconds"], lack = compile_own(net, folder, threads)
        if lack is None:
            jobs.append(replace(base, runtime=OWN, path=folder, open=open_compiled))
        else:
            row["runtimes"][OWN] = {"error": lack}
        workers = start_workers(jobs, net, row["runtimes"], stack)
        macs = call_macs(peak, net.precision)
        if macs:
            single = Settings(1, net.precision)
            job = replace(base, runtime=PEAK, path=peak, settings=single, cores=cores[:1])
            workers[PEAK] = stack.enter_context(Worker(job))
        row["granted"] = {name: worker.granted for name, worker in workers.items()}
        rest = REST if base.is_settled and is_throttled() else 0.0
        settle = 0.0 if threads == 1 else SETTLE
        times = time_workers(workers, replace(pace, rest=rest, settle=settle))
    if macs:
        row["peak_gmacs"] = macs / float(times.pop(PEAK).min())
    for name, each in times.items():
        row["runtimes"][name] |= summarise(each)
    return row


def start_workers(
    jobs: Sequence[Job], net: Net, runtimes: dict[str, dict[str, Any]], stack: ExitStack
) -> dict[str, Worker]:
    """Those that start and give outputs; how right these are, or what failed, is put into runtimes."""
    workers = {}
    for job in jobs:
        try:
            worker = stack.enter_context(Worker(job))
            source = net.own if job.runtime == OWN else job.path
            runtimes[job.runtime] = compare_outputs(worker, source, net.tflite)
            if job.runtime == OWN:
                runtimes[OWN] |= compare_goldens(worker, job.path)
        except WorkerError as problem:
            runtimes[job.runtime] = {"error": str(problem)}
        else:
            workers[job.runtime] = worker
    return workers


def time_workers(workers: Mapping[str, Worker], pace: Pace) -> dict[str, np.ndarray]:
    calls = {name: turn_calls(probe(worker), TURN_SECONDS, MOST_CALLS) for name, worker in workers.items()}
    return take_turns({name: Entry(worker) for name, worker in workers.items()}, calls, pace)


def count_macs(net: Net) -> int | None:
    """Of the net as its file has it; None where s2c does not read it."""
    try:
        return cost.macs(load_source(make_request(net.own, "host")))
    except s2c.CompileError:
        return None


def compile_own(net: Net, folder: Path, threads: int) -> tuple[float | None, str | None]:
    """Fills the folder. How many seconds it took; or why s2c refuses it."""
    started = time.monotonic()
    try:
        precision = BF16 if net.precision == BF16 else "f32"
        with s2c.compile(net.own, threads=threads, precision=precision) as program:
            seconds = time.monotonic() - started
            program.save(folder)
            return seconds, None
    except s2c.CompileError as problem:
        return None, str(problem).splitlines()[0]


def summarise(nanoseconds: np.ndarray) -> dict[str, float]:
    return {
        "calls": len(nanoseconds),
        "minimum_microseconds": float(nanoseconds.min()) / 1000,
        "median_microseconds": float(np.median(nanoseconds)) / 1000,
    }


# outputs


def compare_outputs(worker: Worker, model: Path, tflite: Path | None) -> dict[str, Any]:
    """Against the plainest run of the same file: onnxruntime unoptimised, or LiteRT's reference kernels."""
    inputs = draw_inputs(worker.ask("shapes"))
    name = "litert" if model == tflite else "onnxruntime"
    job = Job(f"{name}, reference", model, PEERS[name].open, Settings(is_reference=True))
    with Worker(job) as reference:
        wanted = reference.ask("run", inputs)
    found = worker.ask("run", inputs)
    return {"reference": job.runtime, **compare(wanted, found)}


def compare_goldens(worker: Worker, folder: Path) -> dict[str, Any]:
    """Of s2c alone: against its oracle, to the bit or in the largest error."""
    with np.load(folder / GOLDEN) as goldens:
        inputs = [goldens[key][0] for key in sorted(goldens.files, key=index_of) if key.startswith("input")]
        wanted = [goldens[key][0] for key in sorted(goldens.files, key=index_of) if key.startswith("output")]
    found = worker.ask("run", inputs)
    worker.ask("write", draw_inputs(worker.ask("shapes")))
    return {"oracle": compare(wanted, found)}


def index_of(key: str) -> int:
    return int(key.rsplit("_", 1)[1])


def compare(wanted: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> Mapping[str, Any]:
    """error: the largest difference, of floats as a share of the largest value, of integers in steps."""
    errors = [0.0]
    is_exact = True
    for a, b in zip(wanted, found, strict=True):
        a64, b64 = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
        scale = float(np.abs(a64).max(initial=1e-30)) if a.dtype.kind == "f" else 1.0
        errors.append(float(np.abs(a64 - b64).max(initial=0)) / scale)  # NaN stays NaN
        is_exact &= bool((a64 == b64).all())
    is_float = any(array.dtype.kind == "f" for array in wanted)
    return {"error": float(np.max(errors)), "unit": "share" if is_float else "steps", "exact": is_exact}
