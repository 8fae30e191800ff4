"""Chips of int8 nets: cycles predicted, counted by the model in C, by Verilator and by Icarus; README table.

Each row is a JSON file in build/silicon/results. A row is written only if all outputs equal the oracle's, and
all counts of cycles the prediction.
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
from s2c.silicon.claims import raw
from s2c.silicon.simulators import SIMULATORS

BUILT = ROOT / "build" / "silicon"
LANES: Mapping[str, tuple[int, ...]] = {
    "kws": (1, 8, 32),
    "vww": (1, 8, 32),
    "resnet8": (1, 8, 32, 64),
    "ad01": (1, 8, 32, 256),
    "sww": (1, 8, 32),
}
MODEL, MOST_INPUTS, SEED = "model in C", 64, 0


@dataclass(frozen=True)
class Row:
    """counts: inputs that each emulator was given, adversarial ones first."""

    net: str
    macs: int
    lanes: int
    cycles: int
    utilisation: float
    rom_bits: int
    arena_bytes: int
    counts: Mapping[str, int]
    seconds: Mapping[str, float]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nets", default=",".join(LANES), metavar="LIST")
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


def measure(net: str, lanes: int, seconds: float, most: float) -> Row:
    compilation = compile_model(make_request(DATA / "mlperf_tiny" / NETS[net], "asic", lanes=lanes))
    inputs = choose_inputs(compilation.reference)
    wanted = [raw(oracle.run(compilation.reference, *each)) for each in inputs]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "chip"
        manifest = save_artifact(compilation, folder)
        cycles = manifest["cycles"]
        counts, times = {}, {}
        with Program(folder) as program, program.start() as process:
            start = time.perf_counter()
            for each, outputs in zip(inputs, wanted, strict=True):
                found, counters = program.run(process, each)
                check(net, lanes, MODEL, raw(found) == outputs and counters["cycles"] == cycles)
            counts[MODEL], times[MODEL] = len(inputs), time.perf_counter() - start
        for name, simulator in SIMULATORS.items():
            if simulator.missing():
                continue
            least = min(simulator.count_inputs(most, cycles, lanes), 1)
            count = min(max(simulator.count_inputs(seconds, cycles, lanes), least), len(inputs))
            if count == 0:
                continue
            work = Path(temporary) / name
            work.mkdir()
            start = time.perf_counter()
            data = [raw(each) for each in inputs[:count]]
            result = simulator.simulate(folder, manifest["name"], work, data, len(wanted[0]))
            is_same = result.outputs == wanted[:count] and set(result.cycles) == {cycles}
            check(net, lanes, name, is_same)
            counts[name], times[name] = count, time.perf_counter() - start
            shutil.rmtree(work)
    return Row(
        net=net,
        macs=manifest["macs"],
        lanes=lanes,
        cycles=cycles,
        utilisation=manifest["utilisation"],
        rom_bits=sum(manifest["rom_bits"].values()),
        arena_bytes=manifest["arena_bytes"],
        counts=counts,
        seconds=times,
    )


def check(net: str, lanes: int, name: str, is_same: bool) -> None:
    if not is_same:
        raise SystemExit(f"{net} on {lanes} lanes: {name} gives other outputs or cycles")


def make_table(rows: Sequence[Row]) -> str:
    header = (
        "net",
        "MMAC",
        "lanes",
        "cycles",
        "lanes used",
        "ROM, KiB",
        "arena, KiB",
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
            f"{100 * row.utilisation:.1f}%",
            f"{row.rom_bits / 8192:.1f}",
            f"{row.arena_bytes / 1024:.1f}",
            *(str(row.counts.get(name, "-")) for name in (MODEL, *SIMULATORS)),
        )
        for row in rows
    ]
    text = (
        "All outputs equal the oracle's to the bit; all counts of cycles are one, and the one predicted. "
        "-: simulating one input would take too long."
    )
    return markdown(header, cells) + caption(text)


def load_rows(folder: Path) -> list[Row]:
    found = {path.stem: Row(**json.loads(path.read_text())) for path in folder.glob("*.json")}
    names = [f"{net}_{lanes}" for net, counts in LANES.items() for lanes in counts]
    return [found[name] for name in names if name in found]


def main() -> None:
    given = parse()
    given.out.mkdir(parents=True, exist_ok=True)
    for net in [] if given.tables else given.nets.split(","):
        for lanes in LANES[net]:
            row = measure(net, lanes, given.seconds, given.most)
            print(row, flush=True)
            (given.out / f"{net}_{lanes}.json").write_text(json.dumps(asdict(row), indent=1) + "\n")
    text = make_table(load_rows(given.out))
    print(text)
    if given.readme:
        write_readme({"silicon": text})


if __name__ == "__main__":
    main()
