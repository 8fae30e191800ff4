"""What a sweep is made of: settings, nets, points, and the jobs that make them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from s2c.arguments import file_digest
from s2c.artifact import version
from s2c.driver import Request, make_request
from s2c.emit.text import identifier
from s2c.readers import self_contained
from s2c.target import load_target

PRECISIONS = ("f32", "int8")
Budget = tuple[str, float]  # "width" or "macs", and the share that is kept


@dataclass(frozen=True)
class Net:
    """One net of the sweep; all targets run the same."""

    budget: Budget
    precision: str

    @property
    def name(self) -> str:
        kind, share = self.budget
        return f"{kind}-{share:g}-{self.precision}"

    @property
    def file(self) -> str:
        """Where it lies in the sweep's folder."""
        return f"nets/{self.name}.s2c"

    @property
    def source(self) -> Net | None:
        """The net that this one is quantized from."""
        return None if self.precision == "f32" else Net(self.budget, "f32")


BASELINE = Net(("width", 1.0), "f32")  # the model as it is: what all others are compared with


@dataclass(frozen=True)
class Point:
    net: Net
    target: str

    @property
    def name(self) -> str:
        return f"{self.net.name}-{self.target}"


@dataclass(frozen=True)
class Sweep:
    """What the user asked for. consts are arrays by input name. classes are names for the page alone."""

    model: Path
    budgets: tuple[Budget, ...]
    precisions: tuple[str, ...]
    targets: tuple[str, ...]
    data: tuple[Path, ...]
    test: tuple[Path, ...]
    task: str = "auto"
    epochs: int | None = None
    seed: int = 0
    augment: tuple[str, ...] = ()
    dims: Mapping[str, int] = field(default_factory=dict)
    consts: Mapping[str, np.ndarray] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    last_states: int = 0
    classes: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        return identifier(None, self.model)

    @property
    def points(self) -> tuple[Point, ...]:
        choices = product(self.targets, self.precisions, self.budgets)
        return tuple(Point(Net(budget, precision), target) for target, precision, budget in choices)

    @property
    def nets(self) -> tuple[Net, ...]:
        """Those of the points, the baseline, and what they are quantized from; each after its source."""
        found = [BASELINE]
        for point in self.points:
            found += [each for each in (point.net.source, point.net) if each is not None]
        return tuple(dict.fromkeys(found))

    def request(self) -> Request:
        """For the target with most lanes, to which kept channels are rounded for all targets alike."""
        widest = max(self.targets, key=lambda name: load_target(name).lanes)
        return make_request(
            self.model, widest, None, self.dims, self.consts, None, self.states, self.last_states
        )

    def settings(self) -> dict[str, Any]:
        """Plain values by flag: equal settings give equal nets. Files stand as their digests, s2c as its
        version: another one may give other nets."""
        request = self.request()
        return {
            "s2c": version(),
            "MODEL": hashlib.sha256(self_contained(self.model)).hexdigest(),
            "--width": [share for kind, share in self.budgets if kind == "width"],
            "--macs": [share for kind, share in self.budgets if kind == "macs"],
            "--precision": list(self.precisions),
            "--target": list(self.targets),
            "--data": [file_digest(path) for path in self.data],
            "--test": [file_digest(path) for path in self.test],
            "--task": self.task,
            "--epochs": self.epochs,
            "--seed": self.seed,
            "--augment": list(self.augment),
            "--dim, --const, --state, --states": request.digest(),
        }


@dataclass(frozen=True)
class Job:
    """What one process does: it makes a net, measures a point, or finds doubtful labels."""

    kind: str  # "net", "point" or "doubts"
    net: Net = BASELINE
    target: str = ""

    @property
    def name(self) -> str:
        return {"net": self.net.name, "doubts": "doubts"}.get(self.kind) or Point(self.net, self.target).name

    @property
    def result(self) -> str:
        """The file that says that the job is done; it is written after the others."""
        return {"net": f"nets/{self.name}.json", "doubts": "doubts.json"}.get(self.kind) or (
            f"points/{self.name}.json"
        )

    @property
    def source(self) -> Net | None:
        """The net that it starts from, which another job makes."""
        return {"net": self.net.source, "point": self.net}.get(self.kind)

    @property
    def needs(self) -> tuple[str, ...]:
        """Files of the source, its result last; of one that was refused only that is there."""
        return () if self.source is None else net_files(self.source)

    @property
    def is_timed(self) -> bool:
        """Whether it is measured by the clock: then nothing else may run beside it, and it runs here."""
        return self.kind == "point" and not load_target(self.target).emulated


def net_files(net: Net) -> tuple[str, ...]:
    """The net, its answers on the test set, and its report, which is the job's result."""
    return (net.file, f"nets/{net.name}.npz", Job("net", net).result)


def all_jobs(sweep: Sweep) -> list[Job]:
    """In the order in which they start: what others wait for first, what needs quiet last."""
    nets = [Job("net", net) for net in sweep.nets]
    points = [Job("point", point.net, point.target) for point in sweep.points]
    doubts = [Job("doubts")] if sweep.data else []
    return sorted([*nets, *doubts, *points], key=lambda job: (job.is_timed, job.kind == "doubts"))
