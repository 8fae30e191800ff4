"""The JSON files of run.py -> README.md's tables: times, ratios to the best peer and to a core's peak."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from host.measure import OWN, RUNTIMES
from host.nets import NAMES
from readme_tables import markdown

TITLES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "litert": "LiteRT", "s2c": "s2c"}
PRECISIONS = {"f32": "fp32", "bf16": "bf16", "int8": "int8"}
MINIMUM, MEDIAN = "minimum_microseconds", "median_microseconds"
Row = Mapping[str, Any]


def load_rows(folder: Path) -> list[Row]:
    """By precision, threads, and in the order of the nets."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    order = [*PRECISIONS]
    return sorted(
        rows,
        key=lambda row: (order.index(row["precision"]), row["threads"], NAMES.index(row["net"])),
    )


# figures


def best_peer(row: Row, key: str) -> float | None:
    """The least time of a peer; None where no peer ran."""
    times = [row["runtimes"].get(name, {}).get(key) for name in RUNTIMES]
    return min((time for time in times if time is not None), default=None)


def ratio(row: Row, key: str) -> float | None:
    """Best peer over s2c: above 1, s2c is faster."""
    own, peer = row["runtimes"].get(OWN, {}).get(key), best_peer(row, key)
    return None if own is None or peer is None else float(peer / own)


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def limit_microseconds(row: Row) -> float | None:
    """All MACs at the measured peak of one core."""
    return row["macs"] / row["peak_gmacs"] / 1000 if row["macs"] and row.get("peak_gmacs") else None


# text


def make_tables(rows: Sequence[Row]) -> str:
    texts = []
    for precision, title in PRECISIONS.items():
        own = [row for row in rows if row["precision"] == precision]
        one = [row for row in own if row["threads"] == 1]
        if one:
            texts.append(f"One thread, {title}:\n\n{one_thread_table(one)}")
        more = [row for row in own if row["threads"] > 1]
        if more and one:
            texts.append(f"More threads, {title}:\n\n{threads_table(one, more)}")
    return "\n".join(texts) + "\n" + caption(rows) if texts else ""


def one_thread_table(rows: Sequence[Row]) -> str:
    header = [
        "net", "MMAC", "limit, µs", *(TITLES[name] for name in RUNTIMES), "s2c",
        "best peer / s2c", "median", "of the peak", "error",
    ]  # fmt: skip
    cells = [
        [
            row["net"] + (" (a)" if row["made"] else ""),
            "-" if row["macs"] is None else f"{row['macs'] / 1e6:.2f}",
            microseconds(limit_microseconds(row)),
            *(time_cell(row["runtimes"].get(name)) for name in (*RUNTIMES, OWN)),
            times(ratio(row, MINIMUM)),
            times(ratio(row, MEDIAN)),
            peak_cell(row),
            error_cell(row["runtimes"].get(OWN, {})),
        ]
        for row in rows
    ]
    means = [mean_cell(rows, key) for key in (MINIMUM, MEDIAN)]
    return markdown(header, [*cells, ["geometric mean", *[""] * (len(header) - 5), *means, "", ""]])


def threads_table(one: Sequence[Row], more: Sequence[Row]) -> str:
    """How many times as fast as with one thread, by the minimum."""
    single = {row["net"]: row for row in one}
    header = ["net", "threads", *(TITLES[name] for name in (*RUNTIMES, OWN))]
    cells = [
        [
            row["net"],
            str(row["threads"]),
            *(gain_cell(single[row["net"]], row, name) for name in (*RUNTIMES, OWN)),
        ]
        for row in more
        if row["net"] in single
    ]
    return markdown(header, cells)


def gain_cell(one: Row, more: Row, name: str) -> str:
    before = one["runtimes"].get(name, {}).get(MINIMUM)
    after = more["runtimes"].get(name, {}).get(MINIMUM)
    return "-" if before is None or after is None else f"{microseconds(after)} ({before / after:.2f}x)"


def microseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"


def times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def time_cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None or MINIMUM not in figures:
        return "-"
    return f"{microseconds(figures[MINIMUM])} / {microseconds(figures[MEDIAN])}"


def peak_cell(row: Row) -> str:
    limit, own = limit_microseconds(row), row["runtimes"].get(OWN, {}).get(MINIMUM)
    return "-" if limit is None or own is None else f"{limit / own:.0%}"


def error_cell(figures: Mapping[str, Any]) -> str:
    """Of s2c's outputs against its oracle."""
    oracle = figures.get("oracle")
    if oracle is None:
        return "-"
    if oracle["exact"]:
        return "0"
    return f"{oracle['error']:.0e}" if oracle["unit"] == "share" else f"{oracle['error']:.0f} steps"


def mean_cell(rows: Sequence[Row], key: str) -> str:
    found = [value for row in rows if (value := ratio(row, key)) is not None]
    return f"{geometric_mean(found):.2f}" if found else "-"


def caption(rows: Sequence[Row]) -> str:
    versions = sorted({f"{name} {each}" for row in rows for name, each in row["versions"].items()})
    reasons = {
        f"{TITLES[name]} in {PRECISIONS[row['precision']]}"
        + (f" with {row['threads']} threads" if row["threads"] > 1 else "")
        + f": {figures['error']}"
        for row in rows
        for name, figures in row["runtimes"].items()
        if MINIMUM not in figures
    }
    peaks = {row["precision"]: row["peak_gmacs"] for row in rows if row.get("peak_gmacs")}
    parts = [
        "Microseconds of one call from Python, minimum / median; each runtime in a process of its own, all "
        f"on one core, calls interleaved{priority(rows)}. limit: the net's MACs at the measured peak of "
        "one core ("
        + ", ".join(f"{PRECISIONS[name]} {peak:.0f} GMAC/s" for name, peak in peaks.items())
        + "), which a convolution by Winograd's filtering may pass. error: of s2c's outputs against its "
        "oracle, as a share of the largest.",
    ]
    if any(row["made"] for row in rows):
        parts.append("(a): no trained int8 file, so quantized by onnxruntime.quantization on random inputs.")
    parts += [f"{reason}." for reason in sorted(reasons)]
    parts.append(
        f"Measured on {listed(rows, 'date')} by `bench/host/run.py` with {', '.join(versions)}; "
        f"machine: {listed(rows, 'machine')}."
    )
    return "\n" + " ".join(parts) + "\n"


def priority(rows: Sequence[Row]) -> str:
    """Whether all single threads ran before all else."""
    single = [each for row in rows if row["threads"] == 1 for each in row["granted"].values()]
    return "" if any(each.get("SCHED_FIFO", "not asked for") for each in single) else ", under SCHED_FIFO"


def listed(rows: Sequence[Row], name: str) -> str:
    return " and ".join(sorted({row[name] for row in rows}))
