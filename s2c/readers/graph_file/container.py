"""The bytes of a .s2c file to a JSON object and arrays, and back.

MAGIC; the JSON's length as 64 bits, least byte first; the JSON, of which "arrays" lists [dtype, shape]; then
their elements in that order, row-major, least byte first. The JSON and each array are
filled up to UNIT bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2c.errors import error
from s2c.ir import DTYPES
from s2c.readers.plain_json import damaged, parse_json

MAGIC = b"s2cgraph"
VERSION = 1
UNIT = 64
HEADER = len(MAGIC) + 8
MOST_AXES = 32
MOST_EXTENTS = 1 << 31  # product of an array's extents, zeros left out


def pack(document: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> bytes:
    listed = [[dtype_name(each), list(each.shape)] for each in arrays]
    whole = {"version": VERSION, "arrays": listed, **document}
    text = json.dumps(whole, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * filling(HEADER + len(text))
    parts = [MAGIC, len(text).to_bytes(8, "little"), text]
    for each in arrays:
        data = each.astype(each.dtype.newbyteorder("<")).tobytes()
        parts += [data, bytes(filling(len(data)))]
    return b"".join(parts)


def dtype_name(array: np.ndarray) -> str:
    return next(name for name, known in DTYPES.items() if known == array.dtype)


def filling(size: int) -> int:
    """How many bytes are missing to a multiple of UNIT."""
    return -size % UNIT


def unpack(data: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Takes no more memory than a few times the file; raises CompileError."""
    if data[: len(MAGIC)] != MAGIC:
        raise damaged("a .s2c file", "another kind of file")
    end = HEADER + int.from_bytes(data[len(MAGIC) : HEADER], "little")
    if end > len(data):
        raise damaged(f"a file of at least {end} bytes", f"{len(data)} bytes")
    document = parse_json(data[HEADER:end])
    if document.get("version") != VERSION:
        do = "write the file again with this version of s2c"
        raise error("model", f"format {VERSION} of .s2c files", described(document.get("version")), do)
    listed = document.get("arrays")
    if not isinstance(listed, list):
        raise damaged("a list of arrays", type(listed).__name__)
    arrays = []
    for index, each in enumerate(listed):
        dtype, shape = array_type(index, each)
        size = math.prod(shape) * dtype.itemsize
        if end + size > len(data):
            raise damaged(f"array {index} of {size} bytes", f"{len(data) - end} bytes")
        arrays.append(read_array(index, data[end : end + size], dtype, shape))
        end += size + filling(size)
    if end != len(data):
        raise damaged(f"a file of {end} bytes, as its arrays are", f"{len(data)} bytes")
    return document, arrays


def described(version: Any) -> str:
    return f"format {version}" if isinstance(version, int) and 0 <= version < 1 << 16 else "another"


def array_type(index: int, listed: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    wanted = f"array {index} as a dtype and a shape of at most {MOST_AXES} axes"
    if not isinstance(listed, list) or len(listed) != 2 or not isinstance(listed[1], list):
        raise damaged(wanted, "something else")
    dtype, shape = listed
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise damaged(f"array {index} of one of {', '.join(DTYPES)}", str(dtype)[:40] or "an empty text")
    whole = all(type(each) is int and 0 <= each <= MOST_EXTENTS for each in shape)
    if not whole or len(shape) > MOST_AXES or math.prod(each or 1 for each in shape) > MOST_EXTENTS:
        raise damaged(wanted, str(shape)[:40])
    return DTYPES[dtype], tuple(shape)


def read_array(index: int, data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    if dtype == np.bool_ and data.translate(None, b"\0\1"):
        raise damaged(f"array {index} of the bytes 0 and 1", "others")
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
