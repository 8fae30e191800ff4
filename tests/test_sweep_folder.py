"""A sweep's folder: whose it is, what is in it whenever a sweep is killed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphs import raises
from sweep_doubles import HALF, plain_files, plain_sweep, result_of

from s2c.files import write_whole
from s2c.sweep import store
from s2c.sweep.jobs import to_bytes
from s2c.sweep.recipe import Job, Sweep
from s2c.sweep.schedule import keep
from s2c.sweep.workers import Message


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return plain_sweep(*plain_files(tmp_path))


# checkpoints


def test_a_checkpoint_goes_when_its_net_is_there(sweep: Sweep, tmp_path: Path) -> None:
    with store.opened(tmp_path / "out", sweep):
        path = tmp_path / "out" / store.checkpoint_file(HALF)
        path.touch()
        refused = {Job("net", HALF).result: to_bytes({"problems": [{}]})}
        keep(tmp_path / "out", Message(Job("net", HALF), "done", refused))
        assert path.exists()
        keep(tmp_path / "out", Message(Job("net", HALF), "done", result_of(Job("net", HALF))))
        assert not path.exists()


# the folder


def test_a_folder_of_another_sweep_is_refused_by_what_differs(sweep: Sweep, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with store.opened(folder, sweep):
        pass
    with store.opened(folder, sweep):
        found = raises(lambda: enter(folder, sweep))
        assert found == (
            f"-o {folder}: wanted a folder that no other sweep is writing, found one that runs; "
            "wait until it ends"
        )
    other = replace(sweep, seed=1, budgets=(("width", 0.25),))
    assert raises(lambda: enter(folder, other)).splitlines() == [
        f"-o {folder}: wanted the sweep that it holds: --seed 0, found --seed 1; "
        "give the same, or name another folder",
        f"-o {folder}: wanted the sweep that it holds: --width 1.0,0.5, found --width 0.25; "
        "give the same, or name another folder",
    ]
    sweep.data[0].write_bytes(b"other data")
    assert "--data" in raises(lambda: enter(folder, sweep))


def test_a_newer_s2c_does_not_go_on(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    monkeypatch.setattr("s2c.sweep.recipe.version", lambda: "1.0")
    enter(folder, sweep)
    monkeypatch.setattr("s2c.sweep.recipe.version", lambda: "1.1")
    assert raises(lambda: enter(folder, sweep)) == (
        f"-o {folder}: wanted the sweep that it holds: s2c 1.0, found s2c 1.1; "
        "give the same, or name another folder"
    )


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_recipe(sweep: Sweep, tmp_path: Path, text: bytes) -> None:
    folder = tmp_path / "out"
    enter(folder, sweep)
    (folder / store.RECIPE).write_bytes(text)
    assert raises(lambda: enter(folder, sweep)) == (
        f"-o {folder}: wanted a recipe.json that a sweep wrote, found one that cannot be read; "
        "name another folder"
    )


def test_a_sweep_that_is_killed_as_it_begins(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever that is, the folder is usable."""
    for step, name in enumerate(("mkdir", "open", "replace")):
        for calls in range(4):
            folder = tmp_path / f"{step}-{calls}"
            with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
                patched.setattr(Path, name, killed_after(calls, getattr(Path, name)))
                enter(folder, sweep)
            enter(folder, sweep)


def killed_after(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    left = [calls]

    def call(*arguments: Any, **keywords: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return function(*arguments, **keywords)

    return call


def enter(folder: Path, sweep: Sweep) -> None:
    with store.opened(folder, sweep):
        pass


def test_a_folder_of_something_else_is_left_alone(sweep: Sweep, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").touch()
    assert raises(lambda: enter(mine, sweep)) == (
        f"-o {mine}: wanted a new folder, or one of this sweep, found thesis.tex; name another folder"
    )
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    (mine / "thesis.tex").rename(mine / "points")
    assert "found no recipe.json in it" in raises(lambda: enter(mine, sweep))
    assert raises(lambda: enter(mine / "points", sweep)) == (
        f"-o {mine / 'points'}: wanted a folder, found a file of that name; name another"
    )


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "result.json", b"old")

    def crash(_: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="power cut"):
        write_whole(tmp_path / "result.json", b"new")
    assert (tmp_path / "result.json").read_bytes() == b"old"


def test_a_draft_of_a_killed_sweep_is_no_stranger(sweep: Sweep, tmp_path: Path) -> None:
    enter(tmp_path / "out", sweep)
    (tmp_path / "out" / ".sweep.csv.draft").touch()
    enter(tmp_path / "out", sweep)
