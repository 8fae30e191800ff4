"""RULES: what each op says about the labels of its result, from those of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from s2c.channels.labels import FIRST, STAYS, Labels, aligned, reshaped, row, varying
from s2c.ir import Node

Arrays = dict[tuple[int, int], np.ndarray]  # by the id of an array and an axis of it


@dataclass
class Labelling:
    """The labels of the nodes so far, and of the axes of arrays that they share: unrolled steps of a layer
    have one weight, whose outputs and inputs are the same units in each step."""

    labels: Labels = field(default_factory=Labels)
    of: dict[Node, np.ndarray] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)

    def sources(self, node: Node) -> list[np.ndarray]:
        return [self.labels.compress(self.of[each]) for each in node.inputs]

    def fresh(self, array: np.ndarray, axis: int) -> np.ndarray:
        """The labels of the outputs that an array makes, [extent of the axis]."""
        key = (id(array), axis)
        if key not in self.arrays:
            self.arrays[key] = self.labels.fresh(array.shape[axis])
        return self.arrays[key]

    def share(self, array: np.ndarray, axis: int, labels: np.ndarray) -> None:
        """One of an array's axes has these labels, [extent] or [1], wherever else it is used."""
        wide = np.broadcast_to(labels, array.shape[axis])
        self.labels.unite(wide, self.arrays.setdefault((id(array), axis), wide))


Rule = Callable[[Labelling, Node], np.ndarray]


def stays(node: Node) -> np.ndarray:
    return np.full((1,) * len(node.type.shape), STAYS)


def leaf(found: Labelling, node: Node) -> np.ndarray:
    return stays(node)


def unknown(found: Labelling, node: Node) -> np.ndarray:
    for each in found.sources(node):
        found.labels.unite(each, STAYS)
    return stays(node)


# elementwise: operands of the result's extent tie their labels; what is repeated along an axis is silent


def elementwise(found: Labelling, node: Node) -> np.ndarray:
    rank, shape = len(node.type.shape), node.type.shape
    computed = [each for each in node.inputs if each.op != "constant"]
    if not computed:
        return stays(node)
    operands = [aligned(found.labels.compress(found.of[each]), rank) for each in computed]
    axes = {axis for each in operands for axis in varying(each)}

    def speaks(source: Node, labels: np.ndarray) -> bool:
        own = (1,) * (rank - len(source.type.shape)) + source.type.shape
        return bool(varying(labels)) or any(own[axis] == shape[axis] for axis in axes)

    heard = [labels for each, labels in zip(computed, operands, strict=True) if speaks(each, labels)]
    return united(found.labels, heard or operands)


def united(labels: Labels, operands: list[np.ndarray]) -> np.ndarray:
    most = np.maximum.reduce(np.broadcast_arrays(*operands))
    for each in operands:
        labels.unite(most, each)
    return labels.roots(most)


def unary(found: Labelling, node: Node) -> np.ndarray:
    return found.of[node.inputs[0]]


# contractions


def dense(found: Labelling, node: Node) -> np.ndarray:
    """Fresh labels, unless the rows that are contracted have units of their own: then those go through."""
    weight = node.attrs["weight"]
    (source,) = found.sources(node)
    rank = source.ndim
    if varying(source) and source.shape[-1] == 1:
        for axis in range(2):
            found.share(weight, axis, np.full(1, STAYS))
        return source
    found.share(weight, 1, found.labels.only(source, rank - 1))
    return row(found.fresh(weight, 0), rank, rank - 1)


