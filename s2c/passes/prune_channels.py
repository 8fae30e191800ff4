"""Takes units of channel groups out of a Graph: their weights, and their place in every tensor.

before:  %1 = conv2d(%0) weight=<float32[64, 3, 3, 3]>; %2 = dense(%1) weight=<float32[10, 64]>
after:   %1 = conv2d(%0) weight=<float32[32, 3, 3, 3]>; %2 = dense(%1) weight=<float32[10, 32]>

Valid because find_channels has followed each unit through the Graph: what is left of every tensor is
rectangular, and every op fits its inputs. The values change, unless the layers that read a unit have no
weight for it: then the outputs stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from s2c.channels import Channels
from s2c.channels.arrays import array_axes, is_depthwise
from s2c.ir import Graph, Node
from s2c.ops.index import equal_step


@dataclass(frozen=True)
class Pruned:
    """origin: the old node that each of graph's stands for, and which indices of its last axis are left."""

    graph: Graph
    origin: Mapping[Node, tuple[Node, np.ndarray]]


def prune_channels(channels: Channels, keep: Mapping[int, np.ndarray]) -> Pruned:
    """keep: the units of a group that stay, at least one; a group that is not there keeps all. Arrays that
    nodes share stay shared."""
    pruning = Pruning(channels, channels.kept(keep))
    new: dict[Node, Node] = {}
    origin = {}
    for node in channels.graph.nodes():
        new[node] = pruning.rebuild(node, tuple(new[each] for each in node.inputs))
        origin[new[node]] = (node, pruning.kept(node, len(node.type.shape) - 1))
    return Pruned(channels.graph.mapped(new), origin)


@dataclass
class Pruning:
    """units: which stay, bool, as Channels.kept gives them."""

    channels: Channels
    units: np.ndarray
    arrays: dict[tuple[object, ...], np.ndarray] = field(default_factory=dict)
    constants: dict[tuple[int, int], Node] = field(default_factory=dict)

    def kept(self, node: Node, axis: int) -> np.ndarray:
        """The indices of a tensor's axis that stay."""
        along = self.channels.along.get(node)
        if along is not None and along.axis == axis:
            return np.flatnonzero(self.units[along.unit])
        return np.arange(node.type.shape[axis] if node.type.shape else 1)

    def shape(self, node: Node) -> tuple[int, ...]:
        return tuple(len(self.kept(node, axis)) for axis in range(len(node.type.shape)))

    def sliced(self, array: np.ndarray, cuts: Mapping[int, np.ndarray]) -> np.ndarray:
        """What stays of an array: the same object for the same array and cuts."""
        cuts = {axis: kept for axis, kept in sorted(cuts.items()) if len(kept) < array.shape[axis]}
        if not cuts:
            return array
        key = (id(array), *((axis, kept.tobytes()) for axis, kept in cuts.items()))
        if key not in self.arrays:
            found = array
            for axis, kept in cuts.items():
                found = found.take(kept, axis)
            self.arrays[key] = np.ascontiguousarray(found)
        return self.arrays[key]

    def rebuild(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        shape = self.shape(node)
        owned = self.cut_arrays(node)
        inputs = tuple(
            self.cut_constant(each, owned[old]["value"]) if old in owned and old is not node else each
            for old, each in zip(node.inputs, inputs, strict=True)
        )
        attrs = {**node.attrs, **owned.get(node, {})}
        if "shape" in attrs:
            attrs["shape"] = shape
        adapt = ADAPT.get(node.op)
        changed = replace(node, inputs=inputs, attrs=attrs, type=replace(node.type, shape=shape))
        return adapt(self, node, changed) if adapt else changed

    def cut_arrays(self, node: Node) -> dict[Node, dict[str, np.ndarray]]:
        """By owner and attr, of the arrays that go with a node."""
        cuts: dict[tuple[Node, str], dict[int, np.ndarray]] = {}
        for each in array_axes(node):
            kept = self.kept(each.tensor, each.along)
            array = each.owner.attrs[each.attr]
            cuts.setdefault((each.owner, each.attr), {})[each.axis] = kept[kept < array.shape[each.axis]]
        found: dict[Node, dict[str, np.ndarray]] = {}
        for (owner, attr), axes in cuts.items():
            found.setdefault(owner, {})[attr] = self.sliced(owner.attrs[attr], axes)
        return found

    def cut_constant(self, constant: Node, value: np.ndarray) -> Node:
        key = (id(constant), id(value))
        if key not in self.constants:
            kind = replace(constant.type, shape=value.shape)
            self.constants[key] = replace(constant, attrs={**constant.attrs, "value": value}, type=kind)
        return self.constants[key]


# ops whose other attrs speak of channels: (pruning, the old node, the new one so far) -> the new one


def adapt_conv2d(pruning: Pruning, old: Node, new: Node) -> Node:
    return new.with_attrs(groups=new.inputs[0].type.shape[-1]) if is_depthwise(old) else new


def adapt_pad(pruning: Pruning, old: Node, new: Node) -> Node:
    pads = []
    for axis, (before, _) in enumerate(old.attrs["pads"]):
        kept = pruning.kept(old, axis)
        inside = before + old.inputs[0].type.shape[axis]
        pads.append((int((kept < before).sum()), int((kept >= inside).sum())))
    return new.with_attrs(pads=tuple(pads))


def positions(pruning: Pruning, source: Node, axis: int, index: np.ndarray) -> np.ndarray:
    """Where the elements at index stand among those of a tensor's axis that stay."""
    return np.searchsorted(pruning.kept(source, axis), index)


def adapt_gather_constant(pruning: Pruning, old: Node, new: Node) -> Node:
    axis, index = old.attrs["axis"], old.attrs["index"]
    picked = index[np.ix_(*(pruning.kept(old, axis + each) for each in range(index.ndim)))]
    moved = positions(pruning, old.inputs[0], axis, picked).astype(index.dtype)
    return new.with_attrs(index=moved.reshape(picked.shape))


def adapt_slice(pruning: Pruning, old: Node, new: Node) -> Node:
    """Along an axis where what stays does not lie in equal steps, a gather_constant comes after."""
    starts, steps = list(old.attrs["starts"]), list(old.attrs["steps"])
    shape = list(new.type.shape)
    irregular = None
    for axis, (start, step) in enumerate(zip(starts, steps, strict=True)):
        kept = pruning.kept(old, axis)
        index = positions(pruning, old.inputs[0], axis, start + step * kept)
        equal = equal_step(index)
        if equal is not None:
            starts[axis], steps[axis] = int(index[0]), equal
        else:
            irregular = (axis, index)
            starts[axis], steps[axis], shape[axis] = 0, 1, new.inputs[0].type.shape[axis]
    attrs: dict[str, Any] = {"starts": tuple(starts), "steps": tuple(steps), "shape": tuple(shape)}
    cut = replace(new, attrs={**new.attrs, **attrs}, type=replace(new.type, shape=tuple(shape)))
    if irregular is None:
        return cut
    axis, index = irregular
    return Node("gather_constant", (cut,), {"axis": axis, "index": index}, new.type, new.layer)


ADAPT: Mapping[str, Callable[[Pruning, Node, Node], Node]] = {
    "conv2d": adapt_conv2d,
    "gather_constant": adapt_gather_constant,
    "pad": adapt_pad,
    "slice": adapt_slice,
}
