"""Packings: how a kernel wants a weight array laid out; each a function with its inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Packing:
    """pack: [groups, columns, depth], of weights, or [outputs] -> flat; unpack: flat and that shape -> the
    array again. Both take the integers that a kernel's comment gives in brackets."""

    pack: Callable[..., np.ndarray]
    unpack: Callable[..., np.ndarray]


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


def panels(weight: np.ndarray, width: int) -> np.ndarray:
    """[groups][panels of `width` columns][depth][width]; columns that the last panel lacks are zeros."""
    groups, columns, depth = weight.shape
    count = -(-columns // width)
    padded = np.zeros((groups, count * width, depth), weight.dtype)
    padded[:, :columns] = weight
    return np.ascontiguousarray(padded.reshape(groups, count, width, depth).swapaxes(2, 3)).reshape(-1)


def unpanels(packed: np.ndarray, shape: tuple[int, int, int], width: int) -> np.ndarray:
    """The inverse of panels."""
    groups, columns, depth = shape
    blocks = packed.reshape(groups, -(-columns // width), depth, width).swapaxes(2, 3)
    return np.ascontiguousarray(blocks.reshape(groups, -1, depth)[:, :columns])


def quads(weight: np.ndarray, runs: int, width: int) -> np.ndarray:
    """int8, for dot products of four: [groups][panels of `width` columns]; in each first, as int32, -128
    times the sum of each column's weights, which undoes inputs raised by 128; then
    [runs][depth / runs / 4][width][4]. runs: parts of equal length that the depth falls into, each padded to
    a multiple of four by zeros."""
    groups, columns, depth = weight.shape
    count, length = -(-columns // width), -(-depth // runs // 4) * 4
    padded = np.zeros((groups, count * width, runs, length), np.int8)
    padded[:, :columns, :, : depth // runs] = weight.reshape(groups, columns, runs, depth // runs)
    undone = -128 * padded.astype(np.int64).sum((2, 3)).reshape(groups, count, width)
    blocks = padded.reshape(groups, count, width, runs * length // 4, 4).swapaxes(2, 3)
    first = np.ascontiguousarray(undone.astype("<i4")).view(np.int8).reshape(groups, count, 4 * width)
    return np.concatenate((first, blocks.reshape(groups, count, -1)), axis=2).reshape(-1)


def unquads(packed: np.ndarray, shape: tuple[int, int, int], runs: int, width: int) -> np.ndarray:
    """The inverse of quads."""
    groups, columns, depth = shape
    count, length = -(-columns // width), -(-depth // runs // 4) * 4
    blocks = packed.reshape(groups, count, -1)[:, :, 4 * width :]
    padded = blocks.reshape(groups, count, runs * length // 4, width, 4).swapaxes(2, 3)
    found = padded.reshape(groups, count * width, runs, length)[:, :columns, :, : depth // runs]
    return np.ascontiguousarray(found).reshape(shape)


def bf16_pairs(weight: np.ndarray, length: int) -> np.ndarray:
    """float32 that holds bfloat16, in pairs along the depth: panels(16), each value a pair, as uint32, whose
    lower half comes first. length: of the runs that the depth falls into; an odd one ends with a zero."""
    groups, columns, _ = weight.shape
    runs = np.ascontiguousarray(weight, np.float32).view(np.uint32).reshape(groups, columns, -1, length) >> 16
    even = np.pad(runs, ((0, 0), (0, 0), (0, 0), (0, length % 2))).reshape(groups, columns, -1)
    return panels(even[..., 0::2] | even[..., 1::2] << 16, 16)


def unpair_bf16(packed: np.ndarray, shape: tuple[int, int, int], length: int) -> np.ndarray:
    """The inverse of bf16_pairs."""
    groups, columns, depth = shape
    pairs = unpanels(packed, (groups, columns, depth // length * ((length + 1) // 2)), 16).astype(np.uint32)
    halves = np.stack((pairs << 16, pairs & np.uint32(0xFFFF0000)), axis=-1)
    return halves.view(np.float32).reshape(groups, columns, depth // length, -1)[..., :length].reshape(shape)


# G of F(4, 3) at 0, 3/4, -3/4, 3/2, -3/2 and infinity (kernels/c/lib/winograd_f32.h): three taps to six.
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
FILTER = np.array(
    [
        *(np.array([1.0, x, x * x]) / np.prod([x - y for y in POINTS if y != x]) for x in POINTS),
        [0.0, 0.0, 1.0],
    ]
)


def winograd(weight: np.ndarray, channels: int) -> np.ndarray:
    """[1, columns, 3 * 3 * channels] -> [36][panels of 16 columns][channels][16], transformed."""
    taps = weight.reshape(-1, 3, 3, channels).astype(np.float64)
    found = np.einsum("iy,jx,nyxc->ijnc", FILTER, FILTER, taps).astype(np.float32)
    return panels(found.reshape(36, -1, channels), 16)


def unwinograd(packed: np.ndarray, shape: tuple[int, int, int], channels: int) -> np.ndarray:
    """The inverse of winograd, but for rounding."""
    _, columns, _ = shape
    found = unpanels(packed, (36, columns, channels), 16).reshape(6, 6, columns, channels)
    inverse = np.linalg.pinv(FILTER)
    taps = np.einsum("yi,xj,ijnc->nyxc", inverse, inverse, found.astype(np.float64))
    return np.asarray(taps.reshape(shape), np.float32)


def spread(values: np.ndarray, groups: int, columns: int, width: int) -> np.ndarray:
    """What each output has one of, or one for all: [groups][panels of `width` columns][width], zeros where
    the last panel lacks columns."""
    padded = np.zeros((groups, -(-columns // width) * width), values.dtype)
    padded[:, :columns] = np.broadcast_to(values, groups * columns).reshape(groups, columns)
    return padded.reshape(-1)


def gathered(packed: np.ndarray, shape: tuple[int], groups: int, columns: int, width: int) -> np.ndarray:
    """The inverse of spread."""
    padded = packed.reshape(groups, -(-columns // width) * width)
    return padded[:, :columns].reshape(-1)[: shape[0]]


def block_channels(channels: int, width: int) -> np.ndarray:
    """The channel of each value of blocks of `width` values, or -1; where at least two pixels find room in a
    block, it holds as many. A block's parts of 16 values are taken apart as lib/zip_i8.h does: by fours."""
    if 2 * channels <= width:
        pixels = width // channels
        found = np.full(width, -1)
        found[: pixels * channels] = np.tile(np.arange(channels), pixels)
    else:
        found = np.full(-(-channels // width) * width, -1)
        found[:channels] = np.arange(channels)
    return found.reshape(-1, width // 16, 4, 4).swapaxes(1, 2).reshape(-1, width)


def tap_order(values: np.ndarray, channels: int, width: int) -> np.ndarray:
    """What each channel has one of, or one for all, as block_channels lists them; zeros where it has none."""
    which = block_channels(channels, width)
    return np.where(which < 0, 0, np.broadcast_to(values, channels)[which]).astype(values.dtype).reshape(-1)


def plain_order(packed: np.ndarray, shape: tuple[int], channels: int, width: int) -> np.ndarray:
    """The inverse of tap_order."""
    which = block_channels(channels, width).reshape(-1)
    found = np.zeros(channels, packed.dtype)
    found[which[which >= 0]] = packed[which >= 0]
    return found[: shape[0]]


def tap_quads(weight: np.ndarray, length: int, width: int) -> np.ndarray:
    """int8 [channels, 1, taps], for dot products of four taps: for each block of block_channels first, as
    int32, -128 times the sum of each channel's weights, as in quads; then [taps / length][length / 4]
    [width][4], where each run of `length` taps is padded to a multiple of four by zeros."""
    channels, _, taps = weight.shape
    runs, padded = taps // length, -(-length // 4) * 4
    which = block_channels(channels, width)
    rows = np.zeros((channels + 1, runs, padded), np.int8)
    rows[:-1, :, :length] = weight.reshape(channels, runs, length)
    blocks = rows[which]
    undone = (-128 * blocks.astype(np.int64).sum((2, 3))).astype("<i4").view(np.int8)
    quads = blocks.reshape(len(which), width, runs * padded // 4, 4).swapaxes(1, 2)
    return np.concatenate((undone, quads.reshape(len(which), -1)), axis=1).reshape(-1)


def untap_quads(packed: np.ndarray, shape: tuple[int, int, int], length: int, width: int) -> np.ndarray:
    """The inverse of tap_quads."""
    channels, _, taps = shape
    runs, padded = taps // length, -(-length // 4) * 4
    which = block_channels(channels, width)
    quads = packed.reshape(len(which), -1)[:, 4 * width :]
    blocks = quads.reshape(len(which), runs * padded // 4, width, 4).swapaxes(1, 2)
    found = np.zeros((channels, runs, length), packed.dtype)
    found[which[which >= 0]] = blocks.reshape(len(which), width, runs, padded)[which >= 0, :, :length]
    return found.reshape(shape)


PACKINGS: Mapping[str, Packing] = {
    "interleave_2": interleaving(2),
    "interleave_4": interleaving(4),
    "interleave_8": interleaving(8),
    "bf16_pairs": Packing(bf16_pairs, unpair_bf16),
    "panels": Packing(panels, unpanels),
    "quads": Packing(quads, unquads),
    "spread": Packing(spread, gathered),
    "winograd": Packing(winograd, unwinograd),
    "tap_order": Packing(tap_order, plain_order),
    "tap_quads": Packing(tap_quads, untap_quads),
    "taps_first": Packing(taps_first, taps_last),
}
