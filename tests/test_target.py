"""The protocol of every target on hand-written code, and its counters: the same for each emulator."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from feature_sets import SETS
from small_nets import ARENA_BYTES, OUTPUT_BYTES, build_small, inputs, write_small

from s2c.build import Image, build
from s2c.errors import CompileError
from s2c.process import Process, ProcessError
from s2c.processor import processor_flags
from s2c.resources import cache_folder
from s2c.target import Memory, Target, list_targets, load_target, missing_tools

pytestmark = pytest.mark.build

EMULATED = [target for target in list_targets() if target.emulated]
CORTEX = [target for target in EMULATED if target.arch == "thumb"]
QEMU = "qemu-system-arm"
NAMES = "aarch64, asic, cortex-m33, cortex-m4, cortex-m7, host, x86-64-v2, x86-64-v3, x86-64-v4"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """Of the targets whose tools are there; asking for another one skips the test."""
    return Images(
        (target.name, build_small(target, tmp_path_factory.mktemp(target.name)))
        for target in list_targets()
        if missing_tools(target) == ()
    )


class Images(dict[str, Image]):
    """A class, because only a dict's own __missing__ sees what it lacks."""

    def __missing__(self, name: str) -> Image:
        pytest.skip("; ".join(missing_tools(load_target(name))))


def with_options(target: Target, *options: str) -> Target:
    """The target with more options for its emulator."""
    return replace(target, run=(*target.run[:-1], *options, target.run[-1]))


def under_qemu(target: Target) -> Target:
    if shutil.which(QEMU) is None:
        pytest.skip(f"{QEMU} is not installed")
    return with_options(target, "--qemu", "{machine}")


def result(process: Process, case: str, *data: int) -> tuple[int, dict[str, Any]]:
    outputs, counters = process.run(inputs(case, *data), OUTPUT_BYTES)
    return int.from_bytes(outputs, "little", signed=True), counters


def test_list_leaves_abstract_targets_out() -> None:
    assert ", ".join(target.name for target in list_targets()) == NAMES


def test_fields_are_inherited() -> None:
    target = load_target("cortex-m4")
    assert target.memories == (Memory("flash", 0, 2 << 20), Memory("ram", 0x20000000, 640 << 10))
    assert target.arch == "thumb" and target.optimise == "-O2" and target.emulated
    assert target.count_calls == ("--functions={functions}",) and load_target("host").count_calls == ()
    assert [folder.name for folder in target.folders] == ["cortex-m4", "cortex-m", "targets"]


def test_levels_extend_the_host() -> None:
    """The net's flags name a processor, the harness's none: it is to run, and to refuse, on any."""
    target = load_target("x86-64-v3")
    assert target.features == ("avx2", "vector") and target.checks_processor and not target.emulated
    assert [folder.name for folder in target.folders] == ["x86-64-v3", "host", "targets"]
    for name, level in (("zig", "-march=x86_64_v3"), ("other", "-march=x86-64-v3")):
        compiler = target.compilers[name]
        assert compiler.flags[0] == level and level not in compiler.harness_flags
    assert target.compilers["zig"].harness_flags[0] == "-mcpu=baseline"


def test_unknown_target() -> None:
    with pytest.raises(CompileError) as raised:
        load_target("cortex-m55x")
    assert str(raised.value) == (f"--target: wanted one of {NAMES}, found cortex-m55x; name one of these")


