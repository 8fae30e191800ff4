"""Plan -> a C++17 header: a class that owns the arena and gives typed inputs and outputs."""

from __future__ import annotations

from s2c.emit.c_header import parenthesised
from s2c.emit.text import CTYPES, comment_text, format_float
from s2c.ir import Node
from s2c.library import ALIGNMENT
from s2c.plan import Plan

# What C++ or its compilers keep for themselves and C does not, so that a net may be called so. Keywords of
# both are refused as names.
TAKEN = frozenset(
    (
        "alignas alignof and and_eq bitand bitor catch char16_t char32_t char8_t co_await co_return co_yield "
        "compl concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export "
        "false friend linux mutable noexcept not not_eq nullptr operator or or_eq posix protected "
        "reinterpret_cast requires static_assert static_cast std thread_local throw true try typeid typename "
        "unix using virtual xor xor_eq"
    ).split()
)


def namespace(name: str) -> str:
    """The net's own name where C++ leaves it free."""
    return f"{name}_" if name in TAKEN else name


def emit_cpp(plan: Plan, name: str, title: str, checks_processor: bool = False) -> str:
    """<name>.hpp, which includes <name>.h. checks_processor: with Net::supported."""
    space = namespace(name)
    inputs = list(zip(plan.graph.inputs, (node.layer for node in plan.graph.inputs), strict=True))
    outputs = list(zip(plan.graph.outputs, plan.graph.output_names, strict=True))
    constants = [line for index, (node, _) in enumerate(inputs) for line in sizes("input", index, node)]
    constants += [line for index, (node, _) in enumerate(outputs) for line in sizes("output", index, node)]
    accessors = [input_accessor(name, index, *each) for index, each in enumerate(inputs)]
    accessors += [output_accessor(name, index, *each) for index, each in enumerate(outputs)]
    lines = [
        f"/* {title}; for C++17. */",
        f"#ifndef {name.upper()}_HPP",
        f"#define {name.upper()}_HPP",
        "#include <cstddef>",
        f'#include "{name}.h"',
        "",
        f"namespace {space} {{",
        "",
        "/* The net in an arena of its own, which holds its inputs and outputs: write all inputs before",
        "   each run, and read the outputs before the next. A large one belongs on the heap. */",
        "class Net {",
        "public:",
        f"    static constexpr std::size_t arena_bytes = {plan.arena_bytes};",
        *constants,
        "",
        *([f"    Net() noexcept {{ {name}_reset(arena); }}", ""] if plan.states else ()),
        *(supported_lines(name) if checks_processor else ()),
        f"    void run() noexcept {{ {name}_run(arena); }}",
        *(state_lines(name) if plan.states else ()),
        "",
        *accessors,
        "private:",
        f"    alignas({ALIGNMENT}) unsigned char arena[{plan.arena_bytes}] = {{}};",
        "};",
        "",
        f"}} // namespace {space}",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def supported_lines(name: str) -> list[str]:
    return [
        "    /* Whether this processor has the instructions that the net needs: ask before the first run. */",
        f"    static bool supported() noexcept {{ return {name}_supported() != 0; }}",
        "",
    ]


def state_lines(name: str) -> list[str]:
    return ["", "    /* Forgets all state. */", f"    void reset() noexcept {{ {name}_reset(arena); }}"]


def sizes(role: str, index: int, node: Node) -> list[str]:
    """Elements and quantization of an input or output."""
    lines = [f"    static constexpr std::size_t {role}_{index}_size = {node.type.size};"]
    if node.type.quant is not None:
        scale, zero = format_float(node.type.quant.scale[0]), parenthesised(node.type.quant.zero)
        lines.append(f"    static constexpr float {role}_{index}_scale = {scale};")
        lines.append(f"    static constexpr int {role}_{index}_zero = {zero};")
    return lines


def heading(role: str, index: int, node: Node, layer: str) -> str:
    shape = " x ".join(map(str, node.type.shape)) or "scalar"
    return f"    /* {role} {index}: {comment_text(layer)}, {shape} */"


def input_accessor(name: str, index: int, node: Node, layer: str) -> str:
    ctype = CTYPES[node.type.numpy.name]
    body = f"return {name}_input_{index}(arena);"
    return f"{heading('input', index, node, layer)}\n    {ctype} *input_{index}() noexcept {{ {body} }}\n"


def output_accessor(name: str, index: int, node: Node, layer: str) -> str:
    """The header's accessor takes an arena that may be written; this one only reads."""
    ctype = CTYPES[node.type.numpy.name]
    return (
        f"{heading('output', index, node, layer)}\n"
        f"    const {ctype} *output_{index}() const noexcept\n"
        "    {\n"
        f"        return {name}_output_{index}(const_cast<unsigned char *>(arena));\n"
        "    }\n"
    )
