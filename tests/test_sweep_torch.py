"""Whole sweeps of a small net: interrupted, resumed, and on a Ray cluster."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import raises
from onnx import helper
from onnx_models import model_of
from sweep_doubles import Recorded, run_double, say

pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 's2c[report]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 's2c[report]'")

from s2c.sweep.check import make_sweep
from s2c.sweep.jobs import load_model
from s2c.sweep.recipe import Sweep
from s2c.sweep.run import run_sweep
from s2c.sweep.samples import load_test, load_training
from s2c.sweep.store import Files
from s2c.sweep.workers import Message

pytestmark = pytest.mark.build

CLASSES, SIDE, SAMPLES = 3, 8, 90
PATIENCE_S = 120.0
TESTS = Path(__file__).parent
TIMES = ("microseconds",)
LISTS = ("0.5", "", "f32", "cortex-m4,host")


def write_net(path: Path) -> None:
    """Images [1, 1, 8, 8]: a convolution, relu, mean and a dense layer, all random."""
    draws = np.random.default_rng(0)
    consts = {
        "w": draws.normal(size=(8, 1, 3, 3)).astype(np.float32),
        "v": draws.normal(size=(CLASSES, 8)).astype(np.float32),
        "b": np.zeros(CLASSES, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "mean"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "v", "b"], ["y"], "dense", transB=1),
    ]
    path.write_bytes(model_of(nodes, {"x": (1, 1, SIDE, SIDE)}, consts))


def write_data(path: Path, seed: int) -> None:
    """Images that are brighter for each class, a few of them with the wrong label."""
    draws = np.random.default_rng(seed)
    labels = np.arange(SAMPLES) % CLASSES
    images = draws.normal(size=(SAMPLES, 1, SIDE, SIDE)) + labels[:, None, None, None]
    np.savez(path, x=images.astype(np.float32), y=np.where(draws.random(SAMPLES) < 0.1, 0, labels))


class AtOnce(Recorded):
    """Workers that run a job when they are waited for, in this process."""

    def __init__(self, run: Any, sweep: Sweep, folder: Path, room: int) -> None:
        super().__init__(room)
        self.of = partial(run, sweep), folder

    def wait(self) -> list[Message]:
        run, folder = self.of
        job = self.running.pop(0)
        return [Message(job, "done", run(job, folder, say))]


@pytest.fixture(scope="module", autouse=True)
def at_once() -> Iterator[None]:
    """Jobs run in this process, which has loaded torch already; those of other processes do not."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("run", "schedule"):
            patched.setattr(f"s2c.sweep.{name}.LocalWorkers", AtOnce)
        yield


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("sweep")
    write_net(folder / "net.onnx")
    write_data(folder / "train.npz", 1)
    write_data(folder / "test.npz", 2)
    files = ((folder / "train.npz",), (folder / "test.npz",))
    return make_sweep(folder / "net.onnx", LISTS, files, None, epochs=1)


