"""A built image and the net's object -> facts: ROM, stack, calls. Read from the files, never from the
compiler's word.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from s2c.frames import ARCHES, Arch, Code, Frame, walk

# Tables for unwinding: no target loads them (image.ld discards them), for nothing in a net throws.
UNWIND_SECTIONS = (".ARM.exidx", ".ARM.extab", ".eh_frame")
# What the stack is painted with, and counted in.
WORD_BYTES = 4
# Names that an assembler leaves undefined without any reference by code.
NO_REFERENCE = ("", "_GLOBAL_OFFSET_TABLE_", "__aeabi_unwind_cpp_pr0", "__aeabi_unwind_cpp_pr1")


@dataclass(frozen=True)
class Facts:
    rom_bytes: int  # code and constants of the net's object, with what aligns them
    writable_bytes: int  # .data and .bss of the net's object: 0, as the arena is the caller's
    image_bytes: int  # what the whole image, harness included, takes of flash
    stack_bytes: int | None  # no call of the entry uses more; None: no bound was found
    calls: tuple[str, ...]  # all functions that the entry reaches, itself first
    outside: tuple[str, ...]  # what it reaches that is not in the image
    recursive: tuple[str, ...]  # functions on a cycle of calls
    undefined_symbols: tuple[str, ...]  # of the net's object
    variable_latency: tuple[str, ...]  # "function: mnemonic"
    unproved: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Sections:
    """What an object's sections add up to."""

    rom_bytes: int
    writable_bytes: int
    undefined_symbols: tuple[str, ...]


