"""What a chip of a net takes, to tables, pictures and a page that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Group

from s2c.report import make_table, to_json
from s2c.silicon.occupancy import Lanes, Span
from s2c.silicon.plots import draw_area, draw_lanes, draw_occupancy, png_plot, svg_plot

PAGE, FIGURES = "lanes.html", "lanes.json"
LANES_ROWS = 14  # as high as a picture of so many layers
HEADERS = ("lanes", "cycles", "used", "ROM KiB", "RAM KiB", "logic", "mult.", "blocks")
SPAN_HEADERS = ("layer", "unit", "first cycle", "cycles", "MACs", "used")


@dataclass(frozen=True)
class Chips:
    """A net on several numbers of lanes, and what one of them, `lanes`, does when."""

    net: str
    rows: tuple[Lanes, ...]
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
            str(row.lanes),
            f"{row.cycles:,}",
            f"{100 * row.utilisation:.1f}%",
            kibibytes((row.weight_bits + row.param_bits) / 8),
            kibibytes(row.arena_bytes),
            *(f"{count:,}" for count in astuple(row.area)),
            *(() if chips.megahertz is None else (f"{row.cycles / chips.megahertz:,.1f}",)),
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


def pictures(chips: Chips) -> Mapping[str, tuple[Any, int]]:
    """What draws each, by name, and how many rows of text high it is."""
    return {
        "occupancy": (partial(draw_occupancy, spans=chips.spans), len(chips.spans)),
        "lanes": (partial(draw_lanes, rows=chips.rows), LANES_ROWS),
        "area": (partial(draw_area, rows=chips.rows), LANES_ROWS),
    }


def make_page(chips: Chips) -> str:
    """All text is escaped, whatever the net is called."""
    environment = Environment(
        loader=PackageLoader("s2c.silicon", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    plots = {name: Markup(svg_plot(*each, name)) for name, each in pictures(chips).items()}
    page: str = environment.get_template("lanes.html.j2").render(
        chips=chips,
        plots=plots,
        lanes_title=lanes_title(chips),
        lane_table=(headers(chips), lane_rows(chips)),
        span_table=(SPAN_HEADERS, span_rows(chips.spans)),
    )
    return page


def write_chips(folder: Path, chips: Chips) -> list[Path]:
    """lanes.html, lanes.json, occupancy.png, lanes.png, area.png: in the place of older ones."""
    files = {
        PAGE: make_page(chips).encode(),
        FIGURES: to_json(asdict(chips)).encode() + b"\n",
        **{f"{name}.png": png_plot(*each) for name, each in pictures(chips).items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]
