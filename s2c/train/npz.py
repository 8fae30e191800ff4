"""An .npz file to what its arrays say they are, and to the arrays: never a pickle, never more memory than
MOST_BYTES."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from s2c.errors import CompileError, Problem, error

MOST_BYTES = 4 << 30  # that the arrays of one data set take when unpacked
MOST_MEMBERS = 1000
SUFFIX = ".npy"
KINDS = "biuf"  # of dtypes that are read: truth values, integers, floats
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def read_headers(path: Path) -> dict[str, Header]:
    """What each array of a file says it is, by name; nothing else is read. Raises CompileError."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise error(path.name, f"at most {MOST_MEMBERS} arrays", str(len(members)), "store fewer")
            names = [each.filename for each in members if each.filename.endswith(SUFFIX)]
            return {name.removesuffix(SUFFIX): read_header(path, archive, name) for name in names}
    except FileNotFoundError:
        raise error(path.name, "a file", "none of this name", "correct the path") from None
    except UNREADABLE as fault:
        raise unreadable(path, fault) from None


def read_header(path: Path, archive: zipfile.ZipFile, member: str) -> Header:
    with archive.open(member) as stream:
        source = cast(BinaryIO, stream)
        # Later versions have headers of up to 4 GiB, for field names, which are read in one go.
        if np.lib.format.read_magic(source) != (1, 0):
            raise ValueError(f"{member} has a header for structured arrays")
        shape, _, dtype = np.lib.format.read_array_header_1_0(source)
    return Header(shape, dtype)


def unreadable(path: Path, fault: Exception) -> CompileError:
    reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    return error(path.name, "an .npz file of arrays", reason, "write it with numpy.savez")


def check_headers(path: Path, headers: Mapping[str, Header]) -> list[Problem]:
    """Objects, texts and shapes without elements among the arrays that are going to be read."""
    problems = []
    for name, header in headers.items():
        where = f"{path.name}: {name}"
        if header.dtype.kind not in KINDS:
            what = "pickled objects" if header.dtype.hasobject else str(header.dtype)
            problems.append(Problem(where, "numbers", what, "store an array of integers or floats"))
        elif not header.shape or not math.prod(header.shape):
            problems.append(Problem(where, "at least one sample", str(header), "give data"))
    return problems


def read_arrays(path: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """Arrays whose headers were checked. Raises CompileError where the file ends early or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: read_array(archive, f"{name}{SUFFIX}") for name in sorted(names)}
    except UNREADABLE as fault:
        raise unreadable(path, fault) from None


def read_array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    """numpy.load would prefer a member without SUFFIX, whose header nobody checked."""
    with archive.open(member) as stream:
        found: np.ndarray = np.lib.format.read_array(cast(BinaryIO, stream), allow_pickle=False)
    return found
