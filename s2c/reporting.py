"""What goes wrong in a verb, to a message and an exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from s2c.errors import CompileError, Problem

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """What the user can mend becomes a message and an exit code; all else is our bug: a traceback."""
    from s2c.process import ProcessError

    try:
        yield
    except CompileError as problem:
        fail(problem.problems, WRONG_INPUT, as_json)
    except ProcessError as problem:
        wrong = Problem(
            "image", "outputs for every input", str(problem), "s2c verify finds the input; or compile again"
        )
        fail((wrong,), FAILED, as_json)
    except OSError as problem:
        if problem.filename is None:
            raise
        found = problem.strerror or type(problem).__name__
        wrong = Problem(
            str(problem.filename), "a path that can be used", found, "check the path and its permissions"
        )
        fail((wrong,), WRONG_INPUT, as_json)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def fail(problems: Sequence[Problem], code: int, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": [vars(problem) for problem in problems]}))
    else:
        from s2c.refusals import show_problems

        show_problems(problems)
    raise typer.Exit(code) from None
