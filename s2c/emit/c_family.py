"""Plan -> the C source of a net: constants, a function per distinct kernel call, a line per call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2c.emit.constants import emit_constants, has_large
from s2c.emit.text import CTYPES, comment_text, format_float, wrap
from s2c.kernel import Argument, Kernel
from s2c.plan import Call, Plan
from s2c.resources import folder

INCLUDE = re.compile(r'^#include "(.+)"\n', re.MULTILINE)
GUARD = re.compile(r"^#ifndef (S2C_\w+_H)\n#define \1\n(.*)\n#endif\n\Z", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Specialisation:
    """One function of the emitted file: a kernel with its parameters as literals."""

    function: str
    kernel: Kernel
    params: Mapping[str, int | float]
    units: int = 0  # that it computes, where the kernel can be split
    is_shared: bool = False  # then which of them are arguments


def emit_source(
    plan: Plan,
    name: str,
    title: str,
    language: str,
    checks_processor: bool = False,
    reproducible: bool = False,
) -> str:
    """checks_processor: with <name>_supported; reproducible: floats have the same bits on all targets with
    `vector`."""
    kernels = sorted({call.kernel for call in plan.all_calls}, key=lambda kernel: kernel.name)
    uses_floats = any(node.type.dtype == "f32" for call in plan.calls for node in call.nodes)
    specials = specialisations(plan, name)
    constants, references = emit_constants(plan, name)
    library = ["float_mode.h"] if uses_floats else []
    library += ["processor.h"] if checks_processor else []
    library += ["strings.h"] if has_large(plan) else []
    parts = [
        f"/* {title} */",
        f'#include "{name}.h"\n',
        *(["#define S2C_REPRODUCIBLE\n"] if reproducible else ()),
        *paste_sources(folder("kernels") / language, library, kernels),
        *constants,
        *(emit_specialisation(each) for each in unique(specials)),
        emit_run(plan, name, specials[: len(plan.calls)], references, uses_floats),
    ]
    if plan.stages:
        parts.append(emit_stages(plan, name, specials[: len(plan.calls)], references, uses_floats))
    if plan.resets:
        parts.append(emit_reset(plan, name, specials[len(plan.calls) :], references))
    if checks_processor:
        parts.append(SUPPORTED_SOURCE.format(name=name))
    return "\n".join(parts)


SUPPORTED_SOURCE = """\
S2C_ANY_PROCESSOR int32_t {name}_supported(void)
{{
    return s2c_has_instructions();
}}
"""


def unique(specials: Sequence[Specialisation]) -> Iterator[Specialisation]:
    seen: set[str] = set()
    for each in specials:
        if each.function not in seen:
            seen.add(each.function)
            yield each


def paste_sources(root: Path, library: Sequence[str], kernels: Sequence[Kernel]) -> list[str]:
    """The text of the kernels, each preceded by the library files that it includes, every file once."""
    return paste_files([*(root / "lib" / name for name in library), *(kernel.path for kernel in kernels)])


def paste_files(paths: Sequence[Path]) -> list[str]:
    """Their text, each preceded by the files that it includes, every file once."""
    pasted: set[Path] = set()
    parts: list[str] = []

    def paste(path: Path) -> None:
        if path in pasted:
            return
        pasted.add(path)
        text = path.read_text(encoding="utf-8")
        for included in INCLUDE.findall(text):
            paste((path.parent / included).resolve())
        body = INCLUDE.sub("", text)
        inner = GUARD.search(body)
        if inner is not None:
            body = body[: inner.start()] + inner.group(2).strip("\n") + "\n"
        parts.append(body)

    for path in paths:
        paste(path.resolve())
    return [part.replace("#include <stdint.h>\n", "") for part in parts]


def specialisations(plan: Plan, name: str) -> list[Specialisation]:
    """One for each call and then each reset; those of one kernel with the same parameters share one."""
    known: dict[tuple[str, bool, tuple[tuple[str, int | float], ...]], Specialisation] = {}
    result = []
    for call in plan.all_calls:
        key = (call.kernel.name, call.is_shared, tuple(call.params.items()))
        if key not in known:
            count = sum(each.kernel is call.kernel for each in known.values())
            function = f"{name}_{call.kernel.function}_{count}"
            units = call.parts[-1][1] if call.parts else 0
            known[key] = Specialisation(function, call.kernel, call.params, units, call.is_shared)
        result.append(known[key])
    return result


def format_param(value: int | float) -> str:
    if isinstance(value, float):
        return format_float(value)
    return {-(1 << 31): "INT32_MIN", -(1 << 63): "INT64_MIN"}.get(value, str(value))


def emit_specialisation(special: Specialisation) -> str:
    """The function, under a comment that names its literals."""
    pointers = [each for each in special.kernel.arguments if each.pointer]
    names = [each.name for each in pointers]
    numbers = [each.name for each in special.kernel.arguments if not each.pointer]
    values = {**special.params, "first": 0, "last": special.units} if special.kernel.split else special.params
    literals = [
        name if special.is_shared and name in ("first", "last") else format_param(values[name])
        for name in numbers
    ]
    meanings = [f"{name} {literal}" for name, literal in zip(numbers, literals, strict=True)]
    head = f"S2C_LAYER void {special.function}("
    call = f"    {special.kernel.function}("
    declared = [declaration(each, index == 0) for index, each in enumerate(pointers)]
    declared += ["int32_t first", "int32_t last"] if special.is_shared else []
    return "\n".join(
        (
            wrap("/*", meanings, " */"),
            wrap(head, declared, ")"),
            "{",
            wrap(call, names + literals, ");"),
            "}",
            "",
        )
    )


def declaration(argument: Argument, is_output: bool) -> str:
    constant = "" if is_output or argument.name == "scratch" else "const "
    return f"{constant}{argument.ctype} *{argument.name}"


def emit_run(
    plan: Plan,
    name: str,
    specials: Sequence[Specialisation],
    references: Mapping[int, str],
    uses_floats: bool,
) -> str:
    lines = [f"void {name}_run(void *arena)", "{", "    unsigned char *const memory = arena;"]
    if not plan.calls:
        lines.append("    (void)memory;")
    body = [call_line(call, special, references) for call, special in zip(plan.calls, specials, strict=True)]
    return "\n".join((*lines, *in_float_mode(body, uses_floats), "}", ""))


def in_float_mode(body: Sequence[str], uses_floats: bool) -> list[str]:
    if not uses_floats:
        return list(body)
    before = "    const uint64_t mode = s2c_flush_subnormals();"
    return [before, *body, "    s2c_restore_float_mode(mode);"]


def call_line(call: Call, special: Specialisation, references: Mapping[int, str]) -> str:
    """A call of all its units, under its layer's name."""
    operands = call_operands(call, references)
    operands += ["0", str(special.units)] if special.is_shared else []
    return f"    /* {comment_text(call.layer)} */\n{wrap(f'    {special.function}(', operands, ');')}"


