"""A Program as Python sees it: threads, large arrays, save and close."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from onnx_models import model_of

import s2c
from s2c.errors import CompileError
from s2c.program import Program

pytestmark = pytest.mark.build

ROOT = Path(__file__).resolve().parent.parent
LARGE = 50_000  # floats: 200 KB, more than a pipe holds
THREADS = 8


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = 2 x of a large array, for the host."""
    folder = tmp_path_factory.mktemp("program")
    node = helper.make_node("Add", ["x", "x"], ["y"])
    (folder / "twice.onnx").write_bytes(model_of([node], {"x": (1, LARGE)}))
    with s2c.compile(folder / "twice.onnx") as program:
        return program.save(folder / "saved")


def values(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, LARGE)).astype(np.float32)


def test_threads_share_a_program(saved: Path) -> None:
    with s2c.load(saved) as program, ThreadPoolExecutor(THREADS) as pool:
        arrays = [values(seed) for seed in range(5 * THREADS)]
        for array, found in zip(arrays, pool.map(program, arrays), strict=True):
            assert isinstance(found, np.ndarray)
            assert np.array_equal(found, 2 * array)


def test_arrays_larger_than_a_pipe_on_an_emulator(saved: Path) -> None:
    with s2c.compile(saved / "twice.onnx", target="cortex-m4") as program:
        assert np.array_equal(program(values(1)), 2 * values(1))


def test_save_replaces_an_artifact_and_nothing_else(saved: Path, tmp_path: Path) -> None:
    with s2c.load(saved) as program:
        (tmp_path / "empty").mkdir()
        for folder in (tmp_path / "new" / "deep", tmp_path / "empty", tmp_path / "empty"):
            assert program.save(folder) == folder
            assert sorted(path.name for path in folder.iterdir()) == sorted(
                path.name for path in saved.iterdir()
            )
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "thesis.tex").touch()
        with pytest.raises(CompileError) as raised:
            program.save(mine)
        assert str(raised.value) == (
            f"save {mine}: wanted a new folder, or one with nothing but what s2c compile wrote, "
            "found thesis.tex; name another folder"
        )
        assert [path.name for path in mine.iterdir()] == ["thesis.tex"]


def test_save_onto_and_into_itself(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "saved"))
    with s2c.load(folder) as program:
        program.save(folder)
        assert sorted(path.name for path in program.save(folder / "within").iterdir()) == sorted(
            path.name for path in saved.iterdir()
        )
        assert np.array_equal(program(values(2)), 2 * values(2))


def test_closed_program_says_so(saved: Path, tmp_path: Path) -> None:
    program = s2c.load(saved)
    program.close()
    for use in (lambda: program(values(0)), lambda: program.save(tmp_path / "out"), program.start):
        with pytest.raises(RuntimeError, match="program twice is closed: compile or load it again"):
            use()
    program.close()


def test_a_call_after_a_failed_one(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an interrupted call leaves in the pipe is not taken for the next one's outputs."""
    with s2c.load(saved) as program:
        program(values(0))
        with monkeypatch.context() as patch:
            patch.setattr(np, "frombuffer", interrupt)
            with pytest.raises(KeyboardInterrupt):
                program(values(1))
        assert np.array_equal(program(values(2)), 2 * values(2))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_missing_image_leaks_nothing(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "copy"))
    (folder / "build" / "twice.elf").write_bytes(b"junk")
    before = open_files()
    with Program(folder) as program:
        for _ in range(3):
            with pytest.raises(CompileError, match="Exec format error"):
                program(values(0))
    assert open_files() == before


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_readme_example_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "demo", tmp_path / "demo", ignore=shutil.ignore_patterns("out"))
    text = (ROOT / "README.md").read_text()
    code, *_ = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "digits" / "digits_int8.json").is_file()
