"""Figures to text: tables for a terminal, JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from s2c.bench import Instructions, Latencies
from s2c.cost import CallCost
from s2c.coverage import Coverage
from s2c.outline import MOST_ROWS, Layer, grow, rows, shown_depth
from s2c.summary import Summary, TargetRow
from s2c.verify import Verification

WIDEST = 120  # wider tables are hard to read across
GAP = 2  # between columns
NARROWEST = 10
BEST = 5  # values of an output that are shown
SHOWN_INFERENCES = 10
STATUS_STYLES = {"proved": "green", "tested": "green", "unproved": "yellow", "failed": "bold red"}


# JSON


def to_json(value: Any) -> str:
    """One document of standard JSON: numbers that it lacks become the strings NaN, Infinity and -Infinity."""
    return json.dumps(plain(value), allow_nan=False)


def plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def run_document(
    manifest: Mapping[str, Any], outputs: Sequence[np.ndarray], counters: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    tensors = [
        {"name": each["name"], "dtype": each["dtype"], "shape": list(array.shape), "data": array}
        for each, array in zip(manifest["outputs"], outputs, strict=True)
    ]
    return {"outputs": tensors, "counters": list(counters)}


# terminal


def show(*tables: Group) -> None:
    console = Console(width=min(Console().width, WIDEST))
    for index, table in enumerate(tables):
        if index > 0:
            console.print()
        console.print(table)


def printable(text: str) -> str:
    """A name from a model, without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def shorten(text: str, width: int) -> str:
    """At most width letters: the middle goes, since both ends of a layer's name tell layers apart."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def is_number(text: str) -> bool:
    return text[:1].isdigit() or text[:1] == "-" or text == ""


def make_table(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], flexible: Sequence[int] = (0, 1)
) -> Group:
    """Columns of numbers are set right; the flexible ones are cut to what the others leave."""
    columns = [[header, *(row[at] for row in rows)] for at, header in enumerate(headers)]
    widths = fit_widths([max(map(len, column)) for column in columns], flexible)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for column in columns:
        table.add_column(
            column[0], justify="right" if all(map(is_number, column[1:])) else "left", no_wrap=True
        )
    for row in rows:
        cells = [shorten(printable(cell), width) for cell, width in zip(row, widths, strict=True)]
        table.add_row(*map(Text, cells))
    return titled(title, table)


def fit_widths(widths: Sequence[int], flexible: Sequence[int]) -> list[int]:
    """The widest flexible column gives way until all fit."""
    room = min(Console().width, WIDEST) - GAP * (len(widths) - 1)
    fitted = [min(width, WIDEST) for width in widths]
    while sum(fitted) > room:
        widest = max(flexible, key=lambda at: fitted[at])
        if fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
    return fitted


def make_facts(title: str, facts: Mapping[str, str]) -> Group:
    """Names with their values."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    for name, value in facts.items():
        table.add_row(Text(name, no_wrap=True), Text(value))
    return titled(title, table)


def titled(title: str, table: Table) -> Group:
    return Group(Text(printable(title), "bold"), table) if title else Group(table)


def size(count: int | None) -> str:
    return "not known" if count is None else f"{count:,} bytes"


# what the verbs show


def describe_artifact(manifest: Mapping[str, Any]) -> Group:
    arena, bound = manifest["arena_bytes"], manifest["arena_lower_bound"]
    is_stream = "interval" in manifest
    facts = {
        "ops": describe_ops(manifest["ops"]),
        "calls": f"{len(manifest['calls'])}, of {len(manifest['kernels'])} kernels",
        "MACs": describe_macs(manifest["macs"], manifest["source_macs"]),
        "in matmul": f"{manifest['matmul_share']:.1%} of the MACs",
        "parameters": f"{manifest['parameters']:,}",
        **({} if "cycles" in manifest else {"ROM": size(manifest["rom_bytes"])}),
        **({} if is_stream else {"arena": f"{size(arena)} (no plan needs less than {bound:,})"}),
        **(chip_facts(manifest) if "cycles" in manifest else {"stack": size(manifest["stack_bytes"])}),
    }
    return make_facts(f"{manifest['name']} for {manifest['target']}", facts)


