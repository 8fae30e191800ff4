"""Stream -> Verilog: a module for each stage, and a top module of frames that come, start and go"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from s2c.emit.text import comment_text
from s2c.emit.verilog import rom_files, text_files
from s2c.emit.verilog_chip import PAGE
from s2c.emit.verilog_stage import StageChip, Store, ring, stage_module, write_wires
from s2c.emit.verilog_text import CLOCKED, Parameters, delay, instance, part, wire
from s2c.silicon.datapath import unsigned_bits
from s2c.silicon.sizes import find_transfers
from s2c.silicon.stream import Stream, results_at_once

INSIDE = {"clock": "clock", "reset": "clear"}


def emit_stream(stream: Stream, name: str, title: str, page: int = PAGE) -> dict[str, str]:
    """As emit_verilog does of a Schedule. ROMs are named after their stages: NAME.stage_2.weights.hex."""
    net = Net(stream, name, page)
    files: dict[str, str] = {}
    for each in net.stages:
        files |= rom_files(each.chip, {})
    modules = [stage_module(each) for each in net.stages]
    return {**files, **text_files("\n".join(body(net)), name, title, stream.plan, modules)}


@dataclass(frozen=True)
class Net:
    """page: words of its ROMs' pages."""

    stream: Stream
    name: str
    page: int

    @cached_property
    def stages(self) -> tuple[StageChip, ...]:
        return tuple(
            StageChip(
                stage=stage,
                number=number,
                net=self.name,
                written=tuple(self.written(each.source) for each in stage.rings),
                address=self.address(number),
                page=self.page,
            )
            for number, stage in enumerate(self.stream.stages)
        )

    @cached_property
    def outputs(self) -> tuple[Store, ...]:
        return tuple(Store(each, self.written(each.source)) for each in self.stream.outputs)

    def written(self, source: int) -> int:
        """Bytes that it writes at once."""
        return 1 if source < 0 else results_at_once(self.stream.stages[source].schedule)

    def address(self, source: int) -> int:
        """Bits of the largest ring that it writes; 1 where there is none."""
        stages = [each for stage in self.stream.stages for each in stage.rings]
        rings = [each for each in (*stages, *self.stream.outputs) if each.source == source]
        return max((unsigned_bits(each.capacity - 1) for each in rings), default=1)


def body(net: Net) -> list[str]:
    parts = [
        launches(net),
        tallies(net),
        inputs(net),
        [line for each in net.stages for line in stage(net, each)],
        starts(net),
        outputs(net),
        [f"    wire unused = &{{1'b0, {', '.join(unused(net))}}};"],
    ]
    return [line for each in parts for line in ("", *each)]


def launches(net: Net) -> list[str]:
    interval = net.stream.interval
    sizes: Parameters = {"INTERVAL": interval, "BITS": unsigned_bits(interval - 1)}
    inside = ("complete", "full", "under_way", "clear", "accept", "launch")
    ports = {**CLOCKED, **{each: each for each in ("in_valid", "in_ready", "busy", *inside)}}
    return [wire(1, *inside), *instance("launcher", "launcher", sizes, ports)]


def tallies(net: Net) -> list[str]:
    """Of frames: those that the output rings have room for, those that are computed, those that are sent."""
    return [
        wire(1, "finished", "sent", "waiting", "launched_any", "under_way_full", "waiting_full"),
        *tally(net, "launched", "launch", "sent", "launched_any", "full"),
        *tally(net, "under_way", "launch", "finished", "under_way", "under_way_full"),
        *tally(net, "waiting", "finished", "sent", "waiting", "waiting_full"),
    ]


def tally(net: Net, name: str, came: str, gone: str, any_: str, full: str) -> list[str]:
    frames = net.stream.frames
    sizes: Parameters = {"MOST": frames, "BITS": unsigned_bits(frames)}
    ports = {**INSIDE, "came": came, "gone": gone, "any": any_, "full": full}
    return instance("tally", f"tally_{name}", sizes, ports)


def inputs(net: Net) -> list[str]:
    """Their bytes reach the rings one cycle after they came."""
    transfers, _ = find_transfers(net.stream.plan)
    lines = [*delay_inside(8, "in_data", "in_byte")]
    for number, each in enumerate(transfers):
        name, bits = f"input_{number}", net.address(~number)
        lines += [
            *transfer("input", number, len(transfers), each.size, bits, "accept"),
            *delay_inside(bits, f"{name}_place", f"{name}_write_address"),
            *delay_inside(1, f"{name}_moves", f"{name}_write_count"),
            wire(8, f"{name}_write_bytes = in_byte"),
        ]
    return [*lines, f"    assign complete = input_{len(transfers) - 1}_ends;"]


def delay_inside(width: int, source: str, target: str) -> list[str]:
    return delay(width, 1, source, target, "clear")


