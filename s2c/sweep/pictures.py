"""Inputs of which a sweep's document speaks to pictures, where they are images."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from s2c.ir import Graph
from s2c.sweep.recipe import Sweep
from s2c.train.data import Samples, load_samples

LEAST_SIDE = 8  # pixels: what is smaller is no image
LARGEST_SIDE = 96  # larger images are thinned out
SHOWN_FLIPS = 40  # of each net

Pictures = Mapping[tuple[str, int], bytes]  # PNG, by "test" or "data" and the sample's number


def find_pictures(sweep: Sweep, graph: Graph, document: Mapping[str, Any]) -> Pictures:
    """Of the doubted training inputs, and of each net's first flipped test inputs, where they are images."""
    flips = {each["index"] for net in document["nets"] for each in net.get("became_wrong", ())[:SHOWN_FLIPS]}
    doubts = {each["index"] for each in document["doubts"]}
    found: dict[tuple[str, int], bytes] = {}
    for role, paths, wanted in (("test", sweep.test, flips), ("data", sweep.data, doubts)):
        if wanted and len(graph.inputs) == 1 and not graph.states:
            samples = load_samples(paths, graph, sweep.task)
            found |= {(role, index): png for index in sorted(wanted) if (png := picture(samples, index))}
    return found


def picture(samples: Samples, index: int) -> bytes | None:
    image = as_image(samples.inputs[0][index])
    return None if image is None else to_png(image)


def as_image(array: np.ndarray) -> np.ndarray | None:
    """[height, width, 1 or 3] of an input in either layout; axes of 1 in front are left out."""
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[-1] not in (1, 3) and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] in (1, 3) and min(array.shape[:2]) >= LEAST_SIDE:
        return array
    return None


def to_png(image: np.ndarray) -> bytes:
    """Bytes are shown as they are, other values from the least (black) to the greatest (white)."""
    from matplotlib.image import imsave

    step = -(-max(image.shape[:2]) // LARGEST_SIDE)
    thin = image[::step, ::step]
    if thin.dtype != np.uint8:
        low, high = float(thin.min()), float(thin.max())
        thin = ((thin.astype(np.float64) - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
    file = io.BytesIO()
    imsave(file, np.broadcast_to(thin, (*thin.shape[:2], 3)).copy(), format="png")
    return file.getvalue()
