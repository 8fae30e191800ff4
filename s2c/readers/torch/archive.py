"""A .pt2 file's bytes into its program, as JSON, and its tensors; nothing in it is trusted or unpickled."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import torch

from s2c.errors import CompileError, error
from s2c.readers import WHOLE_MODEL

MOST_JSON_BYTES = 1 << 26
MOST_TENSOR_BYTES = 1 << 31
EXPORT_AGAIN = "write it again with torch.export.save"

# torch._export.serde.schema.ScalarType: numbers that a file holds.
DTYPES: Mapping[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    10: torch.complex64,
    12: torch.bool,
    13: torch.bfloat16,
    28: torch.uint16,
    34: torch.uint32,
    35: torch.uint64,
}


@dataclass(frozen=True)
class Archive:
    """program: the JSON of torch's serialized ExportedProgram. tensors: weights and constants by name."""

    program: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


def read_archive(data: bytes) -> Archive:
    """Raises CompileError where the file is damaged, or holds pickles or machine code."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = members_of(file, len(data))
            program = only_program(file, members)
            tensors = {**payloads(file, members, "weights"), **payloads(file, members, "constants")}
    except CompileError:
        raise
    except Exception as problem:
        # A damaged archive can break any assumption of zipfile.
        raise damaged(f"{type(problem).__name__}: {problem}"[:200]) from None
    return Archive(program, tensors)


def damaged(found: str) -> CompileError:
    return error(WHOLE_MODEL, "an archive of torch.export.save", found, EXPORT_AGAIN)


def members_of(file: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The archive's files by their path below its one folder.

    torch stores them as they are; so they are together no larger than the file.
    """
    infos = [each for each in file.infolist() if not each.is_dir()]
    if any(each.compress_type != zipfile.ZIP_STORED for each in infos):
        raise damaged("compressed files in it")
    if sum(each.file_size for each in infos) > size:
        raise damaged("files in it that overlap")
    members = {"/".join(PurePosixPath(each.filename).parts[1:]): each for each in infos}
    if "archive_format" not in members or file.read(members["archive_format"]) != b"pt2":
        raise damaged("another kind of archive")
    for name in sorted(members):
        if name.startswith("data/aotinductor/"):
            raise error(WHOLE_MODEL, "a program", f"machine code ({name})", "save it with torch.export.save")
    return members


def read_json(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    if member.file_size > MOST_JSON_BYTES:
        raise damaged(f"{member.file_size} bytes of JSON in {member.filename}")
    try:
        return json.loads(file.read(member))
    except (ValueError, RecursionError) as problem:
        raise damaged(f"no JSON in {member.filename}: {type(problem).__name__}") from None


def only_program(file: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> Mapping[str, Any]:
    names = [name for name in sorted(members) if name.startswith("models/") and name.endswith(".json")]
    if len(names) != 1:
        raise damaged(f"{len(names)} programs in it")
    program = read_json(file, members[names[0]])
    if not isinstance(program, dict):
        raise damaged(f"no program in {names[0]}")
    return program


def payloads(
    file: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], kind: str
) -> dict[str, torch.Tensor]:
    """The tensors that data/<kind>/<model>_<kind>_config.json lists."""
    tensors: dict[str, torch.Tensor] = {}
    for name in sorted(members):
        if not (name.startswith(f"data/{kind}/") and name.endswith("_config.json")):
            continue
        config = read_json(file, members[name])
        try:
            rows = config["config"].items()
            for tensor, meta in rows:
                path = f"data/{kind}/{meta['path_name']}"
                if meta["use_pickle"] or meta["tensor_meta"] is None:
                    raise pickled(tensor, path)
                content = file.read(members[path]) if path in members else b""
                tensors[tensor] = tensor_of(tensor, content, meta["tensor_meta"])
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as problem:
            raise damaged(f"a broken list of tensors in {name}: {type(problem).__name__}") from None
    return tensors


def pickled(tensor: str, path: str) -> CompileError:
    return error(
        tensor,
        "a tensor stored as plain numbers",
        f"a pickle ({path}), which could run any code",
        "make it a plain torch.Tensor, and export again",
    )


def tensor_of(name: str, content: bytes, meta: Mapping[str, Any]) -> torch.Tensor:
    """A copy of the part of the content that sizes and strides describe."""
    dtype = DTYPES.get(meta["dtype"])
    if dtype is None:
        raise error(name, "a tensor of floats, integers or bools", f"dtype {meta['dtype']}", EXPORT_AGAIN)
    sizes, strides = numbers(meta["sizes"]), numbers(meta["strides"])
    (offset,) = numbers([meta["storage_offset"]])
    count = math.prod(sizes)
    if len(sizes) != len(strides) or min((*sizes, *strides, offset), default=0) < 0 or len(sizes) > 16:
        raise ValueError(name)
    if count * dtype.itemsize > MOST_TENSOR_BYTES:
        raise error(name, f"at most {MOST_TENSOR_BYTES} bytes", f"shape {list(sizes)}", "use a smaller model")
    if count == 0:
        return torch.empty(sizes, dtype=dtype)
    reach = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if (reach + 1) * dtype.itemsize > len(content):
        raise damaged(f"{len(content)} bytes for {name}, which is of shape {list(sizes)}")
    whole = len(content) // dtype.itemsize
    flat = torch.frombuffer(bytearray(content), dtype=dtype, count=whole)
    return torch.as_strided(flat, sizes, strides, offset).clone(memory_format=torch.contiguous_format)


def numbers(extents: Any) -> tuple[int, ...]:
    """Extents as a file lists them; one that is no plain integer raises KeyError or ValueError."""
    result = tuple(each["as_int"] for each in extents)
    if any(type(each) is not int for each in result):
        raise ValueError(extents)
    return result
