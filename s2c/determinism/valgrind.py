"""A compiled folder to the instructions of one call by valgrind, which needs no counter of the machine."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2c.own_code import build_own
from s2c.program import read_manifest

CALLS = 3
COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")
UNKNOWN = "valgrind does not know this program's instructions: compile it with --target x86-64-v3"


class ValgrindError(RuntimeError):
    """valgrind did not run the program to its end."""


def count_by_valgrind(folder: Path, inputs: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any]:
    """Instructions of one call, by the name of its inputs, or {"why_not": ..}."""
    if shutil.which("valgrind") is None:
        return {"why_not": "valgrind is not installed"}
    try:
        return {name: count_inputs(folder, arrays) for name, arrays in inputs.items()}
    except ValgrindError as problem:
        return {"why_not": str(problem)}


def count_inputs(folder: Path, arrays: Sequence[np.ndarray]) -> float:
    """With the calls, less without them."""
    name = read_manifest(folder)["name"]
    with_calls, without = (count_run(folder, arrays, each) for each in (f"{name}_run", "-"))
    return (with_calls - without) / CALLS


def count_run(folder: Path, arrays: Sequence[np.ndarray], function: str) -> int:
    manifest = read_manifest(folder)
    spans = [str(each[key]) for each in manifest["inputs"] for key in ("offset", "bytes")]
    reset = f"{manifest['name']}_reset" if manifest["states"] else "-"
    library = (folder / manifest["library"]["file"]).resolve()
    done = subprocess.run(
        [
            *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"),
            *(str(build_own(Path(__file__).with_name("count.c"), "-ldl")), str(library), function, reset),
            *(str(manifest["arena_bytes"]), str(CALLS), *spans),
        ],
        input=b"".join(array.tobytes() for array in arrays),
        capture_output=True,
        check=False,
    )
    lines = done.stderr.decode(errors="replace").splitlines()
    if done.returncode == -signal.SIGILL:
        raise ValgrindError(UNKNOWN)
    counted = COUNTED.search("\n".join(lines))
    if done.returncode != 0 or counted is None:
        own = [line for line in lines if not line.startswith(("==", "--"))]
        said = own[-1] if own else "nothing"
        raise ValgrindError(f"under valgrind it ended with status {done.returncode} and said: {said}")
    return int(counted.group(1).replace(",", ""))
