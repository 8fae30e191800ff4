"""ONNX normalizations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.layers import norms
from s2c.layers.basic import is_constant
from s2c.ops import make
from s2c.readers.onnx.file import MOST_AXES
from s2c.readers.onnx.geometry import channels_last, channels_second
from s2c.readers.onnx.parameter import optional_parameter, parameter
from s2c.readers.onnx.source import (
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    check_broadcast,
    check_rank,
    refuse,
)


def epsilon_of(source: Source) -> float:
    return float(source.attrs.get("epsilon", 1e-5))


def batch_normalization(source: Source) -> Value:
    """Inference. Statistics per channel, or before opset 9 per element of an image (spatial 0)."""
    training = source.attrs.get("training_mode", 0) or (
        source.opset < 7 and not source.attrs.get("is_test", 0)
    )
    if training or source.outputs > 1:
        raise refuse(
            source,
            "BatchNormalization for inference",
            "one that trains",
            "export the model in evaluation mode",
        )
    x = activation(source)
    scale, bias, mean, variance = (parameter(source, index) for index in (1, 2, 3, 4))
    own = x.type.shape[1:2] if source.attrs.get("spatial", 1) else x.type.shape[1:]
    if len(x.type.shape) < 2 or any(each.type.shape != own for each in (scale, bias, mean, variance)):
        raise refuse(
            source,
            f"scale, bias, mean and variance {list(own)}",
            f"{[list(each.type.shape) for each in (scale, bias, mean, variance)]} for {x.type}",
            "check the layer's weights",
        )
    if len(own) == 1 and all(map(is_constant, (scale, bias, mean, variance))):
        return fixed_batch_normalization(source, x, scale, bias, mean, variance)
    return norms.batch_norm(x, scale, bias, mean, variance, epsilon_of(source), source.layer)


def fixed_batch_normalization(source: Source, x: Node, *parameters: Node) -> Node:
    """input * scale + shift per channel, with float64 constants rounded once."""
    gamma, beta, mean, variance = (each.attrs["value"].astype(np.float64) for each in parameters)
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + epsilon_of(source))
        shift = beta - mean * scale
    last = channels_last(x, source.layer)
    attrs = {"scale": scale.astype(np.float32), "shift": shift.astype(np.float32)}
    return channels_second(make("batchnorm", (last,), source.layer, **attrs), source.layer)


def instance_normalization(source: Source) -> Value:
    x = activation(source)
    check_channels(source, x)
    return norms.instance_norm(
        x, optional_parameter(source, 1), optional_parameter(source, 2), epsilon_of(source), source.layer
    )


def group_normalization(source: Source) -> Value:
    x = activation(source)
    groups = int(source.attrs["num_groups"])
    if len(x.type.shape) < 2 or groups < 1 or x.type.shape[1] % groups:
        raise refuse(source, f"channels in {groups} equal groups", str(x.type), "check num_groups")
    scale, bias = optional_parameter(source, 1), optional_parameter(source, 2)
    return norms.group_norm(x, groups, scale, bias, epsilon_of(source), source.layer)


def check_channels(source: Source, x: Node) -> None:
    if len(x.type.shape) < 3:
        raise refuse(
            source, f"an input [batch, channels, *spatial] of {source.op}", str(x.type), "reshape the input"
        )


def normalized_axes(source: Source, x: Node) -> range:
    rank = len(x.type.shape)
    return range(axis_of(source, int(source.attrs.get("axis", -1)), rank), rank)


def layer_normalization(source: Source) -> tuple[Value, ...]:
    x = activation(source)
    check_broadcast(source, 1, x.type.shape)
    check_broadcast(source, 2, x.type.shape)
    y, mean, inverse = norms.normalize(x, normalized_axes(source, x), epsilon_of(source), source.layer)
    y = norms.affine(y, optional_parameter(source, 1), optional_parameter(source, 2), source.layer)
    return (y, mean, inverse)[: source.outputs]


def rms_normalization(source: Source) -> Value:
    x = activation(source)
    axes = normalized_axes(source, x)
    check_broadcast(source, 1, x.type.shape)
    return norms.rms_norm(x, axes, optional_parameter(source, 1), epsilon_of(source), source.layer)


def local_response_normalization(source: Source) -> Value:
    attrs = source.attrs
    x, size = activation(source), int(attrs["size"])
    check_rank(source, x, 2, MOST_AXES)
    if size < 1:
        raise refuse(source, "a size of at least 1", str(size), "check the layer's size")
    return norms.local_response_norm(
        x,
        size,
        float(attrs.get("alpha", 1e-4)),
        float(attrs.get("beta", 0.75)),
        float(attrs.get("bias", 1.0)),
        source.layer,
    )


def lp_normalization(source: Source) -> Value:
    x = activation(source)
    axis = axis_of(source, int(source.attrs.get("axis", -1)), len(x.type.shape))
    p = int(source.attrs.get("p", 2))
    if p not in (1, 2):
        raise refuse(source, "LpNormalization with p 1 or 2", f"p {p}", "write it with Pow and ReduceSum")
    return norms.lp_norm(x, axis, p, source.layer)


def mean_variance_normalization(source: Source) -> Value:
    x = activation(source)
    axes = [axis_of(source, axis, len(x.type.shape)) for axis in source.attrs.get("axes", (0, 2, 3))]
    return norms.mean_variance_norm(x, axes, source.layer)


NORMS: Mapping[str, Reader] = {
    "BatchNormalization": batch_normalization,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "LRN": local_response_normalization,
    "LayerNormalization": layer_normalization,
    "LpNormalization": lp_normalization,
    "MeanVarianceNormalization": mean_variance_normalization,
    "RMSNormalization": rms_normalization,
}
