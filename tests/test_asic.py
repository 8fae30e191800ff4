"""The target asic: the chip's model in C against the oracle and the schedule, and what an artifact says."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chip import plan_for_chip
from graphs import GEOMETRY, QUANT, floats, raises, random_arrays, random_graph, seeded, single, tensor
from native import FLAGS, check_call, compiler, need, run_library, run_sanitized
from nets import data

import s2c
from s2c import oracle
from s2c.artifact import save_artifact
from s2c.bench import Cycles, bench, refuse_frequency
from s2c.claims import Run
from s2c.determinism.measure import list_jobs
from s2c.driver import compile_model, make_request
from s2c.emit.c_header import emit_header
from s2c.emit.project import Golden, emit_main
from s2c.emit.silicon_model import emit_model
from s2c.emit.verilog import Chip
from s2c.errors import CompileError
from s2c.inputs import adversarial_inputs
from s2c.ir import Graph, Node, Quant
from s2c.ops import make
from s2c.program import read_manifest
from s2c.readers.graph_file import write_graph
from s2c.silicon.claims import compare_simulation, cycles_claim, simulation_claims, simulation_failures
from s2c.silicon.schedule import Schedule, make_schedule
from s2c.silicon.simulators import SIMULATORS, Simulation, Simulator
from s2c.verify import verify

pytestmark = pytest.mark.build

LANES = (1, 2, 8, 32)
SEEDS = range(60)
NETS_OF_MLPERF = {
    "ad01": "ad01_int8",
    "kws": "kws_ref_model",
    "resnet8": "pretrainedResnet_quant",
    "sww": "str_ww_ref_model",
    "vww": "vww_96_int8",
}
NETS = 4  # random ones that a chip can compute


def odd_net() -> Graph:
    """A padded convolution with a stride, a depthwise one, an addition, a mean and a softmax."""
    x = tensor("x", 1, 7, 5, 3, quant=Quant((0.02,), 5))
    pick = seeded(4)
    padded = {**GEOMETRY, "pads": ((1, 0), (1, 1)), "stride": (2, 1)}

    def layer(source: Node, name: str, outputs: int, groups: int, geometry: Mapping[str, object]) -> Node:
        depth = source.type.shape[-1] // groups
        weight = (floats(pick, outputs, 3, 3, depth) * 40).clip(-127, 127).astype(np.int8)
        bias = (floats(pick, outputs) * 300).astype(np.int32)
        scales = tuple(float(np.float32(0.001 * (1 + index))) for index in range(outputs))
        return make(
            "conv2d",
            (source,),
            name,
            QUANT,
            **geometry,
            weight=weight,
            bias=bias,
            weight_scale=np.float32(scales),
            groups=groups,
        )

    first = layer(x, "first", 11, 1, padded)
    second = layer(first, "second", 11, 11, {**GEOMETRY, "pads": ((1, 1), (1, 1))})
    added = make("add", (first, second), "added", QUANT)
    return single(added, x)


def schedules() -> dict[str, tuple[Graph, Schedule]]:
    """By the name of the function's prefix."""
    graphs = [odd_net()]
    for seed in SEEDS:
        graph = random_graph(seeded(seed), "i8", 6)
        try:
            make_schedule(plan_for_chip(graph), 1)
        except CompileError:
            continue
        graphs.append(graph)
        if len(graphs) > NETS:
            break
    found = {}
    for index, graph in enumerate(graphs):
        plan = plan_for_chip(graph)
        found |= {f"net{index}_{lanes}": (graph, make_schedule(plan, lanes)) for lanes in LANES}
    return found


def build(folder: Path, nets: Mapping[str, Schedule]) -> ctypes.CDLL:
    for name, schedule in nets.items():
        header = emit_header(schedule.plan, name, name, counts_cycles=True)
        (folder / f"{name}.h").write_text(header, encoding="utf-8")
        (folder / f"{name}.c").write_text(emit_model(schedule, name, name), encoding="utf-8")
    sources = [str(folder / f"{name}.c") for name in nets]
    library = folder / "library.so"
    command = [*compiler("gcc"), *FLAGS, "-shared", "-fPIC", *sources, "-o", str(library)]
    assert check_call(command) == ""
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="module")
def nets() -> dict[str, tuple[Graph, Schedule]]:
    return schedules()


