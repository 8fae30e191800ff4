"""The geometry that convolutions and pools share, over any number of spatial axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from s2c.ir import Node
from s2c.layers.basic import narrow, pad, reshape
from s2c.ops.window import output_extent

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Window:
    """One value for each spatial axis; pads are (before, after)."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads

    def axes(self, chosen: slice) -> Window:
        """That of some of the axes."""
        return Window(self.kernel[chosen], self.stride[chosen], self.dilation[chosen], self.pads[chosen])

    def attrs(self) -> dict[str, Any]:
        """What conv2d and the pools take, of two axes; a missing first one is of extent 1."""
        unit = 2 - len(self.kernel)
        return {
            "kernel": (1,) * unit + self.kernel,
            "stride": (1,) * unit + self.stride,
            "dilation": (1,) * unit + self.dilation,
            "pads": ((0, 0),) * unit + self.pads,
        }

    def outputs(self, extents: tuple[int, ...]) -> tuple[int, ...]:
        rows = zip(extents, self.kernel, self.stride, self.dilation, self.pads, strict=True)
        return tuple(output_extent(*each) for each in rows)

    def without_pads(self) -> Window:
        return replace(self, pads=((0, 0),) * len(self.kernel))


def whole(extents: tuple[int, ...]) -> Window:
    """One window over everything."""
    unit = (1,) * len(extents)
    return Window(extents, unit, unit, ((0, 0),) * len(extents))


def as_image(x: Node, layer: str) -> Node:
    """[batch, *spatial, channels] with one or two spatial axes as [batch, height, width, channels]."""
    batch, *spatial, channels = x.type.shape
    return reshape(x, (batch, *(1,) * (2 - len(spatial)), *spatial, channels), layer)


def as_spatial(y: Node, axes: int, layer: str) -> Node:
    """The inverse of as_image."""
    batch, *spatial, channels = y.type.shape
    return reshape(y, (batch, *spatial[2 - axes :], channels), layer)


def taps(
    x: Node, first: int, window: Window, value: float, layer: str
) -> Iterator[tuple[tuple[int, ...], Node]]:
    """For each place in the kernel, its index and what lies there under every output position; the
    spatial axes of x begin at `first`, padding holds `value`."""
    spatial = len(window.kernel)
    rank = len(x.type.shape)
    outputs = window.outputs(x.type.shape[first : first + spatial])
    pads = ((0, 0),) * first + window.pads + ((0, 0),) * (rank - first - spatial)
    padded = pad(x, pads, layer, value)
    for place in itertools.product(*map(range, window.kernel)):
        part = padded
        for axis in range(spatial):
            start = place[axis] * window.dilation[axis]
            part = narrow(part, first + axis, start, outputs[axis], layer, window.stride[axis])
        yield place, part
