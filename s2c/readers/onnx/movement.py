"""ONNX ops that move elements or state shapes, as source ops."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.ops import make
from s2c.readers.onnx.file import MOST_BYTES
from s2c.readers.onnx.source import (
    Anything,
    Constant,
    Nothing,
    Reader,
    Source,
    Value,
    axis_of,
    check_rank,
    constant_node,
    given,
    integers,
    listed,
    refuse,
    required,
    reshaped,
    tensor,
    transposed,
)
from s2c.readers.onnx.weights import constant_of


def constant_value(source: Source) -> Value:
    """The one attribute of Constant that is set."""
    attrs = source.attrs
    if set(attrs) == {"value"}:
        return constant_of(attrs["value"], source.layer)
    for name, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        for key in (name, f"{name}s"):
            if set(attrs) == {key}:
                return Constant(np.array(attrs[key], dtype))
    raise refuse(
        source,
        "a Constant of numbers",
        ", ".join(sorted(attrs)) or "nothing",
        "make it a dense tensor of numbers",
    )


def shape_of(source: Source) -> Value:
    value = required(source, 0)
    shape = value.type.shape if isinstance(value, Node) else value.value.shape
    return Constant(np.array(shape[source.attrs.get("start", 0) : source.attrs.get("end", None)], np.int64))


def size_of(source: Source) -> Value:
    value = required(source, 0)
    return Constant(np.array(value.type.size if isinstance(value, Node) else value.value.size, np.int64))


def identity(source: Source) -> Anything:
    value = source.inputs[0] if source.inputs else None
    return Nothing() if value is None else value


def reshape(source: Source) -> Value:
    """0 copies an extent unless allowzero, -1 takes what is left."""
    x = tensor(source, 0)
    wanted = listed(source, "shape", 1, 5)
    if wanted is None:
        raise refuse(source, "a shape", "none", "export the model again")
    own = x.type.shape
    copy = not source.attrs.get("allowzero", 0)
    if copy and any(extent == 0 and axis >= len(own) for axis, extent in enumerate(wanted)):
        raise refuse(
            source, f"zeros at the {len(own)} axes of {x.type}", str(list(wanted)), "check the layer's shape"
        )
    shape = [own[axis] if extent == 0 and copy else extent for axis, extent in enumerate(wanted)]
    if shape.count(-1) == 1:
        others = -math.prod(shape)
        shape[shape.index(-1)] = x.type.size // others if others else 0
    if min(shape, default=1) < 1 or math.prod(shape) != x.type.size:
        raise refuse(
            source, f"a shape of {x.type.size} elements", str(list(wanted)), "check the layer's shape"
        )
    return reshaped(x, source.layer, tuple(shape))


def flatten(source: Source) -> Value:
    x = tensor(source, 0)
    shape = x.type.shape
    axis = source.attrs.get("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise refuse(
            source, f"an axis from {-len(shape)} to {len(shape)}", str(axis), "check the layer's axis"
        )
    axis = axis + len(shape) if axis < 0 else axis
    return reshaped(x, source.layer, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def squeeze(source: Source) -> Value:
    x = tensor(source, 0)
    shape = x.type.shape
    axes = listed(source, "axes", 1, 13)
    if axes is None:
        return reshaped(x, source.layer, tuple(extent for extent in shape if extent != 1))
    dropped = {axis_of(source, axis, len(shape)) for axis in axes}
    if any(shape[axis] != 1 for axis in dropped):
        raise refuse(source, "axes of extent 1", f"axes {list(axes)} of {x.type}", "check the layer's axes")
    return reshaped(
        x, source.layer, tuple(extent for axis, extent in enumerate(shape) if axis not in dropped)
    )


def unsqueeze(source: Source) -> Value:
    x = tensor(source, 0)
    axes = listed(source, "axes", 1, 13) or ()
    rank = len(x.type.shape) + len(axes)
    added = {axis_of(source, axis, rank) for axis in axes}
    if len(added) != len(axes):
        raise refuse(source, "axes that differ", str(list(axes)), "check the layer's axes")
    rest = iter(x.type.shape)
    return reshaped(x, source.layer, tuple(1 if axis in added else next(rest) for axis in range(rank)))


def transpose(source: Source) -> Value:
    x = tensor(source, 0)
    rank = len(x.type.shape)
    perm = tuple(source.attrs.get("perm", reversed(range(rank))))
    if sorted(perm) != list(range(rank)):
        raise refuse(source, f"a permutation of {rank} axes", str(list(perm)), "check the layer's perm")
    return transposed(x, source.layer, perm)


def concat(source: Source) -> Value:
    """Constants without elements fall away."""
    values = [required(source, index) for index in range(len(source.inputs))]
    parts = tuple(
        value if isinstance(value, Node) else constant_node(source.layer, value)
        for value in values
        if isinstance(value, Node) or value.value.size
    )
    if len(parts) == 1:
        return parts[0]
    axis = axis_of(source, source.attrs.get("axis", 1), len(parts[0].type.shape))
    return make("concat", parts, source.layer, axis=axis)


def cut(source: Source, x: Node, ranges: list[tuple[int, int, int]]) -> Value:
    """A slice by (start, step, count) for each axis; one without elements is known."""
    if any(count < 1 for _, _, count in ranges):
        return Constant(np.zeros([max(count, 0) for _, _, count in ranges], x.type.numpy))
    if all(each == (0, 1, extent) for each, extent in zip(ranges, x.type.shape, strict=True)):
        return x
    starts, steps, shape = zip(*ranges, strict=True)
    return make("slice", (x,), source.layer, starts=starts, steps=steps, shape=shape)


def slice_(source: Source) -> Value:
    x = tensor(source, 0)
    shape = x.type.shape
    starts, ends, axes = (
        listed(source, name, index, 10) for index, name in ((1, "starts"), (2, "ends"), (3, "axes"))
    )
    steps = integers(source, 4, "steps") if given(source, 4) is not None else None
    if starts is None or ends is None:
        raise refuse(source, "starts and ends", "none", "export the model again")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise refuse(
            source,
            "as many starts, ends, axes and steps, and no step of 0",
            f"{list(starts)}, {list(ends)}, {list(axes)} and {list(steps)}",
            "check the layer's inputs",
        )
    ranges = [(0, 1, extent) for extent in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(source, axis, len(shape))
        chosen = range(
            *slice(start, end if step > 0 or end >= -shape[axis] else None, step).indices(shape[axis])
        )
        ranges[axis] = (
            (chosen.start, step, len(chosen)) if len(chosen) > 1 else (chosen.start, 1, len(chosen))
        )
    return cut(source, x, ranges)


def split(source: Source) -> tuple[Value, ...]:
    x = tensor(source, 0)
    shape = x.type.shape
    axis = axis_of(source, source.attrs.get("axis", 0), len(shape))
    sizes = listed(source, "split", 1, 13)
    if sizes is None:
        most = -(-shape[axis] // source.attrs.get("num_outputs", source.outputs))
        sizes = tuple(max(min(most, shape[axis] - index * most), 0) for index in range(source.outputs))
    if sum(sizes) != shape[axis] or len(sizes) != source.outputs or min(sizes) < 0:
        raise refuse(
            source,
            f"{source.outputs} sizes that add up to {shape[axis]}",
            str(list(sizes)),
            "check the layer's split",
        )
    parts = []
    for index, size in enumerate(sizes):
        ranges = [(0, 1, extent) for extent in shape]
        ranges[axis] = (sum(sizes[:index]), 1, size)
        parts.append(cut(source, x, ranges))
    return tuple(parts)


def expand(source: Source) -> Value:
    x = tensor(source, 0)
    wanted = integers(source, 1, "shape")
    if min(wanted, default=1) < 1 or math.prod(wanted) > MOST_BYTES:
        raise refuse(
            source,
            f"positive extents of at most {MOST_BYTES} elements",
            str(list(wanted)),
            "check the layer's shape",
        )
    try:
        shape = np.broadcast_shapes(x.type.shape, wanted)
    except ValueError:
        do = "check the layer's shape"
        raise refuse(source, f"a shape that {x.type} broadcasts with", str(list(wanted)), do) from None
    return x if shape == x.type.shape else make("expand", (x,), source.layer, shape=shape)


def tile(source: Source) -> Value:
    """repeats for each axis; in opset 1 tiles along one axis."""
    x = tensor(source, 0)
    repeats = list(integers(source, 1, "repeats"))
    if source.opset < 6:
        axis = axis_of(source, integers(source, 2, "axis")[0], len(x.type.shape))
        repeats = [repeats[0] if each == axis else 1 for each in range(len(x.type.shape))]
    if min(repeats, default=1) < 1 or math.prod(repeats) * x.type.size > MOST_BYTES:
        raise refuse(
            source, f"repeats that give 1 to {MOST_BYTES} elements", str(repeats), "check the layer's repeats"
        )
    return x if set(repeats) <= {1} else make("tile", (x,), source.layer, repeats=tuple(repeats))


def block_of(source: Source, extents: tuple[int, ...]) -> int:
    block = int(source.attrs.get("blocksize", 0))
    if block < 1 or any(extent % block for extent in extents):
        raise refuse(source, f"a blocksize that divides {list(extents)}", str(block), "check the blocksize")
    return block


def depth_to_space(source: Source) -> Value:
    x, layer = tensor(source, 0), source.layer
    check_rank(source, x, 4, 4)
    batch, channels, height, width = x.type.shape
    block = block_of(source, ())
    depth = channels // (block * block)
    if channels % (block * block):
        raise refuse(source, f"channels in groups of {block * block}", str(channels), "check the blocksize")
    if source.attrs.get("mode", "DCR") == "CRD":
        split = reshaped(x, layer, (batch, depth, block, block, height, width))
        moved = transposed(split, layer, (0, 1, 4, 2, 5, 3))
    else:
        split = reshaped(x, layer, (batch, block, block, depth, height, width))
        moved = transposed(split, layer, (0, 3, 4, 1, 5, 2))
    return reshaped(moved, layer, (batch, depth, height * block, width * block))


def space_to_depth(source: Source) -> Value:
    x, layer = tensor(source, 0), source.layer
    check_rank(source, x, 4, 4)
    batch, channels, height, width = x.type.shape
    block = block_of(source, (height, width))
    split = reshaped(x, layer, (batch, channels, height // block, block, width // block, block))
    first = (1, 3, 5) if source.attrs.get("mode", "DCR") == "CRD" else (3, 5, 1)
    moved = transposed(split, layer, (0, *first, 2, 4))
    return reshaped(moved, layer, (batch, channels * block * block, height // block, width // block))


MOVEMENT: Mapping[str, Reader] = {
    "Concat": concat,
    "Constant": constant_value,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Identity": identity,
    "Reshape": reshape,
    "Shape": shape_of,
    "Size": size_of,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
