"""How steady a net runs: figures on synthetic times, processes that take turns, the report, refusals."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from graphs import raises
from typer.testing import CliRunner

from s2c import CompileError
from s2c import compile as compile_net
from s2c.cli import app
from s2c.determinism import turns, valgrind
from s2c.determinism.measure import (
    EMPTY,
    OWN,
    draw_inputs,
    find_gap,
    find_models,
    hostile_inputs,
    measure_determinism,
    refuse_other_nets,
)
from s2c.determinism.peers import PEERS, Session, Settings, check_peers, pick_model, zeros
from s2c.determinism.probe import attempt, open_spin, parse_cores
from s2c.determinism.statistics import exceedance, spread
from s2c.determinism.table import (
    TITLES,
    count_rows,
    describe_determinism,
    facts,
    microseconds,
    time_rows,
    valgrind_text,
)
from s2c.determinism.ticks import NEAR, WINDOW, Tick, find_tick
from s2c.determinism.turns import Entry, Pace, orders, take_turns, turn_calls
from s2c.determinism.worker import Job, Worker, WorkerError, time_calls
from s2c.ir import Type

DEMO = Path(__file__).resolve().parents[1] / "demo" / "digits.onnx"
HOSTILE_NAME = "<script>alert(1)</script>"


# statistics


def test_spread_of_known_times() -> None:
    """1 to 10,000 microseconds, in no order."""
    times = np.random.default_rng(0).permutation(np.arange(1, 10_001)) * 1000
    found = spread(times)
    assert (found.calls, found.minimum, found.maximum) == (10_000, 1.0, 10_000.0)
    assert (found.p50, found.p99, found.p99_9, found.p99_99) == (5000.0, 9900.0, 9990.0, 9999.0)
    assert found.ratio == 9990 / 5000


def test_one_slow_call_in_a_thousand() -> None:
    """p99.9 is the least that 99.9% do not exceed: one slow call of 1,000 lies beyond it, two do not."""
    times = np.full(1000, 50_000)
    times[7] = 400_000
    assert (spread(times).ratio, spread(times).maximum) == (1.0, 400.0)
    times[8] = 300_000
    assert spread(times).ratio == 6.0


def test_spread_of_one_call() -> None:
    assert spread(np.array([2500])).p99_99 == 2.5


def test_exceedance() -> None:
    rarity, values = exceedance(np.array([3000, 1000, 2000, 8000]))
    assert rarity.tolist() == [1.0, 4 / 3, 2.0, 4.0]
    assert values.tolist() == [1.0, 2.0, 3.0, 8.0]


# turns


def test_turns_are_as_long_as_asked() -> None:
    assert turn_calls(50_000, 0.002, 1000) == 40
    assert turn_calls(5e9, 0.002, 1000) == 1
    assert turn_calls(100, 0.002, 1000) == 1000
    assert turn_calls(0, 0.002, 10) == 10


def test_orders_come_from_the_seed() -> None:
    names = ["a", "b", "c", "d"]
    first, second, other = (orders(names, seed) for seed in (0, 0, 1))
    drawn = [next(first) for _ in range(20)]
    assert drawn == [next(second) for _ in range(20)]
    assert drawn != [next(other) for _ in range(20)]
    assert all(sorted(order) == names for order in drawn)
    assert len({order[0] for order in drawn}) == 4
    assert names == ["a", "b", "c", "d"]


def recording_session(calls: list[str]) -> Session:
    return Session(
        shapes=(),
        write=lambda _: None,
        call=lambda: calls.append("call"),
        read=list,
        refill=lambda: calls.append("refill"),
    )


def test_inputs_are_written_again_before_each_timed_call() -> None:
    calls: list[str] = []
    assert len(time_calls(recording_session(calls), 2, skipped=1)) == 2
    assert calls == ["call", "refill", "call", "refill", "call"]


# timer ticks

MS = 1_000_000


def felt(period: int, phase: int, seconds: float, length: int = 40_000) -> np.ndarray:
    """Interruptions by ticks that come up to 20 us late, and by others that are not regular."""
    source = np.random.default_rng(1)
    ticks = np.arange(phase, int(seconds * 1e9), period)
    late = source.integers(0, 20_000, len(ticks))
    others = source.integers(0, int(seconds * 1e9), 200)
    starts = np.concatenate([ticks + late, others])
    return np.stack([starts, np.full(len(starts), length)], axis=1)


@pytest.mark.parametrize("rate", [100, 250, 300, 1000])
def test_the_tick_is_found(rate: int) -> None:
    period = round(1e9 / rate)
    tick = find_tick(felt(period, period - 5_000, 1.0), 1.0)
    assert tick is not None
    assert tick.period == period
    assert (tick.phase - (period - 5_000) + NEAR) % period <= NEAR + 20_000
    assert tick.length == NEAR + 40_000


def test_where_there_is_no_tick_none_is_found() -> None:
    none = felt(4 * MS, 0, 1.0)[250:]
    assert find_tick(none, 1.0) is None
    assert find_tick(none[:0], 1.0) is None


def test_calls_begin_behind_a_tick_and_end_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]

    def clock() -> int:
        now[0] += 10_000
        return now[0]

    monkeypatch.setattr(time, "perf_counter_ns", clock)
    tick = Tick(period=4 * MS, phase=MS, length=100_000)
    now[0] = MS
    assert tick.wait(500_000)
    assert now[0] >= MS + 100_000
    assert not tick.wait(500_000)
    now[0] = 5 * MS - 400_000
    assert tick.wait(500_000)
    assert now[0] >= 5 * MS + 100_000
    now[0] = 5 * MS - 400_000
    assert tick.wait(5 * MS)  # a call that has become longer than the time between two
    assert 100_000 <= now[0] - 5 * MS <= 100_000 + WINDOW
    assert tick.leaves(3 * MS)
    assert not tick.leaves(4 * MS - 100_000)


def test_calls_that_ticks_leave_no_room_for_are_refused() -> None:
    def workers(tick: Tick | None, needed: int) -> dict[str, Any]:
        answers = {"tick": tick, "usual": needed}
        return {OWN: SimpleNamespace(ask=answers.__getitem__)}

    tick = Tick(period=4 * MS, phase=MS, length=100_000)
    assert find_gap(workers(tick, MS)) == tick
    assert raises(lambda: find_gap(workers(None, MS))) == (
        "--between-ticks: wanted a timer tick to stay clear of, found none, or no regular one, on this core; "
        "leave it out"
    )
    assert raises(lambda: find_gap(workers(tick, 4 * MS))) == (
        f"--between-ticks: wanted calls that fit between two timer ticks, found {OWN}, a tick every 4 ms; "
        "leave it out: ticks weigh little on calls so long"
    )


def test_after_a_wait_a_call_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    waits = iter([True, False])
    tick = Tick(4 * MS, 0, 0)
    monkeypatch.setattr(Tick, "wait", lambda *_: next(waits))
    monkeypatch.setattr("s2c.determinism.worker.slowest_usual", lambda _: 1)
    assert len(time_calls(recording_session(calls), 2, tick=tick)) == 2
    assert calls == ["refill", "call", "refill", "call", "refill", "call"]


# what a process is given


def test_a_refusal_is_told() -> None:
    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    assert attempt(refuse) == "Operation not permitted"
    assert attempt(lambda: 3) == ""


@pytest.mark.parametrize(
    ("text", "cores"), [("\n", set()), ("3\n", {3}), ("1-3,6\n", {1, 2, 3, 6}), ("0,2\n", {0, 2})]
)
def test_lists_of_cores(text: str, cores: set[int]) -> None:
    assert parse_cores(text) == cores


# processes


def open_sleepy(path: Path, settings: Settings) -> Session:
    """Its call allocates a megabyte, which is too large for Python's own allocator."""
    kept = [np.zeros(2, np.float32)]

    def write(arrays: Any) -> None:
        kept[0] = arrays[0]

    return Session(
        shapes=(((2,), np.dtype(np.float32)),),
        write=write,
        call=lambda: bytes(1_000_000),
        read=lambda: [kept[0] * 2],
    )


