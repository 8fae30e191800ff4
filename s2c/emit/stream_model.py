"""Stream -> the C source of its model: the simulator, then the ROMs, rings and stages that it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2c.emit.c_family import paste_files
from s2c.emit.constants import is_large
from s2c.emit.silicon_model import assignments, back_fields, define_rom, emit_roms, front_fields, rom_arrays
from s2c.emit.text import CTYPES, comment_text, wrap
from s2c.ir import Node
from s2c.plan import Plan
from s2c.resources import folder
from s2c.silicon.instructions import SOFTMAX_ROW, Unit
from s2c.silicon.stream import Ring, Stage, Stream

KINDS = 3  # of frames whose outputs <name>_interval keeps: S2C_KINDS in targets/asic/stream.c
Arrays = dict[str, np.ndarray]


def emit_stream_model(stream: Stream, name: str, title: str) -> str:
    """<name>.c, with <name>_run, <name>_cycles and <name>_interval. Its arena is that of plan_with_rings."""
    arrays = all_rom_arrays(stream)
    every = [array for each in arrays for array in each.values()]
    kernels = folder("kernels") / "c" / "lib"
    library = [kernels / "strings.h"] if any(map(is_large, every)) else []
    library += [kernels / "fixed_point.h"] if has_softmax(stream) else []
    parts = [
        f"/* {title} */",
        f'#include "{name}.h"\n',
        "\n".join(f"#define {key} {value}" for key, value in sizes(stream, arrays).items()),
        "",
        *paste_files([*library, folder("targets") / "asic" / "stream.c"]),
        *(emit_stage_roms(each, f"{name}_{index}") for index, each in enumerate(arrays)),
        emit_rings(stream, name),
        emit_stages(stream, name),
        emit_ports(stream, name),
        emit_net(stream, name),
        RUN.format(name=name),
    ]
    return "\n".join(parts)


RUN = """\
int32_t {name}_cycles(void *arena)
{{
    return s2c_count_cycles(&{name}_net, arena);
}}

int32_t {name}_interval(void *arena)
{{
    return s2c_count_interval(&{name}_net, arena);
}}

void {name}_run(void *arena)
{{
    (void){name}_cycles(arena);
}}
"""


@dataclass(frozen=True)
class Rings:
    """In the order of their sources. index: of each stage's operands, then of the outputs, among them."""

    rings: tuple[Ring, ...]
    places: tuple[int, ...]  # of their first bytes
    stages: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return sum(each.capacity for each in self.rings)

    def of(self, source: int) -> list[int]:
        """The rings that a stage or an input writes, which follow each other."""
        return [index for index, each in enumerate(self.rings) if each.source == source]


def find_rings(stream: Stream) -> Rings:
    given = [*(ring for stage in stream.stages for ring in stage.rings), *stream.outputs]
    order = sorted(range(len(given)), key=lambda at: (given[at].source, at))
    rank = iter(sorted(range(len(given)), key=order.__getitem__))
    rings = tuple(given[at] for at in order)
    ends = np.cumsum([0, *(each.capacity for each in rings)])
    return Rings(
        rings,
        tuple(map(int, ends[:-1])),
        tuple(tuple(next(rank) for _ in stage.rings) for stage in stream.stages),
        tuple(rank),
    )


def plan_with_rings(stream: Stream) -> Plan:
    """The plan, with an arena that has room for what the model needs behind the inputs and outputs: the
    rings, and outputs to compare with."""
    outputs = sum(node.type.bytes for node in stream.plan.graph.outputs)
    more = find_rings(stream).bytes + KINDS * outputs
    return replace(stream.plan, arena_bytes=stream.plan.arena_bytes + more)


def sizes(stream: Stream, arrays: Sequence[Arrays]) -> dict[str, int | str]:
    """The macros that targets/asic/stream.c asks for."""
    lanes = sorted({(each.schedule.lanes.count, each.schedule.lanes.results) for each in stream.stages})
    return {
        "S2C_LANES": max(count for count, _ in lanes),
        "S2C_RESULTS": max(results for _, results in lanes),
        "S2C_LOOPS": max(1, *(len(each.instruction.front.loops) for each in stream.stages)),
        "S2C_ENTRY": entry_type(arrays),
        "S2C_STAGES": len(stream.stages),
        "S2C_FRAMES": stream.frames,
        "S2C_ARENA": stream.plan.arena_bytes,
        "S2C_RINGS": find_rings(stream).bytes,
        "S2C_EACH_SIZE(of)": " ".join(f"of({count}, {results})" for count, results in lanes),
        **({"S2C_SOFTMAX_ROW": SOFTMAX_ROW} if has_softmax(stream) else {}),
    }