def test_missing_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    zig = "ziglang is not installed: pip install ziglang"
    unicorn = "unicorn is not installed: pip install unicorn"
    assert missing_tools(load_target("cortex-m4")) == (unicorn, zig)
    assert missing_tools(load_target("host")) == (zig,)
    compiler = "no-such-cc (--cc) is not on the path: install it, or leave --cc out"
    assert missing_tools(load_target("host"), "no-such-cc -O1") == (compiler,)
    with pytest.raises(CompileError) as raised:
        build(load_target("host"), tmp_path, "small", tmp_path)
    assert str(raised.value) == f"target host: wanted all its tools, found {zig}; install what is missing"


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_builds_without_a_warning(target: Target, images: dict[str, Image]) -> None:
    assert images[target.name].warnings == ""


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_protocol(target: Target, images: dict[str, Image]) -> None:
    image = images[target.name]
    lacking = SETS[target.name].needs - processor_flags() if target.name in SETS else frozenset()
    if lacking:
        pytest.skip(f"this processor lacks {', '.join(sorted(lacking))}")
    with Process.start(target, image) as process:
        assert result(process, "nothing", 7)[0] == 7
        assert result(process, "chain", 1, 2, 3, 4)[0] == (3 * 5 * 1) + (7 * 4)
        assert result(process, "root", 1)[0] == 40
        assert [result(process, "counted")[0] for _ in range(3)] == [101, 102, 103]


@pytest.mark.parametrize("target", EMULATED, ids=lambda target: target.name)
def test_instructions_tell_constant_code_from_the_rest(target: Target, images: dict[str, Image]) -> None:
    with Process.start(target, images[target.name]) as process:
        counts = {
            case: {
                result(process, case, *data)[1]["instructions"]
                for data in ([0] * 8, [255] * 8, [1, 200, 3, 200, 5, 6, 7, 8])
            }
            for case in ("deep", "aligned", "branch")
        }
    assert len(counts["deep"]) == len(counts["aligned"]) == 1
    assert len(counts["branch"]) == 3


@pytest.mark.parametrize("target", CORTEX, ids=lambda target: target.name)
def test_emulators_agree(target: Target, images: dict[str, Image]) -> None:
    functions = ["chain", "chain_middle", "deep", "branch", "loop_first", "root"]
    cases = ("chain", "deep", "branch", "loop_first", "root", "tail", "copy", "table", "divide")
    found = []
    for each in (target, under_qemu(target)):
        with Process.start(each, images[target.name], functions) as process:
            found.append([result(process, case, 9, 200, 3, 0) for case in cases])
    assert found[0] == found[1]


@pytest.mark.parametrize("target", EMULATED, ids=lambda target: target.name)
def test_instructions_of_each_call(target: Target, images: dict[str, Image]) -> None:
    with Process.start(target, images[target.name], ["chain_middle", "loop_first"]) as process:
        chain = result(process, "chain", 1, 2)[1]
        loops = result(process, "loop_first", 1, 1, 1, 1, 1)[1]
        nothing = result(process, "nothing")[1]
    assert len(chain["calls"]) == 2
    assert chain["prologue"] + sum(chain["calls"]) == chain["instructions"]
    assert len(loops["calls"]) == 1  # a jump back to the first instruction is no call
    assert nothing["calls"] == [] and nothing["prologue"] == nothing["instructions"]


@pytest.mark.parametrize("qemu", [False, True], ids=["unicorn", "qemu"])
def test_calls_are_reported_when_asked_for(qemu: bool, images: dict[str, Image]) -> None:
    """Of no functions there are no calls, which is not the same as not to ask."""
    target = load_target("cortex-m4")
    emulator = under_qemu(target) if qemu else target
    with Process.start(emulator, images[target.name], ()) as process:
        counters = result(process, "chain", 1, 2)[1]
    assert counters["calls"] == [] and counters["prologue"] == counters["instructions"]
    with Process.start(emulator, images[target.name]) as process:
        assert result(process, "chain", 1, 2)[1].keys().isdisjoint({"calls", "prologue"})


