"""What surrounds a net's source: the header a build needs, a self-checking main, CMake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2c.emit.text import CTYPES, format_array
from s2c.ir import DTYPES, Node
from s2c.plan import Plan
from s2c.resources import folder

FLOAT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Golden:
    """One set of inputs with the outputs that the oracle computes for them."""

    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]


def emit_net_header(
    plan: Plan,
    name: str,
    checks_processor: bool = False,
    counts_cycles: bool = False,
    counts_interval: bool = False,
) -> str:
    """net.h, through which a target's harness finds the net; it lies one folder below <name>.h, which may
    be net.h too.
    """

    def spans(nodes: Sequence[Node], offsets: Sequence[int]) -> str:
        return ", ".join(
            f"{{{offset}u, {node.type.bytes}u}}" for node, offset in zip(nodes, offsets, strict=True)
        )

    team = TEAM.format(name=name) if plan.stages else ""
    supported = f"#define S2C_SUPPORTED {name}_supported\n" if checks_processor else ""
    cycles = f"#define S2C_CYCLES {name}_cycles\n" if counts_cycles else ""
    cycles += f"#define S2C_INTERVAL {name}_interval\n" if counts_interval else ""
    reset = f"#define S2C_RESET {name}_reset\n" if plan.states else ""
    return (
        f'#include "../{name}.h"\n'
        f"#define S2C_RUN {name}_run\n"
        f"#define S2C_ARENA_BYTES {plan.arena_bytes}\n"
        f"#define S2C_ARENA_ALIGNMENT {max(plan.alignment, 16)}\n"
        f"#define S2C_INPUTS {{{spans(plan.graph.inputs, plan.inputs)}}}\n"
        f"#define S2C_OUTPUTS {{{spans(plan.graph.outputs, plan.outputs)}}}\n"
        f"{supported}{cycles}{reset}{team}"
    )


TEAM = """\
#include "../{name}_team.h"
#define S2C_TEAM {name}_team
#define S2C_TEAM_START {name}_team_start
#define S2C_TEAM_RUN {name}_team_run
"""


def emit_team(name: str) -> dict[str, str]:
    """The threads' source and header, by their paths in the artifact: those in targets/team, whose net is
    called net.
    """
    found = {}
    for suffix in ("c", "h"):
        text = (folder("targets") / "team" / f"team.{suffix}").read_text(encoding="utf-8")
        text = re.sub(r"\bnet(?=_|\.h)", name, text)
        found[f"{name}_team.{suffix}"] = re.sub(r"\bNET(?=_)", name.upper(), text)
    return found


def emit_main(plan: Plan, name: str, goldens: Sequence[Golden], checks_processor: bool = False) -> str:
    """A main that runs the golden inputs and returns 0 if all gave what the oracle gives."""
    count = len(goldens)
    parts = [
        f"/* Checks {name} on the device: main returns 0 when all {count} golden results come out. */",
        f'#include "{name}.h"\n',
        "typedef union {",
        "    double aligned;",
        f"    unsigned char bytes[{name.upper()}_ARENA_BYTES];",
        "} arena_memory;\n",
        "static arena_memory arena;\n",
    ]
    if not all(np.isfinite(array).all() for golden in goldens for array in (*golden.inputs, *golden.outputs)):
        parts.append(NOT_FINITE)
    writes: list[str] = []
    checks: list[str] = []
    for role, nodes in (("input", plan.graph.inputs), ("output", plan.graph.outputs)):
        for index, node in enumerate(nodes):
            ctype = CTYPES[node.type.numpy.name]
            values = [getattr(golden, f"{role}s")[index].reshape(-1) for golden in goldens]
            array = f"{role}_{index}"
            size = node.type.size
            literals = format_array(np.concatenate(values))
            parts.append(f"static const {ctype} {array}[{count * size}] = {{\n{literals}\n}};\n")
            accessor = f"{name}_{role}_{index}(&arena)"
            if role == "input":
                writes.append(f"        for (int32_t i = 0; i < {size}; i++) {{")
                writes.append(f"            {accessor}[i] = {array}[golden * {size} + i];")
                writes.append("        }")
            else:
                test = f"differs_{DIFFERS.get(node.type.dtype, ctype)}"
                checks.append(f"        wrong |= {test}({accessor}, {array} + golden * {size}, {size});")
    dtypes = {node.type.dtype for node in plan.graph.outputs}
    parts += [COMPARE_FLOAT] if "f32" in dtypes else []
    parts += [COMPARE_HALF] if "f16" in dtypes else []
    for ctype in sorted({CTYPES[DTYPES[each].name] for each in dtypes - {"f16", "f32"}}):
        parts.append(COMPARE_INTEGER.replace("TYPE", ctype))
    parts += [
        "int main(void)",
        "{",
        "    int failures = 0;",
        *(UNSUPPORTED.format(name=name).splitlines() if checks_processor else ()),
        *([f"    {name}_reset(&arena);"] if plan.states else ()),
        f"    for (int32_t golden = 0; golden < {count}; golden++) {{",
        *writes,
        f"        {name}_run(&arena);",
        "        int wrong = 0;",
        *checks,
        "        failures += wrong;",
        "    }",
        "    return failures != 0;",
        "}",
        "",
    ]
    return "\n".join(parts)


UNSUPPORTED = """\
    if (!{name}_supported()) {{
        return 2; /* this processor lacks instructions of the net */
    }}