@pytest.fixture(scope="module")
def done(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep that nothing interrupted."""
    folder = tmp_path_factory.mktemp("done") / "out"
    run_sweep(sweep, folder, 2, None, run=run_double)
    return folder


def table(folder: Path) -> list[dict[str, str]]:
    """Without times, which no two runs share."""
    with (folder / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def results(folder: Path) -> dict[str, bytes]:
    """All results but times."""
    found = {}
    for path in [*sorted(folder.glob("*/*")), folder / "doubts.json"]:
        if path.parent.name in ("nets", "points") or path.name == "doubts.json":
            data = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = b"" if b"microseconds" in data else data
    return found


def test_a_sweep_has_its_table_page_and_document(done: Path) -> None:
    assert [(row["target"], row["share"]) for row in table(done)] == [("cortex-m4", "0.5"), ("host", "0.5")]
    document = json.loads((done / "sweep.json").read_text())
    emulated, timed = document["points"]
    assert "instructions" in emulated and "microseconds" not in emulated
    assert "microseconds" in timed and "instructions" not in timed
    assert emulated["emulated_same"] == emulated["emulated"] == 8
    assert emulated["score"] == timed["score"]
    assert document["doubts"] and all(each["margin"] < 0 for each in document["doubts"])
    assert (done / "sweep.html").read_text().startswith("<!DOCTYPE html>")
    nets = sorted(path.name for path in (done / "nets").glob("*.s2c"))
    assert nets == ["width-0.5-f32.s2c", "width-1-f32.s2c"]


def test_scores_are_those_of_the_net(sweep: Sweep, done: Path) -> None:
    from s2c import oracle

    graph = load_model(sweep)
    with np.load(sweep.test[0]) as test:
        answers = np.array([oracle.run(graph, x[None])[0].argmax() for x in test["x"]])
        share = float((answers == test["y"]).mean())
    assert json.loads((done / "sweep.json").read_text())["nets"][0]["score"] == share


def test_a_killed_sweep_resumes_with_the_same_table(sweep: Sweep, done: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "out", sweep.model.parent / "log"
    code = (
        "import pickle, sys; from pathlib import Path; import sweep_doubles as t; "
        "from s2c.sweep.run import run_sweep; sweep = pickle.loads(Path(sys.argv[1]).read_bytes()); "
        "run_sweep(sweep, Path(sys.argv[2]), 2, None, run=t.run_logged)"
    )
    (tmp_path / "sweep.pickle").write_bytes(pickled(sweep))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-c", code, str(tmp_path / "sweep.pickle"), str(folder)]
    with subprocess.Popen(command, env=environment) as child:
        wait_for(lambda: (folder / "points" / "width-0.5-f32-cortex-m4.json").exists(), child)
        child.kill()
    first = [line.split() for line in log.read_text().splitlines()]
    wait_for(lambda: not any(is_alive(int(process)) for _, process in first), None)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("nets/*.json")}
    assert kept and not (folder / "sweep.csv").exists()
    run_sweep(sweep, folder, 2, None, run=run_double)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert table(folder) == table(done)
    assert results(folder) == results(done)


def test_a_training_that_is_killed_goes_on(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With real training, killed after some of its epochs: the rest of them gives the same results."""
    settings = replace(sweep, targets=("cortex-m4",), epochs=30)
    run_sweep(settings, tmp_path / "whole", 1, None)
    folder = tmp_path / "out"
    code = (
        "import pickle, sys; from pathlib import Path; from s2c.sweep.run import run_sweep; "
        "run_sweep(pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]), 1, None)"
    )
    (tmp_path / "sweep.pickle").write_bytes(pickled(settings))
    command = [sys.executable, "-c", code, str(tmp_path / "sweep.pickle"), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    with subprocess.Popen(command, env=environment) as child:
        wait_for(lambda: bool(list((folder / "checkpoints").glob("*.pt"))), child)
        processes = [child.pid, *children_of(child.pid)]
        child.kill()
    wait_for(lambda: not any(map(is_alive, processes)), None)
    assert not (folder / "nets" / "width-0.5-f32.s2c").exists()
    heard: list[str] = []

    def listen(text: str, share: float | None = None) -> None:
        heard.append(text)

    monkeypatch.setitem(globals(), "say", listen)
    run_sweep(settings, folder, 1, None)
    epochs = [text for text in heard if text.startswith("training, epoch ")]
    assert epochs and not any(text.startswith("training, epoch 1 ") for text in epochs)
    assert table(folder) == table(tmp_path / "whole")
    assert results(folder) == results(tmp_path / "whole")


def pickled(sweep: Sweep) -> bytes:
    import pickle

    return pickle.dumps(sweep)


def wait_for(happened: Any, child: subprocess.Popen[bytes] | None) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end
        assert child is None or child.poll() is None
        os.sched_yield()


def children_of(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_finished_sweep_does_nothing_but_its_outputs(sweep: Sweep, done: Path) -> None:
    before = {path: path.read_bytes() for path in done.glob("sweep.*")}
    run_sweep(sweep, done, 2, None, run=refuse)
    assert {path: path.read_bytes() for path in done.glob("sweep.*")} == before


def refuse(*_: object) -> Files:
    raise AssertionError("nothing is left to do")


# what is wrong with the contents


def test_what_is_wrong_with_data_and_classes_before_any_work(sweep: Sweep, tmp_path: Path) -> None:
    images = np.zeros((4, 1, SIDE, SIDE), np.float32)
    np.savez(tmp_path / "unlabelled.npz", x=images)
    np.savez(tmp_path / "nan.npz", x=images * np.nan, y=np.arange(4) % CLASSES)
    files = {"data": (tmp_path / "nan.npz",), "test": (tmp_path / "unlabelled.npz",)}
    broken = replace(sweep, **files, augment=("spin",), classes=("a", "b"))
    lines = raises(lambda: run_sweep(broken, tmp_path / "out", 1, None, run=refuse)).splitlines()
    assert lines[0].startswith("--augment: wanted one of ")
    assert "found NaN in sample 0" in lines[1]
    assert lines[2:] == [
        "unlabelled.npz: wanted test data with answers, found no array y; "
        "add y: a class for each sample, or the wanted output; or choose --task autoencoder",
        "--classes: wanted 3 names, one a line, found 2; name each class that the net gives",
    ]
    assert not (tmp_path / "out").exists()


def test_budgets_that_cannot_be_kept_before_any_work(sweep: Sweep, tmp_path: Path) -> None:
    small = replace(sweep, budgets=(("macs", 0.001),))
    assert raises(lambda: run_sweep(small, tmp_path / "out", 1, None, run=refuse)) == (
        "--macs 0.001: wanted 5 MACs, found 2316 with the least channels; "
        "allow more, or start from a smaller net"
    )
    assert not (tmp_path / "out").exists()


def test_nets_without_int8_before_any_work(sweep: Sweep, tmp_path: Path) -> None:
    nodes = [helper.make_node("Tanh", ["x"], ["y"], "tanh")]
    (tmp_path / "tanh.onnx").write_bytes(model_of(nodes, {"x": (1, CLASSES)}))
    x = np.random.default_rng(0).normal(size=(9, 1, CLASSES)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(9) % CLASSES)
    data = (tmp_path / "data.npz",)
    whole = (("width", 1.0),)
    settings = replace(sweep, model=tmp_path / "tanh.onnx", data=data, test=data, budgets=whole)
    refused = replace(settings, precisions=("f32", "int8"))
    assert raises(lambda: run_sweep(refused, tmp_path / "out", 1, None, run=refuse)) == (
        "--int8: wanted at least one convolution or dense layer to compute in int8, found none; "
        "leave --int8 out"
    )
    assert not (tmp_path / "out").exists()


def test_a_distillation_is_measured_by_labels(sweep: Sweep) -> None:
    distilled, graph = replace(sweep, task="distillation"), load_model(sweep)
    with np.load(sweep.test[0]) as test:
        assert (load_test(distilled, graph)[1] == test["y"]).all()
    training = load_training(distilled, graph)
    assert training is not None and training.targets is None


# Ray


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of two machines with one core each; both are processes here, with no folder in common."""
    pytest.importorskip("ray", reason="ray is not installed: pip install 's2c[cluster]'")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *sys.path]))
    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        machines.add_node(num_cpus=1)
        yield machines.address
    finally:
        machines.shutdown()


def test_a_cluster_gives_the_same_results(sweep: Sweep, done: Path, cluster: str, tmp_path: Path) -> None:
    run_sweep(sweep, tmp_path / "out", 1, cluster, run=run_double)
    assert table(tmp_path / "out") == table(done)
    assert results(tmp_path / "out") == results(done)


def test_a_cluster_that_is_not_there(sweep: Sweep, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 's2c[cluster]'")
    found = raises(lambda: run_sweep(sweep, tmp_path / "out", 1, "nowhere", run=refuse))
    assert found == (
        "--ray nowhere: wanted a Ray cluster, found Invalid address format: nowhere; "
        "start one with `ray start --head`, and give its HOST:PORT or auto"
    )


# the real thing


def test_nets_are_pruned_and_quantized(sweep: Sweep, done: Path, tmp_path: Path) -> None:
    settings = replace(sweep, precisions=("int8",), targets=("cortex-m4",))
    document = run_sweep(settings, tmp_path / "out", 1, None)
    macs = document["nets"][1]["report"]["macs"]
    assert macs["pruned"] < macs["original"]
    (quantized,) = document["points"]
    whole = json.loads((done / "points" / "width-0.5-f32-cortex-m4.json").read_text())
    assert quantized["macs"] < whole["macs"] and quantized["arena_bytes"] < whole["arena_bytes"]
    assert not list((tmp_path / "out" / "checkpoints").iterdir())
