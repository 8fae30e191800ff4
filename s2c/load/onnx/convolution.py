"""ONNX layers that contract or pool, as source ops: their pixels move to channels-last and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from s2c.ir import Node, constant
from s2c.load.onnx.source import (
    Constant,
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
from s2c.ops import make

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


def weight_scale(source: Source, weight: Constant, axis: int) -> dict[str, np.ndarray]:
    """The attr weight_scale of weights that are integers times a scale per output (`axis`), or one for all.

    It says that weight / weight_scale is integer, so that fuse_qdq finds the integers that the model stores.
    """
    quant = weight.quant
    if quant is None:
        return {}
    if quant.zero != 0:
        raise refuse(
            source,
            "int8 weights with zero point 0",
            f"zero point {quant.zero}",
            "quantize the weights symmetrically",
        )
    if quant.axis not in (None, axis):
        return {}
    return {"weight_scale": np.array(quant.scale, np.float32)}


def float_array(source: Source, index: int, what: str) -> np.ndarray:
    array = known(source, index, what).value
    if array.dtype != np.float32:
        raise refuse(source, f"float32 {what}", str(array.dtype), "convert the model to float32")
    return array


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
    scale = weight_scale(source, known(source, 1, "weights"), 0)

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
            # The model's own pads count and those of rounding up do not: the former become zeros of the input.
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


def whole(kernel: tuple[int, int]) -> Geometry:
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


def gemm(source: Source) -> Value:
    """alpha * A @ B + beta * C with a constant B; a C that is no bias is added after."""
    a = activation(source)
    if source.attrs.get("transA", 0):
        a = transposed(a, source.layer, (1, 0))
    weight = float_array(source, 1, "weights")
    if weight.ndim != 2 or len(a.type.shape) != 2:
        raise refuse(
            source, "two matrices", f"{a.type} and {list(weight.shape)}", "use MatMul for other shapes"
        )
    turned = bool(source.attrs.get("transB", 0))
    alpha = np.float32(source.attrs.get("alpha", 1.0))
    scale = weight_scale(source, known(source, 1, "weights"), 0 if turned else 1) if alpha == 1 else {}
    weight = np.ascontiguousarray((weight if turned else weight.T) * alpha)
    bias, rest = gemm_bias(source, weight.shape[0])
    y = make("dense", (a,), source.layer, weight=weight, bias=bias, **scale)
    return y if rest is None else make("add", (y, rest), source.layer)


def gemm_bias(source: Source, outputs: int) -> tuple[np.ndarray, Node | None]:
    """C * beta as a bias where it is one value per output, and otherwise as what is still to add."""
    zeros = np.zeros(outputs, np.float32)
    beta = np.float32(source.attrs.get("beta", 1.0))
    value = given(source, 2)
    if value is None or beta == 0:
        return zeros, None
    if isinstance(value, Constant):
        scaled = float_array(source, 2, "bias") * beta
        if scaled.size == scaled.shape[-1] if scaled.ndim else True:
            return np.array(np.broadcast_to(scaled.reshape(-1), (outputs,))), None
        return zeros, constant(scaled, source.layer)
    rest = activation(source, 2)
    if beta != 1:
        rest = make("mul", (rest, constant(np.full(1, beta), source.layer)), source.layer)
    return zeros, rest


def matmul(source: Source) -> Value:
    """A @ B where one side is constant: that side becomes the weights of a dense layer."""
    if isinstance(given(source, 1), Constant):
        return matmul_weight_right(source)
    if isinstance(given(source, 0), Constant):
        return matmul_weight_left(source)
    raise refuse(
        source,
        "MatMul with a constant side",
        "two computed tensors",
        "bind the input that one side comes from with --const",
    )


def matrix(source: Source, index: int) -> np.ndarray:
    """Weights as a matrix: leading axes of extent 1 fall away, a vector gets a unit axis outside."""
    array = float_array(source, index, "weights")
    if array.ndim > 2 and math.prod(array.shape[:-2]) != 1:
        raise refuse(
            source,
            "a constant matrix",
            f"a constant {list(array.shape)}",
            "split the layer into one per matrix",
        )
    if array.ndim == 1:
        return array.reshape((-1, 1) if index else (1, -1))
    return array.reshape(array.shape[-2:])


def matmul_weight_right(source: Source) -> Value:
    a = activation(source)
    value = known(source, 1, "weights")
    weight = np.ascontiguousarray(matrix(source, 1).T)
    scale = weight_scale(source, value, value.value.ndim - 1)
    y = make("dense", (a,), source.layer, weight=weight, bias=np.zeros(len(weight), np.float32), **scale)
    added = max(value.value.ndim - len(a.type.shape), 0) if value.value.ndim > 2 else 0
    shape = (1,) * added + (y.type.shape if value.value.ndim > 1 else y.type.shape[:-1])
    return reshaped(y, source.layer, shape)


def matmul_weight_left(source: Source) -> Value:
    """(B transposed @ A transposed) transposed."""
    b = activation(source, 1)
    value = known(source, 0, "weights")
    weight = matrix(source, 0)
    rank = len(b.type.shape)
    scale = weight_scale(source, value, value.value.ndim - 2)
    swap = (*range(rank - 2), rank - 1, rank - 2)
    columns = b if rank == 1 else transposed(b, source.layer, swap)
    y = make(
        "dense", (columns,), source.layer, weight=weight, bias=np.zeros(len(weight), np.float32), **scale
    )
    if value.value.ndim == 1:
        return reshaped(y, source.layer, y.type.shape[:-1])
    y = y if rank == 1 else transposed(y, source.layer, swap)
    added = max(value.value.ndim - rank, 0) if value.value.ndim > 2 else 0
    return reshaped(y, source.layer, (1,) * added + y.type.shape)


CONVOLUTION: Mapping[str, Reader] = {
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Conv": conv,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool("average_pool", count_pads=False, mean=True),
    "GlobalMaxPool": global_pool("max_pool"),
    "MatMul": matmul,
    "MaxPool": max_pool,
    "ReduceMax": reduce_pool("max_pool"),
    "ReduceMean": reduce_pool("average_pool", count_pads=False, mean=True),
}
