"""Emitted Verilog in simulators: outputs equal the oracle's, cycles the schedule's, for whatever input."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from graphs import GEOMETRY, QUANT, floats, mixed_arrays, random_arrays, seeded, single, tensor
from nets import data
from test_schedule import LANES, SEEDS, plan_for_chip, schedules

from s2c import oracle
from s2c.driver import compile_model, make_request
from s2c.emit.verilog import emit_verilog
from s2c.emit.verilog_chip import PAGE, Chip
from s2c.ir import Graph, Node
from s2c.ops import make
from s2c.ops.softmax import RESULT
from s2c.silicon import simulators
from s2c.silicon.instructions import Rounding, Unit
from s2c.silicon.schedule import SCHEDULERS, Schedule, make_schedule
from s2c.silicon.simulators import SIMULATORS, execute

QUICK = ((5, 8), (14, 8), (19, 2), (25, 8), (27, 8), (29, 1), (31, 2), (36, 16))  # seed, lanes
WIDE = (32, 64)  # lanes that give several results at once
WHOLE = {"ad01": "mlperf_tiny/ad01_int8.tflite", "kws": "mlperf_tiny/kws_ref_model.tflite"}
RUNS = 5  # that adversarial() gives


def need(simulator: str) -> None:
    missing = SIMULATORS[simulator].missing()
    if missing:
        pytest.skip(f"{simulator} is not installed: {missing}")


def emitted(schedule: Schedule, folder: Path, page: int = PAGE) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in emit_verilog(schedule, "net", "a net of the tests", page).items():
        (folder / name).write_text(text)
    return folder


def stored(arrays: tuple[np.ndarray, ...]) -> bytes:
    return b"".join(each.tobytes() for each in arrays)


def adversarial(graph: Graph) -> list[tuple[np.ndarray, ...]]:
    """What is drawn, edges among it, and the least and the largest value everywhere."""
    ends = [
        tuple(
            np.full(each.type.shape, end(np.iinfo(each.type.numpy)), each.type.numpy) for each in graph.inputs
        )
        for end in (lambda kind: kind.min, lambda kind: kind.max)
    ]
    return [random_arrays(graph), mixed_arrays(graph, 1), *ends, random_arrays(graph, 2)]


def check(
    graph: Graph,
    schedule: Schedule,
    folder: Path,
    simulator: str,
    stall: bool = False,
    page: int = PAGE,
    count: int = RUNS,
) -> None:
    emitted(schedule, folder, page)
    check_emitted(graph, schedule, folder, simulator, stall, count)


def check_emitted(
    graph: Graph, schedule: Schedule, folder: Path, simulator: str, stall: bool = False, count: int = RUNS
) -> None:
    """count: of how many inputs."""
    need(simulator)
    runs = adversarial(graph)[:count]
    wanted = [stored(oracle.run(graph, *arrays)) for arrays in runs]
    work = folder / simulator
    work.mkdir(parents=True)
    inputs = [stored(arrays) for arrays in runs]
    found = SIMULATORS[simulator].simulate(folder, "net", work, inputs, len(wanted[0]), stall)
    assert found.outputs == wanted
    assert set(found.cycles) == {schedule.cycles}


@lru_cache(None)
def by_hand() -> dict[str, Graph]:
    """Nets of what random ones do not have."""
    unsigned = tensor("x", 3, 5, quant=QUANT)
    x = tensor("x", 3, 7, quant=QUANT)
    back = make("recenter", (make("recenter", (unsigned,), "up"),), "down")
    return {
        "max": single(make("max", (x,), "most", size=7), x),
        "recenter": single(back, unsigned),
        "softmax": softmax(2, 10),
        "softmax of one": softmax(3, 1),
        "softmax of many": softmax(1, 200),
    }


def softmax(rows: int, size: int) -> Graph:
    x = tensor("x", rows, size, quant=QUANT)
    return single(make("softmax", (x,), "y", RESULT, beta=1.0), x)


@lru_cache(None)
def wide_net() -> Graph:
    """For many lanes: padded convolutions of few columns, so that lanes share one, a sum, a softmax."""
    x = tensor("x", 1, 2, 2, 13, quant=QUANT)
    pick = seeded(7)
    padded = {**GEOMETRY, "pads": ((1, 1), (1, 0))}

    def layer(source: Node, name: str, geometry: Mapping[str, object]) -> Node:
        depth = source.type.shape[-1]
        weight = (floats(pick, 5, 3, 3, depth) * 40).clip(-127, 127).astype(np.int8)
        bias = (floats(pick, 5) * 300).astype(np.int32)
        constants = {"weight": weight, "bias": bias, "weight_scale": np.full(5, 0.002, np.float32)}
        return make("conv2d", (source,), name, QUANT, **geometry, **constants, groups=1)

    first = layer(x, "first", padded)
    second = layer(first, "second", {**GEOMETRY, "pads": ((1, 1), (1, 1))})
    added = make("add", (first, second), "added", QUANT)
    return Graph((x,), (make("softmax", (added,), "shares", RESULT, beta=1.0), added))


@lru_cache(None)
def wide_schedule(lanes: int) -> Schedule:
    return make_schedule(plan_for_chip(wide_net()), lanes)


@pytest.mark.parametrize("lanes", WIDE)
def test_many_lanes(lanes: int, tmp_path: Path) -> None:
    schedule = wide_schedule(lanes)
    assert {each.front.unit for each in schedule.instructions} >= {Unit.MULTIPLY, Unit.TABLE, Unit.SOFTMAX}
    assert any(each.front.image for each in schedule.instructions)
    assert any(each.front.merge for each in schedule.instructions)
    check(wide_net(), schedule, tmp_path, "icarus", stall=lanes == 64, count=2)


@pytest.mark.parametrize(("seed", "lanes"), QUICK)
def test_random_nets(seed: int, lanes: int, tmp_path: Path) -> None:
    graph, schedule = schedules(seed)[LANES.index(lanes)]
    check(graph, schedule, tmp_path, "icarus", stall=seed % 2 == 1)


@pytest.mark.parametrize("name", by_hand())
def test_small_nets(name: str, tmp_path: Path) -> None:
    graph = by_hand()[name]
    check(graph, make_schedule(plan_for_chip(graph), 4), tmp_path, "icarus")


def test_deep_roms(tmp_path: Path) -> None:
    """In pages: no other bytes, no other cycles."""
    graph, schedule = schedules(15)[LANES.index(8)]
    check(graph, schedule, tmp_path, "icarus", stall=True, page=32)
    for rom in ("weights", "params", "tables"):
        assert len(list(tmp_path.glob(f"net.{rom}.*.hex"))) > 1


def test_deep_roms_of_powers(tmp_path: Path) -> None:
    graph = by_hand()["softmax"]
    check(graph, make_schedule(plan_for_chip(graph), 4), tmp_path, "icarus", page=64)
    assert len(list(tmp_path.glob("net.powers.*.hex"))) == 4


READ = "stored <= bytes[read_row];"
SPOILT = "stored <= write && write_row == read_row ? ~bytes[read_row] : bytes[read_row];"


@pytest.mark.parametrize(("seed", "lanes"), QUICK)
def test_nobody_uses_a_row_that_is_being_written(seed: int, lanes: int, tmp_path: Path) -> None:
    """As bank.v promises to synthesis."""
    graph, schedule = schedules(seed)[LANES.index(lanes)]
    chip = emitted(schedule, tmp_path) / "net.v"
    assert chip.read_text().count(READ) == 2
    chip.write_text(chip.read_text().replace(READ, SPOILT))
    check_emitted(graph, schedule, tmp_path, "icarus")


@pytest.mark.build
@pytest.mark.parametrize("seed", SEEDS)
def test_all_random_nets(seed: int, tmp_path: Path) -> None:
    for graph, schedule in schedules(seed):
        check(graph, schedule, tmp_path / str(schedule.lanes.count), "icarus", stall=seed % 2 == 0)


@pytest.mark.build
def test_random_net_in_verilator(tmp_path: Path) -> None:
    graph, schedule = schedules(20)[LANES.index(16)]
    check(graph, schedule, tmp_path, "verilator", stall=True)


def test_these_nets_hold_every_kernel_and_unit() -> None:
    found = [schedule for seed in SEEDS for _, schedule in schedules(seed)]
    found += [make_schedule(plan_for_chip(graph), 4) for graph in by_hand().values()]
    assert {call.kernel.key for each in found for call in each.plan.calls} == set(SCHEDULERS)
    instructions = [each for schedule in found for each in schedule.instructions]
    assert {each.front.unit for each in instructions} == set(Unit) - {Unit.SEND}
    assert {each.back.rounding for each in instructions if each.back} == set(Rounding)
    assert any(each.front.image for each in instructions) and any(each.front.merge for each in instructions)


WHOLE_RUNS = [("ad01", "verilator", RUNS), ("kws", "verilator", RUNS), ("ad01", "icarus", 1)]


@pytest.mark.build
@pytest.mark.parametrize(("name", "simulator", "count"), WHOLE_RUNS)
def test_whole_nets(name: str, simulator: str, count: int, tmp_path: Path) -> None:
    """On 8 lanes: dense layers, weights in pages; convolutions. `s2c verify` does so for any net."""
    need(simulator)
    plan = compile_model(make_request(data(WHOLE[name]), "asic")).plan
    schedule = make_schedule(plan, 8)
    emitted(schedule, tmp_path)
    check_emitted(plan.graph, schedule, tmp_path, simulator, count=count)


SHIM = """
module net_shim (
    input wire clock, input wire reset, input wire in_valid, output wire in_ready, input wire [7:0] in_data,
    output wire out_valid, input wire out_ready, output wire [7:0] out_data, output wire busy
);
    wire last;
    net_axi chip (clock, ~reset, in_valid, in_ready, in_data, out_valid, out_ready, out_data, last, busy);
    always @(posedge clock) if (out_valid & out_ready) $display("%h%s", out_data, last ? "." : "");
