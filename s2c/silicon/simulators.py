"""Runs emitted Verilog, where a simulator is installed: outputs and cycles of each inference."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2c.build import start_child, stop_child
from s2c.resources import folder as resource

SLOW = 3600.0  # seconds that a tool may take
BUILDING = 900.0
LIMIT = 1 << 30  # cycles
SIMPLE = 8  # lanes
LINES = 5  # of a log that say why a tool failed
RESULT = re.compile(r"^result ([0-9a-f]*) ([0-9]+) ([0-9]+)\n", re.MULTILINE)


class SimulationError(Exception):
    """A tool that failed: its command, and the last lines of what it printed."""


@dataclass(frozen=True)
class Simulation:
    """Of each inference: the output bytes, the cycles from its last byte of input until it is done, and those
    between its last byte of output and that of the one before, of which the first has none. Where they were
    fed without waiting for outputs, cycles say nothing. ended: why there are fewer than inputs."""

    outputs: list[bytes]
    cycles: list[int]
    intervals: list[int]
    ended: str = ""


@dataclass(frozen=True)
class Simulator:
    """build: from the emitted folder, a net's name and a folder to work in to the start of a command. speed:
    cycles in a second, about, of up to SIMPLE lanes, on a free core; with further ones it falls by their
    number to the power `slows`."""

    tools: tuple[str, ...]
    install: str
    build: Callable[[Path, str, Path], list[str]]
    arguments: Callable[[Path, int, int, int, int, bool, bool], list[str]]
    speed: float
    slows: int

    def missing(self) -> str | None:
        """How to install it, where it or a tool that it calls is not."""
        return None if all(map(shutil.which, self.tools)) else self.install

    def count_inputs(self, seconds: float, cycles: int, *lanes: int) -> int:
        """Inferences of so many cycles that take about so long. lanes: of each datapath, or stage."""
        slower: float = sum(max(1.0, count / SIMPLE) ** self.slows for count in lanes)
        return int(seconds * self.speed / slower / cycles)

    def simulate(
        self,
        folder: Path,
        name: str,
        work: Path,
        inputs: Sequence[bytes],
        output_bytes: int,
        stall: bool = False,
        seconds: float = SLOW,
        limit: int = LIMIT,
        stream: bool = False,
    ) -> Simulation:
        """folder: what emit_verilog gave. inputs: of each inference, one input after the other. stall: bytes
        come and go only in some cycles, as they may. seconds: after them it is stopped, building aside.
        limit: cycles of an inference after which it ends. stream: the next inputs come at once.
        SimulationError if a tool fails."""
        command = self.build(folder, name, work)
        path = work / "inputs"
        write_inputs(path, inputs)
        run = [
            *command,
            *self.arguments(path, len(inputs), len(inputs[0]), output_bytes, limit, stall, stream),
        ]
        text, status = run_tool(run, folder, seconds)
        found = RESULT.findall(text)
        if status not in (0, None) or (status == 0 and not found):
            raise failed(run, f"status {status}", text)
        ended = f"{seconds:.0f} s were up" if status is None else "the chip hung"
        return Simulation(
            [bytes.fromhex(each) for each, *_ in found],
            [int(each) for _, each, _ in found],
            [int(each) for *_, each in found[1:]],
            ended if len(found) < len(inputs) else "",
        )


def write_inputs(path: Path, inputs: Sequence[bytes]) -> None:
    """As bytes, and as the lines that $fscanf reads."""
    path.with_suffix(".bin").write_bytes(b"".join(inputs))
    lines = (f"{byte:02x}\n" for each in inputs for byte in each)
    path.with_suffix(".hex").write_text("".join(lines), encoding="utf-8")


def failed(command: Sequence[str], how: str, text: str) -> SimulationError:
    lines = [line.strip() for line in text.splitlines() if line.strip()][-LINES:]
    return SimulationError(f"{how} of {shlex.join(command)}: {'; '.join(lines) or 'it printed nothing'}")


def run_tool(command: Sequence[str], folder: Path, seconds: float) -> tuple[str, int | None]:
    """What it printed, and its status: none where it was stopped for its time was up."""
    try:
        child = start_child(command, folder)
    except OSError as problem:
        raise failed(command, problem.strerror or type(problem).__name__, "") from None
    try:
        try:
            text, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            return child.communicate()[0], None
        return text, child.returncode
    finally:
        stop_child(child)


def execute(command: Sequence[str], folder: Path, seconds: float = SLOW) -> str:
    text, status = run_tool(command, folder, seconds)
    if status is None:
        raise failed(command, f"more than {seconds:.0f} s", text)
    if status != 0:
        raise failed(command, f"status {status}", text)
    return text


def build_verilator(folder: Path, name: str, work: Path) -> list[str]:
    """Another release's new warnings are no reason not to simulate."""
    main = resource("kernels") / "verilog" / "simulate.cpp"
    options = ["--cc", "--exe", "--build", "-Wno-fatal", "-O3", "--x-assign", "fast", "--noassert"]
    places = ["--top-module", name, "--prefix", "Vchip", "--Mdir", str(work), "-CFLAGS", "-O2"]
    files = [str((folder / f"{name}.v").resolve()), str(main)]
    execute(["verilator", *options, *places, *files], folder, BUILDING)
    return [str((work / "Vchip").resolve())]


def verilator_arguments(
    path: Path, runs: int, input_bytes: int, output_bytes: int, limit: int, stall: bool, stream: bool
) -> list[str]:
    numbers = (runs, input_bytes, output_bytes, limit, int(stall), int(stream))
    return [str(path.with_suffix(".bin").resolve()), *map(str, numbers)]


def build_icarus(folder: Path, name: str, work: Path) -> list[str]:
    image = (work / "chip.vvp").resolve()
    execute(["iverilog", "-g2001", "-o", str(image), f"{name}.v", f"{name}.tb.v"], folder, BUILDING)
    return ["vvp", str(image)]


def icarus_arguments(
    path: Path, runs: int, input_bytes: int, output_bytes: int, limit: int, stall: bool, stream: bool
) -> list[str]:
    inputs = f"+inputs={path.with_suffix('.hex').resolve()}"
    return [
        inputs,
        f"+runs={runs}",
        f"+limit={limit}",
        *(["+stall"] if stall else []),
        *(["+stream"] if stream else []),
    ]


SIMULATORS: Mapping[str, Simulator] = {
    "verilator": Simulator(
        ("verilator", "make", "g++"),
        "apt install verilator make g++",
        build_verilator,
        verilator_arguments,
        speed=4.7e6,
        slows=1,
    ),
    "icarus": Simulator(
        ("iverilog", "vvp"), "apt install iverilog", build_icarus, icarus_arguments, speed=5500.0, slows=2
    ),
}
