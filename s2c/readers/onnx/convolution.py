"""ONNX layers over pixels, as source ops: the pixels move to channels-last and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from s2c.ir import Node
from s2c.ops import make
from s2c.readers.onnx.source import (
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    given,
    integers,
    known,
    refuse,
    reshaped,
    tensor,
    transposed,
)
from s2c.readers.onnx.weights import float_array, weight_scale

Geometry = Mapping[str, Any]


def channels_last(node: Node, layer: str) -> Node:
    return transposed(node, layer, (0, *range(2, len(node.type.shape)), 1))


def channels_second(node: Node, layer: str) -> Node:
    rank = len(node.type.shape)
    return transposed(node, layer, (0, rank - 1, *range(1, rank - 1)))


def over_pixels(source: Source, node: Node, build: Callable[[Node], Node]) -> Node:
    """build applied to [batch, height, width, channels] of an ONNX image or, with height 1, of a sequence."""
    rank = len(node.type.shape)
    if rank not in (3, 4):
        raise refuse(
            source,
            f"{source.op} over one or two spatial axes",
            f"an input {node.type}",
            "reshape the layer to two spatial axes",
        )
    x = channels_last(node, source.layer)
    if rank == 3:
        batch, length, channels = x.type.shape
        x = reshaped(x, source.layer, (batch, 1, length, channels))
    y = build(x)
    if rank == 3:
        batch, _, length, channels = y.type.shape
        y = reshaped(y, source.layer, (batch, length, channels))
    return channels_second(y, source.layer)


def geometry(source: Source, extents: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    """kernel, stride, dilation and pads over two axes; a missing first one is of extent 1."""
    axes = len(extents)
    attrs = source.attrs
    stride = tuple(attrs.get("strides", (1,) * axes))
    dilation = tuple(attrs.get("dilations", (1,) * axes))
    flat = tuple(attrs.get("pads", (0,) * 2 * axes))
    counts = (len(kernel), len(stride), len(dilation), len(flat))
    if counts != (axes, axes, axes, 2 * axes) or min(*kernel, *stride, *dilation) < 1 or min(flat) < 0:
        raise refuse(
            source,
            f"positive kernel, strides and dilations of {axes} axes, and {2 * axes} pads of at least 0",
            f"{kernel}, {stride}, {dilation} and {flat}",
            "check the layer's attributes",
        )
    auto_pad = attrs.get("auto_pad", "NOTSET")
    spans = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilation, strict=True)]
    pads = [
        automatic_pads(
            source, auto_pad, extents[axis], spans[axis], stride[axis], (flat[axis], flat[axis + axes])
        )
        for axis in range(axes)
    ]
    if attrs.get("ceil_mode", 0):
        pads = [ceiled(*each) for each in zip(extents, spans, stride, pads, strict=True)]
    unit = 2 - axes
    return {
        "kernel": (1,) * unit + kernel,
        "stride": (1,) * unit + stride,
        "dilation": (1,) * unit + dilation,
        "pads": ((0, 0),) * unit + tuple(pads),
    }


def automatic_pads(
    source: Source, auto_pad: str, extent: int, span: int, stride: int, pads: tuple[int, int]
) -> tuple[int, int]:
    if auto_pad in ("NOTSET", ""):
        return pads
    if auto_pad == "VALID":
        return 0, 0
    total = max((-(-extent // stride) - 1) * stride + span - extent, 0)
    if auto_pad == "SAME_UPPER":
        return total // 2, total - total // 2
    if auto_pad == "SAME_LOWER":
        return total - total // 2, total // 2
    raise refuse(
        source,
        "auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER",
        auto_pad,
        "export the layer with explicit pads",
    )


def ceiled(extent: int, span: int, stride: int, pads: tuple[int, int]) -> tuple[int, int]:
    """The pads that give the rounded-up number of windows; each starts before the end pads."""
    windows = -(-(extent + sum(pads) - span) // stride) + 1
    if (windows - 1) * stride >= extent + pads[0]:
        windows -= 1
    return pads[0], max((windows - 1) * stride + span - extent - pads[0], pads[1])


def conv(source: Source) -> Value:
    weight = float_array(source, 1, "weights")
    outputs, depth, *kernel = weight.shape
    given_bias = given(source, 2) is not None
    bias = float_array(source, 2, "bias") if given_bias else np.zeros(outputs, np.float32)
    groups = int(source.attrs.get("group", 1))
    x = activation(source)
    if groups < 1 or bias.shape != (outputs,) or len(x.type.shape) != weight.ndim:
        raise refuse(
            source,
            f"a bias of {outputs} values, at least 1 group and an input of {weight.ndim} axes",
            f"bias {list(bias.shape)}, {groups} groups, input {x.type}",
            "check the layer's weights",
        )
    scale: Mapping[str, Any] = weight_scale(source, known(source, 1, "weights"), 0)

    def build(pixels: Node) -> Node:
        attrs = dict(geometry(source, x.type.shape[2:], tuple(kernel)))
        del attrs["kernel"]
        height_width = (1,) * (4 - weight.ndim) + tuple(kernel)
        last = np.moveaxis(weight, 1, -1).reshape(outputs, *height_width, depth)
        return make(
            "conv2d",
            (pixels,),
            source.layer,
            weight=np.ascontiguousarray(last),
            bias=bias,
            groups=groups,
            **attrs,
            **scale,
        )

    return over_pixels(source, x, build)


def max_pool(source: Source) -> Value:
    if source.outputs > 1:
        raise refuse(source, "MaxPool with one output", "its indices in use", "drop the indices")
    x = tensor(source, 0)

    def build(pixels: Node) -> Node:
        return make(
            "max_pool", (pixels,), source.layer, **geometry(source, x.type.shape[2:], kernel_shape(source))
        )

    return over_pixels(source, x, build)


def kernel_shape(source: Source) -> tuple[int, ...]:
    return tuple(source.attrs["kernel_shape"])


def average_pool(source: Source) -> Value:
    x = activation(source)
    counted = bool(source.attrs.get("count_include_pad", 0))

    def build(pixels: Node) -> Node:
        attrs = dict(geometry(source, x.type.shape[2:], kernel_shape(source)))
        if counted and source.attrs.get("ceil_mode", 0):
            # The model's own pads count, those of rounding up do not: the former become zeros of the input.
            flat = tuple(source.attrs.get("pads", (0,) * 2 * (len(x.type.shape) - 2)))
            half = len(flat) // 2
            own = ((0, 0),) * (2 - half) + tuple(zip(flat[:half], flat[half:], strict=True))
            pixels = make("pad", (pixels,), source.layer, pads=((0, 0), *own, (0, 0)), value=0.0)
            attrs["pads"] = tuple(
                (0, all_[1] - mine[1]) for all_, mine in zip(attrs["pads"], own, strict=True)
            )
            return make("average_pool", (pixels,), source.layer, count_pads=False, mean=False, **attrs)
        return make("average_pool", (pixels,), source.layer, count_pads=counted, mean=False, **attrs)

    return over_pixels(source, x, build)


def whole(kernel: tuple[int, ...]) -> Geometry:
    return {"kernel": kernel, "stride": (1, 1), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}


def global_pool(op: str, **attrs: Any) -> Reader:
    def read(source: Source) -> Value:
        def build(pixels: Node) -> Node:
            return make(op, (pixels,), source.layer, **whole(pixels.type.shape[1:3]), **attrs)

        return over_pixels(source, activation(source), build)

    return read


def reduce_pool(op: str, **attrs: Any) -> Reader:
    """A reduction over any axes: a pool over [first kept axis, reduced, 1, other kept axes]."""

    def read(source: Source) -> Value:
        x = activation(source)
        shape = x.type.shape
        axes = reduced_axes(source, len(shape))
        if not axes:
            return x
        kept = [axis for axis in range(len(shape)) if axis not in axes]
        lead, rest = (kept[:1], kept[1:]) if 0 in kept else ([], kept)
        moved = transposed(x, source.layer, (*lead, *axes, *rest))
        count = math.prod(shape[axis] for axis in axes)
        batch = math.prod(shape[axis] for axis in lead)
        flat = reshaped(moved, source.layer, (batch, count, 1, math.prod(shape[axis] for axis in rest)))
        y = make(op, (flat,), source.layer, **whole((count, 1)), **attrs)
        if source.attrs.get("keepdims", 1):
            return reshaped(y, source.layer, tuple(1 if i in axes else n for i, n in enumerate(shape)))
        return reshaped(y, source.layer, tuple(shape[axis] for axis in kept))

    return read


def reduced_axes(source: Source, rank: int) -> tuple[int, ...]:
    axes: tuple[int, ...] | None = None
    if "axes" in source.attrs:
        axes = tuple(source.attrs["axes"])
    elif given(source, 1) is not None:
        axes = integers(source, 1, "axes")
    if not axes:
        return () if source.attrs.get("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({axis_of(source, axis, rank) for axis in axes}))


def batch_normalization(source: Source) -> Value:
    """Inference: input * scale + shift per channel (axis 1), with float64 constants rounded once."""
    gamma, beta, mean, variance = (
        float_array(source, index, what).astype(np.float64)
        for index, what in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance"))
    )
    training = source.attrs.get("training_mode", 0) or (
        source.opset < 7 and not source.attrs.get("is_test", 0)
    )
    if training or source.outputs > 1 or not source.attrs.get("spatial", 1):
        raise refuse(
            source,
            "BatchNormalization for inference, per channel",
            "one that trains or has statistics per element",
            "export the model in evaluation mode",
        )
    x = activation(source)
    if len(x.type.shape) < 2 or any(
        each.shape != x.type.shape[1:2] for each in (gamma, beta, mean, variance)
    ):
        raise refuse(
            source,
            "scale, bias, mean and variance of one value per channel",
            f"{[list(each.shape) for each in (gamma, beta, mean, variance)]} for {x.type}",
            "check the layer's weights",
        )
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + source.attrs.get("epsilon", 1e-5))
        shift = beta - mean * scale
    last = channels_last(x, source.layer)
    attrs = {"scale": scale.astype(np.float32), "shift": shift.astype(np.float32)}
    return channels_second(make("batchnorm", (last,), source.layer, **attrs), source.layer)


CONVOLUTION: Mapping[str, Reader] = {
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Conv": conv,
    "GlobalAveragePool": global_pool("average_pool", count_pads=False, mean=True),
    "GlobalMaxPool": global_pool("max_pool"),
    "MaxPool": max_pool,
    "ReduceMax": reduce_pool("max_pool"),
    "ReduceMean": reduce_pool("average_pool", count_pads=False, mean=True),
}
