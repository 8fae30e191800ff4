"""Readers of the .tflite ops that only move elements."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.layers import basic
from s2c.ops.core import round_away
from s2c.ops.integer import HIGHEST, LOWEST
from s2c.readers.tflite.layer import Layer, Reader
from s2c.readers.tflite.schema import vector
from s2c.readers.tflite.tensors import UNSIGNED


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
    axis = layer.axis(layer.one_integer(1, "axis"), len(shape) + 1)
    return layer.make("reshape", source, shape=(*shape[:axis], 1, *shape[axis:]))


def transpose(layer: Layer) -> Node:
    source = layer.any(0)
    rank = len(source.type.shape)
    perm = tuple(layer.axis(axis, rank) for axis in layer.integers(1, "perm"))
    return layer.make("transpose", source, perm=perm)


def concatenation(layer: Layer) -> Node:
    nodes = [rescaled(layer, layer.any(index)) for index in range(len(layer.inputs))]
    axis = layer.axis(layer.option("Axis"), len(layer.any(0).type.shape))
    return layer.clamped(layer.make("concat", *nodes, axis=axis))


def rescaled(layer: Layer, node: Node) -> Node:
    """An int8 part on the result's scale: LiteRT rescales those of uint8 models in float32."""
    before, after = node.type.quant, layer.quant
    if before is None or after is None or before == after or layer.outputs[0].dtype != "UINT8":
        return node
    ratio = np.float32(before.scale[0]) * (np.float32(1) / np.float32(after.scale[0]))
    bias = np.float32(-(before.zero + UNSIGNED)) * ratio
    real = np.arange(256, dtype=np.float32) * ratio + bias
    table = np.clip(round_away(real) + after.zero, LOWEST, HIGHEST).astype(np.int8)
    return layer.make("map", node, table=table)


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
    axis = layer.axis(layer.one_integer(0, "axis"), len(source.type.shape))
    count = len(layer.outputs)
    extent = source.type.shape[axis]
    if extent % count:
        raise layer.error(f"{count} equal parts", f"{extent} elements", "export the model again")
    return cut(layer, source, axis, (extent // count,) * count)


def split_v(layer: Layer) -> tuple[Node, ...]:
    source = layer.any(0)
    axis = layer.axis(layer.one_integer(2, "axis"), len(source.type.shape))
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
    source = layer.any(0)
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
    """begin, end and strides as Python's slices take them, or end counted from begin; shrunk axes are
    dropped."""
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
    if layer.option("Offset"):
        ends = tuple(begin + end for begin, end in zip(begins, ends, strict=True))
    begin_mask, end_mask, shrink = (layer.option(f"{name}Mask") for name in ("Begin", "End", "ShrinkAxis"))
    ranges = []
    for axis, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        bit = 1 << axis
        if shrink & bit:
            start = 0 if begin_mask & bit else layer.axis(begin, shape[axis])
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


def tile(layer: Layer) -> Node:
    return layer.make("tile", layer.any(0), repeats=layer.integers(1, "repeats"))


MOST_PLACES = 1 << 20


def mirror_pad(layer: Layer) -> Node:
    """Mode REFLECT leaves out the border, SYMMETRIC repeats it."""
    node = layer.any(0)
    shape = node.type.shape
    pairs = layer.integers(1, "pads")
    skip = 0 if layer.option("Mode") else 1
    fits = len(pairs) == 2 * len(shape) and all(
        0 <= pad <= shape[index // 2] - skip for index, pad in enumerate(pairs)
    )
    if not fits:
        raise layer.error(f"two pads for each axis of {list(shape)}, no larger", str(pairs), "pad by less")
    layer.at_most(max(shape, default=0), MOST_PLACES, "extents")
    for axis, extent in enumerate(shape):
        places = np.arange(-pairs[2 * axis], extent + pairs[2 * axis + 1])
        mirrored = np.where(places < 0, skip - 1 - places, places)
        mirrored = np.where(mirrored >= extent, 2 * extent - 1 - skip - mirrored, mirrored)
        if len(places) > extent:
            node = basic.gather_constant(node, axis, mirrored, layer.name)
    return node


def reverse(layer: Layer) -> Node:
    node = layer.any(0)
    for axis in sorted({layer.axis(axis, len(node.type.shape)) for axis in layer.integers(1, "axes")}):
        node = basic.flip(node, axis, layer.name)
    return node


def reverse_sequence(layer: Layer) -> Node:
    """The first elements of each sequence turned round, as many as a constant says."""
    source = layer.any(0)
    shape = source.type.shape
    along, batch = (layer.axis(layer.option(name), len(shape)) for name in ("SeqDim", "BatchDim"))
    lengths = np.array(layer.integers(1, "lengths"))
    if (
        along == batch
        or lengths.shape != (shape[batch],)
        or lengths.min() < 0
        or lengths.max() > shape[along]
    ):
        raise layer.error(
            f"{shape[batch]} lengths of 0 to {shape[along]}", str(lengths.tolist()), "export it again"
        )
    layer.at_most(source.type.size, MOST_PLACES, "elements")
    places = np.indices(shape)
    length = lengths[places[batch]]
    places[along] = np.where(places[along] < length, length - 1 - places[along], places[along])
    flat = np.ravel_multi_index(tuple(places), shape)
    return basic.gather_constant(basic.reshape(source, (-1,), layer.name), 0, flat, layer.name)


def space_to_depth(layer: Layer) -> Node:
    batch, height, width, channels = nhwc(layer, layer.any(0)).type.shape
    size = layer.integer("BlockSize")
    if height % size or width % size:
        raise layer.error(f"height and width in steps of {size}", f"{height}, {width}", "pad the input")
    split = layer.make(
        "reshape", layer.any(0), shape=(batch, height // size, size, width // size, size, channels)
    )
    moved = layer.make("transpose", split, perm=(0, 1, 3, 2, 4, 5))
    return layer.make("reshape", moved, shape=(batch, height // size, width // size, size * size * channels))


def depth_to_space(layer: Layer) -> Node:
    batch, height, width, channels = nhwc(layer, layer.any(0)).type.shape
    size = layer.integer("BlockSize")
    if channels % (size * size):
        raise layer.error(f"channels in steps of {size * size}", f"{channels}", "check the layer")
    depth = channels // (size * size)
    split = layer.make("reshape", layer.any(0), shape=(batch, height, width, size, size, depth))
    moved = layer.make("transpose", split, perm=(0, 1, 3, 2, 4, 5))
    return layer.make("reshape", moved, shape=(batch, height * size, width * size, depth))


def nhwc(layer: Layer, node: Node) -> Node:
    if len(node.type.shape) != 4:
        raise layer.error(
            "an input [batch, height, width, channels]", str(node.type), "reshape it to four axes"
        )
    return node


def blocks_and_pairs(layer: Layer, what: str) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """The extents of a block and two numbers for each."""
    blocks, flat = layer.integers(1, "block"), layer.integers(2, what)
    rank = len(layer.any(0).type.shape)
    if not 0 < len(blocks) < rank or len(flat) != 2 * len(blocks) or min(blocks) < 1 or min(flat) < 0:
        raise layer.error(f"a block of up to {rank - 1} axes with {what}", f"{blocks} and {flat}", "mend it")
    return blocks, list(zip(flat[::2], flat[1::2], strict=True))


def space_to_batch(layer: Layer) -> Node:
    """Padded with a real zero, then cut into blocks whose places become the batch."""
    source = layer.any(0)
    blocks, pads = blocks_and_pairs(layer, "pads")
    rest = len(source.type.shape) - 1 - len(blocks)
    zero = source.type.quant.zero if source.type.quant else 0
    padded = basic.pad(source, [(0, 0), *pads, *[(0, 0)] * rest], layer.name, zero)
    batch, *extents = padded.type.shape
    outer = list(zip(extents, blocks, strict=False))
    if any(extent % block for extent, block in outer):
        raise layer.error(f"padded extents in steps of {blocks}", f"{extents}", "pad the input")
    tail = extents[len(blocks) :]
    split = (batch, *(each for extent, block in outer for each in (extent // block, block)), *tail)
    node = layer.make("reshape", padded, shape=split)
    places, counts = range(2, 2 * len(blocks) + 1, 2), range(1, 2 * len(blocks), 2)
    perm = (*places, 0, *counts, *range(2 * len(blocks) + 1, len(split)))
    node = layer.make("transpose", node, perm=perm)
    shape = (batch * math.prod(blocks), *(extent // block for extent, block in outer), *tail)
    return layer.make("reshape", node, shape=shape)


def batch_to_space(layer: Layer) -> Node:
    """The inverse of space_to_batch; crops take away what it padded."""
    blocks, crops = blocks_and_pairs(layer, "crops")
    batch, *extents = layer.any(0).type.shape
    if batch % math.prod(blocks):
        raise layer.error(f"a batch in steps of {math.prod(blocks)}", f"{batch}", "check the layer")
    axes = len(blocks)
    rest = batch // math.prod(blocks)
    node = layer.make("reshape", layer.any(0), shape=(*blocks, rest, *extents))
    pairs = [each for axis in range(axes) for each in (axes + 1 + axis, axis)]
    node = layer.make("transpose", node, perm=(axes, *pairs, *range(2 * axes + 1, axes + 1 + len(extents))))
    merged = [extent * block for extent, block in zip(extents, blocks, strict=False)]
    node = layer.make("reshape", node, shape=(rest, *merged, *extents[axes:]))
    for axis, (before, after) in enumerate(crops):
        count = merged[axis] - before - after
        node = basic.narrow(node, axis + 1, before, count, layer.name)
    return node


MOVEMENT: Mapping[str, Reader] = {
    "BATCH_TO_SPACE_ND": Reader(batch_to_space),
    "CONCATENATION": Reader(concatenation, "ConcatenationOptions"),
    "DEPTH_TO_SPACE": Reader(depth_to_space, "DepthToSpaceOptions"),
    "EXPAND_DIMS": Reader(expand_dims),
    "MIRROR_PAD": Reader(mirror_pad, "MirrorPadOptions"),
    "PACK": Reader(pack, "PackOptions"),
    "PAD": Reader(pad),
    "PADV2": Reader(pad),
    "RESHAPE": Reader(reshape),
    "REVERSE_SEQUENCE": Reader(reverse_sequence, "ReverseSequenceOptions"),
    "REVERSE_V2": Reader(reverse),
    "SLICE": Reader(slice_),
    "SPACE_TO_BATCH_ND": Reader(space_to_batch),
    "SPACE_TO_DEPTH": Reader(space_to_depth, "SpaceToDepthOptions"),
    "SPLIT": Reader(split),
    "SPLIT_V": Reader(split_v),
    "SQUEEZE": Reader(squeeze, "SqueezeOptions"),
    "STRIDED_SLICE": Reader(strided_slice, "StridedSliceOptions"),
    "TILE": Reader(tile),
    "TRANSPOSE": Reader(transpose),
    "UNPACK": Reader(unpack, "UnpackOptions"),
}
