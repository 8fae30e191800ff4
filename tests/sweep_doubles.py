"""A double of s2c.adapt, so that tests are of the sweep alone: narrower nets are the net, weights rounded.

Workers import this module, and nothing of pytest's or torch's with it.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np

from s2c.adapt import Adapted
from s2c.ir import Node
from s2c.progress import Say
from s2c.sweep.check import make_sweep
from s2c.sweep.jobs import load_model, run_with, to_bytes
from s2c.sweep.recipe import Job, Net, Sweep
from s2c.sweep.store import Files
from s2c.sweep.workers import Message


def round_weights(sweep: Sweep, net: Net, folder: Path, say: Say) -> Adapted:
    original = load_model(sweep)
    share = net.budget[1]
    new: dict[Node, Node] = {}
    for node in original.nodes():
        attrs = dict(node.attrs)
        if share < 1 and "weight" in attrs:
            attrs["weight"] = np.rint(attrs["weight"] * 2).astype(np.float32) / 2
        new[node] = replace(node, inputs=tuple(new[each] for each in node.inputs), attrs=attrs)
    return Adapted(original.mapped(new), original, {"share": share})


def run_double(sweep: Sweep, job: Job, folder: Path, say: Say) -> Files:
    return run_with(round_weights, sweep, job, folder, say)


def run_logged(sweep: Sweep, job: Job, folder: Path, say: Say) -> Files:
    """The same, and a line in a file beside the model; the last job hangs until it is killed."""
    if job.name == "doubts":
        signal.pause()
    with (sweep.model.parent / "log").open("a") as log:
        log.write(f"{job.name} {os.getpid()}\n")
    return run_double(sweep, job, folder, say)


HALF = Net(("width", 0.5), "f32")


def plain_files(folder: Path) -> tuple[Path, Path]:
    """A model and data that are there; what is in them is not looked at."""
    model, data = folder / "net.tflite", folder / "data.npz"
    model.write_bytes(b"a model")
    data.write_bytes(b"data")
    return model, data


def plain_sweep(model: Path, data: Path) -> Sweep:
    return make_sweep(model, ("1,0.5", "", "f32,int8", "host,cortex-m4"), ((data,), (data,)), None)


class Recorded:
    """Workers that do a job at once and say in which order: a class, because the scheduler wants one."""

    def __init__(self, room: int = 2) -> None:
        self.room = room
        self.order: list[Job] = []
        self.running: list[Job] = []

    def start(self, job: Job) -> None:
        self.running.append(job)
        assert len(self.running) <= self.room

    def wait(self) -> list[Message]:
        job = self.running.pop(0)
        self.order.append(job)
        return [Message(job, "done", result_of(job))]

    def close(self) -> None:
        self.running.clear()


def result_of(job: Job) -> Files:
    needed = (job.net.file, f"nets/{job.net.name}.npz") if job.kind == "net" else ()
    return {name: to_bytes({"name": job.name}) for name in (*needed, job.result)}


def folder_of(tmp_path: Path) -> Path:
    for name in ("nets", "points"):
        (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path


def say(*_: object) -> None:
    pass
