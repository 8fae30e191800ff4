"""An image for another processor -> the protocol of a host program, with the net's instructions in each line
of counters.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import itertools
import json
import mmap
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from s2c.own_code import LIBRARY, build_own
from s2c.resources import folder

LIMIT = 20_000_000_000  # instructions of one inference: some two minutes of emulation
CALLS_MAX = 65536  # S2C_CALLS_MAX in count.h

# Arm, "Semihosting for AArch32 and AArch64" 2.0
BREAKPOINT = b"\xab\xbe"
SYS_OPEN, SYS_WRITE, SYS_READ, SYS_EXIT = 0x01, 0x05, 0x06, 0x18
EXIT_DONE = 0x20026
OPEN_WRITE = 4  # modes from this on write

SYSTEM_CONTROL_SPACE = 0xE000E000
PAGE = 4096


# The package's own type hints are incomplete, so it is Any here.
unicorn = importlib.import_module("unicorn")


class Fault(Exception):
    """The image did what no correct image does."""


@dataclass(frozen=True)
class Program:
    """What the emulators need of an image."""

    entry: int
    segments: tuple[tuple[int, bytes], ...]
    symbols: dict[str, tuple[int, int]]  # name -> address without the Thumb bit, size
    output_bytes: int

    def address(self, symbol: str) -> int:
        return self.symbols[symbol][0]

    def where(self, address: int) -> str:
        """The function that holds `address`, for messages."""
        for name, (start, size) in self.symbols.items():
            if start <= address < start + size:
                return f"{address:#x} in {name}"
        return f"{address:#x}"


def read_program(path: Path) -> Program:
    """Raises Fault where the file is no image that s2c built."""
    with path.open("rb") as file:
        try:
            elf = ELFFile(file)
        except ELFError as problem:
            raise Fault(f"not an image: {problem}") from problem
        segments = tuple(
            (segment["p_paddr"], segment.data())
            for segment in elf.iter_segments("PT_LOAD")
            if segment["p_filesz"]
        )
        symbols = {}
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection), f"{path} is stripped"
        for symbol in table.iter_symbols():
            is_function = symbol["st_info"]["type"] == "STT_FUNC"
            symbols[symbol.name] = (symbol["st_value"] & ~int(is_function), symbol["st_size"])
        text = elf.get_section_by_name(
            ".text"
        )  # without a linker script of ours, all but the harness lies there
        assert text is not None, f"{path} has no code"
        symbols.setdefault("s2c_net_text_start", (text["sh_addr"], 0))
        symbols.setdefault("s2c_net_text_end", (text["sh_addr"] + text["sh_size"], 0))
        address, size = symbols["s2c_outputs"]
        spans = next(
            data[address - start :][:size] for start, data in segments if 0 <= address - start < len(data)
        )
        sizes = memoryview(spans).cast("I")[1::2]
        return Program(elf.header["e_entry"], segments, symbols, sum(sizes))


@dataclass(frozen=True)
class Counts:
    """Of one inference: the net's instructions, and how many had run at each entry into a listed function."""

    instructions: int
    entries: tuple[int, ...]

    def counters(self, by_call: bool) -> dict[str, Any]:
        if not by_call:
            return {"instructions": self.instructions}
        ends = (*self.entries, self.instructions)
        calls = [end - begin for begin, end in itertools.pairwise(ends)]
        return {"instructions": self.instructions, "prologue": ends[0], "calls": calls}


def merge(line: bytes, counts: Counts, by_call: bool) -> bytes:
    counters = {**json.loads(line), **counts.counters(by_call)}
    return json.dumps(counters).encode() + b"\n"


def build_library(name: str) -> Path:
    """targets/cortex-m/<name>.c as a shared library of the host."""
    sources = folder("targets") / "cortex-m"
    return build_own(sources / f"{name}.c", *LIBRARY)


class CountStruct(ctypes.Structure):
    """struct s2c_count of count.h."""

    _fields_ = (
        ("start", ctypes.c_uint32),
        ("stop", ctypes.c_uint32),
        ("net_start", ctypes.c_uint32),
        ("net_end", ctypes.c_uint32),
        ("limit", ctypes.c_uint64),
        ("function_starts", ctypes.POINTER(ctypes.c_uint32)),
        ("function_ends", ctypes.POINTER(ctypes.c_uint32)),
        ("functions", ctypes.c_uint32),
        ("overrun", ctypes.c_uint32),
        ("executed", ctypes.c_uint64),
        ("instructions", ctypes.c_uint64),
        ("previous", ctypes.c_uint32),
        ("calls", ctypes.c_uint32),
        ("entries", ctypes.c_uint64 * CALLS_MAX),
    )


