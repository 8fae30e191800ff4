"""Samples to samples that mean the same: mirrored, moved, with noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from s2c.errors import CompileError, Problem
from s2c.ir import Graph
from s2c.train.images import image_axes, is_image_net

DRAWN = 3  # numbers that say how a sample is mirrored and moved
SHIFT = 16  # an image moves by one part in so many of its height and width, or less: 2 pixels of 32
NOISE = 0.05  # standard deviation, in parts of the input's own

Source = np.random.Generator


def flip(images: np.ndarray, axes: tuple[int, int], draws: np.ndarray) -> np.ndarray:
    """Each sample is mirrored left to right, or not. axes: height and width of images [samples, ...]; draws:
    as Augment.draw gives them for this input."""
    chosen = draws[:, 0] < 0.5
    result = images.copy()
    result[chosen] = np.flip(images[chosen], axes[1])
    return result


def shift(images: np.ndarray, axes: tuple[int, int], draws: np.ndarray) -> np.ndarray:
    """Each sample moves by some pixels; what comes in repeats the edge, whatever stands for black."""
    result = np.empty_like(images)
    source, target = (np.moveaxis(each, axes, (1, 2)) for each in (images, result))
    height, width = source.shape[1:3]
    downs, rights = (moves(extent, draws[:, 1 + axis]) for axis, extent in enumerate((height, width)))
    rows = np.clip(np.arange(height) + downs[:, None], 0, height - 1)
    for index, right in enumerate(rights.tolist()):  # slices are copied much faster than single pixels
        image, moved = source[index][rows[index]], target[index]
        if right < 0:
            moved[:, -right:], moved[:, :-right] = image[:, :right], image[:, :1]
        else:
            moved[:, : width - right], moved[:, width - right :] = image[:, right:], image[:, -1:]
    return result


def moves(extent: int, draws: np.ndarray) -> np.ndarray:
    """[samples]: from how many positions further on each is read. draws: [samples]"""
    most = (2 * extent + SHIFT) // (2 * SHIFT)  # rounded: 1 of 8 to 23 pixels, none of fewer
    offsets: np.ndarray = np.floor(draws * (2 * most + 1)).astype(np.int64) - most
    return offsets


IMAGE: Mapping[str, Callable[[np.ndarray, tuple[int, int], np.ndarray], np.ndarray]] = {
    "flip": flip,
    "shift": shift,
}
AUGMENTS = (*IMAGE, "cutmix", "noise")


def check_augment(graph: Graph, names: Sequence[str]) -> None:
    """Raises CompileError with all that cannot be done to the inputs of this net."""
    problems = []
    listed = ", ".join(str(node.type) for node in graph.inputs)
    for name in names:
        if name not in AUGMENTS:
            wanted = f"one of {', '.join(AUGMENTS)}"
            problems.append(Problem("--augment", wanted, name, "name some of these, with commas"))
        elif name in IMAGE and (graph.states or not any(image_axes(graph, node) for node in graph.inputs)):
            wanted = f"an image [1,height,width,channels], to {name} it"
            problems.append(Problem("--augment", wanted, listed, f"leave out {name}"))
        elif name == "cutmix" and (graph.states or not is_image_net(graph)):
            wanted = "one input, an image [1,height,width,channels], to mix it with others"
            problems.append(Problem("--augment", wanted, listed, "leave out cutmix"))
        elif name == "noise" and not any(node.type.numpy.kind == "f" for node in graph.inputs):
            problems.append(Problem("--augment", "floats, to add noise", listed, "leave out noise"))
    if problems:
        raise CompileError(tuple(problems))


class Augment:
    """Changes batches [samples, *shape] of a net's inputs: with equal draws and an equal source, equally."""

    def __init__(self, graph: Graph, names: Sequence[str], some: Sequence[np.ndarray]) -> None:
        """some: samples for each input, by which noise is measured."""
        check_augment(graph, names)
        self.names = [each for each in AUGMENTS if each in names]
        self.axes = [image_axes(graph, node) for node in graph.inputs]
        self.noise = [
            NOISE * float(array.std()) if node.type.numpy.kind == "f" else 0.0
            for node, array in zip(graph.inputs, some, strict=True)
        ]

    def draw(self, samples: int, source: Source) -> np.ndarray:
        """What decides how each sample is mirrored and moved: [samples, inputs, DRAWN], of 0 to below 1."""
        return source.random((samples, len(self.axes), DRAWN))

    def __call__(self, arrays: Sequence[np.ndarray], draws: np.ndarray, source: Source) -> list[np.ndarray]:
        """draws: of these samples; source: of noise."""
        result = list(arrays)
        for name in self.names:
            for index, (array, axes) in enumerate(zip(result, self.axes, strict=True)):
                if name in IMAGE and axes is not None:
                    result[index] = IMAGE[name](array, (axes[0] + 1, axes[1] + 1), draws[:, index])
                elif name == "noise" and self.noise[index]:
                    noise = source.standard_normal(array.shape, np.float32) * self.noise[index]
                    result[index] = (array + noise).astype(array.dtype)
        return result
