"""Runs ONNX's own backend tests, and writes README.md's table of what passes and why the rest is refused."""

from __future__ import annotations

import collections
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from readme_tables import caption, markdown, write_readme

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from onnx_suite import Result, counts_of, refusals_of, run_suite  # noqa: E402 (tests/ is no package)

OP = "op "
FEW = 4  # cases: rarer reasons share a row


def coverage_table(results: Sequence[Result]) -> str:
    """A row for each outcome; reasons of refusals come the most frequent first."""
    counts = counts_of(results)
    rows = [
        ["passed", str(counts["passed"]), ""],
        ["passed with inputs bound by `--const`", str(counts["bound"]), bound_inputs(results)],
        *disproved_rows(results),
        *refusal_rows(refusals_of(results)),
        ["failed", str(counts["failed"]), "a wrong result, a crash, a hang, an internal error"],
        ["all", str(len(results)), "kinds node, simple, pytorch-converted, pytorch-operator"],
    ]
    text = (
        f"onnx {metadata.version('onnx')}; each case compiled to C, its result compared by onnx's tolerances."
    )
    return markdown(["ONNX backend tests", "cases", "which"], rows) + caption(text)


def disproved_rows(results: Sequence[Result]) -> list[list[str]]:
    """Cases whose data hold more float32 noise than their tolerance."""
    names = [each.name for each in results if each.status == "disproved"]
    title = "equal to onnx's reference in float64, which the case's data are not"
    return [[title, str(len(names)), ", ".join(names)]] if names else []


def bound_inputs(results: Sequence[Result]) -> str:
    """The names of inputs that are bound, the most frequent first."""
    counts = collections.Counter(name for each in results for name in each.bound)
    common = [
        name for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count > FEW
    ]
    return ", ".join(common)


def refusal_rows(refusals: Sequence[tuple[str, int]]) -> list[list[str]]:
    ops = [(reason.removeprefix(OP), count) for reason, count in refusals if reason.startswith(OP)]
    others = [(reason, count) for reason, count in refusals if not reason.startswith(OP)]
    rows = [
        *([f"refused: {reason}", str(count), ""] for reason, count in others if count > FEW),
        shared_row("refused: op that is not read", ops),
        shared_row("refused: other reasons", [item for item in others if item[1] <= FEW]),
    ]
    return [row for row in rows if row[1] != "0"]


def shared_row(title: str, parts: Sequence[tuple[str, int]]) -> list[str]:
    listing = ", ".join(f"{name} {count}" for name, count in parts)
    return [title, str(sum(count for _, count in parts)), listing]


def main() -> None:
    table = coverage_table(run_suite())
    print(table)
    write_readme({"onnx": table})


if __name__ == "__main__":
    main()
