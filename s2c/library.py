"""A compiled net's shared library -> the net in this process: inputs and outputs are views of an arena."""

from __future__ import annotations

import ctypes
import hashlib
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np

from .errors import CompileError, Problem, error  # relative: wheels of nets hold these two files

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True)
class Tensor:
    """An input or output. scale and zero, where it is quantized: a stored q stands for (q - zero) * scale."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int  # bytes, in the arena
    scale: float | None
    zero: int | None


@dataclass(frozen=True)
class TeamCode:
    """The functions of <name>_team.h. bytes: of a team."""

    bytes: int
    start: Callable[[Any], int]
    run: Callable[[Any, Any], None]  # takes a team and a pointer to an arena
    stop: Callable[[Any], None]


@dataclass(frozen=True, eq=False)
class Library:
    """The loaded code of a net, which any number of instances share."""

    manifest: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    run: Callable[[Any], None]  # takes a pointer to an arena
    team: TeamCode | None  # where threads share the net
    reset: Callable[[Any], None] | None  # where the net keeps state


def ignore_arena(_: object) -> None:
    """The reset of a net without state."""


@final
class Instance:
    """A net with an arena of its own. A class, because it owns that memory.

    inputs, outputs: a numpy array for each, in the model's order, shape and dtype: views of the arena, which
    they share with everything else. Write all inputs before each run, and read the outputs before the next.
    run() runs the net once; reset() forgets all state. They are bound C functions instead of methods, whose
    frame would cost half as much as the whole call. One thread at a time may use an instance; another() is
    one more of the same net, and several run at once, because a run releases the GIL. Threads that share the
    net are started with the instance, and end when it is collected.
    """

    __slots__ = ("__weakref__", "inputs", "library", "outputs", "reset", "run")

    def __init__(self, library: Library) -> None:
        memory = make_arena(int(library.manifest["arena_bytes"]))
        # byref is the one argument that ctypes passes on as it is; it keeps the memory alive.
        pointer = ctypes.byref((ctypes.c_ubyte * memory.size).from_buffer(memory.data))
        self.library = library
        self.inputs = tuple(view(memory, each) for each in library.inputs)
        self.outputs = tuple(view(memory, each) for each in library.outputs)
        self.run: Callable[[], None] = partial(library.run, pointer)
        if library.team is not None:
            self.run = partial(library.team.run, start_team(library), pointer)
        self.reset: Callable[[], None] = partial(library.reset or ignore_arena, pointer)
        self.reset()

    def __call__(self, *arrays: Any) -> np.ndarray | tuple[np.ndarray, ...]:
        """Copies in, runs, copies out: a new array for one output, else a tuple. arrays: anything that numpy
        takes for an array without converting it. CompileError with all that is wrong with them.
        """
        for index, given in enumerate(check_inputs(self.library.inputs, arrays)):
            self.inputs[index][...] = given
        self.run()
        if len(self.outputs) == 1:
            return self.outputs[0].copy()
        return tuple([each.copy() for each in self.outputs])

    def another(self) -> Instance:
        """Of the same net, with an arena of its own; its state is as at the beginning."""
        return Instance(self.library)


def make_arena(size: int) -> np.ndarray:
    """Zeroed bytes at an aligned address. Written, so that no run has to wait for its pages."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    raw.fill(0)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def start_team(library: Library) -> Any:
    """A pointer to a team whose threads have started. It keeps the team's memory alive, and the threads end
    with that. CompileError where the system starts none.
    """
    code = library.team
    assert code is not None
    memory = make_arena(code.bytes)
    block = (ctypes.c_ubyte * memory.size).from_buffer(memory.data)
    if failed := code.start(ctypes.byref(block)):
        raise error(
            str(library.manifest["name"]), "threads", os.strerror(failed), "compile it with fewer --threads"
        )
    # Called before the block is freed; the memory under it is the array's.
    weakref.finalize(block, stop_team, code, memory, os.getpid())
    return ctypes.byref(block)


def stop_team(code: TeamCode, memory: np.ndarray, process: int) -> None:
    """Not in a process that was forked off: it has none of the threads."""
    if os.getpid() == process:
        code.stop(ctypes.c_void_p(memory.ctypes.data))


def view(memory: np.ndarray, tensor: Tensor) -> np.ndarray:
    size = int(np.prod(tensor.shape, dtype=np.int64)) * tensor.dtype.itemsize
    return memory[tensor.offset : tensor.offset + size].view(tensor.dtype).reshape(tensor.shape)


