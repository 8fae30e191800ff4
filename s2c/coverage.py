"""The readers' tables and the op table to a listing: which ops are read, and what they become."""

from __future__ import annotations

import dis
import functools
import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import CodeType, FunctionType
from typing import Any

from s2c.ir import Node
from s2c.ops import OPS
from s2c.ops.core import LEAVES


@dataclass(frozen=True)
class OpCoverage:
    """made_of: the ops of s2c that it may become, as far as the code names them; how: a line on it."""

    op: str
    made_of: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class Coverage:
    """One frontend, or s2c's own ops. known: how many ops of that kind there are; note: why none is
    listed.
    """

    frontend: str
    what: str
    known: int | None
    ops: tuple[OpCoverage, ...]
    note: str = ""


def find_coverage() -> tuple[Coverage, ...]:
    return (
        onnx_coverage(),
        tflite_coverage(),
        torch_coverage(),
        keras_coverage(),
        rtneural_coverage(),
        own_coverage(),
    )


def onnx_coverage() -> Coverage:
    import onnx

    from s2c.readers.onnx.fold import FOLDS
    from s2c.readers.onnx.table import READERS, REFUSED

    schemas = {each.name: each for each in onnx.defs.get_all_schemas() if not each.domain}
    known = {name for name, schema in schemas.items() if not schema.deprecated}
    ops = {each.op: each for each in read_ops(READERS)}
    for op in FOLDS:
        ops.setdefault(op, OpCoverage(op, (), "of constants only"))
    for name in sorted(known - set(ops) - set(REFUSED)):
        inside = {node.op_type for node in schemas[name].function_body.node}
        if inside and inside <= set(ops):
            ops[name] = OpCoverage(name, (), f"as ONNX defines it, by {', '.join(sorted(inside))}")
    listed = tuple(ops[name] for name in sorted(known & set(ops)))
    return Coverage("onnx", f"ops of opset {onnx.defs.onnx_opset_version()}", len(known), listed)


def tflite_coverage() -> Coverage:
    import tflite

    from s2c.readers.tflite import READERS
    from s2c.readers.tflite.control import CONTROL

    none = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
    known = {name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)} - none
    return Coverage("tflite", "built-in ops", len(known), read_ops({**READERS, **CONTROL}))


def torch_coverage() -> Coverage:
    if importlib.util.find_spec("torch") is None:
        return Coverage("torch", "ATen ops", None, (), "torch is not installed: pip install 's2c[torch]'")
    from s2c.readers.torch.table import READERS

    return Coverage("torch", "ATen ops", None, read_ops(READERS))


def keras_coverage() -> Coverage:
    from s2c.readers.keras.layers import READERS

    return Coverage("keras", "layers", None, read_ops(READERS))


def rtneural_coverage() -> Coverage:
    from s2c.readers.rtneural import READERS

    return Coverage("rtneural", "layers", None, read_ops(READERS))


def own_coverage() -> Coverage:
    """The ops that all the others become."""
    listed = []
    for name, op in sorted(OPS.items()):
        made_of = () if op.lower is None else named_ops(op.lower)
        listed.append(OpCoverage(name, made_of, "core" if op.lower is None else first_line(op.lower)))
    return Coverage("s2c", "ops", None, tuple(listed))


def read_ops(readers: Mapping[str, Any]) -> tuple[OpCoverage, ...]:
    """The rows of a reader's table; a row is a function, or an object whose `read` is one."""
    functions = {str(op): getattr(row, "read", row) for op, row in readers.items()}
    return tuple(
        OpCoverage(op, named_ops(function), first_line(function))
        for op, function in sorted(functions.items())
    )


def plain_function(function: Callable[..., Any]) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def first_line(function: Callable[..., Any]) -> str:
    """Of the docstring, else the name in words."""
    found = plain_function(function)
    lines = (getattr(found, "__doc__", None) or "").strip().splitlines()
    name = getattr(found, "__qualname__", type(found).__name__).split(".<locals>")[0]
    return lines[0] if lines else name.replace("_", " ").strip()


# which ops a function makes


def named_ops(function: Callable[..., Any]) -> tuple[str, ...]:
    """The ops that a function, or one of s2c that it calls, may make by a name that stands in the code.

    A name that is computed is left out, and so is what reads constants, which are no part of a layer.
    """
    found = {each for each in arguments_of(function) if isinstance(each, str)}
    seen: set[object] = set()
    pending = [*arguments_of(function), plain_function(function)]
    while pending:
        each = pending.pop()
        if not isinstance(each, FunctionType) or each in seen or not is_followed(each):
            continue
        seen.add(each)
        known = {**each.__globals__, **captured(each)}
        found.update(made_by(each.__code__, known))
        names = {name for code in codes_of(each.__code__) for name in (*code.co_names, *code.co_freevars)}
        pending += [known[name] for name in sorted(names) if name in known]
    return tuple(sorted(name for name in found if name in OPS and name not in LEAVES))


def arguments_of(function: Callable[..., Any]) -> list[Any]:
    return [*function.args, *function.keywords.values()] if isinstance(function, functools.partial) else []


def is_followed(function: FunctionType) -> bool:
    return (function.__module__ or "").startswith("s2c.") and function.__name__ not in (
        "make",
        "constant_node",
    )


def captured(function: FunctionType) -> dict[str, Any]:
    """The variables of the enclosing function that it uses."""
    return dict(inspect.getclosurevars(function).nonlocals)


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from codes_of(each)


def made_by(code: CodeType, known: Mapping[str, Any]) -> Iterator[str]:
    """First arguments of what makes nodes, where they are literals or variables of the enclosing function."""
    for each in codes_of(code):
        steps = [step for step in dis.get_instructions(each) if step.opname.startswith("LOAD_")]
        for step, following in pairwise(steps):
            if not makes_nodes(step, known):
                continue
            value = known.get(following.argval) if following.opname == "LOAD_DEREF" else following.argval
            if isinstance(value, str) and following.opname in ("LOAD_CONST", "LOAD_DEREF"):
                yield value


def makes_nodes(step: dis.Instruction, known: Mapping[str, Any]) -> bool:
    """Whether it loads Node, a method `make`, or a function whose first parameter is an op's name."""
    if step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
        return bool(step.argval == "make")
    value = known.get(step.argval) if isinstance(step.argval, str) else None
    return value is Node or (isinstance(value, FunctionType) and value.__code__.co_varnames[:1] == ("op",))
