"""Cycles of a chip, as a table."""

from __future__ import annotations

from rich.console import Group

from s2c.bench import Cycles
from s2c.report import make_table


def describe_cycles(result: Cycles) -> list[Group]:
    """Layer by layer; a count that the model did not keep to is in the title."""

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
    return [make_table(title, headers, rows)]
