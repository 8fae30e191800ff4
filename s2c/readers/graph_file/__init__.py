"""A Graph to a .s2c file and back: what pruning, retraining and quantizing hand on to the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from s2c.errors import CompileError, Problem
from s2c.ir import Graph
from s2c.readers.graph_file.container import pack, unpack
from s2c.readers.graph_file.document import describe_graph, read_graph
from s2c.readers.graph_file.values import Arrays


def graph_bytes(graph: Graph) -> bytes:
    """The content of a .s2c file: equal graphs give equal bytes."""
    arrays = Arrays()
    return pack(describe_graph(graph, arrays), arrays.stored)


def write_graph(path: Path, graph: Graph) -> None:
    path.write_bytes(graph_bytes(graph))


def load_graph(data: bytes) -> Graph:
    """The Graph that graph_bytes was given; arrays that nodes shared are shared again. Raises CompileError
    with all problems of a file that another hand wrote."""
    document, arrays = unpack(data)
    return read_graph(document, arrays)


def load_graph_file(data: bytes, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """load_graph; there is nothing in such a file that dims and consts could set."""
    problems = [
        Problem("model", f"no {flag}, as a .s2c file is fixed", repr(each), "leave it out")
        for flag, names in (("--dim", dims), ("--const", consts))
        for each in sorted(names)
    ]
    if problems:
        raise CompileError(tuple(problems))
    return load_graph(data)
