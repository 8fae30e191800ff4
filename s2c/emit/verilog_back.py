"""The back half of a chip's top module: from a tile's sums to bytes in the arena"""

from __future__ import annotations

from collections.abc import Mapping

from s2c.emit.verilog_chip import DRAINED, Chip
from s2c.emit.verilog_front import later
from s2c.emit.verilog_text import CLOCKED, Parameters, delay, instance, part, wire
from s2c.silicon.back_program import cycle_bits
from s2c.silicon.datapath import unsigned_bits

REQUANTIZED = 9  # cycles from a tile's draining to its bytes


def back_half(chip: Chip) -> list[str]:
    return [*requantize(chip), *writer(chip)]


def requantize(chip: Chip) -> list[str]:
    """All but the writer."""
    return [
        wire(1, "begins", "beat", "tile_end", "row_end"),
        wire(chip.back["params"].width, "params_word"),
        wire(chip.widths.result * chip.schedule.lanes.results, "results"),
        wire(8 * chip.results, "values"),
        *beats(chip),
        *drain(chip),
        *params(chip),
        *requantizers(chip),
        *delay(3, REQUANTIZED, "{beat, tile_end, row_end}", "beat_9"),
    ]


def beats(chip: Chip) -> list[str]:
    sizes: Parameters = {
        "CYCLE": cycle_bits(chip.schedule.lanes),
        "TILE": chip.back["tiles"].width,
        "WORD": chip.back["params"].width,
    }
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


def drain(chip: Chip) -> list[str]:
    lanes = chip.schedule.lanes
    gathers = any(value for value in chip.back["phase_mask"].values)
    parameters: Parameters = {
        "LANES": lanes.count,
        "RESULTS": lanes.results,
        "FOLD": lanes.results.bit_length() - 1,
        "MERGE": chip.back["merge"].width,
        "BITS": chip.widths.lane,
        "WIDTH": chip.widths.result,
        "GATHER": int(gathers),
        "LANED": int(chip.has_lanes),
        "ENTRY": chip.entries,
    }
    tables_lines, tables = later(chip, "tables", DRAINED)
    ports = {
        "clock": "clock",
        "load": "load",
        "tables": tables,
        "begins": "begins",
        "merge": "back_held_merge",
        "sums": "sums" if chip.has_lanes else f"{chip.widths.lane * lanes.count}'d0",
        "entries": "entries" if chip.entries else f"{lanes.results}'d0",
        "results": "results",
    }
    return [*tables_lines, *instance("drain", "drain", parameters, ports)]


def params(chip: Chip) -> list[str]:
    if not chip.layout.result:
        return []
    width = chip.layout.result * chip.results
    address = chip.address("params")
    sizes: Parameters = {"WIDTH": width, "ADDRESS": address, **chip.pages("params")}
    word = part("params_word", chip.back["params"].width, address)
    ports = {"clock": "clock", "address": word, "word": "param"}
    return [wire(width, "param"), *instance("paged_rom", "param_words", sizes, ports)]


def requantizers(chip: Chip) -> list[str]:
    return [line for at in range(chip.results) for line in requantizer(chip, at)]


def requantizer(chip: Chip, at: int) -> list[str]:
    layout, widths, scales = chip.layout, chip.widths, chip.scales
    amount = unsigned_bits(scales.most_amount - scales.least_amount)
    thirty = widths.shifted + 1
    nudged = max(thirty + 1, scales.most_amount + 1, scales.least_amount + 10)
    parameters: Parameters = {
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
        **scale(chip, at),
        **{each: f"back_held_{each}" for each in fields},
        "value": f"values[{8 * at}+:8]",
    }
    return instance("requantizer", f"requantizer_{at}", parameters, ports)


def scale(chip: Chip, at: int) -> dict[str, str]:
    layout, found = chip.layout, {}
    place = layout.result * at
    for name in ("bias", "multiplier", "left", "amount"):
        width = getattr(layout, name)
        found[name] = f"param[{place}+:{width}]" if width else f"back_held_{name}"
        place += width
    if not layout.bias:
        found["bias"] = "2'd0"
    return found


def writer(chip: Chip) -> list[str]:
    ports = {
        "load": "take",
        "next_output": "back_next_output",
        "next_columns": "back_next_columns",
        "skip": "back_held_skip",
        **{each: each for each in ("accept", "in_data", "single")},
        "address": "results_address",
        "count": "results_count",
        "bytes": "results_bytes",
    }
    return write(chip, chip.sizes.address, ports)


def write(chip: Chip, address: int, ports: Mapping[str, str]) -> list[str]:
    """ports: of the writer, those of the results aside. address: bits."""
    sizes: Parameters = {
        "RESULTS": chip.results,
        "COUNT": chip.sizes.count,
        "ADDRESS": address,
        "COLUMNS": chip.back["columns"].width,
    }
    results = {
        "clock": "clock",
        **{each: f"back_held_{each}" for each in ("columns", "take")},
        "beat": "beat_9[2]",
        "tile_end": "beat_9[1]",
        "row_end": "beat_9[0]",
        "results": "values",
    }
    return instance("writer", "writer", sizes, {**results, **ports})
