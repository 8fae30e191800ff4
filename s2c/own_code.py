"""A C file of ours to a library or program of this machine, built once per user, content and processor."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from s2c.processor import processor_flags
from s2c.resources import cache_folder, zig_environment

FLAGS = ("-std=gnu11", "-O2", "-g0", "-fno-sanitize=undefined")
LIBRARY = ("-shared", "-fPIC")


def load_own(source: Path, *flags: str, headers: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The library of a C file for this processor; headers: names, beside it."""
    beside = tuple(source.with_name(each) for each in headers)
    return ctypes.CDLL(str(build_own(source, "-O3", "-march=native", *flags, *LIBRARY, headers=beside)))


def build_own(source: Path, *flags: str, headers: tuple[Path, ...] = ()) -> Path:
    """headers: what the source includes of ours."""
    machine = platform.machine(), platform.processor(), sorted(processor_flags())
    settings = repr((FLAGS, flags, metadata.version("ziglang"), machine)).encode()
    content = b"".join(path.read_bytes() for path in (source, *headers))
    cache = cache_folder() / "s2c"
    built = cache / f"{source.stem}-{hashlib.sha256(settings + content).hexdigest()[:16]}"
    if not built.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            new = Path(scratch) / built.name
            command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *flags, str(source), "-o", str(new)]
            subprocess.run(command, check=True, env=zig_environment())
            new.replace(built)  # atomic: another process may build the same
    return built
