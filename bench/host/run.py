"""Measures s2c beside other runtimes on this machine, net by net, and writes README.md's table.

Each row is a JSON file in build/host/results; the table is made of all that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from host.measure import RUNTIMES, measure
from host.nets import BF16, F32, INT8, NAMES, SMALL, list_nets
from host.peak import build_peak
from host.table import load_rows, make_tables
from readme_tables import DATA, ROOT, machine, write_readme

from s2c.determinism.peers import PEERS, check_peers
from s2c.determinism.turns import Pace
from s2c.report import to_json

BUILT = ROOT / "build" / "host"
SECONDS, QUICK_SECONDS = 8.0, 0.5
ROUNDS, QUICK_ROUNDS = 20, 3


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nets", default=None, metavar="LIST", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--precision", default=f"{F32},{BF16},{INT8}", metavar="LIST")
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="numbers of threads")
    parser.add_argument("--quick", action="store_true", help="small nets, one thread, half a second each")
    parser.add_argument("--seconds", type=float, default=None, help="of interleaved calls for each row")
    parser.add_argument("--core", type=int, default=None, help="where single threads run; default: the last")
    parser.add_argument("--out", type=Path, default=BUILT / "results", help="the folder of the JSON files")
    parser.add_argument("--tables", action="store_true", help="measure nothing: the rows that are there")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md, too")
    return parser.parse_args(arguments)


def pick(given: str, known: Sequence[str], what: str) -> list[str]:
    names = given.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"{what}: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    return names


def pick_cores(threads: int, core: int | None) -> tuple[int, ...]:
    """One thread stays on one core; several have all."""
    free = sorted(os.sched_getaffinity(0))
    return tuple(free) if threads > 1 else (free[-1] if core is None else core,)


def versions() -> dict[str, str]:
    names = ["s2c", "ziglang", *(PEERS[name].distribution for name in RUNTIMES)]
    return {name: metadata.version(name) for name in names}


def describe(row: dict[str, Any]) -> str:
    cells = [
        f"{name} {each['minimum_microseconds']:.1f}/{each['median_microseconds']:.1f}"
        if "minimum_microseconds" in each
        else f"{name}: {each['error']}"
        for name, each in row["runtimes"].items()
    ]
    threads = f", {row['threads']} threads" if row["threads"] > 1 else ""
    return f"{row['net']} {row['precision']}{threads}: " + "  ".join(cells)


def main() -> None:
    given = parse()
    if not given.tables:
        measure_rows(given)
    text = make_tables(load_rows(given.out))
    print(text)
    if given.readme:
        write_readme({"host": text})


def measure_rows(given: argparse.Namespace) -> None:
    """Writes a JSON file for each row."""
    check_peers(RUNTIMES)
    names = pick(given.nets or ",".join(SMALL if given.quick else NAMES), NAMES, "--nets")
    precisions = pick(given.precision, (F32, BF16, INT8), "--precision")
    threads = [1] if given.quick else [int(each) for each in given.threads.split(",")]
    seconds = given.seconds or (QUICK_SECONDS if given.quick else SECONDS)
    pace = Pace(QUICK_ROUNDS if given.quick else ROUNDS, seconds)
    peak = build_peak(BUILT)
    given.out.mkdir(parents=True, exist_ok=True)
    about = {"date": date.today().isoformat(), "machine": machine(), "versions": versions()}
    for net in list_nets(names, precisions, DATA, BUILT / "nets"):
        for count in threads:
            row = {**measure(net, count, pace, pick_cores(count, given.core), peak), **about}
            print(describe(row), flush=True)
            path = given.out / f"{net.name}_{net.precision}_{count}.json"
            path.write_text(json.dumps(json.loads(to_json(row)), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
