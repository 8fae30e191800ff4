"""Schedule -> Verilog: the modules of kernels/verilog, a top module of their instances, their ROMs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from s2c.emit.text import comment_text
from s2c.emit.verilog_back import back_half
from s2c.emit.verilog_chip import PAGE, Chip
from s2c.emit.verilog_front import arena, control, walker
from s2c.emit.verilog_text import CLOCKED, Parameters, instance, literal, wire
from s2c.emit.verilog_units import units_text
from s2c.plan import Plan
from s2c.resources import folder
from s2c.silicon.datapath import unsigned_bits
from s2c.silicon.fields import Field
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import find_transfers

ONE_FILE = "/* one file holds all modules of a chip */ /* verilator lint_off DECLFILENAME */"
MODULE = re.compile(r"^( *(?:module )?)s2c_(?=\w)", re.MULTILINE)  # where one begins, or an instance of it
UNUSED = (
    "    /* what some nets have no use for, and of a program's fields, in force or soon, one is used */",
    "    wire words = &{front_next, front_held, back_next, back_held};",
    "    wire unused = &{1'b0, word, params_word, step_in, first_in, x, softmax_run, words};",
)
PORTS = """\
    input wire clock,
    input wire reset,
    input wire in_valid,
    output wire in_ready,
    input wire [7:0] in_data,
    output wire out_valid,
    input wire out_ready,
    output wire [7:0] out_data,
    output wire busy
"""


def emit_verilog(schedule: Schedule, name: str, title: str, page: int = PAGE) -> dict[str, str]:
    """Files by name. NAME.v is the whole chip, NAME.axi.v a wrapper of it, NAME.tb.v a test bench; NAME.*.hex
    are read by NAME.v. page: words of deep ROMs' pages, a power of
    two."""
    chip = Chip(schedule, name, page)
    notes = {"front": front_layers(schedule), "back": back_layers(schedule)}
    return {**rom_files(chip, notes), **text_files("\n".join(body(chip)), name, title, schedule.plan)}


def rom_files(chip: Chip, notes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """notes: beside the words of a ROM."""
    return {
        f"{chip.name}.{rom}.hex": hexadecimals(words, width, notes.get(rom, ()))
        for rom, (words, width) in chip.files.items()
    }


def text_files(inner: str, name: str, title: str, plan: Plan, own: Sequence[str] = ()) -> dict[str, str]:
    """NAME.v, whose top module holds `inner`, with the modules that it needs, its wrapper and its test bench.
    own: modules of this chip alone."""
    text = "\n".join([inner, "endmodule", "", *own])
    modules = [rename_modules(read_module(each), name) for each in module_names(text)]
    lines = [
        f"/* {comment_text(title)} */",
        ONE_FILE,
        "`default_nettype none",
        "",
        f"module {name} (\n{PORTS});",
        rename_modules(text, name),
        *modules,
        "`default_nettype wire",
        "",
    ]
    files = {f"{name}.{suffix}.v": fill(read_module(suffix), name, plan) for suffix in ("axi", "tb")}
    return {f"{name}.v": "\n".join(lines), **files}


def read_module(name: str) -> str:
    return (folder("kernels") / "verilog" / f"{name}.v").read_text(encoding="utf-8")


def rename_modules(text: str, name: str) -> str:
    """NAME_ for s2c_. Nowhere else: the name itself, which those of the ROMs hold, may have s2c_ within."""
    return MODULE.sub(rf"\g<1>{name}_", text)


def module_names(text: str) -> list[str]:
    """Of the modules that it instantiates but does not define, and of those that they do, sorted."""
    found: set[str] = set()
    defined = set(re.findall(r"^module s2c_(\w+)", text, re.MULTILINE))
    texts = [text]
    while texts:
        new = set(re.findall(r"^\s*s2c_(\w+) (?:#\(|\w+ \()", texts.pop(), re.MULTILINE)) - found - defined
        found |= new
        texts += [read_module(each) for each in new]
    return sorted(found)


def hexadecimals(words: Iterable[int], width: int, notes: Sequence[str] = ()) -> str:
    """As $readmemh reads them, a word a line; notes: beside the first of them."""
    digits = -(-width // 4)
    lines = [f"{each & (1 << width) - 1:0{digits}x}" for each in words]
    noted = [f"{line} // {comment_text(note)}" for line, note in zip(lines, notes, strict=False)]
    return "".join(f"{line}\n" for line in [*noted, *lines[len(noted) :]])


def front_layers(schedule: Schedule) -> list[str]:
    """What each word of the front half's program is for: the user's name of the layer."""
    outputs = [f"output {each.layer}" for each in schedule.plan.graph.outputs]
    return [*(each.layer for each in schedule.instructions), *outputs]


def back_layers(schedule: Schedule) -> list[str]:
    inputs = [f"input {each.layer}" for each in schedule.plan.graph.inputs]
    return [*inputs, *(each.layer for each in schedule.instructions if each.back is not None)]


def fill(text: str, chip: str, plan: Plan) -> str:
    inputs, outputs = find_transfers(plan)
    values = {
        "s2c_INPUT_BYTES": sum(each.size for each in inputs),
        "s2c_OUTPUT_BYTES": sum(each.size for each in outputs),
    }
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text.replace("s2c_chip", chip)


def body(chip: Chip) -> list[str]:
    rest = [
        control(chip),
        walker(chip),
        arena(chip),
        units_text(chip),
        back_half(chip),
        UNUSED,
    ]
    used = words_of(line for part in rest for line in part)
    parts = [
        program(chip, "front", chip.front, "fetch", used),
        program(chip, "back", chip.back, "take", used),
        *rest,
    ]
    return [line for part in parts for line in ("", *part)]


def words_of(lines: Iterable[str]) -> set[str]:
    return {word for line in lines for word in re.findall(r"\w+", line)}


def program(
    chip: Chip, half: str, fields: Mapping[str, Field], take: str, used: Collection[str]
) -> list[str]:
    """The ROM of a half, and what the bits of its words mean that are used: before they are in force (next)
    or while they are (held)."""
    words, width = chip.roms[half]
    lines = [
        f"    /* the {half} half's program */",
        wire(width, f"{half}_next", f"{half}_held"),
    ]
    at = 0
    for field in fields.values():
        place = f"{at + field.width - 1}:{at}" if width > 1 else ""
        for when in ("next", "held"):
            source = f"{half}_{when}[{place}]" if place else f"{half}_{when}"
            value = literal(field.width, field.values[0]) if field.is_constant else source
            if f"{half}_{when}_{field.name}" in used:
                lines.append(wire(field.width, f"{half}_{when}_{field.name} = {value}"))
        at += 0 if field.is_constant else field.width
    sizes: Parameters = {
        "WIDTH": width,
        "WORDS": len(words),
        "POINTER": unsigned_bits(len(words) - 1),
        "FILE": chip.file(half),
    }
    ports = {**CLOCKED, "take": take, "next": f"{half}_next", "held": f"{half}_held"}
    return [
        *lines,
        "    wire " + take + ";",
        *instance("program", half, sizes, ports),
    ]
