"""What a node holds, attrs and types, to JSON and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2c.ir import DTYPES, Quant, Type
from s2c.readers.graph_file.container import MOST_AXES
from s2c.readers.plain_json import shown

MOST_ELEMENTS = 1 << 25
MOST_DEPTH = 4  # of lists within each other
LEAST_SCALE, MOST_SCALE = 1e-18, 1e18  # inside, no quotient of scales overflows
QUANTIZED = ("i8", "u8", "i16", "i32")
SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class Malformed(Exception):
    """What was wanted and found in a file, without the layer."""

    def __init__(self, wanted: str, found: Any) -> None:
        super().__init__(wanted, found)
        self.wanted = wanted
        self.found = shown(found if isinstance(found, (str, int, float, list, dict)) else str(found))


def need(holds: bool, wanted: str, found: Any) -> None:
    if not holds:
        raise Malformed(wanted, found)


class Arrays:
    """Each array of a Graph once, by identity, in order of use."""

    def __init__(self) -> None:
        self.stored: list[np.ndarray] = []
        self.places: dict[int, int] = {}

    def place(self, array: np.ndarray) -> int:
        if id(array) not in self.places:
            self.places[id(array)] = len(self.stored)
            self.stored.append(array)
        return self.places[id(array)]


# attrs: JSON as it stands, but {"float": "inf"} for what JSON has no number, and {"array": its place}


def encode(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, np.ndarray):
        return {"array": arrays.place(value)}
    if isinstance(value, tuple):
        return [encode(each, arrays) for each in value]
    assert value is None or type(value) in (bool, int, float, str), (type(value), value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": next(name for name, each in SPECIAL.items() if str(each) == str(value))}
    return value


def decode(value: Any, arrays: Sequence[np.ndarray], depth: int = 0) -> Any:
    if isinstance(value, list):
        need(depth < MOST_DEPTH, f"lists nested at most {MOST_DEPTH} deep", "deeper ones")
        return tuple(decode(each, arrays, depth + 1) for each in value)
    if not isinstance(value, dict):
        return value
    need(len(value) == 1, "a value", value)
    key, content = next(iter(value.items()))
    if key == "float" and isinstance(content, str) and content in SPECIAL:
        return SPECIAL[content]
    is_place = key == "array" and type(content) is int and 0 <= content < len(arrays)
    need(is_place, "a value", f"{key}: {shown(content)}")
    return arrays[content]


# types: [dtype, shape], of quantized ones [dtype, shape, scales, zero, axis]


def encode_type(kind: Type) -> list[Any]:
    plain = [kind.dtype, list(kind.shape)]
    if kind.quant is None:
        return plain
    return [*plain, [float(each) for each in kind.quant.scale], int(kind.quant.zero), kind.quant.axis]


def decode_type(value: Any) -> Type:
    need(isinstance(value, list) and len(value) in (2, 5), "a type of dtype, shape and quantization", value)
    dtype, shape = value[:2]
    need(isinstance(dtype, str) and dtype in DTYPES, f"one of the dtypes {', '.join(DTYPES)}", dtype)
    is_shape = isinstance(shape, list) and all(type(each) is int and each >= 1 for each in shape)
    need(is_shape and len(shape) <= MOST_AXES, f"a shape of at most {MOST_AXES} extents of at least 1", shape)
    size = math.prod(shape)
    need(size <= MOST_ELEMENTS, f"a value of at most {MOST_ELEMENTS} elements", size)
    return Type(tuple(shape), dtype, decode_quant(dtype, shape, value[2:]) if len(value) == 5 else None)


def decode_quant(dtype: str, shape: list[int], value: Sequence[Any]) -> Quant:
    scales, zero, axis = value
    need(dtype in QUANTIZED, f"a quantized value of {', '.join(QUANTIZED)}", dtype)
    usable = isinstance(scales, list) and all(
        isinstance(each, float) and LEAST_SCALE <= each <= MOST_SCALE for each in scales
    )
    need(usable and scales != [], f"scales of {LEAST_SCALE:g} to {MOST_SCALE:g}", scales)
    limits = np.iinfo(DTYPES[dtype])
    is_stored = type(zero) is int and limits.min <= zero <= limits.max
    need(is_stored, f"a zero point of {limits.min} to {limits.max}", zero)
    if axis is None:
        need(len(scales) == 1, "an axis, as there are several scales", "none")
    else:
        in_reach = type(axis) is int and 0 <= axis < len(shape)
        need(in_reach and zero == 0, "an axis of the shape, and a zero point of 0", axis)
        need(len(scales) == shape[axis], f"{shape[axis]} scales", len(scales))
    return Quant(tuple(scales), zero, axis)
