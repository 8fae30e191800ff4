"""What this machine's processor can do, in the words of target.toml."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from s2c.tiles import Vectors

# The flags, as Linux names them, that a feature of kernels asks for; any GNU compiler has `vector`.
FEATURES: Mapping[str, frozenset[str]] = {
    "vector": frozenset(),
    "avx2": frozenset({"avx2"}),
    "vnni": frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}),
    "bf16": frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"}),
    "dot": frozenset({"asimddp"}),
}
FLAGS = re.compile(r"^(?:flags|Features)\s*:(.*)$", re.MULTILINE)


@cache
def processor_flags() -> frozenset[str]:
    """Empty where the system does not tell."""
    path = Path("/proc/cpuinfo")
    found = FLAGS.search(path.read_text(encoding="utf-8")) if path.exists() else None
    return frozenset(found.group(1).split()) if found else frozenset()


def has_feature(name: str) -> bool:
    return FEATURES[name] <= processor_flags()


def vectors() -> Vectors:
    """Of this processor, as wide as compilers use them with -march=native."""
    flags = processor_flags()
    if "avx512f" in flags:
        return Vectors(64, 32)
    if "avx" in flags:
        return Vectors(32, 16)
    return Vectors(16, 32 if platform.machine() in ("aarch64", "arm64") else 16)
