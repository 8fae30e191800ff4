"""Layer: one layer of a Keras file, and what readers ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2c.errors import CompileError, error
from s2c.ir import Node

MOST_EXTENT = 1 << 24
MOST_NUMBER = 3e38  # of what float32 holds
AGAIN = "save the model again"


@dataclass(frozen=True)
class Layer:
    """weights are in the order in which Keras makes them."""

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[Node, ...]
    weights: tuple[np.ndarray, ...]

    @property
    def input(self) -> Node:
        if len(self.inputs) != 1:
            raise self.error("one input", str(len(self.inputs)), "save the model again")
        return self.inputs[0]

    def error(self, wanted: str, found: str, do: str) -> CompileError:
        return error(self.name, f"{wanted} for {self.kind}", found, do)

    def integers(self, key: str, count: int, least: int = 1, default: int | None = None) -> tuple[int, ...]:
        """Integers of the configuration: a list of `count`, or one for all."""
        value = self.config.get(key)
        value = default if value is None else value
        listed = value if isinstance(value, list) else [value] * count
        if len(listed) != count or not all(is_integer(each, least) for each in listed):
            found = "none" if value is None else str(value)[:80]
            raise self.error(f"{key}, {count} integers of {least} to {MOST_EXTENT},", found, AGAIN)
        return tuple(listed)

    def number(self, key: str, default: float) -> float:
        value = self.config.get(key)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST_NUMBER:
            raise self.error(f"{key}, a float32 number,", str(value)[:80], AGAIN)
        return float(value)

    def weight(self, index: int, *shape: int) -> np.ndarray:
        """A weight of a shape, in which -1 stands for any extent."""
        found = self.weights[index].shape if index < len(self.weights) else None
        fits = found is not None and len(found) == len(shape)
        if found is None or not fits or any(a not in (-1, b) for a, b in zip(shape, found, strict=True)):
            raise self.error(f"a weight {list(shape)}", str(found), "save the model again")
        return self.weights[index]


def is_integer(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_EXTENT


Reader = Callable[[Layer], Node]
