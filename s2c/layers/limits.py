"""What a layer may grow to, so that a damaged model's extents end in a refusal and not in memory or time."""

from __future__ import annotations

import numpy as np

from s2c.errors import error
from s2c.ir import DTYPES, Node, constant

MOST_ROUNDS = 1 << 12  # of a part that is repeated once for each step, index or tap
MOST_CONSTANTS = 1 << 26  # elements of an array that a layer computes by itself


def check_rounds(count: int, what: str, layer: str) -> None:
    if count > MOST_ROUNDS:
        raise error(
            layer,
            f"at most {MOST_ROUNDS} {what}, each of which becomes calls of its own",
            str(count),
            "split the layer",
        )


def check_constants(count: int, what: str, layer: str) -> None:
    if not 0 <= count <= MOST_CONSTANTS:
        raise error(layer, f"{what} of at most {MOST_CONSTANTS} elements", str(count), "split the layer")


def iota(count: int, dtype: str, layer: str, first: int = 0) -> Node:
    """count numbers from first on, of a dtype of a Graph."""
    check_constants(count, "positions", layer)
    return constant(np.arange(first, first + count).astype(DTYPES[dtype]), layer)
