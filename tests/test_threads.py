"""Threads that share a net: the same bits whoever computes a part, and no thread left behind."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from feature_sets import feature_set
from graphs import lowered, raises, random_arrays, seeded
from native import build_library, check_call, compiler
from onnx import helper
from onnx_models import model_of
from test_kernels import joined, wide_layers

import s2c
from s2c import steps
from s2c.driver import compile_model, make_request
from s2c.library import Instance
from s2c.plan import Call, Plan, make_plan

TASKS = Path("/proc/self/task")
CHANNELS = 32


def conv(source: str, weight: str, result: str, **attributes: object) -> object:
    return helper.make_node("Conv", [source, weight], [result], **attributes)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convolutions of each kind that is shared, one too small to be, a residual, and a matmul."""
    source = np.random.default_rng(0)

    def weight(*shape: int) -> np.ndarray:
        return (source.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    nodes = [
        conv("x", "first", "a", pads=[1, 1, 1, 1]),
        conv("a", "wide", "b", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["b", "a"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        conv("d", "small", "e", strides=[8, 8]),
        conv("d", "strided", "f", strides=[2, 2], pads=[1, 1, 0, 0]),
        helper.make_node("Relu", ["f"], ["g"]),
        conv("g", "point", "h"),
        helper.make_node("GlobalAveragePool", ["h"], ["i"]),
        helper.make_node("Flatten", ["i"], ["j"]),
        helper.make_node("MatMul", ["j", "dense"], ["y"]),
    ]
    consts = {
        "first": weight(CHANNELS, 3, 3, 3),
        "wide": weight(CHANNELS, CHANNELS, 3, 3),
        "small": weight(2, CHANNELS, 1, 1),
        "strided": weight(48, CHANNELS, 3, 3),
        "point": weight(800, 48, 1, 1),
        "dense": weight(800, 400),
    }
    path = tmp_path_factory.mktemp("threads") / "net.onnx"
    path.write_bytes(model_of(nodes, {"x": (1, 3, 18, 22)}, consts, outputs=("y", "e")))
    return path


def plan_of(model: Path, threads: int) -> Plan:
    return compile_model(make_request(model, "host", threads=threads)).plan


def instance(model: Path, threads: int, folder: Path) -> Instance:
    with s2c.compile(model, threads=threads) as program:
        return s2c.open_library(program.save(folder))


def inputs(count: int) -> list[np.ndarray]:
    return [
        np.random.default_rng(seed).normal(size=(1, 3, 18, 22)).astype(np.float32) for seed in range(count)
    ]


def bits(arrays: tuple[np.ndarray, ...]) -> bytes:
    return b"".join(each.tobytes() for each in arrays)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_calls_that_are_large_enough_are_shared(model: Path) -> None:
    plan = plan_of(model, 3)
    assert plan.threads == 3
    shared = {call.layer for call in plan.stages}
    macs = {call.layer: call.macs for call in plan.calls}
    assert len(shared) >= 4
    assert min(macs[each] for each in shared) >= 200_000 > max(macs[each] for each in macs.keys() - shared)
    for call in plan.stages:
        assert [first for first, _ in call.parts[1:]] == [last for _, last in call.parts[:-1]]
        assert call.parts[0][0] == 0 and len(call.parts) == 3


def test_tiles_are_those_that_threads_can_share_evenly(tmp_path: Path) -> None:
    """128 columns make three tiles of 48 and less on one thread: two threads would have one and two."""
    weight = np.ones((128, 128, 3, 3), np.float32)
    path = tmp_path / "wide.onnx"
    nodes = [conv("x", "w", "y", pads=[1, 1, 1, 1])]
    path.write_bytes(model_of(nodes, {"x": (1, 128, 28, 28)}, {"w": weight}))

    def call_of(threads: int) -> Call:
        plan = compile_model(make_request(path, "x86-64-v4", threads=threads)).plan
        return next(each for each in plan.calls if "winograd" in each.kernel.name)

    assert call_of(1).params["tile_columns"] == 48
    assert call_of(1).parts == ((0, 3),)
    assert call_of(2).parts == ((0, 2), (2, 4))
    assert call_of(3).parts == ((0, 1), (1, 2), (2, 3))


def test_a_net_too_small_to_gain_gets_one_thread(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (1, 8)}))
    assert plan_of(path, 4).threads == 1
    with s2c.compile(path, threads=4) as program:
        folder = program.save(tmp_path / "small")
    assert not list(folder.glob("*_team.*"))


@pytest.mark.build
@pytest.mark.parametrize("threads", [2, 3, 5])
def test_the_bits_are_those_of_one_thread(model: Path, threads: int, tmp_path: Path) -> None:
    alone, shared = instance(model, 1, tmp_path / "one"), instance(model, threads, tmp_path / "many")
    for x in inputs(30):
        assert bits(shared(x)) == bits(alone(x))


def run_parts(
    library: ctypes.CDLL, plan: Plan, arrays: Sequence[np.ndarray], order: Sequence[int] | None
) -> bytes:
    """The outputs of `net` where each stage's parts come one after the other; None: of its plain run."""
    memory = np.zeros(plan.arena_bytes + 64, np.uint8)
    arena = memory[-memory.ctypes.data % 64 :][: plan.arena_bytes]
    for at, array in zip(plan.inputs, arrays, strict=True):
        arena[at:][: array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
    pointer = ctypes.c_void_p(arena.ctypes.data)
    if order is None:
        library["net_run"](pointer)
    else:
        for stage in range(len(plan.stages)):
            library["net_between"](pointer, stage)
            for part in order:
                library["net_part"](pointer, stage, part)
        library["net_between"](pointer, len(plan.stages))
    ends = zip(plan.outputs, plan.graph.outputs, strict=True)
    return b"".join(arena[at : at + node.type.bytes].tobytes() for at, node in ends)


@pytest.mark.build
def test_parts_may_come_in_any_order(model: Path, tmp_path: Path) -> None:
    """Each stage by one thread, in every order of its parts."""
    plan = plan_of(model, 3)
    library = build_library([*compiler("zig"), "-march=native"], tmp_path, {"net": plan})
    orders = (None, *itertools.permutations(range(3)))
    assert len({run_parts(library, plan, inputs(1), order) for order in orders}) == 1


@pytest.mark.build
@pytest.mark.parametrize("name", ["x86-64-v3", "native"])
@pytest.mark.parametrize("dtype", ["f32", "i8"])
def test_shared_kernels_compute_any_part_alone(
    name: str, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever units a part has: some of a tile's lines, a block, or none, where there are more threads."""
    features = feature_set(name)
    monkeypatch.setattr(steps, "LEAST_SHARED", 0)
    graph = joined(wide_layers(seeded(5), dtype))
    plan = make_plan(lowered(graph), features.kernels, features.vectors, 5)
    shared = {call.kernel.name for call in plan.stages}
    assert shared >= {f"{stem}_{dtype}.vector" for stem in ("matmul", "window_matmul", "window_matmul_add")}
    assert len([name for name in shared if name.endswith((".lanes", "depthwise"))]) >= 1
    library = build_library([*compiler("zig"), *features.flags_for("zig")], tmp_path, {"net": plan})
    arrays = random_arrays(graph, 3)
    wanted = run_parts(library, plan, arrays, None)
    assert all(run_parts(library, plan, arrays, order) == wanted for order in (range(5), (4, 2, 0, 3, 1)))


@pytest.mark.build
def test_threads_sleep_wake_and_end(model: Path, tmp_path: Path) -> None:
    before = len(list(TASKS.iterdir()))
    shared = instance(model, 3, tmp_path / "net")
    assert len(list(TASKS.iterdir())) == before + 2
    x, y = inputs(2)
    first = bits(shared(x))
    wait_until(lambda: sum(is_asleep(task) for task in TASKS.iterdir()) >= 2)
    spent = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - spent < 0.1  # who sleeps does not look around
    assert bits(shared(y)) != first
    assert bits(shared(x)) == first
    del shared
    gc.collect()
    wait_until(lambda: len(list(TASKS.iterdir())) == before)


@pytest.mark.build
def test_a_run_that_outlives_its_instance_still_runs(model: Path, tmp_path: Path) -> None:
    shared = instance(model, 2, tmp_path / "net")
    x = inputs(1)[0]
    wanted = bits(shared(x))
    shared.inputs[0][...] = x
    run, outputs = shared.run, shared.outputs
    del shared
    gc.collect()
    run()
    assert bits(outputs) == wanted


@pytest.mark.build
def test_a_forked_process_ends(model: Path, tmp_path: Path) -> None:
    """It has the instance, and none of its threads."""
    with s2c.compile(model, threads=2) as program:
        folder = program.save(tmp_path / "net")
    script = (
        "import os, sys, s2c\n"
        f"net = s2c.open_library({str(folder)!r})\n"
        "net.run()\n"
        "child = os.fork()\n"
        "if child == 0:\n    sys.exit(7)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert done.returncode == 7


def is_asleep(task: Path) -> bool:
    try:
        return (task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "S"
    except FileNotFoundError:
        return False


@pytest.mark.build
def test_teams_on_one_core_do_not_collapse(model: Path, tmp_path: Path) -> None:
    """All threads on one core: a part that nobody began is taken by the thread that waits for it."""
    shared = instance(model, 4, tmp_path / "net")
    alone = instance(model, 1, tmp_path / "one")
    allowed = os.sched_getaffinity(0)
    core = {min(allowed)}
    try:
        for task in TASKS.iterdir():
            os.sched_setaffinity(int(task.name), core)
        x = inputs(1)[0]
        assert {bits(shared(x)) for _ in range(50)} == {bits(alone(x))}
    finally:
        for task in TASKS.iterdir():
            os.sched_setaffinity(int(task.name), allowed)


@pytest.mark.build
@pytest.mark.parametrize("name", ["gcc", "zig"])
def test_a_program_in_c_uses_a_team(name: str, model: Path, tmp_path: Path) -> None:
    with s2c.compile(model, threads=2, name="shared") as program:
        folder = program.save(tmp_path / "net")
    main = tmp_path / "main.c"
    main.write_text(
        '#include "shared_team.h"\n'
        "static union { double aligned; unsigned char bytes[SHARED_ARENA_BYTES]; } a, b;\n"
        "static shared_team team;\n"
        "int main(void)\n{\n"
        "    for (int i = 0; i < SHARED_INPUT_0_SIZE; i++) {\n"
        "        shared_input_0(&a)[i] = shared_input_0(&b)[i] = (float)(i % 13) - 6.0F;\n    }\n"
        "    if (shared_team_start(&team) != 0) { return 2; }\n"
        "    shared_team_run(&team, &a);\n"
        "    shared_team_stop(&team);\n"
        "    shared_run(&b);\n"
        "    for (int i = 0; i < SHARED_OUTPUT_0_SIZE; i++) {\n"
        "        if (shared_output_0(&a)[i] != shared_output_0(&b)[i]) { return 1; }\n    }\n"
        "    return 0;\n}\n"
    )
    sources = [str(folder / f"shared{each}.c") for each in ("", "_team")]
    flags = ("-march=native", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{folder}")
    binary = str(tmp_path / "main")
    check_call([*compiler(name), *flags, str(main), *sources, "-pthread", "-o", binary])
    check_call([binary])


def test_targets_without_threads_refuse_them(model: Path) -> None:
    assert raises(lambda: make_request(model, "cortex-m4", threads=2)) == (
        "--threads: wanted 1, or a target with threads, found 2 for cortex-m4, which has none; "
        "leave it out, or compile for host"
    )
