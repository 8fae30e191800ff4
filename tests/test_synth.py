"""s2c synth: a small chip through the tools that are here, and what is read from what they report."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphs import raises
from typer.testing import CliRunner, Result

from s2c.cli import app
from s2c.program import MANIFEST_VERSION
from s2c.silicon.devices import DEVICES, RESOURCES, TOOLS
from s2c.silicon.synthesis import (
    RESULT,
    read_area,
    read_artifact,
    read_delay,
    read_frequency,
    read_netlist,
    refuse_too_large,
)
from s2c.target import load_target

SOURCES = Path(__file__).parent / "silicon"
CYCLES = 1200
INTERVAL = 500  # where it is a pipeline
FLIP_FLOPS = 67  # of small.v: 33 with a reset, 10 more with an enable, and a product and a value without both
MEMORY_BITS = (1024 + 2048) * 8


def synth(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["synth", *map(str, arguments)], prog_name="s2c")


@pytest.fixture
def chip(tmp_path: Path) -> Path:
    """What s2c compile writes, as far as s2c synth reads it, with small.v for the net."""
    folder = tmp_path / "chip"
    folder.mkdir()
    for path in SOURCES.glob("small.*"):
        shutil.copyfile(path, folder / path.name)
    (folder / "small.c").touch()
    manifest = {"manifest_version": MANIFEST_VERSION, "name": "small", "target": "asic", "cycles": CYCLES}
    manifest |= {"arena_bytes": 2048}
    (folder / "small.json").write_text(json.dumps(manifest))
    return folder


def need_tools(device: str) -> None:
    missing = [each for each in DEVICES[device].family.programs if TOOLS[each].command() is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# with the tools


@pytest.mark.build
def test_ecp5(chip: Path) -> None:
    need_tools("ecp5-25k")
    old = chip / "small.ecp5-25k"
    old.mkdir()
    (old / RESULT).touch()  # so it may be replaced
    manifest = json.loads((chip / "small.json").read_text())
    (chip / "small.json").write_text(json.dumps(manifest | {"interval": INTERVAL, "ring_bytes": 1024}))
    result = json.loads(synth(chip, "--device", "ecp5-25k", "--mhz", "50", "--json").stdout)
    wanted = {"flip_flops": FLIP_FLOPS, "multipliers": 1, "block_rams": 2, "lut_rams": 0, "memory_bits": 0}
    assert {name: result[name] for name in wanted} == wanted
    assert 20 < result["luts"] < 80
    assert result["logic"] == result["luts"] + 2 * result["carries"]
    assert 50 < result["frequency_mhz"] < 200
    assert result["microseconds"] == pytest.approx(CYCLES / result["frequency_mhz"])
    assert result["interval"] == INTERVAL
    assert result["interval_microseconds"] == pytest.approx(INTERVAL / result["frequency_mhz"])
    assert Path(result["bitstream"]).stat().st_size > 100_000
    logs = ["ecppack.log", "nextpnr-ecp5.log", "yosys.log"]
    assert sorted(result["logs"]) == [str(old / name) for name in logs]
    assert entries(old) == sorted([*logs, "report.json", "small.bit", RESULT])


@pytest.mark.build
def test_generic(chip: Path) -> None:
    need_tools("generic")
    result = synth(chip, "--device", "generic")
    assert result.exit_code == 0, result.output
    written = json.loads((chip / "small.generic" / RESULT).read_text())
    assert (written["flip_flops"], written["memory_bits"]) == (FLIP_FLOPS, MEMORY_BITS)
    assert 150 < written["luts"] < 500
    assert (written["frequency_mhz"], written["bitstream"]) == (None, None)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"LUT4 {written['luts']}" in lines
    assert "memory bits 24,576" in lines
    assert "cycles 1,200" in lines


@pytest.mark.build
def test_cells_of_a_library(chip: Path, tmp_path: Path) -> None:
    need_tools("generic")
    asked = ("--device", "generic", "--liberty", SOURCES / "few.lib", "-o", tmp_path / "out", "--json")
    result = json.loads(synth(chip, *asked).stdout)
    flip_flops_area = FLIP_FLOPS * 5.0
    assert 2 * flip_flops_area < result["area"] < 10 * flip_flops_area
    assert 0.5 < result["delay_ns"] < 5
    assert entries(tmp_path / "out") == [RESULT, "yosys.log"]


# what the tools report


def netlist(path: Path, kinds: dict[str, int]) -> Path:
    cells = {
        f"{kind}_{index}": {"type": kind, "parameters": {"SIZE": "0110", "WIDTH": "01000"}}
        for kind, count in kinds.items()
        for index in range(count)
    }
    path.write_text(json.dumps({"modules": {"LUT4": {"cells": {}}, "net": {"cells": cells}}}))
    return path


def test_netlists(tmp_path: Path) -> None:
    kinds = {"LUT4": 7, "CCU2C": 3, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 5, "PFUMX": 4, "DP16KD": 1}
    used, bits = read_netlist(netlist(tmp_path / "a", kinds), "net", DEVICES["ecp5-85k"])
    assert used == {
        "luts": 7,
        "carries": 3,
        "lut_rams": 2,
        "flip_flops": 5,
        "multipliers": 0,
        "block_rams": 1,
        "logic": 7 + 2 * 3 + 6 * 2,
    }
    assert bits == 0
    kinds = {"SB_LUT4": 3, "SB_DFF": 1, "SB_DFFESR": 2, "SB_RAM40_4K": 1, "SB_RAM40_4KNW": 1, "SB_MAC16": 1}
    used, _ = read_netlist(netlist(tmp_path / "b", kinds), "net", DEVICES["ice40-up5k"])
    assert (used["flip_flops"], used["block_rams"], used["multipliers"], used["logic"]) == (3, 2, 1, 3)
    kinds = {"$lut": 3, "$_DFF_P_": 1, "$_SDFFE_PP0P_": 2, "$mem_v2": 2}
    used, bits = read_netlist(netlist(tmp_path / "c", kinds), "net", DEVICES["generic"])
    assert (used["luts"], used["flip_flops"], used["logic"], bits) == (3, 3, 0, 2 * 6 * 8)


def test_frequency_of_the_slowest_clock(tmp_path: Path) -> None:
    clocks = {
        "clock": {"achieved": 101.5, "constraint": 100},
        "other": {"achieved": 99.25, "constraint": 100},
    }
    (tmp_path / "report.json").write_text(json.dumps({"fmax": clocks, "utilization": {}}))
    assert read_frequency(tmp_path / "report.json") == 99.25


@pytest.mark.parametrize("of", ["module", "top module"])
def test_area_and_delay(tmp_path: Path, of: str) -> None:
    (tmp_path / "yosys.log").write_text(f"   Chip area for {of} '\\net': 2000.700000\n     of which used\n")
    (tmp_path / "stats.txt").write_text("netlist 77 60 1228 1665 1778 ")
    assert read_area(tmp_path / "yosys.log", Path("few.lib")) == 2000.7
    assert read_delay(tmp_path / "stats.txt") == 1.778


# without the tools


def fake_yosys(folder: Path, script: str) -> dict[str, str]:
    """An environment where yosys is that shell script."""
    folder.mkdir()
    (folder / "yosys").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "yosys").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def failing(chip: Path, monkeypatch: pytest.MonkeyPatch, script: str, *arguments: object) -> str:
    """What s2c synth says when yosys is that script; the artifact stays as it was."""
    monkeypatch.setenv("PATH", fake_yosys(chip.parent / "bin", script)["PATH"])
    before = entries(chip)
    result = synth(chip, "--device", "generic", *arguments)
    assert result.exit_code == 2, result.output
    assert entries(chip) == before
    return result.stderr


def test_a_tool_that_fails(chip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 1. Reading > yosys.log; echo ERROR: no >> yosys.log; echo more; exit 3"
    said = failing(chip, monkeypatch, script)
    assert said.startswith(
        "synthesising small\nerror: yosys: wanted exit status 0 from: yosys -q -l yosys.log"
    )
    assert said.endswith(
        "found 3: ERROR: no; fewer --lanes, or a larger --device, if it found no room; else this is a bug of "
        "s2c or the tool\n"
    )


def test_a_library_without_areas(chip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells: dict[str, Any] = {"modules": {"small": {"cells": {}}}}
    script = f"echo '{json.dumps(cells)}' > netlist.json; touch yosys.log"
    library = chip / "small.lib"
    library.touch()
    said = failing(chip, monkeypatch, script, "--liberty", library)
    assert said == (
        f"synthesising small\nerror: --liberty {library}: wanted cells with an area, found none; "
        "give a library of standard cells\n"
    )


def test_interrupted(chip: Path, tmp_path: Path) -> None:
    """Nothing half-written stays, and no child."""
    fill = "head -c 200000 /dev/zero"  # ends once somebody reads it: more than a pipe holds
    tell = f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid"
    environment = fake_yosys(tmp_path / "bin", f"{fill}; {tell}; exec sleep 600")
    command = "from s2c.cli import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-c", command, "synth", chip, "--device", "generic", "-o", tmp_path / "a/out"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not (tmp_path / "pid").exists():
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGINT)
    assert child.communicate()[1] == "synthesising small\ninterrupted\n"
    assert child.returncode == 130
    assert entries(tmp_path) == ["bin", "chip", "pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def taken(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(RESOURCES, 0), **counts}


def test_too_small_a_device() -> None:
    """All that there is too little of, with the devices of the family that have room."""
    do = "take --device ecp5-85k, or compile it with fewer --lanes, or a smaller net"
    net = taken(multipliers=40, logic=30_000)
    assert raises(lambda: refuse_too_large("kws", DEVICES["ecp5-25k"], net)) == (
        f"kws: wanted at most 24,288 logic cells for ecp5-25k, found 30,000; {do}\n"
        f"kws: wanted at most 28 multipliers for ecp5-25k, found 40; {do}"
    )
    assert raises(lambda: refuse_too_large("kws", DEVICES["ice40-up5k"], taken(block_rams=31))) == (
        "kws: wanted at most 30 block RAM for ice40-up5k, found 31; "
        "compile it with fewer --lanes, or a smaller net"
    )
    for device in DEVICES.values():
        refuse_too_large("kws", device, taken(**device.capacity))


def test_too_many_bits_for_a_device(chip: Path) -> None:
    """Said before any tool runs, or is looked for."""
    rom = "".join(f"{word:04x}0 // layer\n" for word in range(1 << 14))
    (chip / "small.params.hex").write_text(rom)
    weights = len((chip / "small.weights.hex").read_text().split())
    bits = 14 * (1 << 14) + 8 * (weights + 2048)  # fourteen bits of a word vary
    room = 30 * 4096 + 5280 * (16 + 1)
    assert bits > room
    assert refused(chip, "--device", "ice40-up5k") == (
        f"error: small: wanted at most {room:,} bits of memory for ice40-up5k, even if all its logic were "
        f"memory, found {bits:,} in ROMs and arena; take --device ecp5-25k or ecp5-85k, or a smaller net\n"
    )


def refused(chip: Path, *arguments: object) -> str:
    result = synth(chip, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def test_options_that_do_not_go_together(chip: Path) -> None:
    assert refused(chip, "--device", "ecp5-25k", "--liberty", "x.lib") == (
        "error: --liberty: wanted --device generic beside it, found ecp5-25k; "
        "name --device generic, or omit --liberty\n"
    )
    assert refused(chip, "--device", "generic", "--mhz", "50") == (
        "error: --mhz: wanted a device or --liberty FILE, found --device generic alone; "
        "add one, or omit --mhz\n"
    )


def test_artifacts_of_other_targets(chip: Path, tmp_path: Path) -> None:
    manifest = chip / "small.json"
    manifest.write_text(manifest.read_text().replace("asic", "host"))
    assert refused(chip, "--device", "generic") == (
        f"error: {chip}: wanted a chip, as target asic gives, found one of target host; "
        "compile the model again, with --target asic\n"
    )
    assert refused(tmp_path, "--device", "generic") == (
        f"error: {tmp_path}: wanted a folder that s2c compile wrote, found no manifest in it; "
        "compile a model into it\n"
    )


def test_a_board_with_a_chip(chip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any target that extends asic is one."""
    board = replace(load_target("asic"), name="board")
    monkeypatch.setattr("s2c.silicon.synthesis.load_target", {"board": board}.get)
    manifest = chip / "small.json"
    manifest.write_text(manifest.read_text().replace("asic", "board"))
    assert read_artifact(chip)["target"] == "board"


def test_foreign_folders_stay(chip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").touch()
    said = failing(chip, monkeypatch, "exit 1", "-o", tmp_path)
    assert said == (
        f"error: -o {tmp_path}: wanted a new folder, or one that s2c synth wrote, found bin, chip, mine; "
        "name another folder\n"
    )
    (tmp_path / "empty").mkdir()
    assert "exit status 0" in refused(chip, "--device", "generic", "-o", tmp_path / "empty")
