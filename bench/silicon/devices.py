"""Chips on devices: small nets placed and routed for an ECP5 beside published figures -> README's table.

Each row is a JSON file in build/silicon/devices.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))

from readme_tables import DATA, NETS, ROOT, caption, markdown, tomllib, write_readme

import s2c
from s2c.ir import Graph, Quant, Type, input_node
from s2c.ops import make
from s2c.readers.graph_file import write_graph
from s2c.silicon.devices import load_device
from s2c.silicon.synthesis import synthesise_artifact

BUILT = ROOT / "build" / "silicon" / "devices"
ROWS: tuple[tuple[str, str, int, str], ...] = (
    ("mlp", "datapath", 8, "ecp5-25k"),
    ("mlp", "stream", 20, "ecp5-25k"),
    ("mlp", "stream", 40, "ecp5-85k"),
    ("digits", "datapath", 8, "ecp5-25k"),
    ("kws", "datapath", 8, "ecp5-25k"),
    ("kws", "stream", 49, "ecp5-85k"),
    ("ad01", "datapath", 8, "ecp5-85k"),
    ("ad01", "datapath", 64, "ecp5-85k"),
    ("ad01", "stream", 114, "ecp5-85k"),
)
TITLES = {"mlp": "MLP 64-32-10", "digits": "digits (demo)"}
SEED = 64
RESOURCES = ("luts", "carries", "flip_flops", "multipliers", "block_rams")
MLP_SCALES = (0.0625, 0.03, 0.12)  # of what goes into its layers, and of the result


@dataclass(frozen=True)
class Row:
    """interval: of a stream, cycles from one result to the next."""

    net: str
    style: str
    lanes: int
    device: str
    cycles: int
    interval: int | None
    luts: int
    carries: int
    flip_flops: int
    multipliers: int
    block_rams: int
    frequency_mhz: float


def make_mlp() -> Graph:
    """64-32-10 with one scale for a layer and weights from a fixed seed: what it takes is all that counts."""
    source = np.random.default_rng(SEED)
    zeros = (0, -128, 3)
    first, second, third = (Quant((scale,), zero) for scale, zero in zip(MLP_SCALES, zeros, strict=True))
    x = input_node("x", Type((1, 64), "i8", first))
    hidden = make("dense", (x,), "hidden", second, **layer(source, 32, 64, 0.004), lo=0.0)
    return Graph((x,), (make("dense", (hidden,), "scores", third, **layer(source, 10, 32, 0.006)),))


def layer(source: np.random.Generator, outputs: int, inputs: int, scale: float) -> dict[str, np.ndarray]:
    weight = np.clip(np.round(source.normal(0, 40, (outputs, inputs))), -127, 127).astype(np.int8)
    bias = source.integers(-2000, 2000, outputs).astype(np.int32)
    return {"weight": weight, "bias": bias, "weight_scale": np.array([scale], np.float32)}


def compile_net(net: str, style: str, lanes: int, folder: Path) -> None:
    flags = {"target": "asic", "style": style, "lanes": lanes, "name": net}
    if net == "mlp":
        path = folder.parent / "mlp.s2c"
        write_graph(path, make_mlp())
        program = s2c.compile(path, **flags)
    elif net == "digits":
        model, data = ROOT / "demo" / "digits.onnx", ROOT / "demo" / "digits_train.npz"
        program = s2c.compile(model, **flags, int8=True, data=data)
    else:
        program = s2c.compile(DATA / "mlperf_tiny" / NETS[net], **flags)
    with program:
        program.save(folder)


def measure(net: str, style: str, lanes: int, device: str) -> Row:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "chip"
        compile_net(net, style, lanes, folder)
        found = synthesise_artifact(folder, load_device(device), None, None, None, print)
        assert found.frequency_mhz is not None
        assert found.bitstream is not None and Path(found.bitstream).stat().st_size > 0
    return Row(
        net=net,
        style=style,
        lanes=lanes,
        device=device,
        cycles=found.cycles,
        interval=found.interval,
        luts=found.luts,
        carries=found.carries,
        flip_flops=found.flip_flops,
        multipliers=found.multipliers,
        block_rams=found.block_rams,
        frequency_mhz=found.frequency_mhz,
    )


def make_table(rows: Sequence[Row]) -> str:
    resources = ("LUT4", "carry", "flip-flops", "multipliers", "block RAM")
    header = ("net", "by", "device", "cycles", *resources, "MHz", "µs", "a result every, µs")
    cells = [
        (
            TITLES.get(row.net, row.net),
            f"s2c, {row.lanes} lanes" + (", stream" if row.style == "stream" else ""),
            row.device,
            f"{row.cycles:,}",
            *(f"{getattr(row, name):,}" for name in RESOURCES),
            f"{row.frequency_mhz:.0f}",
            f"{row.cycles / row.frequency_mhz:,.1f}",
            "-" if row.interval is None else f"{row.interval / row.frequency_mhz:,.1f}",
        )
        for row in rows
    ]
    peers = tomllib.loads((ROOT / "bench" / "chips.toml").read_text(encoding="utf-8"))
    names = ("net", "title", "device", "cycles", *RESOURCES)
    for peer in peers["chips"]:
        cells.append(
            tuple(show(peer.get(name)) for name in (*names, "mhz", "microseconds", "interval_microseconds"))
        )
    text = (
        "Placed and routed by nextpnr at speed grade 6, with a bitstream. µs: of one inference alone; "
        "a stream gives results more often, where inputs come without a pause. " + peers["note"]
    )
    return markdown(header, cells) + caption(text)


def show(value: str | float | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,}"


def place(net: str, style: str, lanes: int, device: str) -> Path:
    return BUILT / f"{net}_{style}_{lanes}_{device}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nets", default="mlp,digits,kws,ad01", metavar="LIST")
    parser.add_argument("--styles", default="datapath,stream", metavar="LIST")
    parser.add_argument("--tables", action="store_true", help="measure nothing: the rows that are there")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md, too")
    given = parser.parse_args()
    BUILT.mkdir(parents=True, exist_ok=True)
    styles, nets = given.styles.split(","), given.nets.split(",")
    for row in [] if given.tables else ROWS:
        if row[0] in nets and row[1] in styles:
            found = json.dumps(asdict(measure(*row)), indent=1)
            place(*row).write_text(found + "\n", encoding="utf-8")
    paths = [place(*row) for row in ROWS]
    text = make_table([Row(**json.loads(path.read_text())) for path in paths if path.exists()])
    print(text)
    if given.readme:
        write_readme({"devices": text})


if __name__ == "__main__":
    main()
