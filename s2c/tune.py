"""Which kernel and tile is the fastest for each call of a net: timed on this machine, and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2c import processor
from s2c.build import build_program
from s2c.emit.c_family import Specialisation, declaration, emit_specialisation, paste_sources
from s2c.errors import error
from s2c.ir import Graph
from s2c.kernel import Kernel, fitting
from s2c.ops import OPS
from s2c.plan import packed_consts
from s2c.resources import cache_folder, folder
from s2c.steps import Choice, Choices, Kernels, Step, call_key, choose_kernels, split, tiles_of, with_tile
from s2c.target import Target
from s2c.tiles import Tile

LEAST_MACS = 20_000  # of a call for which it is worth while
TILES = 4  # of one kernel that are tried
KERNELS = 2  # for one call that are tried
ROUNDS = 7  # in each of which every candidate is timed
ROUND_NANOSECONDS = 2_000_000  # that the calls of one candidate take in a round, at least
MOST_SECONDS = 600  # that timing may take
BUFFERS = ("output", "input", "constants", "scratch")
ROOM = 256  # bytes behind each


@dataclass(frozen=True)
class Candidate:
    key: str  # of the call
    step: Step
    tile: Tile | None

    @property
    def choice(self) -> Choice:
        return Choice(self.step.kernel.name, self.tile)


def find_choices(graph: Graph, kernels: Kernels, target: Target, reproducible: bool = False) -> Choices:
    """For each call with more than one candidate the one with the shortest time, of all rounds. reproducible:
    only tiles are chosen, because kernels may differ in the order of sums.
    """
    candidates = list(list_candidates(graph, kernels, target, 1 if reproducible else KERNELS))
    if not candidates:
        return {}
    source = emit_bench(candidates, target.language)
    path = cache_file(source, target)
    times = read_times(path, len(candidates))
    if times is None:
        times = time_all(source, target)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(times), encoding="utf-8")
        part.replace(path)
    fastest: dict[str, tuple[float, Choice]] = {}
    for candidate, time in zip(candidates, times, strict=True):
        if candidate.key not in fastest or time < fastest[candidate.key][0]:
            fastest[candidate.key] = time, candidate.choice
    return {key: choice for key, (_, choice) in fastest.items()}


def read_times(path: Path, count: int) -> list[float] | None:
    """None where there are none, or not as they were written: then they are taken again."""
    try:
        times = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(times, list) and len(times) == count
    return times if is_whole and all(isinstance(each, float) for each in times) else None


def list_candidates(graph: Graph, kernels: Kernels, target: Target, most: int) -> Iterator[Candidate]:
    """Of distinct calls that are large enough and leave a choice. most: kernels that are tried for one."""
    seen: set[str] = set()
    for step in choose_kernels(graph, kernels):
        key = call_key(step.kernel.key, step.params)
        if key in seen or sum(OPS[node.op].macs(node) for node in step.nodes) < LEAST_MACS:
            continue
        seen.add(key)
        tried = worth_trying(step, kernels, most)
        found = [each for kernel in tried for each in of_kernel(key, step, kernel, target)]
        if len(found) > 1:
            yield from found


def worth_trying(step: Step, kernels: Kernels, most: int) -> list[Kernel]:
    """The best for the call; the portable one only where there is no other."""
    found = list(fitting(kernels, step.kernel.key, step.params))[:most]
    return [each for each in found if each.needs or each is found[0]]


def of_kernel(key: str, step: Step, kernel: Kernel, target: Target) -> Iterator[Candidate]:
    own = replace(step, kernel=kernel)
    if not kernel.tile:
        yield Candidate(key, own, None)
        return
    for tile in tiles_of(own, target.vectors, TILES):
        yield Candidate(key, with_tile(own, tile), tile)


def cache_file(source: str, target: Target) -> Path:
    """Named after all that the times depend on: kernels, extents, compiler flags, processor."""
    compiler = target.compilers["zig"]
    facts = (source, compiler.command, compiler.flags, target.optimise, sorted(processor.processor_flags()))
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()
    return cache_folder() / "s2c" / "tuned" / f"{digest[:32]}.json"


def time_all(source: str, target: Target) -> list[float]:
    """Nanoseconds of one call of each candidate."""
    with tempfile.TemporaryDirectory(prefix="s2c-tune-") as place:
        path = Path(place) / "tune.c"
        path.write_text(source, encoding="utf-8")
        program = build_program(target, path)
        try:
            done = subprocess.run(
                [str(program)], capture_output=True, text=True, check=True, timeout=MOST_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as problem:
            wanted = "a program that times kernels"
            do = "leave --tune out: the cost model chooses"
            raise error("--tune", wanted, type(problem).__name__, do) from None
    return [float(line) for line in done.stdout.split()]


# the program that times


def emit_bench(candidates: Sequence[Candidate], language: str) -> str:
    """A main that calls every candidate on buffers of its size and prints the shortest time of each. Buffers
    are external: what is written into a static one that nobody reads, a compiler leaves out.
    """
    kernels = sorted({each.step.kernel for each in candidates}, key=lambda kernel: kernel.name)
    specials = [specialisation(index, each) for index, each in enumerate(candidates)]
    sizes = [buffer_bytes(each.step) for each in candidates]
    most = {
        name: max(each.get(name, 0) for each in sizes) for name in ("output", "input", "constants", "scratch")
    }
    calls = [
        emit_call(index, special, len(candidates[index].step.inputs))
        for index, special in enumerate(specials)
    ]
    return "\n".join(
        (
            "#define _POSIX_C_SOURCE 200809L",
            "#include <stdint.h>",
            "#include <stdio.h>",
            "#include <time.h>\n",
            *paste_sources(folder("kernels") / language, ["float_mode.h"], kernels),
            *(emit_specialisation(each) for each in specials),
            *(f"unsigned char {name}[{most[name] + ROOM}] S2C_ALIGNED(64);" for name in BUFFERS),
            *calls,
            "static void (*const calls[])(void) = {"
            + ", ".join(f"call_{index}" for index in range(len(calls)))
            + "};",
            MAIN.format(
                count=len(calls),
                rounds=ROUNDS,
                enough=ROUND_NANOSECONDS,
                fill="\n".join(f"    fill({name}, sizeof({name}));" for name in BUFFERS),
            ),
        )
    )


MAIN = """
static void fill(void *buffer, size_t bytes)
{{
    for (size_t i = 0; i < bytes / 4; i++) {{
        ((float *)buffer)[i] = 0.5F + (float)(i % 7) / 8.0F;
    }}
}}

