"""What a chip of a net takes on each number of lanes, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from rich.console import Group

from s2c.report import make_table
from s2c.silicon.occupancy import Span, Variant
from s2c.silicon.refusals import STREAM

HEADERS = ("lanes", "cycles", "used", "ROM KiB", "RAM KiB", "logic", "mult.", "blocks")
STREAM_TIMES = ("cycles", "interval")
SPAN_HEADERS = ("layer", "unit", "first cycle", "cycles", "MACs", "used")


@dataclass(frozen=True)
class Chips:
    """A net in one style on several numbers of lanes, and what one of them, `lanes`, does when."""

    net: str
    style: str
    rows: tuple[Variant, ...]
    lanes: int
    spans: tuple[Span, ...]
    megahertz: float | None


def headers(chips: Chips) -> tuple[str, ...]:
    if chips.style == STREAM:
        times = STREAM_TIMES if chips.megahertz is None else tuple(f"µs{each}" for each in ("", " each"))
        return (HEADERS[0], *times, *HEADERS[2:])
    return HEADERS if chips.megahertz is None else (*HEADERS, "µs")


def lanes_title(chips: Chips) -> str:
    return "lanes to choose from" + ("" if chips.megahertz is None else f", at {chips.megahertz:g} MHz")


def lane_rows(chips: Chips) -> list[tuple[str, ...]]:
    return [stream_row(chips, row) if chips.style == STREAM else lane_row(chips, row) for row in chips.rows]


def lane_row(chips: Chips, row: Variant) -> tuple[str, ...]:
    time = () if chips.megahertz is None else (f"{row.cost.cycles / chips.megahertz:,.1f}",)
    return (str(row.cost.lanes), f"{row.cost.cycles:,}", *room(row), *time)


def stream_row(chips: Chips, row: Variant) -> tuple[str, ...]:
    """Cycles of one inference and between two results, or the time that they take."""
    counts = (row.cost.cycles, row.cost.interval)
    if chips.megahertz is None:
        times = [f"{each:,}" for each in counts]
    else:
        times = [f"{each / chips.megahertz:,.1f}" for each in counts]
    return (str(row.cost.lanes), *times, *room(row))


def room(row: Variant) -> tuple[str, ...]:
    """How well its lanes are used, and what it takes."""
    return (
        f"{100 * row.cost.utilisation:.1f}%",
        kibibytes(sum(astuple(row.cost.rom_bits)) / 8),
        kibibytes(row.ram_bytes),
        *(f"{count:,}" for count in astuple(row.area)),
    )


def span_rows(spans: Sequence[Span]) -> list[tuple[str, ...]]:
    return [
        (
            each.layer,
            each.unit,
            f"{each.start:,}",
            f"{each.cycles:,}",
            f"{each.macs:,}",
            f"{100 * each.share:.1f}%" if each.macs else "-",
        )
        for each in spans
    ]


def kibibytes(count: float) -> str:
    return f"{count / 1024:,.1f}"


def describe_chips(chips: Chips) -> list[Group]:
    """For the terminal."""
    return [
        make_table(f"{chips.net} on {chips.lanes} lanes", SPAN_HEADERS, span_rows(chips.spans), (0,)),
        make_table(lanes_title(chips), headers(chips), lane_rows(chips), (0,)),
    ]