def has_softmax(stream: Stream) -> bool:
    return any(each.instruction.front.unit == Unit.SOFTMAX for each in stream.stages)


def all_rom_arrays(stream: Stream) -> list[Arrays]:
    """Of each stage; all tables of the widest type that one of them needs."""
    arrays = [rom_arrays(each.schedule.roms) for each in stream.stages]
    wide = any(each["tables"].dtype == np.int64 for each in arrays if "tables" in each)
    return [
        {**each, "tables": each["tables"].astype(np.int64)} if wide and "tables" in each else each
        for each in arrays
    ]


def entry_type(arrays: Sequence[Arrays]) -> str:
    tables = [each["tables"].dtype.name for each in arrays if "tables" in each]
    return CTYPES[tables[0] if tables else "int32"]


def emit_stage_roms(arrays: Arrays, name: str) -> str:
    definitions = [define_rom(array, f"{name}_{role}") for role, array in arrays.items()]
    return "\n".join([*definitions, emit_roms(arrays, name)])


def emit_rings(stream: Stream, name: str) -> str:
    found = find_rings(stream)
    rows = [
        f"{{{place}, {each.capacity - 1}}}" for each, place in zip(found.rings, found.places, strict=True)
    ]
    return wrap(f"static const s2c_ring {name}_rings[] = {{", rows, "};") + "\n"


def emit_stages(stream: Stream, name: str) -> str:
    rings = find_rings(stream)
    lines = [f"static const s2c_stage {name}_stages[] = {{"]
    for index, stage in enumerate(stream.stages):
        items = stage_fields(stage, index, rings, name)
        fields = wrap("    {", items, "},").replace("{ ", "{", 1)
        lines += [f"    /* {comment_text(stage.layer)} */", fields]
    return "\n".join((*lines, "};", ""))


def stage_fields(stage: Stage, index: int, rings: Rings, name: str) -> list[str]:
    schedule, targets = stage.schedule, rings.of(index)
    values = {
        "lanes": schedule.lanes.count,
        "results": schedule.lanes.results,
        "start": stage.start,
        "frame": stage.rings[0].frame,
        "target": targets[0] if targets else 0,
        "targets": len(targets),
    }
    return [
        f".roms = &{name}_{index}_roms",
        f".rings = {{{', '.join(map(str, rings.stages[index]))}}}",
        *assignments(values),
        *(f".front{each}" for each in front_fields(stage.instruction, schedule.lanes)),
        *(f".back{each}" for each in stage_back(stage)),
    ]


def stage_back(stage: Stage) -> list[str]:
    """A softmax gives one byte after the other."""
    back = stage.instruction.back
    if back is None:
        ones = dict.fromkeys(("take", "columns", "tiles", "rows", "beats"), 1)
        return assignments({**ones, "lo": -128, "hi": 127})
    assert back.output == 0 and back.skip == 0, stage.layer
    return back_fields(back, stage.schedule.roms.is_uniform)


def emit_ports(stream: Stream, name: str) -> str:
    """Inputs and outputs."""
    rings, plan = find_rings(stream), stream.plan

    def row(node: Node, offset: int, targets: Sequence[int]) -> str:
        first = targets[0] if targets else 0
        return f"{{{offset}, {node.type.bytes}, {first}, {len(targets)}}}"

    inputs = zip(plan.graph.inputs, plan.inputs, strict=True)
    outputs = zip(plan.graph.outputs, plan.outputs, rings.outputs, strict=True)
    rows = {
        "inputs": [row(node, offset, rings.of(~at)) for at, (node, offset) in enumerate(inputs)],
        "outputs": [row(node, offset, [ring]) for node, offset, ring in outputs],
    }
    return "\n".join(
        wrap(f"static const s2c_port {name}_{role}[] = {{", each, "};") + "\n" for role, each in rows.items()
    )


def emit_net(stream: Stream, name: str) -> str:
    graph = stream.plan.graph
    items = [
        *(f".{role} = {name}_{role}" for role in ("rings", "stages", "inputs", "outputs")),
        f".input_bytes = {sum(node.type.bytes for node in graph.inputs)}",
        f".output_bytes = {sum(node.type.bytes for node in graph.outputs)}",
        f".interval = {stream.interval}",
        f".finish = {stream.finish}",
    ]
    return wrap(f"static const s2c_net {name}_net = {{", items, "};") + "\n"
