"""A Keras .h5 file to its configuration and weights, read by a child process: the library for such files is
not written for hostile ones, so that nothing but the child may crash.

Run as a program with the file and where to write: `python -m s2c.readers.keras.weights MODEL.h5 OUT.npz`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2c.errors import CompileError, error

MOST_BYTES = 1 << 30  # of all weights
MOST_MEMORY = 8 << 30  # of the child
MOST_SECONDS = 120
MOST_PROCESSOR_SECONDS = 30
CONFIG = "config"
PROBLEM = "problem"


@dataclass(frozen=True)
class Stored:
    """config is the model's JSON; weights are by layer, in the order in which the layer made them."""

    config: dict[str, Any]
    weights: dict[str, list[np.ndarray]]


def read_stored(path: Path) -> Stored:
    """Raises CompileError where the file is damaged or holds no model."""
    with tempfile.TemporaryDirectory(prefix="s2c-") as folder:
        result = Path(folder) / "weights.npz"
        command = [sys.executable, "-m", __spec__.name, str(path.resolve()), str(result)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            raise damaged(f"one that takes more than {MOST_SECONDS} s to read") from None
        if done.returncode != 0 or not result.is_file():
            raise damaged((done.stderr.strip().splitlines() or ["one that ends its reader"])[-1])
        with np.load(result, allow_pickle=False) as arrays:
            return stored(dict(arrays))


def stored(arrays: dict[str, np.ndarray]) -> Stored:
    if PROBLEM in arrays:
        raise damaged(str(arrays[PROBLEM]))
    weights: dict[str, list[np.ndarray]] = {}
    for name in sorted(key for key in arrays if key != CONFIG):
        layer = json.loads(name)[0]
        weights.setdefault(layer, []).append(arrays[name])
    return Stored(json.loads(str(arrays[CONFIG])), weights)


def damaged(found: str) -> CompileError:
    return error("model", "a Keras .h5 file", found, "save the model again with model.save('model.h5')")


# in the child


def main(source: str, target: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_PROCESSOR_SECONDS, MOST_PROCESSOR_SECONDS))
    import h5py

    try:
        with h5py.File(source, "r") as file:
            arrays = dict(contents(file))
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError) as problem:
        arrays = {PROBLEM: np.array(f"{type(problem).__name__}: {problem}".splitlines()[0])}
    np.savez(target, **arrays)  # type: ignore[arg-type]


def contents(file: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The configuration, and every weight under the JSON of its layer and index."""
    config = file.attrs["model_config"]
    yield CONFIG, np.array(config.decode() if isinstance(config, bytes) else str(config))
    total = 0
    group = plain(file, "model_weights")
    for layer in text_list(group.attrs["layer_names"]):
        within = plain(group, layer)
        for index, name in enumerate(text_list(within.attrs["weight_names"])):
            data = within
            for part in name.split("/"):
                data = plain(data, part)
            if data.dtype.kind not in "fiu":
                raise ValueError(f"{name} of dtype {data.dtype}")
            total += int(data.size) * data.dtype.itemsize
            if total > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes of weights")
            yield json.dumps([layer, f"{index:06d}"]), np.asarray(data[()], np.float32)


def plain(group: Any, name: str) -> Any:
    """A member that lies in this file: no link elsewhere, no storage outside, no foreign filter."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name}, which is a link")
    member = group[name]
    if isinstance(member, h5py.Dataset) and (
        member.external or member.is_virtual or member.compression not in (None, "gzip", "lzf")
    ):
        raise ValueError(f"{name}, which is stored elsewhere")
    return member


def text_list(values: Any) -> list[str]:
    return [each.decode() if isinstance(each, bytes) else str(each) for each in values]


if __name__ == "__main__":
    main(*sys.argv[1:])
