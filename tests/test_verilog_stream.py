"""Emitted streams in simulators: the oracle's outputs, the cycles and intervals that are predicted."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from chip import plan_for_chip
from nets import data
from test_stream import LANES, SEEDS, streams
from test_verilog import READ, SPOILT, WHOLE, adversarial, by_hand, check_axi, need, stored, wide_net

from s2c import oracle
from s2c.driver import compile_model, make_request
from s2c.emit.verilog_chip import PAGE
from s2c.emit.verilog_stream import emit_stream
from s2c.ir import Graph
from s2c.silicon.folding import fold
from s2c.silicon.instructions import Unit
from s2c.silicon.simulators import SIMULATORS, Simulation, execute
from s2c.silicon.stream import Ring, Stream, make_stream

QUICK = (2, 12, 14, 25, 26, 32)
MIXED = len(LANES)  # of streams(): the last has lanes that differ
WIDE = (1, 16, 64)  # lanes of each stage
RESNET = "mlperf_tiny/pretrainedResnet_quant.tflite"


def emitted(stream: Stream, folder: Path, page: int = PAGE) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in emit_stream(stream, "net", "a net of the tests", page).items():
        (folder / name).write_text(text)
    return folder


def simulate(
    graph: Graph, stream: Stream, folder: Path, simulator: str, stall: bool, pauses: bool, frames: int = 10
) -> tuple[Simulation, list[bytes]]:
    """What an emitted chip gives, and what is wanted. pauses: each frame waits for those before."""
    need(simulator)
    runs = adversarial(graph)
    runs = [*runs, *reversed(runs)][:frames]
    wanted = [stored(oracle.run(graph, *arrays)) for arrays in runs]
    work = folder / simulator
    work.mkdir(exist_ok=True)  # so that Verilator builds once
    inputs = [stored(arrays) for arrays in runs]
    limit = 10 * stream.cycles + 30 * (len(inputs[0]) + len(wanted[0]))
    found = SIMULATORS[simulator].simulate(
        folder, "net", work, inputs, len(wanted[0]), stall, limit=limit, stream=not pauses
    )
    return found, wanted


def check(graph: Graph, stream: Stream, folder: Path, simulator: str, frames: int = 10) -> None:
    """A chip that is emitted already: frames without a pause between them, one by one, and with bytes that
    come and go now and then."""
    densely, wanted = simulate(graph, stream, folder, simulator, stall=False, pauses=False, frames=frames)
    assert densely.outputs == wanted
    assert set(densely.intervals) == {stream.interval}
    alone, wanted = simulate(graph, stream, folder, simulator, stall=False, pauses=True, frames=frames)
    assert alone.outputs == wanted
    assert set(alone.cycles) == {stream.cycles}
    now_and_then, _ = simulate(graph, stream, folder, simulator, stall=True, pauses=False, frames=frames)
    assert now_and_then.outputs == wanted


def stream_of(graph: Graph, lanes: int) -> Stream:
    plan = plan_for_chip(graph)
    return make_stream(plan, [lanes] * len(plan.calls))


@pytest.mark.parametrize("name", by_hand())
def test_small_nets(name: str, tmp_path: Path) -> None:
    graph, stream = by_hand()[name], stream_of(by_hand()[name], 4)
    check(graph, stream, emitted(stream, tmp_path), "icarus", frames=5)


@pytest.mark.parametrize("lanes", WIDE)
def test_many_lanes(lanes: int, tmp_path: Path) -> None:
    stream = stream_of(wide_net(), lanes)
    fronts = [each.instruction.front for each in stream.stages]
    assert {each.unit for each in fronts} == {Unit.MULTIPLY, Unit.TABLE, Unit.SOFTMAX}
    assert any(each.image for each in fronts)
    check(wide_net(), stream, emitted(stream, tmp_path), "icarus", frames=4)


@pytest.mark.parametrize("seed", QUICK)
def test_random_nets(seed: int, tmp_path: Path) -> None:
    graph, stream = streams(seed)[MIXED]
    check(graph, stream, emitted(stream, tmp_path), "icarus")


@pytest.mark.build
@pytest.mark.parametrize("seed", SEEDS)
def test_all_random_nets(seed: int, tmp_path: Path) -> None:
    for number, (graph, stream) in enumerate(streams(seed)[::2]):
        check(graph, stream, emitted(stream, tmp_path / str(number)), "icarus")


@pytest.mark.build
def test_random_net_in_verilator(tmp_path: Path) -> None:
    graph, stream = streams(QUICK[-1])[MIXED]
    check(graph, stream, emitted(stream, tmp_path), "verilator")


def test_deep_roms(tmp_path: Path) -> None:
    """In pages: no other bytes, no other cycles."""
    stream = stream_of(wide_net(), 1)
    check(wide_net(), stream, emitted(stream, tmp_path, page=32), "icarus", frames=3)
    for rom in ("weights", "tables", "powers"):
        assert list(tmp_path.glob(f"net.stage_*.{rom}.001.hex"))


@pytest.mark.parametrize("seed", QUICK)
def test_nobody_uses_a_row_that_is_being_written(seed: int, tmp_path: Path) -> None:
    """As bank.v promises to synthesis."""
    graph, stream = streams(seed)[MIXED]
    chip = emitted(stream, tmp_path) / "net.v"
    assert chip.read_text().count(READ) == 2
    chip.write_text(chip.read_text().replace(READ, SPOILT))
    check(graph, stream, tmp_path, "icarus")


def smaller(stream: Stream, at: int) -> Stream | None:
    """With half the capacity for what a stage reads, if hardware could have that."""
    stage = stream.stages[at]
    if any(each.capacity < 4 * each.width for each in stage.rings):
        return None
    rings = tuple(Ring(each.frame, each.capacity // 2, each.width, each.source) for each in stage.rings)
    stages = [*stream.stages]
    stages[at] = replace(stage, rings=rings)
    return replace(stream, stages=tuple(stages))


def test_smaller_rings_fail(tmp_path: Path) -> None:
    """Each of a net's, where frames come without a pause."""
    graph, stream = wide_net(), stream_of(wide_net(), 4)
    found = [smaller(stream, at) for at in range(len(stream.stages))]
    assert sum(each is not None for each in found) > 1
    for at, each in enumerate(found):
        if each is not None:
            folder = emitted(each, tmp_path / str(at))
            simulation, wanted = simulate(graph, each, folder, "icarus", stall=False, pauses=False)
            assert simulation.outputs != wanted, stream.stages[at].rings


