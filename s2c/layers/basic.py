"""Small builders: arithmetic, movement and products of nodes, by numpy's rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2c import oracle
from s2c.ir import Node, constant
from s2c.ops import make
from s2c.ops.core import MOST_AXES

Operand = Node | float
MOST_GROWTH = 1 << 10  # bytes by which a computed constant may exceed what it came from


def build(op: str, inputs: tuple[Node, ...], layer: str, **attrs: Any) -> Node:
    """make, but a constant where all inputs are, so that weights can be prepared like activations."""
    node = make(op, inputs, layer, **attrs)
    most = sum(each.type.bytes for each in inputs) + MOST_GROWTH
    if any(each.op != "constant" for each in inputs) or node.type.bytes > most:
        return node
    return constant(oracle.evaluate(node, *(each.attrs["value"] for each in inputs)), layer, node.type.quant)


def is_constant(node: Node) -> bool:
    return node.op == "constant"


def scalar(value: float, like: Node, layer: str) -> Node:
    """A constant of one element, in the dtype of `like`."""
    return constant(np.full((), value, like.type.numpy), layer)


def vector(values: Sequence[float] | np.ndarray, like: Node, layer: str) -> Node:
    """A constant of any shape, in the dtype of `like`."""
    return constant(np.asarray(values).astype(like.type.numpy), layer)


def fitted(a: Operand, b: Operand, layer: str) -> tuple[Node, Node]:
    """Both operands as nodes; a number takes the other's dtype."""
    if not isinstance(a, Node):
        assert isinstance(b, Node), (a, b)
        return scalar(a, b, layer), b
    return a, b if isinstance(b, Node) else scalar(b, a, layer)


# arithmetic


def binary(function: str, a: Operand, b: Operand, layer: str) -> Node:
    return build("binary", fitted(a, b, layer), layer, function=function)


def add(a: Operand, b: Operand, layer: str) -> Node:
    return arithmetic("add", "add", a, b, layer)


def sub(a: Operand, b: Operand, layer: str) -> Node:
    return arithmetic("sub", "sub", a, b, layer)


def mul(a: Operand, b: Operand, layer: str) -> Node:
    return arithmetic("mul", "mul", a, b, layer)


def div(a: Operand, b: Operand, layer: str) -> Node:
    """A quotient; of integers towards zero."""
    return arithmetic("div", "divide", a, b, layer)


def arithmetic(op: str, function: str, a: Operand, b: Operand, layer: str) -> Node:
    """Floats and quantized integers have ops of their own; plain integers are computed by `binary`."""
    left, right = fitted(a, b, layer)
    if left.type.dtype == "f32" or left.type.quant is not None:
        return build(op, (left, right), layer)
    return build("binary", (left, right), layer, function=function)


def unary(function: str, x: Node, layer: str) -> Node:
    return build("unary", (x,), layer, function=function)


def negate(x: Node, layer: str) -> Node:
    return mul(x, -1, layer)


def square(x: Node, layer: str) -> Node:
    return mul(x, x, layer)


def clamp(x: Node, lo: float, hi: float, layer: str) -> Node:
    """x within lo..hi; an infinite bound is none. NaN stays."""
    if x.type.dtype == "f32":
        bounds: dict[str, Any] = {
            name: float(value) for name, value in (("lo", lo), ("hi", hi)) if not math.isinf(value)
        }
        return build("relu", (x,), layer, **bounds) if bounds else x
    if lo != -math.inf:
        x = binary("maximum", x, lo, layer)
    return x if hi == math.inf else binary("minimum", x, hi, layer)


def less(a: Operand, b: Operand, layer: str) -> Node:
    return binary("less", a, b, layer)


def equal(a: Operand, b: Operand, layer: str) -> Node:
    return binary("equal", a, b, layer)


def both(a: Node, b: Node, layer: str) -> Node:
    return binary("bit_and", a, b, layer)


def either(a: Node, b: Node, layer: str) -> Node:
    return binary("bit_or", a, b, layer)


def where(condition: Node, a: Operand, b: Operand, layer: str) -> Node:
    return build("where", (condition, *fitted(a, b, layer)), layer)


