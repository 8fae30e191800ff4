"""Which inputs of a net are images, and which of their axes are height and width."""

from __future__ import annotations

from collections.abc import Sequence

from s2c.ir import Graph, Node

Axes = tuple[int | None, ...]
"""Of a node: which axis of the input each of its axes is, None where that is not known."""

WINDOWED = ("average_pool", "conv2d", "max_pool")  # over [batch, height, width, channels]
LAST_MIXED = ("dense", "matmul", "softmax")
CHANNELS = (1, 3)  # of an image: grey, or red, green and blue
# Ops that leave each axis what it is.
IN_PLACE = frozenset(
    {"add", "batchnorm", "binary", "cast", "concat", "dequantize", "div", "expand", "gather_constant"}
    | {"leaky_relu", "mul", "pad", "prelu", "quantize", "relu", "requantize", "slice", "sub", "tile"}
    | {"unary", "where"}
)


def image_axes(graph: Graph, node: Node) -> tuple[int, int] | None:
    """Height and width among the axes of an input [1, ...]; None where the input is no image.

    They are those that the first convolution or pooling moves over, or that a mean is taken over. Where there
    is none, channels come first if they are moved to the end, or if one or three are in front and not there.
    """
    shape = node.type.shape
    if len(shape) != 4 or shape[0] != 1:
        return None
    known: dict[Node, Axes] = {node: (0, 1, 2, 3)}
    for each in graph.nodes():
        source = next((one for one in each.inputs if one in known), None)
        if source is None:
            continue
        if each.op in WINDOWED or is_mean(each):
            height, width = (known[source][axis] for axis in each.attrs.get("axes", (1, 2)))
            return None if height is None or width is None else (height, width)
        axes = axes_behind(each, source, known[source])
        if axes is not None:
            known[each] = axes
    is_moved = any(axes == (0, 2, 3, 1) for axes in known.values())
    return (2, 3) if is_moved or (shape[1] in CHANNELS and shape[3] not in CHANNELS) else (1, 2)


def is_mean(node: Node) -> bool:
    """Over an image, or another reduction of one."""
    return node.op == "reduce" and len(node.attrs["axes"]) == 2


def axes_behind(node: Node, source: Node, axes: Axes) -> Axes | None:
    """axes: of its input. None where the node mixes them."""
    if node.op == "transpose":
        return tuple(axes[each] for each in node.attrs["perm"])
    if node.op == "reshape":
        return reshaped_axes(source.type.shape, node.type.shape, axes)
    if len(node.type.shape) != len(axes):
        return None
    if node.op in LAST_MIXED:
        return (*axes[:-1], None)
    return axes if node.op in IN_PLACE else None


def reshaped_axes(before: Sequence[int], after: Sequence[int], axes: Axes) -> Axes | None:
    """Where a reshape does nothing but move axes of one element."""
    long = [axis for axis, extent in enumerate(before) if extent != 1]
    if [before[axis] for axis in long] != [extent for extent in after if extent != 1]:
        return None
    left = iter(long)
    return tuple(None if extent == 1 else axes[next(left)] for extent in after)


def is_image_net(graph: Graph) -> bool:
    return len(graph.inputs) == 1 and image_axes(graph, graph.inputs[0]) is not None
