"""Many Plans in one executable for this machine, which runs any of them by its number."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from native import MODULES

from s2c.emit.c_family import emit_source
from s2c.emit.c_header import emit_header
from s2c.plan import Plan
from s2c.resources import zig_environment
from s2c.target import Target

BUILD_SECONDS = 240
MAIN = """#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t offset, bytes;
} span;

typedef struct {
    void (*run)(void *);
    void (*reset)(void *); /* NULL without state */
    size_t arena_bytes;
    int first, inputs, outputs; /* in spans */
} net;

DECLARATIONS
static const span spans[] = {SPANS};
static const net nets[] = {NETS};
enum { MARGIN = 64, GARBAGE = 0xA5, WROTE_OUTSIDE = 101, INPUT_ENDS = 102, NO_MEMORY = 103 };

static int is_garbage(const unsigned char *bytes)
{
    int same = 1;
    for (int i = 0; i < MARGIN; i++) {
        same &= bytes[i] == GARBAGE;
    }
    return same;
}

static int serve(const net *each)
{
    const size_t size = (each->arena_bytes + MARGIN - 1) / MARGIN * MARGIN;
    unsigned char *memory = aligned_alloc(MARGIN, size + 2 * MARGIN);
    if (memory == NULL) {
        return NO_MEMORY;
    }
    unsigned char *arena = memory + MARGIN;
    const span *in = spans + each->first;
    const span *out = in + each->inputs;
    memset(memory, GARBAGE, size + 2 * MARGIN);
    for (int i = 0; i < each->inputs; i++) {
        if (fread(arena + in[i].offset, 1, in[i].bytes, stdin) != in[i].bytes) {
            return INPUT_ENDS;
        }
    }
    if (each->reset != NULL) {
        each->reset(arena);
    }
    each->run(arena);
    if (!is_garbage(memory) || !is_garbage(arena + each->arena_bytes)) {
        return WROTE_OUTSIDE;
    }
    for (int i = 0; i < each->outputs; i++) {
        fwrite(arena + out[i].offset, 1, out[i].bytes, stdout);
    }
    free(memory);
    return 0;
}

