"""A call's parameters to how its windows lie in the arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Levels = list[tuple[int, int, int, int]]  # for make_loops


@dataclass(frozen=True)
class Geometry:
    """Windows over [batch, height, width, channels] bytes. value: what padding reads."""

    batch: int
    height: int
    width: int
    channels: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    pad_top: int
    pad_left: int
    output_height: int
    output_width: int
    value: int

    @property
    def row(self) -> int:
        return self.width * self.channels

    @property
    def image(self) -> int:
        return self.height * self.row

    @property
    def taps(self) -> int:
        return self.kernel_height * self.kernel_width

    @property
    def pixels(self) -> int:
        return self.batch * self.output_height * self.output_width

    @property
    def is_inside(self) -> bool:
        """Whether no window reaches beyond its image."""
        bottom = (self.output_height - 1) * self.stride_height + (
            self.kernel_height - 1
        ) * self.dilation_height
        right = (self.output_width - 1) * self.stride_width + (self.kernel_width - 1) * self.dilation_width
        return self.pad_top == self.pad_left == 0 and bottom < self.height and right < self.width

    @property
    def start(self) -> tuple[int, int]:
        """line and offset of the first window's first byte."""
        return -self.pad_top * self.row, -self.pad_left * self.channels

    def pixel_levels(self) -> Levels:
        """From one output pixel to the next, along its row, from row to row, from image to image."""
        across = self.stride_width * self.channels
        down = self.stride_height * self.row
        return [
            (self.output_width, across, 0, across),
            (self.output_height, down, down, 0),
            (self.batch, self.image, 0, 0),
        ]

    def tap_levels(self) -> Levels:
        """From one tap to the next."""
        across = self.dilation_width * self.channels
        down = self.dilation_height * self.row
        return [(self.kernel_width, across, 0, across), (self.kernel_height, down, down, 0)]


def window_of(params: Mapping[str, int | float]) -> Geometry:
    """Of a call whose parameters are a window's."""
    return Geometry(**{name: int(params.get(name, 0)) for name in Geometry.__dataclass_fields__})


def rows_of(rows: int, channels: int) -> Geometry:
    """Of a matrix: each of its rows is a window."""
    return Geometry(1, 1, rows, channels, 1, 1, 1, 1, 1, 1, 0, 0, 1, rows, 0)