class HookStruct(ctypes.Structure):
    """struct s2c_hook of count.c."""

    _fields_ = (
        ("flash", ctypes.c_void_p),
        ("flash_origin", ctypes.c_uint32),
        ("flash_size", ctypes.c_uint32),
        ("stop", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
        ("count", CountStruct),
    )


class Unicorn:
    """One image in one engine. A class, because the engine keeps pointers into what must live as long as
    it.
    """

    def __init__(self, program: Program, cpu: str, functions: Sequence[str], limit: int) -> None:
        arm_const, unicorn_const = unicorn.arm_const, unicorn.unicorn_const
        self.program = program
        self.semihosted = False
        models = vars(arm_const)
        name = "UC_CPU_ARM_" + cpu.upper().replace("-", "_")
        if name not in models:
            raise Fault(f"unicorn has no CPU {cpu}")

        mode = unicorn_const.UC_MODE_THUMB | unicorn_const.UC_MODE_MCLASS
        self.engine = unicorn.Uc(unicorn_const.UC_ARCH_ARM, mode, models[name])
        self.registers = (arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R1, arm_const.UC_ARM_REG_PC)
        flash_origin, flash_size = program.address("s2c_flash_origin"), program.address("s2c_flash_size")
        self.flash = mmap.mmap(-1, flash_size)
        flash_address = ctypes.addressof(ctypes.c_char.from_buffer(self.flash))
        prot_flash = unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_EXEC
        self.engine.mem_map_ptr(flash_origin, flash_size, prot_flash, flash_address)
        self.engine.mem_map(program.address("s2c_ram_origin"), program.address("s2c_ram_size"))
        self.engine.mem_map(SYSTEM_CONTROL_SPACE, PAGE)
        for address, data in program.segments:
            self.flash[address - flash_origin : address - flash_origin + len(data)] = data
        self.engine.hook_add(unicorn_const.UC_HOOK_INTR, self.interrupt)
        self.add_block_hook(flash_origin, flash_size, flash_address, functions, limit)

    def add_block_hook(
        self, flash_origin: int, flash_size: int, flash_address: int, functions: Sequence[str], limit: int
    ) -> None:
        """The hook is C all through: one call into Python for each block would be fifty times slower."""
        bindings = unicorn.unicorn_py3.unicorn
        self.library = ctypes.CDLL(str(build_library("count")))
        assert self.library.s2c_hook_bytes() == ctypes.sizeof(HookStruct)
        address, symbols = self.program.address, self.program.symbols
        self.starts = (ctypes.c_uint32 * len(functions))(*(symbols[name][0] for name in functions))
        self.ends = (ctypes.c_uint32 * len(functions))(*(sum(symbols[name]) for name in functions))
        self.blocks = ctypes.create_string_buffer(flash_size // 2 * 12)  # struct s2c_block is three words
        self.hook = HookStruct(
            flash=flash_address,
            flash_origin=flash_origin,
            flash_size=flash_size,
            stop=ctypes.cast(bindings.uclib.uc_emu_stop, ctypes.c_void_p),
            blocks=ctypes.addressof(self.blocks),
            count=CountStruct(
                start=address("s2c_start"),
                stop=address("s2c_stop"),
                net_start=address("s2c_net_text_start"),
                net_end=address("s2c_net_text_end"),
                limit=limit,
                function_starts=self.starts,
                function_ends=self.ends,
                functions=len(functions),
            ),
        )
        handle = bindings.uc_hook_h()
        status = bindings.uclib.uc_hook_add(
            self.engine._uch,
            ctypes.byref(handle),
            unicorn.UC_HOOK_BLOCK,
            ctypes.cast(self.library.s2c_hook_block, ctypes.c_void_p),
            ctypes.addressof(self.hook),
            1,
            0,
        )
        assert status == unicorn.UC_ERR_OK, status

    def interrupt(self, engine: Any, number: int, _: object) -> None:
        """Stops at any exception; `run` looks at what it was."""
        self.semihosted = True
        engine.emu_stop()

    def counts(self) -> Counts:
        count = self.hook.count
        if count.calls > CALLS_MAX:
            raise Fault(f"{count.calls} calls of the listed functions, at most {CALLS_MAX} are counted")
        return Counts(count.instructions, tuple(count.entries[: count.calls]))

    def run(self, read: Callable[[int], bytes], write: Callable[[bytes], None]) -> int:
        """Runs the image to its end: its exit status."""
        at = self.program.entry
        stack_top = self.program.address("s2c_stack_top")
        self.engine.reg_write(unicorn.arm_const.UC_ARM_REG_SP, stack_top)
        while True:
            self.semihosted = False
            try:
                self.engine.emu_start(at | 1, 0)
            except unicorn.UcError as problem:
                where = self.program.where(self.engine.reg_read(self.registers[2]))
                raise Fault(f"{problem} at {where}") from problem
            pc = self.engine.reg_read(self.registers[2])
            if self.hook.count.overrun:
                raise Fault(
                    f"more than {self.hook.count.limit} instructions without an end "
                    f"at {self.program.where(pc)}"
                )
            if not self.semihosted or self.engine.mem_read(pc, 2) != BREAKPOINT:
                raise Fault(f"an exception at {self.program.where(pc)}")
            status = self.semihost(read, write)
            if status is not None:
                return status
            at = pc + 2

    def semihost(self, read: Callable[[int], bytes], write: Callable[[bytes], None]) -> int | None:
        """Serves one call: the exit status, if it was the last one."""
        operation, argument = (self.engine.reg_read(register) for register in self.registers[:2])
        if operation == SYS_EXIT:
            return int(argument != EXIT_DONE)
        _, address, size = memoryview(bytes(self.engine.mem_read(argument, 12))).cast("I")
        if operation == SYS_OPEN:
            result = 2 if address >= OPEN_WRITE else 1
        elif operation == SYS_READ:
            data = read(size)
            self.engine.mem_write(address, data)
            result = size - len(data)
        elif operation == SYS_WRITE:
            write(bytes(self.engine.mem_read(address, size)))
            result = 0
        else:
            raise Fault(f"semihosting call {operation:#x}")
        self.engine.reg_write(self.registers[0], result)
        return None


def run_unicorn(program: Program, cpu: str, functions: Sequence[str] | None, limit: int) -> int:
    machine = Unicorn(program, cpu, functions or (), limit)
    pending = bytearray()

    def write(data: bytes) -> None:
        """Passes each inference on as a whole, its counts merged into its line of counters."""
        pending.extend(data)
        if len(pending) <= program.output_bytes or not pending.endswith(b"\n"):
            return
        outputs, line = bytes(pending[: program.output_bytes]), bytes(pending[program.output_bytes :])
        emit(outputs + merge(line, machine.counts(), functions is not None))
        pending.clear()

    return machine.run(sys.stdin.buffer.read, write)


def machine_command(machine: str, image: Path) -> list[str]:
    """QEMU as a bare machine, which reaches this one by semihosting."""
    quiet = ["-display", "none", "-monitor", "none", "-serial", "null", "-parallel", "none"]
    semihosting = ["-semihosting-config", "enable=on,target=native"]
    return ["qemu-system-arm", "-machine", machine, *quiet, *semihosting, "-kernel", str(image)]


def run_qemu(command: list[str], program: Program, functions: Sequence[str] | None, limit: int) -> int:
    """command: QEMU with the image, to which the plugin that counts is added."""
    report, report_end = os.pipe()
    spans = [program.symbols[name] for name in functions or ()]
    ranges = "+".join(f"{start:#x}-{start + size:#x}" for start, size in spans)
    settings = {
        "report": report_end,
        "limit": limit,
        "start": program.address("s2c_start"),
        "stop": program.address("s2c_stop"),
        "net_start": program.address("s2c_net_text_start"),
        "net_end": program.address("s2c_net_text_end"),
        "functions": ranges,
    }
    arguments = (f"{key}={value}" for key, value in settings.items())
    plugin = ",".join([str(build_library("qemu_plugin")), *arguments])
    counting = [command[0], "-plugin", plugin, *command[1:]]
    with subprocess.Popen(counting, stdout=subprocess.PIPE, pass_fds=(report_end,)) as process:
        os.close(report_end)
        assert process.stdout is not None
        with os.fdopen(report, "r") as reports:
            pass_on(process.stdout, reports, program.output_bytes, functions is not None)
        return process.wait()


def pass_on(stream: IO[bytes], reports: IO[str], output_bytes: int, by_call: bool) -> None:
    while True:
        outputs = stream.read(output_bytes)
        line = stream.readline()
        if not line:
            return
        instructions, calls, *entries = map(int, reports.readline().split())
        if calls > CALLS_MAX:
            raise Fault(f"{calls} calls of the listed functions, at most {CALLS_MAX} are counted")
        emit(outputs + merge(line, Counts(instructions, tuple(entries)), by_call))


def emit(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m s2c.emulator", description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--cpu", help="as unicorn names it, e.g. cortex-m4")
    parser.add_argument("--user", metavar="QEMU", help="a program of another processor, e.g. qemu-aarch64")
    parser.add_argument("--qemu", metavar="MACHINE", help="run under QEMU as this machine, e.g. mps2-an386")
    parser.add_argument(
        "--functions", help="report the instructions of each call of these, comma-separated; may be empty"
    )
    parser.add_argument("--limit", type=int, default=LIMIT, help="instructions of one inference at most")
    options = parser.parse_args()
    functions = None
    if options.functions is not None:
        functions = [name for name in options.functions.split(",") if name]
    try:
        program = read_program(options.image)
        missing = [name for name in functions or () if name not in program.symbols]
        if missing:
            parser.error(f"the image has no function {', '.join(missing)}")
        if options.qemu or options.user:
            by_machine = options.qemu and machine_command(options.qemu, options.image)
            command = by_machine or [*shlex.split(options.user), str(options.image)]
            return run_qemu(command, program, functions, options.limit)
        return run_unicorn(program, options.cpu, functions, options.limit)
    except Fault as fault:
        print(f"{options.image.name}: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
