"""Readers of the .tflite ops that contract: convolutions, fully connected, pools and means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tflite

from s2c.ir import Node
from s2c.readers.tflite.layer import Layer, Reader

MOST_TAPS = 1 << 16


def nhwc(layer: Layer) -> Node:
    node = layer.real()
    if len(node.type.shape) != 4:
        raise layer.error(
            "an input [batch, height, width, channels]", str(node.type), "reshape it to four axes"
        )
    return node


def geometry(layer: Layer, kernel: tuple[int, int], dilation: tuple[int, int]) -> dict[str, Any]:
    """stride, dilation and pads; SAME puts the odd row or column at the bottom and right."""
    stride = (layer.integer("StrideH"), layer.integer("StrideW"))
    if math.prod(kernel) > MOST_TAPS:
        raise layer.error(f"a kernel of at most {MOST_TAPS} values", str(kernel), "reduce it in two steps")
    pads: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    if layer.option("Padding") == tflite.Padding.SAME:
        _, *sizes, _ = layer.any(0).type.shape
        totals = [
            max((math.ceil(size / step) - 1) * step + (taps - 1) * spread + 1 - size, 0)
            for size, step, taps, spread in zip(sizes, stride, kernel, dilation, strict=True)
        ]
        pads = tuple((total // 2, total - total // 2) for total in totals)
    return {"stride": stride, "dilation": dilation, "pads": pads}


def weights(layer: Layer, rank: int) -> np.ndarray:
    """The constant weights, in the dtype of the activations."""
    value = layer.array(1, "weights")
    wanted = np.dtype(np.int8 if layer.real().type.dtype == "i8" else np.float32)
    if wanted == np.float32 and value.dtype == np.int8:
        raise layer.error(
            "weights and activations of one dtype",
            "int8 weights with float32 activations (dynamic range quantization)",
            "quantize the activations too (full integer quantization), or keep float32 weights",
        )
    if value.dtype != wanted or value.ndim != rank or not value.size:
        raise layer.error(
            f"{wanted} weights of {rank} axes", f"{value.dtype}{list(value.shape)}", "convert it again"
        )
    return value


def contraction_attrs(layer: Layer, outputs: int, output_axis: int) -> dict[str, Any]:
    """bias (zeros where there is none), weight_scale and clamp."""
    is_int8 = layer.real().type.dtype == "i8"
    attrs: dict[str, Any] = dict(layer.clamp())
    if is_int8:
        attrs["weight_scale"] = weight_scale(layer, outputs, output_axis)
    dtype = np.dtype(np.int32 if is_int8 else np.float32)
    bias = layer.array(2, "biases").reshape(-1) if layer.has(2) else np.zeros(outputs, dtype)
    if bias.dtype != dtype or bias.size != outputs:
        raise layer.error(f"{outputs} {dtype} biases", f"{bias.dtype}{list(bias.shape)}", "convert it again")
    return {**attrs, "bias": bias}


def weight_scale(layer: Layer, outputs: int, output_axis: int) -> np.ndarray:
    quant = layer.any(1).type.quant
    found = (
        "none" if quant is None else f"{len(quant.scale)} scales, zero point {quant.zero}, axis {quant.axis}"
    )
    if (
        quant is None
        or quant.zero
        or len(quant.scale) not in (1, outputs)
        or quant.axis not in (None, output_axis)
    ):
        raise layer.error(
            f"symmetric int8 weights with 1 or {outputs} scales on axis {output_axis}",
            found,
            "quantize the model again",
        )
    return np.array(quant.scale, np.float32)


def conv_2d(layer: Layer) -> Node:
    source, weight = nhwc(layer), weights(layer, 4)
    channels, depth = source.type.shape[3], weight.shape[3]
    attrs = contraction_attrs(layer, weight.shape[0], 0)
    attrs |= geometry(layer, weight.shape[1:3], dilations(layer))
    return layer.make("conv2d", source, weight=weight, groups=max(channels // depth, 1), **attrs)


def dilations(layer: Layer) -> tuple[int, int]:
    return layer.integer("DilationHFactor"), layer.integer("DilationWFactor")


def depthwise_conv_2d(layer: Layer) -> Node:
    """Weights [1, kernel h, kernel w, channels * multiplier]; output c reads channel c // multiplier."""
    source, weight = nhwc(layer), weights(layer, 4)
    if weight.shape[0] != 1:
        raise layer.error("weights [1, height, width, outputs]", str(list(weight.shape)), "convert it again")
    attrs = contraction_attrs(layer, weight.shape[3], 3)
    attrs |= geometry(layer, weight.shape[1:3], dilations(layer))
    return layer.make(
        "conv2d", source, weight=weight.transpose(3, 1, 2, 0), groups=source.type.shape[3], **attrs
    )


