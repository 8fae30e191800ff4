"""Fourier transforms of fixed size as constant matrices, and sums of overlapping blocks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.basic import (
    add,
    dense,
    gather_constant,
    move_axis,
    mul,
    narrow,
    pad_axis,
    reshape,
)
from s2c.layers.convolution import conv
from s2c.layers.limits import check_constants, check_rounds
from s2c.layers.windows import Window

Transform = Callable[[np.ndarray], np.ndarray]


def fourier(length: int, inverse: bool, onesided: bool) -> Transform:
    """numpy's transform of the last axis, cut or filled with zeros to length; onesided: without what the
    symmetry of real signals gives."""
    if inverse:
        return lambda x: (np.fft.irfft if onesided else np.fft.ifft)(x, n=length)
    if onesided:
        return lambda x: np.fft.fft(x, n=length)[..., : length // 2 + 1]
    return lambda x: np.fft.fft(x, n=length)


def matrix_of(transform: Transform, extent: int, parts: int) -> np.ndarray:
    """[outputs * parts', extent * parts] of a linear function of numbers of which each is parts reals: 1,
    or 2 for real and imaginary; parts' are those of its result."""
    basis = np.eye(extent).astype(np.complex128)
    inputs = np.stack([basis, 1j * basis][:parts], axis=1).reshape(-1, extent)
    results = transform(inputs)
    if np.iscomplexobj(results):
        results = np.stack([results.real, results.imag], axis=-1)
    return results.reshape(len(inputs), -1).T


def dft(x: Node, axis: int, length: int, inverse: bool, onesided: bool, layer: str) -> Node:
    """x [..., 1 or 2]: the transform along another axis, [..., 2], or [..., 1] of an inverse of one side."""
    parts = x.type.shape[-1]
    moved = move_axis(x, axis, -2, layer)
    *outer, extent, _ = moved.type.shape
    check_constants(4 * length * extent, "a transform's matrix", layer)
    matrix = matrix_of(fourier(length, inverse, onesided), extent, parts).astype(np.float32)
    y = dense(reshape(moved, (*outer, extent * parts), layer), matrix, None, layer)
    result_parts = 1 if inverse and onesided else 2
    return move_axis(reshape(y, (*outer, -1, result_parts), layer), -2, axis, layer)


def stft(x: Node, step: int, length: int, window: Node | None, onesided: bool, layer: str) -> Node:
    """x [batch, samples, 1 or 2] in frames of length, step apart: [batch, frames, frequencies, 2]. A
    convolution with the transform's rows, weighted by the window."""
    batch, _, parts = x.type.shape
    check_constants(4 * length * length, "a transform's matrix", layer)
    matrix = matrix_of(fourier(length, False, onesided), length, parts).astype(np.float32)
    weight = constant(matrix.reshape(-1, length, parts), layer)
    if window is not None:
        weight = mul(weight, reshape(window, (1, length, 1), layer), layer)
    y = conv(x, weight, None, Window((length,), (step,), (1,), ((0, 0),)), 1, layer)
    return reshape(y, (batch, y.type.shape[1], -1, 2), layer)


def col2im(x: Node, image: tuple[int, ...], window: Window, layer: str) -> Node:
    """x [batch, channels * taps, blocks]: each block's values added where it lies in the image, [batch,
    channels, *image]; what falls on the padding is dropped."""
    batch = x.type.shape[0]
    taps, blocks = math.prod(window.kernel), window.outputs(image)
    check_rounds(taps, "taps", layer)
    check_constants(math.prod(image), "an image", layer)
    values = reshape(x, (batch, -1, taps, math.prod(blocks)), layer)
    values = pad_axis(values, 3, 0, 1, layer)
    result: Node | None = None
    for tap, place in enumerate(np.ndindex(window.kernel)):
        part = narrow(values, 2, tap, 1, layer)
        moved = gather_constant(part, 3, block_under(place, image, window, blocks), layer)
        result = moved if result is None else add(result, moved, layer)
    assert result is not None, layer
    return reshape(result, (batch, -1, *image), layer)


def block_under(
    place: tuple[int, ...], image: tuple[int, ...], window: Window, blocks: tuple[int, ...]
) -> np.ndarray:
    """For each pixel, the number of the block that has this place of the kernel there, or one behind all."""
    numbers = np.zeros(image, np.int64)
    inside = np.ones(image, np.bool_)
    for axis, pixel in enumerate(np.indices(image)):
        start = pixel + window.pads[axis][0] - place[axis] * window.dilation[axis]
        number = start // window.stride[axis]
        inside &= (start % window.stride[axis] == 0) & (number >= 0) & (number < blocks[axis])
        numbers = numbers * blocks[axis] + number
    return np.where(inside, numbers, math.prod(blocks)).reshape(-1)


def mel_weights(bins: int, length: int, rate: float, lowest: float, highest: float) -> np.ndarray:
    """[length // 2 + 1, bins] triangles over the frequencies of a transform of `length`, whose corners lie
    in equal steps from lowest to highest on the mel scale, of 2595 * log10(1 + hertz / 700)."""
    first, last = (2595 * np.log10(1 + hertz / 700) for hertz in (lowest, highest))
    mels = first + np.arange(bins + 2) * (last - first) / (bins + 2)
    corners = (length + 1) * 700 * (10 ** (mels / 2595) - 1) // rate
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    frequency = np.arange(length // 2 + 1)[:, np.newaxis]
    with np.errstate(all="ignore"):
        rising = np.where(centre > left, (frequency - left) / (centre - left), 1.0)
        falling = (right - frequency) / (right - centre)
    inside = np.where(frequency <= centre, np.where(frequency >= left, rising, 0), falling)
    return np.asarray(np.where((frequency < right) | (frequency == centre), inside, 0))
