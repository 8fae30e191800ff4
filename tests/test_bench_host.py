"""The pure functions of bench/host: schedules, figures, tables."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))

from host.measure import OWN, compare, peer_files, summarise
from host.nets import BF16, F32, INT8, NAMES, SMALL, Net, list_nets
from host.run import describe, parse, pick, pick_cores
from host.table import (
    MEDIAN,
    MINIMUM,
    best_peer,
    geometric_mean,
    limit_microseconds,
    load_rows,
    make_tables,
    ratio,
)


def row(net: str = "kws", precision: str = F32, threads: int = 1, **times: float | None) -> dict[str, Any]:
    """None: the runtime failed."""
    figures = {
        name: {"error": "it broke"} if time is None else {MINIMUM: time, MEDIAN: 2 * time, "calls": 9}
        for name, time in times.items()
    }
    if "minimum_microseconds" in figures.get(OWN, {}):
        figures[OWN]["oracle"] = {"error": 3e-7, "unit": "share", "exact": False}
    return {
        "net": net,
        "precision": precision,
        "threads": threads,
        "made": False,
        "macs": 2_000_000,
        "peak_gmacs": 50.0,
        "runtimes": figures,
        "date": "2026-01-02",
        "machine": "a machine",
        "versions": {"s2c": "0.1.0"},
        "granted": {name: {"SCHED_FIFO": ""} for name, time in times.items() if time is not None},
    }


# figures


def test_ratio_is_to_the_best_peer() -> None:
    given = row(onnxruntime=30.0, openvino=20.0, litert=None, s2c=10.0)
    assert best_peer(given, MINIMUM) == 20.0
    assert ratio(given, MINIMUM) == 2.0
    assert ratio(given, MEDIAN) == 2.0


def test_no_ratio_without_both() -> None:
    assert ratio(row(s2c=10.0), MINIMUM) is None
    assert ratio(row(openvino=10.0, s2c=None), MINIMUM) is None


def test_s2c_is_no_peer_of_its_own() -> None:
    assert best_peer(row(openvino=20.0, s2c=10.0), MINIMUM) == 20.0


def test_geometric_mean() -> None:
    assert math.isclose(geometric_mean([1.0, 4.0]), 2.0)


def test_limit() -> None:
    assert limit_microseconds(row()) == 40.0
    assert limit_microseconds({**row(), "peak_gmacs": None}) is None


def test_summary_is_in_microseconds() -> None:
    assert summarise(np.array([3000, 1000, 2000])) == {"calls": 3, MINIMUM: 1.0, MEDIAN: 2.0}


@pytest.mark.parametrize(
    ("wanted", "found", "error", "unit", "exact"),
    [
        ([1.0, -4.0], [1.0, -4.0], 0.0, "share", True),
        ([1.0, -4.0], [2.0, -4.0], 0.25, "share", False),
        ([0.0, 0.0], [0.0, 0.0], 0.0, "share", True),
    ],
)
def test_compare_floats(
    wanted: list[float], found: list[float], error: float, unit: str, exact: bool
) -> None:
    result = compare([np.array(wanted, np.float32)], [np.array(found, np.float32)])
    assert result == {"error": error, "unit": unit, "exact": exact}


def test_compare_integers_in_steps() -> None:
    result = compare([np.array([-128, 5], np.int8)], [np.array([127, 5], np.int8)])
    assert result == {"error": 255.0, "unit": "steps", "exact": False}


def test_a_nan_is_never_right() -> None:
    result = compare([np.ones(2, np.float32)], [np.array([1, np.nan], np.float32)])
    assert math.isnan(result["error"])
    assert not result["exact"]


def test_shapes_may_differ_between_formats() -> None:
    assert compare([np.ones((1, 4))], [np.ones((2, 2))])["exact"]


# what is measured


def test_peers_take_what_they_read() -> None:
    onnx, tflite = Path("a.onnx"), Path("a.tflite")
    assert peer_files(Net("a", F32, onnx, tflite, onnx)) == {
        "onnxruntime": onnx,
        "openvino": onnx,
        "litert": tflite,
    }
    assert "litert" not in peer_files(Net("a", F32, onnx, None, onnx))
    assert peer_files(Net("a", BF16, onnx, tflite, onnx)) == {"openvino": onnx}


def test_every_small_net_is_listed(tmp_path: Path) -> None:
    data = Path("data")
    nets = list_nets(SMALL, [F32], data, tmp_path)
    assert [net.name for net in nets] == list(SMALL)
    assert all(net.own == net.onnx == data / "bench_nets" / f"{net.name}.onnx" for net in nets)
    kws = list_nets(["kws"], [INT8], data, tmp_path)[0]
    assert kws.own == kws.tflite == data / "mlperf_tiny" / "kws_ref_model.tflite"
    assert not kws.made
    assert not list(tmp_path.iterdir())


def test_unknown_nets_are_refused() -> None:
    assert pick("kws,ad01", NAMES, "--nets") == ["kws", "ad01"]
    with pytest.raises(SystemExit, match=r"--nets: unknown nix; known: ad01, "):
        pick("kws,nix", NAMES, "--nets")


def test_one_thread_stays_on_one_core() -> None:
    assert pick_cores(1, 0) == (0,)
    assert len(pick_cores(1, None)) == 1
    assert set(pick_cores(1, None)) <= set(pick_cores(2, None))


def test_options() -> None:
    given = parse(["--nets", "kws", "--quick"])
    assert (given.nets, given.quick, given.readme) == ("kws", True, False)


# text


def test_tables() -> None:
    rows = [
        row("ad01", onnxruntime=30.0, openvino=20.0, litert=40.0, s2c=10.0),
        row("kws", onnxruntime=30.0, openvino=20.0, s2c=40.0),
        row("kws", threads=2, onnxruntime=15.0, openvino=None, s2c=None),
    ]
    lines = make_tables(rows).splitlines()
    assert lines[0] == "One thread, fp32:"
    times = "30.0 / 60.0 | 20.0 / 40.0 | 40.0 / 80.0 | 10.0 / 20.0"
    assert lines[4] == f"| ad01 | 2.00 | 40.0 | {times} | 2.00 | 2.00 | 400% | 3e-07 |"
    assert lines[5].startswith("| kws | 2.00 | 40.0 | 30.0 / 60.0 | 20.0 / 40.0 | - | 40.0 / 80.0 | 0.50 |")
    assert lines[6] == "| geometric mean |  |  |  |  |  |  | 1.00 | 1.00 |  |  |"
    assert "| kws | 2 | 15.0 (2.00x) | - | - | - |" in lines
    caption = lines[-1]
    assert "s2c in fp32 with 2 threads: it broke." in caption
    assert "calls interleaved, under SCHED_FIFO. limit" in caption
    assert "Measured on 2026-01-02 by `bench/host/run.py` with s2c 0.1.0; machine: a machine." in caption


def test_what_was_not_granted_is_not_claimed() -> None:
    given = row(openvino=2.0, s2c=1.0)
    given["granted"]["openvino"]["SCHED_FIFO"] = "Operation not permitted"
    assert "SCHED_FIFO" not in make_tables([given])


def test_no_rows_no_tables() -> None:
    assert make_tables([]) == ""


def test_made_nets_are_marked() -> None:
    text = make_tables([{**row(precision=INT8, openvino=2.0, s2c=1.0), "made": True}])
    assert "| kws (a) |" in text
    assert "(a): no trained int8 file" in text


def test_rows_are_read_in_order(tmp_path: Path) -> None:
    for index, each in enumerate([row("kws", INT8), row("kws", threads=2), row("kws"), row("ad01")]):
        (tmp_path / f"{index}.json").write_text(json.dumps(each))
    found = [(each["net"], each["precision"], each["threads"]) for each in load_rows(tmp_path)]
    assert found == [("ad01", F32, 1), ("kws", F32, 1), ("kws", F32, 2), ("kws", INT8, 1)]


def test_a_line_while_it_measures() -> None:
    assert describe(row(openvino=2.0, s2c=None)) == "kws f32: openvino 2.0/4.0  s2c: it broke"
    assert describe(row(threads=2, openvino=2.0)) == "kws f32, 2 threads: openvino 2.0/4.0"
