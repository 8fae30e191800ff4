"""Measures, and writes the tables and example outputs of README.md between their markers.

What a marker <!-- measured: NAME --> holds ends at <!-- end -->. S2C_DATA names the folder of trained nets.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import s2c
from s2c.ir import DTYPES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DATA = Path(os.environ.get("S2C_DATA", ROOT.parent / "shared" / "data"))
NETS: Mapping[str, str] = {
    "kws": "kws_ref_model.tflite",
    "vww": "vww_96_int8.tflite",
    "resnet8": "pretrainedResnet_quant.tflite",
    "ad01": "ad01_int8.tflite",
    "sww": "str_ww_ref_model.tflite",
}
# Rows of the comparison: what the peers ran, and the net that s2c compiled.
PEER_ROWS: Mapping[str, str] = {
    "kws": "kws",
    "vww": "vww",
    "vww_without_dead_channels": "vww",
    "resnet8": "resnet8",
    "ad01": "ad01",
    "sww": "sww",
}
CORES = ("cortex-m4", "cortex-m7", "cortex-m33")
MARKER = re.compile(r"(<!-- measured: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
EXAMPLE_WIDTH = 100


@dataclass(frozen=True)
class Measurement:
    instructions: int
    flash_k: float  # harness included, as in peers.toml
    ram_k: float
    macs: int
    source_macs: int


def measure(path: Path, target: str) -> Measurement:
    with s2c.compile(path, target=target) as program:
        zeros = [np.zeros(each["shape"], DTYPES[each["dtype"]]) for each in program.manifest["inputs"]]
        program(*zeros)
        manifest = program.manifest
        return Measurement(
            instructions=program.counters["instructions"],
            flash_k=manifest["image_bytes"] / 1000,
            ram_k=(manifest["arena_bytes"] + manifest["stack_bytes"]) / 1000,
            macs=manifest["macs"],
            source_macs=manifest["source_macs"],
        )


# text


def format_count(count: int) -> str:
    """Four digits or so: 12.34 M, 580 K."""
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count / 1e3:.0f} K"


def format_k(size: float) -> str:
    return f"{size:.1f} K" if size < 100 else f"{size:.0f} K"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def machine() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return f"{names[0] if names else platform.machine()}, {platform.system()}"


def caption(what: str) -> str:
    versions = f"s2c {metadata.version('s2c')}, ziglang {metadata.version('ziglang')}"
    return f"\n{what} Measured on {date.today().isoformat()} with {versions}; machine: {machine()}.\n"


# tables


def peers_table(results: Mapping[tuple[str, str], Measurement]) -> str:
    peers = tomllib.loads((ROOT / "bench" / "peers.toml").read_text(encoding="utf-8"))
    header = ["Cortex-M4, one inference", "s2c", *(peer["title"] for peer in peers.values())]
    rows = []
    for row, net in PEER_ROWS.items():
        own = results[net, "cortex-m4"]
        figures = [own.instructions, own.flash_k, own.ram_k]
        label = row.replace("_", " ")
        rows.append([label, cell(*figures), *(peer_cell(peer.get(row)) for peer in peers.values())])
    sources = " ".join(f"{peer['title']}: {peer['source']}." for peer in peers.values())
    text = f"Instructions; flash with a small harness; RAM with stack; K is 1,000 bytes. {sources}"
    return markdown(header, rows) + caption(text)


def cell(instructions: int, flash_k: float, ram_k: float) -> str:
    return f"{format_count(instructions)}; {format_k(flash_k)}; {format_k(ram_k)}"


def peer_cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "-"
    if "flash_k" not in figures:
        return format_count(figures["instructions"])
    return cell(figures["instructions"], figures["flash_k"], figures["ram_k"])


def cores_table(results: Mapping[tuple[str, str], Measurement]) -> str:
    header = ["instructions, one inference", "MMAC", "of them computed", *CORES]
    rows = [
        [
            net,
            f"{results[net, CORES[0]].source_macs / 1e6:.2f}",
            f"{results[net, CORES[0]].macs / 1e6:.2f}",
            *(format_count(results[net, core].instructions) for core in CORES),
        ]
        for net in NETS
    ]
    text = "What is not computed belongs to channels that are constant: their weights are all zero."
    return markdown(header, rows) + caption(text)


def measure_nets() -> Mapping[tuple[str, str], Measurement]:
    paths = {net: DATA / "mlperf_tiny" / file for net, file in NETS.items()}
    missing = [str(path) for path in paths.values() if not path.is_file()]
    if missing:
        raise SystemExit("not found: " + ", ".join(missing) + "; set S2C_DATA to the folder of trained nets")
    results = {}
    for net, path in paths.items():
        for core in CORES:
            results[net, core] = measure(path, core)
            print(f"{net} on {core}: {results[net, core]}", file=sys.stderr)
    return results


# examples: the command lines that the README shows, with what they print

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "demo": ("make demo",),
    "example": (
        "s2c compile demo/digits_int8.onnx --target cortex-m4 -o {out}/digits",
        "s2c verify {out}/digits",
    ),
}


def run_examples(commands: Sequence[str]) -> str:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": str(EXAMPLE_WIDTH),
        "MAKEFLAGS": "--no-print-directory",
    }
    parts = []
    with tempfile.TemporaryDirectory() as out:
        for command in commands:
            done = subprocess.run(
                shlex.split(command.format(out=out)),
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise SystemExit(f"{command} failed:\n{done.stdout}{done.stderr}")
            shown = command.format(out="out")
            lines = [line.rstrip() for line in done.stdout.replace(out, "out").splitlines()]
            parts.append(f"$ {shown}\n" + "\n".join(lines).strip("\n") + "\n")
    return "```console\n" + "\n".join(parts) + "```\n"


# the file


def write_readme(texts: Mapping[str, str]) -> None:
    """Replaces what stands at the markers named; a marker without a text stays as it is."""

    def replaced(match: re.Match[str]) -> str:
        name = match.group(2)
        return match.group(1) + texts[name] + match.group(3) if name in texts else match.group(0)

    README.write_text(MARKER.sub(replaced, README.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--examples-only", action="store_true", help="leave the tables of the nets in S2C_DATA as they are"
    )
    only_examples = parser.parse_args().examples_only
    texts = {name: run_examples(commands) for name, commands in EXAMPLES.items()}
    tables: Mapping[str, Callable[[Mapping[tuple[str, str], Measurement]], str]] = {
        "peers": peers_table,
        "cores": cores_table,
    }
    if not only_examples:
        results = measure_nets()
        texts |= {name: table(results) for name, table in tables.items()}
    write_readme(texts)


if __name__ == "__main__":
    main()