def emit_reset(
    plan: Plan, name: str, specials: Sequence[Specialisation], references: Mapping[int, str]
) -> str:
    lines = [f"void {name}_reset(void *arena)", "{", "    unsigned char *const memory = arena;"]
    resets = zip(plan.resets, specials, strict=True)
    lines += [call_line(call, special, references) for call, special in resets]
    return "\n".join((*lines, "}", ""))


def emit_stages(
    plan: Plan,
    name: str,
    specials: Sequence[Specialisation],
    references: Mapping[int, str],
    uses_floats: bool,
) -> str:
    """The two functions that threads run a net with: what lies between shared calls, and a part of one."""
    between: list[list[str]] = [[]]
    shared: list[list[str]] = []
    for call, special in zip(plan.calls, specials, strict=True):
        if call.is_shared:
            between.append([])
            shared.append(part_lines(call, special, references))
        else:
            between[-1].append(call_line(call, special, references))
    functions = (
        (f"void {name}_between(void *arena, int32_t stage)", between),
        (f"void {name}_part(void *arena, int32_t stage, int32_t part)", shared),
    )
    parts = []
    for head, cases in functions:
        body = ["    switch (stage) {"]
        for index, lines in enumerate(cases):
            body += [f"    case {index}: {{", *lines, "        break;", "    }"] if lines else []
        body += ["    default:", "        break;", "    }"]
        memory = "    unsigned char *const memory = arena;"
        unused = [] if any(cases) else ["    (void)memory;"]
        parts.append("\n".join((head, "{", memory, *unused, *in_float_mode(body, uses_floats), "}", "")))
    return "\n".join(parts)


def part_lines(call: Call, special: Specialisation, references: Mapping[int, str]) -> list[str]:
    bounds = [first for first, _ in call.parts] + [call.parts[-1][1]]
    operands = [*call_operands(call, references, "part"), "bounds[part]", "bounds[part + 1]"]
    return [
        f"    /* {comment_text(call.layer)} */",
        f"        static const int32_t bounds[] = {{{', '.join(map(str, bounds))}}};",
        wrap(f"        {special.function}(", operands, ");"),
    ]


def call_operands(call: Call, references: Mapping[int, str], part: str = "") -> list[str]:
    """One expression for each pointer argument: output, inputs, scratch, consts. part: a variable, that of
    the call whose scratch is meant; "": the first.
    """
    pointers = [each for each in call.kernel.arguments if each.pointer]
    inputs = list(call.inputs)
    result = [at(call.output, pointers[0], writes=True)]
    for argument in pointers[1:]:
        if argument.name == "scratch":
            assert call.scratch is not None, call.kernel.name
            own = f" + (int64_t){part} * {call.scratch_bytes}" if part else ""
            result.append(at(f"{call.scratch}{own}", argument, writes=True))
        elif argument.name in call.consts:
            result.append(constant_operand(call.consts[argument.name], argument, references))
        else:
            value = inputs.pop(0)
            result.append(
                constant_operand(value, argument, references)
                if isinstance(value, np.ndarray)
                else at(value, argument, False)
            )
    assert not inputs, (call.kernel.name, inputs)
    return result


def constant_operand(array: np.ndarray, argument: Argument, references: Mapping[int, str]) -> str:
    """Cast where a kernel moves bytes, or numbers of another dtype as its own."""
    name = references[id(array)]
    same = CTYPES[array.dtype.name] == argument.ctype
    return name if same else f"(const {argument.ctype} *)(const void *){name}"


def at(offset: int | str, argument: Argument, writes: bool) -> str:
    constant = "" if writes else "const "
    return f"({constant}{argument.ctype} *)(void *)(memory + {offset})"
