"""A stage of a Stream -> a module: its operands' rings, one instruction that never changes, its results"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from s2c.emit.verilog import words_of
from s2c.emit.verilog_back import requantize, write
from s2c.emit.verilog_chip import DRAINED, PAGE, Chip
from s2c.emit.verilog_front import loop_counters, padding, softmax_unit, walker
from s2c.emit.verilog_text import CLOCKED, Parameters, delay, instance, literal, part, together, wire
from s2c.emit.verilog_units import units_text
from s2c.silicon.datapath import unsigned_bits
from s2c.silicon.instructions import Unit
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import Sizes, read_width
from s2c.silicon.stream import Ring, Stage, results_at_once


@dataclass(frozen=True)
class Store:
    """A ring in hardware. written: bytes at once."""

    ring: Ring
    written: int

    @property
    def address(self) -> int:
        """Bits."""
        return unsigned_bits(self.ring.capacity - 1)

    @property
    def count(self) -> int:
        """Bits."""
        return unsigned_bits(self.written)


@dataclass(frozen=True)
class StageChip:
    """number: of the stage, which its module and ROMs are named after. written: bytes that come at once into
    each of its rings. address: bits of where its results go."""

    stage: Stage
    number: int
    net: str
    written: tuple[int, ...]
    address: int
    page: int = PAGE

    @property
    def module(self) -> str:
        return f"stage_{self.number}"

    @property
    def stores(self) -> tuple[Store, ...]:
        return tuple(map(Store, self.stage.rings, self.written))

    @property
    def results(self) -> int:
        return results_at_once(self.stage.schedule)

    @property
    def is_softmax(self) -> bool:
        return self.stage.instruction.front.unit == Unit.SOFTMAX

    @cached_property
    def chip(self) -> Chip:
        front, lanes = self.stage.instruction.front, self.stage.schedule.lanes
        largest = max(self.stores, key=lambda each: each.address)
        rows = largest.ring.capacity // largest.ring.width
        sizes = Sizes(read_width(front, lanes), rows, largest.address, unsigned_bits(self.results))
        name = f"{self.net}.{self.module}"
        return Chip(with_results(self.stage.schedule, self.results), name, self.page, sizes)


def with_results(schedule: Schedule, results: int) -> Schedule:
    """Without parameters of results that never come."""
    roms = schedule.roms
    columns = {each: getattr(roms, each)[:, :results] for each in ("bias", "multiplier", "shift")}
    return replace(schedule, roms=replace(roms, **columns))


def stage_module(own: StageChip) -> str:
    rest = softmax_stage(own) if own.is_softmax else lanes_stage(own)
    lines = [*constants(own.chip, words_of(rest)), *rest]
    return "\n".join([f"module s2c_{own.module} (", ",\n".join(ports(own)), ");", *lines, "endmodule", ""])


def ports(own: StageChip) -> list[str]:
    inputs = [*port_wires(own.stores), wire(1, "clock"), wire(1, "reset"), wire(1, "fetch")]
    outputs = write_wires(own.address, own.results)
    return [
        f"    {way} {each.strip(' ;')}"
        for way, wires in (("input", inputs), ("output", outputs))
        for each in wires
    ]


def port_wires(stores: Sequence[Store]) -> list[str]:
    """What is written into each ring, and where."""
    return [
        line
        for at, store in enumerate(stores)
        for line in (
            wire(store.address, f"ring_{at}_address"),
            wire(store.count, f"ring_{at}_count"),
            wire(8 * store.written, f"ring_{at}_bytes"),
        )
    ]


def write_wires(address: int, results: int, prefix: str = "") -> list[str]:
    """What a stage writes, and where."""
    return [
        wire(address, f"{prefix}write_address"),
        wire(unsigned_bits(results), f"{prefix}write_count"),
        wire(8 * results, f"{prefix}write_bytes"),
    ]


def constants(chip: Chip, used: Collection[str]) -> list[str]:
    """The fields of its instruction: but for its address, which each frame has its own of."""
    halves = {"front": chip.front, **({} if chip.units == {Unit.SOFTMAX} else {"back": chip.back})}
    return [
        wire(field.width, f"{half}_{when}_{field.name} = {literal(field.width, field.values[0])}")
        for half, fields in halves.items()
        for field in fields.values()
        for when in ("next", "held")
        if f"{half}_{when}_{field.name}" in used and field.name != "address"
    ]


def lanes_stage(own: StageChip) -> list[str]:
    chip = own.chip
    return [
        wire(1, "step", "first", "last", "opens", "single"),
        wire(chip.loops, "at_end", "advance"),
        wire(chip.word, "word"),
        wire(8 * chip.sizes.read, "read_bytes", "x"),
        wire(1, "enable = 1'b1"),
        *delay(3, DRAINED, "{step, first, last}", "step_5"),
        *delay(1, DRAINED, "opens", "take"),
        *loop_counters(chip),
        *pace(chip, "at_end"),
        *begin(
            chip.sizes.address,
            "front_next_address",
            own.stage.rings[0].frame,
            chip.front["address"].values[0],
        ),
        *walker(chip),
        *rings(own, "walk_address", chip.sizes.address),
        *operands(own),
        *padding(chip),
        *units_text(chip),
        *requantize(chip),
        *writer(own),
        f"    wire unused = &{{1'b0, {', '.join(unused(own))}}};",
    ]


def unused(own: StageChip) -> list[str]:
    """What some stages have no use for."""
    names = ("word", "params_word", "step_in", "first_in", "x", "results", "single", "first", "last")
    return [*names, *wide_reads(own)]


def wide_reads(own: StageChip) -> list[str]:
    """Of rings that are written more bytes at once than they are read."""
    read = own.chip.sizes.read
    return [f"ring_{at}_read" for at, store in enumerate(own.stores) if store.ring.width > read]


def begin(width: int, name: str, frame: int, offset: int) -> list[str]:
    """Where its frames begin."""
    mask = (1 << width) - 1
    sizes: Parameters = {
        "ADDRESS": width,
        "FRAME": literal(width, frame & mask),
        "OFFSET": literal(width, offset & mask),
    }
    ports = {**CLOCKED, "load": "fetch", "first": name}
    return [wire(width, name), *instance("frames", f"frames_{name}", sizes, ports)]


def pace(chip: Chip, at_end: str) -> list[str]:
    sizes: Parameters = {"LOOPS": chip.loops, "IDLE": chip.front["gap"].width, "WORD": chip.word}
    ports = {
        **CLOCKED,
        "load": "fetch",
        "at_end": at_end,
        "words": "front_held_words",
        "tile_loops": together(chip.front, "front_held", "of_tile", chip.loops),
        "row_loops": together(chip.front, "front_held", "of_row", chip.loops),
        "gap": "front_held_gap",
        **{each: each for each in ("step", "first", "last", "opens", "word")},
    }
    return instance("pace", "pace", sizes, ports)


def rings(own: StageChip, address: str, width: int) -> list[str]:
    """All are read at the same address, of which each takes as much as it is large. width: bits."""
    return [
        line
        for at, store in enumerate(own.stores)
        for line in ring(store, f"ring_{at}", part(address, width, store.address), write_ports(at), "1'b1")
    ]


def write_ports(at: int) -> dict[str, str]:
    return {each: f"ring_{at}_{each}" for each in ("address", "count", "bytes")}


def ring(store: Store, name: str, read_address: str, write: Mapping[str, str], enable: str) -> list[str]:
    """write: address, count and bytes of what is written."""
    width = store.ring.width
    sizes: Parameters = {
        "BANKS": width,
        "TURN": width.bit_length() - 1,
        "ROWS": store.ring.capacity // width,
        "ADDRESS": store.address,
        "RESULTS": store.written,
        "BACK": store.written.bit_length() - 1,
        "COUNT": store.count,
    }
    ports = {
        "clock": "clock",
        "enable": enable,
        "read_address": read_address,
        "read_bytes": f"{name}_read",
        **{f"write_{each}": wire for each, wire in write.items()},
    }
    return [wire(8 * width, f"{name}_read"), *instance("arena", name, sizes, ports)]


def operands(own: StageChip) -> list[str]:
    """The bytes of a step: of an addition, of one ring after the other."""
    read = own.chip.sizes.read
    found = [part(f"ring_{at}_read", 8 * store.ring.width, 8 * read) for at, store in enumerate(own.stores)]
    if len(found) == 1:
        return [f"    assign read_bytes = {found[0]};"]
    a, b = found
    ports = {"clock": "clock", "first": "first", "a": a, "b": b, "bytes": "read_bytes"}
    return instance("either", "operands", {"BYTES": read}, ports)


def writer(own: StageChip) -> list[str]:
    """From its first frame on it goes on and on."""
    ports = {
        "load": "reset",
        "next_output": f"{own.address}'d0",
        "next_columns": "back_held_columns",
        "skip": f"{own.address}'d0",
        "accept": "1'b0",
        "in_data": "8'd0",
        "single": "single",
        **{each: f"write_{each}" for each in ("address", "count", "bytes")},
    }
    return write(own.chip, own.address, ports)


def softmax_stage(own: StageChip) -> list[str]:
    """Its unit reads the only ring, and knows where a frame begins there and in the rings that it writes."""
    chip, front = own.chip, own.stage.instruction.front
    width = max(chip.sizes.address, own.address)
    place = part("place", width, own.address)
    unused = ["first", "last", "opens", "word", "read_address", "place", *wide_reads(own)]
    ports = {
        "source": "source",
        "target": "target",
        "other_read_address": f"{width}'d0",
        "read_address": "read_address",
        "other_write_address": f"{width}'d0",
        "other_count": "1'b0",
        "other_bytes": "8'd0",
        "write_address": "place",
        "count": "write_count",
        "bytes": "write_bytes",
    }
    return [
        wire(1, "softmax_run", "softmax_last", "first", "last", "opens", "word"),
        wire(width, "read_address", "place"),
        wire(8, "read_bytes", "x"),
        wire(1, "enable = 1'b1"),
        "    assign softmax_run = step;",
        wire(1, "step"),
        *pace(chip, "softmax_last"),
        *begin(width, "next_source", own.stage.rings[0].frame, front.address),
        *begin(width, "next_target", front.count * front.size, front.output),
        *still(width, "next_source", "source"),
        *still(width, "next_target", "target"),
        *rings(own, "read_address", width),
        *operands(own),
        *padding(chip),
        *softmax_unit(chip, width, 1, ports),
        f"    assign write_address = {place};",
        f"    wire unused = &{{1'b0, {', '.join(unused)}}};",
    ]


def still(width: int, first: str, place: str) -> list[str]:
    """A place that stays for a frame."""
    ports = {
        "clock": "clock",
        "load": "fetch",
        "first": first,
        "advance": "1'b0",
        "strides": literal(width, 0),
        "place": place,
    }
    return [wire(width, place), *instance("cursor", f"cursor_{place}", {"WIDTH": width}, ports)]
