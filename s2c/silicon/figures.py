"""A chip, as a Schedule or as a Stream, to the figures of a manifest."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from s2c.silicon.cost import call_cycles, chip_cost
from s2c.silicon.refusals import DATAPATH, STREAM
from s2c.silicon.schedule import Schedule
from s2c.silicon.stream import Stage, Stream
from s2c.silicon.stream_cost import stream_cost


def note_chip(chip: Schedule | Stream) -> dict[str, Any]:
    """cycles: of one inference. Of a stream, lanes are those that multiply, in all stages, and utilisation is
    theirs where inputs come without a pause; frames: that may be under way, or not yet sent."""
    if isinstance(chip, Stream):
        figures = asdict(stream_cost(chip))
        ring_bytes = figures.pop("ring_bits") // 8
        return {"style": STREAM, **figures, "frames": chip.frames, "ring_bytes": ring_bytes}
    return {"style": DATAPATH, **asdict(chip_cost(chip))}


def note_chip_calls(chip: Schedule | Stream) -> list[dict[str, int]]:
    """Of each of the plan's calls."""
    if isinstance(chip, Stream):
        return [note_stage(each) for each in chip.stages]
    return [{"cycles": each} for each in call_cycles(chip)]


def note_stage(stage: Stage) -> dict[str, int]:
    """start: of its first step, behind the launch. cycles: until it may begin with the next frame."""
    return {
        "lanes": stage.schedule.lanes.count,
        "start": stage.start,
        "cycles": stage.occupied,
        "ring_bytes": sum(each.capacity for each in stage.rings),
    }
