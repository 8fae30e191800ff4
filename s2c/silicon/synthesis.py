"""An artifact of the chip -> what it takes of a device, how fast it is there, and its bitstream."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from s2c.build import start_child, stop_child
from s2c.driver import staged_folder
from s2c.errors import CompileError, Problem, error
from s2c.program import read_manifest
from s2c.progress import Say, say_nothing
from s2c.silicon.clock import MHZ, check_clock
from s2c.silicon.devices import DEVICES, RESOURCES, Device, find_commands
from s2c.silicon.memory import refuse_too_many_bits
from s2c.target import load_target

NETLIST, REPORT, RESULT = "netlist.json", "report.json", "synthesis.json"
CELLS, DELAY, TIMES = "cells.lib", "delay.abc", "stats.txt"
TAIL = 5  # lines of a log in an error
AREA = re.compile(r"Chip area for (?:top )?module '[^']*': ([\d.]+)")
TO_CELLS = (
    "synth -flatten -run begin:fine -top {name}",
    "opt -fast -full; techmap; opt -fast",
    f"dfflibmap -liberty {CELLS}; opt -fast",
    f"abc -liberty {CELLS} -D {{picoseconds}} -script {DELAY}; opt_clean",
    f"stat -liberty {CELLS}",
)
# Maps and sizes gates for a period; into TIMES goes what the longest path takes.
DELAY_SCRIPT = (
    "strash; ifraig; scorr; dc2; dch -f; map -D {picoseconds}; topo; buffer -c; upsize -D {picoseconds}; "
    "dnsize -D {picoseconds}; stime -d\n"
)


@dataclass(frozen=True)
class Synthesis:
    """How many of each resource the net takes, and available: how many there are, where that is limited.

    memory_bits: of memories that were left as they are, since the device has none. frequency_mhz: the
    highest, after routing. interval: cycles from one result of a pipeline to the next. area: of a liberty
    file's cells, in its unit, without memories. delay_ns: the longest path between registers of these cells.
    bitstream, logs: paths.
    """

    name: str
    device: str
    luts: int
    carries: int
    lut_rams: int
    flip_flops: int
    multipliers: int
    block_rams: int
    logic: int
    available: Mapping[str, int]
    memory_bits: int
    cycles: int
    frequency_mhz: float | None
    microseconds: float | None  # of one inference, at that frequency
    interval: int | None
    interval_microseconds: float | None
    area: float | None
    delay_ns: float | None
    bitstream: str | None
    logs: tuple[str, ...]


def synthesise(
    folder: Path,
    name: str,
    device: Device,
    cycles: int,
    output: Path,
    mhz: float = MHZ,
    liberty: Path | None = None,
    say: Say = say_nothing,
    interval: int | None = None,
) -> Synthesis:
    """Writes bitstream, logs and result into output, a new folder or one that it wrote before.

    mhz: what mapping, placing and routing strive for. liberty: cells to map to, of device generic. Raises
    CompileError where a tool is missing or fails, or where the net does not fit; output then is as it was.
    """
    commands = find_commands(device)
    refuse_strange(output)
    with staged_folder(output.resolve()) as work:
        copy_sources(folder, name, work)
        if liberty is not None:
            shutil.copyfile(liberty, work / CELLS)
            (work / DELAY).write_text(DELAY_SCRIPT.format(picoseconds=picoseconds(mhz)))
        say(f"synthesising {name}", 0.0)
        run_step(
            commands["yosys"], yosys_arguments(name, device, mhz, liberty is not None), work, "yosys.log"
        )
        used, memory_bits = read_netlist(work / NETLIST, name, device)
        refuse_too_large(name, device, used)
        if device.family.place:
            place(name, device, mhz, commands, work, say)
        frequency = read_frequency(work / REPORT) if device.family.place else None
        result = Synthesis(
            name=name,
            device=device.name,
            **used,
            available=device.capacity,
            memory_bits=memory_bits,
            cycles=cycles,
            frequency_mhz=frequency,
            microseconds=frequency and cycles / frequency,
            interval=interval,
            interval_microseconds=frequency and interval and interval / frequency,
            area=read_area(work / "yosys.log", liberty) if liberty else None,
            delay_ns=read_delay(work / TIMES) if liberty else None,
            bitstream=str(output / f"{name}.{device.family.packed}") if device.family.pack else None,
            logs=tuple(str(output / f"{program}.log") for program in device.family.programs),
        )
        tidy(name, device, work)
        (work / RESULT).write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    return result


def synthesise_artifact(
    folder: Path,
    device: Device,
    mhz: float | None,
    liberty: Path | None,
    output: Path | None,
    say: Say = say_nothing,
) -> Synthesis:
    """What s2c compile wrote for a chip; output is <name>.<device> in it, if none is named."""
    manifest = read_artifact(folder)
    check_clock(mhz)
    refuse_options(device, mhz, liberty)
    name = manifest["name"]
    refuse_too_many_bits(folder, name, memory_bytes(manifest), device)
    place = output or folder / f"{name}.{device.name}"
    return synthesise(
        folder,
        name,
        device,
        manifest["cycles"],
        place,
        MHZ if mhz is None else mhz,
        liberty,
        say,
        manifest.get("interval"),
    )


def memory_bytes(manifest: Mapping[str, Any]) -> int:
    """Of the arena, or of a pipeline's rings."""
    return int(manifest.get("ring_bytes", manifest["arena_bytes"]))


