"""The sets of features that kernels are tested with: those that targets list, and none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from s2c import processor
from s2c.kernel import usable_kernels
from s2c.steps import Kernels
from s2c.target import load_target
from s2c.tiles import SCALAR, Vectors

LEVEL_2 = frozenset({"ssse3", "sse4_1", "sse4_2", "popcnt"})
LEVEL_3 = LEVEL_2 | {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
LEVEL_4 = LEVEL_3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


@dataclass(frozen=True)
class FeatureSet:
    """features: of kernels; flags: of compilers, as gcc spells them; needs: of the processor, as Linux names
    them."""

    features: tuple[str, ...]
    vectors: Vectors
    flags: tuple[str, ...]
    needs: frozenset[str]

    @property
    def kernels(self) -> Kernels:
        return usable_kernels("c", self.features)

    def flags_for(self, compiler: str) -> tuple[str, ...]:
        """zig writes underscores where gcc has hyphens."""
        return (
            tuple(each.replace("x86-64-", "x86_64_") for each in self.flags)
            if compiler == "zig"
            else self.flags
        )


HOST = load_target("host")
PORTABLE = FeatureSet((), SCALAR, (), frozenset())
NATIVE = FeatureSet(HOST.features, HOST.vectors, ("-march=native",), frozenset())
SETS: Mapping[str, FeatureSet] = {
    "portable": PORTABLE,
    "x86-64-v2": FeatureSet(("vector",), Vectors(16, 16), ("-march=x86-64-v2",), LEVEL_2),
    "x86-64-v3": FeatureSet(("avx2", "vector"), Vectors(32, 16), ("-march=x86-64-v3",), LEVEL_3),
    "x86-64-v4": FeatureSet(("avx2", "vector"), Vectors(64, 32), ("-march=x86-64-v4",), LEVEL_4),
    "native": NATIVE,
}


# Each set under one compiler, that of this machine under both: the other compiler sees the same text.
BUILDS = (
    *((name, "zig") for name in SETS if name != "portable"),
    ("x86-64-v3", "gcc"),
    ("native", "gcc"),
)
ALL_KERNELS = tuple(
    FeatureSet(each, SCALAR, (), frozenset()) for each in ((), ("avx2",), tuple(processor.FEATURES))
)
"""Sets that together choose every kernel."""


def feature_set(name: str) -> FeatureSet:
    """The test is skipped where the processor lacks it."""
    found = SETS[name]
    if missing := found.needs - processor.processor_flags():
        pytest.skip(f"this processor lacks {', '.join(sorted(missing))}")
    return found