def test_cache_that_cannot_be_written(
    images: dict[str, Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert build_small(load_target("host"), tmp_path).warnings == ""
    with Process.start(load_target("cortex-m4"), images["cortex-m4"]) as process:
        assert result(process, "nothing", 7)[0] == 7
    libraries = list(tmp_path.glob(f"s2c-{os.getuid()}/s2c/count-*"))
    assert len(libraries) == 1


def test_temporary_cache_of_someone_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = tmp_path / f"s2c-{os.getuid()}"
    assert cache_folder() == shared
    shared.chmod(0o777)
    assert cache_folder() != shared


def test_junk_is_no_image(tmp_path: Path) -> None:
    junk = tmp_path / "junk.elf"
    junk.write_text("junk")
    process = Process.start(load_target("cortex-m4"), Image(junk, junk, ""))
    with process, pytest.raises(ProcessError, match=r"status 1: junk\.elf: not an image: Magic number"):
        process.run(b"", 1)


@pytest.mark.parametrize("qemu", [False, True], ids=["unicorn", "qemu"])
@pytest.mark.parametrize("target", CORTEX, ids=lambda target: target.name)
def test_fault_is_an_error(target: Target, qemu: bool, images: dict[str, Image]) -> None:
    emulator = under_qemu(target) if qemu else target
    message = "status 1: an exception" if qemu else r"read.* in fault"
    with Process.start(emulator, images[target.name]) as process:
        assert result(process, "nothing", 7)[0] == 7
        with pytest.raises(ProcessError, match=message):
            result(process, "fault")


def test_fault_of_a_process_is_an_error(images: dict[str, Image]) -> None:
    target = load_target("aarch64")
    with Process.start(target, images["aarch64"]) as process:
        assert result(process, "nothing", 7)[0] == 7
        with pytest.raises(ProcessError, match="Segmentation fault"):
            result(process, "fault")


@pytest.mark.parametrize("qemu", [False, True], ids=["unicorn", "qemu"])
def test_endless_loop_is_an_error(qemu: bool, images: dict[str, Image]) -> None:
    target = load_target("cortex-m4")
    emulator = with_options(under_qemu(target) if qemu else target, "--limit", "1000000")
    with Process.start(emulator, images[target.name]) as process:
        assert result(process, "nothing", 7)[0] == 7
        with pytest.raises(ProcessError, match="more than 1000000 instructions without an end"):
            result(process, "endless")


def test_unknown_function_is_an_error(images: dict[str, Image]) -> None:
    process = Process.start(load_target("cortex-m4"), images["cortex-m4"], ["no_such"])
    with process, pytest.raises(ProcessError, match="the image has no function no_such"):
        result(process, "nothing")


def test_host_crash_is_an_error(images: dict[str, Image]) -> None:
    process = Process.start(load_target("host"), images["host"])
    with process, pytest.raises(ProcessError, match="the image ended with status -11: it printed nothing"):
        result(process, "fault")


def test_truncated_input_ends_the_host_program(images: dict[str, Image]) -> None:
    process = Process.start(load_target("host"), images["host"])
    assert process.child.stdin is not None
    process.child.stdin.write(inputs("nothing")[:7])
    process.child.stdin.close()
    assert str(process.ended()) == "the image ended with status 1: the input ended within an inference"
    process.close()


def test_repeat_times_each_call(images: dict[str, Image]) -> None:
    with Process.start(load_target("host"), images["host"], repeat=5) as process:
        value, counters = result(process, "counted")
    assert value == 105
    assert len(counters["nanoseconds"]) == 5 and min(counters["nanoseconds"]) >= 0


def test_broken_source_is_an_error(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "small.c").write_text("void small_run(void *arena) { return 1 }")
    with pytest.raises(CompileError, match="expected ';' after return"):
        build(load_target("host"), tmp_path, "small", tmp_path)


def test_image_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    write_small(tmp_path)
    header = (
        (tmp_path / "net.h").read_text().replace(f"S2C_ARENA_BYTES {ARENA_BYTES}", "S2C_ARENA_BYTES 700000")
    )
    (tmp_path / "net.h").write_text(header)
    with pytest.raises(CompileError, match="ram"):
        build(load_target("cortex-m4"), tmp_path, "small", tmp_path)
