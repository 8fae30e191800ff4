"""Plan -> Stream: a stage for each call, rings of bytes between them, and the cycle in which each starts.

A frame is one inference, and its launch is the cycle from which all stages count. Between stages nothing is
asked and nothing waits: each starts a fixed number of cycles behind the launch, and the rings are as large as
that needs. kernels/verilog/README.md describes the stages, cycle by cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2c.plan import Call, Plan
from s2c.silicon.instructions import Instruction, Unit
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import read_width
from s2c.silicon.stream_stages import find_interval, find_sources, make_stage_schedules, occupied_cycles
from s2c.silicon.stream_timing import Reads, reads_of, write_cycles

SENDING = (
    8  # cycles, at most, between the end of a frame and its first byte at the output, and behind the last
)
ROWS = 2  # of a ring, at least: bytes that are read or written at once
FIRST_START = 1  # cycles between a launch and a first step: the stage is loaded in the launch


@dataclass(frozen=True)
class Ring:
    """Bytes between a stage, or an input, and one that reads them. frame: of an inference. capacity: a power
    of two. width: bytes that are read or written at once, at most, a power of two. source: the stage that
    writes it, or ~index of an input."""

    frame: int
    capacity: int
    width: int
    source: int


@dataclass(frozen=True)
class Stage:
    """schedule: of its one instruction, which has no wait and whose addresses count from the frame's first
    byte: byte 0 of the ring of its operand, or of both its operands. rings: of its operands. start: the cycle
    behind launch in which its first step is issued."""

    schedule: Schedule
    rings: tuple[Ring, ...]
    start: int

    @property
    def instruction(self) -> Instruction:
        return self.schedule.instructions[0]

    @property
    def layer(self) -> str:
        return self.instruction.layer

    @property
    def occupied(self) -> int:
        """Cycles from its first step for a frame to the first that may be for the next."""
        return occupied_cycles(self.schedule)


@dataclass(frozen=True)
class Stream:
    """stages: in the order of the plan's calls. outputs: rings of the plan's. frames: that may be launched
    and not yet sent, for which the output rings have room. interval: cycles between two launches, at least.
    finish: the cycle behind launch in which all outputs can be read. cycles: of one frame alone, whose last
    byte is taken in cycle 0."""

    plan: Plan
    stages: tuple[Stage, ...]
    outputs: tuple[Ring, ...]
    frames: int
    interval: int
    finish: int
    cycles: int


def make_stream(plan: Plan, lanes: Sequence[int]) -> Stream:
    """lanes: of each call. Raises CompileError with each layer that no stage can compute."""
    return connect(plan, make_stage_schedules(plan, lanes))


def connect(plan: Plan, schedules: Sequence[Schedule]) -> Stream:
    """schedules: of each call alone."""
    operands, outputs = find_sources(plan)
    interval = find_interval(plan, schedules)
    writes = Writes(plan, interval)
    stages: list[Stage] = []
    for index, (call, schedule, sources) in enumerate(zip(plan.calls, schedules, operands, strict=True)):
        stage = make_stage(call, paced(call, schedule, sources, writes), sources, writes)
        stages.append(stage)
        writes.add(index, stage.start + stage_writes(stage.schedule), results_at_once(schedule))
    finish = max(int(writes.cycles[source].max()) for source in outputs) + 1
    sent = finish + sum(map(writes.frame, outputs)) + SENDING
    frames = -(-sent // interval)
    return Stream(
        plan=plan,
        stages=tuple(stages),
        outputs=tuple(output_ring(writes, source, frames) for source in outputs),
        frames=frames,
        interval=interval,
        finish=finish,
        cycles=finish + FIRST_START,
    )


def make_stage(call: Call, schedule: Schedule, sources: Sequence[int], writes: Writes) -> Stage:
    """As early as all that it reads is there; the rings of two operands, which one address reads, are of one
    size."""
    reads = [
        stage_reads(call, schedule, operand, writes.frame(source)) for operand, source in enumerate(sources)
    ]
    start = max(writes.earliest(*each) for each in zip(sources, reads, strict=True))
    read = read_width(schedule.instructions[0].front, schedule.lanes)
    widths = [max(read, writes.widths[source]) for source in sources]
    capacity = max(
        writes.capacity(source, each, start, ROWS * width)
        for source, each, width in zip(sources, reads, widths, strict=True)
    )
    rings = [
        Ring(writes.frame(source), capacity, width, source)
        for source, width in zip(sources, widths, strict=True)
    ]
    return Stage(schedule, tuple(rings), start)


def paced(call: Call, schedule: Schedule, sources: Sequence[int], writes: Writes) -> Schedule:
    """With the gap behind each tile that lets a stage keep the pace of what it reads, as far as the interval
    has room: one that would be done sooner would have to start later, for the last bytes to be there, and
    keep the stages behind it waiting. The sum of its start and its end is the least; it is convex in the gap,
    on which all cycles depend linearly."""
    front = schedule.instructions[0].front
    if front.unit == Unit.SOFTMAX:
        return schedule
    wider = with_gap(schedule, front.gap + 1)
    earliest, later = (
        [
            writes.starts(source, stage_reads(call, each, operand, writes.frame(source)))
            for operand, source in enumerate(sources)
        ]
        for each in (schedule, wider)
    )
    starts = np.concatenate(earliest)
    slopes = np.concatenate(later) - starts

    def both_ends(more: int) -> int:
        start = int((starts + more * slopes).max(initial=FIRST_START))
        return 2 * start + more * (front.tiles - 1)

    low, high = 0, writes.interval // front.tiles - front.tile_steps - front.gap
    while low < high:
        middle = (low + high) // 2
        if both_ends(middle + 1) < both_ends(middle):
            low = middle + 1
        else:
            high = middle
    return with_gap(schedule, front.gap + low)


def with_gap(schedule: Schedule, gap: int) -> Schedule:
    each = schedule.instructions[0]
    return replace(schedule, instructions=(replace(each, front=replace(each.front, gap=gap)),))


def results_at_once(schedule: Schedule) -> int:
    back = schedule.instructions[0].back
    return 1 if back is None else back.take


def stage_reads(call: Call, schedule: Schedule, operand: int, frame: int) -> Reads:
    each = schedule.instructions[0]
    return reads_of(call, each.front, each.back, schedule.lanes, operand, frame)


def stage_writes(schedule: Schedule) -> np.ndarray:
    each = schedule.instructions[0]
    return write_cycles(each.front, each.back, schedule.lanes)


class Writes:
    """When the bytes of each source, an input or a stage, stand at the write ports of its rings, in cycles
    behind launch. Of inputs, a frame is there at launch, and the next frame's bytes come from then on."""

    def __init__(self, plan: Plan, interval: int) -> None:
        self.interval = interval
        self.cycles: dict[int, np.ndarray] = {}
        self.widths: dict[int, int] = {}
        taken = 0
        for index, node in enumerate(plan.graph.inputs):
            self.cycles[~index] = taken - interval + np.arange(node.type.bytes)
            self.widths[~index] = 1
            taken += node.type.bytes

    def add(self, stage: int, cycles: np.ndarray, width: int) -> None:
        self.cycles[stage] = cycles
        self.widths[stage] = width

    def frame(self, source: int) -> int:
        return len(self.cycles[source])

    def earliest(self, source: int, reads: Reads) -> int:
        """A stage's first step, so that all that it reads is there."""
        return int(self.starts(source, reads).max(initial=FIRST_START))

    def starts(self, source: int, reads: Reads) -> np.ndarray:
        """The same for each byte that it reads."""
        read = reads.last >= 0
        written = self.cycles[source][read] if source >= 0 else -1
        return np.asarray(written + 1 - reads.first[read])

    def capacity(self, source: int, reads: Reads, start: int, least: int) -> int:
        """The smallest power of two, not below least, so that no byte is overwritten before it was read last,
        nor in that cycle."""
        written, last = self.cycles[source], start + reads.last
        frame = len(written)
        capacity = 1 << (least - 1).bit_length()
        while True:
            ahead, place = np.divmod(np.arange(frame) + capacity, frame)
            if (ahead * self.interval + written[place] > last).all():
                return capacity
            capacity *= 2


def output_ring(writes: Writes, source: int, frames: int) -> Ring:
    """Room for all frames that may be under way: they come whether or not bytes are taken."""
    frame, width = writes.frame(source), writes.widths[source]
    capacity = 1 << (max(frames * frame, ROWS * width) - 1).bit_length()
    return Ring(frame, capacity, width, source)
