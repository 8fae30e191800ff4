"""A compiled net: run(*arrays) gives its outputs; open_library() gives an instance that copies nothing."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from .errors import CompileError
from .library import Instance, Library, load_library

__all__ = ["CompileError", "Instance", "manifest", "open_library", "reset", "run"]

FOLDER = Path(__file__).parent
LOCK = Lock()


@cache
def manifest() -> dict[str, Any]:
    """What s2c noted of the net: inputs, outputs, MACs, bytes, digests."""
    (path,) = FOLDER.glob("*.json")
    noted: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return noted


@cache
def library() -> Library:
    return load_library(FOLDER, manifest())


@cache
def shared() -> Instance:
    return Instance(library())


def open_library() -> Instance:
    """The net with an arena of its own."""
    return Instance(library())


def run(*arrays: Any) -> np.ndarray | tuple[np.ndarray, ...]:
    """Runs the net once: one array for one output, else a tuple. Threads may call it; all share one state."""
    with LOCK:
        return shared()(*arrays)


def reset() -> None:
    """Forgets the state that run keeps."""
    with LOCK:
        shared().reset()
