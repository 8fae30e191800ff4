"""Texts of the command line to what they name: sizes, arrays, times, files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from s2c.errors import error

if TYPE_CHECKING:
    import numpy as np

PART = 1 << 20  # bytes of a file that are read at a time
MICROSECONDS = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """N=V, .. -> sizes by name."""
    sizes: dict[str, int] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if not name or not value.isdecimal() or int(value) == 0 or name in sizes:
            found = text if name not in sizes else f"{name} twice"
            raise error(
                "--dim", "NAME=SIZE with a size of at least 1, each name once", found, "e.g. --dim batch=1"
            )
        sizes[name] = int(value)
    return sizes


def parse_states(texts: Sequence[str]) -> dict[str, str]:
    """IN=OUT, .. -> output names by input name."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, _, result = text.partition("=")
        if not name or not result or name in pairs:
            found = text if name not in pairs else f"{name} twice"
            raise error("--state", "INPUT=OUTPUT, each input once", found, "e.g. --state cache=cache_out")
        pairs[name] = result
    return pairs


def load_consts(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """INPUT=FILE.npy, .. -> arrays by name."""
    arrays: dict[str, np.ndarray] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path or name in arrays:
            found = text if name not in arrays else f"{name} twice"
            raise error("--const", "INPUT=FILE.npy, each input once", found, "e.g. --const axes=axes.npy")
        arrays[name] = load_array(f"--const {name}", Path(path))
    return arrays


def load_array(what: str, path: Path) -> np.ndarray:
    """The array of a .npy file; one with pickled objects is refused, for reading it would run its code.

    It is mapped before it is read, so that one that declares more than the file holds takes no memory.
    """
    import numpy as np

    wanted = "an array that numpy.save wrote, without objects"
    try:
        with np.errstate(over="raise"):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OverflowError, FloatingPointError, BadZipFile):
        raise error(what, wanted, f"{path}: another kind of file", "save the array again") from None
    if not isinstance(array, np.ndarray):
        raise error(what, wanted, f"{path}: an archive of arrays", "save each as a .npy file")
    return np.array(array)


def parse_latency(text: str, flag: str = "--latency") -> float:
    """40us, 1.5ms, .. -> microseconds."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s)", text)
    if found is None:
        raise error(flag, "a time with its unit", text, f"e.g. {flag} 40us or {flag} 1.5ms")
    return float(found[1]) * MICROSECONDS[found[2]]


def parse_list(text: str | None) -> tuple[str, ...]:
    """a,b, .. -> its words."""
    return tuple(word.strip() for word in text.split(",") if word.strip()) if text else ()


def file_digest(path: Path) -> str:
    """SHA-256 of what the file holds, which may be more than fits into memory."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            hasher.update(part)
    return hasher.hexdigest()
