"""The page of a sweep: complete, escaped, and loading nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 's2c[report]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 's2c[report]'")

from s2c.sweep.page import SHOWN_CLASSES, SHOWN_FLIPS, heat_map, make_page
from s2c.sweep.pictures import as_image, to_png
from s2c.sweep.plots import front, pareto_plots
from s2c.sweep.score import ACCURACY, ERROR

pytestmark = pytest.mark.build  # importing matplotlib and drawing takes seconds

HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(2)>$x_{$"
ALLOWED_SCHEMES = re.compile(r"(data:image/png;base64,|#|url\(#)")


def document(metric: str = ACCURACY, classes: int = 3, flips: int = 2) -> dict[str, Any]:
    """Two widths, one of which does not fit the second target."""
    names = [HOSTILE, *(f"class {index}" for index in range(1, classes))]
    figures = {"macs": 100, "parameters": 10, "rom_bytes": 1000, "arena_bytes": 64, "stack_bytes": None}
    lists = [(1.0, "f32", 0.9), (0.5, "f32", 0.6), (0.5, "int8", 0.7)]
    points = [
        {"net": f"width-{share:g}-{precision}", "budget": "width", "share": share, "precision": precision}
        | {"target": target, "score": value}
        for target in ("host", "cortex-m4")
        for share, precision, value in lists
    ]
    for index, point in enumerate(points[:-1]):
        cost = {"microseconds": 20.0 - index} if index < 3 else {"instructions": 10000 * (9 - index)}
        point |= figures | {"rom_bytes": 4000 - 100 * index} | cost
    points[3] |= {"emulated": 8, "emulated_same": 7}
    points[-1]["problems"] = [{"layer": HOSTILE, "wanted": "at most 9 bytes", "found": HOSTILE, "do": "less"}]
    nets = [
        {"name": f"width-{share:g}-{precision}", "budget": "width", "share": share, "precision": precision}
        | {"score": value, "right": [9, 8, 7][:classes] + [5] * (classes - 3), "total": [10] * classes}
        | {"became_wrong": [], "became_right": 0}
        for share, precision, value in lists
    ]
    nets[1]["right"] = [0, *nets[1]["right"][1:]]
    nets[1]["became_wrong"] = [{"index": each, "label": 0, "before": 0, "after": 1} for each in range(flips)]
    warning = {"net": "width-0.5-f32", "class": HOSTILE, "lost_points": 90.0, "mean_points": 30.0}
    return {
        "model": HOSTILE,
        "metric": metric,
        "test_samples": 1000,
        "classes": names,
        "points": points,
        "nets": nets,
        "warnings": [warning | {"before": 9, "after": 0, "total": 10}],
        "doubts": [{"index": 4, "label": 1, "believed": 0, "confidence": 0.1, "margin": -0.8}],
    }


class Tags(HTMLParser):
    """Tags and attributes of a page; what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.events: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.links.append(value or "")
            if name.startswith("on"):
                self.events.append(name)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


PICTURES = {("test", 0): to_png(np.zeros((8, 8, 1))), ("data", 4): to_png(np.ones((9, 8, 3), np.uint8))}


@pytest.fixture(scope="module")
def text() -> str:
    return make_page(document(), PICTURES)


def test_hostile_names_stay_text(text: str) -> None:
    page = Tags(text)
    assert not {"script", "img", "iframe", "link", "object"} & set(page.tags)
    assert page.events == []
    assert page.tags.count("style") == 1 + page.tags.count("svg")  # each plot has its own
    assert sum(HOSTILE in each for each in page.text) >= 6


def test_the_page_loads_nothing(text: str) -> None:
    page = Tags(text)
    assert all(ALLOWED_SCHEMES.match(each) for each in page.links)
    assert all(ALLOWED_SCHEMES.match(each) for each in re.findall(r"url\(([^)]*)\)", text) if each[:1] != "#")
    assert "@import" not in text
    assert text.count("data:image/png;base64,") == len(PICTURES)


def test_the_page_says_all(text: str) -> None:
    said = " ".join("".join(Tags(text).text).split())
    assert "width-0.5-f32: class" in said and "lost 90.0 points (9 to 0 of 10 right)" in said
    assert "width-1-f32 on cortex-m4: of 8 test inputs, 1 gave other outputs" in said
    assert "at most 9 bytes: found" in said
    assert "width-0.5-f32: 2 became wrong, 0 became right" in said
    assert "10.0%, net says" in said
    assert "0.0 -90.0" in said  # the heat map's cell


def test_equal_documents_give_equal_pages(text: str) -> None:
    assert make_page(document(), PICTURES) == text


def test_inputs_that_are_no_pictures_have_number_and_label() -> None:
    text = make_page(document(), {})
    assert 'class="pixels' not in text
    assert '<span class="soft">#1</span>' in text


def test_long_lists_are_cut() -> None:
    many = document(classes=SHOWN_CLASSES + 5, flips=SHOWN_FLIPS + 5)
    text = make_page(many, {})
    assert text.count("<figure>") == SHOWN_FLIPS + len(many["doubts"])
    rows = heat_map(many)
    assert len(rows) == SHOWN_CLASSES
    assert rows[0]["index"] == 0 and rows[0]["cells"][1]["gained"] == -90


def test_a_regression_has_no_classes() -> None:
    regression = document(ERROR)
    regression |= {"classes": [], "warnings": [], "doubts": []}
    for net in regression["nets"]:
        net |= {"right": (), "total": ()}
    text = make_page(regression, {})
    assert "Accuracy by class" not in text
    assert "mean squared error" in text


def test_front_of_the_points_that_no_other_beats() -> None:
    costs = [(3, 0.9), (1, 0.5), (2, 0.4), (2, 0.8), (4, 0.9), (5, 0.95)]
    points = [{"cost": cost, "score": value} for cost, value in costs]
    assert [(each["cost"], each["score"]) for each in front(points, "cost", True)] == [
        (1, 0.5),
        (2, 0.8),
        (3, 0.9),
        (5, 0.95),
    ]
    assert [each["cost"] for each in front(points, "cost", False)] == [1, 2]


def test_plots_of_each_target_with_its_cost() -> None:
    host, cortex = (pareto_plots(document(), target) for target in ("host", "cortex-m4"))
    assert [len(host), len(cortex)] == [2, 2]
    assert "time of one inference" in host[0] and "instructions of one inference" in cortex[0]
    assert "flash" in host[1] and "#010203" not in host[1]


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((1, 32, 24, 3), (32, 24, 3)),
        ((1, 3, 32, 24), (32, 24, 3)),
        ((28, 28, 1), (28, 28, 1)),
        ((1, 28, 28), (28, 28, 1)),
        ((49, 10), None),
        ((1, 4, 4, 3), None),
        ((8, 8, 16), None),
    ],
)
def test_what_is_an_image(shape: tuple[int, ...], wanted: tuple[int, ...] | None) -> None:
    found = as_image(np.zeros(shape))
    assert (None if found is None else found.shape) == wanted
