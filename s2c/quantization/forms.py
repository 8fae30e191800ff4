"""Float ops in the forms that have int8 kernels: contractions as conv2d or dense, means as average pools.

before:  %1 = batchnorm(%0) scale=s shift=t : f32[1,8,8,3]; %2 = reduce(%1) axes=(1, 2) function=mean
after:   %1 = conv2d(%0) groups=3 weight=s bias=t : f32[1,8,8,3]; %2 = average_pool(%1) kernel=(64, 1)

Valid by the definition of each op, up to the rounding of floats. Reshapes go between them where the int8 form
wants an image.
"""

from __future__ import annotations

import math
from typing import Any

from s2c.ir import Graph, Node, Uses
from s2c.ops import OPS, make
from s2c.passes.fold_constants import fold_constants

UNIT: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}
LOWERED = ("batchnorm", "prelu", "sub")
WIDEST = 2800  # values that a mean of int8 may have under it


def use_int8_forms(graph: Graph) -> Graph:
    return fold_constants(graph.rewrite(lower_some).rewrite(reform))


def lower_some(node: Node, _uses: Uses) -> Node | None:
    lower = OPS[node.op].lower
    return lower(node) if lower is not None and node.op in LOWERED and is_float(node) else None


def reform(node: Node, _uses: Uses) -> Node | None:
    if node.op == "matmul" and is_float(node):
        return as_convolution(node)
    if node.op == "reduce" and node.attrs["function"] == "mean":
        return as_pool(node)
    return None


def is_float(node: Node) -> bool:
    return node.type.dtype == "f32"


def as_convolution(node: Node) -> Node:
    """matmul as dense, or where it has groups as a convolution of one pixel a row."""
    groups, columns, depth = node.attrs["weight"].shape
    clamp = {key: node.attrs[key] for key in ("lo", "hi") if key in node.attrs}
    source, bias, layer = node.inputs[0], node.attrs["bias"], node.layer
    if groups == 1:
        return make("dense", (source,), layer, weight=node.attrs["weight"][0], bias=bias, **clamp)
    weight = node.attrs["weight"].reshape(groups * columns, 1, 1, depth)
    attrs = {**UNIT, **clamp, "weight": weight, "bias": bias, "groups": groups}
    if len(source.type.shape) == 4:
        return make("conv2d", (source,), layer, **attrs)
    rows = make(
        "reshape", (source,), layer, shape=(1, source.type.size // (groups * depth), 1, groups * depth)
    )
    return make("reshape", (make("conv2d", (rows,), layer, **attrs),), layer, shape=node.type.shape)


def as_pool(node: Node) -> Node | None:
    """A mean over neighbouring axes, but not over channels, which an int8 kernel has one scale for."""
    source, axes = node.inputs[0], sorted(node.attrs["axes"])
    shape = source.type.shape
    neighbours = bool(axes) and axes == list(range(axes[0], axes[-1] + 1)) and axes[-1] < len(shape) - 1
    size = math.prod(shape[axis] for axis in axes)
    if not neighbours or size > WIDEST:
        return None
    outer, inner = math.prod(shape[: axes[0]]), math.prod(shape[axes[-1] + 1 :])
    image = make("reshape", (source,), node.layer, shape=(outer, size, 1, inner))
    geometry = {**UNIT, "kernel": (size, 1), "stride": (size, 1), "count_pads": False, "mean": False}
    return make(
        "reshape",
        (make("average_pool", (image,), node.layer, **geometry),),
        node.layer,
        shape=node.type.shape,
    )
