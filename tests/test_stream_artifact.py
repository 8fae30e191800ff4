"""A pipeline's model in C against the oracle and the prediction, and what an artifact of one says."""

from __future__ import annotations

import ctypes
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chip import plan_for_chip
from graphs import QUANT, integers, random_arrays, random_graph, seeded, single, tensor
from native import FLAGS, check_call, compiler, need, run_library, run_sanitized
from nets import data
from rich.console import Console, Group
from test_asic import NETS_OF_MLPERF, odd_net

import s2c
from s2c import oracle
from s2c.artifact import save_artifact
from s2c.bench import StreamCycles, bench, predict_cycles
from s2c.build import build as build_target
from s2c.claims import Run
from s2c.driver import compile_model, make_request
from s2c.emit.c_header import emit_header
from s2c.emit.project import Golden, emit_main
from s2c.emit.stream_model import emit_stream_model, plan_with_rings
from s2c.emit.verilog_chip import PAGE
from s2c.emit.verilog_stream import Net
from s2c.inputs import adversarial_inputs
from s2c.ir import Graph
from s2c.ops import make
from s2c.program import read_manifest, run_batch
from s2c.readers.graph_file import write_graph
from s2c.report import describe_artifact
from s2c.silicon.claims import all_lanes, compare_simulation, interval_claim, simulation_failures
from s2c.silicon.cycles import describe_cycles
from s2c.silicon.instructions import Unit
from s2c.silicon.simulators import SIMULATORS, Simulation
from s2c.silicon.stream import Stage, Stream, make_stream
from s2c.target import load_target
from s2c.verify import verify

pytestmark = pytest.mark.build

SEEDS = (12, 15, 19, 32, 46, 49)  # random nets that a pipeline can compute, with all units among them
LANES = (1, 2, 8, 16)
Nets = Mapping[str, tuple[Graph, Stream]]


def make_streams() -> dict[str, tuple[Graph, Stream]]:
    """By the name of the function's prefix: with as many lanes for each stage, and with lanes that differ."""
    graphs = {"odd": odd_net(), **{f"net{seed}": random_graph(seeded(seed), "i8", 6) for seed in SEEDS}}
    found = {}
    for name, graph in graphs.items():
        plan, pick = plan_for_chip(graph), seeded(1)
        mixed = [LANES[pick(0, len(LANES) - 1)] for _ in plan.calls]
        found |= {f"{name}_{lanes}": (graph, make_stream(plan, [lanes] * len(plan.calls))) for lanes in LANES}
        found[f"{name}_mixed"] = (graph, make_stream(plan, mixed))
    return found


@pytest.fixture(scope="module")
def nets() -> Nets:
    return make_streams()


def build(folder: Path, streams: Mapping[str, Stream]) -> ctypes.CDLL:
    for name, stream in streams.items():
        write_model(folder, name, stream)
    sources = [str(folder / f"{name}.c") for name in streams]
    library = folder / "library.so"
    command = [*compiler("gcc"), *FLAGS, "-shared", "-fPIC", *sources, "-o", str(library)]
    assert check_call(command) == ""
    return ctypes.CDLL(str(library))


def write_model(folder: Path, name: str, stream: Stream) -> None:
    header = emit_header(plan_with_rings(stream), name, name, counts_cycles=True, counts_interval=True)
    (folder / f"{name}.h").write_text(header, encoding="utf-8")
    (folder / f"{name}.c").write_text(emit_stream_model(stream, name, name), encoding="utf-8")