def cast(x: Node, dtype: str, layer: str) -> Node:
    return x if x.type.dtype == dtype else build("cast", (x,), layer, dtype=dtype)


# reductions


def reduce(function: str, x: Node, axes: Sequence[int], layer: str, keepdims: bool = True) -> Node:
    return build("reduce", (x,), layer, function=function, axes=tuple(axes), keepdims=keepdims)


def total(x: Node, axes: Sequence[int], layer: str, keepdims: bool = True) -> Node:
    return reduce("sum", x, axes, layer, keepdims)


def mean(x: Node, axes: Sequence[int], layer: str, keepdims: bool = True) -> Node:
    return reduce("mean", x, axes, layer, keepdims)


# movement


def reshape(x: Node, shape: Sequence[int], layer: str) -> Node:
    """One extent may be -1."""
    wanted = tuple(shape)
    if -1 in wanted:
        rest = x.type.size // -math.prod(wanted)
        wanted = tuple(rest if extent == -1 else extent for extent in wanted)
    return x if x.type.shape == wanted else build("reshape", (x,), layer, shape=wanted)


def transpose(x: Node, perm: Sequence[int], layer: str) -> Node:
    """By several transposes where one would move more axes apart than a target's gather takes."""
    order = tuple(perm)
    while moved_runs(x.type.shape, order) > MOST_AXES:
        breaks = [index for index in range(1, len(order)) if order[index] != order[index - 1] + 1]
        front = order[: breaks[1]]
        step = (*front, *(axis for axis in range(len(order)) if axis not in front))
        x = build("transpose", (x,), layer, perm=step)
        order = tuple(step.index(axis) for axis in order)
    return x if order == tuple(range(len(order))) else build("transpose", (x,), layer, perm=order)


def moved_runs(shape: tuple[int, ...], perm: tuple[int, ...]) -> int:
    """How many runs of axes move apart, those of extent 1 left out."""
    long = [axis for axis in range(len(shape)) if shape[axis] != 1]
    order = [long.index(axis) for axis in perm if shape[axis] != 1]
    return sum(1 for index, each in enumerate(order) if not index or order[index - 1] != each - 1)


def swap(x: Node, first: int, second: int, layer: str) -> Node:
    """Two axes exchanged, counted from either end."""
    perm = list(range(len(x.type.shape)))
    perm[first], perm[second] = perm[second], perm[first]
    return transpose(x, perm, layer)


def move_axis(x: Node, source: int, target: int, layer: str) -> Node:
    """numpy.moveaxis of one axis, counted from either end."""
    rank = len(x.type.shape)
    order = [axis for axis in range(rank) if axis != source % rank]
    order.insert(target % rank, source % rank)
    return transpose(x, order, layer)


def unsqueeze(x: Node, axis: int, layer: str) -> Node:
    """axis counts from the front of the result."""
    return reshape(x, (*x.type.shape[:axis], 1, *x.type.shape[axis:]), layer)


def narrow(x: Node, axis: int, start: int, count: int, layer: str, step: int = 1) -> Node:
    """count neighbours along an axis, or every step-th; step may be negative."""
    shape = list(x.type.shape)
    if (start, count, step) == (0, shape[axis], 1):
        return x
    starts, steps = [0] * len(shape), [1] * len(shape)
    starts[axis], steps[axis], shape[axis] = start, step if count > 1 else 1, count
    return build("slice", (x,), layer, starts=tuple(starts), steps=tuple(steps), shape=tuple(shape))


def flip(x: Node, axis: int, layer: str) -> Node:
    extent = x.type.shape[axis]
    return x if extent == 1 else narrow(x, axis, extent - 1, extent, layer, -1)


def split(x: Node, axis: int, sizes: Sequence[int], layer: str) -> list[Node]:
    starts = np.cumsum([0, *sizes[:-1]])
    return [narrow(x, axis, int(start), size, layer) for start, size in zip(starts, sizes, strict=True)]


