"""What both halves of a chip share: how its arena is read, and where inputs and outputs lie."""

from __future__ import annotations

from dataclasses import dataclass

from s2c.plan import Plan
from s2c.silicon.datapath import Lanes, unsigned_bits
from s2c.silicon.instructions import Front, Unit
from s2c.silicon.schedule import Schedule


@dataclass(frozen=True)
class Transfer:
    """An input or output: its bytes in the arena."""

    address: int
    size: int


@dataclass(frozen=True)
class Sizes:
    """read: bytes read at once; rows: of so many bytes in the arena. address, count: bits of its addresses,
    and of how many bytes are written at once."""

    read: int
    rows: int
    address: int
    count: int

    @property
    def turn(self) -> int:
        """log2 of read"""
        return self.read.bit_length() - 1


def find_sizes(schedule: Schedule) -> Sizes:
    """A read may go on behind the arena's last byte; what comes from there is not used."""
    lanes = schedule.lanes
    widest = [read_width(each.front, lanes) for each in schedule.instructions]
    read = max([*widest, lanes.results])
    rows = -(-(schedule.plan.arena_bytes + read - 1) // read)
    address = max(unsigned_bits(rows * read - 1), read.bit_length())
    return Sizes(read, rows, address, unsigned_bits(lanes.results))


def read_width(front: Front, lanes: Lanes) -> int:
    if front.unit == Unit.SOFTMAX:
        return 1
    if front.unit == Unit.TABLE:
        return lanes.results
    return lanes.count if front.channelwise else 1 << front.merge


def find_transfers(plan: Plan) -> tuple[tuple[Transfer, ...], tuple[Transfer, ...]]:
    """Inputs, outputs."""
    inputs = zip(plan.inputs, plan.graph.inputs, strict=True)
    outputs = zip(plan.outputs, plan.graph.outputs, strict=True)
    return (
        tuple(Transfer(place, node.type.size) for place, node in inputs),
        tuple(Transfer(place, node.type.size) for place, node in outputs),
    )
