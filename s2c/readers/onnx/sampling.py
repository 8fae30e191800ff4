"""ONNX GridSample, RoiAlign and DeformConv."""

from __future__ import annotations

import math
from collections.abc import Mapping

from s2c.layers.basic import add
from s2c.layers.norms import per_channel
from s2c.layers.onehot import gather_axis
from s2c.layers.sampling import WEIGHTS, deformable_conv, grid_sample, roi_align
from s2c.readers.onnx.geometry import geometry, spatial_extents
from s2c.readers.onnx.parameter import optional_parameter, parameter
from s2c.readers.onnx.source import Reader, Source, Value, activation, refuse, tensor

MODES = {"bilinear": "linear", "bicubic": "cubic"}
PADDINGS = ("zeros", "border", "reflection")


def read_grid_sample(source: Source) -> Value:
    x, grid = activation(source), activation(source, 1)
    mode = str(source.attrs.get("mode", "linear"))
    mode = MODES.get(mode, mode)
    padding = str(source.attrs.get("padding_mode", "zeros"))
    axes = len(x.type.shape) - 2
    if mode not in WEIGHTS or padding not in PADDINGS or grid.type.shape[-1] != axes:
        raise refuse(
            source,
            f"mode {', '.join(sorted(WEIGHTS))}, padding {', '.join(PADDINGS)} and a grid of {axes} axes",
            f"{mode}, {padding} and {grid.type}",
            "check the layer's attributes",
        )
    return grid_sample(x, grid, mode, padding, bool(source.attrs.get("align_corners", 0)), source.layer)


def read_roi_align(source: Source) -> Value:
    """mode avg with a fixed number of samples."""
    layer = source.layer
    attrs = source.attrs
    x, rois = activation(source), activation(source, 1)
    samples = int(attrs.get("sampling_ratio", 0))
    mode = str(attrs.get("mode", "avg"))
    if samples < 1 or mode != "avg":
        raise refuse(
            source,
            "RoiAlign in mode avg with a sampling_ratio of at least 1",
            f"mode {mode}, sampling_ratio {samples}",
            "set sampling_ratio, as the number of samples must not depend on the regions",
        )
    aligned = str(attrs.get("coordinate_transformation_mode", "half_pixel" if source.opset >= 16 else "old"))
    images = gather_axis(x, tensor(source, 2), 0, layer)
    output = (int(attrs.get("output_height", 1)), int(attrs.get("output_width", 1)))
    scale = float(attrs.get("spatial_scale", 1.0))
    return roi_align(images, rois, output, samples, scale, aligned == "half_pixel", layer)


def read_deform_conv(source: Source) -> Value:
    layer = source.layer
    x, weight, offset = activation(source), parameter(source, 1), activation(source, 2)
    groups, offset_groups = (int(source.attrs.get(name, 1)) for name in ("group", "offset_group"))
    window = geometry(source, spatial_extents(source, x), weight.type.shape[2:])
    outputs = window.outputs(x.type.shape[2:])
    channels = weight.type.shape[1] * groups
    taps = math.prod(window.kernel) * offset_groups
    wanted = (x.type.shape[0], taps * len(outputs), *outputs)
    if x.type.shape[1] != channels or channels % offset_groups or offset.type.shape != wanted:
        raise refuse(
            source,
            f"an input of {channels} channels, and offsets {list(wanted)}",
            f"{x.type} and {offset.type}",
            "check the layer's shapes",
        )
    mask = optional_parameter(source, 4)
    y = deformable_conv(x, weight, offset, mask, window, groups, offset_groups, layer)
    bias = optional_parameter(source, 3)
    return y if bias is None else add(y, per_channel(bias, len(y.type.shape), layer), layer)


SAMPLING: Mapping[str, Reader] = {
    "DeformConv": read_deform_conv,
    "GridSample": read_grid_sample,
    "RoiAlign": read_roi_align,
}
