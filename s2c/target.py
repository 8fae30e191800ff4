"""targets/<name>/target.toml -> a Target; a folder of C and a Target -> an image, and a process of it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, final

from s2c import processor
from s2c.errors import error
from s2c.resources import PACKAGE, folder, zig_environment
from s2c.tiles import SCALAR, Vectors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DECLARATION = re.compile(r"^(?!static\b)[a-z][\w *]*?(\w+)\([^)]*\);$", re.MULTILINE)  # of a function, in C
WARNINGS = ("-std=c99", "-g0", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion")


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


@dataclass(frozen=True)
class Image:
    path: Path
    object: Path  # the net alone
    warnings: str  # what the compiler printed
    library: Path | None = None  # of the same object


class ProcessError(RuntimeError):
    """An image that ended when it should not have."""


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


def write_script(target: Target, build_folder: Path) -> Path | None:
    if target.script is None:
        return None
    path = build_folder / target.script
    path.write_text(string.Template(target.file(target.script).read_text()).substitute(placeholders(target)))
    return path


def run_all(name: str, commands: Sequence[Sequence[str]]) -> str:
    """Runs commands at the same time: what they printed. CompileError if one fails."""
    children: list[subprocess.Popen[str]] = []
    try:
        for command in commands:
            children.append(start_child(command))
        printed = [child.communicate()[0] for child in children]
    finally:
        for child in children:
            stop_child(child)
    for command, child, text in zip(commands, children, printed, strict=True):
        if child.returncode != 0:
            raise error(
                name,
                f"exit status 0 from: {shlex.join(command)}",
                f"{child.returncode}\n{text.strip()}\n",
                "a net that does not fit the target's memory or a --cc that lacks a flag ends like this",
            )
    return "".join(printed)


def start_child(command: Sequence[str], folder: Path | None = None) -> subprocess.Popen[str]:
    """In a session of its own, so that what it starts can be stopped with it."""
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=zig_environment(),
        start_new_session=True,
    )


def stop_child(child: subprocess.Popen[str]) -> None:
    """If it still runs, we were interrupted, and it must not write into a folder that is being removed."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def build(target: Target, folder: Path, name: str, build_folder: Path, cc: str | None = None) -> Image:
    """Compiles folder/<name>.c and the target's harness against build_folder/net.h; of the net's object it
    makes a shared library, too, where the target has them.
    """
    refuse_missing(target, missing_tools(target, cc))
    compiler, command = pick_compiler(target, cc)
    harness_folder = build_folder / "harness"
    harness_folder.mkdir(parents=True, exist_ok=True)
    script = write_script(target, build_folder)
    values = {**placeholders(target), "script": str(script)}
    flags, harness_flags = (
        [*(flag.format_map(values) for flag in each), target.optimise, *WARNINGS]
        for each in (compiler.flags, compiler.harness_flags)
    )
    # Not -I: a net called `features` must not hide the header <features.h>.
    includes = [f"-iquote{place}" for place in (*target.folders, build_folder, folder)]
    net = build_folder / f"{name}.o"
    team = folder / f"{name}_team.c"
    library_flags = target.library.flags if target.library else ()
    steps = [[*command, *flags, *library_flags, "-c", str(folder / f"{name}.c"), "-o", str(net)]]
    shared_objects = [net]
    if team.exists():
        shared_objects.append(harness_folder / f"{team.stem}.o")
        team_flags = [*harness_flags, *library_flags]
        steps.append([*command, *team_flags, *includes, "-c", str(team), "-o", str(shared_objects[-1])])
    objects = list(shared_objects)
    for source in map(target.file, target.sources):
        objects.append(harness_folder / f"{source.stem}.o")
        steps.append(
            [
                *(*command, *harness_flags, *target.harness_flags, *includes),
                *("-c", str(source), "-o", str(objects[-1])),
            ]
        )
    warnings = run_all(name, steps)
    image = build_folder / f"{name}.elf"
    link_flags = [flag.format_map(values) for flag in compiler.link_flags]
    links = [[*command, *harness_flags, *map(str, objects), *link_flags, "-o", str(image)]]
    library = None
    if target.library is not None:
        library = build_folder / target.library.file.format(name=name)
        headers = [each for each in (folder / f"{name}.h", team.with_suffix(".h")) if each.exists()]
        exports = write_exports(headers, build_folder)
        shared = [flag.format(exports=exports) for flag in target.library.link_flags]
        links.append([*command, *flags, *map(str, shared_objects), *shared, "-o", str(library)])
    warnings += run_all(name, links)
    return Image(image, net, warnings, library)


def build_program(target: Target, source: Path) -> Path:
    """A C file with a main of its own, compiled as a net is: the executable beside it."""
    refuse_missing(target, missing_tools(target))
    compiler, command = pick_compiler(target, None)
    values = placeholders(target)
    flags = [*(flag.format_map(values) for flag in compiler.flags), target.optimise, "-std=c99"]
    program = source.with_suffix("")
    run_all(source.stem, [[*command, *flags, str(source), "-o", str(program)]])
    return program


def write_exports(headers: Sequence[Path], build_folder: Path) -> Path:
    """For the linker: nothing leaves the library but the functions that the net's headers declare."""
    declared = [
        each for header in headers for each in DECLARATION.findall(header.read_text(encoding="utf-8"))
    ]
    functions = "".join(f" {each};" for each in declared)
    path = build_folder / "exports.map"
    path.write_text(f"{{ {f'global:{functions} ' if functions else ''}local: *; }};\n")
    return path


@final
class Process:
    """An image that runs and serves inferences: a class, because it owns a child process."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])}
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        try:
            self.child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=environment
            )
        except OSError:
            self.errors.close()
            raise

    @classmethod
    def start(
        cls, target: Target, image: Image, functions: Sequence[str] | None = None, repeat: int = 1
    ) -> Process:
        """functions (emulated targets): count each call of these, be they none. repeat (others): time so many
        calls. CompileError where the image is missing or does not start.
        """
        refuse_missing(target, not_installed(target, target.needs))
        values = {
            **placeholders(target),
            "image": str(image.path.resolve()),
            "functions": ",".join(functions or ()),
            "repeat": str(repeat),
        }
        command = [*target.run, *(() if functions is None else target.count_calls)]
        try:
            image.path.stat()
            return cls([part.format_map(values) for part in command])
        except OSError as problem:
            wanted, found = f"an image that runs on {target.name}", problem.strerror or type(problem).__name__
            raise error(str(image.path), wanted, found, "compile the model again") from None

    def run(self, inputs: bytes, output_bytes: int) -> tuple[bytes, dict[str, Any]]:
        """One inference: its raw outputs and its counters. ProcessError if the image ends instead."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            self.child.stdin.write(inputs)
            self.child.stdin.flush()
        except BrokenPipeError:
            raise self.ended() from None
        outputs = self.child.stdout.read(output_bytes)
        line = self.child.stdout.readline()
        if not line.endswith(b"\n"):
            raise self.ended()
        return outputs, json.loads(line)

    def ended(self) -> ProcessError:
        status = self.child.wait()
        self.errors.seek(0)
        printed = self.errors.read().decode(errors="replace").strip() or "it printed nothing"
        return ProcessError(f"the image ended with status {status}: {printed.splitlines()[-1]}")

    def close(self) -> None:
        """Ends the input; what still runs is killed."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.child.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self.errors.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
