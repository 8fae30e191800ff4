"""Labels: which unit each element of a tensor belongs to, and which units can only go together.

The labels of a tensor are an int64 array of its rank; an axis along which they do not differ has extent 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

STAYS = 0  # the label of what can never be pruned
UNKNOWN = 1  # the label of what says nothing about others: a state before its next value is known
FIRST = 2


class Labels:
    """A union-find of labels, whose roots are the least label of each class, so that STAYS stays one."""

    def __init__(self) -> None:
        self.parent = np.arange(FIRST)

    def fresh(self, count: int) -> np.ndarray:
        first = len(self.parent)
        made = np.arange(first, first + count)
        self.parent = np.append(self.parent, made)
        return made

    def roots(self, labels: np.ndarray) -> np.ndarray:
        found = self.parent[labels]
        while True:
            further = self.parent[found]
            if np.array_equal(further, found):
                return np.asarray(found)
            found = further

    def root(self, label: int) -> int:
        path = []
        while (above := int(self.parent[label])) != label:
            path.append(label)
            label = above
        self.parent[path] = label
        return label

    def unite(self, a: np.ndarray, b: np.ndarray | int) -> None:
        """Each of a with that of b; arrays that broadcast."""
        pairs = np.stack(np.broadcast_arrays(self.roots(a), self.roots(np.asarray(b)))).reshape(2, -1)
        differ = (pairs[0] != pairs[1]) & (pairs != UNKNOWN).all(axis=0)
        for one, other in np.unique(pairs[:, differ], axis=1).T.tolist():
            one, other = sorted((self.root(one), self.root(other)))
            self.parent[other] = one

    def compress(self, labels: np.ndarray) -> np.ndarray:
        """The roots, with extent 1 on each axis along which they do not differ."""
        found = self.roots(labels)
        for axis in varying(found):
            first = found.take([0], axis)
            if (found == first).all():
                found = first
        return found

    def unite_along(self, labels: np.ndarray, axes: Iterable[int]) -> np.ndarray:
        """Makes labels agree along axes, which then have extent 1."""
        found = self.roots(labels)
        for axis in axes:
            if found.shape[axis] > 1:
                one = found.max(axis, keepdims=True)  # one that is not UNKNOWN, where there is any
                self.unite(one, found)
                found = self.roots(one)
        return self.compress(found)

    def only(self, labels: np.ndarray, axis: int) -> np.ndarray:
        """Makes labels differ along one axis alone; gives them as [extent] or [1]."""
        others = [each for each in range(labels.ndim) if each != axis]
        return self.unite_along(labels, others).reshape(-1)

    def straighten(self, labels: np.ndarray) -> np.ndarray:
        """Makes labels differ along one axis at most, so that what is kept is rectangular: along the one that
        leaves most units, of equal ones the last."""
        found = self.compress(labels)
        axes = varying(found)
        if len(axes) < 2:
            return found
        best = max(axes, key=lambda axis: (self.units_along(found, axis), axis))
        return self.unite_along(found, [axis for axis in axes if axis != best])

    def units_along(self, labels: np.ndarray, axis: int) -> int:
        """How many units are left where labels may differ along one axis alone."""
        trial = Labels()
        trial.parent = self.parent.copy()
        found = np.unique(trial.only(labels, axis))
        return int((found >= FIRST).sum())


def varying(labels: np.ndarray) -> list[int]:
    return [axis for axis, extent in enumerate(labels.shape) if extent > 1]


def row(labels: np.ndarray, rank: int, axis: int) -> np.ndarray:
    """A vector as labels of a rank, along one axis."""
    shape = [1] * rank
    shape[axis] = -1
    return labels.reshape(shape)


def aligned(labels: np.ndarray, rank: int) -> np.ndarray:
    """With as many axes as rank, as broadcasting adds them."""
    return labels.reshape((1,) * (rank - labels.ndim) + labels.shape)


def blocks(old: tuple[int, ...], new: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of one size that hold the same elements, in order."""
    found: list[tuple[list[int], list[int]]] = []
    before, after = list(range(len(old))), list(range(len(new)))
    while before or after:
        a, b = before[:1], after[:1]
        del before[:1], after[:1]
        while math.prod(old[axis] for axis in a) != math.prod(new[axis] for axis in b):
            if math.prod(old[axis] for axis in a) < math.prod(new[axis] for axis in b):
                a.append(before.pop(0))
            else:
                b.append(after.pop(0))
        found.append((a, b))
    return found


def reshaped(labels: np.ndarray, old: tuple[int, ...], new: tuple[int, ...]) -> np.ndarray:
    """The labels of a reshape from shape old to shape new; blocks without a difference stay small."""
    wide, narrow = list(labels.shape), [1] * len(new)
    for before, after in blocks(old, new):
        if any(labels.shape[axis] > 1 for axis in before):
            for axis in before:
                wide[axis] = old[axis]
            for axis in after:
                narrow[axis] = new[axis]
    return np.broadcast_to(labels, wide).reshape(narrow)
