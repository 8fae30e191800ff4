"""ONNX ops that move elements or state shapes, as source ops."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node
from s2c.ops import make
from s2c.readers.onnx.file import MOST_BYTES, array_of
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    given,
    integers,
    known,
    listed,
    refuse,
    required,
    reshaped,
    tensor,
    transposed,
)


def constant_value(source: Source) -> Value:
    """The one attribute of Constant that is set."""
    attrs = source.attrs
    if "value" in attrs:
        return Constant(array_of(attrs["value"], source.layer))
    for name, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        for key in (name, name + "s"):
            if key in attrs:
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
    return Constant(np.array(tensor(source, 0).type.size, np.int64))


def identity(source: Source) -> Value:
    return required(source, 0)


def dropout(source: Source) -> Value:
    training = given(source, 2)
    if isinstance(training, Constant) and training.value.any():
        raise refuse(
            source, "Dropout for inference", "training_mode 1", "export the model in evaluation mode"
        )
    return required(source, 0)


def cast(source: Source) -> Value:
    """On a computed tensor only the cast to what it is already."""
    x = activation(source)
    to = source.attrs.get("to")
    if to not in (1, "FLOAT"):
        raise refuse(
            source,
            "a cast of constants, or to float32",
            f"a cast of {x.type} to type {to}",
            "keep it in float32",
        )
    return x


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
        raise refuse(source, f"an axis of {len(shape)}", str(axis), "check the layer's axis")
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
    return transposed(x, source.layer, tuple(source.attrs.get("perm", reversed(range(rank)))))


def concat(source: Source) -> Value:
    parts = tuple(tensor(source, index) for index in range(len(source.inputs)))
    if len(parts) == 1:
        return parts[0]
    axis = axis_of(source, source.attrs.get("axis", 1), len(parts[0].type.shape))
    return make("concat", parts, source.layer, axis=axis)


def pad(source: Source) -> Value:
    """Constant mode; a negative pad crops."""
    mode = source.attrs.get("mode", "constant")
    if mode != "constant":
        raise refuse(source, "Pad in constant mode", f"mode {mode}", "pad with a constant, or concat slices")
    x = activation(source)
    rank = len(x.type.shape)
    name = "paddings" if source.opset < 2 else "pads"
    flat = listed(source, name, 1, 11) or ()
    third = given(source, 3)
    axes = (
        tuple(range(rank))
        if third is None
        else tuple(axis_of(source, a, rank) for a in integers(source, 3, "axes"))
    )
    if len(flat) != 2 * len(axes):
        raise refuse(source, f"{2 * len(axes)} pads", str(len(flat)), "check the layer's pads")
    value = source.attrs.get("value", 0.0)
    if source.opset >= 11 and given(source, 2) is not None:
        value = known(source, 2, "value").value.item()
    pads = [(0, 0)] * rank
    for index, axis in enumerate(axes):
        pads[axis] = (flat[index], flat[index + len(axes)])
    cropped = cut(
        source,
        x,
        [
            (max(-before, 0), 1, extent + min(before, 0) + min(after, 0))
            for extent, (before, after) in zip(x.type.shape, pads, strict=True)
        ],
    )
    grown = tuple((max(before, 0), max(after, 0)) for before, after in pads)
    if not any(map(any, grown)):
        return cropped
    return make("pad", (cropped,), source.layer, pads=grown, value=float(value))


def cut(source: Source, x: Node, ranges: list[tuple[int, int, int]]) -> Node:
    """A slice by (start, step, count) for each axis."""
    if any(count < 1 for _, _, count in ranges):
        raise refuse(
            source,
            "at least one element on each axis",
            f"counts {[each[2] for each in ranges]} of {x.type}",
            "check the layer's bounds",
        )
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
    if sum(sizes) != shape[axis] or len(sizes) != source.outputs or min(sizes) < 1:
        raise refuse(
            source,
            f"{source.outputs} positive sizes that add up to {shape[axis]}",
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
    shape = np.broadcast_shapes(x.type.shape, wanted)
    return x if shape == x.type.shape else make("expand", (x,), source.layer, shape=shape)


def gather(source: Source) -> Value:
    """With constant indices in equal steps, which is a slice."""
    x = tensor(source, 0)
    shape = x.type.shape
    axis = axis_of(source, source.attrs.get("axis", 0), len(shape))
    indices = known(source, 1, "indices").value
    flat = [int(each) + (shape[axis] if each < 0 else 0) for each in indices.reshape(-1)]
    step = flat[1] - flat[0] if len(flat) > 1 else 1
    if not flat or step == 0 or flat != list(range(flat[0], flat[0] + step * len(flat), step)):
        raise refuse(
            source,
            "indices in equal steps",
            str(flat[:16]),
            "split the layer into slices and concatenate them",
        )
    ranges = [(0, 1, extent) for extent in shape]
    ranges[axis] = (flat[0], step, len(flat))
    part = cut(source, x, ranges)
    return reshaped(part, source.layer, (*shape[:axis], *indices.shape, *shape[axis + 1 :]))


MOVEMENT: Mapping[str, Reader] = {
    "Cast": cast,
    "Concat": concat,
    "Constant": constant_value,
    "Dropout": dropout,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Identity": identity,
    "Pad": pad,
    "Reshape": reshape,
    "Shape": shape_of,
    "Size": size_of,
    "Slice": slice_,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
