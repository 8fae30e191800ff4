"""ONNX Pad, as source ops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from s2c.ir import Node, constant
from s2c.layers import basic
from s2c.layers.basic import gather_constant
from s2c.ops import make
from s2c.readers.onnx.file import MOST_BYTES
from s2c.readers.onnx.movement import cut
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    axis_of,
    given,
    integers,
    listed,
    refuse,
    reshaped,
    tensor,
)

PAD_MODES: Mapping[str, Literal["reflect", "edge", "wrap"]] = {
    "edge": "edge",
    "reflect": "reflect",
    "wrap": "wrap",
}


def pad(source: Source) -> Value:
    """A negative pad crops, before the others are filled."""
    x = tensor(source, 0)
    layer, rank = source.layer, len(x.type.shape)
    pads = pads_of(source, rank)
    ranges = [
        (max(-before, 0), 1, extent + min(before, 0) + min(after, 0))
        for extent, (before, after) in zip(x.type.shape, pads, strict=True)
    ]
    cropped = cut(source, x, ranges)
    if not isinstance(cropped, Node):
        raise refuse(source, "pads that leave elements", f"{pads} of {x.type}", "check the layer's pads")
    grown = tuple((max(before, 0), max(after, 0)) for before, after in pads)
    if not any(map(any, grown)):
        return cropped
    refuse_huge_pads(source, cropped, grown)
    mode = source.attrs.get("mode", "constant")
    if mode == "constant":
        return filled_pad(source, cropped, grown)
    if mode not in PAD_MODES:
        raise refuse(source, f"mode constant, {', '.join(PAD_MODES)}", str(mode), "export the model again")
    for axis, (extent, pair) in enumerate(zip(cropped.type.shape, grown, strict=True)):
        if any(pair):
            if mode == "reflect" and extent == 1:
                do = "pad with the edge, which is the same"
                raise refuse(source, "at least 2 elements to reflect", str(cropped.type), do)
            index = np.pad(np.arange(extent), pair, mode=PAD_MODES[mode])
            cropped = gather_constant(cropped, axis, index, layer)
    return cropped


def pads_of(source: Source, rank: int) -> list[tuple[int, int]]:
    """(before, after) of each axis."""
    flat = listed(source, "paddings" if source.opset < 2 else "pads", 1, 11) or ()
    axes = tuple(range(rank))
    if given(source, 3) is not None:
        axes = tuple(axis_of(source, axis, rank) for axis in integers(source, 3, "axes"))
    if len(flat) != 2 * len(axes):
        raise refuse(source, f"{2 * len(axes)} pads", str(len(flat)), "check the layer's pads")
    pads = [(0, 0)] * rank
    for index, axis in enumerate(axes):
        pads[axis] = (flat[index], flat[index + len(axes)])
    return pads


def refuse_huge_pads(source: Source, x: Node, pads: Sequence[tuple[int, int]]) -> None:
    size = math.prod(extent + sum(pair) for extent, pair in zip(x.type.shape, pads, strict=True))
    if size > MOST_BYTES:
        do = "check the layer's pads"
        raise refuse(source, f"a padded tensor of at most {MOST_BYTES} elements", str(size), do)


def filled_pad(source: Source, x: Node, pads: tuple[tuple[int, int], ...]) -> Value:
    """With a constant; a computed one is put where a constant mask says so."""
    layer = source.layer
    value: float = source.attrs.get("value", 0.0)
    filler = given(source, 2) if source.opset >= 11 else None
    if isinstance(filler, Constant):
        value = filler.value.reshape(-1)[0].item()
    if isinstance(filler, Node):
        inside = np.pad(np.ones(x.type.shape, np.bool_), pads)
        wide = basic.pad(x, pads, layer)
        return make("where", (constant(inside, layer), wide, reshaped(filler, layer, ())), layer)
    exact = float(value) if x.type.dtype in ("f32", "f16") else int(value)
    return make("pad", (x,), layer, pads=pads, value=exact)


PADS: Mapping[str, Reader] = {"Pad": pad}
