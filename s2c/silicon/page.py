"""Chips to pictures and a page that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from s2c.report import to_json
from s2c.silicon.chips import SPAN_HEADERS, Chips, headers, lane_rows, lanes_title, span_rows
from s2c.silicon.plots import draw_area, draw_lanes, draw_occupancy, png_plot, svg_plot

PAGE, FIGURES = "lanes.html", "lanes.json"
LANES_ROWS = 14  # as high as a picture of so many layers


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
