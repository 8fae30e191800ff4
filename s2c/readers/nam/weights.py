"""The one list of weights of a .nam file, taken piece by piece in the order in which it was written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2c.errors import error
from s2c.ir import Node
from s2c.readers.stream import Stream

AGAIN = "export the model again"


class Supply:
    """The weights that are not taken yet."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.used = values, 0

    def take(self, *shape: int, layer: str) -> np.ndarray:
        """The next weights; raises CompileError where fewer are left, before anything is allocated."""
        count = int(np.prod(shape, dtype=object))
        left = len(self.values) - self.used
        if count > left:
            raise error(layer, f"{count} weights", f"{left} left of {len(self.values)}", AGAIN)
        found = self.values[self.used : self.used + count]
        self.used += count
        return found.reshape(shape)

    def refuse_rest(self, layer: str) -> None:
        if self.used != len(self.values):
            raise error(layer, f"{self.used} weights", str(len(self.values)), AGAIN)


@dataclass(frozen=True)
class Convolution:
    """weight [outputs, taps, inputs of a group]."""

    weight: np.ndarray
    bias: np.ndarray | None
    dilation: int
    groups: int
    layer: str

    def __call__(self, x: Node, stream: Stream) -> Node:
        return stream.convolution(x, self.weight, self.bias, self.dilation, self.groups, self.layer)


def take_convolution(
    supply: Supply,
    inputs: int,
    outputs: int,
    taps: int,
    is_biased: bool,
    layer: str,
    dilation: int = 1,
    groups: int = 1,
) -> Convolution:
    """Weights lie as [outputs, inputs of a group, taps], the oldest tap first, the bias behind them."""
    if inputs % groups or outputs % groups:
        raise error(layer, f"channels in {groups} groups", f"{inputs} and {outputs}", AGAIN)
    weight = supply.take(outputs, inputs // groups, taps, layer=layer)
    bias = supply.take(outputs, layer=layer) if is_biased else None
    return Convolution(np.ascontiguousarray(weight.swapaxes(1, 2)), bias, dilation, groups, layer)
