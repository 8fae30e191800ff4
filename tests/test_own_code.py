"""C of ours is built once for what it is built from."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from s2c.own_code import LIBRARY, build_own


@pytest.mark.build
def test_is_built_again_where_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source, header = tmp_path / "add.c", tmp_path / "amount.h"
    source.write_text('#include "add.h"\nint add(int a) { return a + AMOUNT + MORE; }\n')
    (tmp_path / "add.h").write_text('#include <stdint.h>\n#include "amount.h"\n')
    header.write_text("#define AMOUNT 1\n")

    def built(more: int) -> Path:
        return build_own(source, *LIBRARY, f"-DMORE={more}")

    first = built(10)
    stamp = first.stat().st_mtime_ns
    assert ctypes.CDLL(str(first)).add(100) == 111
    assert built(10) == first and first.stat().st_mtime_ns == stamp
    assert ctypes.CDLL(str(built(20))).add(100) == 121
    header.write_text("#define AMOUNT 2\n")
    assert ctypes.CDLL(str(built(10))).add(100) == 112
    source.write_text("int add(int a) { return -a; }\n")
    assert ctypes.CDLL(str(built(10))).add(100) == -100
    assert {each.name for each in first.parent.iterdir()} >= {first.name, built(10).name}
