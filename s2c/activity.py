"""What a verb is doing, shown on stderr while it does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn, track
from rich.text import Text

from s2c.progress import Say
from s2c.report import printable

T = TypeVar("T")


def spinner(text: str, is_quiet: bool) -> AbstractContextManager[Any]:
    """Nothing where stderr is no terminal."""
    return Console(stderr=True, quiet=is_quiet).status(Text(printable(text)))


def tracker(text: str, is_quiet: bool) -> Callable[[Sequence[T]], Iterable[T]]:
    """The same for a sequence, as a bar."""
    console = Console(stderr=True, quiet=is_quiet)
    return lambda items: track(
        items, printable(text), console=console, transient=True, disable=is_quiet or not console.is_terminal
    )


@contextmanager
def teller(is_quiet: bool) -> Iterator[Say]:
    """say(text, done): what goes on, and how much of it is done, 0..1, with the time left; where
    stderr is no terminal, a line for each step of what takes long: what stands before a colon."""
    console = Console(stderr=True, quiet=is_quiet)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    hidden = is_quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=None)

        last = ""

        def say(text: str, done: float | None = None) -> None:
            nonlocal last
            shown = printable(text)
            if hidden and done is not None and shown.partition(":")[0] != last:
                console.print(Text(shown), soft_wrap=True)
            last = shown.partition(":")[0]
            escaped = shown.replace("[", r"\[")
            if done is None:
                progress.reset(task, total=None, description=escaped)
            else:
                progress.update(task, total=1.0, completed=done, description=escaped)

        yield say
