"""Readers of the .tflite ops that contract: convolutions, fully connected, pools and means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tflite

from s2c.ir import Node
from s2c.layers import basic
from s2c.ops.convolution import window
from s2c.ops.integer import HIGHEST, LOWEST, quantize_multipliers, scale_of, split_multiplier
from s2c.ops.matmul import matmul_reach
from s2c.ops.quantized import WIDE_LIMIT
from s2c.readers.tflite import integer
from s2c.readers.tflite.layer import Layer, Reader

MOST_TAPS = 1 << 16
MOST_WIDE_SHIFT = 7


def nhwc(layer: Layer) -> Node:
    node = layer.of_dtypes(0, "i8", "i16")
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
        pads = tuple(same_pads(*each) for each in zip(sizes, kernel, stride, dilation, strict=True))
    return {"stride": stride, "dilation": dilation, "pads": pads}


def same_pads(size: int, taps: int, step: int, spread: int) -> tuple[int, int]:
    total = max((math.ceil(size / step) - 1) * step + (taps - 1) * spread + 1 - size, 0)
    return total // 2, total - total // 2


def weights(layer: Layer, rank: int) -> np.ndarray:
    """The constant weights: int8 for int8 activations, else float32. Where those are quantized and the
    activations are not, they are dequantized here, so that activations are not rounded at run time, as they
    are by LiteRT's hybrid kernels."""
    is_float = layer.any(0).type.dtype == "f32"
    value = (layer.reals if is_float else layer.array)(1, "weights")
    is_right = value.dtype == np.float32 or value.dtype == np.int8
    if not is_right or value.ndim != rank or not value.size:
        raise layer.error(
            f"float32 or int8 weights of {rank} axes", f"{value.dtype}{list(value.shape)}", "convert it again"
        )
    return value


def contraction_attrs(layer: Layer, outputs: int, output_axis: int) -> dict[str, Any]:
    """bias (zeros where there is none), weight_scale and clamp."""
    is_int8 = layer.real().type.dtype == "i8"
    attrs: dict[str, Any] = dict(layer.clamp())
    if is_int8:
        refuse_no_scale(layer)
        attrs["weight_scale"] = weight_scale(layer, outputs, output_axis)
        attrs |= {"narrow_scales": True} if layer.outputs[0].dtype == "UINT8" else {}
    return {**attrs, "bias": biases(layer, 2, outputs, is_int8)}


def refuse_no_scale(layer: Layer) -> None:
    if layer.quant is None:
        raise layer.error("a result of int8 with one scale", str(layer.result_type), "quantize it again")


def biases(layer: Layer, place: int, outputs: int, is_int8: bool) -> np.ndarray:
    """Those at a place of the inputs, zeros where there are none."""
    dtype = np.dtype(np.int32 if is_int8 else np.float32)
    if not layer.has(place):
        return np.zeros(outputs, dtype)
    bias = (layer.array if is_int8 else layer.reals)(place, "biases").reshape(-1)
    if bias.dtype != dtype or bias.size != outputs:
        raise layer.error(f"{outputs} {dtype} biases", f"{bias.dtype}{list(bias.shape)}", "convert it again")
    return bias


