"""Normalizations: the variance is that of what is left once the mean is gone, so nothing cancels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import (
    add,
    binary,
    dense,
    div,
    mean,
    move_axis,
    mul,
    reshape,
    scalar,
    square,
    sub,
    total,
    unary,
    where,
)


def normalize(x: Node, axes: Sequence[int], epsilon: float, layer: str) -> tuple[Node, Node, Node]:
    """(x - mean) / sqrt(variance + epsilon) over axes, with the mean and the inverse deviation."""
    average = mean(x, axes, layer)
    centred = sub(x, average, layer)
    inverse = inverse_root(add(mean(square(centred, layer), axes, layer), epsilon, layer), layer)
    return mul(centred, inverse, layer), average, inverse


def inverse_root(x: Node, layer: str) -> Node:
    return unary("rsqrt", x, layer)


def affine(x: Node, scale: Node | None, bias: Node | None, layer: str) -> Node:
    """x * scale + bias, by numpy's broadcasting."""
    y = x if scale is None else mul(x, scale, layer)
    return y if bias is None else add(y, bias, layer)


def layer_norm(
    x: Node, axes: Sequence[int], scale: Node | None, bias: Node | None, epsilon: float, layer: str
) -> Node:
    return affine(normalize(x, axes, epsilon, layer)[0], scale, bias, layer)


def rms_norm(x: Node, axes: Sequence[int], scale: Node | None, epsilon: float, layer: str) -> Node:
    """x / sqrt(mean of squares + epsilon) * scale."""
    inverse = inverse_root(add(mean(square(x, layer), axes, layer), epsilon, layer), layer)
    return affine(mul(x, inverse, layer), scale, None, layer)


def per_channel(node: Node, rank: int, layer: str) -> Node:
    """[channels] beside [batch, channels, *spatial]."""
    return reshape(node, (-1, *(1,) * (rank - 2)), layer)


def batch_norm(
    x: Node, scale: Node, bias: Node, average: Node, variance: Node, epsilon: float, layer: str
) -> Node:
    """x [batch, channels, *spatial] with statistics per channel, which may be computed."""
    factor = mul(scale, inverse_root(add(variance, epsilon, layer), layer), layer)
    shift = sub(bias, mul(average, factor, layer), layer)
    rank = len(x.type.shape)
    return affine(x, per_channel(factor, rank, layer), per_channel(shift, rank, layer), layer)


def instance_norm(x: Node, scale: Node | None, bias: Node | None, epsilon: float, layer: str) -> Node:
    """x [batch, channels, *spatial], each channel of each by itself."""
    rank = len(x.type.shape)
    y, _, _ = normalize(x, range(2, rank), epsilon, layer)
    scale, bias = (None if each is None else per_channel(each, rank, layer) for each in (scale, bias))
    return affine(y, scale, bias, layer)


def group_norm(
    x: Node, groups: int, scale: Node | None, bias: Node | None, epsilon: float, layer: str
) -> Node:
    """x [batch, channels, *spatial]; scale and bias per channel, or per group."""
    shape = x.type.shape
    grouped = reshape(x, (shape[0], groups, -1), layer)
    y, _, _ = normalize(grouped, (2,), epsilon, layer)
    if scale is not None and scale.type.size == groups != shape[1]:
        scale, bias = (None if each is None else reshape(each, (groups, 1), layer) for each in (scale, bias))
        return reshape(affine(y, scale, bias, layer), shape, layer)
    rank = len(shape)
    scale, bias = (None if each is None else per_channel(each, rank, layer) for each in (scale, bias))
    return affine(reshape(y, shape, layer), scale, bias, layer)


def local_response_norm(x: Node, size: int, alpha: float, beta: float, bias: float, layer: str) -> Node:
    """x [batch, channels, *spatial] / (bias + alpha / size * sum of squares)^beta over size neighbouring
    channels, of which (size - 1) / 2, rounded down, come before."""
    channels = x.type.shape[1]
    distance = np.arange(channels) - np.arange(channels)[:, np.newaxis]
    band = (distance >= -((size - 1) // 2)) & (distance <= size // 2)
    squares = move_axis(square(x, layer), 1, -1, layer)
    sums = dense(
        squares, (band * (alpha / size)).astype(np.float32), np.full(channels, bias, np.float32), layer
    )
    divisor = root_of_power(move_axis(sums, -1, 1, layer), beta, layer)
    return div(x, divisor, layer)


def root_of_power(x: Node, beta: float, layer: str) -> Node:
    """x^beta of positive numbers; the usual 1/2, 3/4 and 1 by square roots, which are exact."""
    half = unary("sqrt", x, layer)
    if beta == 0.5:
        return half
    if beta == 0.75:
        return mul(half, unary("sqrt", half, layer), layer)
    return x if beta == 1 else binary("pow", x, beta, layer)


def lp_norm(x: Node, axis: int, p: int, layer: str) -> Node:
    """x over the sum of |x|, or the root of that of squares; 0 where that is 0."""
    if p == 1:
        divisor = total(unary("abs", x, layer), (axis,), layer)
    else:
        divisor = unary("sqrt", total(square(x, layer), (axis,), layer), layer)
    is_zero = binary("equal", divisor, 0, layer)
    return mul(x, where(is_zero, scalar(0, x, layer), unary("reciprocal", divisor, layer), layer), layer)


def mean_variance_norm(x: Node, axes: Sequence[int], layer: str, epsilon: float = 1e-9) -> Node:
    """(x - mean) / (deviation + epsilon)."""
    centred = sub(x, mean(x, axes, layer), layer)
    deviation = unary("sqrt", mean(square(centred, layer), axes, layer), layer)
    return div(centred, add(deviation, epsilon, layer), layer)
