"""A compiled folder to a Session in this process: its C as a shared library, called through ctypes."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from s2c.determinism.peers import Session, write_arrays
from s2c.errors import error
from s2c.ir import DTYPES
from s2c.program import read_manifest
from s2c.resources import zig_environment
from s2c.target import load_target, pick_compiler

ALIGNMENT = 64


def build_library(folder: Path) -> Path:
    """build/lib<name>.so of a folder for a target of this machine. CompileError for another target."""
    manifest = read_manifest(folder)
    name, target = manifest["name"], load_target(manifest["target"])
    if target.emulated:
        do = "compile with --target host"
        raise error(f"{folder}", "a net for this machine", f"one for {target.name}", do)
    path = folder / "build" / f"lib{name}.so"
    if not path.is_file():
        compiler, command = pick_compiler(target, manifest["flags"]["cc"])
        flags = [*compiler.flags, target.optimise, "-std=c99", "-shared", "-fPIC"]
        subprocess.run(
            [*command, *flags, str(folder / f"{name}.c"), "-o", str(path)], check=True, env=zig_environment()
        )
    return path


def aligned_bytes(size: int) -> np.ndarray:
    room = np.zeros(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size]


def open_compiled(folder: Path) -> Session:
    """Inputs may be overwritten by an inference, so refill writes them again."""
    manifest = read_manifest(folder)
    library = ctypes.CDLL(str(build_library(folder)))
    arena = aligned_bytes(manifest["arena_bytes"])
    pointer = ctypes.c_void_p(arena.ctypes.data)
    function = library[f"{manifest['name']}_run"]
    function.restype = None
    if manifest["states"]:
        library[f"{manifest['name']}_reset"](pointer)
    inputs, outputs = (
        [
            arena[each["offset"] : each["offset"] + each["bytes"]]
            .view(DTYPES[each["dtype"]])
            .reshape(each["shape"])
            for each in manifest[role]
        ]
        for role in ("inputs", "outputs")
    )
    kept = [array.copy() for array in inputs]

    def write(arrays: Sequence[np.ndarray]) -> None:
        write_arrays(kept, arrays)
        write_arrays(inputs, arrays)

    return Session(
        shapes=tuple((array.shape, array.dtype) for array in inputs),
        write=write,
        call=partial(function, pointer),
        read=lambda: [array.copy() for array in outputs],
        refill=partial(write_arrays, inputs, kept),
    )
