"""Chips of int8 nets: cycles predicted, counted by the model in C, by Verilator and by Icarus; README tables.

Each row is a JSON file in build/silicon/results. A row is written only if all outputs equal the oracle's, and
all counts of cycles, and of cycles between results, the prediction.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))

from readme_tables import DATA, NETS, ROOT, caption, markdown, write_readme

from s2c import oracle
from s2c.artifact import save_artifact
from s2c.driver import compile_model, make_request
from s2c.inputs import adversarial_inputs, random_inputs
from s2c.ir import Graph
from s2c.program import Program
from s2c.silicon.claims import all_lanes, needed, raw
from s2c.silicon.simulators import SIMULATORS

BUILT = ROOT / "build" / "silicon"
LANES: Mapping[str, tuple[int, ...]] = {
    "kws": (1, 8, 32),
    "vww": (1, 8, 32),
    "resnet8": (1, 8, 32, 64),
    "ad01": (1, 8, 32, 256),
    "sww": (1, 8, 32),
}
STREAM_LANES: Mapping[str, tuple[int, ...]] = {
    "kws": (64, 256),
    "vww": (64, 256),
    "resnet8": (64, 512),
    "ad01": (64, 256),
    "sww": (64,),
}
STYLES: Mapping[str, Mapping[str, tuple[int, ...]]] = {"datapath": LANES, "stream": STREAM_LANES}
MODEL, MOST_INPUTS, SEED = "model in C", 64, 0


@dataclass(frozen=True)
class Row:
    """asked: for how many lanes; lanes: that there are. interval: of a stream. memory_bytes: of the arena, or
    the rings. counts: inputs that each emulator was given, adversarial ones first."""

    net: str
    style: str
    asked: int
    macs: int
    lanes: int
    cycles: int
    interval: int | None
    utilisation: float
    rom_bits: int
    memory_bytes: int
    counts: Mapping[str, int]
    seconds: Mapping[str, float]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nets", default=",".join(LANES), metavar="LIST")
    parser.add_argument("--styles", default=",".join(STYLES), metavar="LIST")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each simulation, about")
    parser.add_argument("--most", type=float, default=600.0, help="seconds that a single input may take")
    parser.add_argument("--out", type=Path, default=BUILT / "results")
    parser.add_argument("--tables", action="store_true", help="measure nothing: the rows that are there")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md, too")
    return parser.parse_args()


def choose_inputs(graph: Graph) -> list[tuple[np.ndarray, ...]]:
    source = np.random.default_rng(SEED)
    hostile = list(adversarial_inputs(graph).values())
    return [*hostile, *(random_inputs(graph, source) for _ in range(MOST_INPUTS))]


def measure(net: str, style: str, lanes: int, seconds: float, most: float) -> Row:
    model = DATA / "mlperf_tiny" / NETS[net]
    compilation = compile_model(make_request(model, "asic", lanes=lanes, style=style))
    inputs = choose_inputs(compilation.reference)
    wanted = [raw(oracle.run(compilation.reference, *each)) for each in inputs]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "chip"
        manifest = save_artifact(compilation, folder)
        cycles, interval = manifest["cycles"], manifest.get("interval")
        counts, times = {}, {}
        with Program(folder) as program, program.start() as process:
            start = time.perf_counter()
            for each, outputs in zip(inputs, wanted, strict=True):
                found, counters = program.run(process, each)
                check(net, lanes, MODEL, raw(found) == outputs and counters["cycles"] == cycles)
                check(net, lanes, MODEL, counters.get("interval") == interval)
            counts[MODEL], times[MODEL] = len(inputs), time.perf_counter() - start
        for name, simulator in SIMULATORS.items():
            if simulator.missing():
                continue
            one = needed(interval is not None)
            stages = all_lanes(manifest)
            least = one if simulator.count_inputs(most, cycles, *stages) >= one else 0
            fitting = simulator.count_inputs(seconds, interval or cycles, *stages)
            count = min(max(fitting, least), len(inputs))
            if count < one:
                continue
            work = Path(temporary) / name
            work.mkdir()
            start = time.perf_counter()
            data = [raw(each) for each in inputs[:count]]
            for stream in (False, True) if interval is not None else (False,):
                given = data if stream == (interval is not None) else data[:1]
                result = simulator.simulate(
                    folder, manifest["name"], work, given, len(wanted[0]), stream=stream
                )
                counted = (result.intervals, interval) if stream else (result.cycles, cycles)
                is_same = result.outputs == wanted[: len(given)] and set(counted[0]) == {counted[1]}
                check(net, lanes, name, is_same)
            counts[name], times[name] = count, time.perf_counter() - start
            shutil.rmtree(work)
    return Row(
        net=net,
        style=style,
        asked=lanes,
        macs=manifest["macs"],
        lanes=manifest["lanes"],
        cycles=cycles,
        interval=interval,
        utilisation=manifest["utilisation"],
        rom_bits=sum(manifest["rom_bits"].values()),
        memory_bytes=manifest["arena_bytes"] if interval is None else manifest["ring_bytes"],
        counts=counts,
        seconds=times,
    )


def check(net: str, lanes: int, name: str, is_same: bool) -> None:
    if not is_same:
        raise SystemExit(f"{net} on {lanes} lanes: {name} gives other outputs or cycles")


def make_table(rows: Sequence[Row]) -> str:
    """Of one style."""
    is_stream = any(row.interval is not None for row in rows)
    header = (
        "net",
        "MMAC",
        "lanes",
        "cycles",
        *(("a result every, cycles",) if is_stream else ()),
        "lanes used",
        "ROM, KiB",
        "rings, KiB" if is_stream else "arena, KiB",
        "inputs: model in C",
        "Verilator",
        "Icarus",
    )
    cells = [
        (
            row.net,
            f"{row.macs / 1e6:.3f}",
            str(row.lanes),
            f"{row.cycles:,}",
            *(() if row.interval is None else (f"{row.interval:,}",)),
            f"{100 * row.utilisation:.1f}%",
            f"{row.rom_bits / 8192:.1f}",
            f"{row.memory_bytes / 1024:.1f}",
            *(str(row.counts.get(name, "-")) for name in (MODEL, *SIMULATORS)),
        )
        for row in rows
    ]
    counted = "cycles, and of cycles between results that come without a pause," if is_stream else "cycles"
    text = (
        f"All outputs equal the oracle's to the bit; all counts of {counted} are one, and the one predicted. "
        "-: simulating one input would take too long."
    )
    return markdown(header, cells) + caption(text)


def load_rows(folder: Path, style: str) -> list[Row]:
    found = {path.stem: path for path in folder.glob("*.json")}
    names = [f"{net}_{style}_{lanes}" for net, counts in STYLES[style].items() for lanes in counts]
    return [Row(**json.loads(found[name].read_text())) for name in names if name in found]


def main() -> None:
    given = parse()
    given.out.mkdir(parents=True, exist_ok=True)
    for style in [] if given.tables else given.styles.split(","):
        for net in given.nets.split(","):
            for lanes in STYLES[style][net]:
                row = measure(net, style, lanes, given.seconds, given.most)
                print(row, flush=True)
                path = given.out / f"{net}_{style}_{lanes}.json"
                path.write_text(json.dumps(asdict(row), indent=1) + "\n", encoding="utf-8")
    texts = {style: make_table(load_rows(given.out, style)) for style in STYLES}
    print("\n".join(texts.values()))
    if given.readme:
        write_readme({"silicon": texts["datapath"], "streams": texts["stream"]})


if __name__ == "__main__":
    main()