def open_never(path: Path, settings: Settings) -> Session:
    raise ValueError(f"cannot read {path.name}\nand more lines")


def open_doomed(path: Path, settings: Settings) -> Session:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.build
def test_a_worker_runs_times_and_counts() -> None:
    with Worker(Job("sleepy", Path(), open_sleepy)) as worker:
        assert worker.granted == {}
        assert worker.ask("shapes") == (((2,), np.dtype(np.float32)),)
        assert worker.ask("run", [np.array([1, 2], np.float32)])[0].tolist() == [2.0, 4.0]
        assert worker.ask("time", 5, 1).shape == (5,)
        counts = worker.ask("count")
        assert counts.keys() == TITLES.keys()
        assert 1 <= counts["mallocs"]["of_a_call"] < 3
        with pytest.raises(WorkerError, match=r"sleepy: TypeError: "):
            worker.ask("time", "three")
        assert len(worker.ask("time", 2)) == 2


@pytest.mark.build
def test_an_empty_loop_takes_as_long_as_asked_and_does_nothing() -> None:
    job = Job(EMPTY, Path(), partial(open_spin, nanoseconds=200_000.0), is_settled=True)
    with Worker(job) as worker:
        assert {"SCHED_FIFO", "mlockall", "prefault"} < worker.granted.keys()
        assert 100_000 < float(np.min(worker.ask("time", 50))) < 400_000
        counts = worker.ask("count")
        assert counts["mallocs"]["of_a_call"] == 0.0
        assert counts["page_faults"]["of_a_call"] == 0.0
        assert counts["syscalls"]["of_a_call"] in (0.0, None)


