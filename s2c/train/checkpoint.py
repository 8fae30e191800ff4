"""Where training stands, in a file: written after each epoch, so that an interrupted run goes on as if it had
not been."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2c.errors import CompileError, error
from s2c.ir import Graph
from s2c.train.data import Samples

FORMAT = 8
UNREADABLE = (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError, OSError, AttributeError)


def digest_of(graphs: Iterable[Graph], samples: Samples, flags: str) -> str:
    """SHA-256 of all that decides what training gives."""
    hasher = hashlib.sha256(f"{FORMAT} {torch.__version__} {samples.task} {flags}".encode())
    arrays = [*samples.inputs, *([] if samples.targets is None else [samples.targets])]
    for graph in graphs:
        hasher.update(str(graph).encode())
        arrays += [
            each
            for node in graph.nodes()
            for _, each in sorted(node.attrs.items())
            if isinstance(each, np.ndarray)
        ]
    for array in arrays:
        hasher.update(f"{array.dtype}{array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).data)
    return hasher.hexdigest()


def save_checkpoint(path: Path, digest: str, state: dict[str, Any]) -> None:
    """The file is the old one or the new one, whenever the machine stops. Raises CompileError."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            torch.save({"digest": digest, "state": state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as fault:
        unfinished.unlink(missing_ok=True)
        do = "free some space or choose another folder"
        raise error(str(path), "a checkpoint to write", str(fault.strerror), do) from None


def load_checkpoint(path: Path, digest: str, anew: bool = False) -> dict[str, Any] | None:
    """The state of an interrupted run; None where there is no file. A file that is no checkpoint, or one of
    another model, data or flags, is passed over with `anew`, else raises CompileError."""
    if not path.exists():
        return None
    try:
        return read_checkpoint(path, digest)
    except CompileError:
        if anew:
            return None
        raise


def read_checkpoint(path: Path, digest: str) -> dict[str, Any]:
    do = "delete it to start anew, or name another file"
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        found, state = stored["digest"], stored["state"]
    except (TypeError, *UNREADABLE):
        raise error(str(path), "a checkpoint", "a file that cannot be read as one", do) from None
    if found != digest:
        wanted = "a checkpoint of this model, data and flags"
        raise error(str(path), wanted, "one of others", do)
    result: dict[str, Any] = state
    return result