@pytest.fixture(scope="module")
def library(nets: dict[str, tuple[Graph, Schedule]], tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return build(tmp_path_factory.mktemp("models"), {name: schedule for name, (_, schedule) in nets.items()})


def count_cycles(library: ctypes.CDLL, name: str, schedule: Schedule, arrays: Sequence[np.ndarray]) -> int:
    arena = np.zeros(schedule.plan.arena_bytes, np.uint8)
    for offset, array in zip(schedule.plan.inputs, arrays, strict=True):
        arena[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
    return int(library[f"{name}_cycles"](ctypes.c_void_p(arena.ctypes.data)))


def test_models_equal_the_oracle(nets: dict[str, tuple[Graph, Schedule]], library: ctypes.CDLL) -> None:
    for name, (graph, schedule) in nets.items():
        inputs = [*(random_arrays(graph, seed) for seed in range(2)), *adversarial_inputs(graph).values()]
        for arrays in inputs:
            found = run_library(library, name, schedule.plan, arrays)
            for wanted, array in zip(oracle.run(graph, *arrays), found, strict=True):
                np.testing.assert_array_equal(wanted, array, name)
        counts = {count_cycles(library, name, schedule, arrays) for arrays in inputs}
        assert counts == {schedule.cycles}, name


def hurried(schedule: Schedule) -> list[Schedule]:
    """Each with one wait shortened by one; that of the end among them."""
    result = [replace(schedule, finish=schedule.finish - 1)] if schedule.finish else []
    for index, each in enumerate(schedule.instructions):
        if each.front.wait:
            early = replace(each, front=replace(each.front, wait=each.front.wait - 1))
            before, behind = schedule.instructions[:index], schedule.instructions[index + 1 :]
            result.append(replace(schedule, instructions=(*before, early, *behind)))
    return result


def test_waits_that_are_too_short_show(nets: dict[str, tuple[Graph, Schedule]], tmp_path: Path) -> None:
    """In wrong outputs: a byte is read before it is written, or one is written where the next call's go."""
    graph, schedule = nets["net0_8"]
    early = {f"early{index}": each for index, each in enumerate(hurried(schedule))}
    assert len(early) == len(schedule.instructions)  # all but the first wait, and so does the end
    library = build(tmp_path, early)
    arrays = random_arrays(graph)
    wanted = oracle.run(graph, *arrays)
    for name in early:
        found = run_library(library, name, schedule.plan, arrays)
        assert not all(map(np.array_equal, wanted, found)), name


def test_models_have_no_undefined_behaviour(nets: dict[str, tuple[Graph, Schedule]], tmp_path: Path) -> None:
    """main.c, which checks golden outputs, under the sanitizers."""
    need("gcc")
    for name in ("net0_8", "net2_1"):
        graph, schedule = nets[name]
        arrays = [random_arrays(graph, seed) for seed in range(2)]
        goldens = [Golden(each, oracle.run(graph, *each)) for each in arrays]
        (tmp_path / f"{name}.h").write_text(emit_header(schedule.plan, name, name, counts_cycles=True))
        (tmp_path / f"{name}.c").write_text(emit_model(schedule, name, name))
        (tmp_path / "main.c").write_text(emit_main(schedule.plan, name, goldens))
        assert run_sanitized(tmp_path, name) == ""


# artifacts


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asic")
    write_graph(folder / "odd.s2c", odd_net())
    save_artifact(compile_model(make_request(folder / "odd.s2c", "asic", lanes=4)), folder / "out")
    return folder / "out"


def test_artifact_tells_cycles_before_it_runs(artifact: Path) -> None:
    manifest = read_manifest(artifact)
    schedule = make_schedule(compile_model(make_request(artifact / "odd.s2c", "asic")).plan, 4)
    assert manifest["lanes"] == manifest["flags"]["lanes"] == 4
    assert manifest["cycles"] == schedule.cycles
    assert manifest["utilisation"] == manifest["macs"] / (4 * schedule.cycles)
    chip = Chip(schedule, "odd")
    assert sum(manifest["rom_bits"].values()) == sum(len(words) * bits for words, bits in chip.roms.values())
    assert sum(call["cycles"] for call in manifest["calls"]) + 2 + schedule.finish == schedule.cycles


def test_bench_counts_what_was_predicted(artifact: Path) -> None:
    found = bench(artifact, 1, megahertz=50.0)
    assert isinstance(found, Cycles)
    assert found.cycles == found.predicted == read_manifest(artifact)["cycles"]
    assert found.microseconds == found.cycles / 50
    assert sum(each.cycles for each in found.layers) + found.ends == found.cycles
    assert found.utilisation == pytest.approx(found.macs / (4 * found.cycles))


def test_verifies(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Icarus, which builds faster than Verilator."""
    icarus = {"icarus": SIMULATORS["icarus"]}
    monkeypatch.setattr("s2c.silicon.claims.SIMULATORS", icarus)
    result = verify(artifact, inputs=2)
    claims = {claim.name: claim.status for claim in result.claims}
    cycles = read_manifest(artifact)["cycles"]
    assert result.ok and result.bit_exact, result
    assert result.cycles == {"min": cycles, "max": cycles} and result.instructions is None
    assert claims["one cycle count"] == claims["no accumulator overflows"] == "proved"
    assert claims["Verilog in icarus"] == ("unproved" if icarus["icarus"].missing() else "tested")
    assert "Verilog in verilator" not in claims


@pytest.mark.parametrize("name", sorted(NETS_OF_MLPERF))
def test_mlperf_tiny(name: str) -> None:
    path = data(f"mlperf_tiny/{NETS_OF_MLPERF[name]}.tflite")
    with s2c.compile(path, "asic", lanes=8) as program:
        graph = compile_model(make_request(path, "asic")).reference
        for arrays in ([random_arrays(graph, 1), *adversarial_inputs(graph).values()])[:3]:
            (wanted,) = oracle.run(graph, *arrays)
            np.testing.assert_array_equal(program(*arrays), wanted)
            assert program.counters["cycles"] == program.manifest["cycles"]
        assert program.manifest["utilisation"] >= 0.85


def test_determinism_is_not_measured_on_a_model(artifact: Path) -> None:
    assert raises(lambda: list_jobs(artifact, read_manifest(artifact), (), ())) == (
        "--determinism: wanted a net for this machine, found one for asic; compile with --target host; s2c "
        "bench counts the cycles of this one"
    )


def test_another_count_of_cycles_fails() -> None:
    claim = cycles_claim(
        {"cycles": 9}, [Run("a", True, counters={"cycles": 9}), Run("b", True, counters={"cycles": 8})]
    )
    assert claim.failures == ("input 'b': 8, and 9 are predicted",)
    simulated = Simulation([b"\1", b"\2"], [9, 8], [9])
    assert simulation_failures(["a", "b"], [b"\1", b"\1"], simulated, 9) == [
        "input 'b': other outputs than the oracle's",
        "input 'b': 8 cycles, and 9 are predicted",
    ]


def test_simulators_that_are_missing_are_named(artifact: Path) -> None:
    absent = Simulator(("no-such-tool",), "apt install it", lambda *_: [], lambda *_: [], 1.0, 1)
    (claim,) = simulation_claims(artifact, read_manifest(artifact), odd_net(), [], "icarus", absent)
    reason = "Verilog: not simulated by icarus, which is not installed: apt install it"
    assert (claim.status, claim.unproved) == ("unproved", (reason,))


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("echo one >&2; echo no make; exit 3", "unproved", ("status 3 of sh -c", "one; no make")),
        ("echo 1234 5", "unproved", ("status 0 of sh -c", "1234 5")),
        ("sleep 60", "unproved", ("too slow: 1 s were up before the first of 2 inputs was done",)),
        ("echo result 00 7 0", "failed", ()),
    ],
)
def test_simulators_that_do_not_work_prove_nothing(
    script: str, status: str, words: tuple[str, ...], artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2c.silicon.claims.STOPPED", 1.0)
    broken = Simulator(("sh",), "", lambda *_: ["sh", "-c", script], lambda *_: [], 1e9, 1)
    graph = odd_net()
    inputs = list(adversarial_inputs(graph).items())[:2]
    (claim,) = simulation_claims(artifact, read_manifest(artifact), graph, inputs, "icarus", broken)
    assert claim.status == status
    assert all(word in claim.unproved[0] for word in words)


def test_what_was_simulated_in_time_counts() -> None:
    found = Simulation([b"\1"], [9], [], "60 s were up")
    claim = compare_simulation("Verilog in icarus", ["a", "b"], [b"\1", b"\2"], found, 9)
    evidence = "1 of 2 inputs, then 60 s were up, outputs equal to the bit, cycles as predicted"
    assert (claim.status, claim.evidence) == ("tested", evidence)


def test_float_ends_are_named(tmp_path: Path) -> None:
    x = tensor("x", 1, 4)
    inner = make("quantize", (x,), "in", QUANT)
    graph = single(make("dequantize", (make("relu", (inner,), "y", QUANT, lo=0.0),), "out"), x)
    write_graph(tmp_path / "net.s2c", graph)
    assert raises(lambda: compile_model(make_request(tmp_path / "net.s2c", "asic"))) == (
        "in: wanted int8, all that this target computes with, found quantize, whose input is float; cut it "
        "off the model, which then takes int8\n"
        "out: wanted int8, all that this target computes with, found dequantize, whose output is float; cut "
        "it off the model, which then gives int8"
    )


@pytest.mark.parametrize(
    ("manifest", "megahertz", "message"),
    [
        (
            {"target": "host"},
            5.0,
            "--mhz: wanted a net that was compiled for a chip, found host; leave it out",
        ),
        (
            {"cycles": 3},
            0.0,
            "--mhz: wanted a clock above 0 MHz, and finite, found 0; give the chip's clock",
        ),
    ],
)
def test_frequencies_that_mean_nothing(manifest: dict[str, object], megahertz: float, message: str) -> None:
    assert raises(lambda: refuse_frequency(manifest, megahertz)) == message