@pytest.mark.build
def test_a_runtime_that_fails_says_why() -> None:
    with pytest.raises(WorkerError, match=r"^never: ValueError: cannot read a\.onnx$"):
        Worker(Job("never", Path("a.onnx"), open_never))
    with pytest.raises(WorkerError, match=r"^doomed: its process ended with status -9$"):
        Worker(Job("doomed", Path(), open_doomed))


@pytest.mark.build
def test_each_turn_writes_its_inputs() -> None:
    with Worker(Job("sleepy", Path(), open_sleepy)) as worker:
        inputs = (np.array([5, 6], np.float32),)
        entries = {"with": Entry(worker, inputs), "without": Entry(worker)}
        told: list[float] = []
        times = take_turns(entries, {"with": 3, "without": 2}, Pace(4, skipped=1), tell=told.append)
        assert {name: len(each) for name, each in times.items()} == {"with": 12, "without": 8}
        assert told == [0.0, 0.25, 0.5, 0.75]
        assert (times["with"] > 0).all()


@pytest.mark.build
def test_turns_begin_when_others_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(turns.time, "sleep", slept.append)
    with Worker(Job("sleepy", Path(), open_sleepy)) as worker:
        take_turns({"a": Entry(worker), "b": Entry(worker)}, {"a": 1, "b": 1}, Pace(3, settle=0.25))
    assert slept.count(0.25) == 6


# peers


def message(problem: pytest.ExceptionInfo[CompileError]) -> str:
    return str(problem.value)


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(CompileError) as problem:
        check_peers(["onnxruntime", "tvm"])
    assert message(problem) == (
        "--against: wanted some of onnxruntime, openvino, litert, torch, found tvm; "
        "name these, with commas between"
    )


def test_a_peer_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CompileError) as problem:
        check_peers(["openvino"])
    assert message(problem) == (
        "--against openvino: wanted the Python module openvino, found it is not installed; "
        "pip install openvino, or leave it out"
    )


def test_peers_keep_their_order_and_come_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert check_peers(["litert", "onnxruntime", "litert"]) == ("litert", "onnxruntime")


def test_each_peer_gets_a_file_that_it_reads() -> None:
    models = [Path("b.tflite"), Path("a.onnx")]
    assert pick_model("onnxruntime", models) == Path("a.onnx")
    assert pick_model("litert", models) == Path("b.tflite")
    assert pick_model("openvino", models) == Path("b.tflite")
    with pytest.raises(CompileError) as problem:
        pick_model("torch", models)
    assert message(problem) == (
        "--against torch: wanted a model that it reads: .pt2, found b.tflite, a.onnx; "
        "add --model FILE.pt2, the same net"
    )


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(CompileError) as problem:
        find_models(Path("out"), {"model": {"file": "kws.onnx"}}, [Path("nix.onnx")])
    assert message(problem) == (
        "--model nix.onnx: wanted a model file, found no such file; name the file of the same net"
    )


def test_given_models_come_first(tmp_path: Path) -> None:
    given = tmp_path / "a.tflite"
    given.write_bytes(b"")
    found = find_models(Path("out"), {"model": {"file": "kws.onnx"}}, [given])
    assert found == [given, Path("out/kws.onnx")]


def test_another_net_is_refused() -> None:
    entry = Entry(None, (np.zeros((1, 640)),))  # type: ignore[arg-type]
    manifest = {"inputs": [{"shape": [1, 490]}]}
    with pytest.raises(CompileError) as problem:
        refuse_other_nets(manifest, {"onnxruntime": entry})
    assert message(problem) == (
        "--against onnxruntime: wanted inputs of [490] elements, found [640]; "
        "give it the same net with --model"
    )
    refuse_other_nets({"inputs": [{"shape": [1, 640, 1]}]}, {"onnxruntime": entry})


def test_a_shape_that_is_not_fixed_is_named() -> None:
    assert zeros("x", [1, 2], "f4").shape == (1, 2)
    with pytest.raises(ValueError, match=r"x has no fixed shape: \['batch', 2\]"):
        zeros("x", ["batch", 2], "f4")


# inputs


