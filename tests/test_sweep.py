"""A sweep's lists, its jobs and their processes, its folder, and what is found in its results."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import raises
from typer.testing import CliRunner

from s2c.cli import app
from s2c.errors import CompileError, error
from s2c.sweep import store
from s2c.sweep.check import make_sweep
from s2c.sweep.findings import class_losses, class_warnings
from s2c.sweep.jobs import Files, Say
from s2c.sweep.recipe import BASELINE, Job, Net, Sweep, all_jobs
from s2c.sweep.schedule import run_some
from s2c.sweep.score import ACCURACY, Score, score, to_dtype, to_floats
from s2c.sweep.table import describe_sweep, to_csv
from s2c.sweep.workers import LocalWorkers, Message

HALF = Net(("width", 0.5), "f32")
DESCRIPTION = "a list of cortex-m33, cortex-m4, cortex-m7, host, each once"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A model and data that are there; what is in them is not looked at."""
    model, data = tmp_path / "net.tflite", tmp_path / "data.npz"
    model.write_bytes(b"a model")
    data.write_bytes(b"data")
    return model, data


@pytest.fixture
def sweep(files: tuple[Path, Path]) -> Sweep:
    model, data = files
    return make_sweep(model, ("1,0.5", "", "f32,int8", "host,cortex-m4"), ((data,), (data,)), None)


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
    return {name: job.name.encode() for name in (*needed, job.result)}


