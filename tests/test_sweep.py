"""A sweep's lists, what its net allows, its jobs and their processes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import raises
from sweep_doubles import HALF, Recorded, folder_of, plain_files, plain_sweep, say
from typer.testing import CliRunner

from s2c.adapt.refusals import budget_problems
from s2c.cli import app
from s2c.errors import CompileError, error
from s2c.ir import Graph, Node, Type, input_node
from s2c.ops import make
from s2c.progress import Say
from s2c.sweep.check import make_sweep
from s2c.sweep.recipe import BASELINE, Job, Sweep, all_jobs
from s2c.sweep.schedule import run_some
from s2c.sweep.store import Files
from s2c.sweep.workers import LocalWorkers, Message

DESCRIPTION = (
    "a list of aarch64, cortex-m33, cortex-m4, cortex-m7, host, x86-64-v2, x86-64-v3, x86-64-v4, each once"
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return plain_files(tmp_path)


@pytest.fixture
def sweep(files: tuple[Path, Path]) -> Sweep:
    return plain_sweep(*files)


# lists


def test_points_are_the_product(sweep: Sweep) -> None:
    names = [point.name for point in sweep.points]
    assert names == [
        f"width-{share}-{precision}-{target}"
        for target in ("host", "cortex-m4")
        for precision in ("f32", "int8")
        for share in ("1", "0.5")
    ]


def test_all_that_is_wrong_with_the_lists_at_once(tmp_path: Path) -> None:
    lists = ("1,0,x,1", "2", "f32,f16", "host,host,avr")
    shares = "shares above 0 and at most 1, each once"
    wanted = [
        f"--width: wanted {shares}, found 0; e.g. --width 0.75,0.5",
        f"--width: wanted {shares}, found x; e.g. --width 0.75,0.5",
        f"--width: wanted {shares}, found 1; e.g. --width 0.75,0.5",
        f"--macs: wanted {shares}, found 2; e.g. --macs 0.75,0.5",
        "--precision: wanted a list of f32, int8, each once, found f16; name these",
        f"--target: wanted {DESCRIPTION}, found host; name these",
        f"--target: wanted {DESCRIPTION}, found avr; name these",
        f"MODEL {tmp_path}/net.onnx: wanted a file, found none that can be read; check the path",
        f"--data {tmp_path}: wanted a file, found a folder; check the path",
        "--test: wanted data to measure each net on, found none; give a test set",
    ]
    found = raises(lambda: make_sweep(tmp_path / "net.onnx", lists, ((tmp_path,), ()), None))
    assert found.splitlines() == wanted


def test_empty_lists_and_no_training_data(files: tuple[Path, Path]) -> None:
    model, data = files
    found = raises(lambda: make_sweep(model, ("", "0.5", "", ","), ((), (data,)), None))
    assert found.splitlines() == [
        "--width: wanted a list of shares, found none; e.g. --width 1,0.5",
        "--precision: wanted a list of f32, int8, each once, found none; name at least one",
        f"--target: wanted {DESCRIPTION}, found none; name at least one",
        "--data: wanted data to retrain and to quantize with, found none; "
        "give training data, or --width 1 --precision f32",
    ]


def test_missing_packages_are_named(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = files
    monkeypatch.setattr("s2c.sweep.check.find_spec", lambda name: None)
    monkeypatch.setattr("s2c.sweep.check.missing_tools", lambda target: ("zig is not installed: pip",))
    found = raises(lambda: make_sweep(model, ("1", "", "f32", "host"), ((), (data,)), None, "auto"))
    assert found.splitlines() == [
        "target host: wanted all its tools, found zig is not installed: pip; install what is missing",
        "s2c sweep: wanted torch, found it is not installed; pip install 's2c[torch]'",
        "s2c sweep: wanted matplotlib, found it is not installed; pip install 's2c[report]'",
        "s2c sweep: wanted jinja2, found it is not installed; pip install 's2c[report]'",
        "s2c sweep: wanted ray, found it is not installed; pip install 's2c[cluster]'",
    ]


def test_a_cluster_takes_its_own_cores(files: tuple[Path, Path]) -> None:
    model, data = files
    lists = ("1", "", "f32", "host")
    assert raises(lambda: make_sweep(model, lists, ((), (data,)), None, ray="auto", jobs=2)) == (
        "--jobs: wanted jobs on this machine, found --ray, which takes the cluster's cores; "
        "leave one of them out"
    )
    make_sweep(model, lists, ((), (data,)), None, jobs=2)


def test_class_names_that_are_no_text(files: tuple[Path, Path], tmp_path: Path) -> None:
    model, data = files
    names = tmp_path / "names.txt"
    names.write_bytes("Häuser\n".encode("latin-1"))
    found = raises(lambda: make_sweep(model, ("1", "", "f32", "host"), ((), (data,)), names))
    assert found == f"--classes {names}: wanted text in UTF-8, found byte 0xe4 at 1; save it in UTF-8"


# budgets


def two_layers(units: int) -> Graph:
    """Dense layers 4 -> units -> 3."""
    draws = np.random.default_rng(0)
    hidden = dense(input_node("x", Type((1, 4), "f32")), draws.normal(size=(units, 4)), "hidden")
    return Graph((hidden.inputs[0],), (dense(hidden, draws.normal(size=(3, units)), "out"),))


def dense(source: Node, weight: np.ndarray, layer: str) -> Node:
    attrs = {"weight": weight.astype(np.float32), "bias": np.zeros(len(weight), np.float32)}
    return make("dense", (source,), layer, activation="none", **attrs)


def test_budgets_that_a_net_cannot_keep() -> None:
    budgets = (("width", 1.0), ("width", 0.95), ("width", 0.5), ("macs", 0.5), ("macs", 0.01))
    problems = budget_problems(budgets, two_layers(8), 1)
    assert [str(each) for each in problems] == [
        "--width: wanted a width that leaves out some channels, found 0.95, which rounds to all of them; "
        "give a smaller one",
        "--macs 0.01: wanted 1 MACs, found 7 with the least channels; "
        "allow more, or start from a smaller net",
    ]


def test_budgets_of_a_net_without_channels() -> None:
    source = input_node("x", Type((1, 4), "f32"))
    graph = Graph((source,), (dense(source, np.ones((3, 4)), "out"),))
    assert budget_problems((("width", 1.0),), graph, 1) == []
    problems = budget_problems((("width", 0.5), ("macs", 0.5)), graph, 1)
    assert [str(each) for each in problems] == [
        "MODEL: wanted channels that can be taken away, found none: every channel reaches an output or an op "
        "that needs all of them; sweep it with --width 1"
    ]


def test_the_command_line_says_what_is_wrong(files: tuple[Path, Path]) -> None:
    model, data = files
    arguments = ["sweep", str(model), "-o", "out", "--width", "2", "--test", str(data), "--json"]
    done = CliRunner().invoke(app, [*arguments, "--precision", "f32"])
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"] == [
        {
            "layer": "--width",
            "wanted": "shares above 0 and at most 1, each once",
            "found": "2",
            "do": "e.g. --width 0.75,0.5",
        }
    ]


# jobs


def test_a_net_is_made_once_for_all_targets(sweep: Sweep) -> None:
    names = [job.name for job in all_jobs(sweep)]
    assert len(names) == len(set(names)) == 4 + 8 + 1
    assert BASELINE in replace(sweep, budgets=(("width", 0.5),), precisions=("int8",)).nets


def test_times_are_taken_last_and_each_job_after_what_it_needs(sweep: Sweep) -> None:
    done: set[str] = set()
    jobs = all_jobs(sweep)
    for job in jobs:
        assert done.issuperset(name for name in job.needs if name.endswith(".json"))
        done.add(job.result)
    assert [job.is_timed for job in jobs] == [False] * 9 + [True] * 4


def test_what_is_done_is_not_done_again(sweep: Sweep, tmp_path: Path) -> None:
    jobs, folder = all_jobs(sweep), folder_of(tmp_path)
    first = Recorded()
    run_some(jobs[:5], jobs, folder, first, say)
    (folder / jobs[0].result).unlink()
    second = Recorded()
    run_some(jobs, jobs, folder, second, say)
    assert first.order == jobs[:5]
    assert sorted(job.name for job in second.order) == sorted(job.name for job in [jobs[0], *jobs[5:]])
    run_some(jobs, jobs, folder, third := Recorded(), say)
    assert third.order == []


# processes


def run_as_told(sweep: Sweep, job: Job, folder: Path, say: Say) -> Files:
    """What happens depends on the job's name."""
    say(f"threads: {os.environ['OMP_NUM_THREADS']}", 0.5)
    if job.name == BASELINE.name:
        return {job.result: b"result"}
    if job.name == HALF.name:
        raise error("layer", "one", "two", "mend it")
    if job.kind == "doubts":
        raise ValueError("our bug")
    os._exit(3)


