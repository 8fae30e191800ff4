"""What a chip's lanes do when, and what lanes cost, as SVG for a page and as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from s2c.silicon.occupancy import Span, Variant
from s2c.sweep.plots import INK, STYLE, to_svg

WIDTH, LEAST_HEIGHT, ROW_HEIGHT = 9.0, 2.2, 0.24  # inches
LONGEST = 44  # characters of a layer's name
COLOURS = {"multiply": "#3b82f6", "most": "#16a34a", "table": "#f97316", "softmax": "#8b5cf6"}
TITLES = {
    "multiply": "products and sums",
    "most": "largest values, copies",
    "table": "tables",
    "softmax": "softmax",
}
IDLE = 0.22  # opacity of lanes that have nothing to do
DPI = 160


def draw_occupancy(axes: Axes, spans: Sequence[Span]) -> None:
    """A bar for each layer, from its first to its last cycle; the part of its height that is filled is the
    part of the lanes that multiply what the net needs. Units without lanes are thin."""
    for row, span in enumerate(spans):
        colour = COLOURS[span.unit]
        axes.broken_barh([(span.start, span.cycles)], (row - 0.4, 0.8), color=colour, alpha=IDLE, linewidth=0)
        filled = 0.8 * (span.share if span.macs else 0.15)
        axes.broken_barh([(span.start, span.cycles)], (row + 0.4 - filled, filled), color=colour, linewidth=0)
    axes.set_yticks(range(len(spans)), [shorten(each.layer) for each in spans], fontsize=8)
    axes.set_ylim(len(spans) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("cycle")
    used = [unit for unit in COLOURS if any(each.unit == unit for each in spans)]
    handles = [mpl.patches.Patch(color=COLOURS[unit], label=TITLES[unit]) for unit in used]
    axes.legend(handles=handles, frameon=False, fontsize=8, loc="upper right")


def draw_lanes(axes: Axes, rows: Sequence[Variant]) -> None:
    """Cycles over lanes, beside what they would be if every lane always multiplied."""
    counts, cycles = [row.cost.lanes for row in rows], [row.cost.interval for row in rows]
    axes.plot(counts, cycles, color=COLOURS["multiply"], marker="o", label="cycles")
    ideal = [row.cost.interval * row.cost.utilisation for row in rows]
    axes.plot(counts, ideal, color=INK, alpha=0.55, linestyle=(0, (4, 2)), label="every lane always busy")
    for row in rows:
        axes.annotate(
            f"{100 * row.cost.utilisation:.0f}%",
            (row.cost.lanes, row.cost.interval),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("lanes")
    axes.set_ylabel(what_is_counted(rows))
    axes.legend(frameon=False, fontsize=8)


def draw_area(axes: Axes, rows: Sequence[Variant]) -> None:
    """Cycles against what a chip takes of an ECP5, each mark a number of lanes."""
    logic, cycles = [row.area.logic for row in rows], [row.cost.interval for row in rows]
    axes.plot(logic, cycles, color=COLOURS["multiply"], marker="o")
    for row in rows:
        axes.annotate(
            f"{row.cost.lanes} lane{'s' * (row.cost.lanes > 1)}",
            (row.area.logic, row.cost.interval),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("logic cells of an ECP5, about")
    axes.set_ylabel(what_is_counted(rows))


def what_is_counted(rows: Sequence[Variant]) -> str:
    """A stream begins with the next input before it is done with one."""
    is_stream = any(row.cost.interval != row.cost.cycles for row in rows)
    return "cycles between two results" if is_stream else "cycles of one inference"


def shorten(name: str) -> str:
    """A layer's own part of its name: what TFLite joins by semicolons has the op last."""
    last = name.split(";")[-1]
    return last if len(last) <= LONGEST else f"..{last[-LONGEST + 2 :]}"


def draw(plot: Callable[[Axes], None], rows: int) -> Figure:
    """rows: of text beside it."""
    figure = Figure((WIDTH, max(LEAST_HEIGHT, ROW_HEIGHT * rows + 1.0)), layout="constrained")
    axes = figure.subplots()
    axes.grid(color="#808080", alpha=0.25, linewidth=0.6, axis="x")
    plot(axes)
    return figure


def svg_plot(plot: Callable[[Axes], None], rows: int, salt: str) -> str:
    """In the colours of the page around it. salt: makes its ids its own."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": salt}):
        return to_svg(draw(plot, rows))


def png_plot(plot: Callable[[Axes], None], rows: int) -> bytes:
    """On white."""
    with mpl.rc_context({**STYLE, "figure.facecolor": "white"}):
        file = io.BytesIO()
        draw(plot, rows).savefig(file, format="png", dpi=DPI, metadata={"Software": None})
        return file.getvalue()