def weight_scale(layer: Layer, outputs: int, output_axis: int) -> np.ndarray:
    quant = layer.any(1).type.quant
    found = (
        "none" if quant is None else f"{len(quant.scale)} scales, zero point {quant.zero}, axis {quant.axis}"
    )
    if (
        quant is None
        or (quant.zero and layer.outputs[0].dtype != "UINT8")
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
    groups = max(source.type.shape[3] // weight.shape[3], 1)
    return convolution(layer, source, weight, groups, 0)


def convolution(layer: Layer, source: Node, weight: np.ndarray, groups: int, output_axis: int) -> Node:
    """weight [outputs, height, width, depth]; output_axis is that of the outputs in the file."""
    attrs = geometry(layer, weight.shape[1:3], dilations(layer))
    if source.type.dtype == "i16":
        return convolution16(layer, source, weight, groups, output_axis, attrs)
    attrs |= contraction_attrs(layer, weight.shape[0], output_axis)
    source, weight = symmetric(layer, source, weight, groups)
    return layer.make("conv2d", source, weight=weight, groups=groups, **attrs)


def symmetric(layer: Layer, source: Node, weight: np.ndarray, groups: int) -> tuple[Node, np.ndarray]:
    """uint8 weights without their zero point, which may be too large for int8: then as a sum of several, each
    of which reads its own copy of the input's channels."""
    quant = layer.any(1).type.quant
    if weight.dtype != np.int8 or quant is None or not quant.zero:
        return source, weight
    if source.type.shape[-1] != groups * weight.shape[-1]:
        raise layer.error(
            f"{groups * weight.shape[-1]} input channels", str(source.type), "check its weights"
        )
    rest = weight.astype(np.int32) - quant.zero
    parts: list[np.ndarray] = []
    while rest.any() or not parts:
        parts.append(np.clip(rest, LOWEST, HIGHEST).astype(np.int8))
        rest = rest - parts[-1]
    if len(parts) > 1:
        count = layer.at_most(source.type.shape[-1], MOST_TAPS, "input channels")
        copies = np.repeat(np.arange(count).reshape(groups, 1, -1), len(parts), axis=1).reshape(-1)
        source = basic.gather_constant(source, len(source.type.shape) - 1, copies, layer.name)
    return source, np.concatenate(parts, axis=-1)


def convolution16(
    layer: Layer,
    source: Node,
    weight: np.ndarray,
    groups: int,
    output_axis: int,
    shape: Mapping[str, Any],
) -> Node:
    """Of int16: the patch under each output pixel times the weights."""
    outputs, height, width, depth = weight.shape
    channels = source.type.shape[3]
    if channels != groups * depth or outputs % groups:
        raise layer.error(f"{groups * depth} input channels", f"{channels}", "check the layer's weights")
    patches = window(source, layer.name, (height, width), shape, groups, 0)
    rows = weight.reshape(groups, outputs // groups, height * width * depth)
    return product16(layer, patches, np.ascontiguousarray(rows), output_axis)


def product16(layer: Layer, source: Node, weight: np.ndarray, output_axis: int, once: bool = False) -> Node:
    """int16 times weight [groups, outputs of a group, depth], in sums of int64. once: their product with the
    scales is rounded as a real number, as LiteRT does in FULLY_CONNECTED alone."""
    outputs = weight.shape[0] * weight.shape[1]
    if source.type.quant is None or source.type.quant.zero:
        raise layer.error("int16 whose zero point is 0", str(source.type), "quantize the model again")
    bias = layer.array(2, "biases").reshape(-1) if layer.has(2) else np.zeros(outputs, np.int64)
    if bias.dtype != np.int64 or bias.size != outputs:
        found = f"{bias.dtype}{list(bias.shape)}"
        raise layer.error(f"{outputs} int64 biases", found, "convert it again")
    scale = weight_scale(layer, outputs, output_axis).astype(np.float64)
    reals = scale_of(source.type) * scale / scale_of(layer.quantized_result)
    attrs: dict[str, Any] = {
        "weight": weight,
        "bias": bias,
        **(split_scales(reals) if once else wide_scales(reals)),
    }
    node = layer.make("matmul", source, rounding="once" if once else "twice", **attrs, **layer.clamp())
    limit = 1 << 31 if once else WIDE_LIMIT
    if matmul_reach(node) >= limit or int(attrs["shift"].max()) > MOST_WIDE_SHIFT:
        found = f"up to {matmul_reach(node)}"
        raise layer.error(f"sums below {limit}", found, "quantize its weights or its result coarser")
    return node


def wide_scales(reals: np.ndarray) -> dict[str, np.ndarray]:
    multiplier, shift = quantize_multipliers(reals)
    return {"multiplier": multiplier, "fraction": np.zeros_like(multiplier), "shift": shift}


def split_scales(reals: np.ndarray) -> dict[str, np.ndarray]:
    rows = [split_multiplier(float(each)) for each in reals]
    names = (("multiplier", np.int32), ("fraction", np.int32), ("shift", np.int8))
    return {
        name: np.array(column, dtype)
        for (name, dtype), column in zip(names, zip(*rows, strict=True), strict=True)
    }


def dilations(layer: Layer) -> tuple[int, int]:
    return layer.integer("DilationHFactor"), layer.integer("DilationWFactor")


def depthwise_conv_2d(layer: Layer) -> Node:
    """Weights [1, kernel h, kernel w, channels * multiplier]; output c reads channel c // multiplier."""
    source, weight = nhwc(layer), weights(layer, 4)
    if weight.shape[0] != 1:
        raise layer.error("weights [1, height, width, outputs]", str(list(weight.shape)), "convert it again")
    return convolution(layer, source, weight.transpose(3, 1, 2, 0), source.type.shape[3], 3)


def fully_connected(layer: Layer) -> Node:
    """An input whose rows do not fit the weights is flattened and cut anew, as LiteRT does."""
    source, weight = layer.of_dtypes(0, "i8", "i16"), weights(layer, 2)
    if layer.option("WeightsFormat"):
        raise layer.error("weights in the default format", "shuffled weights", "convert it without shuffling")
    outputs, depth = weight.shape
    if source.type.size % depth:
        raise layer.error(f"an input of whole rows of {depth}", str(source.type), "check the layer's weights")
    if not layer.option("KeepNumDims"):
        source = layer.reshape(source, (source.type.size // depth, depth))
    if source.type.dtype == "i16":
        return product16(layer, source, weight[np.newaxis], 0, True)
    attrs = contraction_attrs(layer, outputs, 0)
    source, weight = symmetric(layer, source, weight, 1)
    return layer.make("dense", source, weight=weight, **attrs)


def pool_attrs(layer: Layer) -> dict[str, Any]:
    kernel = (layer.integer("FilterHeight"), layer.integer("FilterWidth"))
    return {"kernel": kernel, **geometry(layer, kernel, (1, 1))}


def average_pool_2d(layer: Layer) -> Node:
    source = layer.same_quant(nhwc(layer))
    attrs = {**pool_attrs(layer), **layer.clamp()}
    if layer.outputs[0].dtype == "UINT8":
        attrs["unsigned"] = True
    return layer.make("average_pool", source, count_pads=False, mean=False, **attrs)


def max_pool_2d(layer: Layer) -> Node:
    pooled = layer.make("max_pool", layer.same_quant(nhwc(layer)), **pool_attrs(layer))
    return integer.clamped(layer, pooled) if pooled.type.dtype == "i16" else layer.clamped(pooled)


def mean(layer: Layer) -> Node:
    """An average pool over the reduced axes, which a transpose brings together where they are apart."""
    source = layer.of_dtypes(0, "i8", "i16")
    shape = source.type.shape
    reduced = sorted({layer.axis(axis, len(shape)) for axis in layer.integers(1, "axes")})
    kept = [axis for axis in range(len(shape)) if axis not in reduced]
    if layer.option("KeepDims"):
        result = tuple(1 if axis in reduced else extent for axis, extent in enumerate(shape))
    else:
        result = tuple(shape[axis] for axis in kept)
    if source.type.dtype == "i16":
        return layer.reshape(integer.mean(layer, source, tuple(reduced)), result)
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
