"""Stream -> text: a line for each stage and each output."""

from __future__ import annotations

from collections.abc import Sequence

from s2c.silicon.stream import Ring, Stream
from s2c.silicon.stream_cost import stream_lanes
from s2c.silicon.text import work_text


def stream_text(stream: Stream) -> str:
    """Each line begins with the cycle, behind launch, of the stage's first step. rings: bytes of each."""
    lines = [
        f"lanes {stream_lanes(stream)}, cycles {stream.cycles}, interval {stream.interval}, "
        f"frames {stream.frames}"
    ]
    for each in stream.stages:
        unit, work = each.instruction.front.unit.name.lower(), work_text(each.instruction)
        lanes = each.schedule.lanes.count
        lines.append(f"{each.start}: {unit} lanes={lanes} {work} {rings_text(each.rings)}  # {each.layer!r}")
    lines.append(f"{stream.finish}: end {rings_text(stream.outputs)}")
    return "\n".join(lines) + "\n"


def rings_text(rings: Sequence[Ring]) -> str:
    return "rings=" + ",".join(f"{each.capacity}<{source_text(each.source)}" for each in rings)


def source_text(source: int) -> str:
    return f"input{~source}" if source < 0 else f"stage{source}"
