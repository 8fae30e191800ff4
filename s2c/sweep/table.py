"""Points of a sweep to a table: for the terminal, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from s2c.report import make_facts, make_table
from s2c.sweep.score import ACCURACY

COLUMNS = (
    "target",
    "precision",
    "budget",
    "share",
    "score",
    "macs",
    "parameters",
    "rom_bytes",
    "arena_bytes",
    "stack_bytes",
    "microseconds",
    "instructions",
    "problem",
)


def to_csv(points: Sequence[Mapping[str, Any]]) -> str:
    """One line a point."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for point in points:
        row = {**point, "problem": problem_of(point)}
        writer.writerow(["" if row.get(name) is None else row.get(name, "") for name in COLUMNS])
    return text.getvalue()


def problem_of(point: Mapping[str, Any]) -> str:
    return "; ".join(f"{each['wanted']}: found {each['found']}" for each in point.get("problems", ()))


def describe_score(metric: str, value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.1%}" if metric == ACCURACY else f"{value:.4g}"


def describe_speed(point: Mapping[str, Any]) -> str:
    if "microseconds" in point:
        return f"{point['microseconds']:,.1f} µs"
    return f"{point['instructions']:,} instr." if "instructions" in point else "—"


def describe_sweep(document: Mapping[str, Any]) -> list[Group]:
    """A table for each target, then what is to be said of it."""
    targets = dict.fromkeys(point["target"] for point in document["points"])
    tables = [describe_target(document, target) for target in targets]
    warnings = [warning_text(each) for each in document["warnings"]]
    if warnings:
        tables.append(
            Group(Text("Classes that lost far more than the mean", "bold yellow"), *map(Text, warnings))
        )
    return [*tables, make_facts("", {"note": note} if (note := describe_tests(document)) else {})]


def describe_target(document: Mapping[str, Any], target: str) -> Group:
    metric = document["metric"]
    headers = (metric, "MACs", "ROM", "arena", "time")
    rows = []
    for point in document["points"]:
        if point["target"] == target:
            name = (f"{point['budget']} {point['share']:g}", point["precision"])
            figures = [
                f"{point[key]:,}" if key in point else "—" for key in ("macs", "rom_bytes", "arena_bytes")
            ]
            speed = problem_of(point) or describe_speed(point)
            rows.append((*name, describe_score(metric, point["score"]), *figures, speed))
    return make_table(
        target,
        ("net", "precision", *headers),
        rows,
        (0, 6) if any(map(problem_of, document["points"])) else (0,),
    )


def warning_text(warning: Mapping[str, Any]) -> str:
    return (
        f"{warning['net']}: class {warning['class']} lost {warning['lost_points']:.1f} points "
        f"({warning['before']} to {warning['after']} of {warning['total']} right), "
        f"the classes' mean {warning['mean_points']:.1f}"
    )


def describe_tests(document: Mapping[str, Any]) -> str:
    """What was run on what."""
    count = f"{document['test_samples']:,} test inputs"
    text = f"{document['metric'].capitalize()} on {count}, run by the program for this machine"
    emulated = [point for point in document["points"] if "emulated" in point]
    if not emulated:
        return f"{text}."
    same = sum(point["emulated_same"] for point in emulated)
    total = sum(point["emulated"] for point in emulated)
    each = emulated[0]["emulated"]
    return (
        f"{text}; emulated targets ran the first {each} of them, and {same} of {total} outputs agree with "
        "that program's."
    )