def transfer(kind: str, number: int, count: int, size: int, address: int, move: str) -> list[str]:
    """Of the input or output `number`, of so many that take turns; address: bits."""
    name = f"{kind}_{number}"
    sizes: Parameters = {
        "BYTES": size,
        "BITS": unsigned_bits(size - 1),
        "ADDRESS": address,
        "FIRST": int(number == 0),
    }
    results = ("turn", "moves", "ends")
    ports = {
        **INSIDE,
        "move": move,
        "begins": f"{kind}_{(number - 1) % count}_ends",
        **{each: f"{name}_{each}" for each in (*results, "place")},
    }
    return [
        wire(1, *(f"{name}_{each}" for each in results)),
        wire(address, f"{name}_place"),
        *instance("transfer", name, sizes, ports),
    ]


def source_name(source: int) -> str:
    return f"input_{~source}_write" if source < 0 else f"stage_{source}_write"


def write_ports(net: Net, store: Store) -> dict[str, str]:
    """Of the arena that a ring is."""
    name, source = source_name(store.ring.source), store.ring.source
    return {
        "address": part(f"{name}_address", net.address(source), store.address),
        "count": f"{name}_count",
        "bytes": f"{name}_bytes",
    }


def stage(net: Net, own: StageChip) -> list[str]:
    prefix = f"stage_{own.number}_"
    operands = {
        f"ring_{at}_{name}": value
        for at, store in enumerate(own.stores)
        for name, value in write_ports(net, store).items()
    }
    results = {f"write_{each}": f"{prefix}write_{each}" for each in ("address", "count", "bytes")}
    ports = {**INSIDE, "fetch": f"{prefix}fetch", **operands, **results}
    return [
        f"    /* {comment_text(own.stage.layer)} */",
        wire(1, f"{prefix}fetch"),
        *write_wires(own.address, own.results, prefix),
        *instance(own.module, own.module, {}, ports),
    ]


def starts(net: Net) -> list[str]:
    """A chain of pulses, each so many cycles behind the one before: one in the cycle before a stage's first
    step, and one before the first cycle in which all outputs can be read."""
    stream = net.stream
    events = [(each.start - 1, f"stage_{at}_fetch") for at, each in enumerate(stream.stages)]
    lines: list[str] = []
    now, name = 0, "launch"
    for cycle, event in sorted([*events, (stream.finish - 1, "finished")]):
        while cycle - now > 0:
            cycles = min(cycle - now, stream.interval)
            now += cycles
            lines += token(cycles, name, f"launch_{now}")
            name = f"launch_{now}"
        lines.append(f"    assign {event} = {name};")
    return lines


def token(cycles: int, early: str, late: str) -> list[str]:
    sizes: Parameters = {"CYCLES": cycles, "BITS": unsigned_bits(cycles)}
    ports = {**INSIDE, "early": early, "late": late}
    return [wire(1, late), *instance("token", f"token_{late}", sizes, ports)]


def outputs(net: Net) -> list[str]:
    _, transfers = find_transfers(net.stream.plan)
    count = len(transfers)
    dispatch = ("waiting", "out_ready", "out_valid", "enable", "sending")
    lines = [
        wire(1, "enable", "sending"),
        *instance("dispatch", "dispatch", {}, {**INSIDE, **{each: each for each in dispatch}}),
    ]
    for number, (each, store) in enumerate(zip(transfers, net.outputs, strict=True)):
        name = f"output_{number}"
        lines += transfer("output", number, count, each.size, store.address, "sending")
        lines += ring(store, f"{name}_ring", f"{name}_place", write_ports(net, store), "enable")
    numbers = range(count)
    ports = {
        "clock": "clock",
        "enable": "enable",
        "turn": joined(f"output_{each}_turn" for each in numbers),
        "bytes": joined(f"output_{each}_ring_read[7:0]" for each in numbers),
        "out_data": "out_data",
    }
    return [
        *lines,
        *instance("collector", "collector", {"OUTPUTS": count}, ports),
        f"    assign sent = output_{count - 1}_ends;",
    ]


def joined(names: Iterable[str]) -> str:
    """The first lowest."""
    return "{" + ", ".join(reversed(list(names))) + "}"


def unused(net: Net) -> list[str]:
    """What some nets have no use for."""
    tallied = ["launched_any", "under_way_full", "waiting_full"]
    moves = [f"output_{each}_moves" for each in range(len(net.outputs))]
    turns = [f"input_{each}_turn" for each in range(len(net.stream.plan.inputs))]
    wide = [f"output_{at}_ring_read" for at, each in enumerate(net.outputs) if each.ring.width > 1]
    return [*tallied, *moves, *turns, *wide, *unread(net)]


def unread(net: Net) -> list[str]:
    """Of inputs on which no output depends."""
    rings = [each for stage in net.stream.stages for each in stage.rings]
    sources = {each.source for each in (*rings, *net.stream.outputs)}
    names = [source_name(~each) for each in range(len(net.stream.plan.inputs)) if ~each not in sources]
    return [f"{name}_{each}" for name in names for each in ("address", "count", "bytes")]
