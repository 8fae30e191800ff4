"""Schedule -> text: a line for each instruction, as a Plan has one for each call."""

from __future__ import annotations

from collections.abc import Sequence

from s2c.silicon.instructions import Instruction, Loop, Unit
from s2c.silicon.schedule import Schedule


def schedule_text(schedule: Schedule) -> str:
    """Each line begins with the cycle of the first step. tile, loops: counts of the loops that make a tile,
    and of those around it, innermost first."""
    lines = [f"lanes {schedule.lanes.count}, cycles {schedule.cycles}"]
    for each, start in zip(schedule.instructions, schedule.starts, strict=True):
        lines.append(f"{start}: {instruction_text(each)}  # {each.layer!r}")
    lines.append(f"end wait={schedule.finish}")
    return "\n".join(lines) + "\n"


def instruction_text(instruction: Instruction) -> str:
    front = instruction.front
    return f"{front.unit.name.lower()} wait={front.wait} {work_text(instruction)}"


def work_text(instruction: Instruction) -> str:
    front, back = instruction.front, instruction.back
    if front.unit == Unit.SOFTMAX:
        work = f"rows={front.count} size={front.size}"
    else:
        tile, around = front.loops[: front.tile_loops], front.loops[front.tile_loops :]
        work = f"tile={counts(tile)} loops={counts(around)}"
    gap = f" gap={front.gap}" if front.gap else ""
    rounding = "" if back is None else f" rounding={back.rounding.name.lower()}"
    return f"cycles={front.cycles} {work}{gap}{rounding}"


def counts(loops: Sequence[Loop]) -> str:
    return "x".join(str(loop.count) for loop in loops) or "1"
