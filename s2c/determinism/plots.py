"""Times of calls to a histogram and a quantile plot, as SVG for a page and as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from s2c.determinism.measure import EMPTY, OWN
from s2c.determinism.statistics import exceedance
from s2c.sweep.plots import INK, STYLE, to_svg

INCHES = (7.2, 4.2)
BINS = 90
SHOWN = 99.99  # percentile up to which the histogram goes; what lies beyond is in its last bin
COLOURS = ("#f97316", "#8b5cf6", "#16a34a", "#db2777")  # of peers, each legible on white and on black
OWN_COLOUR, EMPTY_COLOUR = "#3b82f6", "#8a8f98"
DPI = 160
Times = Mapping[str, np.ndarray]


def runtimes(times: Times) -> dict[str, np.ndarray]:
    """Without s2c's hostile inputs, which would lie on its own line."""
    return {name: each for name, each in times.items() if not name.startswith(f"{OWN}, ")}


def line_style(name: str, names: list[str]) -> dict[str, object]:
    """s2c stands out, and what the machine does of itself stays behind."""
    if name == OWN:
        return {"color": OWN_COLOUR, "linewidth": 2.2, "zorder": 4}
    if name == EMPTY:
        return {"color": EMPTY_COLOUR, "linewidth": 1.4, "linestyle": (0, (4, 2)), "zorder": 2}
    peers = [each for each in names if each not in (OWN, EMPTY)]
    return {"color": COLOURS[peers.index(name) % len(COLOURS)], "linewidth": 1.4, "zorder": 3}


def draw_histogram(axes: Axes, times: Times) -> None:
    """Calls by their time, in microseconds, on two logarithmic scales."""
    shown = {name: each / 1000 for name, each in runtimes(times).items()}
    low = min(float(each.min()) for each in shown.values())
    high = max(float(np.percentile(each, SHOWN)) for each in shown.values())
    edges = np.geomspace(0.97 * low, 1.03 * high, BINS + 1)
    for name, each in shown.items():
        counts, _ = np.histogram(np.minimum(each, high), edges)
        axes.stairs(counts, edges, label=name, **line_style(name, list(shown)))  # type: ignore[arg-type]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time of a call (µs); all that are longer stand in the last bin")
    axes.set_ylabel("calls")


def draw_quantiles(axes: Axes, times: Times) -> None:
    """How much longer than its own median a runtime's slowest calls take, by how rare they are."""
    shown = runtimes(times)
    for name, each in shown.items():
        rarity, values = exceedance(each)
        axes.plot(rarity, values / (np.median(each) / 1000), label=name, **line_style(name, list(shown)))  # type: ignore[arg-type]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("one call in so many takes at least")
    axes.set_ylabel("times its median")


PLOTS: Mapping[str, Callable[[Axes, Times], None]] = {
    "histogram": draw_histogram,
    "quantiles": draw_quantiles,
}


def draw(name: str, times: Times) -> Figure:
    figure = Figure(INCHES, layout="constrained")
    axes = figure.subplots()
    axes.grid(color="#808080", alpha=0.25, linewidth=0.6)
    PLOTS[name](axes, times)
    axes.legend(frameon=False, fontsize=9, loc="best")
    return figure


def svg_plots(times: Times) -> list[str]:
    """In the colours of the page around them."""
    result = []
    for name in PLOTS:
        with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
            result.append(to_svg(draw(name, times)))
    return result


def png_plots(times: Times) -> dict[str, bytes]:
    """On white, by name."""
    result = {}
    for name in PLOTS:
        with mpl.rc_context({**STYLE, "figure.facecolor": "white"}):
            file = io.BytesIO()
            draw(name, times).savefig(file, format="png", dpi=DPI, metadata={"Software": None})
            result[name] = file.getvalue()
    return result


assert INK not in (*COLOURS, OWN_COLOUR, EMPTY_COLOUR), "to_svg replaces the ink"
