"""A C file beside this one to a library or program of this machine, built once per user and content."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from s2c.resources import cache_folder, zig_environment

FLAGS = ("-std=gnu11", "-O2", "-g0", "-fno-sanitize=undefined")


def build_own(name: str, *flags: str) -> Path:
    source = Path(__file__).with_name(f"{name}.c")
    cache = cache_folder() / "s2c"
    built = cache / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if not built.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            new = Path(scratch) / built.name
            command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *flags, str(source), "-o", str(new)]
            subprocess.run(command, check=True, env=zig_environment())
            new.replace(built)  # atomic: another process may build the same
    return built
