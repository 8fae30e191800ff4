"""A C file of ours to a library or program of this machine, built once per user, content and processor."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from s2c.processor import processor_flags
from s2c.resources import cache_folder, zig_environment

FLAGS = ("-std=gnu11", "-O2", "-g0", "-fno-sanitize=undefined")
LIBRARY = ("-shared", "-fPIC")
INCLUDE = re.compile(r'^#include "(.+)"$', re.MULTILINE)


def load_own(source: Path, *flags: str) -> ctypes.CDLL:
    """The library of a C file for this processor."""
    return ctypes.CDLL(str(build_own(source, "-O3", "-march=native", *flags, *LIBRARY)))


def build_own(source: Path, *flags: str) -> Path:
    machine = platform.machine(), platform.processor(), sorted(processor_flags())
    settings = repr((FLAGS, flags, metadata.version("ziglang"), machine)).encode()
    content = b"".join(path.read_bytes() for path in with_headers(source))
    cache = cache_folder() / "s2c"
    built = cache / f"{source.stem}-{hashlib.sha256(settings + content).hexdigest()[:16]}"
    if not built.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            new = Path(scratch) / built.name
            command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *flags, str(source), "-o", str(new)]
            subprocess.run(command, check=True, env=zig_environment())
            new.replace(built)  # atomic: another process may build the same
    return built


def with_headers(source: Path) -> list[Path]:
    """The file, and what it includes of those beside it, they too."""
    found = [source]
    for path in found:
        names = INCLUDE.findall(path.read_text(encoding="utf-8"))
        found += [each for each in map(path.with_name, names) if each.exists() and each not in found]
    return found