int main(void)
{
    uint32_t index;
    int status = 0;
    while (status == 0 && fread(&index, sizeof index, 1, stdin) == 1) {
        status = serve(&nets[index]);
    }
    return status;
}
"""
ERROR = re.compile(r"^\S*?(\w+)\.c:\d+:\d+: (?:fatal )?(error: .*)$", re.MULTILINE)
STATUSES = {101: "wrote outside its arena", 102: "its input ends too early", 103: "no memory for its arena"}


Outputs = tuple[np.ndarray, ...]


class RunError(Exception):
    """How a net ended that should not have."""


class BuildError(Exception):
    """What a compiler said; faults is that by the name of the plan, empty where it named none."""

    def __init__(self, printed: str) -> None:
        super().__init__(printed)
        self.faults: dict[str, str] = {}
        for name, text in ERROR.findall(printed):
            self.faults.setdefault(name, f"the compiler: {text}")


def emit_batch_main(plans: Mapping[str, Plan]) -> str:
    spans: list[str] = []
    nets: list[str] = []
    for name, plan in plans.items():
        counts = (len(plan.inputs), len(plan.outputs))
        reset = f"{name}_reset" if plan.states else "NULL"
        nets.append(f"{{{name}_run, {reset}, {plan.arena_bytes}, {len(spans)}, {counts[0]}, {counts[1]}}}")
        nodes = (*plan.graph.inputs, *plan.graph.outputs)
        offsets = (*plan.inputs, *plan.outputs)
        spans += [f"{{{at}, {node.type.bytes}}}" for node, at in zip(nodes, offsets, strict=True)]
    declared = "".join(f"void {name}_run(void *arena);\nvoid {name}_reset(void *arena);\n" for name in plans)
    text = MAIN.replace("DECLARATIONS", declared).replace("SPANS", ",\n    ".join(spans))
    return text.replace("NETS", ",\n    ".join(nets))


def build_batch(target: Target, folder: Path, plans: Mapping[str, Plan]) -> Path:
    """The executable, by one call of the compiler. Raises BuildError."""
    for name, plan in plans.items():
        (folder / f"{name}.h").write_text(emit_header(plan, name, name), encoding="utf-8")
        (folder / f"{name}.c").write_text(emit_source(plan, name, name, "c"), encoding="utf-8")
    main = folder / "main.c"
    main.write_text(emit_batch_main(plans), encoding="utf-8")
    image = folder / "batch"
    compiler = target.compilers["zig"]
    command = [part.format(python=sys.executable) for part in compiler.command]
    sources = [main, *(folder / f"{name}.c" for name in plans)]
    flags = ["-w", "-std=c11", "-g0", *MODULES, *compiler.flags, "-O1", *map(str, sources), "-o", str(image)]
    environment = {**zig_environment(), "ZIG_LOCAL_CACHE_DIR": str(folder / "cache")}
    try:
        done = subprocess.run(
            [*command, *flags],
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"the compiler still runs after {BUILD_SECONDS} s") from None
    if done.returncode != 0:
        raise BuildError(done.stderr.strip())
    return image


def run_plans(
    target: Target,
    folder: Path,
    plans: Mapping[str, Plan],
    inputs: Mapping[str, Sequence[np.ndarray]],
    seconds: float,
) -> dict[str, Outputs | str]:
    """The outputs of each plan for its inputs, or in words why there are none. What does not build is left
    out of the executable; where no file is to blame, halves are built."""
    try:
        image = build_batch(target, folder, plans)
    except BuildError as problem:
        faults = {name: text for name, text in problem.faults.items() if name in plans}
        names = [name for name in plans if name not in faults]
        if not faults and len(names) == 1:
            return {names[0]: str(problem)}
        results: dict[str, Outputs | str] = dict(faults)
        half = len(names) if faults else len(names) // 2
        for part in (names[:half], names[half:]):
            if part:
                results |= run_plans(target, folder, {name: plans[name] for name in part}, inputs, seconds)
        return results
    return run_all(image, plans, inputs, seconds)


def run_all(
    image: Path, plans: Mapping[str, Plan], inputs: Mapping[str, Sequence[np.ndarray]], seconds: float
) -> dict[str, Outputs | str]:
    """In one process; where that ends badly, each plan in its own."""
    results: dict[str, Outputs | str] = {}
    try:
        results |= run_image(image, plans, inputs, list(plans), seconds)
    except RunError:
        for name in plans:
            try:
                results |= run_image(image, plans, inputs, [name], seconds)
            except RunError as problem:
                results[name] = str(problem)
    return results


def run_image(
    image: Path,
    plans: Mapping[str, Plan],
    inputs: Mapping[str, Sequence[np.ndarray]],
    names: Sequence[str],
    seconds: float,
) -> dict[str, Outputs]:
    """The outputs of the plans of these names. Raises RunError, which any of them may have caused."""
    numbers = {name: np.uint32(index).tobytes() for index, name in enumerate(plans)}
    data = b"".join(numbers[name] + b"".join(each.tobytes() for each in inputs[name]) for name in names)
    try:
        done = subprocess.run([str(image)], input=data, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise RunError(f"still runs after {seconds:g} s") from None
    if done.returncode != 0:
        raise RunError(STATUSES.get(done.returncode, f"ended with status {done.returncode}"))
    rest = done.stdout
    results = {}
    for name in names:
        outputs = []
        for node in plans[name].graph.outputs:
            raw, rest = rest[: node.type.bytes], rest[node.type.bytes :]
            outputs.append(np.frombuffer(raw, node.type.numpy).reshape(node.type.shape))
        results[name] = tuple(outputs)
    assert not rest, len(rest)
    return results
