"""Cycles of a chip, as a table."""

from __future__ import annotations

from rich.console import Group

from s2c.bench import Cycles, StageCycles, StreamCycles
from s2c.report import make_facts, make_table


def describe_cycles(result: Cycles | StreamCycles) -> list[Group]:
    """Layer by layer; a count that the model did not keep to stands beside the one that was predicted."""
    return describe_stream(result) if isinstance(result, StreamCycles) else [describe_datapath(result)]


def describe_datapath(result: Cycles) -> Group:
    def row(name: str, kernel: str, macs: int, cycles: int, microseconds: float | None) -> tuple[str, ...]:
        used = f"{macs / (result.lanes * cycles):.1%}" if macs else ""
        times = () if microseconds is None else (f"{microseconds:,.2f}",)
        return name, kernel, f"{macs:,}", f"{cycles:,}", used, f"{cycles / result.cycles:.1%}", *times

    def time_of(cycles: int) -> float | None:
        return result.megahertz and cycles / result.megahertz

    rows = [row(each.layer, each.kernel, each.macs, each.cycles, each.microseconds) for each in result.layers]
    rows.append(row("start and end", "", 0, result.ends, time_of(result.ends)))
    rows.append(row("all", "", result.macs, result.cycles, time_of(result.cycles)))
    headers = ["layer", "kernel", "MACs", "cycles", "lanes used", "share"]
    if result.megahertz:
        headers.append(f"µs at {result.megahertz:g} MHz")
    title = f"cycles on {result.target}, {result.lanes} lanes"
    if result.cycles != result.predicted:
        title += f": not the {result.predicted:,} that were predicted"
    return make_table(title, headers, rows)


def describe_stream(result: StreamCycles) -> list[Group]:
    def row(each: StageCycles) -> tuple[str, ...]:
        used = f"{each.utilisation:.1%}" if each.macs else ""
        figures = (each.macs, each.lanes, each.start, each.cycles)
        return each.layer, each.kernel, *(f"{figure:,}" for figure in figures), used, f"{each.share:.1%}"

    headers = ("layer", "kernel", "MACs", "lanes", "first cycle", "cycles", "lanes used", "busy")
    title = f"stages on {result.target}, {result.lanes} lanes that multiply"
    return [make_table(title, headers, [row(each) for each in result.layers]), describe_pace(result)]


def describe_pace(result: StreamCycles) -> Group:
    """The latency, and how often a result comes."""

    def text(cycles: int, predicted: int, microseconds: float | None) -> str:
        time = "" if microseconds is None else f", {microseconds:,.2f} µs at {result.megahertz:g} MHz"
        other = "" if cycles == predicted else f": not the {predicted:,} that were predicted"
        return f"{cycles:,} cycles{time}{other}"

    facts = {
        "latency": text(result.cycles, result.predicted, result.microseconds),
        "a result every": text(result.interval, result.predicted_interval, result.interval_microseconds),
        "lanes used": f"{result.utilisation:.1%}",
    }
    return make_facts("", facts)
