"""Packings: how a kernel wants a weight array laid out; each a function with its inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Packing:
    """pack: [groups, columns, depth] -> flat; unpack: flat and that shape -> the array again."""

    pack: Callable[[np.ndarray], np.ndarray]
    unpack: Callable[[np.ndarray, tuple[int, int, int]], np.ndarray]


def interleave(weight: np.ndarray, width: int) -> np.ndarray:
    """The values of `width` columns alternate over the depth; columns left over stand plain behind, group
    by group.
    """
    groups, columns, depth = weight.shape
    whole = columns - columns % width
    blocks = weight[:, :whole].reshape(groups, whole // width, width, depth).swapaxes(2, 3)
    parts = (blocks.reshape(groups, -1), weight[:, whole:].reshape(groups, -1))
    return np.concatenate(parts, axis=1).reshape(-1)


def separate(packed: np.ndarray, shape: tuple[int, int, int], width: int) -> np.ndarray:
    """The inverse of interleave."""
    groups, columns, depth = shape
    whole = columns - columns % width
    flat = packed.reshape(groups, columns * depth)
    blocks = flat[:, : whole * depth].reshape(groups, whole // width, depth, width).swapaxes(2, 3)
    rest = flat[:, whole * depth :].reshape(groups, columns - whole, depth)
    return np.concatenate((blocks.reshape(groups, whole, depth), rest), axis=1)


def interleaving(width: int) -> Packing:
    return Packing(
        lambda weight: interleave(weight, width),
        lambda packed, shape: separate(packed, shape, width),
    )


def taps_first(weight: np.ndarray) -> np.ndarray:
    """[channels, 1, taps] -> [taps, channels]."""
    return np.ascontiguousarray(weight[:, 0, :].T).reshape(-1)


def taps_last(packed: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The inverse of taps_first."""
    channels, _, taps = shape
    return np.ascontiguousarray(packed.reshape(taps, channels).T).reshape(shape)


PACKINGS: Mapping[str, Packing] = {
    "interleave_2": interleaving(2),
    "interleave_4": interleaving(4),
    "interleave_8": interleaving(8),
    "taps_first": Packing(taps_first, taps_last),
}
