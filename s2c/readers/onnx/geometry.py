"""The windows of ONNX convolutions and pools: kernels, strides, dilations and pads over any spatial axes."""

from __future__ import annotations

from s2c.ir import Node
from s2c.layers.basic import move_axis
from s2c.layers.windows import Window
from s2c.readers.onnx.source import Source, refuse

MOST_EXTENT = 1 << 20


def channels_last(node: Node, layer: str) -> Node:
    return move_axis(node, 1, -1, layer)


def channels_second(node: Node, layer: str) -> Node:
    return move_axis(node, -1, 1, layer)


def spatial_extents(source: Source, node: Node) -> tuple[int, ...]:
    if len(node.type.shape) < 3:
        raise refuse(
            source,
            f"{source.op} over at least one spatial axis",
            f"an input {node.type}",
            "reshape the input to [batch, channels, *spatial]",
        )
    return node.type.shape[2:]


def declared_window(source: Source, kernel: tuple[int, ...]) -> Window:
    """With the pads that the attributes give."""
    axes = len(kernel)
    attrs = source.attrs
    stride = tuple(attrs.get("strides", (1,) * axes))
    dilation = tuple(attrs.get("dilations", (1,) * axes))
    flat = tuple(attrs.get("pads", (0,) * 2 * axes))
    counts = (len(stride), len(dilation), len(flat))
    if counts != (axes, axes, 2 * axes) or min(*kernel, *stride, *dilation) < 1 or min(flat) < 0:
        raise refuse(
            source,
            f"positive kernel, strides and dilations of {axes} axes, and {2 * axes} pads of at least 0",
            f"{kernel}, {stride}, {dilation} and {flat}",
            "check the layer's attributes",
        )
    if tuple(attrs.get("kernel_shape", kernel)) != kernel:
        wanted = f"the kernel_shape of the weights, {list(kernel)}"
        raise refuse(source, wanted, str(list(attrs["kernel_shape"])), "check the layer's attributes")
    largest = max(*kernel, *stride, *dilation, *flat)
    if largest > MOST_EXTENT:
        wanted = f"kernel, strides, dilations and pads of at most {MOST_EXTENT}"
        raise refuse(source, wanted, str(largest), "check the layer's attributes")
    return Window(kernel, stride, dilation, tuple(zip(flat[:axes], flat[axes:], strict=True)))


def geometry(source: Source, extents: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """With the pads that auto_pad and ceil_mode ask for."""
    window = padded_window(source, extents, kernel)
    if not source.attrs.get("ceil_mode", 0):
        return window
    rows = zip(extents, spans_of(window), window.stride, window.pads, strict=True)
    return Window(kernel, window.stride, window.dilation, tuple(ceiled(*each) for each in rows))


def spans_of(window: Window) -> list[int]:
    """From the first place of the kernel to the last, on each axis."""
    return [(size - 1) * gap + 1 for size, gap in zip(window.kernel, window.dilation, strict=True)]


def padded_window(source: Source, extents: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """With the pads that auto_pad asks for."""
    window = declared_window(source, kernel)
    if len(kernel) != len(extents):
        raise refuse(
            source, f"a kernel of {len(extents)} axes", str(list(kernel)), "check the layer's attributes"
        )
    auto_pad = source.attrs.get("auto_pad", "NOTSET")
    rows = zip(extents, spans_of(window), window.stride, window.pads, strict=True)
    pads = tuple(automatic_pads(source, auto_pad, *each) for each in rows)
    return Window(kernel, window.stride, window.dilation, pads)


def automatic_pads(
    source: Source, auto_pad: str, extent: int, span: int, stride: int, pads: tuple[int, int]
) -> tuple[int, int]:
    if auto_pad in ("NOTSET", ""):
        return pads
    if auto_pad == "VALID":
        return 0, 0
    total = max((-(-extent // stride) - 1) * stride + span - extent, 0)
    return halves(source, auto_pad, total)


def halves(source: Source, auto_pad: str, total: int) -> tuple[int, int]:
    """Pads of SAME_UPPER, which has more behind, or SAME_LOWER."""
    if auto_pad == "SAME_UPPER":
        return total // 2, total - total // 2
    if auto_pad == "SAME_LOWER":
        return total - total // 2, total // 2
    raise refuse(
        source,
        "auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER",
        auto_pad,
        "export the layer with explicit pads",
    )


def ceiled(extent: int, span: int, stride: int, pads: tuple[int, int]) -> tuple[int, int]:
    """The pads that give the rounded-up number of windows; each starts before the end pads."""
    windows = -(-(extent + sum(pads) - span) // stride) + 1
    if (windows - 1) * stride >= extent + pads[0]:
        windows -= 1
    return pads[0], max((windows - 1) * stride + span - extent - pads[0], pads[1])
