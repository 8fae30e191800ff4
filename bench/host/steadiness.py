"""Measures how steady s2c and other runtimes are, kws and resnet8, and writes README.md's table.

Each net is measured twice: all calls, and calls that meet no tick of the kernel's timer. The JSON files
are in build/host/steadiness; the table is made of all that are there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from host.nets import F32, INT8, list_nets
from host.table import PRECISIONS, TITLES
from readme_tables import DATA, ROOT, caption, markdown, write_readme

import s2c
from s2c.determinism.measure import CALLS, EMPTY, OWN, measure_determinism
from s2c.errors import CompileError
from s2c.report import to_json

BUILT = ROOT / "build" / "host"
RESULTS = BUILT / "steadiness"
NETS = ("kws", "resnet8")
PEERS = ("onnxruntime", "openvino", "litert")
ALL, BETWEEN = "all calls", "between ticks"
COLUMNS = (OWN, *PEERS, EMPTY)
COUNTED = {"mallocs": "mallocs", "page_faults": "page faults", "syscalls": "system calls"}
Document = Mapping[str, Any]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=CALLS, help="of each runtime")
    parser.add_argument("--tables", action="store_true", help="measure nothing: the rows that are there")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md, too")
    return parser.parse_args()


def main() -> None:
    given = parse()
    if not given.tables:
        measure_nets(given.calls)
    text = make_table(
        [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    )
    print(text)
    if given.readme:
        write_readme({"steadiness": text})


def measure_nets(calls: int) -> None:
    """A file for each net, precision and kind of calls; where the core has no tick, only of all calls."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for net in list_nets(NETS, (F32, INT8), DATA, BUILT / "nets"):
        models = [net.onnx] if net.tflite is None else [net.onnx, net.tflite]
        with s2c.compile(net.own) as program:
            folder = program.save(BUILT / "steady" / f"{net.name}_{net.precision}")
        for kind in (ALL, BETWEEN):
            try:
                document, _ = measure_determinism(folder, PEERS, models, calls, between_ticks=kind == BETWEEN)
            except CompileError as problem:
                print(problem, file=sys.stderr)
                continue
            found = {"row": [net.name, net.precision, kind], **json.loads(to_json(document))}
            path = RESULTS / f"{net.name}_{net.precision}_{kind.split()[0]}.json"
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def make_table(documents: Sequence[Document]) -> str:
    titles = [TITLES.get(name, name) for name in COLUMNS]
    rows = [[*row_name(each), *(cell(each, name) for name in COLUMNS)] for each in documents]
    counts = [
        [f"{net}: {title}", *values]
        for each in documents
        if each["row"][-1] == ALL
        for net in [" ".join(row_name(each)[:2])]
        for key, title in COUNTED.items()
        if set(values := [count(each, runtime, key) for runtime in COLUMNS[:-1]]) != {"-"}
    ]
    about = (
        "p99.9 / p50, and both in microseconds, over as many calls of each, which take turns on one core "
        "under SCHED_FIFO. Between ticks: no call meets the tick of the kernel's timer, which interrupts a "
        "core every few milliseconds, and decides the p99.9 of calls that are short. empty loop: registers "
        "alone, about as long as a call of s2c: what the machine does to it."
    )
    return "\n".join(
        [
            markdown(["net", "precision", "calls", *titles], rows),
            "",
            markdown(["in one call", *titles[:-1]], counts),
            "",
            caption(about),
        ]
    )


def row_name(document: Document) -> list[str]:
    net, precision, kind = document["row"]
    return [net, PRECISIONS[precision], kind]


def entry(document: Document, runtime: str) -> Document | None:
    found: Document | None = next((each for each in document["entries"] if each["name"] == runtime), None)
    return found


def cell(document: Document, runtime: str) -> str:
    found = entry(document, runtime)
    return "-" if found is None else f"{found['ratio']:.2f} ({found['p50']:.1f}, {found['p99_9']:.1f})"


def count(document: Document, runtime: str, key: str) -> str:
    found = entry(document, runtime)
    value = None if found is None else found[key]["of_a_call"]
    return "-" if value is None else f"{value:,.0f}"


if __name__ == "__main__":
    main()
