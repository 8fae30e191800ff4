"""ONNX RotaryEmbedding and TensorScatter: positions in transformers and their caches."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.attention import rotary
from s2c.layers.basic import (
    add,
    binary,
    both,
    cast,
    expand,
    less,
    reshape,
    sub,
    swap,
    unsqueeze,
    where,
)
from s2c.layers.limits import iota
from s2c.layers.onehot import gather_axis, pick
from s2c.readers.onnx.source import Reader, Source, Value, activation, axis_of, given, refuse, tensor


def rotary_embedding(source: Source) -> Value:
    """x [batch, heads, length, size], or [batch, length, heads * size]; the angles come from caches by
    position, or for each step."""
    layer = source.layer
    x, cos, sin = (activation(source, index) for index in range(3))
    if given(source, 3) is not None:
        ids = tensor(source, 3)
        cos, sin = (gather_axis(each, ids, 0, layer) for each in (cos, sin))
    shape = x.type.shape
    heads = int(source.attrs.get("num_heads", 0))
    if len(shape) == 3:
        if heads < 1 or shape[2] % heads:
            raise refuse(source, "num_heads that divides the last axis", str(heads), "set num_heads")
        steps = reshape(x, (*shape[:2], heads, shape[2] // heads), layer)
    else:
        steps = swap(x, 1, 2, layer)
    cos, sin = (unsqueeze(each, 2, layer) for each in (cos, sin))
    y = rotary(steps, cos, sin, bool(source.attrs.get("interleaved", 0)), layer)
    return reshape(y, shape, layer) if len(shape) == 3 else swap(y, 1, 2, layer)


def tensor_scatter(source: Source) -> Value:
    """A cache with an update written from a position on, which each entry of the batch has; mode circular
    goes on at the beginning."""
    layer = source.layer
    past, update = tensor(source, 0), tensor(source, 1)
    shape = past.type.shape
    axis = axis_of(source, int(source.attrs.get("axis", -2)), len(shape))
    extent, count = shape[axis], update.type.shape[axis]
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    start: Node = constant(np.zeros(shape[0], np.int32), layer)
    if given(source, 2) is not None:
        start = cast(tensor(source, 2), "i32", layer)
    step = sub(
        reshape(iota(extent, "i32", layer), (1, extent), layer),
        reshape(start, (shape[0], 1), layer),
        layer,
    )
    if source.attrs.get("mode", "linear") == "circular":
        step = binary("remainder", step, extent, layer)
        step = where(less(step, 0, layer), add(step, extent, layer), step, layer)
    each = expand(reshape(step, (shape[0], 1, extent), layer), (shape[0], outer // shape[0], extent), layer)
    index = reshape(each, (outer, extent, 1), layer)
    values = pick(reshape(update, (outer, count, inner), layer), index, layer)
    written = both(less(-1, index, layer), less(index, count, layer), layer)
    y = where(written, values, reshape(past, (outer, extent, inner), layer), layer)
    return reshape(y, shape, layer)


ATTENTION: Mapping[str, Reader] = {
    "RotaryEmbedding": rotary_embedding,
    "TensorScatter": tensor_scatter,
}
