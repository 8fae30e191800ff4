"""A torch file into a Graph: a .pt2 is read without unpickling; files of weights alone are refused."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram
from torch.utils._pytree import tree_structure

from s2c.errors import CompileError, error
from s2c.ir import Graph
from s2c.readers import WHOLE_MODEL, read_bytes
from s2c.readers.torch.archive import damaged, read_archive
from s2c.readers.torch.program import decompose, export_module, first_line, quiet
from s2c.readers.torch.reader import read_program, refuse_symbols
from s2c.readers.torch.serialized import program_of

EXPORT = "torch.export.save(torch.export.export(module.eval(), example_inputs), 'model.pt2')"


def load_torch_file(path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a .pt2 file; raises CompileError.

    consts binds inputs to arrays by name. A .pt, .pth or .th file holds weights and no net: it is refused,
    and never unpickled.
    """
    if path.suffix != ".pt2" and not is_export(path):
        found = f"weights alone, or pickled Python ({path.suffix})"
        raise error(WHOLE_MODEL, "a net, as a .pt2 or .onnx file holds", found, f"export it: {EXPORT}")
    if dims:
        listed = ", ".join(sorted(dims))
        raise error(WHOLE_MODEL, "no --dim, as shapes are fixed when exporting", listed, "export again")
    return read_program(checked(program_of(read_archive(read_bytes(path)))), consts)


def save_module(module: nn.Module, inputs: Sequence[Any], path: Path) -> None:
    """A module in evaluation mode, for inputs of these shapes and dtypes, as a .pt2 file."""
    program = export_module(module, tuple(inputs))
    refuse_symbols(program)
    signature = program.module_call_graph[0].signature
    assert signature is not None
    # A flat tuple, since not every type that a forward can return has a name in a file.
    signature.out_spec = tree_structure(tuple(range(signature.out_spec.num_leaves)))
    with quiet():
        torch.export.save(program, path)


def write_module(module: nn.Module, inputs: Sequence[Any], folder: Path) -> Path:
    """A module as a .pt2 file of its class's name, from which a program can be compiled at any time."""
    path = folder / f"{type(module).__name__}.pt2"
    save_module(module, inputs, path)
    return path


def is_export(path: Path) -> bool:
    """Whether a file with a suffix for weights is an archive of torch.export.save."""
    try:
        with zipfile.ZipFile(path) as file:
            return any(each.filename.endswith("/archive_format") for each in file.infolist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def checked(program: ExportedProgram) -> ExportedProgram:
    """The program in ops that are read; what torch cannot decompose is damaged."""
    refuse_symbols(program)
    try:
        return decompose(program)
    except CompileError:
        raise
    except Exception as problem:
        found = f"a broken program: {type(problem).__name__}: {first_line(problem)}"
        raise damaged(found[:200]) from None
