"""Jobs as tasks of a Ray cluster, to which files travel as bytes: no disk is shared."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import ray

from s2c.errors import error
from s2c.readers import self_contained
from s2c.sweep.recipe import Job, Sweep
from s2c.sweep.store import Files
from s2c.sweep.workers import Message, attempt

if TYPE_CHECKING:
    from s2c.sweep.workers import Run


@final
class RayWorkers:
    """A class, because it owns the connection and the tasks. Its machines need s2c with the same extras."""

    def __init__(self, run: Run, sweep: Sweep, folder: Path, address: str) -> None:
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (ConnectionError, ValueError, RuntimeError) as problem:
            found = str(problem).splitlines()[0]
            do = "start one with `ray start --head`, and give its HOST:PORT or auto"
            raise error(f"--ray {address}", "a Ray cluster", found, do) from None
        self.run, self.folder = run, folder
        self.room = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.sweep = ray.put(shipped_sweep(sweep))
        self.inputs = {name: ray.put(data) for name, data in shipped_files(sweep).items()}
        self.task = ray.remote(num_cpus=1, max_retries=2)(serve)
        self.running: dict[Any, Job] = {}

    def start(self, job: Job) -> None:
        paths = {name: self.folder / name for name in job.needs}
        needed = {name: path.read_bytes() for name, path in paths.items() if path.exists()}
        names = tuple(self.inputs)
        task = self.task.remote(self.run, self.sweep, job, needed, names, *self.inputs.values())
        self.running[task] = job

    def wait(self) -> list[Message]:
        ready, _ = ray.wait(list(self.running), num_returns=1)
        found = []
        for task in ready:
            job = self.running.pop(task)
            try:
                kind, value = ray.get(task)
            except ray.exceptions.RayError as problem:
                kind, value = "failed", str(problem)
            found.append(Message(job, kind, value))
        return found

    def close(self) -> None:
        for task in self.running:
            ray.cancel(task, force=True)
        self.running.clear()
        ray.shutdown()


def file_roles(sweep: Sweep) -> dict[str, Path]:
    """Each file of the sweep by the path that it has on a worker; equal names do not meet."""
    files = (("model", (sweep.model,)), ("data", sweep.data), ("test", sweep.test))
    return {f"{role}/{index}/{path.name}": path for role, paths in files for index, path in enumerate(paths)}


def shipped_files(sweep: Sweep) -> dict[str, bytes]:
    return {
        name: self_contained(path) if name.startswith("model/") else path.read_bytes()
        for name, path in file_roles(sweep).items()
    }


def shipped_sweep(sweep: Sweep) -> Sweep:
    """With paths relative to a worker's folder."""
    roles: Mapping[str, list[Path]] = {role: [] for role in ("model", "data", "test")}
    for name in file_roles(sweep):
        roles[name.partition("/")[0]].append(Path(name))
    return replace(sweep, model=roles["model"][0], data=tuple(roles["data"]), test=tuple(roles["test"]))


def serve(
    run: Run, sweep: Sweep, job: Job, needed: Files, names: tuple[str, ...], *contents: bytes
) -> tuple[str, Any]:
    """On a worker: unpacks what the job reads into a folder of its own, and runs it."""
    with tempfile.TemporaryDirectory(prefix="s2c-") as temporary:
        folder = Path(temporary)
        for name, data in [*needed.items(), *zip(names, contents, strict=True)]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        placed = replace(
            sweep,
            model=folder / sweep.model,
            data=tuple(folder / path for path in sweep.data),
            test=tuple(folder / path for path in sweep.test),
        )
        return attempt(partial(run, placed, job, folder), lambda *_: None)
