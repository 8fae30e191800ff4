"""Which inputs of a net are images, and which of their axes are height and width."""

from __future__ import annotations

from collections.abc import Sequence

from s2c.ir import Graph, Node

Axes = tuple[int | None, ...]
"""Of a node: which axis of the input each of its axes is, None where that is not known."""

WINDOWED = ("average_pool", "conv2d", "max_pool")  # over [batch, height, width, channels]
# Ops that leave each axis what it is.
IN_PLACE = frozenset(
    {"add", "batchnorm", "binary", "cast", "concat", "dequantize", "div", "expand", "gather_constant"}
    | {"leaky_relu", "mul", "pad", "prelu", "quantize", "relu", "requantize", "slice", "sub", "tile"}
    | {"unary", "where"}
)


def image_axes(graph: Graph, node: Node) -> tuple[int, int] | None:
    """Height and width among the axes of an input [1, ...]; None where the input is no image.

    They are those that the first convolution or pooling moves over. Where none does, the shorter one of the
    second and the last axis holds the channels.
    """
    shape = node.type.shape
    if len(shape) != 4 or shape[0] != 1:
        return None
    known: dict[Node, Axes] = {node: (0, 1, 2, 3)}
    for each in graph.nodes():
        source = next((one for one in each.inputs if one in known), None)
        if source is None:
            continue
        if each.op in WINDOWED:
            _, height, width, _ = known[source]
            return None if height is None or width is None else (height, width)
        axes = axes_behind(each, source, known[source])
        if axes is not None:
            known[each] = axes
    return (2, 3) if shape[1] < shape[3] else (1, 2)


def axes_behind(node: Node, source: Node, axes: Axes) -> Axes | None:
    """axes: of its input. None where the node mixes them."""
    if node.op == "transpose":
        return tuple(axes[each] for each in node.attrs["perm"])
    if node.op == "reshape":
        return reshaped_axes(source.type.shape, node.type.shape, axes)
    return axes if node.op in IN_PLACE and len(node.type.shape) == len(axes) else None


def reshaped_axes(before: Sequence[int], after: Sequence[int], axes: Axes) -> Axes | None:
    """Where a reshape does nothing but move axes of one element."""
    long = [axis for axis, extent in enumerate(before) if extent != 1]
    if [before[axis] for axis in long] != [extent for extent in after if extent != 1]:
        return None
    left = iter(long)
    return tuple(None if extent == 1 else axes[next(left)] for extent in after)


def is_image_net(graph: Graph) -> bool:
    return len(graph.inputs) == 1 and image_axes(graph, graph.inputs[0]) is not None