def conv2d(found: Labelling, node: Node) -> np.ndarray:
    weight, groups = node.attrs["weight"], node.attrs["groups"]
    outputs, _, _, depth = weight.shape
    source = found.labels.only(found.sources(node)[0], 3)
    if groups > 1:
        source = np.broadcast_to(source, groups * depth)
        if depth == 1 and (outputs == groups or (source >= FIRST).any()):
            made = np.repeat(source, outputs // groups)
            found.share(weight, 0, made)
            return row(made, 4, 3)
        found.labels.unite_along(source.reshape(groups, depth), [0])
        source = source[:depth]
    found.share(weight, 3, source)
    made = found.fresh(weight, 0)
    found.labels.unite_along(made.reshape(groups, -1), [0])
    return row(made, 4, 3)


def batch_matmul(found: Labelling, node: Node) -> np.ndarray:
    """A stack of matrices is a stack of heads: each goes as a whole. Within one matrix, an index of the
    contracted axis goes from both operands."""
    a, b = found.sources(node)
    b = b.transpose(0, 2, 1) if node.attrs["transpose"] else b
    labels = found.labels
    if a.shape[0] > 1 or b.shape[0] > 1:
        return row(united(labels, [labels.only(a, 0), labels.only(b, 0)]), 3, 0)
    if a.shape[2] > 1 or b.shape[1] > 1:
        labels.unite(labels.only(a, 2), labels.only(b, 1))
        return stays(node)
    if a.shape[1] > 1:
        labels.unite_along(b, [2])
        return a
    return b


def lookup(found: Labelling, node: Node) -> np.ndarray:
    unknown(found, node)
    table, rank = node.attrs["table"], len(node.type.shape)
    if table.ndim == 1:
        return stays(node)
    return row(found.fresh(table, table.ndim - 1), rank, rank - 1)


# what mixes the elements of some axes: there they go as one


def mixes(axes: Callable[[Node], tuple[int, ...]]) -> Rule:
    def rule(found: Labelling, node: Node) -> np.ndarray:
        return found.labels.unite_along(found.of[node.inputs[0]], axes(node))

    return rule


def reduce(found: Labelling, node: Node) -> np.ndarray:
    axes = tuple(node.attrs["axes"])
    left = found.labels.unite_along(found.of[node.inputs[0]], axes)
    return left if node.attrs["keepdims"] else left.squeeze(axes)


# movements


def reshape(found: Labelling, node: Node) -> np.ndarray:
    source = node.inputs[0]
    return reshaped(found.labels.compress(found.of[source]), source.type.shape, node.type.shape)


def transpose(found: Labelling, node: Node) -> np.ndarray:
    return found.of[node.inputs[0]].transpose(node.attrs["perm"])


def slice_(found: Labelling, node: Node) -> np.ndarray:
    (labels,) = found.sources(node)
    for axis in varying(labels):
        start, step, count = (node.attrs[name][axis] for name in ("starts", "steps", "shape"))
        labels = labels.take(start + step * np.arange(count), axis)
    return labels


def pad(found: Labelling, node: Node) -> np.ndarray:
    """Padding along the axis of the units makes units; elsewhere it belongs to the unit beside it."""
    (labels,) = found.sources(node)
    for axis, pair in enumerate(node.attrs["pads"]):
        lone = node.inputs[0].type.shape[axis] == 1
        if not any(pair) or (labels.shape[axis] == 1 and not lone):
            continue
        if set(varying(labels)) <= {axis}:
            ends = [row(found.labels.fresh(count), labels.ndim, axis) for count in pair]
            labels = np.concatenate([ends[0], labels, ends[1]], axis)
        elif labels.shape[axis] > 1:
            around = [(0, 0)] * labels.ndim
            around[axis] = pair
            labels = np.pad(labels, around, mode="edge")
    return labels


def concat(found: Labelling, node: Node) -> np.ndarray:
    """A constant that is joined along another axis than that of the units says nothing."""
    axis = node.attrs["axis"]
    parts = found.sources(node)
    others = {each for part in parts for each in varying(part)} - {axis}
    spoken = [
        (part, source.type.shape[axis])
        for part, source in zip(parts, node.inputs, strict=True)
        if not (others and source.op == "constant")
    ]
    shape = np.broadcast_shapes(*(one_at(part.shape, axis) for part, _ in spoken))
    wide = [np.broadcast_to(part, (*shape[:axis], extent, *shape[axis + 1 :])) for part, extent in spoken]
    if len(wide) < len(parts):
        return found.labels.unite_along(np.concatenate(wide, axis), [axis])
    return np.concatenate(wide, axis)


def one_at(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :])


def expand(found: Labelling, node: Node) -> np.ndarray:
    return aligned(found.of[node.inputs[0]], len(node.type.shape))


def gather_constant(found: Labelling, node: Node) -> np.ndarray:
    (labels,) = found.sources(node)
    axis, index = node.attrs["axis"], node.attrs["index"]
    index = index if labels.shape[axis] > 1 else np.zeros((1,) * index.ndim, np.int64)
    return labels.take(index, axis)


def tile(found: Labelling, node: Node) -> np.ndarray:
    (labels,) = found.sources(node)
    repeats = [
        each if extent > 1 else 1 for each, extent in zip(node.attrs["repeats"], labels.shape, strict=True)
    ]
    return np.tile(labels, repeats)


def last(node: Node) -> tuple[int, ...]:
    return (len(node.type.shape) - 1,)


def image(node: Node) -> tuple[int, ...]:
    return (1, 2)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("input", "constant"), leaf),
    **dict.fromkeys(("add", "mul", "sub", "div", "binary", "zip", "where", "select"), elementwise),
    **dict.fromkeys(("relu", "map", "unary", "leaky_relu", "prelu", "batchnorm", "cast", "convert"), unary),
    **dict.fromkeys(("quantize", "dequantize", "requantize", "recenter", "reinterpret"), unary),
    **dict.fromkeys(("max_pool", "average_pool"), mixes(image)),
    "softmax": mixes(last),
    "reduce": reduce,
    "dense": dense,
    "conv2d": conv2d,
    "batch_matmul": batch_matmul,
    "lookup": lookup,
    "reshape": reshape,
    "transpose": transpose,
    "slice": slice_,
    "pad": pad,
    "concat": concat,
    "expand": expand,
    "gather_constant": gather_constant,
    "tile": tile,
}
