"""ONNX ops that pick elements by index or mask, or make constants by position, as source ops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import helper

from s2c.ir import Node, constant
from s2c.layers.basic import cast, gather_constant, reshape, where
from s2c.layers.onehot import gather_axis
from s2c.readers.onnx.file import ELEMENTS, MOST_AXES, element_name
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    axis_of,
    check_rank,
    given,
    integers,
    known,
    number,
    of_unknown_shape,
    refuse,
    tensor,
)


def gather(source: Source) -> Value:
    """numpy.take; negative indices count from the end."""
    x, indices = tensor(source, 0), tensor(source, 1)
    axis = axis_of(source, source.attrs.get("axis", 0), len(x.type.shape))
    return gather_axis(x, indices, axis, source.layer)


def compress(source: Source) -> Value:
    x = tensor(source, 0)
    axis = source.attrs.get("axis")
    if isinstance(given(source, 1), Node):
        raise of_unknown_shape(source.layer, source.op)
    chosen = np.flatnonzero(known(source, 1, "condition").value)
    if axis is None:
        x, axis = reshape(x, (-1,), source.layer), 0
    axis = axis_of(source, axis, len(x.type.shape))
    if not len(chosen) or chosen[-1] >= x.type.shape[axis]:
        found = f"{chosen.tolist()[:16]} of {x.type.shape[axis]}"
        raise refuse(source, "at least one element, within the axis", found, "check the condition")
    return gather_constant(x, axis, chosen, source.layer)


def trilu(source: Source) -> Value:
    x = tensor(source, 0)
    shift = 0 if given(source, 1) is None else int(number(source, 1, "k"))
    check_rank(source, x, 2, MOST_AXES)
    rows, columns = x.type.shape[-2:]
    first = np.arange(rows).reshape(-1, 1) + shift
    keep = np.arange(columns) >= first if source.attrs.get("upper", 1) else np.arange(columns) <= first
    return x if keep.all() else where(constant(keep, source.layer), x, 0, source.layer)


def eye_like(source: Source) -> Value:
    x = tensor(source, 0)
    element = source.attrs.get("dtype", helper.np_dtype_to_tensor_dtype(x.type.numpy))
    if element not in ELEMENTS:
        raise refuse(source, "a dtype of numpy", element_name(element), "use float32")
    shift = int(source.attrs.get("k", 0))
    check_rank(source, x, 2, 2)
    rows, columns = x.type.shape
    return Constant(np.eye(rows, columns, k=shift, dtype=ELEMENTS[element][0]))


def reverse_sequence(source: Source) -> Value:
    """The first elements of each sequence of a batch turned round, as many as its constant length says."""
    x, layer = tensor(source, 0), source.layer
    check_rank(source, x, 2, MOST_AXES)
    lengths = integers(source, 1, "sequence lengths")
    batch_axis = int(source.attrs.get("batch_axis", 1))
    time_axis = int(source.attrs.get("time_axis", 0))
    batch, time, *rest = (
        x.type.shape[axis] for axis in (batch_axis, time_axis, *range(2, len(x.type.shape)))
    )
    fits = len(lengths) == batch and all(0 <= length <= time for length in lengths)
    if {batch_axis, time_axis} != {0, 1} or not fits:
        wanted = f"axes 0 and 1, and {batch} lengths of at most {time}"
        found = f"axes {batch_axis} and {time_axis}, and {list(lengths)}"
        raise refuse(source, wanted, found, "check the layer's attributes")
    source_time = np.tile(np.arange(time), (batch, 1))
    for row, length in zip(source_time, lengths, strict=True):
        row[:length] = row[:length][::-1]
    strides = (time, 1) if batch_axis == 0 else (1, batch)
    index = np.arange(batch)[:, np.newaxis] * strides[0] + source_time * strides[1]
    order = index if batch_axis == 0 else index.T
    flat = reshape(x, (batch * time, *rest), layer)
    return reshape(gather_constant(flat, 0, order.reshape(-1), layer), x.type.shape, layer)


def bit_cast(source: Source) -> Value:
    """Between integers of one width, and from bool, which is 0 or 1."""
    x = tensor(source, 0)
    element = int(source.attrs.get("to", 0))
    dtype = ELEMENTS[element][0] if element in ELEMENTS else None
    if dtype == x.type.numpy:
        return x
    if dtype is None or dtype.kind not in "iu" or x.type.numpy.kind not in "iub":
        raise refuse(
            source,
            "the bits of integers as those of integers",
            f"{x.type} as {element_name(element)}",
            "keep one type",
        )
    if dtype.itemsize != x.type.numpy.itemsize:
        raise refuse(source, "a type of one width", element_name(element), "keep one type")
    return cast(x, f"{dtype.kind}{dtype.itemsize * 8}", source.layer)


INDEX: Mapping[str, Reader] = {
    "BitCast": bit_cast,
    "Compress": compress,
    "EyeLike": eye_like,
    "Gather": gather,
    "ReverseSequence": reverse_sequence,
    "Trilu": trilu,
}
