"""ATen ops that move elements or change shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from s2c.ir import Node
from s2c.layers.basic import (
    cast,
    concat,
    expand,
    flip,
    gather_constant,
    move_axis,
    narrow,
    pad,
    reshape,
    transpose,
    unsqueeze,
)
from s2c.layers.basic import split as split_axis
from s2c.layers.onehot import gather_flat
from s2c.ops import make
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    as_node,
    axis_of,
    given,
    has,
    node,
    refuse,
    result_kind,
    result_shape,
)


def reshaped(source: Source) -> Value:
    """Every op whose result has the elements of `self` in their order."""
    return reshape(node(source), result_shape(source), source.layer)


def permuted(source: Source) -> Value:
    x = node(source)
    rank = len(x.type.shape)
    return transpose(x, [axis_of(source, axis, rank) for axis in given(source, "dims")], source.layer)


def expanded(source: Source) -> Value:
    return expand(node(source), result_shape(source), source.layer)


def repeated(source: Source) -> Value:
    x = node(source)
    repeats = tuple(given(source, "repeats"))
    x = reshape(x, (1,) * (len(repeats) - len(x.type.shape)) + x.type.shape, source.layer)
    return x if set(repeats) <= {1} else make("tile", (x,), source.layer, repeats=repeats)


def concatenated(source: Source) -> Value:
    """Empty vectors, which may stand beside tensors of any shape, are left out."""
    kind = result_kind(source)
    parts = [as_node(source.layer, each) for each in given(source, "tensors") if not is_empty(each)]
    axis = axis_of(source, given(source, "dim"), len(result_shape(source)))
    return concat([cast(each, kind, source.layer) for each in parts], axis, source.layer)


def is_empty(value: Value) -> bool:
    return value.numel() == 0 if isinstance(value, torch.Tensor) else value.type.size == 0


def split(source: Source) -> tuple[Value, ...]:
    x = node(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    return tuple(split_axis(x, axis, given(source, "split_sizes"), source.layer))


def places(source: Source, extent: int) -> range:
    """The indices that start, end and step choose of an axis."""
    start = given(source, "start") if has(source, "start") else 0
    end = given(source, "end") if has(source, "end") else extent
    return range(*slice(start, end, given(source, "step")).indices(extent))


def sliced(source: Source) -> Value:
    x = node(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    chosen = places(source, x.type.shape[axis])
    return narrow(x, axis, chosen.start, len(chosen), source.layer, chosen.step)


def selected(source: Source) -> Value:
    x = node(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    one = narrow(x, axis, given(source, "index") % x.type.shape[axis], 1, source.layer)
    return reshape(one, result_shape(source), source.layer)


def flipped(source: Source) -> Value:
    x = node(source)
    for axis in given(source, "dims"):
        x = flip(x, axis_of(source, axis, len(x.type.shape)), source.layer)
    return x


def rolled(source: Source) -> Value:
    """numpy.roll; without axes, of the flattened tensor."""
    x = node(source)
    axes = given(source, "dims")
    flat = x if axes else reshape(x, (-1,), source.layer)
    for shift, axis in zip(given(source, "shifts"), axes or [0], strict=True):
        axis = axis_of(source, axis, len(flat.type.shape))
        index = np.roll(np.arange(flat.type.shape[axis]), shift)
        parts = [part for part in np.split(index, [shift % len(index)]) if len(part)]
        flat = concat(
            [narrow(flat, axis, int(part[0]), len(part), source.layer) for part in parts], axis, source.layer
        )
    return reshape(flat, x.type.shape, source.layer)


def constant_pad(source: Source) -> Value:
    """Pairs from the last axis on; a negative pad crops."""
    x = node(source, "self", result_kind(source))
    flat: Sequence[int] = given(source, "pad")
    pads = [(0, 0)] * len(x.type.shape)
    for index in range(len(flat) // 2):
        pads[-1 - index] = (flat[2 * index], flat[2 * index + 1])
    for axis, (before, after) in enumerate(pads):
        count = x.type.shape[axis] + min(before, 0) + min(after, 0)
        x = narrow(x, axis, max(-before, 0), count, source.layer)
    grown = [(max(before, 0), max(after, 0)) for before, after in pads]
    return pad(x, grown, source.layer, given(source, "value"))


def windows(source: Source) -> Value:
    """Windows of a size along an axis, each step further; the size becomes the last axis."""
    x = node(source)
    axis = axis_of(source, given(source, "dimension"), len(x.type.shape))
    size, step = given(source, "size"), given(source, "step")
    starts = np.arange(0, x.type.shape[axis] - size + 1, step)
    picked = gather_constant(x, axis, starts[:, np.newaxis] + np.arange(size), source.layer)
    return move_axis(picked, axis + 1, -1, source.layer)


def strided(source: Source) -> Value:
    """Elements of a contiguous tensor at any offset and strides."""
    x = node(source)
    sizes, strides = given(source, "size"), given(source, "stride")
    fake = source.kinds["self"]
    offset = given(source, "storage_offset") if has(source, "storage_offset") else 0
    positions = np.full(tuple(sizes), offset, np.int64)
    for axis, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        positions += (np.arange(size) * stride).reshape((-1,) + (1,) * (len(sizes) - axis - 1))
    if not fake.is_contiguous() or (positions.size and positions.max() >= x.type.size):
        raise refuse(
            source,
            "as_strided of a contiguous tensor",
            f"strides {list(fake.stride())} of {x.type}",
            "write it with reshape, permute and slices",
        )
    return gather_flat(x, positions, source.layer)


def diagonal(source: Source) -> Value:
    """The diagonal becomes the last axis."""
    x = node(source)
    shape = x.type.shape
    positions = np.arange(x.type.size).reshape(shape)
    first, second = (axis_of(source, given(source, name), len(shape)) for name in ("dim1", "dim2"))
    return gather_flat(x, positions.diagonal(given(source, "offset"), first, second), source.layer)


# scatter into a part


def slice_scatter(source: Source) -> Value:
    """`self` with `src` in the place of a slice."""
    x = node(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    return replaced(source, x, node(source, "src", x.type.dtype), axis, places(source, x.type.shape[axis]))


def select_scatter(source: Source) -> Value:
    x = node(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    index = given(source, "index") % x.type.shape[axis]
    part = unsqueeze(node(source, "src", x.type.dtype), axis, source.layer)
    return replaced(source, x, part, axis, range(index, index + 1))


def replaced(source: Source, x: Node, part: Node, axis: int, chosen: range) -> Node:
    extent = x.type.shape[axis]
    layer = source.layer
    if len(chosen) == extent:
        return part if chosen.step > 0 else flip(part, axis, layer)
    if chosen.step == 1:
        after = extent - chosen.stop
        pieces = [narrow(x, axis, 0, chosen.start, layer)] if chosen.start else []
        pieces.append(part)
        pieces += [narrow(x, axis, chosen.stop, after, layer)] if after else []
        return concat(pieces, axis, layer)
    index = np.arange(extent)
    index[list(chosen)] = extent + np.arange(len(chosen))
    return gather_constant(concat([x, part], axis, layer), axis, index, layer)


RESHAPES = (
    "_unsafe_view.default",
    "reshape.default",
    "squeeze.default",
    "squeeze.dim",
    "squeeze.dims",
    "unsqueeze.default",
    "view.default",
)

MOVEMENT: Mapping[str, Reader] = {
    **{f"aten.{name}": reshaped for name in RESHAPES},
    "aten.as_strided.default": strided,
    "aten.cat.default": concatenated,
    "aten.constant_pad_nd.default": constant_pad,
    "aten.diagonal.default": diagonal,
    "aten.expand.default": expanded,
    "aten.flip.default": flipped,
    "aten.permute.default": permuted,
    "aten.repeat.default": repeated,
    "aten.roll.default": rolled,
    "aten.select.int": selected,
    "aten.select_scatter.default": select_scatter,
    "aten.slice.Tensor": sliced,
    "aten.slice_scatter.default": slice_scatter,
    "aten.split_with_sizes.default": split,
    "aten.unfold.default": windows,
}