def sooner(stream: Stream, at: int) -> Stream:
    """With a stage that starts a cycle earlier."""
    stages = [*stream.stages]
    stages[at] = replace(stages[at], start=stages[at].start - 1)
    return replace(stream, stages=tuple(stages))


def test_earlier_stages_fail(tmp_path: Path) -> None:
    """Each by one cycle; and frames that come a cycle sooner."""
    graph, stream = wide_net(), stream_of(wide_net(), 4)
    later = [at for at, each in enumerate(stream.stages) if each.start > 1]
    assert later
    hurried = [*(sooner(stream, at) for at in later), replace(stream, interval=stream.interval - 1)]
    for number, each in enumerate(hurried):
        folder = emitted(each, tmp_path / str(number))
        simulation, wanted = simulate(graph, each, folder, "icarus", stall=False, pauses=False)
        assert simulation.outputs != wanted, number


SHIM = """
module net_shim (
    input wire clock, input wire reset, input wire in_valid, output wire in_ready, input wire [7:0] in_data,
    output wire out_valid, input wire out_ready, output wire [7:0] out_data, output wire busy
);
    reg [15:0] now = 0;
    wire early = now < 700;
    wire restarts = now >= 700 & now < 703;
    wire valid;
    wire ready;
    net chip (clock, restarts, early | (in_valid & ~restarts), ready, early ? now[7:0] : in_data,
        valid, early | out_ready, out_data, busy);
    assign in_ready = ready & ~early & ~restarts;
    assign out_valid = valid & ~early & ~restarts;
    always @(posedge clock) if (early | restarts) now <= now + 1;
endmodule
"""


def test_reset_in_the_midst(tmp_path: Path) -> None:
    """A chip that begins without one, and is reset with several frames under way."""
    need("icarus")
    graph, stream = wide_net(), stream_of(wide_net(), 16)
    assert stream.cycles + 2 * stream.interval < 700
    folder = emitted(stream, tmp_path)
    bench = (folder / "net.tb.v").read_text().replace("net chip", "net_shim chip")
    (folder / "bench.v").write_text(bench)
    (folder / "shim.v").write_text(SHIM)
    runs = adversarial(graph)
    lines = [f"{byte:02x}\n" for arrays in runs for byte in stored(arrays)]
    (folder / "inputs.hex").write_text("".join(lines))
    execute(["iverilog", "-g2001", "-o", "chip", "net.v", "shim.v", "bench.v"], folder)
    text = execute(["vvp", "chip", "+inputs=inputs.hex", f"+runs={len(runs)}", "+stream"], folder)
    wanted = [stored(oracle.run(graph, *arrays)).hex() for arrays in runs]
    assert re.findall("result ([0-9a-f]*) ", text) == wanted