def read_artifact(folder: Path) -> dict[str, Any]:
    """The manifest of a chip."""
    manifest = read_manifest(folder)
    if not load_target(manifest["target"]).is_chip:
        raise error(
            str(folder),
            "a chip, as target asic gives",
            f"one of target {manifest['target']}",
            "compile the model again, with --target asic",
        )
    return manifest


def refuse_options(device: Device, mhz: float | None, liberty: Path | None) -> None:
    """A device has its own cells; nothing strives for a frequency without placement or cells."""
    if liberty is not None and device.family.place:
        raise error(
            "--liberty", "--device generic beside it", device.name, "name --device generic, or omit --liberty"
        )
    if mhz is not None and liberty is None and not device.family.place:
        raise error(
            "--mhz", "a device or --liberty FILE", f"--device {device.name} alone", "add one, or omit --mhz"
        )


def refuse_strange(output: Path) -> None:
    """Only what synthesise wrote is replaced."""
    if (output / RESULT).is_file() or not output.exists():
        return
    found = sorted(path.name for path in output.iterdir()) if output.is_dir() else ["a file of that name"]
    if found:
        raise error(
            f"-o {output}",
            "a new folder, or one that s2c synth wrote",
            ", ".join(found[:3]) + (" .." if len(found) > 3 else ""),
            "name another folder",
        )


def copy_sources(folder: Path, name: str, work: Path) -> None:
    """The net's Verilog and its ROMs; the tools, of which some see nothing else, work beside them."""
    for path in (folder / f"{name}.v", *sorted(folder.glob(f"{name}.*.hex"))):
        shutil.copyfile(path, work / path.name)


def picoseconds(mhz: float) -> int:
    return round(1e6 / mhz)


# the tools


def run_step(command: str, arguments: Sequence[str], work: Path, log: str) -> None:
    """One tool, in the folder work; what it prints is added to the log. Interrupted, it is stopped."""
    child = start_child([command, *arguments], work)
    try:
        printed = child.communicate()[0]
    finally:
        stop_child(child)
    path = work / log
    with path.open("a", encoding="utf-8") as file:
        file.write(printed)
    if child.returncode != 0:
        program = Path(command).name
        raise error(
            program,
            f"exit status 0 from: {shlex.join([program, *arguments])}",
            f"{child.returncode}: {why(path.read_text(encoding='utf-8', errors='replace'))}",
            "fewer --lanes, or a larger --device, if it found no room; else this is a bug of s2c or the tool",
        )


def why(log: str) -> str:
    """The lines of a log that tell of errors, else the last ones."""
    lines = list(dict.fromkeys(line.strip() for line in log.splitlines() if line.strip()))
    wrong = [line for line in lines if "ERROR:" in line]
    return " / ".join((wrong or lines)[-TAIL:])


