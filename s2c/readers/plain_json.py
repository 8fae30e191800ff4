"""The bytes of a JSON file that may mean harm to values that are known to be what a reader asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2c.errors import CompileError, Problem, error

MOST_BYTES = 1 << 25
MOST_INTEGER = 1 << 24
LONGEST_TEXT = 80


def parse_json(data: bytes) -> dict[str, Any]:
    """The object that a file holds; raises CompileError."""
    if len(data) > MOST_BYTES:
        raise damaged(f"at most {MOST_BYTES} bytes", f"{len(data)} bytes")
    try:
        value = json.loads(data, parse_constant=refuse_constant)
    except RecursionError:
        raise damaged("a JSON file", "lists or objects within each other, too deep") from None
    except (ValueError, UnicodeDecodeError) as problem:
        raise damaged("a JSON file", str(problem)) from None
    if not isinstance(value, dict):
        raise damaged("a JSON object", type(value).__name__)
    return value


def refuse_constant(name: str) -> float:
    raise ValueError(f"the number {name}, which JSON has not")


def damaged(wanted: str, found: str) -> CompileError:
    return error("model", wanted, shown(found), "export or download the file again")


def shown(value: Any) -> str:
    """Any value as one short line."""
    text = (value or "an empty text") if isinstance(value, str) else brief(value)
    line = "".join(each if each.isprintable() else "?" for each in text)
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 4]} ..."


def brief(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, int) and abs(value) > 1 << 63:
        return "a huge integer"
    return repr(value)


@dataclass(frozen=True)
class Fields:
    """One object of the file. Each method gives a field of one kind, or notes a problem of the layer and
    gives what is in range, so that the problems of all layers come at once."""

    layer: str
    values: Mapping[str, Any]
    problems: list[Problem]
    do: str = "export the model again"

    def problem(self, wanted: str, found: Any, do: str | None = None) -> None:
        self.problems.append(Problem(self.layer, wanted, shown(found), do or self.do))

    def missing(self, key: str) -> bool:
        return self.values.get(key) is None

    def integer(self, key: str, default: int | None = None, least: int = 1, most: int = MOST_INTEGER) -> int:
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        return self.checked_integer(key, value, least, most)

    def checked_integer(self, key: str, value: Any, least: int, most: int) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.problem(f"{key} from {least} to {most}", "none" if value is None else value)
        return least

    def integers(self, key: str, most_items: int) -> list[int]:
        """A list of positive integers with at least one item."""
        value = self.values.get(key)
        if not isinstance(value, list) or not 1 <= len(value) <= most_items:
            self.problem(f"{key}, a list of 1 to {most_items} integers", "none" if value is None else value)
            return [1]
        return [self.checked_integer(key, each, 1, MOST_INTEGER) for each in value]

    def boolean(self, key: str, default: bool | None = None) -> bool:
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            self.problem(f"{key}, true or false", "none" if value is None else value)
        return value is True

    def number(self, key: str, default: float | None = None) -> float:
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        return self.checked_number(key, value)

    def checked_number(self, key: str, value: Any) -> float:
        is_plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_plain and abs(value) <= np.finfo(np.float32).max:
            return float(value)
        self.problem(f"{key}, a finite float32 number", "none" if value is None else value)
        return 0.0

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            self.problem(f"{key}, a text", "none" if value is None else value)
        return value if isinstance(value, str) else ""

    def object(self, key: str) -> Fields:
        """An object within; an empty one where it is missing."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            self.problem(f"{key}, an object", value)
        return Fields(self.layer, value if isinstance(value, dict) else {}, self.problems, self.do)

    def objects(self, key: str, most_items: int) -> list[Mapping[str, Any]]:
        value = self.values.get(key)
        listed = value if isinstance(value, list) else []
        if not 1 <= len(listed) <= most_items or not all(isinstance(each, dict) for each in listed):
            self.problem(f"{key}, a list of 1 to {most_items} objects", "none" if value is None else value)
            return []
        return listed

    def array(self, key: str) -> np.ndarray | None:
        """Nested lists of numbers as float32; None with a problem."""
        return self.checked_array(key, self.values.get(key))

    def checked_array(self, what: str, value: Any) -> np.ndarray | None:
        if not isinstance(value, list) or not is_even(value):
            self.problem(f"{what}, evenly nested lists of numbers", "none" if value is None else value)
            return None
        with np.errstate(over="ignore"):
            found = np.asarray(value, np.float64).astype(np.float32)
        if not np.isfinite(found).all():
            self.problem(f"{what}, finite float32 numbers", "one that is not")
            return None
        return found


def is_even(value: Sequence[Any]) -> bool:
    """Whether nested lists, of at most five axes, form an array of numbers that float64 holds."""
    level: list[Any] = [value]
    for _ in range(5):
        lengths = {len(each) for each in level}
        if len(lengths) != 1:
            return False
        level = [item for each in level for item in each]
        if all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in level):
            return all(is_number(each) for each in level)
        if not all(isinstance(each, list) for each in level):
            return False
    return False


def is_number(value: float) -> bool:
    return isinstance(value, float) or abs(value) < 1 << 63
