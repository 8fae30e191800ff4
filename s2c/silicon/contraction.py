"""Convolutions, matmuls and average pools to instructions and words of weights and parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from s2c.plan import Call
from s2c.silicon.datapath import Lanes
from s2c.silicon.geometry import Geometry, Levels, rows_of, window_of
from s2c.silicon.instructions import Back, Front, Params, Rounding, Unit, count_loops, make_loops
from s2c.silicon.words import ParamWords, WeightWords


@dataclass(frozen=True)
class Runs:
    """How a window lies in memory, for lanes that share a result: so many runs of consecutive bytes."""

    rows: int  # of runs, below each other
    across: int  # runs in a row
    bytes: int

    def steps(self, merge: int) -> int:
        return self.rows * self.across * -(-self.bytes >> merge)


def schedule_contraction(
    call: Call, lanes: Lanes, weights: WeightWords, params: ParamWords
) -> tuple[Front, Back]:
    """Of a matmul, with or without a window before it."""
    groups, columns = int(call.params["groups"]), int(call.params["columns"])
    geometry = geometry_of(call)
    if groups == geometry.channels and columns == 1:
        return schedule_channelwise(call, geometry, lanes, weights, params)
    return schedule_dense(call, geometry, groups, columns, lanes, weights, params)


def geometry_of(call: Call) -> Geometry:
    """Of a matmul's windows, which are its rows where it has none."""
    if "kernel_height" in call.params:
        return window_of(call.params)
    return rows_of(int(call.params["rows"]), int(call.params["groups"]) * int(call.params["depth"]))


