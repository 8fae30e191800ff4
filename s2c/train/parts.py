"""A batch in parts, or whatever else, side by side: how many are worked on at once changes no result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2c.train.norm import Measured

PART = 64  # samples at most: with fewer, calls cost as much as arithmetic
MOST_THREADS = 4  # each needs memory of its own; a batch has one or two parts, others have many

Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""map, or what does the same in several threads."""


@dataclass(frozen=True)
class Part:
    """What one part of a batch says. share: of the batch's samples; slopes: gradients of its loss by
    parameter, None where it has none."""

    share: float
    loss: float
    slopes: tuple[Tensor | None, ...]
    moments: Measured


def default_threads() -> int:
    """As many as torch would take by itself: the cores, or what OMP_NUM_THREADS says."""
    return min(int(torch.get_num_threads()), MOST_THREADS)


@contextmanager
def side_by_side(threads: int) -> Iterator[Each]:
    """map in so many threads, as far as they help."""
    threads = min(threads, MOST_THREADS)
    if threads == 1:
        yield map
        return
    # torch counts the threads of each thread by itself, and would start more in each.
    with ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool:
        yield pool.map


def parts_of_batch(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, math.ceil(len(rows) / PART))


def add_up(parts: Sequence[Part], parameters: Sequence[Tensor]) -> float:
    """Sets the gradients of the batch, moves what its Norms keep, and gives its loss."""
    for parameter, slopes in zip(parameters, zip(*(each.slopes for each in parts), strict=True), strict=True):
        found = [slope * part.share for part, slope in zip(parts, slopes, strict=True) if slope is not None]
        parameter.grad = torch.stack(found).sum(0) if found else None
    for norm in parts[0].moments:
        measured = [[value * each.share for value in each.moments[norm]] for each in parts]
        norm.move(*(torch.stack(values).sum(0) for values in zip(*measured, strict=True)))
    return math.fsum(each.loss * each.share for each in parts)
