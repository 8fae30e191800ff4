"""The front half of a chip's top module: control, addresses, the arena"""

from __future__ import annotations

from collections.abc import Mapping

from s2c.emit.verilog_chip import DRAINED, Chip
from s2c.emit.verilog_text import CLOCKED, Parameters, delay, instance, literal, together, wire
from s2c.silicon.datapath import unsigned_bits
from s2c.silicon.fields import join_bits
from s2c.silicon.instructions import Unit


def later(chip: Chip, name: str, cycles: int) -> tuple[list[str], str]:
    """A field of the front half, so many cycles behind its step: the lines that make it, and its name."""
    field = chip.front[name]
    if field.is_constant:
        return [], literal(field.width, field.values[0])
    return delay(field.width, cycles, f"front_held_{name}", f"{name}_{cycles}"), f"{name}_{cycles}"


def control(chip: Chip) -> list[str]:
    """Who may go on: the front half, what comes in, what goes out."""
    lines = [
        wire(1, "start", "running", "step", "compute", "softmax_run", "softmax_last", "sending"),
        wire(1, "first", "last", "opens", "pause", "enable", "occupied", "accept", "single"),
        wire(chip.loops, "at_end", "advance"),
        wire(chip.word, "word"),
    ]
    sender = ("running", "sending", "out_ready", "out_valid", "occupied", "pause", "enable")
    receiver = ("occupied", "in_valid", "single", "in_ready", "accept", "take", "start")
    return [
        *lines,
        *delay(3, DRAINED, "{compute, first, last}", "step_5"),
        *delay(1, DRAINED, "opens", "opens_5"),
        *loop_counters(chip),
        *sequencer(chip),
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


def loop_counters(chip: Chip) -> list[str]:
    bits = [chip.front[f"count_{level}"].width for level in range(chip.loops)]
    counts: Parameters = {
        "WIDTH": sum(bits),
        "LOOPS": chip.loops,
        "BITS": f"{8 * len(bits)}'h{join_bits([(each, 8) for each in bits]):x}",
    }
    loops = {
        "clock": "clock",
        "load": "fetch",
        "step": "step",
        "next_counts": together(chip.front, "front_next", "count", chip.loops),
        "counts": together(chip.front, "front_held", "count", chip.loops),
        "at_end": "at_end",
        "advance": "advance",
    }
    return instance("loops", "loops", counts, loops)


def sequencer(chip: Chip) -> list[str]:
    sizes: Parameters = {"LOOPS": chip.loops, "IDLE": chip.front["wait"].width, "WORD": chip.word}
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
            "tile_loops": together(chip.front, "front_held", "of_tile", chip.loops),
            "row_loops": together(chip.front, "front_held", "of_row", chip.loops),
            **fields,
            "softmax_run": "softmax_run",
            **{each: each for each in (*same, *more)},
        },
    )


def walker(chip: Chip) -> list[str]:
    """Where a step reads."""
    lines = cursor(chip, "address", "stride", "walk_address")
    if chip.has_padding:
        lines += cursor(chip, "line", "line_stride", "line")
        lines += cursor(chip, "offset", "offset_stride", "offset")
    return lines


def cursor(chip: Chip, first: str, stride: str, place: str) -> list[str]:
    width = chip.front[first].width
    ports = {
        "clock": "clock",
        "load": "fetch",
        "first": f"front_next_{first}",
        "advance": "advance",
        "strides": together(chip.front, "front_held", stride, chip.loops),
        "place": place,
    }
    return [
        wire(width, place),
        *instance("cursor", f"cursor_{first}", {"WIDTH": width, "LOOPS": chip.loops}, ports),
    ]


def arena(chip: Chip) -> list[str]:
    """Its ports, and the bytes of a step."""
    sizes, results = chip.sizes, chip.schedule.lanes.results
    parameters: Parameters = {
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
        *padding(chip),
        *(softmax(chip) if Unit.SOFTMAX in chip.units else no_softmax(chip)),
        "    assign out_data = x[7:0];",
    ]


def padding(chip: Chip) -> list[str]:
    if not chip.has_padding:
        return instance(
            "reader",
            "reader",
            {"BYTES": chip.sizes.read},
            {"clock": "clock", "enable": "enable", "bytes": "read_bytes", "x": "x"},
        )
    sizes: Parameters = {
        "BYTES": chip.sizes.read,
        "COUNT": unsigned_bits(chip.sizes.read),
        "LINE": chip.front["line"].width,
        "OFFSET": chip.front["offset"].width,
    }
    fields = {each: f"front_held_{each}" for each in ("image", "lines", "row", "value")}
    same = {each: each for each in ("line", "offset", "x", "clock", "enable")}
    return instance("padding", "padding", sizes, {**fields, **same, "bytes": "read_bytes"})


def no_softmax(chip: Chip) -> list[str]:
    return [
        "    assign softmax_last = 1'b0;",
        "    assign read_address = walk_address;",
        "    assign write_address = results_address;",
        "    assign write_count = results_count;",
        "    assign write_bytes = results_bytes;",
    ]


def softmax(chip: Chip) -> list[str]:
    ports = {
        "source": "front_held_softmax_source",
        "target": "front_held_softmax_target",
        "other_read_address": "walk_address",
        "read_address": "read_address",
        "other_write_address": "results_address",
        "other_count": "results_count",
        "other_bytes": "results_bytes",
        "write_address": "write_address",
        "count": "write_count",
        "bytes": "write_bytes",
    }
    return softmax_unit(chip, chip.sizes.address, chip.schedule.lanes.results, ports)


def softmax_unit(chip: Chip, address: int, results: int, ports: Mapping[str, str]) -> list[str]:
    """ports: its addresses, and what it writes. address: bits. results: that are written at once."""
    front = chip.front
    sizes: Parameters = {
        "ADDRESS": address,
        "ROWS": front["softmax_rows"].width,
        "SIZE": front["softmax_size"].width,
        "RESULTS": results,
        "COUNT": chip.sizes.count,
        "NUMBER": front["softmax_number"].width,
        "INDEX": chip.address("powers"),
        **chip.pages("powers"),
    }
    fields = {each: f"front_held_softmax_{each}" for each in ("rows", "size", "number")}
    same = {**CLOCKED, "run": "softmax_run", **fields, "x": "x[7:0]", "last": "softmax_last"}
    return instance("softmax_i8", "softmax", sizes, {**same, **ports})
