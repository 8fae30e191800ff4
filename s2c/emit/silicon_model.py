"""Schedule -> the C source of a chip's model: the simulator, then the ROMs and the program that it runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2c.emit.c_family import paste_files
from s2c.emit.constants import define_array, define_large, is_large
from s2c.emit.text import CTYPES, comment_text, wrap
from s2c.resources import folder
from s2c.silicon.datapath import Lanes
from s2c.silicon.instructions import SOFTMAX_ROW, Back, Front, Instruction, Unit
from s2c.silicon.schedule import Roms, Schedule


def emit_model(schedule: Schedule, name: str, title: str) -> str:
    """<name>.c, with <name>_run and <name>_cycles."""
    arrays = rom_arrays(schedule.roms)
    has_softmax = any(each.front.unit == Unit.SOFTMAX for each in schedule.instructions)
    kernels = folder("kernels") / "c"
    library = [kernels / "lib" / "strings.h"] if any(map(is_large, arrays.values())) else []
    library += [kernels / "softmax_i8.c"] if has_softmax else []
    parts = [
        f"/* {title} */",
        f'#include "{name}.h"\n',
        "\n".join(f"#define {key} {value}" for key, value in sizes(schedule, arrays, has_softmax).items()),
        "",
        *paste_files([*library, folder("targets") / "asic" / "model.c"]),
        *(define_rom(array, f"{name}_{role}") for role, array in arrays.items()),
        emit_roms(arrays, name),
        emit_fronts(schedule, name),
        emit_backs(schedule, name),
        RUN.format(name=name),
    ]
    return "\n".join(parts)


RUN = """\
int32_t {name}_cycles(void *arena)
{{
    return s2c_run_chip(arena, &{name}_roms, {name}_fronts, {name}_backs);
}}

void {name}_run(void *arena)
{{
    (void){name}_cycles(arena);
}}
"""


def sizes(schedule: Schedule, arrays: dict[str, np.ndarray], has_softmax: bool) -> dict[str, int | str]:
    """The macros that targets/asic/model.c asks for."""
    tables = arrays.get("tables", np.zeros(0, np.int32))
    return {
        "S2C_LANES": schedule.lanes.count,
        "S2C_RESULTS": schedule.lanes.results,
        "S2C_LOOPS": max(1, *(len(each.front.loops) for each in schedule.instructions), 1),
        "S2C_ARENA": schedule.plan.arena_bytes,
        "S2C_ENTRY": CTYPES[tables.dtype.name],
        **({"S2C_SOFTMAX_CYCLES(size)": f"(3 * (size) + {SOFTMAX_ROW})"} if has_softmax else {}),
    }


def rom_arrays(roms: Roms) -> dict[str, np.ndarray]:
    """Those that the program needs, by their names in s2c_roms. Sums have up to 41 bits."""
    fits = roms.tables.size == 0 or np.abs(roms.tables).max() <= np.iinfo(np.int32).max
    arrays = {"weights": roms.weights, "bias": roms.bias.astype(np.int32)}
    if not roms.is_uniform:
        arrays |= {"multiplier": roms.multiplier.astype(np.int32), "shift": roms.shift.astype(np.int8)}
    if roms.tables.size:
        arrays["tables"] = roms.tables.astype(np.int32 if fits else np.int64)
    if roms.powers.size:
        arrays["powers"] = roms.powers.astype(np.int32)
    return arrays


def define_rom(array: np.ndarray, name: str) -> str:
    return (define_large if is_large(array) else define_array)(array, name, "")


def emit_roms(arrays: dict[str, np.ndarray], name: str) -> str:
    places = [
        f".{role} = {name}_{role}{'.values' if is_large(array) else ''}" for role, array in arrays.items()
    ]
    return wrap(f"static const s2c_roms {name}_roms = {{", places, "};") + "\n"


def emit_fronts(schedule: Schedule, name: str) -> str:
    lines = [f"static const s2c_front {name}_fronts[] = {{"]
    for each in schedule.instructions:
        lines += [f"    /* {comment_text(each.layer)} */", fields(front_fields(each, schedule.lanes))]
    end = fields([".unit = S2C_END", f".wait = {schedule.finish}"])
    return "\n".join((*lines, end, "};", ""))


def front_fields(instruction: Instruction, lanes: Lanes) -> list[str]:
    front = instruction.front
    lines, row = front.image or (0, 0)
    values = {
        "wait": front.wait,
        "gap": front.gap,
        "address": front.address,
        "line": front.line,
        "offset": front.offset,
        "width": step_width(front, lanes),
        "padded": int(front.image is not None),
        "lines": lines,
        "row": row,
        "value": front.value,
        "ones": int(front.ones),
        "words": front.words,
        "output": front.output,
        "count": front.count,
        "size": front.size,
        "tile_loops": front.tile_loops,
        "row_loops": front.row_loops,
        "loops": len(front.loops),
    }
    loops = ", ".join(f"{{{each.count}, {each.address}, {each.line}, {each.offset}}}" for each in front.loops)
    return [
        f".unit = S2C_{front.unit.name}",
        *assignments(values),
        *([f".loop = {{{loops}}}"] if loops else []),
    ]


def step_width(front: Front, lanes: Lanes) -> int:
    """Bytes that a step takes."""
    if front.unit == Unit.TABLE:
        return lanes.results
    return lanes.count if front.channelwise else 1 << front.merge


def emit_backs(schedule: Schedule, name: str) -> str:
    lines = [f"static const s2c_back {name}_backs[] = {{"]
    backs = [(each.layer, each.back) for each in schedule.instructions if each.back is not None]
    for layer, back in backs:
        lines += [f"    /* {comment_text(layer)} */", fields(back_fields(back, schedule.roms.is_uniform))]
    if not backs:
        lines.append("    {.take = 0},")
    return "\n".join((*lines, "};", ""))


def back_fields(back: Back, is_uniform: bool) -> list[str]:
    numbers = ("take", "merge", "columns", "tiles", "rows", "beats", "output", "skip", "params", "zero")
    values = {name: getattr(back, name) for name in numbers}
    if is_uniform:
        values |= {"multiplier": back.multiplier, "shift": back.shift}
    return [
        *assignments(values),
        f".step = S2C_{back.params_step.name}",
        f".rounding = S2C_{back.rounding.name}",
        f".lo = {back.lo}",
        f".hi = {back.hi}",
    ]


def assignments(values: dict[str, int]) -> list[str]:
    """Of those that are not 0."""
    return [f".{name} = {value}" for name, value in values.items() if value]


def fields(items: Sequence[str]) -> str:
    return wrap("    {", items, "},").replace("{ ", "{", 1)
