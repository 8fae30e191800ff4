"""The middle of a chip's top module: lanes, tables"""

from __future__ import annotations

from s2c.emit.verilog_chip import DRAINED, Chip
from s2c.emit.verilog_front import later
from s2c.emit.verilog_text import CLOCKED, Parameters, delay, instance, part, wire
from s2c.silicon.datapath import unsigned_bits
from s2c.silicon.instructions import Unit


def units_text(chip: Chip) -> list[str]:
    """What computes tiles from steps: their sums, P lanes' and Q of table entries."""
    lines = [wire(1, "load", "step_in", "first_in"), "    assign {step_in, first_in, load} = step_5;"]
    if chip.has_lanes:
        lines += lanes(chip)
    if Unit.TABLE in chip.units:
        lines += tables(chip)
    return lines


def lanes(chip: Chip) -> list[str]:
    lanes = chip.schedule.lanes.count
    lines = [wire(chip.widths.lane * lanes, "sums")]
    ones_lines, ones = later(chip, "ones", 3)
    spread_lines, spread = later(chip, "spread", 3)
    most_lines, most = later(chip, "most", DRAINED)
    lines += weights(chip) if chip.has_weights else [wire(8 * lanes, f"weights = {8 * lanes}'d0")]
    parameters: Parameters = {
        "LANES": lanes,
        "BYTES": chip.sizes.read,
        "WIDE": chip.front["spread"].width,
        "BITS": chip.widths.lane,
        "MOST": int(Unit.MOST in chip.units),
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


def weights(chip: Chip) -> list[str]:
    """In time for x behind its last register; of a deep ROM, with a register behind the or of its pages."""
    words, bits = chip.roms["weights"]
    width = chip.address("weights")
    word = part("word", chip.word, width)
    sizes: Parameters = {"WIDTH": bits, "ADDRESS": width}
    if len(words) > chip.page:
        ports = {"clock": "clock", "address": word, "word": "weights_2"}
        return [
            wire(bits, "weights_2"),
            *instance("paged_rom", "weight_words", {**sizes, **chip.pages("weights")}, ports),
            *delay(bits, 1, "weights_2", "weights"),
        ]
    file: Parameters = {"WORDS": len(words), "FILE": chip.file("weights")}
    ports = {"clock": "clock", "address": "word_2", "word": "weights"}
    return [
        wire(bits, "weights"),
        *delay(width, 2, word, "word_2"),
        *instance("rom", "weight_words", {**sizes, **file}, ports),
    ]


def tables(chip: Chip) -> list[str]:
    results, tables = chip.schedule.lanes.results, chip.schedule.roms.tables
    number = unsigned_bits(len(tables) - 1)
    sizes: Parameters = {
        "RESULTS": results,
        "NUMBER": number,
        "INDEX": chip.address("tables"),
        "ENTRY": chip.entry,
        "BITS": chip.entries,
        **chip.pages("tables"),
    }
    ports = {
        **CLOCKED,
        "x": part("x", 8 * chip.sizes.read, 8 * results),
        "number": "number_3",
        "step": "step_in",
        "last": "load",
        "sums": "entries",
    }
    return [
        wire(chip.entries * results, "entries"),
        *delay(number, 3, part("word", chip.word, number), "number_3"),
        *instance("tables", "tables", sizes, ports),
    ]
