"""A folder of C and a Target -> an image."""

from __future__ import annotations

import os
import re
import shlex
import signal
import string
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2c.errors import error
from s2c.resources import zig_environment
from s2c.target import Target, missing_tools, pick_compiler, placeholders, refuse_missing

DECLARATION = re.compile(r"^(?!static\b)[a-z][\w *]*?(\w+)\([^)]*\);$", re.MULTILINE)  # of a function, in C
WARNINGS = ("-std=c99", "-g0", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion")


@dataclass(frozen=True)
class Image:
    path: Path
    object: Path  # the net alone
    warnings: str  # what the compiler printed
    library: Path | None = None  # of the same object


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
