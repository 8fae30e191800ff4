"""The cost model of chips against what README's table says that devices took."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from nets import data

from s2c.driver import compile_model, make_request
from s2c.readers.graph_file import write_graph
from s2c.silicon.area import estimate

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path += [str(BENCH), str(BENCH / "silicon")]

from devices import make_mlp  # noqa: E402

README = BENCH.parent / "README.md"
ROW = re.compile(r"^\| (\S.*?) \| s2c, (\d+) lanes \| (.*) \|$", re.MULTILINE)
FILES = {"kws": "mlperf_tiny/kws_ref_model.tflite", "ad01": "mlperf_tiny/ad01_int8.tflite"}
MLP = "MLP 64-32-10"
LOGIC, BLOCKS = 1 / 7, 2  # how far the model may be off: a share, and blocks of memory
CASES = [each for each in ROW.findall(README.read_text(encoding="utf-8")) if each[0] in (*FILES, MLP)]


def test_the_table_has_rows() -> None:
    assert {name for name, *_ in CASES} == {*FILES, MLP}


@pytest.mark.parametrize(
    ("name", "lanes", "cells"), CASES, ids=[f"{name}-{lanes}" for name, lanes, _ in CASES]
)
def test_estimates_are_near_what_devices_took(name: str, lanes: str, cells: str, tmp_path: Path) -> None:
    path = tmp_path / "mlp.s2c"
    if name == MLP:
        write_graph(path, make_mlp())
    else:
        path = data(FILES[name])
    schedule = compile_model(make_request(path, "asic", lanes=int(lanes))).schedule
    assert schedule is not None
    numbers = [int(cell.replace(",", "")) for cell in cells.split(" | ")[1:7]]
    cycles, luts, carries, _, multipliers, blocks = numbers
    found = estimate(schedule)
    assert schedule.cycles == cycles
    assert found.multipliers == multipliers
    assert abs(found.block_rams - blocks) <= BLOCKS
    assert abs(found.logic / (luts + 2 * carries) - 1) <= LOGIC
