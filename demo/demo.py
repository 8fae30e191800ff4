"""Compiles the shipped nets, runs them on real digits, verifies, and takes channels away from one."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import s2c
from s2c.verify import Verification, verify

HERE = Path(__file__).resolve().parent
NETS = {"digits": "float32", "digits_int8": "int8"}
TARGETS = ("host", "cortex-m4")
WIDTHS = (1, 0.5, 0.25)  # shares of each layer's channels
EPOCHS = 30
SHADES = " ░▒▓█"
INDENT = (0, 0, 0, 2)


@dataclass(frozen=True)
class Result:
    """One net on one target: probabilities [images, 10], and what each image took."""

    net: str
    target: str
    folder: Path
    probabilities: np.ndarray
    costs: tuple[int, ...]  # instructions, or nanoseconds on the host
    manifest: dict[str, int]
    proof: Verification


def run_net(net: str, target: str, images: np.ndarray, folder: Path) -> Result:
    with s2c.compile(HERE / f"{net}.onnx", target=target) as program:
        program.save(folder)
        probabilities, costs = [], []
        for image in images:
            probabilities.append(program(image)[0])
            costs.append(program.counters.get("instructions") or program.counters["nanoseconds"])
        manifest = program.manifest
    return Result(net, target, folder, np.stack(probabilities), tuple(costs), manifest, verify(folder))


# the table


def describe_cost(result: Result) -> str:
    if result.target == "host":
        return f"{min(result.costs) / 1000:.1f} µs"
    counts = sorted(set(result.costs))
    return " to ".join(f"{count:,}" for count in (counts[0], counts[-1])[: len(counts)]) + " instr."


def describe_constancy(result: Result) -> Text:
    """One count for the real digits and for all that verify tried."""
    if not result.proof.ok:
        return Text("not proved", style="bold red")
    if result.proof.instructions is None:
        return Text("bits, RAM", style="green")
    if {*result.costs} != {*result.proof.instructions.values()}:
        return Text("bits, RAM", style="bold red")
    return Text("bits, RAM, instr.", style="bold green")


def make_table(results: list[Result], labels: np.ndarray) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("net")
    table.add_column("target")
    for name in ("right", "flash", "RAM", "per digit"):
        table.add_column(name, justify="right")
    table.add_column("constant")
    for result in results:
        right = float(np.mean(result.probabilities.argmax(axis=1) == labels))
        table.add_row(
            NETS[result.net],
            result.target,
            f"{right:.1%}",
            f"{result.manifest['rom_bytes']:,} B",
            f"{result.manifest['arena_bytes'] + result.manifest['stack_bytes']:,} B",
            describe_cost(result),
            describe_constancy(result),
        )
    return table


# digits


def draw(image: np.ndarray) -> str:
    """Two characters a pixel, as they are about half as wide as high."""
    return "\n".join("".join(2 * SHADES[round(float(ink) * 4)] for ink in row) for row in image.reshape(8, 8))


def show_digits(console: Console, result: Result, images: np.ndarray, labels: np.ndarray) -> None:
    """As many as fit in a row, the last of them one that the net gets wrong, where there is one."""
    answers = result.probabilities.argmax(axis=1)
    count = min(max((console.width - 2) // 18, 1), 6)
    wrong = np.flatnonzero(answers != labels)[:1]
    first = [int(np.flatnonzero(labels == digit)[0]) for digit in (3, 5, 0, 8, 2, 7)]
    chosen = [*first[: count - len(wrong)], *map(int, wrong)]
    pictures = []
    for index in chosen:
        answer, truth = int(answers[index]), int(labels[index])
        sure = float(result.probabilities[index].max())
        percent = f"{sure:.0%}" if sure < 0.99 else ">99%"
        words = Text(f"{answer}, {percent} sure" + ("" if answer == truth else f"\n(it is a {truth})"))
        words.stylize("green" if answer == truth else "red")
        pictures.append(Text(draw(images[index]) + "\n").append_text(words))
    console.print(Padding(Columns(pictures, width=16, padding=(0, 2, 0, 0)), INDENT, expand=False))


# fewer channels


def sweep_command(out: Path) -> list[str]:
    model, train, test = (str(typed(HERE / f"digits{rest}")) for rest in (".onnx", "_train.npz", "_test.npz"))
    return [
        *("sweep", model, "-o", str(typed(out / "widths"))),
        *("--width", ",".join(map(str, WIDTHS)), "--precision", "f32", "--target", ",".join(TARGETS)),
        *("--data", train, "--test", test, "--epochs", str(EPOCHS)),
    ]


def typed(path: Path) -> Path:
    """As the user types it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def sweep_widths(console: Console, out: Path) -> None:
    """By the command itself, so that what is shown is what it prints."""
    command = sweep_command(out)
    console.print("\nThe float32 net with half and a quarter of its channels, retrained:\n", style="bold")
    console.print(f"  .venv/bin/s2c {' '.join(command)}\n", highlight=False, soft_wrap=True)
    sys.stdout.flush()
    done = subprocess.run([Path(sys.executable).with_name("s2c"), *command], check=False)
    if done.returncode != 0:
        raise SystemExit(done.returncode)


# all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=HERE / "out", help="where the compiled nets go; emptied first"
    )
    out: Path = parser.parse_args().out
    console = Console()
    shutil.rmtree(out, ignore_errors=True)
    with np.load(HERE / "digits_test.npz") as data:
        images, labels = data["x"], data["y"]
    console.print(
        f"\nTwo nets that read handwritten digits, compiled to C and run on {len(images)} images.\n",
        style="bold",
    )
    results = []
    for net in NETS:
        for target in TARGETS:
            with console.status(f"{net}.onnx: compile for {target}, run, verify"):
                results.append(run_net(net, target, images, out / f"{net}_{target}"))
    last = results[-1]
    console.print(f"What the {NETS[last.net]} net says on the {last.target}:\n")
    show_digits(console, last, images, labels)
    console.print()
    console.print(make_table(results, labels))
    console.print()
    console.print(explain(results))
    sweep_widths(console, out)
    console.print("\nTry next:\n", style="bold")
    for command in next_commands(last):
        console.print(f"  {command}", highlight=False, soft_wrap=True)
    console.print()
    if not all(result.proof.ok for result in results):
        raise SystemExit(1)


def explain(results: list[Result]) -> str:
    tried = results[-1].proof.inputs
    return (
        "flash: code and constants. RAM: all of it, with inputs, outputs and stack. The Cortex-M4 is "
        "emulated and its instructions are counted; on the host, the fastest digit. constant: what was the "
        f"same for all digits and for {tried} random and hostile inputs, on which the outputs also equal the "
        "net's plain meaning in numpy."
    )


def next_commands(result: Result) -> list[str]:
    folder = typed(result.folder)
    return [
        f".venv/bin/s2c inspect {folder}   # its layers",
        f".venv/bin/s2c verify {folder}    # its proofs",
        f".venv/bin/s2c bench {folder}     # its instructions",
    ]


if __name__ == "__main__":
    main()