def fully_connected(layer: Layer) -> Node:
    """An input whose rows do not fit the weights is flattened and cut anew, as LiteRT does."""
    source, weight = layer.real(), weights(layer, 2)
    if layer.option("WeightsFormat"):
        raise layer.error("weights in the default format", "shuffled weights", "convert it without shuffling")
    outputs, depth = weight.shape
    if source.type.size % depth:
        raise layer.error(f"an input of whole rows of {depth}", str(source.type), "check the layer's weights")
    if not layer.option("KeepNumDims"):
        source = layer.reshape(source, (source.type.size // depth, depth))
    return layer.make("dense", source, weight=weight, **contraction_attrs(layer, outputs, 0))


def pool_attrs(layer: Layer) -> dict[str, Any]:
    kernel = (layer.integer("FilterHeight"), layer.integer("FilterWidth"))
    return {"kernel": kernel, **geometry(layer, kernel, (1, 1))}


def average_pool_2d(layer: Layer) -> Node:
    source = layer.same_quant(nhwc(layer))
    return layer.make(
        "average_pool", source, count_pads=False, mean=False, **pool_attrs(layer), **layer.clamp()
    )


def max_pool_2d(layer: Layer) -> Node:
    return layer.clamped(layer.make("max_pool", layer.same_quant(nhwc(layer)), **pool_attrs(layer)))


def mean(layer: Layer) -> Node:
    """An average pool over the reduced axes, which a transpose brings together where they are apart."""
    source = layer.real()
    shape = source.type.shape
    reduced = sorted({layer.axis(axis, len(shape)) for axis in layer.integers(1, "axes")})
    kept = [axis for axis in range(len(shape)) if axis not in reduced]
    if layer.option("KeepDims"):
        result = tuple(1 if axis in reduced else extent for axis, extent in enumerate(shape))
    else:
        result = tuple(shape[axis] for axis in kept)
    if reduced and reduced != list(range(reduced[0], reduced[-1] + 1)):
        source = layer.make("transpose", source, perm=(*kept, *reduced), quant=source.type.quant)
        shape = source.type.shape
        reduced = list(range(len(kept), len(shape)))
    first, last = (reduced[0], reduced[-1] + 1) if reduced else (0, 0)
    if not (len(shape) == 4 and reduced == [1, 2]):
        extents = (math.prod(shape[:first]), math.prod(shape[first:last]), 1, math.prod(shape[last:]))
        source = layer.reshape(source, extents)
    pooled = layer.make(
        "average_pool",
        source,
        kernel=source.type.shape[1:3],
        stride=(1, 1),
        dilation=(1, 1),
        pads=((0, 0), (0, 0)),
        count_pads=False,
        mean=True,
    )
    return layer.reshape(pooled, result)


CONTRACTION: Mapping[str, Reader] = {
    "AVERAGE_POOL_2D": Reader(average_pool_2d, "Pool2DOptions"),
    "CONV_2D": Reader(conv_2d, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": Reader(depthwise_conv_2d, "DepthwiseConv2DOptions"),
    "FULLY_CONNECTED": Reader(fully_connected, "FullyConnectedOptions"),
    "MAX_POOL_2D": Reader(max_pool_2d, "Pool2DOptions"),
    "MEAN": Reader(mean, "ReducerOptions"),
}