def messages_of(sweep: Sweep, job: Job, folder: Path) -> list[tuple[str, Any]]:
    workers = LocalWorkers(run_as_told, sweep, folder, 1)
    workers.start(job)
    found: list[Message] = []
    while not found or found[-1].kind == "says":
        found += workers.wait()
    workers.close()
    return [(each.kind, each.value) for each in found]


@pytest.mark.build
def test_what_processes_say(sweep: Sweep, tmp_path: Path) -> None:
    says = ("says", "threads: 1")
    done = messages_of(sweep, Job("net", BASELINE), tmp_path)
    assert done == [says, ("done", {"nets/width-1-f32.json": b"result"})]
    refused = messages_of(sweep, Job("net", HALF), tmp_path)
    assert refused == [says, ("refused", error("layer", "one", "two", "mend it").problems)]
    kind, text = messages_of(sweep, Job("doubts"), tmp_path)[-1]
    assert kind == "failed" and "our bug" in text
    kind, (problem,) = messages_of(sweep, Job("point", HALF, "host"), tmp_path)[-1]
    assert kind == "refused"
    assert str(problem) == (
        "point width-0.5-f32-host: wanted a result, found its process ended with status 3; "
        "memory may be short: give fewer --jobs; what is done stays done"
    )


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [("refused", error("a", "b", "c", "d").problems, CompileError), ("failed", "a traceback", RuntimeError)],
)
def test_a_job_that_fails_ends_the_sweep(
    sweep: Sweep, tmp_path: Path, kind: str, value: object, wanted: type[Exception]
) -> None:
    workers = Recorded()
    workers.wait = lambda: [Message(workers.running.pop(0), kind, value)]  # type: ignore[method-assign]
    jobs = all_jobs(sweep)
    with pytest.raises(wanted):
        run_some(jobs, jobs, folder_of(tmp_path), workers, say)