def chunk(x: Node, axis: int, count: int, layer: str) -> list[Node]:
    """Equal parts."""
    return split(x, axis, (x.type.shape[axis] // count,) * count, layer)


def concat(parts: Sequence[Node], axis: int, layer: str) -> Node:
    return parts[0] if len(parts) == 1 else build("concat", tuple(parts), layer, axis=axis)


def stack(parts: Sequence[Node], axis: int, layer: str) -> Node:
    return concat([unsqueeze(each, axis, layer) for each in parts], axis, layer)


def expand(x: Node, shape: Sequence[int], layer: str) -> Node:
    return x if x.type.shape == tuple(shape) else build("expand", (x,), layer, shape=tuple(shape))


def pad(x: Node, pads: Sequence[tuple[int, int]], layer: str, value: float = 0) -> Node:
    return build("pad", (x,), layer, pads=tuple(pads), value=value) if any(map(any, pads)) else x


def pad_axis(x: Node, axis: int, before: int, after: int, layer: str, value: float = 0) -> Node:
    pads = [(0, 0)] * len(x.type.shape)
    pads[axis] = (before, after)
    return pad(x, pads, layer, value)


def gather_constant(x: Node, axis: int, index: np.ndarray, layer: str) -> Node:
    """numpy.take with indices of at least 0."""
    return build("gather_constant", (x,), layer, axis=axis, index=np.asarray(index, np.int64))


# products


def dense(x: Node, weight: np.ndarray, bias: np.ndarray | None, layer: str) -> Node:
    """x [..., depth] times weight [outputs, depth] transposed, plus a bias."""
    given = np.zeros(len(weight), np.float32) if bias is None else bias
    return build("dense", (x,), layer, weight=np.ascontiguousarray(weight), bias=given)


def matmul(a: Node, b: Node, layer: str) -> Node:
    """numpy.matmul. A constant float matrix becomes the weights of a dense layer."""
    left = a if len(a.type.shape) > 1 else unsqueeze(a, 0, layer)
    right = b if len(b.type.shape) > 1 else unsqueeze(b, 1, layer)
    y = matrices(left, right, layer)
    shape = y.type.shape
    if len(b.type.shape) == 1:
        shape = shape[:-1]
    if len(a.type.shape) == 1:
        shape = (*shape[: len(y.type.shape) - 2], *shape[len(y.type.shape) - 1 :])
    return reshape(y, shape, layer)


def matrices(a: Node, b: Node, layer: str) -> Node:
    """matmul of operands with at least two axes."""
    if is_weight(b):
        weight = b.attrs["value"].reshape(b.type.shape[-2:]).T
        return lifted(dense(a, weight, None, layer), b, layer)
    if is_weight(a):
        weight = a.attrs["value"].reshape(a.type.shape[-2:])
        return lifted(swap(dense(swap(b, -1, -2, layer), weight, None, layer), -1, -2, layer), a, layer)
    return stacks(a, b, layer)


def is_weight(node: Node) -> bool:
    return is_constant(node) and node.type.dtype == "f32" and math.prod(node.type.shape[:-2]) == 1


def lifted(y: Node, other: Node, layer: str) -> Node:
    """Unit axes in front, as the rank of the other operand asks for."""
    missing = max(len(other.type.shape) - len(y.type.shape), 0)
    return reshape(y, (1,) * missing + y.type.shape, layer)


def stacks(a: Node, b: Node, layer: str) -> Node:
    """matmul of computed stacks; where b is one matrix, the rows of all of a's are taken together."""
    *outer_a, rows, depth = a.type.shape
    *outer_b, _, columns = b.type.shape
    batch = np.broadcast_shapes(tuple(outer_a), tuple(outer_b))
    shape = (*batch, rows, columns)
    if math.prod(outer_b) == 1:
        left = reshape(a, (1, math.prod(outer_a) * rows, depth), layer)
        right = reshape(b, (1, *b.type.shape[-2:]), layer)
    else:
        left = reshape(expand(a, (*batch, rows, depth), layer), (-1, rows, depth), layer)
        right = reshape(expand(b, (*batch, *b.type.shape[-2:]), layer), (-1, *b.type.shape[-2:]), layer)
    return reshape(build("batch_matmul", (left, right), layer, transpose=False), shape, layer)
