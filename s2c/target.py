"""targets/<name>/target.toml -> a Target."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from s2c import processor
from s2c.errors import error
from s2c.resources import folder
from s2c.tiles import SCALAR, Vectors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Memory:
    name: str
    origin: int
    size: int  # bytes


@dataclass(frozen=True)
class Tool:
    """A Python module or a program on the path."""

    name: str
    install: str
    is_module: bool

    def is_missing(self) -> bool:
        if self.is_module:
            return importlib.util.find_spec(self.name) is None
        return shutil.which(self.name) is None


@dataclass(frozen=True)
class Compiler:
    """The harness has flags of its own where it is to run on processors that lack the net's instructions."""

    command: tuple[str, ...]  # empty where --cc names it
    flags: tuple[str, ...]
    processor: tuple[str, ...]  # those of them that name instructions
    harness_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    needs: tuple[str, ...]  # names of tools


@dataclass(frozen=True)
class LibraryFlags:
    """What makes a shared library of a net's object."""

    file: str  # its name, of {name}
    flags: tuple[str, ...]  # of the object, besides the compiler's
    link_flags: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """One target.toml, with what it extends filled in; targets/README.md tells what each field means."""

    name: str
    description: str
    language: str
    arch: str
    dtypes: tuple[str, ...]
    features: tuple[str, ...]  # most specific first
    lanes: int
    vectors: Vectors
    threads: bool  # whether several can share a net
    checks_processor: bool  # nets tell whether the processor has their instructions: <name>_supported
    emulated: bool
    optimise: str
    memories: tuple[Memory, ...]  # empty: no limit that is known
    folders: tuple[Path, ...]  # where its files are searched: its own folder, what it extends, targets/
    sources: tuple[str, ...]
    script: str | None  # of the linker
    harness_flags: tuple[str, ...]
    compilers: Mapping[str, Compiler]  # "zig", and "other" for --cc
    run: tuple[str, ...]
    count_calls: tuple[str, ...]  # follow run where the instructions of each call are asked for
    values: Mapping[str, str]  # fill the placeholders of command lines
    needs: tuple[str, ...]  # names of tools, whatever the compiler is
    tools: Mapping[str, Tool]
    library: LibraryFlags | None  # None: nothing on this target loads one

    @property
    def is_chip(self) -> bool:
        """Whether a net becomes hardware, of which the built image is a model."""
        return self.language == "verilog"

    def memory(self, name: str) -> Memory | None:
        return next((memory for memory in self.memories if memory.name == name), None)

    def file(self, name: str) -> Path:
        found = [place / name for place in self.folders if (place / name).is_file()]
        assert found, f"target {self.name}: no file {name} in {self.folders}"
        return found[0]


def merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`; tables are merged, all else is replaced."""
    merged = {**base, **own}
    for key in base.keys() & own.keys():
        if isinstance(base[key], dict):
            merged[key] = merge(base[key], own[key])
    return merged


def read_settings(name: str) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The table of target `name` over those it extends, and their folders."""
    place = folder("targets") / name
    own = tomllib.loads((place / "target.toml").read_text())
    is_abstract = own.pop("abstract", False)
    base, places = read_settings(own.pop("extends")) if "extends" in own else ({}, (folder("targets"),))
    return {**merge(base, own), "abstract": is_abstract}, (place, *places)


def make_target(name: str, settings: Mapping[str, Any], places: tuple[Path, ...]) -> Target:
    fields: dict[str, Any] = {
        "script": None,
        "values": {},
        "count_calls": (),
        "checks_processor": False,
        "threads": False,
    }
    for key, value in settings.items():
        fields[key] = tuple(value) if isinstance(value, list) else value
    del fields["abstract"]
    fields["vectors"] = Vectors(**fields["vectors"]) if "vectors" in fields else SCALAR
    if fields["arch"] == "native":
        fields["features"] = tuple(each for each in fields["features"] if processor.has_feature(each))
        fields["vectors"] = SCALAR if fields["language"] == "verilog" else processor.vectors()
    memories = sorted(fields.pop("memory", {}).items())
    compilers = {
        key: Compiler(
            command=tuple(table.get("command", ())),
            flags=(*table.get("processor", ()), *table["flags"]),
            processor=tuple(table.get("processor", ())),
            harness_flags=(*table.get("any_processor", ()), *table["flags"]),
            link_flags=tuple(table["link_flags"]),
            needs=tuple(table["needs"]),
        )
        for key, table in fields.pop("compilers").items()
    }
    library = fields.pop("library", None)
    tools = {
        key: Tool(table.get("module") or table["program"], table["install"], "module" in table)
        for key, table in fields.pop("tools").items()
    }
    return Target(
        name=name,
        folders=places,
        memories=tuple(Memory(key, table["origin"], table["size"]) for key, table in memories),
        compilers=compilers,
        tools=tools,
        library=library
        and LibraryFlags(library["file"], tuple(library["flags"]), tuple(library["link_flags"])),
        **fields,
    )


@cache
def list_targets() -> tuple[Target, ...]:
    """All that can be compiled for, by name."""
    names = sorted(path.parent.name for path in folder("targets").glob("*/target.toml"))
    found = [(name, *read_settings(name)) for name in names]
    return tuple(make_target(*each) for each in found if not each[1]["abstract"])


def load_target(name: str) -> Target:
    known = {target.name: target for target in list_targets()}
    if name not in known:
        raise error("--target", f"one of {', '.join(known)}", name, "name one of these")
    return known[name]


def pick_compiler(target: Target, cc: str | None) -> tuple[Compiler, list[str]]:
    """The compiler's settings and its command."""
    if cc is None:
        compiler = target.compilers["zig"]
        return compiler, [part.format(python=sys.executable) for part in compiler.command]
    return target.compilers["other"], shlex.split(cc)


def missing_tools(target: Target, cc: str | None = None) -> tuple[str, ...]:
    """A line for each tool that building or running needs and that is not there."""
    compiler, command = pick_compiler(target, cc)
    lines = not_installed(target, {*target.needs, *compiler.needs})
    if shutil.which(command[0]) is None:
        lines.append(f"{command[0]} (--cc) is not on the path: install it, or leave --cc out")
    return tuple(lines)


def not_installed(target: Target, names: Iterable[str]) -> list[str]:
    needed = [target.tools[name] for name in sorted(names)]
    return [f"{tool.name} is not installed: {tool.install}" for tool in needed if tool.is_missing()]


def refuse_missing(target: Target, missing: Sequence[str]) -> None:
    if missing:
        raise error(f"target {target.name}", "all its tools", "; ".join(missing), "install what is missing")


def placeholders(target: Target) -> dict[str, str]:
    filled = {"python": sys.executable, **target.values}
    for memory in target.memories:
        filled[f"{memory.name}_origin"] = hex(memory.origin)
        filled[f"{memory.name}_size"] = hex(memory.size)
    return filled
