"""MOVES: ops that only move or pick elements, on torch tensors with one more axis in front, the samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from s2c.ir import Node
from s2c.ops.core import strided
from s2c.ops.window import window_outputs
from s2c.train.tensors import Attr, Function, aligned, same_samples


def reshape(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], *node.type.shape)


def transpose(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return x.permute(0, *(axis + 1 for axis in node.attrs["perm"]))


def slice_axes(node: Node, attr: Attr, x: Tensor) -> Tensor:
    """A view where all steps are positive."""
    attrs = node.attrs
    for axis, (start, step, count) in enumerate(
        zip(attrs["starts"], attrs["steps"], attrs["shape"], strict=True), 1
    ):
        if step < 0:
            x = x.index_select(axis, torch.arange(count) * step + start)
        elif (start, step, count) != (0, 1, x.shape[axis]):
            places = slice(start, start + step * (count - 1) + 1, step)
            x = x[(slice(None),) * axis + (places,)]
    return x


def pad(node: Node, attr: Attr, x: Tensor) -> Tensor:
    """torch names the last axis first."""
    ends = [each for pair in reversed(node.attrs["pads"]) for each in pair]
    return functional.pad(x, ends, value=node.attrs["value"])


def concat(node: Node, attr: Attr, *parts: Tensor) -> Tensor:
    return torch.cat(same_samples(*parts), node.attrs["axis"] + 1)


def expand(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return aligned(node, x)[0].expand(x.shape[0], *node.type.shape)


def tile(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return x.repeat(1, *node.attrs["repeats"])


def gather_constant(node: Node, attr: Attr, x: Tensor) -> Tensor:
    index = torch.from_numpy(node.attrs["index"].reshape(-1).astype(np.int64))
    return x.index_select(node.attrs["axis"] + 1, index).reshape(x.shape[0], *node.type.shape)


def picked(node: Node, x: Tensor, axis: int, index: np.ndarray) -> Tensor:
    """Along an axis; an index of -1 gives the node's value."""
    places = torch.from_numpy(index.astype(np.int64))
    rows = x.index_select(axis, places.clamp_min(0))
    if index.size and index.min() < 0:
        absent = (places < 0).reshape(-1, *(1,) * (x.ndim - axis - 1))
        rows = torch.where(absent, torch.full((), node.attrs["value"]).to(x.dtype), rows)
    return rows.reshape(x.shape[0], *node.type.shape)


def take(node: Node, attr: Attr, x: Tensor) -> Tensor:
    attrs = node.attrs
    return picked(node, x.reshape(-1, attrs["outer"], attrs["source"], attrs["inner"]), 2, attrs["index"])


def region(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """The flat places in the result, and where each comes from in the source."""
    attrs = node.attrs
    target = strided(attrs["extents"], attrs["target_offset"], attrs["target_strides"])
    source = strided(attrs["extents"], attrs["source_offset"], attrs["source_strides"])
    return target.reshape(-1), source.reshape(-1)


def gather(node: Node, attr: Attr, x: Tensor) -> Tensor:
    target, source = region(node)
    index = np.full(node.type.size, -1, np.int64)
    index[target] = source
    return picked(node, x.flatten(1), 1, index)


def insert(node: Node, attr: Attr, base: Tensor, x: Tensor) -> Tensor:
    """Picked from the base with the source behind it."""
    target, source = region(node)
    index = np.arange(node.type.size)
    index[target] = source + node.type.size
    both = torch.cat([each.flatten(1) for each in same_samples(base, x)], 1)
    return picked(node, both, 1, index)


def lookup(node: Node, attr: Attr, indices: Tensor) -> Tensor:
    table = attr("table")
    return table[indices.long().clamp(0, len(table) - 1)]


def window(node: Node, attr: Attr, x: Tensor) -> Tensor:
    """The patches as eval_window lays them out: for each group its taps, for each tap its channels."""
    attrs = node.attrs
    (top, bottom), (left, right) = attrs["pads"]
    x = functional.pad(x, (0, 0, left, right, top, bottom), value=attrs["value"])
    rows, columns = window_outputs(node)
    (stride_h, stride_w), (dilation_h, dilation_w) = attrs["stride"], attrs["dilation"]
    taps = [
        x[
            :,
            :,
            i * dilation_h : i * dilation_h + (rows - 1) * stride_h + 1 : stride_h,
            j * dilation_w : j * dilation_w + (columns - 1) * stride_w + 1 : stride_w,
        ]
        for i in range(attrs["kernel"][0])
        for j in range(attrs["kernel"][1])
    ]
    patches = torch.stack(taps, 4).unflatten(-1, (attrs["groups"], -1))
    return patches.transpose(-2, -3).reshape(x.shape[0], *node.type.shape)


MOVES: Mapping[str, Function] = {
    "concat": concat,
    "expand": expand,
    "gather": gather,
    "gather_constant": gather_constant,
    "insert": insert,
    "lookup": lookup,
    "pad": pad,
    "reshape": reshape,
    "slice": slice_axes,
    "take": take,
    "tile": tile,
    "transpose": transpose,
    "window": window,
}
