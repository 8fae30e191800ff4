"""READERS: each Keras layer as source ops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any

import numpy as np

from s2c.ir import Node
from s2c.layers.basic import add, binary, concat, mean, mul, narrow, pad, reshape, sub, transpose
from s2c.layers.basic import reduce as reduced
from s2c.layers.pooling import average_pool, max_pool
from s2c.layers.windows import Window, as_image, as_spatial
from s2c.ops import make
from s2c.readers.keras.activations import (
    activated,
    activation,
    elu,
    leaky_relu,
    prelu,
    relu_layer,
    softmax_layer,
)
from s2c.readers.keras.layer import AGAIN, MOST_EXTENT, Layer, Reader, is_integer

MOST_TAPS = 1 << 16

# convolutions and pools over [batch, *spatial, channels]


def spatial(layer: Layer, rank: int) -> Node:
    x = layer.input
    if layer.config.get("data_format", "channels_last") != "channels_last":
        raise layer.error("channels last", "channels first", "save the model with channels last")
    if len(x.type.shape) != rank + 2:
        raise layer.error(f"an input of {rank + 2} axes", str(x.type), "reshape the input")
    return x


PADDINGS = ("valid", "same", "causal")


def window_of(layer: Layer, x: Node, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Window:
    """padding "same" puts the odd row or column behind."""
    dilation = layer.integers("dilation_rate", len(kernel), default=1)
    padding = layer.config.get("padding", "valid")
    if padding not in PADDINGS or not 1 <= math.prod(kernel) <= MOST_TAPS:
        found = f"{padding} with a kernel {kernel}"
        wanted = f"padding valid, same or causal and a kernel of 1 to {MOST_TAPS} values"
        raise layer.error(wanted, found, "save the layer with another")
    pads = []
    for size, taps, step, spread in zip(x.type.shape[1:-1], kernel, stride, dilation, strict=True):
        reach = (taps - 1) * spread
        total = max((math.ceil(size / step) - 1) * step + reach + 1 - size, 0)
        both = {"valid": (0, 0), "same": (total // 2, total - total // 2), "causal": (reach, 0)}
        pads.append(both[padding])
    return Window(kernel, stride, dilation, tuple(pads))


def convolved(layer: Layer, x: Node, weight: np.ndarray, bias: np.ndarray, groups: int) -> Node:
    """weight [outputs, *kernel, inputs of a group]."""
    rank = weight.ndim - 2
    window = window_of(layer, x, weight.shape[1:-1], layer.integers("strides", rank, default=1))
    attrs = window.attrs()
    kernel = attrs.pop("kernel")
    flat = np.ascontiguousarray(weight).reshape(weight.shape[0], *kernel, weight.shape[-1])
    y = make("conv2d", (as_image(x, layer.name),), layer.name, weight=flat, bias=bias, groups=groups, **attrs)
    return as_spatial(y, rank, layer.name)


def bias_of(layer: Layer, outputs: int, index: int) -> np.ndarray:
    if not layer.config.get("use_bias", True):
        return np.zeros(outputs, np.float32)
    return layer.weight(index, outputs)


def convolution(layer: Layer, rank: int) -> Node:
    """Weights [*kernel, inputs of a group, outputs]."""
    x = spatial(layer, rank)
    weight = np.moveaxis(layer.weight(0, *(-1,) * (rank + 2)), -1, 0)
    (groups,) = layer.integers("groups", 1, default=1)
    y = convolved(layer, x, weight, bias_of(layer, len(weight), 1), groups)
    return activated(layer, y)


def depthwise(layer: Layer) -> Node:
    """Weights [height, width, channels, multiplier]; output c * multiplier + m reads channel c."""
    x = spatial(layer, 2)
    weight = by_channel(layer.weight(0, -1, -1, x.type.shape[-1], -1))
    y = convolved(layer, x, weight, bias_of(layer, len(weight), 1), x.type.shape[-1])
    return activated(layer, y)


def by_channel(weight: np.ndarray) -> np.ndarray:
    height, width, channels, multiplier = weight.shape
    return weight.reshape(height, width, 1, channels * multiplier).transpose(3, 0, 1, 2)


def separable(layer: Layer) -> Node:
    x = spatial(layer, 2)
    first = by_channel(layer.weight(0, -1, -1, x.type.shape[-1], -1))
    second = layer.weight(1, 1, 1, len(first), -1)
    y = convolved(layer, x, first, np.zeros(len(first), np.float32), x.type.shape[-1])
    outputs = second.shape[-1]
    y = make("dense", (y,), layer.name, weight=second[0, 0].T.copy(), bias=bias_of(layer, outputs, 2))
    return activated(layer, y)


def dense(layer: Layer) -> Node:
    """Weights [inputs, outputs]."""
    x = layer.input
    weight = layer.weight(0, x.type.shape[-1], -1).T.copy()
    y = make("dense", (x,), layer.name, weight=weight, bias=bias_of(layer, len(weight), 1))
    return activated(layer, y)


def batch_normalization(layer: Layer) -> Node:
    """Weights gamma and beta where the configuration has them, then mean and variance."""
    x = layer.input
    if layer.config.get("axis", -1) not in (-1, [len(x.type.shape) - 1], len(x.type.shape) - 1):
        raise layer.error("the last axis", str(layer.config["axis"]), "save the model with channels last")
    channels = x.type.shape[-1]
    found = [layer.weight(index, channels).astype(np.float64) for index in range(len(layer.weights))]
    gamma = found.pop(0) if layer.config.get("scale", True) else np.ones(channels)
    beta = found.pop(0) if layer.config.get("center", True) else np.zeros(channels)
    if len(found) != 2:
        raise layer.error("a mean and a variance", f"{len(layer.weights)} weights", "save the model again")
    spread = found[1] + layer.number("epsilon", 1e-3)
    if not (spread > 0).all():
        raise layer.error("a positive variance", f"{spread.min():.6g}", AGAIN)
    scale = gamma / np.sqrt(spread)
    shift = beta - found[0] * scale
    attrs: dict[str, Any] = {"scale": scale.astype(np.float32), "shift": shift.astype(np.float32)}
    return make("batchnorm", (x,), layer.name, **attrs)


def pool(layer: Layer, rank: int, is_max: bool) -> Node:
    x = spatial(layer, rank)
    kernel = layer.integers("pool_size", rank)
    has_strides = layer.config.get("strides") is not None
    window = window_of(layer, x, kernel, layer.integers("strides", rank) if has_strides else kernel)
    return max_pool(x, window, layer.name) if is_max else average_pool(x, window, False, layer.name)


def global_pool(layer: Layer, rank: int, is_max: bool) -> Node:
    x = spatial(layer, rank)
    axes, keep = tuple(range(1, rank + 1)), bool(layer.config.get("keepdims", False))
    return reduced("max", x, axes, layer.name, keep) if is_max else mean(x, axes, layer.name, keep)


# movement and merges


def flatten(layer: Layer) -> Node:
    x = layer.input
    return reshape(x, (x.type.shape[0], math.prod(x.type.shape[1:])), layer.name)


def reshape_layer(layer: Layer) -> Node:
    x = layer.input
    given = layer.config.get("target_shape")
    shape = (
        x.type.shape[0],
        *layer.integers("target_shape", len(given) if isinstance(given, list) else 1, -1),
    )
    known = math.prod(extent for extent in shape if extent != -1)
    if shape.count(-1) > 1 or known < 1 or x.type.size % known or (-1 not in shape and known != x.type.size):
        raise layer.error(f"a shape of {x.type.size} elements", str(list(shape)), "save the model again")
    return reshape(x, shape, layer.name)


def permute(layer: Layer) -> Node:
    axes = layer.integers("dims", len(layer.input.type.shape) - 1)
    if sorted(axes) != list(range(1, len(axes) + 1)):
        raise layer.error(f"an order of the axes 1 to {len(axes)}", str(axes), AGAIN)
    return transpose(layer.input, (0, *axes), layer.name)


def identity(layer: Layer) -> Node:
    return layer.input


def zero_padding(layer: Layer, rank: int) -> Node:
    x = spatial(layer, rank)
    pads = pairs(layer, "padding", rank)
    return pad(x, ((0, 0), *pads, (0, 0)), layer.name)


def cropping(layer: Layer, rank: int) -> Node:
    x = spatial(layer, rank)
    for axis, (before, after) in enumerate(pairs(layer, "cropping", rank), start=1):
        extent = x.type.shape[axis] - before - after
        if extent < 1:
            raise layer.error("something left", f"{before} and {after} of {x.type}", "crop less")
        x = narrow(x, axis, before, extent, layer.name)
    return x


def pairs(layer: Layer, key: str, rank: int) -> list[tuple[int, int]]:
    """One pair of an axis; Keras writes that of one axis without the outer brackets."""
    values = layer.config.get(key)
    is_nested = isinstance(values, list) and any(isinstance(each, list) for each in values)
    listed: list[Any] = values if isinstance(values, list) and is_nested else [values]
    fits = len(listed) == rank and all(
        isinstance(pair, list) and len(pair) == 2 and all(is_integer(each, 0) for each in pair)
        for pair in listed
    )
    if not fits:
        found = "none" if values is None else str(values)[:80]
        raise layer.error(f"{key}, two integers of 0 to {MOST_EXTENT} for {rank} axes,", found, AGAIN)
    return [(before, after) for before, after in listed]


def up_sampling(layer: Layer) -> Node:
    x = spatial(layer, 2)
    if layer.config.get("interpolation", "nearest") != "nearest":
        raise layer.error("interpolation nearest", layer.config["interpolation"], "export the model to ONNX")
    for axis, factor in enumerate(layer.integers("size", 2), start=1):
        if x.type.shape[axis] * factor > MOST_EXTENT:
            raise layer.error(
                f"extents of at most {MOST_EXTENT}", f"{x.type} times {factor}", "make it smaller"
            )
        index = np.arange(x.type.shape[axis]).repeat(factor)
        x = make("gather_constant", (x,), layer.name, axis=axis, index=index)
    return x


def merge(layer: Layer, combine: Callable[[Node, Node, str], Node]) -> Node:
    return reduce(lambda a, b: combine(a, b, layer.name), layer.inputs)


def average(layer: Layer) -> Node:
    return mul(merge(layer, add), 1.0 / len(layer.inputs), layer.name)


def concatenate(layer: Layer) -> Node:
    rank = len(layer.inputs[0].type.shape) if layer.inputs else 0
    (axis,) = layer.integers("axis", 1, -rank, -1)
    if not -rank <= axis < rank:
        raise layer.error(f"an axis of {rank}", str(axis), AGAIN)
    return concat(layer.inputs, axis % rank, layer.name)


def by_rank(names: Mapping[str, int], reader: Callable[..., Node], **attrs: Any) -> dict[str, Reader]:
    return {name: partial(reader, rank=rank, **attrs) for name, rank in names.items()}


READERS: Mapping[str, Reader] = {
    "Activation": activation,
    "ActivityRegularization": identity,
    "Add": partial(merge, combine=add),
    "AlphaDropout": identity,
    "Average": average,
    "BatchNormalization": batch_normalization,
    "Concatenate": concatenate,
    "Dense": dense,
    "DepthwiseConv2D": depthwise,
    "Dropout": identity,
    "ELU": elu,
    "Flatten": flatten,
    "GaussianDropout": identity,
    "GaussianNoise": identity,
    "LeakyReLU": leaky_relu,
    "Maximum": partial(merge, combine=partial(binary, "maximum")),
    "Minimum": partial(merge, combine=partial(binary, "minimum")),
    "Multiply": partial(merge, combine=mul),
    "PReLU": prelu,
    "Permute": permute,
    "ReLU": relu_layer,
    "Reshape": reshape_layer,
    "SeparableConv2D": separable,
    "Softmax": softmax_layer,
    "SpatialDropout1D": identity,
    "SpatialDropout2D": identity,
    "Subtract": partial(merge, combine=sub),
    "UpSampling2D": up_sampling,
    **by_rank({"AveragePooling1D": 1, "AveragePooling2D": 2}, pool, is_max=False),
    **by_rank({"Conv1D": 1, "Conv2D": 2}, convolution),
    **by_rank({"Cropping1D": 1, "Cropping2D": 2}, cropping),
    **by_rank({"GlobalAveragePooling1D": 1, "GlobalAveragePooling2D": 2}, global_pool, is_max=False),
    **by_rank({"GlobalMaxPooling1D": 1, "GlobalMaxPooling2D": 2}, global_pool, is_max=True),
    **by_rank({"MaxPooling1D": 1, "MaxPooling2D": 2}, pool, is_max=True),
    **by_rank({"ZeroPadding1D": 1, "ZeroPadding2D": 2}, zero_padding),
}
