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
from s2c.silicon.stream_cost import estimate_stream

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path += [str(BENCH), str(BENCH / "silicon")]

from devices import make_mlp  # noqa: E402

README = BENCH.parent / "README.md"
ROW = re.compile(r"^\| (\S.*?) \| s2c, (\d+) lanes(, stream)? \| (.*) \|$", re.MULTILINE)
FILES = {"kws": "mlperf_tiny/kws_ref_model.tflite", "ad01": "mlperf_tiny/ad01_int8.tflite"}
MLP = "MLP 64-32-10"
LOGIC, BLOCKS = 1 / 7, 2  # how far the model may be off: a share, and blocks of memory
STREAM_BLOCKS, STREAM_MULTIPLIERS = 3, 1  # of all stages together
CASES = [each for each in ROW.findall(README.read_text(encoding="utf-8")) if each[0] in (*FILES, MLP)]


def test_the_table_has_rows() -> None:
    assert {name for name, *_ in CASES} == {*FILES, MLP}


DATAPATHS = [(name, int(lanes), cells) for name, lanes, stream, cells in CASES if not stream]
STREAMS = [(name, int(lanes), cells) for name, lanes, stream, cells in CASES if stream]


@pytest.mark.parametrize(("name", "lanes", "cells"), DATAPATHS, ids=str)
def test_estimates_are_near_what_devices_took(name: str, lanes: int, cells: str, tmp_path: Path) -> None:
    schedule = compile_model(make_request(model(name, tmp_path), "asic", lanes=lanes)).schedule
    assert schedule is not None
    cycles, logic, multipliers, blocks = taken(cells)
    found = estimate(schedule)
    assert schedule.cycles == cycles
    assert found.multipliers == multipliers
    assert abs(found.block_rams - blocks) <= BLOCKS
    assert abs(found.logic / logic - 1) <= LOGIC


@pytest.mark.parametrize(("name", "lanes", "cells"), STREAMS, ids=str)
def test_estimates_of_streams(name: str, lanes: int, cells: str, tmp_path: Path) -> None:
    request = make_request(model(name, tmp_path), "asic", lanes=lanes, style="stream")
    stream = compile_model(request).stream
    assert stream is not None
    cycles, logic, multipliers, blocks = taken(cells)
    found = estimate_stream(stream)
    assert stream.cycles == cycles
    assert abs(found.multipliers - multipliers) <= STREAM_MULTIPLIERS
    assert abs(found.block_rams - blocks) <= STREAM_BLOCKS
    assert abs(found.logic / logic - 1) <= LOGIC


def model(name: str, folder: Path) -> Path:
    if name != MLP:
        return data(FILES[name])
    write_graph(folder / "mlp.s2c", make_mlp())
    return folder / "mlp.s2c"


def taken(cells: str) -> tuple[int, int, int, int]:
    """Cycles, logic cells, multipliers, blocks of memory of a row of the table."""
    numbers = [int(cell.replace(",", "")) for cell in cells.split(" | ")[1:7]]
    cycles, luts, carries, _, multipliers, blocks = numbers
    return cycles, luts + 2 * carries, multipliers, blocks
