"""What a chip of a net takes on each number of lanes, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from rich.console import Group

from s2c.report import make_table
from s2c.silicon.occupancy import Span, Variant

HEADERS = ("lanes", "cycles", "used", "ROM KiB", "RAM KiB", "logic", "mult.", "blocks")
SPAN_HEADERS = ("layer", "unit", "first cycle", "cycles", "MACs", "used")


@dataclass(frozen=True)
class Chips:
    """A net on several numbers of lanes, and what one of them, `lanes`, does when."""

    net: str
    rows: tuple[Variant, ...]
    lanes: int
    spans: tuple[Span, ...]
    megahertz: float | None


def headers(chips: Chips) -> tuple[str, ...]:
    return HEADERS if chips.megahertz is None else (*HEADERS, "µs")


def lanes_title(chips: Chips) -> str:
    return "lanes to choose from" + ("" if chips.megahertz is None else f", at {chips.megahertz:g} MHz")


def lane_rows(chips: Chips) -> list[tuple[str, ...]]:
    return [
        (
            str(row.cost.lanes),
            f"{row.cost.cycles:,}",
            f"{100 * row.cost.utilisation:.1f}%",
            kibibytes(sum(astuple(row.cost.rom_bits)) / 8),
            kibibytes(row.arena_bytes),
            *(f"{count:,}" for count in astuple(row.area)),
            *(() if chips.megahertz is None else (f"{row.cost.cycles / chips.megahertz:,.1f}",)),
        )
        for row in chips.rows
    ]


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
