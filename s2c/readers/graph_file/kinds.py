"""What an attr of a node may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2c.ir import DTYPES
from s2c.readers.graph_file.container import MOST_AXES

MOST_EXTENT = 1 << 20  # of kernels, strides, dilations and pads
MOST_INTEGER = 1 << 40
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Kind:
    wanted: str
    holds: Callable[[Any], bool]


def is_integer(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def integer(least: int, most: int) -> Kind:
    return Kind(f"an integer of {least} to {most}", lambda value: is_integer(value, least, most))


def integers(least: int, most: int, count: int | None = None) -> Kind:
    """A tuple of `count` integers, or of at most MOST_AXES."""

    def holds(value: Any) -> bool:
        fits = isinstance(value, tuple) and (
            len(value) == count or (count is None and len(value) <= MOST_AXES)
        )
        return fits and all(is_integer(each, least, most) for each in value)

    return Kind(f"{count or 'a list of'} integers of {least} to {most}", holds)


def pads(count: int | None = None) -> Kind:
    """A tuple of `count` pairs, or of at most MOST_AXES."""

    def holds(value: Any) -> bool:
        fits = isinstance(value, tuple) and (
            len(value) == count or (count is None and len(value) <= MOST_AXES)
        )
        return fits and all(PAIR.holds(each) for each in value)

    return Kind(f"{count or 'a list of'} pairs of integers of 0 to {MOST_EXTENT}", holds)


def one_of(words: Iterable[str]) -> Kind:
    known = sorted(words)
    return Kind(f"one of {', '.join(known)}", lambda value: isinstance(value, str) and value in known)


def array(rank: int | None, *dtypes: str) -> Kind:
    """Of at least one element; of any rank with None."""
    numpy = [DTYPES[each] for each in dtypes]

    def holds(value: Any) -> bool:
        fits = isinstance(value, np.ndarray) and value.dtype in numpy and value.size > 0
        return fits and rank in (None, value.ndim)

    axes = "" if rank is None else f" of {rank} axes"
    return Kind(f"an array{axes} of {' or '.join(dtypes)}", holds)


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and (math.isinf(value) or abs(value) <= LARGEST)


PAIR = integers(0, MOST_EXTENT, 2)
COUNT = integer(1, MOST_INTEGER)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
BOUND = Kind("a number or an infinite one", is_number)
REAL = Kind("a finite float32 number", lambda value: is_number(value) and not math.isinf(value))
POSITIVE = Kind("a number above 0", lambda value: is_number(value) and 0 < value < math.inf)
FILL = Kind("a number", lambda value: type(value) in (int, float))
EXTENTS = integers(1, MOST_INTEGER)
AXES = integers(0, MOST_AXES)
AXIS = integer(0, MOST_AXES)
STORED = integer(-(1 << 31), (1 << 31) - 1)
STEPS = integers(-MOST_INTEGER, MOST_INTEGER)
ANY_ARRAY = Kind("an array", lambda value: isinstance(value, np.ndarray))
