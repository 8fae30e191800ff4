"""Images with a rectangle of another one in them: what a net says to these is not what it learnt by heart.

Yun et al. 2019, "CutMix"; without its mixed labels: half of the images stay whole, and those have labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CUT = 0.5  # the share of the samples that get a rectangle
DRAWN = 5  # numbers for each sample: whether, of which other one, how large, where


@dataclass(frozen=True)
class Cuts:
    """Of each sample [samples]: whether it gets a rectangle, of which other sample, and which pixels:
    [samples, 4] from top to bottom, from left to right."""

    is_cut: np.ndarray
    other: np.ndarray
    box: np.ndarray


def draw_cuts(count: int, rows: np.ndarray, extents: tuple[int, int], source: np.random.Generator) -> Cuts:
    """rows: of the samples that rectangles are taken from; extents: height and width."""
    draws = source.random((count, DRAWN))
    sides = np.sqrt(draws[:, 2])  # so that areas are even
    ends = []
    for extent, place in zip(extents, (draws[:, 3], draws[:, 4]), strict=True):
        middle, half = place * extent, sides * extent / 2
        ends += [np.clip(np.round(middle + each), 0, extent) for each in (-half, half)]
    other = rows[np.floor(draws[:, 1] * len(rows)).astype(np.int64)]
    return Cuts(draws[:, 0] < CUT, other, np.stack(ends, 1).astype(np.int64))


def paste(images: np.ndarray, others: np.ndarray, axes: tuple[int, int], boxes: np.ndarray) -> np.ndarray:
    """Images [samples, ...] with the boxes' pixels from others. axes: height and width."""
    result = images.copy()
    targets, sources = (np.moveaxis(each, axes, (1, 2)) for each in (result, others))
    for target, source, (top, bottom, left, right) in zip(targets, sources, boxes.tolist(), strict=True):
        target[top:bottom, left:right] = source[top:bottom, left:right]
    return result