def chip_facts(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Code and stack, which the manifest notes too, are those of the model in C."""
    bits = ", ".join(f"{name} {count:,}" for name, count in manifest["rom_bits"].items())
    used = f"{manifest['lanes']}, of which {manifest['utilisation']:.1%} are in use"
    facts = {
        "ROM": f"{sum(manifest['rom_bits'].values()):,} bits: {bits}",
        "lanes": used,
        "cycles": f"{manifest['cycles']:,}, whatever the input",
    }
    if "interval" not in manifest:
        return facts
    return {
        **facts,
        "rings": f"{size(manifest['ring_bytes'])}, between {len(manifest['calls'])} stages",
        "lanes": f"{used} where inputs come without a pause",
        "interval": f"a result every {manifest['interval']:,} cycles",
    }


def describe_summary(summary: Summary) -> Group:
    unfit = [f"{name} (it has {fit.why_not})" for name, fit in summary.targets.items() if not fit.fits]
    facts = {
        "ops": describe_ops(summary.ops),
        "MACs": describe_macs(summary.macs, summary.source_macs),
        "in matmul": f"{summary.matmul_share:.1%} of the MACs",
        "parameters": f"{summary.parameters:,}",
        "constants": size(summary.constant_bytes),
        "arena": f"{size(summary.arena_bytes)} (no plan needs less than {summary.arena_lower_bound:,})",
        "fits": ", ".join(name for name, fit in summary.targets.items() if fit.fits) or "no target",
    }
    if unfit:
        facts["too large for"] = ", ".join(unfit)
    return make_facts(summary.model, facts)


def describe_ops(ops: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {op}" for op, count in ops.items()) or "none"


def describe_macs(macs: int, source_macs: int) -> str:
    saved = source_macs - macs
    return f"{macs:,}" + (f" ({saved:,} eliminated)" if saved > 0 else "")


def describe_layers(calls: Sequence[CallCost] | Sequence[Mapping[str, Any]]) -> Group:
    costs = [call if isinstance(call, Mapping) else vars(call) for call in calls]
    cells = [
        (
            row["layer"],
            row["kernel"],
            "x".join(map(str, row["shape"])),
            *(f"{row[key]:,}" for key in ("macs", "parameters", "constant_bytes", "output_bytes")),
        )
        for row in costs
    ]
    return make_table("", ("layer", "kernel", "output", "MACs", "parameters", "constants", "arena"), cells)


def describe_outline(layers: Sequence[Layer], depth: int | None = None) -> Group:
    """Aligned columns behind the tree of layers; a branch shows the sums of what it holds.

    Without a depth, the tree is as deep as fits MOST_ROWS; if even its first level does not, its middle is
    one row.
    """
    tree = grow(layers)
    shown = list(rows(tree, shown_depth(tree) if depth is None else depth))
    cells = [
        (name, *outline_figures(branch.layers, is_group=bool(branch.children))) for name, branch in shown
    ]
    if depth is None and len(cells) > MOST_ROWS:
        half = MOST_ROWS // 2
        middle = [layer for _, branch in shown[half:-half] for layer in branch.layers]
        cells[half:-half] = [("..", *outline_figures(middle, is_group=True))]
    cells.append(("all", *outline_figures(layers, is_group=True)))
    return make_table("", ("layer", "ops", "output", "MACs", "parameters"), cells)


def outline_figures(layers: Sequence[Layer], is_group: bool) -> tuple[str, str, str, str]:
    ops = describe_count(len(layers), "layer")
    if not is_group:
        ops = ", ".join(f"{count} {op}" if count > 1 else op for op, count in layers[0].ops.items())
    shape = "x".join(map(str, layers[-1].shape)) if layers else ""
    macs, parameters = sum(each.macs for each in layers), sum(each.parameters for each in layers)
    return ops, shape, f"{macs:,}", f"{parameters:,}"


def describe_count(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def describe_coverage(coverage: Sequence[Coverage]) -> list[Group]:
    tables = []
    for each in coverage:
        table = Table("op", "becomes", "how", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.columns[0].no_wrap = True
        for op in each.ops:
            table.add_row(op.op, ", ".join(op.made_of), op.how)
        total = "" if each.known is None else f" of {each.known}"
        tables.append(titled(f"{each.frontend}: {each.note or f'{len(each.ops)}{total} {each.what}'}", table))
    return tables


def describe_outputs(
    manifest: Mapping[str, Any], outputs: Sequence[np.ndarray], counters: Sequence[Mapping[str, Any]]
) -> list[Group]:
    """The largest values of each output of each inference, and what the inferences cost."""
    tables: list[Group] = []
    for index, (tensor, array) in enumerate(zip(manifest["outputs"], outputs, strict=True)):
        batch = array.reshape(len(counters), *tensor["shape"])
        for inference, values in enumerate(batch[:SHOWN_INFERENCES]):
            name = f"output_{index}, {tensor['name']}" + (
                f", inference {inference}" if len(batch) > 1 else ""
            )
            tables.append(describe_values(name, tensor, values))
    keys = [key for key in ("instructions", "nanoseconds", "stack_bytes") if key in counters[0]]
    if "cycles" in counters[0]:  # the others are about a chip's model
        keys = [key for key in ("cycles", "interval") if key in counters[0]]
    tables.append(make_facts("", {key: describe_range([each[key] for each in counters]) for key in keys}))
    if len(counters) > SHOWN_INFERENCES:
        tables.append(
            make_facts("", {"inferences": f"{len(counters)}, the first {SHOWN_INFERENCES} are shown"})
        )
    return tables


def describe_values(name: str, tensor: Mapping[str, Any], values: np.ndarray) -> Group:
    flat = values.reshape(-1)
    best = np.argsort(-flat.astype(np.float64), kind="stable")[:BEST]
    rows = []
    for at in best.tolist():
        position = ", ".join(map(str, np.unravel_index(at, values.shape)))
        real = (
            [] if tensor["scale"] is None else [f"{(int(flat[at]) - tensor['zero']) * tensor['scale']:.6g}"]
        )
        rows.append(
            (f"[{position}]", f"{flat[at]:.6g}" if tensor["dtype"] == "f32" else str(flat[at]), *real)
        )
    headers = ("largest at", "value", *(() if tensor["scale"] is None else ("stands for",)))
    return make_table(name, headers, rows)


def describe_range(values: Sequence[int]) -> str:
    return f"{values[0]:,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"


def describe_verification(result: Verification) -> list[Group]:
    table = Table("claim", "", "evidence", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for claim in result.claims:
        table.add_row(claim.name, Text(claim.status, STATUS_STYLES[claim.status]), Text(claim.evidence))
    notes = [(text, "failed") for text in result.failures] + [(text, "unproved") for text in result.unproved]
    details = Table(box=None, show_header=False, pad_edge=False)
    for text, status in notes:
        details.add_row(Text(status, STATUS_STYLES[status]), Text(printable(text)))
    return [Group(table), Group(details)] if notes else [Group(table)]


def describe_bench(result: Latencies | Instructions) -> list[Group]:
    """Of a chip: describe_cycles in s2c/silicon/cycles.py."""
    if isinstance(result, Latencies):
        facts = {
            name: f"{value:,.2f} µs"
            for name, value in (
                ("minimum", result.minimum_microseconds),
                ("median", result.median_microseconds),
                ("p99", result.p99_microseconds),
                ("p99.9", result.p99_9_microseconds),
                ("maximum", result.max_microseconds),
            )
        }
        return [make_facts(f"{result.calls:,} calls on {result.target}", facts)]
    rows = [
        count_row(each.layer, each.kernel, each.macs, each.instructions, result.instructions)
        for each in result.layers
    ]
    rows.append(count_row("before the first layer", "", 0, result.entry, result.instructions))
    rows.append(count_row("all", "", result.macs, result.instructions, result.instructions))
    headers = ("layer", "kernel", "MACs", "instructions", "per MAC", "share")
    return [make_table(f"instructions on {result.target}", headers, rows)]


def count_row(name: str, kernel: str, macs: int, instructions: int, total: int) -> tuple[str, ...]:
    per_mac = f"{instructions / macs:.2f}" if macs else ""
    return name, kernel, f"{macs:,}", f"{instructions:,}", per_mac, f"{instructions / max(total, 1):.1%}"


def describe_targets(rows: Sequence[TargetRow]) -> Group:
    def limit(count: int | None) -> str:
        return "" if count is None else f"{count >> 10:,} KiB"

    cells = [
        (
            row.name,
            row.description,
            row.language,
            limit(row.flash_bytes),
            limit(row.ram_bytes),
            "missing" if row.missing_tools else "ready",
        )
        for row in rows
    ]
    table = make_table("", ("target", "description", "language", "flash", "RAM", "tools"), cells, (1,))
    missing = dict.fromkeys(line for row in rows for line in row.missing_tools)
    return Group(table, *map(Text, missing))