@pytest.fixture(scope="module")
def library(nets: Nets, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return build(tmp_path_factory.mktemp("models"), {name: stream for name, (_, stream) in nets.items()})


def count(library: ctypes.CDLL, name: str, stream: Stream, arrays: Sequence[np.ndarray]) -> tuple[int, int]:
    """Interval and cycles."""
    arena = np.random.default_rng(1).integers(0, 256, plan_with_rings(stream).arena_bytes, np.uint8)
    for offset, array in zip(stream.plan.inputs, arrays, strict=True):
        arena[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
    place = ctypes.c_void_p(arena.ctypes.data)
    return int(library[f"{name}_interval"](place)), int(library[f"{name}_cycles"](place))


def test_models_equal_the_oracle(nets: Nets, library: ctypes.CDLL) -> None:
    for name, (graph, stream) in nets.items():
        inputs = [*(random_arrays(graph, seed) for seed in range(2)), *adversarial_inputs(graph).values()]
        for arrays in inputs:
            found = run_library(library, name, plan_with_rings(stream), arrays)
            for wanted, array in zip(oracle.run(graph, *arrays), found, strict=True):
                np.testing.assert_array_equal(wanted, array, name)
            assert count(library, name, stream, arrays) == (stream.interval, stream.cycles), name


def test_tiles_stay_while_they_are_drained(tmp_path: Path) -> None:
    """Until the next one comes, where the outputs, byte after byte, leave time for few results at once."""
    x = tensor("x", 1, 3, quant=QUANT)
    nets: dict[str, tuple[Graph, Stream]] = {}
    for lanes in (16, 32, 64):
        outputs = 6 * lanes
        weights = {"weight": integers(seeded(1), outputs, 3), "bias": np.zeros(outputs, np.int32)}
        dense = make("dense", (x,), "dense", QUANT, **weights, weight_scale=np.float32([0.01]))
        graph = single(dense, x)
        stream = make_stream(plan_for_chip(graph), [lanes])
        front, back = stream.stages[0].instruction.front, stream.stages[0].instruction.back
        assert back is not None and back.beats == front.tile_steps + front.gap == lanes
        nets[f"drained{lanes}"] = graph, stream
    library = build(tmp_path, {name: stream for name, (_, stream) in nets.items()})
    test_models_equal_the_oracle(nets, library)


def test_nets_have_all_that_stages_do(nets: Nets) -> None:
    stages = [each for _, stream in nets.values() for each in stream.stages]
    assert {each.instruction.front.unit for each in stages} == {*Unit} - {Unit.SEND}
    assert any(len(each.rings) == 2 for each in stages)
    assert any(each.instruction.front.image is not None for each in stages)
    assert any(len(stream.plan.inputs) == 2 for _, stream in nets.values())
    assert any(stream.frames > 2 for _, stream in nets.values())


def with_stage(stream: Stream, index: int, stage: Stage) -> Stream:
    return replace(stream, stages=(*stream.stages[:index], stage, *stream.stages[index + 1 :]))


def hurried(stream: Stream) -> list[Stream]:
    """Each with one stage that starts a cycle earlier; one that sends a frame a cycle earlier."""
    early = [
        with_stage(stream, index, replace(each, start=each.start - 1))
        for index, each in enumerate(stream.stages)
        if each.start > 1
    ]
    return [*early, replace(stream, finish=stream.finish - 1)]


def cramped(stream: Stream) -> list[Stream]:
    """Each with the rings of one stage, or of an output, of half the size: the smallest are as large as what
    is read or written at once allows, and say nothing."""
    stages = []
    for index, each in enumerate(stream.stages):
        smaller = tuple(replace(ring, capacity=ring.capacity // 2) for ring in each.rings)
        if all(ring.capacity > 2 * ring.width for ring in each.rings):
            stages.append(with_stage(stream, index, replace(each, rings=smaller)))
    return stages


def test_hurry_shows_in_outputs(nets: Nets, tmp_path: Path) -> None:
    """A byte is read a cycle before it is written."""
    graph, stream = nets["odd_8"]
    early = {f"early{index}": each for index, each in enumerate(hurried(stream))}
    assert len(early) == len(stream.stages)  # all but the first stage, and the end
    library = build(tmp_path, early)
    arrays = random_arrays(graph)
    wanted = oracle.run(graph, *arrays)
    for name, each in early.items():
        found = run_library(library, name, plan_with_rings(each), arrays)
        assert not all(map(np.array_equal, wanted, found)), name


def test_small_rings_show_when_frames_follow_each_other(nets: Nets, tmp_path: Path) -> None:
    graph, stream = nets["odd_8"]
    small = {f"small{index}": each for index, each in enumerate(cramped(stream))}
    assert len(small) > 1
    library = build(tmp_path, small)
    for name, each in small.items():
        interval, _ = count(library, name, each, random_arrays(graph))
        assert interval == 0, name


def test_an_interval_that_is_too_short_shows(nets: Nets, tmp_path: Path) -> None:
    """Frames are launched faster than the slowest stage takes them."""
    graph, stream = nets["odd_8"]
    library = build(tmp_path, {"fast": replace(stream, interval=stream.interval - 1)})
    interval, _ = count(library, "fast", stream, random_arrays(graph))
    assert interval == 0


def test_models_have_no_undefined_behaviour(nets: Nets, tmp_path: Path) -> None:
    """main.c, which checks golden outputs, under the sanitizers."""
    need("gcc")
    for name in ("odd_mixed", "net46_8"):
        graph, stream = nets[name]
        arrays = [random_arrays(graph, seed) for seed in range(2)]
        goldens = [Golden(each, oracle.run(graph, *each)) for each in arrays]
        write_model(tmp_path, name, stream)
        (tmp_path / "main.c").write_text(emit_main(plan_with_rings(stream), name, goldens))
        assert run_sanitized(tmp_path, name) == ""


# artifacts


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    write_graph(folder / "odd.s2c", odd_net())
    request = make_request(folder / "odd.s2c", "asic", lanes=9, style="stream")
    save_artifact(compile_model(request), folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def made(artifact: Path) -> Stream:
    """What the artifact was made of."""
    stream = compile_model(make_request(artifact / "odd.s2c", "asic", lanes=9, style="stream")).stream
    assert stream is not None
    return stream


def test_artifact_tells_figures_before_it_runs(artifact: Path, made: Stream) -> None:
    manifest = read_manifest(artifact)
    lanes = [each.schedule.lanes.count for each in made.stages]
    rings = [ring for each in made.stages for ring in each.rings]
    assert (manifest["style"], manifest["flags"]["style"], manifest["flags"]["lanes"]) == (
        "stream",
        "stream",
        9,
    )
    assert (manifest["cycles"], manifest["interval"], manifest["frames"]) == (
        made.cycles,
        made.interval,
        made.frames,
    )
    assert all_lanes(manifest) == lanes
    assert manifest["lanes"] == sum(lanes[:2]) <= 9  # the addition multiplies nothing
    assert manifest["utilisation"] == manifest["macs"] / (manifest["lanes"] * made.interval)
    assert manifest["ring_bytes"] == sum(ring.capacity for ring in (*rings, *made.outputs))
    roms = [words for stage in Net(made, "odd", PAGE).stages for words in stage.chip.roms.values()]
    assert sum(manifest["rom_bits"].values()) == sum(len(words) * bits for words, bits in roms)
    assert manifest["arena_bytes"] == plan_with_rings(made).arena_bytes
    assert [call["cycles"] for call in manifest["calls"]] == [each.occupied for each in made.stages]
    assert [call["start"] for call in manifest["calls"]] == [each.start for each in made.stages]


def test_runs_alone_and_in_batches(artifact: Path, made: Stream) -> None:
    graph = odd_net()
    frames = [random_arrays(graph, seed) for seed in range(3)]
    with s2c.load(artifact) as program:
        (found,), counters = run_batch(program, [np.stack(each) for each in zip(*frames, strict=True)])
        wanted = [oracle.run(graph, *each)[0] for each in frames]
        np.testing.assert_array_equal(found, np.stack(wanted))
    assert {(each["cycles"], each["interval"]) for each in counters} == {(made.cycles, made.interval)}


def test_bench_counts_what_was_predicted(artifact: Path, made: Stream) -> None:
    found = bench(artifact, 1, megahertz=50.0)
    assert isinstance(found, StreamCycles)
    assert found.cycles == found.predicted == made.cycles
    assert found.interval == found.predicted_interval == made.interval
    assert found.microseconds == made.cycles / 50 and found.interval_microseconds == made.interval / 50
    assert max(each.share for each in found.layers) == 1.0
    assert sum(each.macs for each in found.layers) == found.macs


def shown(*groups: Group) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(*groups)
    return " ".join(console.export_text().split())


def test_tables_tell_of_stages(artifact: Path, made: Stream) -> None:
    manifest = read_manifest(artifact)
    predicted = predict_cycles(manifest, 50.0)
    assert isinstance(predicted, StreamCycles)
    text = shown(*describe_cycles(replace(predicted, interval=7)))
    assert f"latency {made.cycles:,} cycles, {made.cycles / 50:,.2f} µs at 50 MHz" in text
    assert (
        f"a result every 7 cycles, {made.interval / 50:,.2f} µs at 50 MHz: not the {made.interval:,}" in text
    )
    for each in made.stages:
        assert f" {each.schedule.lanes.count} {each.start:,} {each.occupied:,} " in text
    facts = shown(describe_artifact(manifest))
    assert f"rings {manifest['ring_bytes']:,} bytes, between 3 stages" in facts
    assert f"interval a result every {made.interval:,} cycles" in facts
    assert "arena" not in facts


def test_verifies(artifact: Path, made: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Icarus, which builds faster than Verilator."""
    icarus = {"icarus": SIMULATORS["icarus"]}
    monkeypatch.setattr("s2c.silicon.claims.SIMULATORS", icarus)
    result = verify(artifact, inputs=2)
    claims = {claim.name: claim.status for claim in result.claims}
    assert result.ok and result.bit_exact, result
    assert result.cycles == {"min": made.cycles, "max": made.cycles}
    assert claims["artifact"] == claims["one cycle count"] == claims["one interval"] == "proved"
    simulated = "unproved" if icarus["icarus"].missing() else "tested"
    assert claims["Verilog in icarus"] == claims["Verilog in icarus, without a pause"] == simulated


def test_verify_finds_another_start(artifact: Path, made: Stream, tmp_path: Path) -> None:
    """A stage that begins a cycle earlier: in the model's source, and in what it computes."""
    folder = tmp_path / "out"
    shutil.copytree(artifact, folder)
    text = (folder / "odd.c").read_text()
    late = made.stages[-1].start
    assert text.count(f".start = {late},") == 1
    (folder / "odd.c").write_text(text.replace(f".start = {late},", f".start = {late - 1},"))
    build_target(load_target("asic"), folder, "odd", folder / "build", None)
    result = verify(folder, inputs=1)
    failed = {claim.name for claim in result.claims if claim.status == "failed"}
    assert {"artifact", "outputs equal the oracle"} <= failed


def test_another_interval_fails() -> None:
    predicted = {"interval": 9}
    found = [Run("a", True, counters={"interval": 8}), Run("b", True, counters={"interval": 8})]
    assert interval_claim(predicted, found).failures == ("input 'a': 8, and 9 are predicted",)
    none = [Run("a", True, counters={"interval": 0})]
    assert interval_claim(predicted, none).failures == ("input 'a': a frame gives other bytes than alone",)
    alone = Simulation([b"\1"], [40], [], "60 s were up")
    claim = compare_simulation("Verilog", ["a", "b"], [b"\1"] * 2, alone, 9, is_stream=True)
    assert claim.unproved == ("Verilog: too slow: 60 s were up before the second of 2 inputs was done",)
    simulated = Simulation([b"\1", b"\2", b"\1"], [40, 40, 40], [9, 8])
    assert simulation_failures(["a", "b", "c"], [b"\1"] * 3, simulated, 9, is_stream=True) == [
        "input 'b': other outputs than the oracle's",
        "input 'c': 8 cycles, and 9 are predicted",
    ]


@pytest.mark.parametrize("name", sorted(NETS_OF_MLPERF))
def test_mlperf_tiny(name: str) -> None:
    path = data(f"mlperf_tiny/{NETS_OF_MLPERF[name]}.tflite")
    with s2c.compile(path, "asic", style="stream") as program:
        graph = compile_model(make_request(path, "asic")).reference
        for arrays in ([random_arrays(graph, 1), *adversarial_inputs(graph).values()])[:3]:
            (wanted,) = oracle.run(graph, *arrays)
            np.testing.assert_array_equal(program(*arrays), wanted)
            assert program.counters["cycles"] == program.manifest["cycles"]
            assert program.counters["interval"] == program.manifest["interval"]
        assert program.manifest["lanes"] <= 64
        assert program.manifest["interval"] < program.manifest["cycles"]
