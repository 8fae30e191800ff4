"""A Job to the files that are its result: what runs in a process of its own, here or on a cluster."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from s2c.errors import CompileError
from s2c.ir import Graph
from s2c.progress import Say
from s2c.sweep.measure import built, first_of, judge, measure
from s2c.sweep.recipe import BASELINE, Job, Net, Sweep, net_files
from s2c.sweep.samples import load_test, load_training
from s2c.sweep.store import CHECKPOINTS, WORK, Files, checkpoint_file, refusals

if TYPE_CHECKING:
    from s2c.adapt import Adapted

Adapt = Callable[[Sweep, Net, Path, Say], "Adapted"]
MOST_DOUBTS = 40


def run_job(sweep: Sweep, job: Job, folder: Path, say: Say) -> Files:
    return run_with(adapt_point, sweep, job, folder, say)


def run_with(adapt: Adapt, sweep: Sweep, job: Job, folder: Path, say: Say) -> Files:
    """Reads the sweep's files and what the job needs of `folder`, where it leaves nothing but checkpoints.

    A net that is refused is a result too: its problems, which then are those of all that starts from it.
    Raises CompileError where it is the model as it is, with which all others are compared.
    """
    for name in (CHECKPOINTS, WORK):
        (folder / name).mkdir(exist_ok=True)
    if job.source is not None and (problems := refusals(folder, Job("net", job.source))):
        return {job.result: to_bytes({"problems": problems})}
    try:
        return do_job(adapt, sweep, job, folder, say)
    except CompileError as refused:
        if job.kind == "doubts" or job == Job("net", BASELINE):
            raise
        say(f"refused: {refused.problems[0]}")
        return {job.result: to_bytes({"problems": [asdict(each) for each in refused.problems]})}


def do_job(adapt: Adapt, sweep: Sweep, job: Job, folder: Path, say: Say) -> Files:
    if job.kind == "net":
        return make_net(adapt, sweep, job.net, folder, say)
    if job.kind == "point":
        return measure_point(sweep, job, folder)
    return find_doubts(sweep)


def adapt_point(sweep: Sweep, net: Net, folder: Path, say: Say) -> Adapted:
    """The pruned and retrained net from the model; the quantized one from that net's file."""
    from s2c.adapt import adapt
    from s2c.adapt.recipe import Recipe
    from s2c.driver import make_request

    checkpoint = folder / checkpoint_file(net)
    if net.source is not None:
        request = make_request(folder / net.source.file, sweep.request().target.name, sweep.symbol)
        recipe = Recipe(request, data=sweep.data, task=sweep.task, seed=sweep.seed, int8=True)
    elif net.budget[1] == 1:
        recipe = Recipe(sweep.request())
    else:
        recipe = Recipe(
            sweep.request(),
            net.budget,
            data=sweep.data,
            task=sweep.task,
            epochs=sweep.epochs,
            seed=sweep.seed,
            augment=sweep.augment,
        )
    return adapt(recipe, checkpoint, say)


def make_net(adapt: Adapt, sweep: Sweep, net: Net, folder: Path, say: Say) -> Files:
    """Its file, its answers on the test set, as the program for this machine gives them, and its report."""
    from s2c.readers.graph_file import write_graph

    adapted = adapt(sweep, net, folder, say)
    path = folder / WORK / f"{net.name}.s2c"
    write_graph(path, adapted.graph)
    inputs, answers = load_test(sweep, adapted.original)
    say(f"{len(answers):,} test inputs")
    with built(path, sweep.symbol, "host", folder / WORK) as program:
        kept = judge(program, inputs, answers)
    arrays = io.BytesIO()
    np.savez(arrays, **kept)  # type: ignore[arg-type]
    contents = (path.read_bytes(), arrays.getvalue(), to_bytes(adapted.report))
    path.unlink()
    return dict(zip(net_files(net), contents, strict=True))


def measure_point(sweep: Sweep, job: Job, folder: Path) -> Files:
    with np.load(folder / net_files(job.net)[1]) as kept:
        inputs, outputs = first_of(kept)
    with built(folder / job.net.file, sweep.symbol, job.target, folder / WORK) as program:
        return {job.result: to_bytes(measure(program, inputs, outputs))}


def find_doubts(sweep: Sweep) -> Files:
    """The training inputs whose label the model itself believes least, the worst first."""
    from s2c.train.confidence import confidences

    graph = load_model(sweep)
    training = load_training(sweep, graph)
    if training is None or training.targets is None or training.targets.dtype != np.int64:
        return {"doubts.json": to_bytes([])}
    shares = confidences(graph, training)
    rows = np.arange(len(shares))
    own = shares[rows, training.targets]
    others = shares.copy()
    others[rows, training.targets] = -1
    margins = own - others.max(1)
    worst = np.argsort(margins, kind="stable")[:MOST_DOUBTS]
    doubts = [
        {
            "index": int(index),
            "label": int(training.targets[index]),
            "believed": int(others[index].argmax()),
            "confidence": float(own[index]),
            "margin": float(margins[index]),
        }
        for index in worst
        if margins[index] < 0
    ]
    return {"doubts.json": to_bytes(doubts)}


def load_model(sweep: Sweep) -> Graph:
    """The model as it is pruned and trained; raises CompileError."""
    from s2c.adapt import prepare
    from s2c.driver import load_source

    return prepare(load_source(sweep.request()))


def to_bytes(value: Any) -> bytes:
    from s2c.report import to_json

    return (to_json(value) + "\n").encode()
