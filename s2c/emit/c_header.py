"""Plan -> the C header of a net: sizes and accessors of its inputs and outputs, and its functions."""

from __future__ import annotations

from collections.abc import Mapping

from s2c.emit.text import CTYPES, comment_text, format_float, wrap
from s2c.ir import Node
from s2c.plan import Plan, alignment


def emit_header(
    plan: Plan,
    name: str,
    title: str,
    checks_processor: bool = False,
    counts_cycles: bool = False,
    counts_interval: bool = False,
) -> str:
    """checks_processor: with <name>_supported; counts_cycles, counts_interval: with <name>_cycles and
    <name>_interval."""
    upper = name.upper()
    lines = [
        f"/* {title} */",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "#include <stdint.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        "/* All the memory of the net but its stack; the caller owns it, aligned to "
        f"{aligned_text(plan)}. */",
        f"#define {upper}_ARENA_BYTES {plan.arena_bytes}",
        "",
    ]
    for index, (node, offset) in enumerate(zip(plan.graph.inputs, plan.inputs, strict=True)):
        lines += tensor_lines(name, f"input_{index}", node.layer, node, offset)
    outputs = zip(plan.graph.output_names, plan.graph.outputs, plan.outputs, strict=True)
    for index, (layer, node, offset) in enumerate(outputs):
        lines += tensor_lines(name, f"output_{index}", layer, node, offset)
    lines += [
        "/* Inputs and outputs share the arena's memory with everything else: write all inputs before each",
        "   run, and read the outputs before the next. Reentrant: two arenas may run at once. */",
        f"void {name}_run(void *arena);",
        *(reset_lines(plan, name) if plan.states else ()),
        *(STAGES.format(name=name, upper=upper, **team_size(plan)).splitlines() if plan.stages else ()),
        *(SUPPORTED.format(name=name).splitlines() if checks_processor else ()),
        *(CYCLES.format(name=name).splitlines() if counts_cycles else ()),
        *(INTERVAL.format(name=name).splitlines() if counts_interval else ()),
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


SUPPORTED = """
/* 1 where this processor has the instructions that the compiler was told to use; where it is 0, a run
   would end in one that it lacks. */
int32_t {name}_supported(void);
"""


CYCLES = """
/* A run, too: the cycles that the chip takes for it, always as many. */
int32_t {name}_cycles(void *arena);
"""


INTERVAL = """
/* Many runs without a pause, of these inputs and others: the cycles of the chip from one result to the next,
   or 0 where one is not what a run gives alone. Inputs stay; outputs are not written. */
int32_t {name}_interval(void *arena);
"""


STAGES = """
/* A run in pieces, for the threads of {name}_team.h: {name}_between is what one thread does alone before a
   stage, or behind the last; {name}_part is what each of the threads does in it. */
#define {upper}_STAGES {stages}
#define {upper}_THREADS {threads}
void {name}_between(void *arena, int32_t stage);
void {name}_part(void *arena, int32_t stage, int32_t part);
"""


def team_size(plan: Plan) -> Mapping[str, int]:
    return {"stages": len(plan.stages), "threads": plan.threads}


def aligned_text(plan: Plan) -> str:
    least = alignment(plan.graph)
    fastest = f"; to {plan.alignment} bytes it is fastest" if plan.alignment > least else ""
    return f"{least} bytes{fastest}"


def reset_lines(plan: Plan, name: str) -> list[str]:
    """The declaration of a stateful net's reset."""
    layers = ", ".join(comment_text(each.node.layer) for each in plan.graph.states)
    return [
        "",
        *wrap(
            "/* Forgets all state: call it before the first run. Kept in the arena between runs:",
            [layers],
            " */",
        ).splitlines(),
        f"void {name}_reset(void *arena);",
    ]


def tensor_lines(name: str, role: str, layer: str, node: Node, offset: int) -> list[str]:
    """Size, quantization and typed accessor of an input or output."""
    upper = f"{name}_{role}".upper()
    ctype = CTYPES[node.type.numpy.name]
    shape = " x ".join(map(str, node.type.shape)) or "scalar"
    lines = [
        f"/* {role.replace('_', ' ')}: {comment_text(layer)}, {shape} */",
        f"#define {upper}_SIZE {node.type.size}",
    ]
    if node.type.quant is not None:
        lines.append(f"#define {upper}_SCALE {format_float(node.type.quant.scale[0])}")
        lines.append(f"#define {upper}_ZERO {parenthesised(node.type.quant.zero)}")
    return [
        *lines,
        f"static inline {ctype} *{name}_{role}(void *arena)",
        "{",
        f"    return ({ctype} *)(void *)((unsigned char *)arena + {offset});",
        "}",
        "",
    ]


def parenthesised(value: int) -> str:
    return f"({value})" if value < 0 else str(value)