def check_inputs(wanted: Sequence[Tensor], arrays: Sequence[Any]) -> list[np.ndarray]:
    """The arrays, if they are what the net declares: nothing is cast or broadcast."""
    if len(arrays) != len(wanted):
        do = "give one array for each input, in order"
        raise error("inputs", f"{len(wanted)} arrays", str(len(arrays)), do)
    found = [each if isinstance(each, np.ndarray) else as_array(each) for each in arrays]
    problems = []
    for index, tensor in enumerate(wanted):
        array = found[index]
        if array is None:
            what = f"a {type(arrays[index]).__name__}"
            do = "convert it with numpy.asarray"
            problems.append(Problem(f"input {tensor.name}", "an array", what, do))
        elif array.shape != tensor.shape or array.dtype != tensor.dtype:
            shall, is_ = describe(tensor.dtype, tensor.shape), describe(array.dtype, array.shape)
            do = "reshape or convert the array"
            problems.append(Problem(f"input {tensor.name}", shall, is_, do))
    if problems:
        raise CompileError(tuple(problems))
    return [array for array in found if array is not None]


def as_array(value: Any) -> np.ndarray | None:
    """The memory of an object that has some, by the buffer protocol or numpy's own; None for lists and all
    else that numpy would have to convert.
    """
    if hasattr(value, "__array__"):
        return np.asarray(value)
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        return None


def describe(dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    return f"{dtype.name}{list(shape)}"


# loading


def load_library(folder: Path, manifest: Mapping[str, Any]) -> Library:
    """The library that the manifest names in its folder.

    Raises CompileError as find_library does, and where this machine does not load it or lacks instructions
    that it uses.
    """
    name = manifest["name"]
    path = find_library(folder, manifest)
    try:
        code = ctypes.CDLL(spell(path, manifest["library"]["sha256"]))
    except OSError as problem:
        wanted = "a library that this machine can load"
        found = f"one for {manifest['target']}: {problem}"  # glibc says "No such file" of another machine's
        raise error(str(path), wanted, found, "compile the model on this machine") from None
    refuse_processor(path, getattr(code, f"{name}_supported", None))
    return Library(
        manifest,
        tuple(make_tensor(each) for each in manifest["inputs"]),
        tuple(make_tensor(each) for each in manifest["outputs"]),
        function(code, f"{name}_run"),
        team_code(code, name) if manifest["threads"] > 1 else None,
        function(code, f"{name}_reset") if manifest["states"] else None,
    )


def find_library(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Raises CompileError where there is none, and where it is not the one built with the manifest."""
    name = manifest["name"]
    noted = manifest.get("library")
    if noted is None:
        wanted = "a net with a shared library"
        do = "compile the model for a target that has libraries, such as host"
        raise error(str(folder), wanted, f"{name} for {manifest['target']}, without one", do)
    path: Path = (folder / noted["file"]).resolve()
    if not path.is_file():
        raise error(str(path), f"the library of {name}", "no such file", "compile the model again")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != noted["sha256"]:
        wanted = f"the library that {name}.json describes, SHA-256 {noted['sha256'][:12]}.."
        raise error(str(path), wanted, f"another, {digest[:12]}..", "compile the model again")
    return path


def refuse_processor(path: Path, supported: Callable[[], int] | None) -> None:
    """supported: what the library says of the processor; None: it was built for any."""
    if supported is not None and not supported():
        wanted, found = "a processor with the instructions of the net", "one that lacks some"
        do = "compile the model on this machine, or for older processors"
        raise error(str(path), wanted, found, do)


def function(code: ctypes.CDLL, name: str) -> Callable[..., None]:
    """Without argtypes, whose conversion takes longer than the call."""
    found = code[name]
    found.restype = None
    return found


def team_code(code: ctypes.CDLL, name: str) -> TeamCode:
    size, start = code[f"{name}_team_bytes"], code[f"{name}_team_start"]
    size.restype, start.restype = ctypes.c_uint64, ctypes.c_int
    return TeamCode(size(), start, function(code, f"{name}_team_run"), function(code, f"{name}_team_stop"))


def make_tensor(noted: Mapping[str, Any]) -> Tensor:
    return Tensor(
        noted["name"],
        tuple(noted["shape"]),
        numpy_dtype(noted["dtype"]),
        noted["offset"],
        noted["scale"],
        noted["zero"],
    )


def numpy_dtype(name: str) -> np.dtype[Any]:
    """f32, i8, u16, .., bool as the manifest writes them: a kind and bits."""
    return np.dtype(np.bool_) if name == "bool" else np.dtype(f"{name[0]}{int(name[1:]) // 8}")


SPELLINGS: dict[Path, list[str]] = {}  # digests of the libraries that this process loaded, by their path


def spell(path: Path, digest: str) -> str:
    """The path, spelled differently for each library that has lain there: the loader knows by its spelling
    what it has loaded, and would not see that a net was compiled again.
    """
    known = SPELLINGS.setdefault(path, [])
    if digest not in known:
        known.append(digest)
    return f"{path.parent}/{'./' * known.index(digest)}{path.name}"
