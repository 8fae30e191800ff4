"""Plan -> the schedule of each call as a stage, and which stage writes what another reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from s2c.errors import CompileError, Problem, error
from s2c.plan import Call, Plan
from s2c.silicon.datapath import Lanes, make_lanes
from s2c.silicon.geometry import Levels
from s2c.silicon.instructions import count_loops, make_loops
from s2c.silicon.movement import AXES, Axis, Pair, copy_instruction, merge_axes
from s2c.silicon.schedule import SCHEDULERS, Gathered, Pairs, Schedule, Schedulers, schedule_on

OTHER_STYLE = "take --style datapath"
Options = tuple[Schedule, ...]  # of a stage on one number of lanes, with more and more results at once


def make_stage_schedules(plan: Plan, lanes: Sequence[int]) -> list[Schedule]:
    """lanes: of each call. Raises CompileError with each layer that no stage can compute."""
    return fewest_results(plan, stage_options(plan, lanes))


def stage_options(plan: Plan, lanes: Sequence[int]) -> list[Options]:
    """Of each call. Raises CompileError as make_stage_schedules does."""
    problems: list[Problem] = []
    options: list[Options] = []
    for call, count in zip(plan.calls, lanes, strict=True):
        try:
            options.append(schedule_stage(plan, call, count))
        except CompileError as problem:
            problems += problem.problems
    try:
        find_sources(plan)
    except CompileError as problem:
        problems += problem.problems
    if problems:
        raise CompileError(tuple(problems))
    return options


def schedule_stage(plan: Plan, call: Call, lanes: int) -> Options:
    """The call as a program of its own, whose operands and results begin at byte 0 of their rings."""
    inputs = tuple(0 if isinstance(each, int) else each for each in call.inputs)
    largest = max([call.nodes[-1].type.bytes, *operand_bytes(call)])
    alone = replace(plan, calls=(replace(call, output=0, inputs=inputs),), arena_bytes=largest)
    most = make_lanes(lanes)
    chosen = [replace(most, per_result=lanes >> power) for power in range(most.results.bit_length())]
    options = tuple(schedule_on(alone, each, STAGE_SCHEDULERS) for each in chosen)
    for each in options:
        assert [one.front.wait for one in each.instructions] == [0], call.layer
    return options


def fewest_results(plan: Plan, options: Sequence[Options]) -> list[Schedule]:
    """Of each stage the schedule that writes the fewest results at once, each of which takes multipliers of
    its own, without making the slowest slower."""
    interval = find_interval(plan, [min(each, key=occupied_cycles) for each in options])
    return [next(each for each in stage if occupied_cycles(each) <= interval) for stage in options]


def occupied_cycles(schedule: Schedule) -> int:
    front = schedule.instructions[0].front
    return front.cycles + front.gap


def find_interval(plan: Plan, schedules: Sequence[Schedule]) -> int:
    """What is slowest: a stage, the inputs or the outputs, which go byte by byte."""
    inputs, outputs = (
        sum(node.type.bytes for node in nodes) for nodes in (plan.graph.inputs, plan.graph.outputs)
    )
    return max(inputs, outputs, *map(occupied_cycles, schedules))


def operand_bytes(call: Call) -> list[int]:
    """Of each operand that the kernel is given."""
    first, *links = call.nodes
    operands = [*first.inputs, *(each for node in links for each in node.inputs[1:])]
    return [each.type.bytes for each in operands]


# what stages read


def find_sources(plan: Plan) -> tuple[list[list[int]], list[int]]:
    """Who writes the operands of each call, and the outputs: a call, or ~index of an input. Raises
    CompileError with each output that is an input."""
    written: dict[int, tuple[int, int]] = {}  # by offset: who wrote last, and how many bytes

    def write(offset: int, size: int, source: int) -> None:
        for other, (_, length) in list(written.items()):
            if other < offset + size and offset < other + length:
                del written[other]
        written[offset] = (source, size)

    def read(offset: int, size: int) -> int:
        source, length = written[offset]
        assert length == size, (offset, length, size)
        return source

    for index, (offset, node) in enumerate(zip(plan.inputs, plan.graph.inputs, strict=True)):
        write(offset, node.type.bytes, ~index)
    operands: list[list[int]] = []
    for index, call in enumerate(plan.calls):
        sizes = zip(call.inputs, operand_bytes(call), strict=True)
        operands.append([read(each, size) for each, size in sizes if isinstance(each, int)])
        write(call.output, call.nodes[-1].type.bytes, index)
    outputs = list(zip(plan.outputs, plan.graph.outputs, strict=True))
    sources = [read(offset, node.type.bytes) for offset, node in outputs]
    wanted = "outputs that a layer computes, for a pipeline of stages"
    problems = [
        Problem(node.layer, wanted, "an input", OTHER_STYLE)
        for source, (_, node) in zip(sources, outputs, strict=True)
        if source < 0
    ]
    if problems:
        raise CompileError(tuple(problems))
    return operands, sources


# movements


def gather(call: Call, lanes: Lanes, roms: Gathered) -> Pairs:
    """One copy, which reads in the order of the output, and gives the fill where it reads nothing."""
    source, params = call.inputs[0], call.params
    assert isinstance(source, int), call.layer
    names = ("extent", "source_stride", "target_stride")
    numbers = [[int(params[f"{name}{axis}"]) for name in names] for axis in range(AXES)]
    axes = merge_axes([(extent, from_, to) for extent, from_, to in numbers])
    source, target = source + int(params["source_offset"]), int(params["target_offset"])
    if params["fill"]:
        border = find_border(axes, target, int(params["size"]))
        if border is not None:
            return [copy_with_border(source, border, int(params["value"]), lanes)]
    elif is_in_order(axes, target):
        return [copy_in_order(source, axes, lanes)]
    raise error(
        call.layer,
        "a movement that a stage can do, byte after byte of what it gives, with no more than a border",
        "one with gaps",
        OTHER_STYLE,
    )


def is_in_order(axes: Sequence[Axis], offset: int) -> bool:
    """Whether the region's targets, axis after axis, are all bytes from the first on."""
    stride = 1
    for extent, _, target in reversed(axes):
        if extent > 1 and target != stride:
            return False
        stride *= extent
    return offset == 0


