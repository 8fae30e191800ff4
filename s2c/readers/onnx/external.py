"""Tensors whose values lie in files beside an ONNX model into tensors that hold them; no path is trusted."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from onnx import TensorProto

from s2c.errors import CompileError, Problem, error

MOST_BYTES = 1 << 28  # of all external data together
MOST_PROBLEMS = 100
NUMBER = re.compile(r"[0-9]{1,18}\Z")
EXPORT = "export the model into one file, or with its data beside it"


@dataclass(frozen=True)
class Region:
    """Where a tensor's bytes lie: a file by its path within the model's folder, and a range of it."""

    path: PurePosixPath
    offset: int
    length: int


def is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0


def external_tensors(model: onnx.ModelProto) -> list[TensorProto]:
    """Those of the graph, of its nodes' attributes, of their graphs, and of functions."""
    return [tensor for tensor in all_tensors(model) if is_external(tensor)]


def all_tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if not nodes:
            graph = graphs.pop()
            nodes.extend(graph.node)
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            continue
        for attribute in nodes.pop().attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                graphs.append(attribute.g)
            yield from attribute.tensors
            graphs.extend(attribute.graphs)


def text_of(name: str | bytes) -> str:
    """Names that are no UTF-8 arrive as bytes."""
    return name if isinstance(name, str) else name.decode("utf-8", "replace")


def inline(model: onnx.ModelProto, folder: Path, sizes: Mapping[int, int]) -> None:
    """Gives every external tensor of the message its bytes.

    sizes holds the bits of an element by ONNX element type. Raises CompileError with the problems of all
    tensors; nothing outside the folder is opened, no link followed, and at most MOST_BYTES are read.
    """
    problems: list[Problem] = []
    left = MOST_BYTES
    for tensor in external_tensors(model):
        name = text_of(tensor.name) or "a tensor without a name"
        try:
            content = read_tensor(tensor, name, folder, sizes, left)
        except CompileError as problem:
            problems.extend(problem.problems)
            if len(problems) >= MOST_PROBLEMS:
                break
            continue
        left -= len(content)
        tensor.raw_data = content
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    if problems:
        raise CompileError(tuple(problems))


def read_tensor(tensor: TensorProto, name: str, folder: Path, sizes: Mapping[int, int], left: int) -> bytes:
    size = byte_size(tensor, name, sizes)
    region = region_of(tensor, name, size)
    if size > left:
        found = f"{MOST_BYTES - left + size} bytes up to this tensor"
        raise error(name, f"at most {MOST_BYTES} bytes of external data", found, "compile a smaller model")
    return read_region(region, name, folder)


def byte_size(tensor: TensorProto, name: str, sizes: Mapping[int, int]) -> int:
    """What the tensor's type needs; its axes are few, so that their product is quickly found."""
    bits = sizes.get(tensor.data_type)
    if bits is None:
        found = f"element type {tensor.data_type}"
        raise error(name, "external data of a numeric type", found, "convert the tensor to float32")
    if len(tensor.dims) > 32 or any(extent < 0 for extent in tensor.dims):
        raise error(name, "a shape of up to 32 axes", "another", EXPORT)
    size = bits
    for extent in tensor.dims:
        size *= extent
    return -(-size // 8)


def region_of(tensor: TensorProto, name: str, size: int) -> Region:
    entries = {entry.key: text_of(entry.value) for entry in tensor.external_data}
    location = entries.get("location", "")
    path = PurePosixPath(location)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in location:
        wanted = "external data in a file inside the model's folder"
        raise error(name, wanted, repr(location[:200]), "move the file beside the model and name it so")
    for key in ("offset", "length"):
        if key in entries and not NUMBER.match(entries[key]):
            found = repr(entries[key][:40])
            raise error(name, f"a number of bytes as {key} of external data", found, EXPORT)
    length = int(entries.get("length", size))
    if length != size:
        raise error(name, f"{size} bytes of external data", f"{length} bytes", EXPORT)
    return Region(path, int(entries.get("offset", 0)), length)


def read_region(region: Region, name: str, folder: Path) -> bytes:
    try:
        descriptor = open_inside(folder, region.path)
    except OSError as problem:
        wanted = f"external data in the file {region.path}, which is no link"
        raise error(name, wanted, problem.strerror or "another", EXPORT) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise error(name, f"external data in the file {region.path}", "no ordinary file", EXPORT)
        end = region.offset + region.length
        if end > status.st_size:
            found = f"{status.st_size} bytes"
            raise error(name, f"at least {end} bytes in {region.path}", found, EXPORT)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            file.seek(region.offset)
            content = file.read(region.length)
    finally:
        os.close(descriptor)
    if len(content) != region.length:
        raise error(name, f"{region.length} bytes in {region.path}", f"{len(content)} bytes", EXPORT)
    return content


def open_inside(folder: Path, path: PurePosixPath) -> int:
    """A descriptor of a file below the folder: each step is opened relative to the last, and may be no link.

    It does not wait for the other end of a pipe.
    """
    steps = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        for part in path.parts[:-1]:
            steps.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=steps[-1]))
        return os.open(path.parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=steps[-1])
    finally:
        for descriptor in steps:
            os.close(descriptor)
