"""A model file to what s2c made of it: compiled, refused, or a finding."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import s2c
from s2c.driver import compile_model, make_request
from s2c.errors import CompileError

PACKAGE = Path(s2c.__file__).parent


@dataclass(frozen=True)
class Outcome:
    """kind is compiled, refused or found; where names the place of a finding, and trace is its traceback."""

    kind: str
    where: str = ""
    trace: str = ""


def attempt(path: Path) -> Outcome:
    """Reads, rewrites and plans a model for the host."""
    try:
        compile_model(make_request(path, "host"))
    except CompileError as problem:
        if problem.problems and all(map(is_said, problem.problems)):
            return Outcome("refused")
        return Outcome("found", "CompileError-without-a-reason", repr(problem.problems))
    except Exception as problem:
        return Outcome("found", where(problem), traceback.format_exc(limit=-40))
    return Outcome("compiled")


def is_said(problem: object) -> bool:
    """Whether all four parts of a problem have text, of a length that somebody reads."""
    return all(isinstance(text, str) and text and len(text) < 20_000 for text in vars(problem).values())


def where(problem: BaseException) -> str:
    """The kind of an exception, with the innermost place in s2c that it passed."""
    frames = traceback.extract_tb(problem.__traceback__)
    inside = [each for each in frames if Path(each.filename).is_relative_to(PACKAGE)]
    if not inside:
        return type(problem).__name__
    place = Path(inside[-1].filename).relative_to(PACKAGE).with_suffix("")
    return f"{type(problem).__name__}-{str(place).replace('/', '.')}.{inside[-1].name}"


def main() -> None:
    """Says what becomes of the files that are named."""
    for name in sys.argv[1:]:
        outcome = attempt(Path(name))
        print(name, outcome.kind, outcome.where)
        print(outcome.trace, end="")


if __name__ == "__main__":
    main()