def align_up(size: int, alignment: int) -> int:
    return -(-size // max(1, alignment)) * max(1, alignment)


def symbols_of(elf: Any) -> list[Any]:
    table = elf.get_section_by_name(".symtab")
    return list(table.iter_symbols()) if isinstance(table, SymbolTableSection) else []


def measure_object(path: Path) -> Sections:
    rom_bytes = writable_bytes = 0
    with path.open("rb") as file:
        elf = ELFFile(file)
        for section in elf.iter_sections():
            is_loaded = section["sh_flags"] & SH_FLAGS.SHF_ALLOC and not section.name.startswith(
                UNWIND_SECTIONS
            )
            if not is_loaded or section["sh_size"] == 0:
                continue
            # Constants that hold addresses are written once, by the loader of a position-independent program.
            is_constant = section.name.startswith(".data.rel.ro")
            if section["sh_flags"] & SH_FLAGS.SHF_WRITE and not is_constant:
                writable_bytes = align_up(writable_bytes, section["sh_addralign"]) + section["sh_size"]
            else:
                rom_bytes = align_up(rom_bytes, section["sh_addralign"]) + section["sh_size"]
        undefined = {symbol.name for symbol in symbols_of(elf) if symbol["st_shndx"] == "SHN_UNDEF"}
    return Sections(rom_bytes, writable_bytes, tuple(sorted(undefined - {*NO_REFERENCE})))


def read_functions(elf: Any, symbols: list[Any]) -> dict[int, Function]:
    """The functions of an image by address; of several names at one address, the first by name."""
    is_thumb = elf.header["e_machine"] == "EM_ARM"
    functions: dict[int, Function] = {}
    for symbol in sorted(symbols, key=lambda symbol: str(symbol.name)):
        if (
            symbol["st_info"]["type"] != "STT_FUNC"
            or symbol["st_size"] == 0
            or symbol["st_shndx"] == "SHN_UNDEF"
        ):
            continue
        start = symbol["st_value"] & ~int(is_thumb)
        functions.setdefault(start, Function(symbol.name, start, start + symbol["st_size"]))
    return functions


def code_ranges(function: Function, marks: list[tuple[int, bool]]) -> tuple[tuple[int, int], ...]:
    """Where instructions lie in a function: Arm's mapping symbols ($t, $d) tell them from literals and
    tables.
    """
    addresses = [address for address, _ in marks]
    first = bisect.bisect_right(addresses, function.start)
    inner = [mark for mark in marks[first:] if mark[0] < function.end]
    edges = [(function.start, True), *inner, (function.end, False)]
    return tuple(
        (low, high) for (low, is_code), (high, _) in itertools.pairwise(edges) if is_code and low < high
    )


def read_code(elf: Any, symbols: list[Any], functions: Mapping[int, Function]) -> Code:
    pieces = [
        (segment["p_vaddr"], segment.data())
        for segment in elf.iter_segments("PT_LOAD")
        if segment["p_filesz"]
    ]

    def read(address: int, size: int) -> bytes:
        for start, data in pieces:
            if start <= address < start + len(data):
                return bytes(data[address - start : address - start + size])
        return b""

    marks = sorted(
        {
            (symbol["st_value"], symbol.name[1] == "t")
            for symbol in symbols
            if symbol.name[:2] in ("$t", "$d") and symbol.name[2:3] in ("", ".")
        }
    )
    return Code(read, {start: code_ranges(function, marks) for start, function in functions.items()})


@dataclass(frozen=True)
class Reached:
    """All that can run once the entry is called."""

    frames: Mapping[int, Frame]
    outside: frozenset[int]


def reach(arch: Arch, code: Code, functions: Mapping[int, Function], entry: int) -> Reached:
    frames: dict[int, Frame] = {}
    outside: set[int] = set()
    pending = [entry]
    while pending:
        start = pending.pop()
        if start in frames or start in outside:
            continue
        if start not in functions:
            outside.add(start)
            continue
        frames[start] = walk(arch, code, start, functions[start].end)
        pending += frames[start].calls
    return Reached(frames, frozenset(outside))


def find_cycles(frames: Mapping[int, Frame]) -> set[int]:
    """Functions that reach themselves: what is left when those without callees are taken away again and
    again.
    """
    callees = {
        start: {callee for callee in frame.calls if callee in frames} for start, frame in frames.items()
    }
    callers = {start: {caller for caller in callees if start in callees[caller]} for start in callees}
    left = set(callees)
    while done := {start for start in left if not callees[start] & left or not callers[start] & left}:
        left -= done
    return left


def stack_bound(frames: Mapping[int, Frame], entry: int) -> int:
    """The deepest path of calls, in whole words, as paint shows it. Needs a graph without cycles and all
    callees in it.

    A byte spilled below x86-64's stack pointer may end it within a word.
    """
    bounds: dict[int, int] = {}

    def bound(start: int) -> int:
        if start not in bounds:
            frame = frames[start]
            bounds[start] = max(
                [frame.depth, *(depth + bound(callee) for callee, depth in frame.calls.items())]
            )
        return bounds[start]

    return align_up(bound(entry), WORD_BYTES)


def describe_outside(elf: Any, address: int) -> str:
    for section in elf.iter_sections():
        if (
            section["sh_flags"] & SH_FLAGS.SHF_ALLOC
            and 0 <= address - section["sh_addr"] < section["sh_size"]
        ):
            return f"{section.name}+{address - section['sh_addr']:#x}"
    return f"{address:#x}"


def analyse(image: Path, object_file: Path, entry: str, arch: str) -> Facts:
    """The facts of the net that begins at function `entry`. arch is that of target.toml."""
    sections = measure_object(object_file)
    with image.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return no_facts(sections, image.stat().st_size, f"the image is no ELF file ({arch})")
        elf = ELFFile(file)
        image_bytes = sum(segment["p_filesz"] for segment in elf.iter_segments("PT_LOAD"))
        machine = elf.header["e_machine"]
        if machine not in ARCHES:
            return no_facts(sections, image_bytes, f"stack and calls: machine code of {machine} is not read")
        symbols = symbols_of(elf)
        functions = read_functions(elf, symbols)
        start = next((each.start for each in functions.values() if each.name == entry), None)
        assert start is not None, f"{image} has no function {entry}"
        reached = reach(ARCHES[machine], read_code(elf, symbols, functions), functions, start)
        outside = tuple(sorted(describe_outside(elf, address) for address in reached.outside))
    return collect(sections, image_bytes, functions, start, reached, outside)


def no_facts(sections: Sections, image_bytes: int, reason: str) -> Facts:
    return Facts(
        rom_bytes=sections.rom_bytes,
        writable_bytes=sections.writable_bytes,
        image_bytes=image_bytes,
        stack_bytes=None,
        calls=(),
        outside=(),
        recursive=(),
        undefined_symbols=sections.undefined_symbols,
        variable_latency=(),
        unproved=(reason,),
    )


def collect(
    sections: Sections,
    image_bytes: int,
    functions: Mapping[int, Function],
    entry: int,
    reached: Reached,
    outside: tuple[str, ...],
) -> Facts:
    frames = reached.frames

    def names(starts: set[int]) -> tuple[str, ...]:
        return tuple(sorted(functions[start].name for start in starts))

    def lines(select: Callable[[Frame], set[str]], joint: str) -> list[str]:
        return sorted(
            f"{functions[start].name}{joint}{text}" for start in frames for text in select(frames[start])
        )

    recursive = names(find_cycles(frames))
    unproved = lines(lambda frame: frame.unproved, "")
    unproved += [f"stack: {name} is on a cycle of calls" for name in recursive]
    unproved += [f"stack: {name} is not in the image" for name in outside]
    return Facts(
        rom_bytes=sections.rom_bytes,
        writable_bytes=sections.writable_bytes,
        image_bytes=image_bytes,
        stack_bytes=None if unproved else stack_bound(frames, entry),
        calls=(functions[entry].name, *names({*frames} - {entry})),
        outside=outside,
        recursive=recursive,
        undefined_symbols=sections.undefined_symbols,
        variable_latency=tuple(lines(lambda frame: frame.slow, ": ")),
        unproved=tuple(unproved),
    )
