"""Readers of the .tflite ops that only move elements."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node, constant
from s2c.readers.tflite.layer import Layer, Reader
from s2c.readers.tflite.schema import vector


def reshape(layer: Layer) -> Node:
    source = layer.any(0)
    if layer.has(1):
        wanted = layer.integers(1, "shape")
    else:
        wanted = tuple(int(each) for each in vector(layer.option("NewShapeAsNumpy"))[:8])
    if wanted.count(-1) == 1:
        known = math.prod(each for each in wanted if each != -1)
        rest = source.type.size // known if known > 0 else 0
        wanted = tuple(rest if each == -1 else each for each in wanted)
    return layer.make("reshape", source, shape=wanted)


def squeeze(layer: Layer) -> Node:
    source = layer.any(0)
    shape = source.type.shape
    listed = vector(layer.option("SqueezeDimsAsNumpy"))[:8]
    axes = {layer.axis(int(axis), len(shape)) for axis in listed}
    if not axes:
        axes = {axis for axis, extent in enumerate(shape) if extent == 1}
    kept = tuple(extent for axis, extent in enumerate(shape) if axis not in axes)
    return layer.make("reshape", source, shape=kept)


def expand_dims(layer: Layer) -> Node:
    source = layer.any(0)
    shape = source.type.shape
    axis = layer.axis(one(layer, 1, "axis"), len(shape) + 1)
    return layer.make("reshape", source, shape=(*shape[:axis], 1, *shape[axis:]))


def one(layer: Layer, index: int, what: str) -> int:
    values = layer.integers(index, what)
    if len(values) != 1:
        raise layer.error(f"one {what}", str(list(values)), "export the model again")
    return values[0]


def transpose(layer: Layer) -> Node:
    source = layer.any(0)
    rank = len(source.type.shape)
    perm = tuple(layer.axis(axis, rank) for axis in layer.integers(1, "perm"))
    return layer.make("transpose", source, perm=perm)


def concatenation(layer: Layer) -> Node:
    nodes = [layer.any(index) for index in range(len(layer.inputs))]
    axis = layer.axis(layer.option("Axis"), len(layer.any(0).type.shape))
    return layer.clamped(layer.make("concat", *nodes, axis=axis))


def pack(layer: Layer) -> Node:
    nodes = [layer.any(index) for index in range(len(layer.inputs))]
    shape = layer.any(0).type.shape
    axis = layer.axis(layer.option("Axis"), len(shape) + 1)
    slices = [layer.make("reshape", node, shape=(*shape[:axis], 1, *shape[axis:])) for node in nodes]
    return layer.make("concat", *slices, axis=axis)


def unpack(layer: Layer) -> tuple[Node, ...]:
    source = layer.any(0)
    shape = source.type.shape
    axis = layer.axis(layer.option("Axis"), len(shape))
    pieces = cut(layer, source, axis, (1,) * len(layer.outputs))
    return tuple(layer.make("reshape", piece, shape=(*shape[:axis], *shape[axis + 1 :])) for piece in pieces)


def split(layer: Layer) -> tuple[Node, ...]:
    source = layer.any(1)
    axis = layer.axis(one(layer, 0, "axis"), len(source.type.shape))
    count = len(layer.outputs)
    extent = source.type.shape[axis]
    if extent % count:
        raise layer.error(f"{count} equal parts", f"{extent} elements", "export the model again")
    return cut(layer, source, axis, (extent // count,) * count)


def split_v(layer: Layer) -> tuple[Node, ...]:
    source = layer.any(0)
    axis = layer.axis(one(layer, 2, "axis"), len(source.type.shape))
    sizes = layer.integers(1, "sizes")
    if sizes.count(-1) == 1:
        rest = source.type.shape[axis] - sum(each for each in sizes if each != -1)
        sizes = tuple(rest if each == -1 else each for each in sizes)
    return cut(layer, source, axis, sizes)


def cut(layer: Layer, source: Node, axis: int, sizes: tuple[int, ...]) -> tuple[Node, ...]:
    """Consecutive slices along one axis, which cover it."""
    shape = source.type.shape
    if len(sizes) != len(layer.outputs) or sum(sizes) != shape[axis]:
        raise layer.error(
            f"{len(layer.outputs)} parts that cover {shape[axis]} elements",
            str(list(sizes)),
            "export it again",
        )
    pieces = []
    start = 0
    for size in sizes:
        starts = tuple(start if each == axis else 0 for each in range(len(shape)))
        part = (*shape[:axis], size, *shape[axis + 1 :])
        pieces.append(layer.make("slice", source, starts=starts, steps=(1,) * len(shape), shape=part))
        start += size
    return tuple(pieces)


def pad(layer: Layer) -> Node:
    """PADV2 stores its value in a third input, in the output's quantization; PAD pads with a real zero."""
    source = layer.real()
    rank = len(source.type.shape)
    pairs = layer.integers(1, "pads")
    if len(pairs) != 2 * rank:
        raise layer.error(f"pads [{rank}, 2]", f"{len(pairs)} values", "export the model again")
    value: float = source.type.quant.zero if source.type.quant else 0.0
    if layer.has(2):
        stored = layer.array(2, "pad value")
        if stored.size != 1 or stored.dtype != source.type.numpy:
            raise layer.error(
                f"one {source.type.numpy} pad value", f"{stored.dtype}{list(stored.shape)}", "export it again"
            )
        value = stored.reshape(-1)[0].item()
    return layer.make("pad", source, pads=tuple(zip(pairs[::2], pairs[1::2], strict=True)), value=value)


