"""A net's constants as C arrays: small ones to read, large ones as strings, which compilers parse faster."""

from __future__ import annotations

import hashlib

import numpy as np

from s2c.emit.text import CTYPES, ROW_BYTES, comment_text, format_array, format_strings
from s2c.plan import Call, Plan, alignment

READABLE = 1024  # elements; larger constants are strings


def emit_constants(plan: Plan, name: str) -> tuple[list[str], dict[int, str]]:
    """The arrays' definitions, equal ones once, and the name for each array by id."""
    definitions: list[str] = []
    names: dict[tuple[str, str], str] = {}
    aligned = f" S2C_ALIGNED({plan.alignment})" if plan.alignment > alignment(plan.graph) else ""
    references: dict[int, str] = {}
    for index, call in enumerate(plan.all_calls):
        for role, array in arrays_of(call):
            digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
            key = (array.dtype.name, digest)
            if key not in names:
                names[key] = f"{name}_{role}_{index}"
                define = define_large if is_large(array) else define_array
                definitions.append(f"/* {comment_text(call.layer)} */\n{define(array, names[key], aligned)}")
            references[id(array)] = names[key] + (".values" if is_large(array) else "")
    return definitions, references


def arrays_of(call: Call) -> list[tuple[str, np.ndarray]]:
    """Its constants, each with its role in the call."""
    operands = [
        (f"operand_{at}", each) for at, each in enumerate(call.inputs) if isinstance(each, np.ndarray)
    ]
    return [*operands, *call.consts.items()]


def has_large(plan: Plan) -> bool:
    return any(is_large(array) for call in plan.all_calls for _, array in arrays_of(call))


def is_large(array: np.ndarray) -> bool:
    return array.size > READABLE


def define_array(array: np.ndarray, name: str, aligned: str) -> str:
    ctype = CTYPES[array.dtype.name]
    return f"static const {ctype} {name}[{array.size}]{aligned} = {{\n{format_array(array)}\n}};\n"


def define_large(array: np.ndarray, name: str, aligned: str) -> str:
    """A union whose member `values` is the array, and whose other one holds the same bytes as strings."""
    *rows, last = format_strings(array)
    rest = array.nbytes - len(rows) * ROW_BYTES
    members = [f"S2C_STRING(rest, [{rest}])"]
    literals = f"    {last}\n"
    if rows:
        members.insert(0, f"S2C_STRING(rows, [{len(rows)}][{ROW_BYTES}])")
        literals = "    {\n" + ",\n".join(rows) + "},\n" + literals
    return (
        "static const union {\n"
        f"    struct {{\n        {'; '.join(members)};\n    }} bytes;\n"
        f"    {CTYPES[array.dtype.name]} values[{array.size}];\n"
        f"}} {name}{aligned} = {{{{\n{literals}}}}};\n"
    )
