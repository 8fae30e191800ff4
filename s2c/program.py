"""A compiled net: its folder, and a process that runs it."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from s2c.build import Image
from s2c.errors import error
from s2c.ir import DTYPES
from s2c.process import Process
from s2c.target import load_target

MANIFEST_VERSION = 3
BUILD = "build"


@final
class Program:
    """program(*arrays) runs the net once: one array for one output, else a tuple. Threads may share it.

    Once closed, it raises RuntimeError. A class, because it owns a child process and, where s2c.compile made
    it, a temporary folder.
    """

    def __init__(self, folder: Path, temporary: tempfile.TemporaryDirectory[str] | None = None) -> None:
        self._process: Process | None = None
        self._lock = threading.Lock()  # an inference is a write and a read: those of two threads must not mix
        self._is_closed = False
        self._temporary = temporary
        self.folder = folder
        self.manifest: dict[str, Any] = read_manifest(folder)
        self.counters: dict[str, Any] = {}  # of the last call

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    def image(self) -> Image:
        build = self.folder / BUILD
        return Image(build / f"{self.name}.elf", build / f"{self.name}.o", "")

    def start(self, count_calls: bool = False, repeat: int = 1) -> Process:
        """A new process of this program; count_calls asks an emulator for the instructions of each call."""
        self._refuse_closed()
        target = load_target(self.manifest["target"])
        calls = [call["function"] for call in self.manifest["calls"] if "function" in call]
        functions = list(dict.fromkeys(calls))
        return Process.start(target, self.image(), functions if count_calls else None, repeat)

    def __call__(self, *arrays: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        with self._lock:
            self._refuse_closed()
            if self._process is None:
                self._process = self.start()
            inputs = checked_inputs(self.manifest, arrays)
            try:
                outputs, self.counters = self.run(self._process, tuple(inputs))
            except BaseException:  # an interrupt too: the pipes may hold half an inference
                self._end_process()
                raise
        return outputs[0] if len(outputs) == 1 else outputs

    def run(
        self, process: Process, arrays: tuple[np.ndarray, ...]
    ) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
        """One inference in a process of this program: outputs and counters."""
        data = b"".join(each.tobytes() for each in checked_inputs(self.manifest, arrays))
        size = sum(each["bytes"] for each in self.manifest["outputs"])
        raw, counters = process.run(data, size)
        outputs = []
        for each in self.manifest["outputs"]:
            array = np.frombuffer(raw[: each["bytes"]], DTYPES[each["dtype"]]).reshape(each["shape"])
            outputs.append(array)
            raw = raw[each["bytes"] :]
        return tuple(outputs), counters

    def reset(self) -> None:
        """Forgets all state: the next call is the first."""
        with self._lock:
            self._end_process()

    def save(self, folder: str | Path) -> Path:
        """Copies the artifact to a new or empty folder, or to the place of an older artifact.

        Raises CompileError where the folder holds anything else, and then changes nothing.
        """
        # Here, because both modules stand above this one: they make what a Program is.
        from s2c.artifact import refuse_foreign
        from s2c.driver import staged_folder

        self._refuse_closed()
        path = Path(folder)
        refuse_foreign(path, "save")
        entries = sorted(self.folder.iterdir())  # before the new folder, which may lie among them
        with staged_folder(path.resolve()) as staged:
            for entry in entries:
                if entry.is_dir():
                    shutil.copytree(entry, staged / entry.name)
                else:
                    shutil.copy2(entry, staged)
        return path

    def close(self) -> None:
        self._is_closed = True
        self.reset()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise RuntimeError(f"program {self.name} is closed: compile or load it again")

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._process is not None:
            self._process.close()


def run_batch(
    program: Program, arrays: Sequence[np.ndarray]
) -> tuple[tuple[np.ndarray, ...], list[dict[str, Any]]]:
    """One inference, or as many as the arrays' further axis in front says; outputs are then stacked likewise.

    Returns the outputs, and the counters of each inference.
    """
    wanted = [len(each["shape"]) for each in program.manifest["inputs"]]
    is_batch = [array.ndim - 1 for array in arrays] == wanted and len({len(array) for array in arrays}) == 1
    if not is_batch or len(arrays[0]) == 0:
        with program.start() as process:
            outputs, counters = program.run(process, tuple(arrays))
        return outputs, [counters]
    with program.start() as process:
        results = [program.run(process, each) for each in zip(*arrays, strict=True)]
    stacked = tuple(np.stack(each) for each in zip(*(outputs for outputs, _ in results), strict=True))
    return stacked, [counters for _, counters in results]


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A .npz file, whatever its suffix."""
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def manifest_path(folder: Path) -> Path:
    """The one .json that lies beside a .c of its name."""
    found = [path for path in sorted(folder.glob("*.json")) if path.with_suffix(".c").is_file()]
    if len(found) != 1:
        wanted = "a folder that s2c compile wrote"
        raise error(str(folder), wanted, "no manifest in it", "compile a model into it")
    return found[0]


def read_manifest(folder: Path) -> dict[str, Any]:
    path = manifest_path(folder)
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["manifest_version"]
    except (ValueError, KeyError, TypeError):
        wanted = "a manifest that s2c compile wrote"
        raise error(str(path), wanted, "another file", "compile the model again") from None
    if version != MANIFEST_VERSION:
        raise error(
            str(path), f"manifest version {MANIFEST_VERSION}", str(version), "compile the model again"
        )
    return manifest


def checked_inputs(manifest: Mapping[str, Any], arrays: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """The arrays, contiguous, if they are what the net declares; nothing is cast."""
    wanted = manifest["inputs"]
    if len(arrays) != len(wanted):
        do = "give one array for each input, in order"
        raise error("inputs", f"{len(wanted)} arrays", str(len(arrays)), do)
    for each, array in zip(wanted, arrays, strict=True):
        found = np.asarray(array)
        if list(found.shape) != each["shape"] or found.dtype != DTYPES[each["dtype"]]:
            raise error(
                f"input {each['name']}",
                f"{each['dtype']}{each['shape']}",
                f"{found.dtype}{list(found.shape)}",
                "reshape or convert the array",
            )
    return [np.ascontiguousarray(array) for array in arrays]
