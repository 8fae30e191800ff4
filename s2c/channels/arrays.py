"""Which axes of which arrays run along which axes of tensors: what has to be sliced with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from s2c.channels.rules import RULES, elementwise
from s2c.ir import Node


@dataclass(frozen=True, eq=False)
class ArrayAxis:
    """Entry i of `axis` of owner.attrs[attr] belongs to index i of axis `along` of a tensor. makes: that is
    the result of the node that takes the array, else an input of it."""

    owner: Node
    attr: str
    axis: int
    tensor: Node
    along: int
    makes: bool


def array_axes(node: Node) -> Iterator[ArrayAxis]:
    """Of a node's own arrays, and of its constant operands."""
    last = len(node.type.shape) - 1
    if node.op in ("conv2d", "dense"):
        weight = node.attrs["weight"]
        yield ArrayAxis(node, "weight", 0, node, last, True)
        yield ArrayAxis(node, "bias", 0, node, last, True)
        if np.ndim(node.attrs.get("weight_scale", 0)) and len(node.attrs["weight_scale"]) > 1:
            yield ArrayAxis(node, "weight_scale", 0, node, last, True)
        if not is_depthwise(node):
            source = node.inputs[0]
            yield ArrayAxis(node, "weight", weight.ndim - 1, source, len(source.type.shape) - 1, False)
    elif node.op == "batchnorm":
        yield ArrayAxis(node, "scale", 0, node, last, True)
        yield ArrayAxis(node, "shift", 0, node, last, True)
    elif node.op == "lookup":
        table = node.attrs["table"]
        if table.ndim > 1:
            yield ArrayAxis(node, "table", table.ndim - 1, node, last, True)
    elif node.op == "prelu":
        yield from spread(node, "alpha", node.attrs["alpha"].shape, node)
    elif node.op == "state":
        yield from spread(node, "value", node.type.shape, node)
    elif RULES.get(node.op) is elementwise:
        for each in node.inputs:
            if each.op == "constant":
                yield from spread(each, "value", each.type.shape, node)
    elif node.op == "concat":
        for each in node.inputs:
            if each.op == "constant":
                axes = list(spread(each, "value", each.type.shape, node))
                yield from (axis for axis in axes if axis.axis != node.attrs["axis"])


def spread(owner: Node, attr: str, shape: tuple[int, ...], node: Node) -> Iterator[ArrayAxis]:
    """An operand's axes as broadcasting aligns them with the result's."""
    missing = len(node.type.shape) - len(shape)
    for axis, extent in enumerate(shape):
        if extent > 1:
            yield ArrayAxis(owner, attr, axis, node, axis + missing, True)


def is_depthwise(node: Node) -> bool:
    """One input channel for each group: no axis of the weights runs along the input's channels alone."""
    return node.op == "conv2d" and node.attrs["groups"] > 1 and node.attrs["weight"].shape[-1] == 1