endmodule
"""


def test_axi_stream(tmp_path: Path) -> None:
    """The same bytes, tlast with the last of each run."""
    graph, schedule = schedules(25)[0]
    check_axi(graph, emitted(schedule, tmp_path))


def check_axi(graph: Graph, folder: Path, *flags: str) -> None:
    need("icarus")
    (folder / "shim.v").write_text(SHIM)
    bench = (
        (folder / "net.tb.v").read_text().replace("net chip", "net_shim chip").replace("$write", "$unseen")
    )
    (folder / "bench.v").write_text(re.sub(r"\$unseen\(.*\);", ";", bench))
    runs = adversarial(graph)
    lines = [f"{byte:02x}\n" for arrays in runs for byte in stored(arrays)]
    (folder / "inputs.hex").write_text("".join(lines))
    execute(["iverilog", "-g2001", "-o", "chip", "net.v", "net.axi.v", "shim.v", "bench.v"], folder)
    text = execute(["vvp", "chip", "+inputs=inputs.hex", f"+runs={len(runs)}", "+stall", *flags], folder)
    found = [line.split() for line in text.splitlines() if line[:1] in "0123456789abcdef"]
    wanted = [stored(oracle.run(graph, *arrays)) for arrays in runs]
    assert "".join(byte for (byte,) in found) == "".join(f"{each.hex()}." for each in wanted)


@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.build)])
def test_a_chip_that_hangs_ends(simulator: str, tmp_path: Path) -> None:
    """One that never says that it has an output byte."""
    need(simulator)
    graph, schedule = schedules(25)[0]
    folder = emitted(schedule, tmp_path)
    text = (folder / "net.v").read_text()
    mute = text.replace(".out_valid(out_valid)", ".out_valid()", 1)
    mute = mute.replace("    wire unused", "    assign out_valid = 1'b0;\n    wire unused", 1)
    assert mute.count("out_valid") == text.count("out_valid"), "both places are found"
    (folder / "net.v").write_text(mute)
    inputs = [stored(arrays) for arrays in adversarial(graph)]
    size = len(stored(oracle.run(graph, *random_arrays(graph))))
    found = SIMULATORS[simulator].simulate(folder, "net", tmp_path, inputs, size, limit=5000)
    assert (found.outputs, found.ended) == ([b""], "the chip hung")


@pytest.mark.parametrize("tool", ["verilator", "icarus"])
def test_no_warnings(tool: str, tmp_path: Path) -> None:
    need(tool)
    quick = [(schedules(seed)[LANES.index(lanes)][1], PAGE) for seed, lanes in QUICK]
    wide = [(wide_schedule(lanes), PAGE) for lanes in WIDE]
    for schedule, page in [*quick, *wide, (schedules(15)[LANES.index(8)][1], 32)]:
        folder = emitted(schedule, tmp_path, page)
        for top, files in (("net", ["net.v"]), ("net_axi", ["net.axi.v", "net.v"])):
            verilator = ["verilator", "--lint-only", "-Wall", "--top-module", top, *files]
            icarus = ["iverilog", "-g2001", "-Wall", "-t", "null", *files, "net.tb.v"]
            command = verilator if tool == "verilator" else icarus
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout + done.stderr) == (0, ""), str(schedule.plan)
        shutil.rmtree(folder)


def test_names_are_the_chips_own() -> None:
    """So that two nets can share one."""
    text = emit_verilog(schedules(14)[0][1], "net", "")["net.v"]
    modules = [line.split()[1] for line in text.splitlines() if line.startswith("module ")]
    assert all(each == "net" or each.startswith("net_") for each in modules) and "s2c_" not in text
    assert len(set(modules)) == len(modules)


@pytest.mark.parametrize("name", ["my_s2c_net", "kws_s2c_v2", "net_s2c_chip"])
def test_any_name_elaborates(name: str, tmp_path: Path) -> None:
    """Those that hold the prefix of our modules, too."""
    need("icarus")
    for file, text in emit_verilog(schedules(14)[0][1], name, f"{name}, a net of the tests").items():
        (tmp_path / file).write_text(text)
    files = [f"{name}.v", f"{name}.tb.v"]
    execute(["iverilog", "-g2001", "-Wall", "-o", "chip", "-s", f"{name}_tb", *files], tmp_path)
    assert f"/* {name}, a net of the tests */" in (tmp_path / f"{name}.v").read_text()
    assert f'"{name}.weights.hex"' in (tmp_path / f"{name}.v").read_text()


def test_fields_of_programs_are_used() -> None:
    """All that vary, and no wire of one that is not; no file asks to be spared from that warning."""
    for seed, lanes in QUICK:
        schedule = schedules(seed)[LANES.index(lanes)][1]
        text = emit_verilog(schedule, "net", "")["net.v"]
        chip = Chip(schedule, "net")
        wires = re.findall(r"\bwire .*?((?:front|back)_(?:next|held)_\w+) =", text)
        assert all(len(re.findall(rf"\b{each}\b", text)) > 1 for each in wires)
        for half, fields in (("front", chip.front), ("back", chip.back)):
            varying = [each.name for each in fields.values() if not each.is_constant]
            assert all({f"{half}_next_{each}", f"{half}_held_{each}"} & set(wires) for each in varying)
        assert "lint_off UNUSEDSIGNAL" not in text


def test_only_units_that_are_used() -> None:
    """Of a map alone, no more than its tables."""
    text = emit_verilog(schedules(29)[0][1], "net", "")["net.v"]
    assert "module net_tables" in text
    for name in ("softmax_i8", "padding", "lanes"):
        assert f"module net_{name}" not in text


def test_a_simulator_without_its_compiler_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verilator alone builds nothing."""
    monkeypatch.setattr(simulators.shutil, "which", lambda tool: None if tool == "g++" else f"/bin/{tool}")
    assert SIMULATORS["verilator"].missing() == "apt install verilator make g++"
    assert SIMULATORS["icarus"].missing() is None
