"""The JSON files of peers.py -> README.md's table: mean and spread over the seeds.

Of a net and budget: the runs of the newest training loop, and those that both tools did alike.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from recognisers import ROOT

sys.path.append(str(ROOT / "bench"))

from readme_tables import markdown, write_readme

RESULTS = Path(__file__).resolve().parent / "results"
NAMES = {"resnet8": "resnet8", "resnet20": "ResNet-20"}
FIRST_LOOP = 1  # of training: that of results which do not say
Result = Mapping[str, Any]
Key = tuple[str, str, float, int, str, str, int]


def key_of(result: Result) -> Key:
    kind, value = result["budget"]
    loop = result.get("loop", FIRST_LOOP)
    return result["net"], kind, value, loop, result["tool"], result["method"], result["epochs"]


def load(folder: Path) -> dict[Key, list[Result]]:
    """Runs that differ by seed alone are together."""
    found: dict[Key, list[Result]] = {}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(key_of(result), []).append(result)
    return dict(sorted(found.items()))


def worth_showing(results: Mapping[Key, Sequence[Result]]) -> dict[Key, Sequence[Result]]:
    newest: dict[tuple[str, str, float], int] = {}
    tools: dict[tuple[str, str, float, int, int], set[str]] = {}
    for net, kind, value, loop, tool, _, epochs in results:
        newest[net, kind, value] = max(loop, newest.get((net, kind, value), loop))
        tools.setdefault((net, kind, value, loop, epochs), set()).add(tool)
    return {
        (net, kind, value, loop, tool, method, epochs): found
        for (net, kind, value, loop, tool, method, epochs), found in results.items()
        if loop == newest[net, kind, value] or len(tools[net, kind, value, loop, epochs]) > 1
    }


def row(key: Key, results: Sequence[Result]) -> list[str]:
    net, kind, value, loop, tool, method, epochs = key
    before = results[0]["score"]["original"]
    after = np.array([each["score"]["retrained"] for each in results])
    shares = np.array([each["macs"]["pruned"] / each["macs"]["original"] for each in results])
    return [
        f"{NAMES[net]}, {named(kind, value)}",
        f"{tool} ({method})",
        f"{shares.mean():.1%}",
        f"{before:.1%}",
        f"{after.mean():.2%}",
        f"{after.min():.1%} to {after.max():.1%}",
        f"{100 * (after.mean() - before):+.2f}",
        f"{len(results)}",
        f"{epochs}",
        f"{loop}",
        minutes(results),
        stolen(results),
    ]


def named(kind: str, value: float) -> str:
    if kind == "width":
        return f"width {value:g}"
    return "half of the MACs" if value == 0.5 else f"{value:.1%} of the MACs"


def minutes(results: Sequence[Result]) -> str:
    """The mean for each number of cores."""
    found: dict[int, list[float]] = {}
    for each in results:
        found.setdefault(each.get("threads", 1), []).append(each["seconds"] / 60)
    return ", ".join(f"{np.mean(each):.0f} on {cores}" for cores, each in sorted(found.items()))


def stolen(results: Sequence[Result]) -> str:
    """Nothing where a run did not note it: the minutes are of all."""
    shares = [each.get("stolen") for each in results]
    return "–" if None in shares else f"{np.mean(shares):.0%}"


HEADER = (
    "net, budget",
    "tool (importance)",
    "MACs",
    "before",
    "after, mean",
    "after, all",
    "points",
    "seeds",
    "epochs",
    "loop",
    "minutes on cores",
    "stolen",
)


def table(results: Mapping[Key, Sequence[Result]]) -> str:
    every = [each for group in results.values() for each in group]
    versions = sorted({f"{name} {version}" for each in every for name, version in each["versions"].items()})
    text = (
        "Accuracy on the first 1,000 test images of CIFAR-10, which no run chooses by; 20,000 training "
        "images. Tools compare in rows of equal epochs and loop: these share training, loss and "
        "augmentation (bench/agility/peers.py says what each loop brought). Stolen: the share of the "
        "processor time asked for that the host gave to other machines, where all runs noted it. "
        f"Measured on {listed(every, 'date')} with {', '.join(versions)}; machine: "
        f"{listed(every, 'machine')}."
    )
    return markdown(HEADER, [row(*each) for each in results.items()]) + f"\n{text}\n"


def listed(results: Sequence[Result], name: str) -> str:
    return " and ".join(sorted({each[name] for each in results}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=RESULTS, help="peers.py's --out")
    parser.add_argument("--readme", action="store_true", help="write it into README.md, too")
    given = parser.parse_args()
    results = load(given.runs)
    if not results:
        raise SystemExit(f"no runs in {given.runs}: run bench/agility/peers.py first")
    text = table(worth_showing(results))
    print(text)
    if given.readme:
        write_readme({"agility": text})


if __name__ == "__main__":
    main()