def slice_(layer: Layer) -> Node:
    source = layer.any(0)
    shape = source.type.shape
    starts, sizes = layer.integers(1, "begin"), layer.integers(2, "size")
    if not len(starts) == len(sizes) == len(shape):
        raise layer.error(f"begin and size of {len(shape)} axes", f"{starts} and {sizes}", "export it again")
    counts = tuple(
        extent - start if size == -1 else size
        for extent, start, size in zip(shape, starts, sizes, strict=True)
    )
    return layer.make("slice", source, starts=starts, steps=(1,) * len(shape), shape=counts)


def strided_slice(layer: Layer) -> Node:
    """begin, end and strides as Python's slices take them; shrunk axes are dropped."""
    source = layer.any(0)
    shape = source.type.shape
    for mask in ("EllipsisMask", "NewAxisMask"):
        if layer.option(mask):
            raise layer.error(f"no {mask}", "one", "slice with begin, end and strides, and reshape apart")
    begins, ends, steps = (
        layer.integers(index, what) for index, what in ((1, "begin"), (2, "end"), (3, "strides"))
    )
    if not len(begins) == len(ends) == len(steps) <= len(shape) or 0 in steps:
        raise layer.error(
            f"begin, end and strides of up to {len(shape)} axes",
            f"{begins}, {ends}, {steps}",
            "export it again",
        )
    begin_mask, end_mask, shrink = (layer.option(f"{name}Mask") for name in ("Begin", "End", "ShrinkAxis"))
    ranges = []
    for axis, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        bit = 1 << axis
        if shrink & bit:
            start = layer.axis(begin, shape[axis])
            ranges.append(range(start, start + 1))
        else:
            bounds = slice(None if begin_mask & bit else begin, None if end_mask & bit else end, step)
            ranges.append(range(*bounds.indices(shape[axis])))
    ranges += [range(extent) for extent in shape[len(begins) :]]
    node = layer.make(
        "slice",
        source,
        starts=tuple(each.start for each in ranges),
        steps=tuple(each.step for each in ranges),
        shape=tuple(len(each) for each in ranges),
    )
    kept = tuple(len(each) for axis, each in enumerate(ranges) if not shrink & (1 << axis))
    return layer.reshape(node, kept)


def shape_(layer: Layer) -> Node:
    """Shapes are fixed, so they are constants."""
    return constant(np.array(layer.any(0).type.shape, np.int32), layer.name)


MOVEMENT: Mapping[str, Reader] = {
    "CONCATENATION": Reader(concatenation, "ConcatenationOptions"),
    "EXPAND_DIMS": Reader(expand_dims),
    "PACK": Reader(pack, "PackOptions"),
    "PAD": Reader(pad),
    "PADV2": Reader(pad),
    "RESHAPE": Reader(reshape),
    "SHAPE": Reader(shape_),
    "SLICE": Reader(slice_),
    "SPLIT": Reader(split),
    "SPLIT_V": Reader(split_v),
    "SQUEEZE": Reader(squeeze, "SqueezeOptions"),
    "STRIDED_SLICE": Reader(strided_slice, "StridedSliceOptions"),
    "TRANSPOSE": Reader(transpose),
    "UNPACK": Reader(unpack, "UnpackOptions"),
}
