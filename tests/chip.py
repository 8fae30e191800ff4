"""A Schedule's meaning in plain Python: each instruction on a real arena, with writes that come late."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from s2c.driver import kernels_of
from s2c.ir import Graph
from s2c.ops import OPS
from s2c.ops.integer import rounding_doubling_high, rounding_shift_right, saturate
from s2c.ops.softmax import reciprocal
from s2c.passes import CORE_PASSES
from s2c.passes.lower import lower
from s2c.plan import Plan, make_plan
from s2c.silicon.instructions import READABLE, Back, Front, Params, Rounding, Step, Unit, walk
from s2c.silicon.schedule import Schedule
from s2c.steps import dtype_key
from s2c.target import load_target

LONG = 1 << 40  # cycles: more than any net here takes
Late = tuple[int, int, int]  # the cycle from which on a byte can be read, its address, its value


def plan_for_chip(graph: Graph) -> Plan:
    kernels = kernels_of(load_target("asic"))
    graph = lower(graph, lambda node: f"{OPS[node.op].stem(node)}_{dtype_key(node)}" in kernels)
    for rewrite in CORE_PASSES:
        graph = rewrite(graph)
    return make_plan(graph, kernels)


class Chip:
    """An arena whose bytes change in the cycle they are written in."""

    def __init__(self, schedule: Schedule, inputs: tuple[np.ndarray, ...]) -> None:
        self.schedule = schedule
        plan = schedule.plan
        self.memory = np.random.default_rng(0).integers(-128, 128, plan.arena_bytes + 1024).astype(np.int8)
        for offset, array in zip(plan.inputs, inputs, strict=True):
            self.memory[offset : offset + array.nbytes] = array.reshape(-1).view(np.int8)
        self.late: list[Late] = []

    def run(self) -> tuple[np.ndarray, ...]:
        for instruction, start in zip(self.schedule.instructions, self.schedule.starts, strict=True):
            if instruction.back is None:
                self.arrive(start)
                self.softmax(instruction.front)
            else:
                results = list(self.results(instruction.front, instruction.back, start))
                self.write(instruction.back, results)
        self.arrive(self.schedule.cycles)
        assert not self.late, "it says that it is done before all is written"
        plan = self.schedule.plan
        return tuple(
            self.memory[offset : offset + node.type.bytes].view(node.type.numpy).reshape(node.type.shape)
            for offset, node in zip(plan.outputs, plan.graph.outputs, strict=True)
        )

    def arrive(self, cycle: int) -> None:
        while self.late and self.late[0][0] <= cycle:
            _, address, value = self.late.pop(0)
            self.memory[address] = value

    def bytes_of(self, front: Front, step: Step, cycle: int, count: int, index: int) -> np.ndarray:
        """index: of the step within its tile."""
        self.arrive(cycle)
        found = np.zeros(count, np.int64)
        for at in range(count):
            inside = True
            if front.image is not None:
                lines, row = front.image
                inside = 0 <= step.line < lines and 0 <= step.offset + at < row
            found[at] = self.memory[step.address + at] if inside else front.value
        return found

    def results(self, front: Front, back: Back, start: int) -> Iterator[tuple[int, np.ndarray]]:
        """Of each tile: the cycle of its last step, and its results, rounding aside."""
        lanes = self.schedule.lanes.count
        total = np.zeros(lanes, np.int64)
        index = 0
        for step in walk(front, LONG):
            index = 0 if step.is_first else index + 1
            x = self.bytes_of(front, step, start + step.cycle, lanes, index)
            product = self.product(front, step, x, index)
            if step.is_first:
                total = product
            elif front.unit == Unit.MOST:
                total = np.maximum(total, product)
            else:
                total = total + product
            if step.is_last:
                sums = total.reshape(-1, 1 << front.merge).sum(axis=1)
                yield start + step.cycle, sums[: back.take * back.beats]

    def product(self, front: Front, step: Step, x: np.ndarray, index: int) -> np.ndarray:
        roms = self.schedule.roms
        if front.unit == Unit.TABLE:
            return np.asarray(roms.tables[front.words + index][x + 128])
        if front.unit == Unit.MOST or front.ones:
            return x
        taken = x if front.channelwise else x[np.arange(len(x)) & ((1 << front.merge) - 1)]
        return np.asarray(taken * roms.weights[front.words + step.weight].astype(np.int64))

    def write(self, back: Back, tiles: list[tuple[int, np.ndarray]]) -> None:
        assert len(tiles) == back.tiles * back.rows
        drained = max((1 << back.merge) // self.schedule.lanes.results, 1)
        address, word, left = back.output, back.params, back.columns
        for number, (last, results) in enumerate(tiles):
            for beat, values in enumerate(results.reshape(back.beats, back.take)):
                count = min(back.take, left)
                left -= count
                cycle = last + READABLE + (beat + 1) * drained - 1
                for slot in range(count):
                    self.late.append((cycle, address + slot, self.requantize(back, values[slot], word, slot)))
                address += count
                word += back.params_step == Params.BEAT
            left = left or back.columns
            if (number + 1) % back.tiles == 0:
                address += back.skip
                row = (number + 1) // back.tiles
                word = back.params + (row if back.params_step == Params.ROW else 0)

    def requantize(self, back: Back, value: int, word: int, slot: int) -> int:
        if back.rounding != Rounding.NONE:
            roms = self.schedule.roms
            multiplier, shift = roms.multiplier[word, slot], int(roms.shift[word, slot])
            if roms.is_uniform:
                multiplier, shift = back.multiplier, back.shift
            value = (int(value) + int(roms.bias[word, slot])) << max(shift, 0)
            right = max(-shift, 0)
            if back.rounding == Rounding.ONCE:
                value = (value * int(multiplier) + (1 << (30 + right))) >> (31 + right)
            else:
                high = rounding_doubling_high(np.array(value), int(multiplier))
                value = int(rounding_shift_right(high, right))
            value += back.zero
        return int(min(max(value, back.lo), back.hi))

    def softmax(self, front: Front) -> None:
        rows = self.memory[front.address : front.address + front.count * front.size].astype(np.int64)
        powers = self.schedule.roms.powers[front.words]
        for row, x in enumerate(rows.reshape(front.count, front.size)):
            own = powers[x.max() - x]
            factor, exponent = reciprocal(int(rounding_shift_right(own, 12).sum()))
            scaled = rounding_shift_right(rounding_doubling_high(own, factor), min(exponent + 23, 31))
            at = front.output + row * front.size
            self.memory[at : at + front.size] = saturate(scaled - 128)
