"""What one core can compute, as a Session whose call makes a known number of MACs."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

from s2c.determinism.peers import Session, Settings
from s2c.resources import zig_environment

SOURCE = Path(__file__).with_suffix(".c")
STEPS = 20_000
FLAGS = ("-O2", "-march=native", "-ffp-contract=fast", "-fno-sanitize=undefined", "-shared", "-fPIC")
# The argument, and the C type of each loop's result; int8 may use no instruction that this CPU lacks.
LOOPS = {"f32": ("f32", ctypes.c_float), "bf16": ("bf16", ctypes.c_float), "int8": ("i8", ctypes.c_int32)}


def build_peak(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "peak.so"
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, str(SOURCE), "-o", str(path)]
    subprocess.run(command, check=True, env=zig_environment())
    return path


@cache
def load(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))


def call_macs(path: Path, precision: str) -> int:
    """MACs of one call; 0 where this machine has no instruction that multiplies and adds this precision."""
    prefix, _ = LOOPS[precision]
    return STEPS * ctypes.c_int32.in_dll(load(path), f"s2c_{prefix}_macs").value


def open_peak(path: Path, settings: Settings) -> Session:
    """settings.precision: f32, bf16 or int8."""
    prefix, kind = LOOPS[settings.precision]
    function = load(path)[f"s2c_{prefix}_peak"]
    function.argtypes = [ctypes.c_int64, kind]
    function.restype = kind
    return Session(shapes=(), write=lambda arrays: None, call=partial(function, STEPS, kind(1)), read=list)
