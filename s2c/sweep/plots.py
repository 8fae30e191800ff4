"""Points of a sweep to plots, as SVG that stands in a page and takes the page's colours."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from s2c.sweep.score import ACCURACY

INCHES = (5.4, 3.7)
INK = "#010203"  # stands for the page's own text colour
STYLES = {"f32": ("#3b82f6", "o"), "int8": ("#f97316", "s")}  # each legible on white and on black
LOG_FROM = 8.0  # a ratio of the greatest cost to the least
SHIFT = 7  # points between a mark and its label
STYLE = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COSTS = (
    ("microseconds", "time of one inference (µs)"),
    ("instructions", "instructions of one inference"),
    ("rom_bytes", "flash: code and constants (bytes)"),
)


def pareto_plots(document: Mapping[str, Any], target: str) -> list[str]:
    """Score against time or instructions, and against flash, of a target's points that could be measured."""
    points = [each for each in document["points"] if each["target"] == target]
    return [
        pareto_plot(
            [each for each in points if key in each], key, label, document["metric"], f"{target} {key}"
        )
        for key, label in COSTS
        if any(key in each for each in points)
    ]


def pareto_plot(points: Sequence[Mapping[str, Any]], key: str, label: str, metric: str, salt: str) -> str:
    """One mark a point; a line joins those that no other beats. salt: makes the ids of the SVG its own."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": salt}):
        figure = Figure(INCHES, layout="constrained")
        axes = figure.subplots()
        factor = 100 if metric == ACCURACY else 1
        axes.grid(color="#808080", alpha=0.25, linewidth=0.6)
        best = front(points, key, metric == ACCURACY)
        axes.plot(
            [each[key] for each in best],
            [factor * each["score"] for each in best],
            color=INK,
            alpha=0.55,
            linewidth=1.1,
            zorder=1,
            label="Pareto front",
        )
        draw_marks(axes, points, key, factor)
        set_axes(axes, points, key, label, metric)
        return to_svg(figure)


def draw_marks(axes: Axes, points: Sequence[Mapping[str, Any]], key: str, factor: float) -> None:
    """Labels stand right and below for one precision, left and above for the other: they rarely meet."""
    for precision, (colour, shape) in STYLES.items():
        own = [each for each in points if each["precision"] == precision]
        if own:
            xs, ys = [each[key] for each in own], [factor * each["score"] for each in own]
            axes.scatter(xs, ys, s=46, c=colour, marker=shape, label=precision, zorder=2)
        for each in own:
            below = precision == "f32"
            axes.annotate(
                share_label(each),
                (each[key], factor * each["score"]),
                (SHIFT, -SHIFT / 2) if below else (-SHIFT, SHIFT / 2),
                textcoords="offset points",
                ha="left" if below else "right",
                va="top" if below else "bottom",
                fontsize=9,
            )


def share_label(point: Mapping[str, Any]) -> str:
    """Widths are the rule: only other budgets say what they are of."""
    prefix = "" if point["budget"] == "width" else f"{point['budget']} "
    return f"{prefix}{point['share']:g}"


def set_axes(axes: Axes, points: Sequence[Mapping[str, Any]], key: str, label: str, metric: str) -> None:
    costs = [each[key] for each in points]
    if max(costs) > LOG_FROM * min(costs) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.margins(x=0.12, y=0.14)
    axes.set_xlabel(label)
    axes.set_ylabel("accuracy (%)" if metric == ACCURACY else metric)
    if metric != ACCURACY:
        axes.invert_yaxis()  # so that better is higher in every plot
    axes.legend(frameon=False, fontsize=9, loc="best")


def front(points: Sequence[Mapping[str, Any]], key: str, higher_is_better: bool) -> list[Mapping[str, Any]]:
    """The points that no other beats in cost and score, the cheapest first."""
    sign = 1 if higher_is_better else -1
    best: list[Mapping[str, Any]] = []
    for each in sorted(points, key=lambda point: (point[key], -sign * point["score"])):
        if not best or sign * each["score"] > sign * best[-1]["score"]:
            best.append(each)
    return best


def short(value: float) -> str:
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g} {prefix}"
    return f"{value:g}"


def to_svg(figure: Figure) -> str:
    """The <svg> element alone, without a date, in the colours of what is around it."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
