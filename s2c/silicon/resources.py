"""A Synthesis to what the terminal shows."""

from __future__ import annotations

from rich.console import Group

from s2c.report import make_facts, make_table
from s2c.silicon.devices import RESOURCES
from s2c.silicon.synthesis import Synthesis


def describe_synthesis(result: Synthesis) -> tuple[Group, Group]:
    """What it takes, what its device has; how fast it is, and where the files are."""
    rows = [
        resource_row(result, each) for each in RESOURCES if each in result.available or getattr(result, each)
    ]
    if result.memory_bits:
        rows.append(("memory bits", f"{result.memory_bits:,}", "", ""))
    title = f"{result.name} on {result.device}"
    table = make_table(title, ("", "used", "available", "share"), rows, flexible=(0,))
    return table, make_facts("", facts(result))


def resource_row(result: Synthesis, resource: str) -> tuple[str, str, str, str]:
    used = getattr(result, resource)
    room = result.available.get(resource)
    limits = ("", "") if room is None else (f"{room:,}", f"{used / room:.1%}")
    return (RESOURCES[resource], f"{used:,}", *limits)


def facts(result: Synthesis) -> dict[str, str]:
    shown = {"cycles": f"{result.cycles:,}"}
    if result.interval is not None:
        shown["interval"] = f"{result.interval:,} cycles"
    if result.frequency_mhz is not None:
        shown["frequency"] = f"{result.frequency_mhz:.1f} MHz at most, after routing"
    if result.microseconds is not None:
        shown["one inference"] = f"{result.microseconds:,.2f} µs at that frequency"
    if result.interval_microseconds is not None:
        shown["one result in"] = f"{result.interval_microseconds:,.2f} µs, where inputs come without a pause"
    if result.area is not None:
        shown["cell area"] = f"{result.area:,.1f} in the liberty file's unit, without memories"
    if result.delay_ns is not None:
        shown["longest path"] = f"{result.delay_ns:.2f} ns between registers"
    if result.bitstream is not None:
        shown["bitstream"] = result.bitstream
    shown["logs"] = ", ".join(result.logs)
    return shown