def test_hostile_inputs_of_floats() -> None:
    found = hostile_inputs([Type((2,), "f32"), Type((1,), "i8")])
    assert found.keys() == {"subnormal", "NaN", "infinity"}
    assert 0 < found["subnormal"][0][0] < np.finfo(np.float32).tiny
    assert np.isnan(found["NaN"][0]).all()
    assert np.isinf(found["infinity"][0]).all()
    assert all(arrays[1].tolist() == [0] for arrays in found.values())


def test_hostile_inputs_of_integers() -> None:
    found = hostile_inputs([Type((1,), "i8")])
    assert {name: arrays[0].tolist() for name, arrays in found.items()} == {
        "lowest": [-128],
        "highest": [127],
    }


def test_all_runtimes_draw_the_same_inputs() -> None:
    shapes = (((2, 3), np.dtype(np.float32)), ((4,), np.dtype(np.int8)))
    for a, b in zip(draw_inputs(shapes), draw_inputs(shapes), strict=True):
        assert (a == b).all()
    assert [array.dtype.name for array in draw_inputs(shapes)] == ["float32", "int8"]


# the report


def count(value: float | None, why_not: str = "") -> dict[str, Any]:
    return {"of_a_call": value, "why_not": why_not}


def make_document(ratio: float = 3.0) -> dict[str, Any]:
    figures = {"calls": 9, "minimum": 48.0, "p50": 50.0, "p99": 60.0, "p99_9": 75.0, "p99_99": 80.0}
    counts = {
        "page_faults": count(0.0),
        "syscalls": count(2.0),
        "instructions": count(None, "no counter"),
        "mallocs": count(168.06),
    }
    entries = [
        {"name": OWN, **figures, "maximum": 1700.0, "ratio": 1.5, **counts},
        {"name": f"{OWN}, NaN", **figures, "maximum": 90.0, "ratio": 1.5},
        {"name": "openvino", **figures, "maximum": 90.0, "ratio": 2.5, **counts},
        {"name": EMPTY, **figures, "maximum": 90.0, "ratio": ratio, **counts},
    ]
    granted = {"core 1": "", "SCHED_FIFO": "Operation not permitted"}
    return {
        "net": HOSTILE_NAME,
        "float_mode": "subnormals count as zero",
        "date": "2026-01-02",
        "machine": "a machine",
        "versions": {"s2c": "0.1.0", "openvino": "1.0"},
        "core": 1,
        "cores": 2,
        "calls": 9,
        "turn": 3,
        "skipped": 3,
        "rest": 0.0,
        "tick": None,
        "counted_calls": 200,
        "granted": dict.fromkeys((OWN, "openvino", EMPTY), granted),
        "valgrind": {"normal": 100.0, "NaN": 100.0},
        "entries": entries,
    }


def test_tables() -> None:
    rows = time_rows(make_document())
    assert rows[0] == (OWN, "48.00", "50.00", "60.00", "75.00", "80.00", "1,700", "1.50")
    assert [row[0] for row in rows] == [OWN, "s2c, NaN", "openvino", EMPTY]
    assert count_rows(make_document())[1] == ("openvino", "0", "2", "-", "168.06")
    assert [row[0] for row in count_rows(make_document())] == [OWN, "openvino", EMPTY]
    assert len(describe_determinism(make_document())) == 3
    assert (microseconds(999.994), microseconds(1000.0)) == ("999.99", "1,000")


def test_facts_say_that_calls_meet_no_tick() -> None:
    document = make_document() | {"tick": asdict(Tick(4 * MS, 3, 81_000))}
    found = facts(document)["timer ticks"]
    assert (
        found == "every 4 ms, over within 81 µs: each call begins behind one, in time to end before the next"
    )
    assert "timer ticks" not in facts(make_document())


def test_facts_say_what_was_not_permitted_and_not_counted() -> None:
    found = facts(make_document())
    assert found["permitted"] == "core 1"
    assert found["not permitted"] == (
        "SCHED_FIFO (s2c: Operation not permitted, openvino: Operation not permitted, "
        "empty loop: Operation not permitted)"
    )
    assert found["no instructions"] == "no counter"
    assert found["floats of s2c"] == "subnormals count as zero"
    assert found["valgrind"] == "100 instructions, for normal, NaN inputs alike"


def test_facts_weigh_ratios_by_the_machine() -> None:
    assert facts(make_document(ratio=3.0))["noise"].endswith("so what differs between them may be noise")
    assert facts(make_document(ratio=2.0))["noise"].endswith("above it: openvino")


