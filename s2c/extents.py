"""What the comments of kernels may name beside parameters: sizes that follow from several of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from s2c.tiles import PANEL

# As the macros of the same name with S2C_ in front, which a test compares.
CROWDED = 512  # floats: rows whose length is a multiple of it evict each other from the first cache
CHUNK_FLOATS = 1 << 17  # of rows that are copied at a time
BLOCK_FLOATS = 1 << 17  # of both transforms of the tiles that Winograd's filtering takes at a time
MANY_TILES = 100  # from so many on threads share tiles, not columns
APART = 16  # floats between the 36 transforms

Params = Mapping[str, int | float]


def covered(params: Params, axis: str) -> int | float:
    """How far a window reaches along an axis, with padding."""
    reach = (params[f"kernel_{axis}"] - 1) * params[f"dilation_{axis}"] + 1
    return (params[f"output_{axis}"] - 1) * params[f"stride_{axis}"] + reach


def padded_pixels(params: Params) -> int | float:
    """Of the image that a window covers; 0 where it lies within the input."""
    height, width = covered(params, "height"), covered(params, "width")
    is_inside = height <= params["height"] and width <= params["width"]
    return 0 if is_inside and params["pad_top"] == params["pad_left"] == 0 else height * width


def winograd_tiles(params: Params) -> int | float:
    """Tiles of 4x4 pixels that cover the output."""
    return -(-params["output_height"] // 4) * -(-params["output_width"] // 4)


def winograd_units(params: Params) -> int | float:
    """Blocks of columns; tiles, where there is but one block or many tiles."""
    blocks, tiles = -(-params["columns"] // params["tile_columns"]), winograd_tiles(params)
    return blocks if blocks > 1 and tiles < MANY_TILES else tiles


def line_tiles(params: Params) -> int | float:
    """Tiles of rows in an output image: lines run along its width or, where that is one pixel, its height."""
    pixels = params["output_height"] * params["output_width"]
    rows = params["output_height" if params["output_width"] == 1 else "output_width"]
    return pixels // rows * -(-rows // params["tile_rows"])


def crowded_floats(params: Params) -> int | float:
    """Working memory of kernels/c/lib/panel_matmul_f32.h: a chunk of rows that would evict each other; one
    float, where there are none."""
    rows, depth, tile = params["rows"], params["depth"], params["tile_rows"]
    if depth % CROWDED or rows == 1:
        return 1
    return (depth + PANEL) * min(rows, tile * max(CHUNK_FLOATS // ((depth + PANEL) * tile), 1))


def paired_floats(params: Params) -> int | float:
    """Working memory of a matmul in bfloat16: a chunk of rows of pairs."""
    apart, tile = (params["depth"] + 1) // 2 + PANEL, params["tile_rows"]
    return apart * min(params["rows"], tile * max(CHUNK_FLOATS // (apart * tile), 1))


def covered_pixels(params: Params) -> int | float:
    """Of the image that a window covers, with its padding."""
    return covered(params, "height") * covered(params, "width")


def winograd_floats(params: Params) -> int | float:
    """Working memory of kernels/c/lib/winograd_f32.h: the padded image and both transforms of a block."""
    channels, columns, rows = params["channels"], params["columns"], params["tile_rows"]
    image = (4 * -(-params["output_height"] // 4) + 2) * (4 * -(-params["output_width"] // 4) + 2) * channels
    fit = max(BLOCK_FLOATS // (36 * (channels + columns) * rows), 1)
    block = min(fit, -(-winograd_tiles(params) // rows)) * rows
    return image + 36 * (block * (channels + columns) + 2 * APART)


# What expressions may name beside parameters.
DERIVED: Mapping[str, Callable[[Params], int | float]] = {
    "covered_pixels": covered_pixels,
    "crowded_floats": crowded_floats,
    "line_tiles": line_tiles,
    "padded_pixels": padded_pixels,
    "paired_floats": paired_floats,
    "winograd_floats": winograd_floats,
    "winograd_tiles": winograd_tiles,
    "winograd_units": winograd_units,
}
