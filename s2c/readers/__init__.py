"""A model file to a Graph, by the kind of the file."""

from __future__ import annotations

import importlib.util
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from s2c.errors import CompileError, error
from s2c.ir import Graph

TFLITE_IDENTIFIER = b"TFL3"
TORCH_SUFFIXES = (".pt2", ".pt", ".pth", ".th")
KERAS_SUFFIXES = (".h5", ".hdf5")
MOST_FILE_BYTES = 1 << 31
# What readers, which see bytes alone, call the model as a whole.
WHOLE_MODEL = "model"


def load_model(path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a file of any format that is read; raises CompileError with all its problems.

    dims sets unknown dimensions by name; consts binds inputs by name to arrays.
    """
    try:
        refuse_unusual(path)
        if path.suffix in TORCH_SUFFIXES:
            return load_torch(path, dims, consts)
        if path.suffix in KERAS_SUFFIXES:
            return load_h5(path, dims, consts)
        return load_bytes(read_bytes(path), path, dims, consts)
    except CompileError as problems:
        raise CompileError(
            tuple(
                replace(each, layer=path.name) if each.layer == WHOLE_MODEL else each
                for each in problems.problems
            )
        ) from None


def read_bytes(path: Path) -> bytes:
    """The content of an ordinary file of a size that a model can have."""
    refuse_unusual(path)
    try:
        return path.read_bytes()
    except OSError as problem:
        raise unreadable(path, problem) from None


def refuse_unusual(path: Path) -> None:
    """What is no ordinary file, or of no size that a model has; a pipe or a device might never end."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise error(str(path), "a model file", "none", "check the path") from None
    except OSError as problem:
        raise unreadable(path, problem) from None
    if not stat.S_ISREG(status.st_mode):
        raise error(str(path), "a model file", "no ordinary file", "check the path")
    if status.st_size > MOST_FILE_BYTES:
        found = f"{status.st_size} bytes"
        raise error(str(path), f"at most {MOST_FILE_BYTES} bytes", found, "compile a smaller model")
    if status.st_size == 0:
        raise error(str(path), "a model file", "an empty one", "export or download the file again")


def unreadable(path: Path, problem: OSError) -> CompileError:
    return error(str(path), "a readable file", problem.strerror or "another", "check the path")


def load_bytes(data: bytes, path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """Each format's packages are imported only where a file needs them: they take longer than reading it."""
    if data[4:8] == TFLITE_IDENTIFIER or path.suffix == ".tflite":
        from s2c.readers.tflite import load_tflite

        return load_tflite(data, dims, consts)
    if path.suffix == ".onnx":
        from s2c.readers.onnx import load_onnx

        return load_onnx(data, dims, consts, path.parent)
    if path.suffix == ".nam":
        from s2c.readers.nam import load_nam

        return load_nam(data, dims, consts)
    if path.suffix == ".json":
        from s2c.readers.rtneural import load_rtneural

        return load_rtneural(data, dims, consts)
    if path.suffix == ".s2c":
        from s2c.readers.graph_file import load_graph_file

        return load_graph_file(data, dims, consts)
    raise error(
        str(path),
        "a .tflite, .onnx, .pt2, .h5, .nam, RTNeural .json or .s2c file",
        path.suffix or "no suffix",
        "export the model to one of them",
    )


def load_h5(path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    if importlib.util.find_spec("h5py") is None:
        do = "pip install 's2c[keras]'"
        raise error(path.name, "h5py, which reads .h5 files", "it is not installed", do)
    from s2c.readers.keras import load_keras

    return load_keras(path, dims, consts)


def load_torch(path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    if importlib.util.find_spec("torch") is None:
        do = "pip install 's2c[torch]'"
        raise error(path.name, f"torch, which reads {path.suffix} files", "it is not installed", do)
    from s2c.readers.torch import load_torch_file

    return load_torch_file(path, dims, consts)


def self_contained(path: Path) -> bytes:
    """A model file as one that needs no other beside it; raises CompileError."""
    data = read_bytes(path)
    if path.suffix != ".onnx" or data[4:8] == TFLITE_IDENTIFIER:
        return data
    from s2c.readers.onnx.file import self_contained

    return self_contained(data, path.parent)