def test_axi_stream(tmp_path: Path) -> None:
    """tlast with the last byte of each frame, where they come without a pause, too."""
    stream = stream_of(wide_net(), 16)
    check_axi(wide_net(), emitted(stream, tmp_path), "+stream")


def test_outputs_that_are_not_taken(tmp_path: Path) -> None:
    """Frames wait: no more are launched than the output rings have room for."""
    need("icarus")
    graph, stream = wide_net(), stream_of(wide_net(), 16)
    folder = emitted(stream, tmp_path)
    bench = folder / "net.tb.v"
    late = "out_ready <= now > 3000 & now % 16 < 5;"
    text = bench.read_text().replace("out_ready <= ~stall | now % 3 == 1;", late)
    assert late in text
    bench.write_text(text)
    simulation, wanted = simulate(graph, stream, folder, "icarus", stall=False, pauses=False)
    assert simulation.outputs == wanted


@pytest.mark.build
@pytest.mark.parametrize(("name", "simulator", "frames"), [("ad01", "verilator", 5), ("kws", "verilator", 5)])
def test_whole_nets(name: str, simulator: str, frames: int, tmp_path: Path) -> None:
    """Dense layers, weights in pages; convolutions, an average, a softmax."""
    need(simulator)
    check_whole(WHOLE[name], 64, simulator, frames, tmp_path)


@pytest.mark.build
def test_residual_net(tmp_path: Path) -> None:
    """Sums of what comes at once and what had to wait."""
    need("verilator")
    check_whole(RESNET, 64, "verilator", 3, tmp_path)


def check_whole(path: str, lanes: int, simulator: str, frames: int, folder: Path) -> None:
    plan = compile_model(make_request(data(path), "asic")).plan
    stream = make_stream(plan, fold(plan, lanes))
    check(plan.graph, stream, emitted(stream, folder), simulator, frames)


@pytest.mark.parametrize("tool", ["verilator", "icarus"])
def test_no_warnings(tool: str, tmp_path: Path) -> None:
    need(tool)
    for stream, page in lint_cases():
        folder = emitted(stream, tmp_path, page)
        for top, files in (("net", ["net.v"]), ("net_axi", ["net.axi.v", "net.v"])):
            verilator = ["verilator", "--lint-only", "-Wall", "--top-module", top, *files]
            icarus = ["iverilog", "-g2001", "-Wall", "-t", "null", *files, "net.tb.v"]
            command = verilator if tool == "verilator" else icarus
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout + done.stderr) == (0, ""), str(stream.plan)
        shutil.rmtree(folder)


def lint_cases() -> Sequence[tuple[Stream, int]]:
    random = [(streams(seed)[number][1], PAGE) for seed in (*QUICK, 24, 27) for number in (0, MIXED)]
    wide = [(stream_of(wide_net(), lanes), PAGE) for lanes in WIDE]
    by_name = [(stream_of(graph, 4), PAGE) for graph in by_hand().values()]
    return [*random, *wide, *by_name, (stream_of(wide_net(), 1), 32)]


@pytest.mark.parametrize("name", ["my_s2c_net", "net_s2c_stage_0"])
def test_any_name_elaborates(name: str, tmp_path: Path) -> None:
    need("icarus")
    stream = stream_of(wide_net(), 4)
    for file, text in emit_stream(stream, name, f"{name}, a net of the tests").items():
        (tmp_path / file).write_text(text)
    files = [f"{name}.v", f"{name}.tb.v"]
    execute(["iverilog", "-g2001", "-Wall", "-o", "chip", "-s", f"{name}_tb", *files], tmp_path)
    text = (tmp_path / f"{name}.v").read_text()
    assert f'"{name}.stage_0.weights.hex"' in text
    modules = [line.split()[1] for line in text.splitlines() if line.startswith("module ")]
    assert all(each == name or each.startswith(f"{name}_") for each in modules)
    assert len(set(modules)) == len(modules)


def test_stages_hold_only_what_they_need() -> None:
    """No program, no receiver, no sequencer, of a net without a softmax no softmax."""
    text = emit_stream(streams(12)[0][1], "net", "")["net.v"]
    for name in ("program", "receiver", "sequencer", "softmax_i8", "tables"):
        assert f"module net_{name} " not in text
    assert "module net_stage_0 " in text and "module net_lanes " in text
