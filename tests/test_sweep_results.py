"""What is found in a sweep's results, and what is said of nets that were refused."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sweep_doubles import HALF, Recorded, folder_of, plain_files, plain_sweep, say

from s2c.adapt import Adapted
from s2c.errors import CompileError, error
from s2c.progress import Say
from s2c.sweep import store
from s2c.sweep.findings import class_losses, class_warnings, find_results
from s2c.sweep.jobs import run_with, to_bytes
from s2c.sweep.recipe import BASELINE, Job, Net, Sweep, all_jobs, net_files
from s2c.sweep.schedule import run_some
from s2c.sweep.score import ACCURACY, Score, score, to_dtype, to_floats
from s2c.sweep.table import describe_score, describe_sweep, to_csv
from s2c.sweep.workers import Message


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return plain_sweep(*plain_files(tmp_path))


# results


def test_score_of_labels_and_values() -> None:
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32)
    found = score(outputs, np.array([1, 1, 1]))
    assert (found.metric, found.value, found.right, found.total) == (ACCURACY, 2 / 3, (0, 2), (0, 3))
    assert found.answers.tolist() == [1, 0, 1]
    steps = np.stack([outputs[::-1], outputs], 1)  # the last one counts
    assert score(steps, np.array([1, 1, 1])).answers.tolist() == [1, 0, 1]
    shares = score(np.array([[0.1], [0.6], [0.5]], np.float32), np.array([1, 1, 0]))  # of the second of two
    assert (shares.value, shares.right, shares.total) == (2 / 3, (1, 1), (1, 2))
    assert shares.answers.tolist() == [0, 1, 0]
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


# what is refused


def refuse(sweep: Sweep, net: Net, folder: Path, say: Say) -> Adapted:
    raise error(net.name, "a net", "none", "mend it")


REFUSED = {"problems": [{"layer": HALF.name, "wanted": "a net", "found": "none", "do": "mend it"}]}


def test_a_refused_net_is_the_result_of_all_that_starts_from_it(sweep: Sweep, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    quantized = Net(HALF.budget, "int8")
    for job in (Job("net", HALF), Job("net", quantized), Job("point", quantized, "host")):
        made = run_with(refuse, sweep, job, folder, say)
        assert {name: json.loads(data) for name, data in made.items()} == {job.result: REFUSED}
        store.write_files(folder, made)
    with pytest.raises(CompileError):
        run_with(refuse, sweep, Job("net", BASELINE), folder, say)


def test_what_is_refused_is_said(sweep: Sweep, tmp_path: Path) -> None:
    heard: list[str] = []
    run_with(refuse, sweep, Job("net", HALF), folder_of(tmp_path), heard.append)
    assert heard == ["refused: width-0.5-f32: wanted a net, found none; mend it"]


def test_refused_nets_end_no_sweep_and_are_tried_again(sweep: Sweep, tmp_path: Path) -> None:
    folder, jobs = tmp_path / "out", all_jobs(sweep)
    bad = [job for job in jobs if HALF in (job.net, job.net.source)]

    class Refusing(Recorded):
        def wait(self) -> list[Message]:
            (message,) = super().wait()
            refused = {message.job.result: to_bytes(REFUSED)}
            return [replace(message, value=refused) if message.job in bad else message]

    with store.opened(folder, sweep):
        run_some(jobs, jobs, folder, Refusing(), say)
        assert all(store.is_done(folder, job) for job in jobs)
    with store.opened(folder, sweep):
        assert [job for job in jobs if not store.is_done(folder, job)] == bad


def test_points_of_refused_nets_have_no_score(sweep: Sweep, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    small = replace(sweep, data=(), precisions=("f32",), targets=("host",))
    store.write_files(
        folder, {net_files(BASELINE)[1]: arrays_of(replace(scored((1, 1), (1, 1)), answers=np.arange(2)))}
    )
    for job in all_jobs(small):
        store.write_files(folder, {job.result: to_bytes(REFUSED if job.net == HALF else {"macs": 5})})
    document = find_results(small, folder, np.arange(2))
    assert [net["name"] for net in document["nets"]] == [BASELINE.name]
    assert [point["score"] for point in document["points"]] == [1.0, None]
    assert document["points"][1]["problems"] == REFUSED["problems"]
    assert describe_score(ACCURACY, None) == "—"


def arrays_of(score: Score) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{name: np.asarray(value) for name, value in vars(score).items()})
    return file.getvalue()
