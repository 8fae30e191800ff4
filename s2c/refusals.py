"""Problems to what a terminal shows: one line for one, a table for more, equal ones told once."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from s2c.errors import Problem
from s2c.report import WIDEST, printable, shorten

NAMED_LAYERS = 3
LONGEST = 400  # letters of a cell
LONGEST_NAME = 60


def show_problems(problems: Sequence[Problem]) -> None:
    """On stderr."""
    groups = group(problems)
    screen = Console(stderr=True)
    console = Console(stderr=True, width=min(screen.width, WIDEST) if screen.is_terminal else WIDEST)
    if len(groups) == 1:
        console.print(Text(f"error: {sayable(groups[0])}"), soft_wrap=True)
        return
    table = Table("layer", "wanted", "found", "do", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for each in map(sayable, groups):
        table.add_row(*(Text(text) for text in (each.layer, each.wanted, each.found, each.do)))
    console.print(Text(f"error: {len(problems)} problems"), table, sep="\n")


def group(problems: Sequence[Problem]) -> list[Problem]:
    """One for all that want, found and advise the same, with the names of the first layers."""
    layers: dict[tuple[str, str, str], list[str]] = {}
    for each in problems:
        layers.setdefault((each.wanted, each.found, each.do), []).append(each.layer)
    return [Problem(name_layers(names), *texts) for texts, names in layers.items()]


def name_layers(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    first = ", ".join(shorten(name, LONGEST_NAME) for name in distinct[:NAMED_LAYERS])
    if len(distinct) == 1:
        return distinct[0]
    rest = len(distinct) - NAMED_LAYERS
    return f"{first} and {rest} more" if rest > 0 else first


def sayable(problem: Problem) -> Problem:
    """Its parts, which may hold text from a model, without what would move a cursor or fill the screen."""
    return Problem(*(shorten(printable(text), LONGEST) for text in vars(problem).values()))
