"""What the user can mend, as exceptions: each problem with its layer, what was wanted, what was found,
what to do.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_INSTALLED = "it is not installed"


@dataclass(frozen=True)
class Problem:
    layer: str
    wanted: str
    found: str
    do: str

    def __str__(self) -> str:
        return f"{self.layer}: wanted {self.wanted}, found {self.found}; {self.do}"


class CompileError(Exception):
    """The user's input is at fault; all its problems are reported at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def error(layer: str, wanted: str, found: str, do: str) -> CompileError:
    return CompileError((Problem(layer, wanted, found, do),))
