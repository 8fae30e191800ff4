"""Tiles by the cost model, and kernels and tiles by timing: what is chosen is recorded and remembered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from feature_sets import NATIVE
from onnx import helper
from onnx_models import model_of

import s2c
from s2c import extents, tune
from s2c.driver import compile_model, make_request
from s2c.resources import folder
from s2c.steps import Choice
from s2c.tiles import MOST_ROWS, MOST_VECTORS, PANEL, Tile, Vectors, Work, cheapest_tiles
from s2c.verify import verify

AVX512, AVX2, SSE = Vectors(64, 32), Vectors(32, 16), Vectors(16, 16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["b"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["b", "c"], ["y"]),
    ]
    shapes = {"a": (16, 16, 3, 3), "c": (24, 16, 1, 1)}
    consts = {name: source.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    path = tmp_path_factory.mktemp("tune") / "net.onnx"
    path.write_bytes(model_of(nodes, {"x": (1, 16, 12, 12)}, consts))
    return path


# the cost model


@pytest.mark.parametrize("vectors", [AVX512, AVX2, SSE])
def test_tiles_fit_the_registers(vectors: Vectors) -> None:
    lanes = vectors.bytes // 4
    for rows in (1, 2, 7, 14, 15, 196):
        for columns in (1, 16, 17, 64, 1000):
            tiles = cheapest_tiles(Work(rows, columns, 64), vectors, 100)
            assert len(set(tiles)) == len(tiles) >= 1
            for tile in tiles:
                wide = tile.columns // lanes
                assert 1 <= tile.rows <= min(rows, MOST_ROWS) and tile.columns % PANEL == 0
                assert tile.rows * wide + wide + 1 <= vectors.registers or tile == Tile(1, PANEL)


def test_rows_left_over_count_as_whole_tiles_where_they_are_computed_so() -> None:
    """16 rows in two tiles of 8, not one of 12 and one of which a third is wasted."""
    assert cheapest_tiles(Work(16, 32, 64, is_whole=True), AVX512, 1) == [Tile(8, 32)]
    assert cheapest_tiles(Work(16, 32, 64), AVX512, 1) == [Tile(12, 32)]


@pytest.mark.parametrize("name", ["APART", "BLOCK_FLOATS", "CHUNK_FLOATS", "CROWDED", "MANY_TILES"])
def test_extents_are_those_of_the_kernels(name: str) -> None:
    assert macro(name) == getattr(extents, name)


def test_tiles_are_those_of_the_kernels() -> None:
    assert (macro("PANEL"), macro("MOST_ROWS"), macro("MOST_VECTORS")) == (PANEL, MOST_ROWS, MOST_VECTORS)


def macro(name: str) -> int:
    """What the only definition of S2C_<name> says: a number, or one shifted left."""
    files = (folder("kernels") / "c" / "lib").glob("*.h")
    texts = "".join(path.read_text(encoding="utf-8") for path in files)
    (found,) = re.findall(rf"^#define S2C_{name} \(?(\d+)(?: << (\d+))?", texts, re.MULTILINE)
    return int(found[0]) << int(found[1] or 0)


# timing


def folders(model: Path, place: Path, names: tuple[str, ...]) -> list[Path]:
    found = []
    for name in names:
        with s2c.compile(model, tune=True) as program:
            found.append(program.save(place / name))
    return found


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """A cache of its own; how many candidates each timing had. The last candidate is the fastest."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls: list[int] = []

    def time_all(source: str, target: object) -> list[float]:
        count = source.count("static void call_")
        calls.append(count)
        return [float(count - index) for index in range(count)]

    monkeypatch.setattr(tune, "time_all", time_all)
    return calls


@pytest.mark.build
@pytest.mark.skipif(not NATIVE.vectors.registers, reason="this processor has no vectors")
def test_what_was_fastest_is_chosen_recorded_and_remembered(
    model: Path, times: list[int], tmp_path: Path
) -> None:
    first, second = folders(model, tmp_path, ("first", "second"))
    assert len(times) == 1  # the second compilation remembers
    manifest = json.loads((first / "net.json").read_text())
    choices = manifest["flags"]["choices"]
    assert len(choices) == 2
    timed = [call["kernel"] for call in manifest["calls"] if call["macs"]]
    assert sorted(timed) == sorted(each["kernel"] for each in choices.values())
    plain = compile_model(make_request(model, "host")).plan
    assert [call.kernel.name for call in plain.calls if call.macs] != timed
    for path in first.iterdir():
        assert path.is_dir() or path.read_bytes() == (second / path.name).read_bytes()
    assert len(times) == 1
    assert not [each for each in verify(first, inputs=4).claims if each.status == "failed"]
    assert len(times) == 1  # what the manifest says is compiled again without timing


@pytest.mark.build
@pytest.mark.skipif(not NATIVE.vectors.registers, reason="this processor has no vectors")
def test_every_candidate_is_timed(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tune, "ROUND_NANOSECONDS", 10_000)
    seen: list[list[float]] = []
    real = tune.time_all

    def time_all(*arguments: object) -> list[float]:
        seen.append(real(*arguments))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(tune, "time_all", time_all)
    compile_model(make_request(model, "host", tune=True))
    assert len(seen) == 1 and len(seen[0]) >= 4
    # A convolution of 0.3 million multiplications: a program that computed nothing would take no time.
    assert all(500 < each < 1e8 for each in seen[0])


def test_choices_survive_the_manifest() -> None:
    choices = {"a x=1": Choice("k.vector", Tile(6, 64)), "b": Choice("k", None)}
    assert tune.read_choices(json.loads(json.dumps(tune.note_choices(choices)))) == choices
