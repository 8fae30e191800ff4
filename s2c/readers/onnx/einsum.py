"""Einsum, as transposes, products and sums."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import gather_constant, mul, reshape, total
from s2c.readers.onnx.dense import product
from s2c.readers.onnx.source import Reader, Source, Value, refuse, tensor, transposed

Labels = tuple[str, ...]


def einsum(source: Source) -> Value:
    """The operands one after the other: each is summed over what no later one and no result names."""
    operands = [tensor(source, index) for index in range(len(source.inputs))]
    terms, result = parsed(source, [len(each.type.shape) for each in operands])
    check_extents(source, operands, terms, result)
    layer = source.layer
    x, labels = diagonal(operands[0], terms[0], layer)
    for index in range(1, len(operands)):
        needed = {label for term in terms[index + 1 :] for label in term} | set(result)
        y, others = diagonal(operands[index], terms[index], layer)
        x, labels = contracted(x, labels, y, others, needed, layer)
    x, labels = summed(x, labels, set(result), layer)
    return transposed(x, layer, tuple(labels.index(label) for label in result))


def parsed(source: Source, ranks: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result; those of an ellipsis are numbers from the right."""
    equation = str(source.attrs.get("equation", "")).replace(" ", "")
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(ranks):
        raise refuse(source, f"an equation of {len(ranks)} operands", repr(equation), "check the equation")
    terms = [labels_of(source, part, rank) for part, rank in zip(parts, ranks, strict=True)]
    rest = max((term for term in terms), key=lambda term: sum(label.isdigit() for label in term))
    ellipsis = tuple(label for label in rest if label.isdigit())
    if arrow:
        return terms, labels_of(source, right, len(right.replace("...", "")) + len(ellipsis))
    once = sorted(label for label in set(left) & set(string.ascii_letters) if left.count(label) == 1)
    return terms, (*ellipsis, *once)


def labels_of(source: Source, part: str, rank: int) -> Labels:
    before, dots, after = part.partition("...")
    count = rank - len(before) - len(after)
    if set(before + after) - set(string.ascii_letters) or count < 0 or (count and not dots):
        raise refuse(source, f"{rank} letters, or fewer and ...", repr(part), "check the equation")
    return (*before, *(str(each) for each in reversed(range(count))), *after)


def check_extents(source: Source, operands: Sequence[Node], terms: Sequence[Labels], result: Labels) -> None:
    known: dict[str, int] = {}
    for operand, term in zip(operands, terms, strict=True):
        for extent, label in zip(operand.type.shape, term, strict=True):
            if known.setdefault(label, extent) == 1:
                known[label] = extent
            if extent not in (1, known[label]):
                found = f"{known[label]} and {extent}"
                raise refuse(source, f"one extent of {label}", found, "check the equation")
    if len(set(result)) < len(result) or set(result) - set(known):
        raise refuse(
            source, "a result of different labels that operands have", str(result), "check the equation"
        )


def diagonal(x: Node, labels: Labels, layer: str) -> tuple[Node, Labels]:
    """Axes of one label as one axis."""
    for label in labels:
        while labels.count(label) > 1:
            axes = [axis for axis, each in enumerate(labels) if each == label][:2]
            rest = [axis for axis in range(len(labels)) if axis not in axes]
            moved = transposed(x, layer, (*axes, *rest))
            extent = x.type.shape[axes[0]]
            kept = moved.type.shape[2:]
            flat = reshape(moved, (extent * extent, *kept), layer)
            x = gather_constant(flat, 0, np.arange(extent) * (extent + 1), layer)
            labels = (label, *(labels[axis] for axis in rest))
    return x, labels


def summed(x: Node, labels: Labels, needed: set[str], layer: str) -> tuple[Node, Labels]:
    axes = tuple(axis for axis, label in enumerate(labels) if label not in needed)
    if not axes:
        return x, labels
    kept = tuple(label for label in labels if label in needed)
    return total(x, axes, layer, keepdims=False), kept


def contracted(
    x: Node, labels: Labels, y: Node, others: Labels, needed: set[str], layer: str
) -> tuple[Node, Labels]:
    """The product of two operands, summed over the labels that both have and nothing needs."""
    x, labels = summed(x, labels, needed | set(others), layer)
    y, others = summed(y, others, needed | set(labels), layer)
    extents = dict(zip(others, y.type.shape, strict=True))
    for label, extent in zip(labels, x.type.shape, strict=True):
        extents[label] = max(extent, extents.get(label, 1))
    both = [label for label in labels if label in others]
    is_plain = all(
        node.type.shape[own.index(label)] == extents[label]
        for node, own in ((x, labels), (y, others))
        for label in both
    )
    batch = [label for label in both if label in needed]
    inner = [label for label in both if label not in needed]
    rows = [label for label in labels if label not in both]
    columns = [label for label in others if label not in both]
    if not is_plain or not inner:
        order = (*batch, *inner, *rows, *columns)
        y = aligned(y, others, order, layer)
        z = mul(aligned(x, labels, order, layer), y, layer)
        return summed(z, order, needed, layer)
    left = ordered(x, labels, (batch, rows, inner), layer)
    right = ordered(y, others, (batch, inner, columns), layer)
    order = (*batch, *rows, *columns)
    z = product(left, right, layer)
    return reshape(z, [extents[label] for label in order], layer), order


def aligned(x: Node, labels: Labels, order: Sequence[str], layer: str) -> Node:
    """Axes in that order, with extent 1 for labels that x lacks."""
    moved = transposed(x, layer, tuple(labels.index(label) for label in order if label in labels))
    extents = iter(moved.type.shape)
    return reshape(moved, [next(extents) if label in labels else 1 for label in order], layer)


def ordered(x: Node, labels: Labels, groups: Sequence[Sequence[str]], layer: str) -> Node:
    """A stack of matrices: each group of labels as one axis; without a first group one matrix."""
    moved = transposed(x, layer, tuple(labels.index(label) for group in groups for label in group))
    extents = dict(zip(labels, x.type.shape, strict=True))
    shape = [math.prod(extents[label] for label in group) for group in groups]
    return reshape(moved, shape if groups[0] else shape[1:], layer)


EINSUM: Mapping[str, Reader] = {"Einsum": einsum}
