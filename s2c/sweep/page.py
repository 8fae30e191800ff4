"""A sweep's document to one HTML page that loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from s2c.report import printable
from s2c.sweep.pictures import SHOWN_FLIPS, Pictures
from s2c.sweep.plots import pareto_plots
from s2c.sweep.score import ACCURACY
from s2c.sweep.table import describe_score, describe_speed, describe_tests, problem_of, warning_text

SHOWN_CLASSES = 60  # rows of the heat map: those that lost most
DEEPEST = 30.0  # points lost that have the full colour


def make_page(document: Mapping[str, Any], pictures: Pictures) -> str:
    """All text is escaped, whatever names classes and layers have; pictures stand in it as data."""
    environment = Environment(
        loader=PackageLoader("s2c.sweep", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        speed=describe_speed,
        problem=problem_of,
        warning=warning_text,
        score=partial(describe_score, document["metric"]),
        picture=partial(data_uri, pictures),
        name=lambda index: printable(document["classes"][index]),
    )
    targets = list(dict.fromkeys(point["target"] for point in document["points"]))
    page: str = environment.get_template("sweep.html.j2").render(
        document,
        targets={target: [Markup(svg) for svg in pareto_plots(document, target)] for target in targets},
        note=describe_tests(document),
        is_classifier=document["metric"] == ACCURACY,
        heat=heat_map(document),
        shown_classes=SHOWN_CLASSES,
        shown_flips=SHOWN_FLIPS,
        used_pictures=sorted(pictures),
    )
    return page


def data_uri(pictures: Pictures, key: tuple[str, int]) -> str:
    return "data:image/png;base64," + base64.b64encode(pictures[key]).decode()


def heat_map(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a class: its accuracy in each net, and how deeply to colour what it lost. The worst are kept,
    in the order of the classes."""
    nets = document["nets"]
    base = nets[0]
    rows = []
    for index, total in enumerate(base["total"]):
        if total:
            cells = [heat_cell(base["right"][index], net["right"][index], total) for net in nets]
            rows.append({"index": index, "total": total, "cells": cells})
    worst = sorted(rows, key=lambda row: min(cell["gained"] for cell in row["cells"]))[:SHOWN_CLASSES]
    return sorted(worst, key=lambda row: row["index"])


def heat_cell(before: int, after: int, total: int) -> dict[str, float]:
    gained = 100 * (after - before) / total
    return {"share": 100 * after / total, "gained": gained, "depth": min(abs(gained) / DEEPEST, 1.0)}
