"""A Stream's meaning in plain Python: frames through rings of the given sizes, each byte at its cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from chip import Chip

from s2c.ops.integer import rounding_doubling_high, rounding_shift_right, saturate
from s2c.ops.softmax import reciprocal
from s2c.silicon.instructions import READABLE, WRITTEN, Front, Step
from s2c.silicon.stream import Ring, Stage, Stream

Arrays = tuple[np.ndarray, ...]
INVERTED, FLUSHED = 55, 12  # cycles of a softmax between its second and third pass, and behind the third
LATENCY = WRITTEN - READABLE  # of the write port before a read sees it


class Written:
    """Bytes in the order in which they are written, and the cycles in which they stand at the write port."""

    def __init__(self) -> None:
        self.cycles: list[int] = []
        self.values: list[int] = []

    def add(self, cycle: int, value: int) -> None:
        assert not self.cycles or cycle >= self.cycles[-1], "bytes are written out of order"
        self.cycles.append(cycle)
        self.values.append(value)


class Memory:
    """A ring. What is read in the cycle in which it is written is garbage."""

    def __init__(self, ring: Ring, written: Written) -> None:
        self.ring = ring
        self.written = written
        self.garbage = np.random.default_rng(0)
        self.bytes = self.garbage.integers(-128, 128, ring.capacity)
        self.count = 0

    def read(self, addresses: np.ndarray, cycle: int) -> np.ndarray:
        cycles, values = self.written.cycles, self.written.values
        while self.count < len(cycles) and cycles[self.count] < cycle:
            self.bytes[self.count % self.ring.capacity] = values[self.count]
            self.count += 1
        now = self.bytes.copy() if self.ring.capacity < 64 else self.bytes
        kept = {}
        at = self.count
        while at < len(cycles) and cycles[at] == cycle:
            place = at % self.ring.capacity
            kept.setdefault(place, now[place])
            now[place] = self.garbage.integers(-128, 128)
            at += 1
        found = now[addresses % self.ring.capacity].copy()
        for place, value in kept.items():
            now[place] = value
        return found


class StageChip(Chip):
    """One stage: its reads go to rings."""

    def __init__(self, stage: Stage, written: dict[int, Written]) -> None:
        self.stage = stage
        self.schedule = stage.schedule
        self.memories = [Memory(ring, written[ring.source]) for ring in stage.rings]
        self.base = 0
        self.late = []

    def run_frame(self, launch: int, into: Written) -> None:
        start = launch + self.stage.start
        front, back = self.stage.instruction.front, self.stage.instruction.back
        if back is None:
            self.softmax_frame(front, start, into)
        else:
            self.write(back, list(self.results(front, back, start)))
            for count, (cycle, address, value) in enumerate(self.late):
                assert address == count, "bytes are written out of order"
                into.add(cycle + LATENCY, value)
            self.late = []
        self.base += self.stage.rings[0].frame

    def bytes_of(self, front: Front, step: Step, cycle: int, count: int, index: int) -> np.ndarray:
        memory = self.memories[index if len(self.memories) > 1 else 0]
        at = np.arange(count)
        found = memory.read(self.base + step.address + at, cycle)
        if front.image is None:
            return found
        lines, row = front.image
        inside = (0 <= step.line < lines) & (step.offset + at >= 0) & (step.offset + at < row)
        return np.where(inside, found, front.value)

    def softmax_frame(self, front: Front, start: int, into: Written) -> None:
        powers = self.schedule.roms.powers[front.words]
        memory, cycle = self.memories[0], start + 1
        for row in range(front.count):
            address = self.base + row * front.size

            def read(first: int, address: int = address) -> np.ndarray:
                places = np.arange(address, address + front.size)
                values = [memory.read(place[None], first + at)[0] for at, place in enumerate(places)]
                return np.array(values, np.int64)

            highest = read(cycle).max()
            own = powers[np.clip(highest - read(cycle + front.size), 0, 255)]
            factor, exponent = reciprocal(int(rounding_shift_right(own, 12).sum()))
            third = cycle + 2 * front.size + INVERTED
            own = powers[np.clip(highest - read(third), 0, 255)]
            scaled = rounding_shift_right(rounding_doubling_high(own, factor), min(exponent + 23, 31))
            for at, value in enumerate(saturate(scaled - 128)):
                into.add(third + at + FLUSHED, int(value))
            cycle = third + front.size + FLUSHED + 1


def run_stream(stream: Stream, frames: Sequence[Arrays], held_up: int = 0) -> tuple[list[Arrays], list[int]]:
    """Frames whose inputs come as early as they are taken. held_up: cycles in which the first frame's bytes
    are not taken from its finish on. Returns the outputs of each frame, and the launches."""
    launches, sent = plan_launches(stream, len(frames), held_up)
    written = {~index: Written() for index in range(len(stream.plan.inputs))}
    for number, arrays in enumerate(frames):
        write_inputs(written, launches, number, arrays)
    for index, stage in enumerate(stream.stages):
        chip = StageChip(stage, written)
        written[index] = Written()
        for launch in launches:
            chip.run_frame(launch, written[index])
    outputs = [Memory(ring, written[ring.source]) for ring in stream.outputs]
    found = []
    for number, end in enumerate(sent):
        total = sum(ring.frame for ring in stream.outputs)
        cycle = end - total
        arrays = []
        for memory, node in zip(outputs, stream.plan.graph.outputs, strict=True):
            size = memory.ring.frame
            places = np.arange(number * size, (number + 1) * size)
            values = [memory.read(place[None], cycle + at)[0] for at, place in enumerate(places)]
            cycle += size
            arrays.append(np.array(values, np.int8).view(node.type.numpy).reshape(node.type.shape))
        found.append(tuple(arrays))
    return found, launches


def plan_launches(stream: Stream, frames: int, held_up: int) -> tuple[list[int], list[int]]:
    """The launch of each frame, and the cycle behind its last byte's at the output."""
    total = sum(ring.frame for ring in stream.outputs)
    launches: list[int] = []
    sent: list[int] = []
    for number in range(frames):
        launch = launches[-1] + stream.interval if launches else 1
        if number >= stream.frames:
            launch = max(launch, sent[number - stream.frames])
        launches.append(launch)
        begins = launch + stream.finish + (0 if number else held_up)
        sent.append(max(begins, sent[-1] if sent else 0) + total)
    return launches, sent


def write_inputs(written: dict[int, Written], launches: list[int], number: int, arrays: Arrays) -> None:
    total = sum(array.nbytes for array in arrays)
    cycle = launches[number - 1] if number else launches[0] - total
    for index, array in enumerate(arrays):
        for value in array.reshape(-1).view(np.int8):
            written[~index].add(cycle, int(value))
            cycle += 1
