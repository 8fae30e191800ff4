"""What half of the channels costs and saves -> README.md's table of pruned nets.

resnet8 and kws, untrained: time on this machine, interleaved, and instructions on cortex-m4, in float. The
recognisers of spoken digits and of clothes (digits.py, fashion.py), retrained and quantized by `s2c sweep`:
accuracy too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from recognisers import DATA, ROOT

import s2c
from s2c.program import Program

sys.path.append(str(ROOT / "bench"))

from readme_tables import machine, markdown, write_readme

NETS: Mapping[str, Path] = {
    "resnet8": DATA / "mlperf_tiny" / "pretrainedResnet.tflite",
    "kws": DATA / "bench_nets" / "kws.onnx",
}
RECOGNISERS: Mapping[str, Sequence[str]] = {
    "digits": ["--epochs", "30"],
    "fashion": ["--epochs", "10", "--augment", "flip"],
}
ROUNDS, CALLS = 40, 100  # rounds in which each program makes some calls, in turn
TEST_NAMES = {"digits": "FSDD, spoken digits", "fashion": "Fashion-MNIST"}


def median_microseconds(programs: Sequence[Program]) -> list[float]:
    """By program, of all calls; the programs take turns, so that all meet the same noise."""
    found: list[list[float]] = [[] for _ in programs]
    for _ in range(ROUNDS):
        for times, program in zip(found, programs, strict=True):
            source = np.random.default_rng(0)
            inputs = tuple(source.random(each["shape"], np.float32) for each in program.manifest["inputs"])
            with program.start(repeat=CALLS + 1) as process:
                _, counters = program.run(process, inputs)
            times += [each / 1000 for each in counters["nanoseconds"][1:]]
    return [float(np.median(each)) for each in found]


def instructions(program: Program) -> int:
    inputs = tuple(np.zeros(each["shape"], np.float32) for each in program.manifest["inputs"])
    program(*inputs)
    return int(program.counters["instructions"])


def speed_rows() -> list[list[str]]:
    rows = []
    for name, path in NETS.items():
        with ExitStack() as stack:
            whole, half, whole_m4, half_m4 = (
                stack.enter_context(s2c.compile(path, target=target, **flags))
                for target in ("host", "cortex-m4")
                for flags in ({}, {"width": 0.5, "epochs": 0})
            )
            macs = half.manifest["macs"] / whole.manifest["macs"]
            times = median_microseconds((whole, half))
            counts = [instructions(each) for each in (whole_m4, half_m4)]
        time, count = times[1] / times[0], counts[1] / counts[0]
        rows.append(
            [
                f"{name}, float, `--width 0.5`",
                f"{macs:.3f}",
                f"{time:.3f}",
                f"{time / macs:.2f}",
                f"{count:.3f}",
                f"{count / macs:.2f}",
            ]
        )
    return rows


SPEED_HEADER = ("net", "MACs", "host time", "host time per MAC", "M4 instructions", "M4 instructions per MAC")


def sweep(name: str, flags: Sequence[str], folder: Path) -> dict[str, Any]:
    """sweep.json of width 1 and 0.5, as it lies in the folder or is made now."""
    source = ROOT / "build" / "agility" / name
    if not (source / "net.pt2").is_file():
        raise SystemExit(f"no {source}/net.pt2: run bench/agility/{name}.py first")
    command = [str(Path(sys.executable).with_name("s2c")), "sweep", str(source / "net.pt2")]
    command += ["-o", str(folder)]
    command += ["--width", "1,0.5", "--precision", "f32,int8", "--target", "cortex-m4", *flags]
    command += ["--data", str(source / "train.npz"), "--test", str(source / "test.npz")]
    subprocess.run(command, check=True)
    result: dict[str, Any] = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    return result


def recogniser_rows(results: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    return [
        [
            f"{TEST_NAMES[name]}, {point['precision']}",
            f"{point['share']:g}",
            f"{point['score']:.1%} of {result['test_samples']:,}",
            f"{point['macs']:,}",
            f"{point['rom_bytes']:,}",
            f"{point['arena_bytes'] + point['stack_bytes']:,}",
            f"{point['instructions']:,}",
        ]
        for name, result in results.items()
        for point in result["points"]
    ]


RECOGNISER_HEADER = ("net", "width", "right", "MACs", "flash, bytes", "RAM, bytes", "M4 instructions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write it into README.md, too")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "agility" / "sweeps")
    given = parser.parse_args()
    results = {name: sweep(name, flags, given.out / name) for name, flags in RECOGNISERS.items()}
    text = (
        "With half of the channels, as a share of the whole net's:\n\n"
        + markdown(SPEED_HEADER, speed_rows())
        + "\n\nTwo small recognisers, retrained and quantized, on cortex-m4:\n\n"
        + markdown(RECOGNISER_HEADER, recogniser_rows(results))
        + f"\n\nMeasured on {date.today().isoformat()} by `bench/agility/small_nets.py`; "
        + f"machine: {machine()}.\n"
    )
    print(text)
    if given.readme:
        write_readme({"pruned": text})


if __name__ == "__main__":
    main()
