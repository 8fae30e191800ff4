"""ATen's interpolations and grid samples, and images from overlapping blocks."""

from __future__ import annotations

from collections.abc import Mapping

from s2c.layers.basic import reshape
from s2c.layers.resize import Axis, Filter, resize
from s2c.layers.sampling import grid_sample
from s2c.layers.signal import col2im
from s2c.layers.windows import Window
from s2c.readers.torch.source import Reader, Source, Value, float_node, given, node, refuse, result_shape

NEAREST = Filter("nearest", "floor")


def interpolated(axes: int, coordinates: str, chosen: Filter) -> Reader:
    """coordinates: of s2c.layers.resize.COORDINATES, where corners are not aligned.

    A scale factor is used as it is given, and not the quotient of the extents.
    """

    def read(source: Source) -> Value:
        x = node(source, "input", "f32") if chosen.mode != "nearest" else node(source, "input")
        aligned = bool(source.args.get("align_corners"))
        factors = given(source, "scale_factors")
        rank = len(x.type.shape)
        places = {}
        for index in range(axes):
            axis = rank - axes + index
            own, wanted = x.type.shape[axis], result_shape(source)[axis]
            scale = wanted / own if aligned or not factors else float(factors[index])
            places[axis] = Axis(own, wanted, scale)
        return resize(x, places, "align_corners" if aligned else coordinates, chosen, source.layer)

    return read


def smoothed(mode: str) -> Filter:
    return Filter(mode, a=-0.5, antialias=True, exclude_outside=True)


MODES = ("linear", "nearest", "cubic")
PADDINGS = ("zeros", "border", "reflection")


def sampled(source: Source) -> Value:
    mode, padding = MODES[given(source, "interpolation_mode")], PADDINGS[given(source, "padding_mode")]
    if (mode, padding) == ("cubic", "border"):
        raise refuse(
            source,
            "a bicubic grid sample with padding_mode zeros or reflection",
            "padding_mode border",
            "use one of these, or mode bilinear",
        )
    x, grid = node(source, "input", "f32"), node(source, "grid", "f32")
    return grid_sample(x, grid, mode, padding, bool(given(source, "align_corners")), source.layer)


def folded(source: Source) -> Value:
    """The inverse of unfold: blocks are added where they overlap."""
    x = float_node(source)
    alone = len(x.type.shape) == 2
    pads = tuple((each, each) for each in given(source, "padding"))
    window = Window(
        tuple(given(source, "kernel_size")),
        tuple(given(source, "stride")),
        tuple(given(source, "dilation")),
        pads,
    )
    batched = reshape(x, (1, *x.type.shape), source.layer) if alone else x
    y = col2im(batched, tuple(given(source, "output_size")), window, source.layer)
    return reshape(y, result_shape(source), source.layer)


RESIZE: Mapping[str, Reader] = {
    "aten._upsample_bicubic2d_aa.vec": interpolated(2, "half_pixel", smoothed("cubic")),
    "aten._upsample_bilinear2d_aa.vec": interpolated(2, "half_pixel", smoothed("linear")),
    "aten._upsample_nearest_exact1d.vec": interpolated(1, "tf_half_pixel_for_nn", NEAREST),
    "aten._upsample_nearest_exact2d.vec": interpolated(2, "tf_half_pixel_for_nn", NEAREST),
    "aten._upsample_nearest_exact3d.vec": interpolated(3, "tf_half_pixel_for_nn", NEAREST),
    "aten.col2im.default": folded,
    "aten.grid_sampler_2d.default": sampled,
    "aten.grid_sampler_3d.default": sampled,
    "aten.upsample_bicubic2d.vec": interpolated(2, "half_pixel", Filter("cubic")),
    "aten.upsample_bilinear2d.vec": interpolated(2, "half_pixel", Filter("linear")),
    "aten.upsample_linear1d.vec": interpolated(1, "half_pixel", Filter("linear")),
    "aten.upsample_nearest1d.vec": interpolated(1, "asymmetric", NEAREST),
    "aten.upsample_nearest2d.vec": interpolated(2, "asymmetric", NEAREST),
    "aten.upsample_nearest3d.vec": interpolated(3, "asymmetric", NEAREST),
    "aten.upsample_trilinear3d.vec": interpolated(3, "half_pixel", Filter("linear")),
}
