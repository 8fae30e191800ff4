"""Schedule -> Verilog: the modules of kernels/verilog, a top module of parameters and instances, and what its ROMs hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from s2c.resources import folder
from s2c.silicon.datapath import signed_bits, unsigned_bits
from s2c.silicon.instructions import Unit
from s2c.silicon.program import (
    CYCLE_BITS,
    Field,
    ParamLayout,
    Scales,
    Sizes,
    back_fields,
    find_scales,
    find_sizes,
    find_transfers,
    front_fields,
    join_bits,
    param_layout,
    param_words,
    program_words,
    word_bits,
)
from s2c.silicon.schedule import Schedule
from s2c.silicon.widths import Widths, find_widths

DRAINED, REQUANTIZED = 5, 9  # cycles from a step to its tile's draining; from there to its bytes
POWER_BITS = 31

ONE_FILE = "/* one file holds all modules of a chip */ /* verilator lint_off DECLFILENAME */"
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


def emit_verilog(schedule: Schedule, name: str, title: str) -> dict[str, str]:
    """Files by name. NAME.v is the whole chip, NAME.axi.v a wrapper of it, NAME.tb.v a test bench; NAME.*.hex are read by NAME.v."""
    chip = Chip(schedule, name)
    files = {f"{name}.{rom}.hex": hexadecimals(words, width) for rom, (words, width) in chip.roms.items()}
    top = "\n".join([f"module {name} (\n{PORTS});", *chip.body(), "endmodule", ""])
    modules = [read_module(each) for each in module_names(top)]
    files[f"{name}.v"] = "\n".join(
        [f"/* {title} */", ONE_FILE, "`default_nettype none", "", top, *modules, "`default_nettype wire", ""]
    ).replace("s2c_", f"{name}_")
    for suffix in ("axi", "tb"):
        files[f"{name}.{suffix}.v"] = fill(read_module(suffix), chip)
    return files


def read_module(name: str) -> str:
    return (folder("kernels") / "verilog" / f"{name}.v").read_text(encoding="utf-8")


def module_names(text: str) -> list[str]:
    """Of the modules that it instantiates, and of those that they do, sorted."""
    found: set[str] = set()
    texts = [text]
    while texts:
        new = set(re.findall(r"^\s*s2c_(\w+) (?:#\(|\w+ \()", texts.pop(), re.MULTILINE)) - found
        found |= new
        texts += [read_module(each) for each in new]
    return sorted(found)


def hexadecimals(words: Iterable[int], width: int) -> str:
    digits = -(-width // 4)
    return "".join(f"{each & (1 << width) - 1:0{digits}x}\n" for each in words)


def fill(text: str, chip: Chip) -> str:
    inputs, outputs = find_transfers(chip.schedule.plan)
    values = {
        "s2c_INPUT_BYTES": sum(each.size for each in inputs),
        "s2c_OUTPUT_BYTES": sum(each.size for each in outputs),
    }
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text.replace("s2c_chip", chip.name)


def instance(
    module: str, name: str, parameters: Mapping[str, int | str], ports: Mapping[str, str]
) -> list[str]:
    sizes = ", ".join(f".{each}({value})" for each, value in parameters.items())
    wires = [f"        .{port}({wire})" for port, wire in ports.items()]
    head = f"s2c_{module} #({sizes}) {name} (" if sizes else f"s2c_{module} {name} ("
    return [f"    {head}", ",\n".join(wires), "    );"]


def together(fields: Mapping[str, Field], prefix: str, name: str, count: int) -> str:
    """The fields NAME_0, NAME_1 and so on, the first lowest."""
    assert f"{name}_0" in fields, name
    return "{" + ", ".join(f"{prefix}_{name}_{each}" for each in reversed(range(count))) + "}"


def delay(width: int, cycles: int, source: str, target: str) -> list[str]:
    parameters = {"WIDTH": width, "CYCLES": cycles}
    ports = {**CLOCKED, "early": source, "late": target}
    return [wire(width, target), *instance("delay", f"delay_{target}", parameters, ports)]


def program_rom(fields: Iterable[Field]) -> tuple[list[int], int]:
    kept = list(fields)
    return program_words(kept), max(sum(each.width for each in kept if not each.is_constant), 1)


def wire(width: int, *names: str) -> str:
    return f"    wire [{width - 1}:0] {', '.join(names)};" if width > 1 else f"    wire {', '.join(names)};"


def literal(width: int, value: int) -> str:
    return f"{width}'d{value}"


CLOCKED = {"clock": "clock", "reset": "reset"}


@dataclass(frozen=True)
class Chip:
    schedule: Schedule
    name: str

    @cached_property
    def sizes(self) -> Sizes:
        return find_sizes(self.schedule)

    @cached_property
    def widths(self) -> Widths:
        return find_widths(self.schedule)

    @cached_property
    def scales(self) -> Scales:
        return find_scales(self.schedule)

    @cached_property
    def layout(self) -> ParamLayout:
        return param_layout(self.schedule)

    @cached_property
    def front(self) -> Mapping[str, Field]:
        return {each.name: each for each in front_fields(self.schedule, self.sizes)}

    @cached_property
    def back(self) -> Mapping[str, Field]:
        return {each.name: each for each in back_fields(self.schedule, self.sizes)}

    @cached_property
    def units(self) -> set[Unit]:
        return {each.front.unit for each in self.schedule.instructions}

    @property
    def has_lanes(self) -> bool:
        return bool(self.units & {Unit.MULTIPLY, Unit.MOST})

    @property
    def has_weights(self) -> bool:
        return any(
            each.front.unit == Unit.MULTIPLY and not each.front.ones for each in self.schedule.instructions
        )

    @property
    def has_padding(self) -> bool:
        return "image" in self.front

    @property
    def loops(self) -> int:
        return sum(each.startswith("count_") for each in self.front)

    @cached_property
    def word(self) -> int:
        """Bits of the counter of weights, or of a tile's tables."""
        return word_bits(self.schedule)

    @cached_property
    def entry(self) -> int:
        tables = self.schedule.roms.tables
        return max(signed_bits(int(tables.min()), int(tables.max())), 2) if tables.size else 0

    @cached_property
    def roms(self) -> Mapping[str, tuple[list[int], int]]:
        """Words and their width, by the part of the file's name that says what they are."""
        roms, lanes = self.schedule.roms, self.schedule.lanes
        found = {"front": program_rom(self.front.values()), "back": program_rom(self.back.values())}
        if self.has_weights:
            words = [join_bits([(int(each), 8) for each in word]) for word in roms.weights]
            found["weights"] = (words, 8 * lanes.count)
        if self.layout.result:
            found["params"] = (param_words(self.schedule), self.layout.result * lanes.results)
        if Unit.TABLE in self.units:
            found["tables"] = (roms.tables.reshape(-1).tolist(), self.entry)
        if Unit.SOFTMAX in self.units:
            found["powers"] = (roms.powers.reshape(-1).tolist(), POWER_BITS)
        return found

    def file(self, rom: str) -> str:
        return f'"{self.name}.{rom}.hex"'

    def body(self) -> list[str]:
        parts = [
            self.program("front", self.front, "fetch"),
            self.program("back", self.back, "take"),
            self.control(),
            self.walker(),
            self.arena(),
            self.units_text(),
            self.back_half(),
        ]
        return [line for part in parts for line in ("", *part)]

    def program(self, half: str, fields: Mapping[str, Field], take: str) -> list[str]:
        """The ROM of a half, and what each bit of its words means."""
        words, width = self.roms[half]
        lines = [
            f"    /* the {half} half's program; all fields are used, but few both before and while they are in force */",
            "    /* verilator lint_off UNUSEDSIGNAL */",
            wire(width, f"{half}_next", f"{half}_held"),
        ]
        at = 0
        for field in fields.values():
            place = f"{at + field.width - 1}:{at}" if width > 1 else ""
            for when in ("next", "held"):
                source = f"{half}_{when}[{place}]" if place else f"{half}_{when}"
                value = literal(field.width, field.values[0]) if field.is_constant else source
                lines.append(wire(field.width, f"{half}_{when}_{field.name} = {value}"))
            at += 0 if field.is_constant else field.width
        sizes = {
            "WIDTH": width,
            "WORDS": len(words),
            "POINTER": unsigned_bits(len(words) - 1),
            "FILE": self.file(half),
        }
        ports = {**CLOCKED, "take": take, "next": f"{half}_next", "held": f"{half}_held"}
        return [
            *lines,
            "    /* verilator lint_on UNUSEDSIGNAL */",
            "    wire " + take + ";",
            *instance("program", half, sizes, ports),
        ]

    def later(self, name: str, cycles: int) -> tuple[list[str], str]:
        """A field of the front half, so many cycles behind its step: the lines that make it, and its name."""
        field = self.front[name]
        if field.is_constant:
            return [], literal(field.width, field.values[0])
        return delay(field.width, cycles, f"front_held_{name}", f"{name}_{cycles}"), f"{name}_{cycles}"

    def control(self) -> list[str]:
        """Who may go on: the front half, what comes in, what goes out."""
        bits = [self.front[f"count_{level}"].width for level in range(self.loops)]
        counts = {
            "WIDTH": sum(bits),
            "LOOPS": self.loops,
            "BITS": f"{8 * len(bits)}'h{join_bits([(each, 8) for each in bits]):x}",
        }
        lines = [
            wire(1, "start", "running", "step", "compute", self.softmax_run, "softmax_last", "sending"),
            wire(1, "first", "last", "opens", "pause", "enable", "occupied", "accept", "single"),
            wire(self.loops, "at_end", "advance"),
            wire(self.word, "word"),
        ]
        loops = {
            "clock": "clock",
            "load": "fetch",
            "step": "step",
            "next_counts": together(self.front, "front_next", "count", self.loops),
            "counts": together(self.front, "front_held", "count", self.loops),
            "at_end": "at_end",
            "advance": "advance",
        }
        sender = ("running", "sending", "out_ready", "out_valid", "occupied", "pause", "enable")
        receiver = ("occupied", "in_valid", "single", "in_ready", "accept", "take", "start")
        return [
            *lines,
            *delay(3, DRAINED, "{compute, first, last}", "step_5"),
            *delay(1, DRAINED, "opens", "opens_5"),
            *instance("loops", "loops", counts, loops),
            *self.sequencer(),
            *instance("sender", "sender", {}, {**CLOCKED, **{each: each for each in sender}}),
            *instance(
                "receiver",
                "receiver",
                {},
                {
                    **CLOCKED,
                    "opens": "opens_5",
                    "is_final": "back_held_is_last_input",
                    **{each: each for each in receiver},
                },
            ),
        ]

    def sequencer(self) -> list[str]:
        sizes = {"LOOPS": self.loops, "IDLE": self.front["wait"].width, "WORD": self.word}
        fields = {each: f"front_held_{each}" for each in ("words", "gap", "softmax", "send", "is_final")}
        same = (
            "start",
            "pause",
            "at_end",
            "softmax_last",
            "running",
            "busy",
            "fetch",
            "step",
            "compute",
        )
        more = ("sending", "first", "last", "opens", "word")
        return instance(
            "sequencer",
            "sequencer",
            sizes,
            {
                **CLOCKED,
                "next_wait": "front_next_wait",
                "next_words": "front_next_words",
                "tile_loops": together(self.front, "front_held", "of_tile", self.loops),
                "row_loops": together(self.front, "front_held", "of_row", self.loops),
                **fields,
                "softmax_run": self.softmax_run,
                **{each: each for each in (*same, *more)},
            },
        )

    def walker(self) -> list[str]:
        """Where a step reads."""
        lines = self.cursor("address", "stride", "walk_address")
        if self.has_padding:
            lines += self.cursor("line", "line_stride", "line")
            lines += self.cursor("offset", "offset_stride", "offset")
        return lines

    def cursor(self, first: str, stride: str, place: str) -> list[str]:
        width = self.front[first].width
        ports = {
            "clock": "clock",
            "load": "fetch",
            "first": f"front_next_{first}",
            "advance": "advance",
            "strides": together(self.front, "front_held", stride, self.loops),
            "place": place,
        }
        return [
            wire(width, place),
            *instance("cursor", f"cursor_{first}", {"WIDTH": width, "LOOPS": self.loops}, ports),
        ]

    def arena(self) -> list[str]:
        """Its ports, and the bytes of a step."""
        sizes, results = self.sizes, self.schedule.lanes.results
        parameters = {
            "BANKS": sizes.read,
            "TURN": sizes.turn,
            "ROWS": sizes.rows,
            "ADDRESS": sizes.address,
            "RESULTS": results,
            "BACK": results.bit_length() - 1,
            "COUNT": sizes.count,
        }
        names = ("enable", "read_address", "read_bytes", "write_address", "write_count", "write_bytes")
        return [
            wire(sizes.address, "read_address", "write_address", "results_address"),
            wire(sizes.count, "write_count", "results_count"),
            wire(8 * results, "write_bytes", "results_bytes"),
            wire(8 * sizes.read, "read_bytes", "x"),
            *instance("arena", "arena", parameters, {"clock": "clock", **{each: each for each in names}}),
            *self.padding(),
            *(self.softmax() if Unit.SOFTMAX in self.units else self.no_softmax()),
            "    assign out_data = x[7:0];",
        ]

    @property
    def softmax_run(self) -> str:
        return "softmax_run" if Unit.SOFTMAX in self.units else "unused_softmax_run"

    def padding(self) -> list[str]:
        if not self.has_padding:
            return instance(
                "reader",
                "reader",
                {"BYTES": self.sizes.read},
                {"clock": "clock", "enable": "enable", "bytes": "read_bytes", "x": "x"},
            )
        sizes = {
            "BYTES": self.sizes.read,
            "COUNT": unsigned_bits(self.sizes.read),
            "LINE": self.front["line"].width,
            "OFFSET": self.front["offset"].width,
        }
        fields = {each: f"front_held_{each}" for each in ("image", "lines", "row", "value")}
        same = {each: each for each in ("line", "offset", "x", "clock", "enable")}
        return instance("padding", "padding", sizes, {**fields, **same, "bytes": "read_bytes"})

    def no_softmax(self) -> list[str]:
        return [
            "    assign softmax_last = 1'b0;",
            "    assign read_address = walk_address;",
            "    assign write_address = results_address;",
            "    assign write_count = results_count;",
            "    assign write_bytes = results_bytes;",
        ]

    def softmax(self) -> list[str]:
        front = self.front
        sizes = {
            "ADDRESS": self.sizes.address,
            "ROWS": front["softmax_rows"].width,
            "SIZE": front["softmax_size"].width,
            "RESULTS": self.schedule.lanes.results,
            "COUNT": self.sizes.count,
            "NUMBER": front["softmax_number"].width,
            "WORDS": len(self.roms["powers"][0]),
            "INDEX": unsigned_bits(len(self.roms["powers"][0]) - 1),
            "FILE": self.file("powers"),
        }
        fields = {
            each: f"front_held_softmax_{each}" for each in ("source", "target", "rows", "size", "number")
        }
        ports = {
            **CLOCKED,
            "run": "softmax_run",
            **fields,
            "x": "x[7:0]",
            "last": "softmax_last",
            "other_read_address": "walk_address",
            "read_address": "read_address",
            "other_write_address": "results_address",
            "other_count": "results_count",
            "other_bytes": "results_bytes",
            "write_address": "write_address",
            "count": "write_count",
            "bytes": "write_bytes",
        }
        return instance("softmax_i8", "softmax", sizes, ports)

    def units_text(self) -> list[str]:
        """What computes tiles from steps: their sums, P lanes' and Q of table entries."""
        lines = [wire(1, "load", "step_in", "first_in"), "    assign {step_in, first_in, load} = step_5;"]
        if self.has_lanes:
            lines += self.lanes()
        if Unit.TABLE in self.units:
            lines += self.tables()
        return lines

    def lanes(self) -> list[str]:
        lanes = self.schedule.lanes.count
        lines = [wire(self.widths.lane * lanes, "sums"), wire(8 * lanes, "weights")]
        ones_lines, ones = self.later("ones", 3)
        spread_lines, spread = self.later("spread", 3)
        most_lines, most = self.later("most", DRAINED)
        if self.has_weights:
            count = len(self.schedule.roms.weights)
            width = unsigned_bits(count - 1)
            lines += delay(width, 2, part("word", self.word, width), "word_2")
            sizes = {"WIDTH": 8 * lanes, "WORDS": count, "ADDRESS": width, "FILE": self.file("weights")}
            lines += instance(
                "rom", "weight_words", sizes, {"clock": "clock", "address": "word_2", "word": "weights"}
            )
        else:
            lines += [f"    assign weights = {8 * lanes}'d0;"]
        parameters = {
            "LANES": lanes,
            "BYTES": self.sizes.read,
            "WIDE": self.front["spread"].width,
            "BITS": self.widths.lane,
            "MOST": int(Unit.MOST in self.units),
        }
        ports = {
            **CLOCKED,
            "x": "x",
            "weights": "weights",
            "ones": ones,
            "spread": spread,
            "step": "step_in",
            "first": "first_in",
            "last": "load",
            "most": most,
            "sums": "sums",
        }
        return [
            *lines,
            *ones_lines,
            *spread_lines,
            *most_lines,
            *instance("lanes", "lanes", parameters, ports),
        ]

    def tables(self) -> list[str]:
        results, tables = self.schedule.lanes.results, self.schedule.roms.tables
        number = unsigned_bits(len(tables) - 1)
        sizes = {
            "RESULTS": results,
            "NUMBER": number,
            "WORDS": tables.size,
            "INDEX": unsigned_bits(tables.size - 1),
            "ENTRY": self.entry,
            "BITS": self.entries,
            "FILE": self.file("tables"),
        }
        ports = {
            **CLOCKED,
            "x": part("x", 8 * self.sizes.read, 8 * results),
            "number": "number_3",
            "step": "step_in",
            "last": "load",
            "sums": "entries",
        }
        return [
            wire(self.entries * results, "entries"),
            *delay(number, 3, part("word", self.word, number), "number_3"),
            *instance("tables", "tables", sizes, ports),
        ]

    @property
    def entries(self) -> int:
        """Bits of a sum of table entries; 0 where there are none."""
        return max(self.widths.entries, self.entry) if self.entry else 0

    def back_half(self) -> list[str]:
        results = self.schedule.lanes.results
        return [
            wire(1, "begins", "beat", "tile_end", "row_end"),
            wire(self.back["params"].width, "params_word"),
            wire(self.widths.result * results, "results"),
            wire(8 * results, "values"),
            *self.beats(),
            *self.drain(),
            *self.params(),
            *self.requantizers(),
            *delay(3, REQUANTIZED, "{beat, tile_end, row_end}", "beat_9"),
            *self.writer(),
        ]

    def beats(self) -> list[str]:
        sizes = {"CYCLE": CYCLE_BITS, "TILE": self.back["tiles"].width, "WORD": self.back["params"].width}
        fields = ("tiles", "params", "by_beat", "by_row", "last_cycle", "phase_mask")
        ports = {
            **CLOCKED,
            "load": "load",
            "take": "take",
            "next_tiles": "back_next_tiles",
            "next_params": "back_next_params",
            **{each: f"back_held_{each}" for each in fields},
            **{each: each for each in ("begins", "beat", "tile_end", "row_end")},
            "word": "params_word",
        }
        return instance("beats", "beats", sizes, ports)

    def drain(self) -> list[str]:
        lanes = self.schedule.lanes
        gathers = any(value for value in self.back["phase_mask"].values)
        parameters = {
            "LANES": lanes.count,
            "RESULTS": lanes.results,
            "FOLD": lanes.results.bit_length() - 1,
            "MERGE": self.back["merge"].width,
            "BITS": self.widths.lane,
            "WIDTH": self.widths.result,
            "GATHER": int(gathers),
            "LANED": int(self.has_lanes),
            "ENTRY": self.entries,
        }
        tables_lines, tables = self.later("tables", DRAINED)
        ports = {
            "clock": "clock",
            "load": "load",
            "tables": tables,
            "begins": "begins",
            "merge": "back_held_merge",
            "sums": "sums" if self.has_lanes else f"{self.widths.lane * lanes.count}'d0",
            "entries": "entries" if self.entries else f"{lanes.results}'d0",
            "results": "results",
        }
        return [*tables_lines, *instance("drain", "drain", parameters, ports)]

    def params(self) -> list[str]:
        if not self.layout.result:
            return []
        width = self.layout.result * self.schedule.lanes.results
        count = len(self.roms["params"][0])
        address = unsigned_bits(count - 1)
        sizes = {"WIDTH": width, "WORDS": count, "ADDRESS": address, "FILE": self.file("params")}
        word = part("params_word", self.back["params"].width, address)
        ports = {"clock": "clock", "address": word, "word": "params_read"}
        return [
            wire(width, "params_read"),
            *instance("rom", "param_words", sizes, ports),
            *delay(width, 1, "params_read", "param"),
        ]

    def requantizers(self) -> list[str]:
        return [line for at in range(self.schedule.lanes.results) for line in self.requantizer(at)]

    def requantizer(self, at: int) -> list[str]:
        layout, widths, scales = self.layout, self.widths, self.scales
        amount = unsigned_bits(scales.most_amount - scales.least_amount)
        thirty = widths.shifted + 1
        nudged = max(thirty + 1, scales.most_amount + 1, scales.least_amount + 10)
        parameters = {
            "RESULT": widths.result,
            "BIAS": layout.bias or 2,
            "SUM": widths.sum,
            "LEFT": unsigned_bits(scales.most_left) if scales.most_left else 0,
            "SHIFTED": widths.shifted,
            "AMOUNT": amount,
            "AMOUNT_LEAST": scales.least_amount,
            "NUDGED": nudged,
            "EACH": int(layout.multiplier > 0),
        }
        fields = ("twice", "zero", "lo", "hi", "least", "most")
        ports = {
            "clock": "clock",
            "result": f"results[{widths.result * at}+:{widths.result}]",
            **self.scale(at),
            **{each: f"back_held_{each}" for each in fields},
            "value": f"values[{8 * at}+:8]",
        }
        return instance("requantizer", f"requantizer_{at}", parameters, ports)

    def scale(self, at: int) -> dict[str, str]:
        layout, found = self.layout, {}
        place = layout.result * at
        for name in ("bias", "multiplier", "left", "amount"):
            width = getattr(layout, name)
            found[name] = f"param[{place}+:{width}]" if width else f"back_held_{name}"
            place += width
        if not layout.bias:
            found["bias"] = "2'd0"
        return found

    def writer(self) -> list[str]:
        sizes = {
            "RESULTS": self.schedule.lanes.results,
            "COUNT": self.sizes.count,
            "ADDRESS": self.sizes.address,
            "COLUMNS": self.back["columns"].width,
        }
        ports = {
            "clock": "clock",
            "load": "take",
            "next_output": "back_next_output",
            "next_columns": "back_next_columns",
            **{each: f"back_held_{each}" for each in ("columns", "skip", "take")},
            "beat": "beat_9[2]",
            "tile_end": "beat_9[1]",
            "row_end": "beat_9[0]",
            "results": "values",
            **{each: each for each in ("accept", "in_data", "single")},
            "address": "results_address",
            "count": "results_count",
            "bytes": "results_bytes",
        }
        return instance("writer", "writer", sizes, ports)


def part(name: str, width: int, wanted: int) -> str:
    """The lowest bits."""
    assert wanted <= width, (name, width, wanted)
    return name if wanted == width else f"{name}[{wanted - 1}:0]"
