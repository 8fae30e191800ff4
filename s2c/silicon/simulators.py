"""Runs emitted Verilog, where a simulator is installed: outputs and cycles of each inference."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2c.resources import folder as resource

SLOW = 3600  # seconds that a simulation may take
LIMIT = 1 << 30  # cycles


@dataclass(frozen=True)
class Simulation:
    """Of each inference: the output bytes, and the cycles from its last byte of input until it is done."""

    outputs: list[bytes]
    cycles: list[int]


@dataclass(frozen=True)
class Simulator:
    """build: from the emitted folder, a net's name and a folder to work in to the start of a command."""

    tool: str
    install: str
    build: Callable[[Path, str, Path], list[str]]
    arguments: Callable[[Path, int, int, int, bool], list[str]]

    def missing(self) -> str | None:
        """How to install it, where it is not."""
        return None if shutil.which(self.tool) else self.install

    def simulate(
        self,
        folder: Path,
        name: str,
        work: Path,
        inputs: Sequence[bytes],
        output_bytes: int,
        stall: bool = False,
    ) -> Simulation:
        """folder: what emit_verilog gave. inputs: of each inference, one input after the other. stall: bytes
        come and go only in some cycles, as they may."""
        command = self.build(folder, name, work)
        path = work / "inputs"
        write_inputs(path, inputs)
        run = [*command, *self.arguments(path, len(inputs), len(inputs[0]), output_bytes, stall)]
        text = execute(run, folder)
        lines = [line.split() for line in text.splitlines() if line and line[0] in "0123456789abcdef"]
        assert len(lines) == len(inputs), text
        return Simulation([bytes.fromhex(each) for each, _ in lines], [int(each) for _, each in lines])


def write_inputs(path: Path, inputs: Sequence[bytes]) -> None:
    """As bytes, and as the lines that $fscanf reads."""
    path.with_suffix(".bin").write_bytes(b"".join(inputs))
    lines = (f"{byte:02x}\n" for each in inputs for byte in each)
    path.with_suffix(".hex").write_text("".join(lines), encoding="utf-8")


def execute(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SLOW, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def build_verilator(folder: Path, name: str, work: Path) -> list[str]:
    main = resource("kernels") / "verilog" / "simulate.cpp"
    options = ["--cc", "--exe", "--build", "-Wall", "-O3", "--x-assign", "fast", "--noassert"]
    places = ["--top-module", name, "--prefix", "Vchip", "--Mdir", str(work), "-CFLAGS", "-O2"]
    execute(["verilator", *options, *places, str((folder / f"{name}.v").resolve()), str(main)], folder)
    return [str((work / "Vchip").resolve())]


def verilator_arguments(path: Path, runs: int, input_bytes: int, output_bytes: int, stall: bool) -> list[str]:
    numbers = (runs, input_bytes, output_bytes, LIMIT, int(stall))
    return [str(path.with_suffix(".bin").resolve()), *map(str, numbers)]


def build_icarus(folder: Path, name: str, work: Path) -> list[str]:
    image = (work / "chip.vvp").resolve()
    execute(["iverilog", "-g2001", "-Wall", "-o", str(image), f"{name}.v", f"{name}.tb.v"], folder)
    return ["vvp", str(image)]


def icarus_arguments(path: Path, runs: int, input_bytes: int, output_bytes: int, stall: bool) -> list[str]:
    inputs = f"+inputs={path.with_suffix('.hex').resolve()}"
    return [inputs, f"+runs={runs}", *(["+stall"] if stall else [])]


SIMULATORS: Mapping[str, Simulator] = {
    "verilator": Simulator("verilator", "apt install verilator", build_verilator, verilator_arguments),
    "icarus": Simulator("iverilog", "apt install iverilog", build_icarus, icarus_arguments),
}
