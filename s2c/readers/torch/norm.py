"""ATen normalizations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import is_constant, move_axis, reshape, scalar
from s2c.layers.norms import affine, batch_norm, group_norm, layer_norm, normalize, per_channel, rms_norm
from s2c.ops import make
from s2c.readers.torch.source import Reader, Source, Value, given, has, node


def parameter(source: Source, name: str) -> Node | None:
    return node(source, name, "f32") if has(source, name) else None


def batch_normalization(source: Source) -> tuple[Value | None, ...]:
    """With running statistics: input * scale + shift per channel, from float64 rounded once."""
    x = node(source, "input", "f32")
    average, variance = node(source, "running_mean", "f32"), node(source, "running_var", "f32")
    one, zero = scalar(1, average, source.layer), scalar(0, average, source.layer)
    weight, bias = parameter(source, "weight") or one, parameter(source, "bias") or zero
    epsilon = float(given(source, "eps"))
    if not all(is_constant(each) for each in (average, variance, weight, bias)):
        return batch_norm(x, weight, bias, average, variance, epsilon, source.layer), None, None
    wide = [each.attrs["value"].astype(np.float64) for each in (weight, bias, average, variance)]
    with np.errstate(all="ignore"):
        scale = wide[0] / np.sqrt(wide[3] + epsilon)
        shift = wide[1] - wide[2] * scale
    attrs = {"scale": scale.astype(np.float32), "shift": shift.astype(np.float32)}
    last = move_axis(x, 1, -1, source.layer)
    return move_axis(make("batchnorm", (last,), source.layer, **attrs), -1, 1, source.layer), None, None


def batch_statistics(source: Source) -> tuple[Value | None, ...]:
    """With the statistics of the batch itself, as an instance norm without running ones has."""
    x = node(source, "input", "f32")
    rank = len(x.type.shape)
    y, _, _ = normalize(x, (0, *range(2, rank)), float(given(source, "eps")), source.layer)
    scale, bias = (
        None if each is None else per_channel(each, rank, source.layer)
        for each in (parameter(source, "weight"), parameter(source, "bias"))
    )
    return affine(y, scale, bias, source.layer), None, None


def layer_normalization(source: Source) -> tuple[Value | None, ...]:
    x = node(source, "input", "f32")
    rank = len(x.type.shape)
    axes = range(rank - len(given(source, "normalized_shape")), rank)
    scale, bias = parameter(source, "weight"), parameter(source, "bias")
    return layer_norm(x, axes, scale, bias, float(given(source, "eps")), source.layer), None, None


def group_normalization(source: Source) -> tuple[Value | None, ...]:
    x = node(source, "input", "f32")
    scale, bias = parameter(source, "weight"), parameter(source, "bias")
    groups, epsilon = int(given(source, "group")), float(given(source, "eps"))
    return group_norm(x, groups, scale, bias, epsilon, source.layer), None, None


def root_mean_square(source: Source) -> Value:
    x = node(source, "input", "f32")
    rank = len(x.type.shape)
    axes = range(rank - len(given(source, "normalized_shape")), rank)
    epsilon = float(np.finfo(np.float32).eps) if given(source, "eps") is None else float(given(source, "eps"))
    y = rms_norm(x, axes, parameter(source, "weight"), epsilon, source.layer)
    return reshape(y, x.type.shape, source.layer)


NORM: Mapping[str, Reader] = {
    "aten._native_batch_norm_legit.no_stats": batch_statistics,
    "aten._native_batch_norm_legit_no_training.default": batch_normalization,
    "aten.native_group_norm.default": group_normalization,
    "aten.native_layer_norm.default": layer_normalization,
    "aten.rms_norm.default": root_mean_square,
}
