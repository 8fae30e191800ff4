"""A model file to a Graph, by the kind of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from s2c.errors import CompileError, error
from s2c.ir import Graph

TFLITE_IDENTIFIER = b"TFL3"
# What readers, which see bytes alone, call the model as a whole.
WHOLE_MODEL = "model"


def load_model(path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a .tflite or .onnx file; raises CompileError with all problems of the file.

    dims sets unknown dimensions by name; consts binds inputs by name to arrays.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise error(str(path), "a model file", "none", "check the path") from None
    except OSError as problem:
        raise error(str(path), "a readable file", problem.strerror or "another", "check the path") from None
    if not data:
        raise error(str(path), "a model file", "an empty one", "export or download the file again")
    try:
        return load_bytes(data, path, dims, consts)
    except CompileError as problems:
        raise CompileError(
            tuple(
                replace(each, layer=path.name) if each.layer == WHOLE_MODEL else each
                for each in problems.problems
            )
        ) from None


def load_bytes(data: bytes, path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """Each format's packages are imported only where a file needs them: they take longer than reading it."""
    if data[4:8] == TFLITE_IDENTIFIER or path.suffix == ".tflite":
        from s2c.readers.tflite import load_tflite

        return load_tflite(data, dims, consts)
    if path.suffix == ".onnx":
        from s2c.readers.onnx import load_onnx

        return load_onnx(data, dims, consts)
    raise error(
        str(path), "a .tflite or .onnx file", path.suffix or "no suffix", "export the model to one of them"
    )
