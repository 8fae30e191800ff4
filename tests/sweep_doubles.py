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
from s2c.sweep.jobs import Files, Say, load_model, run_with
from s2c.sweep.recipe import Job, Net, Sweep


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
