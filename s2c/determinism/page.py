"""A document of measure.py, and the times, to a folder: a page that loads nothing, pictures, the figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from s2c.determinism.plots import png_plots, svg_plots
from s2c.determinism.table import (
    count_headers,
    count_rows,
    facts,
    time_headers,
    time_rows,
    versions_text,
)
from s2c.report import to_json

PAGE, FIGURES = "determinism.html", "determinism.json"


def make_page(document: Mapping[str, Any], times: Mapping[str, np.ndarray]) -> str:
    """All text is escaped, whatever the net is called."""
    environment = Environment(
        loader=PackageLoader("s2c.determinism", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page: str = environment.get_template("determinism.html.j2").render(
        net=document["net"],
        versions=versions_text(document),
        plots=[Markup(svg) for svg in svg_plots(times)],
        tables=[(time_headers(), time_rows(document)), (count_headers(), count_rows(document))],
        facts=facts(document),
    )
    return page


def write_report(folder: Path, document: Mapping[str, Any], times: Mapping[str, np.ndarray]) -> list[Path]:
    """determinism.html, determinism.json, histogram.png, quantiles.png: in the place of older ones."""
    files = {
        PAGE: make_page(document, times).encode(),
        FIGURES: to_json(document).encode() + b"\n",
        **{f"{name}.png": data for name, data in png_plots(times).items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]