static double now(void)
{{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}}

int main(void)
{{
    static double least[{count}];
{fill}
    (void)s2c_flush_subnormals();
    for (int round = 0; round < {rounds}; round++) {{
        for (int i = 0; i < {count}; i++) {{
            const double start = now();
            double before = start;
            do {{
                calls[i]();
                const double after = now();
                if (least[i] == 0.0 || after - before < least[i]) {{
                    least[i] = after - before;
                }}
                before = after;
            }} while (before - start < {enough}.0);
        }}
    }}
    for (int i = 0; i < {count}; i++) {{
        (void)printf("%.0f\\n", least[i]);
    }}
    return 0;
}}
"""


def specialisation(index: int, candidate: Candidate) -> Specialisation:
    step = split(candidate.step, 1)
    units = step.parts[-1][1] if step.parts else 0
    return Specialisation(f"candidate_{index}", step.kernel, step.params, units)


def buffer_bytes(step: Step) -> Mapping[str, int]:
    return {
        "output": step.result.type.bytes,
        "input": max((each.type.bytes for each in step.inputs), default=0),
        "constants": max((each.nbytes for each in packed_consts(step).values()), default=0),
        "scratch": step.scratch_bytes,
    }


def emit_call(index: int, special: Specialisation, inputs: int) -> str:
    """Constants share one buffer, as inputs do: what is only read may be the same. inputs: how many."""
    pointers = [each for each in special.kernel.arguments if each.pointer]
    names = [place_of(at, each.name, inputs) for at, each in enumerate(pointers)]
    operands = [
        f"({declaration(each, at == 0).rsplit('*', 1)[0]}*)(void *){name}"
        for at, (each, name) in enumerate(zip(pointers, names, strict=True))
    ]
    return f"static void call_{index}(void)\n{{\n    {special.function}({', '.join(operands)});\n}}\n"


def place_of(at: int, name: str, inputs: int) -> str:
    """Of a pointer argument: the output stands first, then the inputs, scratch and the constants."""
    if at == 0:
        return "output"
    if at <= inputs:
        return "input"
    return "scratch" if name == "scratch" else "constants"


# in the manifest


def note_choices(choices: Choices) -> dict[str, Any]:
    return {
        key: {"kernel": each.kernel, "tile": [each.tile.rows, each.tile.columns] if each.tile else None}
        for key, each in sorted(choices.items())
    }


def read_choices(noted: Mapping[str, Any]) -> Choices:
    """The inverse of note_choices."""
    return {
        key: Choice(each["kernel"], Tile(*each["tile"]) if each["tile"] else None)
        for key, each in noted.items()
    }