"""

COMPARE_FLOAT = f"""/* Whether a value is off by more than {FLOAT_TOLERANCE} of the largest finite one. */
static int differs_float(const float *found, const float *wanted, int32_t size)
{{
    float largest = 1e-30F;
    for (int32_t i = 0; i < size; i++) {{
        const float magnitude = wanted[i] < 0.0F ? -wanted[i] : wanted[i];
        largest = magnitude > largest && magnitude - magnitude == 0.0F ? magnitude : largest;
    }}
    int wrong = 0;
    for (int32_t i = 0; i < size; i++) {{
        const float error = found[i] < wanted[i] ? wanted[i] - found[i] : found[i] - wanted[i];
        const int both_nan = found[i] != found[i] && wanted[i] != wanted[i];
        wrong |= !(found[i] == wanted[i] || both_nan || error <= {FLOAT_TOLERANCE}F * largest);
    }}
    return wrong;
}}
"""

NOT_FINITE = """#define S2C_INFINITY (1.0F / 0.0F)
#define S2C_NAN (0.0F / 0.0F)
"""

# What the comparison of a dtype is called where it is not its C type.
DIFFERS = {"f16": "half", "f32": "float"}

COMPARE_HALF = """/* Whether a half, given by its bits, is off by more than its last bit. */
static int differs_half(const uint16_t *found, const uint16_t *wanted, int32_t size)
{
    int wrong = 0;
    for (int32_t i = 0; i < size; i++) {
        const int32_t steps = (int32_t)found[i] - (int32_t)wanted[i];
        const int both_zero = ((found[i] | wanted[i]) & 0x7FFF) == 0;
        const int both_nan = (found[i] & 0x7FFF) > 0x7C00 && (wanted[i] & 0x7FFF) > 0x7C00;
        wrong |= !((steps >= -1 && steps <= 1) || both_zero || both_nan);
    }
    return wrong;
}
"""

COMPARE_INTEGER = """static int differs_TYPE(const TYPE *found, const TYPE *wanted, int32_t size)
{
    int wrong = 0;
    for (int32_t i = 0; i < size; i++) {
        wrong |= found[i] != wanted[i];
    }
    return wrong;
}
"""


def emit_cmake(name: str, has_team: bool = False, processor: Sequence[str] = ()) -> str:
    """A library and its check. processor: the compiler's flags for the target's instructions. A loop must not
    become a call of memcpy: a freestanding target may have none.
    """
    team = CMAKE_TEAM.format(name=name) if has_team else ""
    flags = " ".join(("-O2", "-fno-builtin", "-ffp-contract=off", *processor))
    return f"""cmake_minimum_required(VERSION 3.10)
project({name} C)
set(CMAKE_C_STANDARD 99)
add_library({name} STATIC {name}.c)
target_include_directories({name} INTERFACE ${{CMAKE_CURRENT_SOURCE_DIR}})
target_compile_options({name} PRIVATE {flags}
    $<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>)
{team}add_executable({name}_check main.c)
target_link_libraries({name}_check PRIVATE {name})
enable_testing()
add_test(NAME {name}_check COMMAND {name}_check)
"""


CMAKE_TEAM = """\
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
target_sources({name} PRIVATE {name}_team.c)
target_link_libraries({name} PUBLIC Threads::Threads)
"""