def copy_in_order(source: int, axes: Sequence[Axis], lanes: Lanes) -> Pair:
    """A row is bytes that follow each other in the source, too."""
    (columns, stride, _), outer = axes[-1], axes[:-1]
    if columns > 1 and stride != 1:
        columns, outer = 1, axes
    rows = math.prod(extent for extent, *_ in outer)
    around: Levels = [(extent, from_, 0, from_) for extent, from_, _ in reversed(outer)]
    return copy_rows(source, rows, columns, around, lanes)


def copy_rows(source: int, rows: int, columns: int, around: Levels, lanes: Lanes) -> Pair:
    """around: the loops from row to row."""
    front, back = copy_instruction(source, 0, [(rows, 0, columns), (columns, 1, 1)], lanes)
    tiles: Levels = [(back.tiles, lanes.count, 0, lanes.count)]
    return replace(front, loops=make_loops([*tiles, *around]), row_loops=count_loops(tiles)), back


@dataclass(frozen=True)
class Border:
    """lines of `row` bytes each, in an output of rows of `columns` bytes, of which `top` lie above them, and
    `left` bytes before each."""

    lines: int
    row: int
    rows: int
    columns: int
    top: int
    left: int


def find_border(axes: Sequence[Axis], offset: int, size: int) -> Border | None:
    """Of what is copied whole into the midst of an output; None where it is something else."""
    lines, from_, columns = axes[0] if len(axes) == 2 else (1, 0, size)
    row, source_stride, target_stride = axes[-1]
    is_whole = row == 1 or source_stride == target_stride == 1
    if len(axes) > 2 or not is_whole or (lines > 1 and from_ != row) or columns < 1 or size % columns:
        return None
    top, left = divmod(offset, columns)
    fits = left + row <= columns
    return Border(lines, row, size // columns, columns, top, left) if fits else None


def copy_with_border(source: int, border: Border, value: int, lanes: Lanes) -> Pair:
    line, offset = -border.top * border.row, -border.left
    around: Levels = [(border.rows, border.row, border.row, 0)]
    front, back = copy_rows(source + line + offset, border.rows, border.columns, around, lanes)
    image = (border.lines * border.row, border.row)
    return replace(front, line=line, offset=offset, image=image, value=value), back


def insert(call: Call, lanes: Lanes, roms: Gathered) -> Pairs:
    wanted = "results that a layer writes as a whole, for a pipeline of stages"
    raise error(call.layer, wanted, "one that is written into another", OTHER_STYLE)


STAGE_SCHEDULERS: Schedulers = {**SCHEDULERS, "gather_i8": gather, "insert_i8": insert}
