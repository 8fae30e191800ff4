"""Who hears of what is going on."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[..., None]
"""say(text, done=None) hears what is going on, in a few words, and how much of it is done, 0..1."""


def say_nothing(text: str, done: float | None = None) -> None:
    pass
