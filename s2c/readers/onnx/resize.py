"""ONNX Resize and Upsample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.basic import where
from s2c.layers.resize import COORDINATES, ROUNDINGS, Axis, Filter, coordinates, resize
from s2c.readers.onnx.source import (
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    given,
    integers,
    known,
    refuse,
    tensor,
)

SIMPLE = "simple"  # before opset 11: floor, or ceil where it shrinks


def read_resize(source: Source) -> Value:
    layer = source.layer
    mode, rounding, coordinate_mode = modes(source)
    x = tensor(source, 0) if mode == "nearest" else activation(source)
    axes = resized_axes(source, x)
    if any(axis.target < 1 for axis in axes.values()):
        targets = [axis.target for axis in axes.values()]
        raise refuse(source, "positive sizes", str(targets), "check the layer's scales or sizes")
    chosen = Filter(
        mode,
        rounding,
        float(source.attrs.get("cubic_coeff_a", -0.75)),
        bool(source.attrs.get("antialias", 0)),
        bool(source.attrs.get("exclude_outside", 0)),
    )
    if rounding == SIMPLE:
        return simply(x, axes, layer)
    y = resize(x, axes, coordinate_mode, chosen, layer)
    if coordinate_mode == "tf_crop_and_resize":
        return extrapolated(source, y, axes)
    return y


def modes(source: Source) -> tuple[str, str, str]:
    """Mode, rounding and coordinates."""
    old = source.op == "Upsample" or source.opset < 11
    mode = source.attrs.get("mode", "nearest")
    mode = {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)
    rounding = SIMPLE if old else source.attrs.get("nearest_mode", "round_prefer_floor")
    coordinate_mode = (
        "asymmetric" if old else source.attrs.get("coordinate_transformation_mode", "half_pixel")
    )
    fits = mode in ("nearest", "linear", "cubic") and coordinate_mode in COORDINATES
    if not fits or rounding not in (*ROUNDINGS, SIMPLE):
        raise refuse(
            source,
            f"mode nearest, linear or cubic, coordinates {', '.join(COORDINATES)}, "
            f"rounding {', '.join(ROUNDINGS)}",
            f"{mode}, {coordinate_mode} and {rounding}",
            "check the layer's attributes",
        )
    return mode, rounding if mode == "nearest" else "floor", coordinate_mode


def resized_axes(source: Source, x: Node) -> Mapping[int, Axis]:
    rank = len(x.type.shape)
    chosen = [axis_of(source, axis, rank) for axis in source.attrs.get("axes", range(rank))]
    extents = [x.type.shape[axis] for axis in chosen]
    scales, targets = factors(source, extents)
    starts, ends = regions(source, len(chosen))
    found = {
        axis: Axis(*each)
        for axis, each in zip(chosen, zip(extents, targets, scales, starts, ends, strict=True), strict=True)
    }
    return {axis: each for axis, each in found.items() if not is_identity(each)}


def is_identity(axis: Axis) -> bool:
    same = axis.source == axis.target and math.isclose(axis.scale, 1.0)
    return same and (axis.start, axis.end) == (0.0, 1.0)


def factors(source: Source, extents: Sequence[int]) -> tuple[list[float], list[int]]:
    """Scales and sizes along the axes, from those of them that the layer gives."""
    index = 1 if source.op == "Upsample" or source.opset < 11 else 2
    scales: list[float] = []
    if source.op == "Upsample" and source.opset < 9:
        scales = [float(each) for each in source.attrs["scales"]]
    elif given(source, index) is not None:
        scales = [float(each) for each in known(source, index, "scales").value.reshape(-1)]
    if scales:
        check_count(source, len(scales), len(extents))
        return scales, [
            math.floor(np.float32(extent) * np.float32(scale))
            for extent, scale in zip(extents, scales, strict=True)
        ]
    if index == 1:
        raise refuse(source, "scales", "none", "export the model again")
    sizes = integers(source, 3, "sizes")
    check_count(source, len(sizes), len(extents))
    scales = [size / extent for size, extent in zip(sizes, extents, strict=True)]
    policy = source.attrs.get("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return scales, list(sizes)
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [scale] * len(extents), [int(scale * extent + 0.5) for extent in extents]


def check_count(source: Source, found: int, wanted: int) -> None:
    if found != wanted:
        raise refuse(source, f"{wanted} scales or sizes", str(found), "check the layer's inputs")


def regions(source: Source, count: int) -> tuple[list[float], list[float]]:
    """Starts and ends, which only tf_crop_and_resize has."""
    mode = source.attrs.get("coordinate_transformation_mode")
    if mode != "tf_crop_and_resize":
        return [0.0] * count, [1.0] * count
    roi = [float(each) for each in known(source, 1, "regions").value.reshape(-1)]
    check_count(source, len(roi), 2 * count)
    return roi[:count], roi[count:]


def simply(x: Node, axes: Mapping[int, Axis], layer: str) -> Node:
    for index, axis in sorted(axes.items()):
        chosen = Filter("nearest", "ceil" if axis.scale < 1 else "floor")
        x = resize(x, {index: axis}, "asymmetric", chosen, layer)
    return x


def extrapolated(source: Source, y: Node, axes: Mapping[int, Axis]) -> Node:
    """extrapolation_value where a coordinate lies outside."""
    outside = np.zeros((1,) * len(y.type.shape), np.bool_)
    for index, axis in axes.items():
        places = coordinates("tf_crop_and_resize", axis)
        beyond = (places < 0) | (places > axis.source - 1)
        shape = [1] * len(y.type.shape)
        shape[index] = -1
        outside = outside | beyond.reshape(shape)
    if not outside.any():
        return y
    value = float(source.attrs.get("extrapolation_value", 0.0))
    return where(constant(outside, source.layer), value, y, source.layer)


RESIZE: Mapping[str, Reader] = {"Resize": read_resize, "Upsample": read_resize}