def folder_of(tmp_path: Path) -> Path:
    for name in ("nets", "points"):
        (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path


def say(*_: object) -> None:
    pass


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


# the folder


def test_a_folder_of_another_sweep_is_refused_by_what_differs(sweep: Sweep, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with store.opened(folder, sweep):
        pass
    with store.opened(folder, sweep):
        found = raises(lambda: enter(folder, sweep))
        assert found == (
            f"-o {folder}: wanted a folder that no other sweep is writing, found one that runs; "
            "wait until it ends"
        )
    other = replace(sweep, seed=1, budgets=(("width", 0.25),))
    assert raises(lambda: enter(folder, other)).splitlines() == [
        f"-o {folder}: wanted the sweep that it holds: --seed 0, found --seed 1; "
        "give the same, or name another folder",
        f"-o {folder}: wanted the sweep that it holds: --width 1.0,0.5, found --width 0.25; "
        "give the same, or name another folder",
    ]
    sweep.data[0].write_bytes(b"other data")
    assert "--data" in raises(lambda: enter(folder, sweep))


def enter(folder: Path, sweep: Sweep) -> None:
    with store.opened(folder, sweep):
        pass


def test_a_folder_of_something_else_is_left_alone(sweep: Sweep, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").touch()
    assert raises(lambda: enter(mine, sweep)) == (
        f"-o {mine}: wanted a new folder, or one of this sweep, found thesis.tex; name another folder"
    )
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    (mine / "thesis.tex").rename(mine / "points")
    assert "found no recipe.json in it" in raises(lambda: enter(mine, sweep))
    assert raises(lambda: enter(mine / "points", sweep)) == (
        f"-o {mine / 'points'}: wanted a folder, found a file of that name; name another"
    )


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_file(tmp_path / "result.json", b"old")

    def crash(_: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="power cut"):
        store.write_file(tmp_path / "result.json", b"new")
    assert (tmp_path / "result.json").read_bytes() == b"old"


def test_a_draft_of_a_killed_sweep_is_no_stranger(sweep: Sweep, tmp_path: Path) -> None:
    enter(tmp_path / "out", sweep)
    (tmp_path / "out" / ".sweep.csv.draft").touch()
    enter(tmp_path / "out", sweep)


# results


def test_score_of_labels_and_values() -> None:
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32)
    found = score(outputs, np.array([1, 1, 1]))
    assert (found.metric, found.value, found.right, found.total) == (ACCURACY, 2 / 3, (0, 2), (0, 3))
    assert found.answers.tolist() == [1, 0, 1]
    steps = np.stack([outputs[::-1], outputs], 1)  # the last one counts
    assert score(steps, np.array([1, 1, 1])).answers.tolist() == [1, 0, 1]
    error_of = score(outputs, np.zeros((3, 2), np.float32))
    assert error_of.value == pytest.approx(float(np.square(outputs).mean()))
    assert len(error_of.answers) == 3


def test_inputs_are_quantized_as_the_program_wants() -> None:
    wanted = {"dtype": "i8", "scale": 0.5, "zero": -3}
    array = np.array([0.0, 0.25, 0.75, 1.0, 1000.0, -1000.0], np.float32)
    assert to_dtype(array, wanted).tolist() == [-3, -3, -1, -1, 127, -128]  # ties to even
    assert to_dtype(array.astype(np.int8)[:1], wanted).tolist() == [0]  # quantized already
    assert to_dtype(np.array([255], np.uint8), {"dtype": "f32", "scale": None, "zero": None}).tolist() == [
        255.0
    ]
    assert to_floats(np.array([-3, 1], np.int8), wanted).tolist() == [0.0, 2.0]


def scored(right: Sequence[int], total: Sequence[int]) -> Score:
    return Score(ACCURACY, sum(right) / sum(total), np.empty(0), tuple(right), tuple(total))


def test_a_class_that_fails_silently_is_warned_of() -> None:
    base = scored((90, 90, 90, 0), (100, 100, 100, 0))
    worse = scored((89, 90, 60, 0), (100, 100, 100, 0))
    assert class_losses(base, worse).tolist() == [1, 0, 30, 0]
    (found,) = class_warnings(HALF, base, worse, ["a", "b", "c", "d"])
    assert (found["class"], found["lost_points"], found["before"], found["after"]) == ("c", 30.0, 90, 60)
    assert found["mean_points"] == pytest.approx(31 / 3)


@pytest.mark.parametrize("right", [(80, 80, 80), (90, 90, 90), (90, 90, 88)])
def test_no_warning_where_all_lose_alike_or_little(right: tuple[int, ...]) -> None:
    base = scored((90, 90, 90), (100, 100, 100))
    assert class_warnings(HALF, base, scored(right, base.total), ["a", "b", "c"]) == []


def test_few_inputs_make_no_warning() -> None:
    assert class_warnings(HALF, scored((10, 10), (10, 10)), scored((8, 10), (10, 10)), ["a", "b"]) == []


POINT = {
    "budget": "width",
    "share": 0.5,
    "precision": "f32",
    "score": 0.875,
    "macs": 12345,
    "parameters": 99,
    "rom_bytes": 1000,
    "arena_bytes": 64,
    "stack_bytes": None,
}
POINTS = [
    {**POINT, "target": "host", "microseconds": 12.5},
    {**POINT, "target": "cortex-m4", "instructions": 5000, "emulated": 8, "emulated_same": 7},
    {
        **{key: POINT[key] for key in ("budget", "share", "precision", "score")},
        "target": "cortex-m4",
        "problems": [{"layer": "net", "wanted": "at most 9 bytes", "found": "10", "do": "less"}],
    },
]


def test_csv() -> None:
    assert to_csv(POINTS).splitlines() == [
        "target,precision,budget,share,score,macs,parameters,rom_bytes,arena_bytes,stack_bytes,"
        "microseconds,instructions,problem",
        "host,f32,width,0.5,0.875,12345,99,1000,64,,12.5,,",
        "cortex-m4,f32,width,0.5,0.875,12345,99,1000,64,,,5000,",
        "cortex-m4,f32,width,0.5,0.875,,,,,,,,at most 9 bytes: found 10",
    ]


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    from s2c.report import show

    document = {"metric": ACCURACY, "test_samples": 1000, "points": POINTS, "warnings": []}
    show(*describe_sweep(document))
    text = " ".join(capsys.readouterr().out.split())
    assert "width 0.5 f32 87.5% 12,345 1,000 64 12.5 µs" in text
    assert "5,000 instr." in text and "at most 9 bytes" in text
    assert "ran the first 8 of them, and 7 of 8 outputs agree" in text
