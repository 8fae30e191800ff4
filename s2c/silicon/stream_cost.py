"""What a Stream takes: lanes, cycles, bits of ROMs and rings, and about what of an ECP5."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

from s2c.silicon.area import (
    BYTE,
    MULTIPLIER,
    PADDED_BYTE,
    SOFTMAX,
    Estimate,
    Shape,
    count_blocks,
    paged_logic,
    rom_shapes,
)
from s2c.silicon.cost import RomBits, rom_bits
from s2c.silicon.folding import multiplies
from s2c.silicon.instructions import Rounding, Unit
from s2c.silicon.sizes import read_width
from s2c.silicon.stream import Ring, Stage, Stream
from s2c.silicon.widths import find_widths

# Logic cells of each part of a stage, fitted to what yosys made of the 64-32-10 MLP on 2, 5, 20 and 40 lanes,
# of ad01 on 12 and 46, and of kws on 10: these come out within a sixth. KEPT: of a lane that keeps the
# largest; ENTRY: of a result that is not requantized.
STAGE, LANE, RESULT, KEPT, ENTRY = 115, 31, 215, 25, 40


@dataclass(frozen=True)
class StreamCost:
    """lanes: that multiply. utilisation: MACs / (lanes * interval). rom_bits: of a program there is
    none. ring_bits: of outputs' rings, too."""

    lanes: int
    cycles: int
    interval: int
    utilisation: float
    rom_bits: RomBits
    ring_bits: int


def stream_cost(stream: Stream) -> StreamCost:
    lanes = stream_lanes(stream)
    macs = sum(each.instruction.macs for each in stream.stages)
    roms = [replace(rom_bits(each.schedule), program=0) for each in stream.stages]
    return StreamCost(
        lanes=lanes,
        cycles=stream.cycles,
        interval=stream.interval,
        utilisation=macs / (lanes * stream.interval) if lanes else 0.0,
        rom_bits=RomBits(*map(sum, zip(*map(astuple, roms), strict=True))),
        ring_bits=sum(8 * ring.capacity for ring in all_rings(stream)),
    )


def stream_lanes(stream: Stream) -> int:
    """Of all stages that multiply."""
    return sum(each.schedule.lanes.count for each in stream.stages if multiplies(each.schedule))


def all_rings(stream: Stream) -> list[Ring]:
    return [*(ring for each in stream.stages for ring in each.rings), *stream.outputs]


def estimate_stream(stream: Stream) -> Estimate:
    shapes = [each for stage in stream.stages for each in stage_shapes(stage)]
    shapes += [each for ring in all_rings(stream) for each in ring_shapes(ring)]
    return Estimate(
        logic=sum(map(stage_logic, stream.stages)) + paged_logic(shapes),
        multipliers=sum(map(stage_multipliers, stream.stages)),
        block_rams=sum(count_blocks(*each) for each in shapes),
    )


def stage_shapes(stage: Stage) -> list[Shape]:
    """Of the ROMs that it has: one word is none."""
    weights, params, *others = rom_shapes(stage.schedule)
    found = [*([weights] if multiplies(stage.schedule) else []), params, *others]
    return [(width, words) for width, words in found if words > 1]


def ring_shapes(ring: Ring) -> list[Shape]:
    """A memory of bytes for each that comes or goes at once."""
    return [(8, ring.capacity // ring.width)] * ring.width


def stage_logic(stage: Stage) -> int:
    schedule, front, back = stage.schedule, stage.instruction.front, stage.instruction.back
    if back is None:
        return SOFTMAX
    read = read_width(front, schedule.lanes)
    lane = LANE if front.unit == Unit.MULTIPLY else KEPT if front.unit == Unit.MOST else 0
    result = RESULT if back.rounding != Rounding.NONE else ENTRY
    padded = PADDED_BYTE * read if front.image is not None else 0
    turned = sum(BYTE * ring.width for ring in stage.rings if ring.width > 1)
    return STAGE + lane * schedule.lanes.count + result * back.take + padded + turned


def stage_multipliers(stage: Stage) -> int:
    """Of its lanes, and of what requantizes its results."""
    back, schedule = stage.instruction.back, stage.schedule
    if back is None:
        return 4
    wide = find_widths(schedule).shifted > MULTIPLIER
    scaled = back.take * (4 if wide else 2) if back.rounding != Rounding.NONE else 0
    return scaled + (schedule.lanes.count if multiplies(schedule) else 0)