def yosys_arguments(name: str, device: Device, mhz: float, to_cells: bool) -> list[str]:
    steps = TO_CELLS if to_cells else device.family.synthesis
    # Deferred: modules are only elaborated with the parameters that they are given.
    script = [f"read_verilog -defer {name}.v", *steps, f"write_json {NETLIST}"]
    text = "; ".join(script).format(name=name, picoseconds=picoseconds(mhz))
    return ["-q", "-l", "yosys.log", "-p", text]


def place(name: str, device: Device, mhz: float, commands: Mapping[str, str], work: Path, say: Say) -> None:
    """Netlist -> layout -> bitstream."""
    family = device.family
    layout = f"{name}.{family.placed}"
    say(f"placing and routing {name} on {device.name}", 0.4)
    run_step(
        commands[family.place],
        [
            *device.flags,
            *("--json", NETLIST, "--top", name, family.layout, layout, "--report", REPORT),
            *("--freq", f"{mhz:g}", "--timing-allow-fail", "-q", "--log", f"{family.place}.log"),
        ],
        work,
        f"{family.place}.log",
    )
    say(f"packing {name}", 0.95)
    run_step(commands[family.pack], [layout, f"{name}.{family.packed}"], work, f"{family.pack}.log")


def tidy(name: str, device: Device, work: Path) -> None:
    """The bitstream stays, and what tells how it came about."""
    kept = {f"{name}.{device.family.packed}", REPORT}
    for path in sorted(work.iterdir()):
        if path.name not in kept and path.suffix != ".log":
            path.unlink()


# what they found


def read_netlist(path: Path, name: str, device: Device) -> tuple[dict[str, int], int]:
    """What a netlist of yosys takes, by resource; bits of memories in it."""
    modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    cells = modules[name]["cells"].values()
    family = device.family
    used = {
        resource: sum(is_any(cell["type"], family.cells.get(resource, ())) for cell in cells)
        for resource in RESOURCES
    }
    used["logic"] = sum(positions * used[resource] for resource, positions in family.positions.items())
    memories = [cell["parameters"] for cell in cells if cell["type"] == "$mem_v2"]
    return used, sum(int(each["SIZE"], 2) * int(each["WIDTH"], 2) for each in memories)


def is_any(kind: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(kind, each) for each in patterns)


def refuse_too_large(name: str, device: Device, used: Mapping[str, int]) -> None:
    """Raises CompileError with all that there is too little of."""
    short = [each for each, room in device.capacity.items() if used[each] > room]
    larger = [each.name for each in DEVICES.values() if each.family.place and fits(each, device, used)]
    do = "compile it with fewer --lanes, or a smaller net"
    if larger:
        do = f"take --device {' or '.join(larger)}, or {do}"
    if short:
        raise CompileError(
            tuple(
                Problem(
                    name,
                    f"at most {device.capacity[each]:,} {RESOURCES[each]} for {device.name}",
                    f"{used[each]:,}",
                    do,
                )
                for each in short
            )
        )


def fits(device: Device, other: Device, used: Mapping[str, int]) -> bool:
    """Whether what was counted for another device of its family has room in a device."""
    return device.family is other.family and all(used[each] <= room for each, room in device.capacity.items())


def read_frequency(path: Path) -> float:
    """nextpnr's report: the highest frequency of the slowest clock; a net has one."""
    clocks = json.loads(path.read_text(encoding="utf-8"))["fmax"]
    return min(float(clock["achieved"]) for clock in clocks.values())


def read_area(log: Path, liberty: Path) -> float:
    """What yosys says of the cells, in the unit of the liberty file."""
    found = AREA.findall(log.read_text(encoding="utf-8", errors="replace"))
    if not found:
        raise error(f"--liberty {liberty}", "cells with an area", "none", "give a library of standard cells")
    return float(found[-1])


def read_delay(path: Path) -> float:
    """What abc says of the longest path, in ns; its line: name, inputs, outputs, gates, area, picoseconds."""
    return float(path.read_text(encoding="utf-8").split()[-1]) / 1000
