"""Fixed movements, fills and thresholds to instructions that copy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from s2c.errors import error
from s2c.plan import Call
from s2c.silicon.datapath import Lanes
from s2c.silicon.geometry import Levels
from s2c.silicon.instructions import Back, Front, Params, Rounding, Unit, count_loops, make_loops

AXES = 5  # of a region
MOST_COPIES = 256  # instructions that one call may need
Axis = tuple[int, int, int]  # extent, source stride, target stride
Pair = tuple[Front, Back]


def schedule_gather(call: Call, lanes: Lanes) -> list[Pair]:
    """The fill, where a part of the output is not covered, then the region."""
    source, params = call.inputs[0], call.params
    assert isinstance(source, int), call.layer
    fills = [fill_instruction(call.output, int(params["size"]), int(params["value"]), lanes)]
    return [*(fills if params["fill"] else []), *schedule_region(call, source, lanes)]


def schedule_insert(call: Call, lanes: Lanes) -> list[Pair]:
    """The base, where it lies elsewhere, then the region."""
    base, source = call.inputs
    assert isinstance(base, int) and isinstance(source, int), call.layer
    copies = [copy_instruction(base, call.output, [(int(call.params["size"]), 1, 1)], lanes)]
    return [*(copies if base != call.output else []), *schedule_region(call, source, lanes)]


def schedule_relu(call: Call, lanes: Lanes) -> list[Pair]:
    """A copy whose results are clamped."""
    source = call.inputs[0]
    assert isinstance(source, int), call.layer
    front, back = copy_instruction(source, call.output, [(int(call.params["size"]), 1, 1)], lanes)
    return [(front, replace(back, lo=int(call.params["lo"]), hi=int(call.params["hi"])))]


def schedule_max(call: Call, lanes: Lanes) -> list[Pair]:
    """The largest of neighbours, one result after the other."""
    source = call.inputs[0]
    assert isinstance(source, int), call.layer
    count, size = int(call.params["count"]), int(call.params["size"])
    front, back = copy_instruction(source, call.output, [(count, size, 1), (1, 1, 1)], lanes)
    levels: Levels = [(size, 1, 0, 1), (count, size, 0, size)]
    front = replace(
        front, loops=make_loops(levels), tile_loops=count_loops(levels[:1]), row_loops=count_loops(levels[:1])
    )
    return [(replace(front, gap=max(lanes.beats - size, 0)), back)]


def schedule_region(call: Call, source: int, lanes: Lanes) -> list[Pair]:
    """A copy for each index of the axes that the back half cannot loop over: all but the last two."""
    params = {name: int(value) for name, value in call.params.items()}
    axes = merge_axes(
        [
            (params[f"extent{axis}"], params[f"source_stride{axis}"], params[f"target_stride{axis}"])
            for axis in range(AXES)
        ]
    )
    if axes[-1][1:] != (1, 1):
        axes.append((1, 1, 1))
    outer, inner = axes[:-2], axes[-2:]
    copies = math.prod(extent for extent, *_ in outer)
    if copies > MOST_COPIES:
        raise error(
            call.layer,
            f"a movement of at most {MOST_COPIES} pieces on this target",
            f"{copies}",
            "keep the layout that the layers around it share, or compile for cortex-m4 or host",
        )
    source += params["source_offset"]
    target = call.output + params["target_offset"]
    return [copy_instruction(source + from_, target + to, inner, lanes) for from_, to in offsets(outer)]


def merge_axes(axes: list[Axis]) -> list[Axis]:
    """Without axes of one step; neighbours that continue each other are one. At least one axis."""
    merged: list[Axis] = []
    for extent, source, target in axes:
        if extent == 1:
            continue
        if merged and merged[-1][1] == extent * source and merged[-1][2] == extent * target:
            merged[-1] = (merged[-1][0] * extent, source, target)
        else:
            merged.append((extent, source, target))
    return merged or [(1, 1, 1)]


def offsets(axes: list[Axis]) -> Iterator[tuple[int, int]]:
    """Of the source and the target, for each index of the axes."""
    for index in product(*(range(extent) for extent, *_ in axes)):
        yield (
            sum(at * source for at, (_, source, _) in zip(index, axes, strict=True)),
            sum(at * target for at, (_, _, target) in zip(index, axes, strict=True)),
        )


def copy_instruction(source: int, target: int, axes: list[Axis], lanes: Lanes) -> Pair:
    """axes: rows, where there are several, and the bytes of a row, which follow each other."""
    (rows, source_stride, target_stride), (columns, *_) = axes if len(axes) == 2 else ((1, 0, 0), axes[0])
    tiles = -(-columns // lanes.count)
    tile_levels: Levels = [(tiles, lanes.count, 0, lanes.count)]
    levels: Levels = [*tile_levels, (rows, source_stride, 0, source_stride)]
    front = Front(
        unit=Unit.MOST,
        address=source,
        loops=make_loops(levels),
        tile_loops=0,
        row_loops=count_loops(tile_levels),
        channelwise=True,
        gap=lanes.beats - 1,
    )
    back = Back(
        take=lanes.results,
        merge=0,
        columns=columns,
        tiles=tiles,
        rows=rows,
        beats=lanes.beats,
        output=target,
        skip=target_stride - columns if rows > 1 else 0,
        params=0,
        params_step=Params.HOLD,
        rounding=Rounding.NONE,
        zero=0,
        lo=-128,
        hi=127,
    )
    return front, back


def fill_instruction(target: int, size: int, value: int, lanes: Lanes) -> Pair:
    """A copy of nothing but padding."""
    front, back = copy_instruction(target, target, [(size, 1, 1)], lanes)
    return replace(front, image=(0, 0), value=value), back