def schedule_dense(
    call: Call,
    geometry: Geometry,
    groups: int,
    columns: int,
    lanes: Lanes,
    weights: WeightWords,
    params: ParamWords,
) -> tuple[Front, Back]:
    """Lanes take `1 << merge` bytes of a run for each of several columns."""
    runs = find_runs(geometry, groups)
    merge = choose_merge(lanes, runs, columns) if lanes.may_merge else 0
    steps = runs.steps(merge)
    tile_columns = lanes.count >> merge
    tiles = -(-columns // tile_columns)
    channels = geometry.channels // groups
    run_steps = -(-runs.bytes >> merge)
    across, down = geometry.tap_levels()
    tile_levels: Levels = [(run_steps, 1 << merge, 0, 1 << merge)]
    if runs.across > 1:
        tile_levels.append(across)
    if runs.rows > 1:
        tile_levels.append(down)
    row_levels: Levels = [*tile_levels, (tiles, 0, 0, 0), (groups, channels, 0, channels)]
    words = weights.add(dense_words(call.consts["weight"], groups, columns, runs, merge, lanes.count))
    front = make_front(call, geometry, tile_levels, row_levels, max(lanes.beats - steps, 0))
    take, beats = lanes.take(merge), lanes.tile_beats(merge)
    column_of = np.full((groups, tiles * tile_columns), -1)
    column_of[:, :columns] = np.arange(groups * columns).reshape(groups, columns)
    back = make_back(call, geometry, columns, groups * tiles, take, beats, merge)
    return (
        replace(front, words=words, merge=merge),
        params.place(back, call, column_of.reshape(-1, take), Params.BEAT),
    )


def schedule_channelwise(
    call: Call, geometry: Geometry, lanes: Lanes, weights: WeightWords, params: ParamWords
) -> tuple[Front, Back]:
    """Lane i computes channel i of a tile of channels."""
    words = weights.add(channel_words(call.consts["weight"], geometry, lanes.count))
    front, back = channel_instruction(call, geometry, lanes)
    tiles = -(-geometry.channels // lanes.count)
    column_of = np.full(tiles * lanes.count, -1)
    column_of[: geometry.channels] = np.arange(geometry.channels)
    placed = params.place(back, call, column_of.reshape(-1, lanes.results), Params.BEAT)
    return replace(front, words=words), placed


def schedule_average(call: Call, lanes: Lanes, params: ParamWords) -> tuple[Front, Back]:
    """A channelwise contraction whose weights are all 1, and whose bias and scale may depend on the pixel."""
    front, back = channel_instruction(call, window_of(call.params), lanes)
    scales = len(call.consts["shift"])
    rows = 1 if scales == 1 else back.rows
    pixel_of = np.repeat(np.arange(rows)[:, None] % scales, lanes.results, axis=1)
    placed = params.place(back, call, pixel_of, Params.HOLD if scales == 1 else Params.ROW)
    return replace(front, ones=True), placed


def schedule_most(call: Call, lanes: Lanes) -> tuple[Front, Back]:
    """The largest value under each pixel, channel by channel."""
    front, back = channel_instruction(call, window_of(call.params), lanes)
    return replace(front, unit=Unit.MOST), back


def channel_instruction(call: Call, geometry: Geometry, lanes: Lanes) -> tuple[Front, Back]:
    tile_levels = geometry.tap_levels()
    tiles = -(-geometry.channels // lanes.count)
    row_levels: Levels = [*tile_levels, (tiles, lanes.count, 0, lanes.count)]
    front = make_front(call, geometry, tile_levels, row_levels, max(lanes.beats - geometry.taps, 0))
    back = make_back(call, geometry, geometry.channels, tiles, lanes.results, lanes.beats, 0)
    return replace(front, channelwise=True), back


def find_runs(geometry: Geometry, groups: int) -> Runs:
    """The longest runs of bytes that follow each other in memory as in the weights."""
    channels = geometry.channels // groups
    if groups > 1:
        return Runs(geometry.kernel_height, geometry.kernel_width, channels)
    if geometry.kernel_width > 1 and geometry.dilation_width > 1:
        return Runs(geometry.kernel_height, geometry.kernel_width, channels)
    run = geometry.kernel_width * channels
    rows_touch = run == geometry.row and geometry.dilation_height == 1 and geometry.is_inside
    if rows_touch:
        return Runs(1, 1, geometry.kernel_height * run)
    return Runs(geometry.kernel_height, 1, run)


def choose_merge(lanes: Lanes, runs: Runs, columns: int) -> int:
    """log2 of the lanes that share a result: the cheapest, and of these the least."""

    def cycles(merge: int) -> int:
        return -(-columns // (lanes.count >> merge)) * max(runs.steps(merge), lanes.beats)

    return min(range(lanes.count.bit_length()), key=lambda merge: (cycles(merge), merge))


def dense_words(
    weight: np.ndarray, groups: int, columns: int, runs: Runs, merge: int, lanes: int
) -> np.ndarray:
    """[groups * columns * depth] -> [words, lanes], in the order in which a row's steps need them."""
    tile_columns, shared = lanes >> merge, 1 << merge
    tiles, run_steps = -(-columns // tile_columns), -(-runs.bytes >> merge)
    shape = (groups, tiles * tile_columns, runs.rows, runs.across, run_steps * shared)
    padded = np.zeros(shape, np.int8)
    padded[:, :columns, :, :, : runs.bytes] = weight.reshape(
        groups, columns, runs.rows, runs.across, runs.bytes
    )
    split = padded.reshape(groups, tiles, tile_columns, runs.rows, runs.across, run_steps, shared)
    return split.transpose(0, 1, 3, 4, 5, 2, 6).reshape(-1, lanes)


def channel_words(weight: np.ndarray, geometry: Geometry, lanes: int) -> np.ndarray:
    """[channels * taps] -> [words, lanes]."""
    tiles = -(-geometry.channels // lanes)
    padded = np.zeros((tiles * lanes, geometry.taps), np.int8)
    padded[: geometry.channels] = weight.reshape(geometry.channels, geometry.taps)
    return padded.reshape(tiles, lanes, geometry.taps).transpose(0, 2, 1).reshape(-1, lanes)


def make_front(call: Call, geometry: Geometry, tile: Levels, row: Levels, gap: int) -> Front:
    line, offset = geometry.start
    first = call.inputs[0]
    assert isinstance(first, int), call.layer
    return Front(
        unit=Unit.MULTIPLY,
        address=first + line + offset,
        line=line,
        offset=offset,
        loops=make_loops([*row, *geometry.pixel_levels()]),
        tile_loops=count_loops(tile),
        row_loops=count_loops(row),
        image=None if geometry.is_inside else (geometry.image, geometry.row),
        value=geometry.value,
        gap=gap,
    )


def make_back(
    call: Call, geometry: Geometry, columns: int, tiles: int, take: int, beats: int, merge: int
) -> Back:
    """Of results that are requantized, or only clamped, where the call's parameters name no rounding."""
    rounding = Rounding.NONE
    if "once" in call.params:
        rounding = Rounding.ONCE if call.params["once"] else Rounding.TWICE
    return Back(
        take=take,
        merge=merge,
        columns=columns,
        tiles=tiles,
        rows=geometry.pixels,
        beats=beats,
        output=call.output,
        skip=0,
        params=0,
        params_step=Params.HOLD,
        rounding=rounding,
        zero=int(call.params.get("zero", 0)),
        lo=int(call.params.get("lo", -128)),
        hi=int(call.params.get("hi", 127)),
    )