def test_facts_give_delays_that_do_not_weigh_by_the_length() -> None:
    assert facts(make_document())["delay"] == (
        "p99.9 less p50, in µs: s2c 25.00, openvino 25.00, empty loop 25.00; "
        "a long call is interrupted more often"
    )


def test_instructions_that_differ_are_shown() -> None:
    assert valgrind_text({"normal": 3.0, "NaN": 4.0}) == "normal: 3, NaN: 4 instructions"
    assert valgrind_text({"why_not": "valgrind is not installed"}) == "valgrind is not installed"


def test_missing_valgrind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert valgrind.count_by_valgrind(Path(), {}) == {"why_not": "valgrind is not installed"}


@pytest.mark.build
def test_page_is_complete_and_escaped(tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 's2c[report]'")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 's2c[report]'")
    from s2c.determinism.page import write_report

    source = np.random.default_rng(0)
    names = [each["name"] for each in make_document()["entries"]]
    times = {name: (50_000 * (1 + source.exponential(0.1, 500))).astype(np.int64) for name in names}
    for _ in range(2):  # an older report is replaced
        files = write_report(tmp_path / "out", make_document(), times)
    assert [path.name for path in files] == [
        "determinism.html",
        "determinism.json",
        "histogram.png",
        "quantiles.png",
    ]
    page = files[0].read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org/", "").replace("http-equiv", "")
    assert "168.06" in page and "Operation not permitted" in page
    assert json.loads(files[1].read_text())["calls"] == 9
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files[2:])


# the verb


def s2c(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with compile_net(DEMO) as program:
        return program.save(tmp_path_factory.mktemp("determinism") / "digits")


@pytest.mark.build
def test_the_demo_net_without_peers(digits: Path) -> None:
    document, times = measure_determinism(digits, [], [], 100)
    names = [OWN, "s2c, subnormal", "s2c, NaN", "s2c, infinity", EMPTY]
    assert [each["name"] for each in document["entries"]] == names == list(times)
    assert all(len(each) == 100 for each in times.values())
    own = document["entries"][0]
    assert own["minimum"] <= own["p50"] <= own["p99"] <= own["p99_9"] <= own["p99_99"] <= own["maximum"]
    assert own["mallocs"]["of_a_call"] == 0.0
    assert own["page_faults"]["of_a_call"] == 0.0
    assert own["syscalls"]["of_a_call"] in (0.0, None)
    assert set(document["granted"]) == {OWN, EMPTY}


@pytest.mark.build
def test_bench_determinism(digits: Path, tmp_path: Path) -> None:
    result = s2c("bench", digits, "--determinism", "--calls", 40, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "p99.9/p50" in result.stdout and "empty loop" in result.stdout
    assert "determinism.html, determinism.json, histogram.png, quantiles.png." in result.stdout
    document = json.loads(s2c("bench", digits, "--determinism", "--calls", 40, "--json").stdout)
    assert document["calls"] == 40


@pytest.mark.build
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--determinism", "--against", "tvm"], "--against: wanted some of onnxruntime, "),
        (["--determinism", "--against", "torch"], "--against torch: wanted a model that it reads: .pt2"),
        (["--against", "torch"], "--against: wanted --determinism beside it, found none"),
        (["--between-ticks"], "--between-ticks: wanted --determinism beside it, found none"),
        (["-o", "out"], "-o: wanted --determinism beside it, found none"),
    ],
)
def test_refusals(digits: Path, arguments: list[str], said: str) -> None:
    if "torch" in arguments:
        pytest.importorskip(PEERS["torch"].module, reason="torch is not installed: pip install 's2c[torch]'")
    result = s2c("bench", digits, *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.build
def test_an_emulated_net_is_refused(tmp_path: Path) -> None:
    with compile_net(DEMO, target="cortex-m4") as program:
        folder = program.save(tmp_path / "digits")
    with pytest.raises(CompileError) as problem:
        measure_determinism(folder, [], [], 10)
    assert message(problem) == (
        "--determinism: wanted a net for this machine, found one for cortex-m4; "
        "compile with --target host; s2c bench counts the instructions of this one"
    )


@pytest.mark.build
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_peers_run_what_s2c_runs(digits: Path, name: str) -> None:
    """Their outputs are those of the demo's net."""
    module = PEERS[name].module
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 's2c[bench]'")
    with Worker(Job(name, DEMO, PEERS[name].open)) as peer, compile_net(DEMO) as program:
        (inputs,) = draw_inputs(peer.ask("shapes"))
        (found,) = peer.ask("run", [inputs])
        wanted = program(inputs.reshape(program.manifest["inputs"][0]["shape"]))
    assert np.allclose(found.reshape(-1), np.asarray(wanted).reshape(-1), atol=1e-5)
