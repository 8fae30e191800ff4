"""Many Plans compiled at once into one shared library, each with its own prefix, and run through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from s2c.emit.c_family import emit_source
from s2c.emit.c_header import emit_header
from s2c.plan import Plan
from s2c.resources import cache_folder

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
FLAGS = (*WARNINGS, "-ffp-contract=off", "-fno-builtin")
ZIG = (sys.executable, "-m", "ziglang", "cc")
# clang's own headers, above all <immintrin.h>, are parsed once for all files: half of the time of most.
MODULES = ("-fmodules", f"-fmodules-cache-path={cache_folder() / 's2c' / 'clang-modules'}")
COMPILERS: Mapping[str, Sequence[str]] = {
    "gcc": ("gcc", "-O1"),
    "zig": (*ZIG, "-O2", "-fno-sanitize=undefined", "-g0", *MODULES),
}


def compiler(name: str) -> Sequence[str]:
    """A row of COMPILERS; the test is skipped where its program is missing."""
    command = COMPILERS[name]
    need(command[0])
    return command


def need(program: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return program


def write_plans(folder: Path, plans: Mapping[str, Plan]) -> list[str]:
    """<name>.c and <name>.h for each; the paths of the sources."""
    for name, plan in plans.items():
        (folder / f"{name}.h").write_text(emit_header(plan, name, name), encoding="utf-8")
        (folder / f"{name}.c").write_text(emit_source(plan, name, name, "c"), encoding="utf-8")
    return [str(folder / f"{name}.c") for name in plans]


def check_call(command: Sequence[str]) -> str:
    """What the command printed; its failure is the test's."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def build_library(command: Sequence[str], folder: Path, plans: Mapping[str, Plan]) -> ctypes.CDLL:
    sources = write_plans(folder, plans)
    path = folder / "library.so"
    assert check_call([*command, *FLAGS, "-shared", "-fPIC", *sources, "-o", str(path)]) == ""
    return ctypes.CDLL(str(path))


def run_library(
    library: ctypes.CDLL, name: str, plan: Plan, arrays: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """One inference on an arena of garbage; asserts that nothing around it was written."""
    margin = 64
    memory = np.random.default_rng(0).integers(0, 256, plan.arena_bytes + 2 * margin + 16, np.uint8)
    before = memory.copy()
    start = margin + (-(memory.ctypes.data + margin)) % 16
    arena = memory[start : start + plan.arena_bytes]
    for offset, array in zip(plan.inputs, arrays, strict=True):
        arena[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
    library[f"{name}_run"](ctypes.c_void_p(arena.ctypes.data))
    assert np.array_equal(memory[:start], before[:start]), name
    assert np.array_equal(memory[start + plan.arena_bytes :], before[start + plan.arena_bytes :]), name
    return tuple(
        arena[offset : offset + node.type.bytes].copy().view(node.type.numpy).reshape(node.type.shape)
        for offset, node in zip(plan.outputs, plan.graph.outputs, strict=True)
    )


def run_sanitized(folder: Path, name: str) -> str:
    """What main.c and NAME.c print under gcc's sanitizers, the first fault of which ends them."""
    sources = [str(folder / "main.c"), str(folder / f"{name}.c")]
    sanitizers = "-fsanitize=address,undefined", "-fno-sanitize-recover=all"
    check_call([*COMPILERS["gcc"], *FLAGS, *sanitizers, *sources, "-o", str(folder / name)])
    return check_call([str(folder / name)])
