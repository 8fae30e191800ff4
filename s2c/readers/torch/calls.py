"""One call of an exported program into nodes, by its reader, or into what is wrong with it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves

from s2c.errors import CompileError, Problem
from s2c.ir import Node
from s2c.readers.torch.complex import COMPLEX, Complex, is_complex
from s2c.readers.torch.place import layer_of, line_of
from s2c.readers.torch.program import first_line
from s2c.readers.torch.source import KINDS, REMEDY, Source
from s2c.readers.torch.table import READERS

MOST_ELEMENTS = 1 << 31
MOST_CONSTANT_BYTES = 1 << 28
# Ops whose number of results, or of steps, depends on data.
DATA_DEPENDENT = {
    "aten._local_scalar_dense.default": "keep the value in a tensor, or make it a constant of the module",
    "aten.bincount.default": "compare with torch.arange and sum",
    "aten.masked_select.default": "use torch.where with the mask",
    "aten.nonzero.default": "use torch.where with three arguments",
    "aten.unique_consecutive.default": "sort, and compare neighbours",
    "aten._unique2.default": "sort, and compare neighbours",
}
# Ops that only a module in training mode has, and what each is.
TRAINING = {"aten._native_batch_norm_legit_functional.default": "batch normalization that trains"}
DROPOUTS = frozenset({"aten.bernoulli.p"})  # also a call of its own
EVALUATE = "call module.eval() before exporting"


@dataclass
class Reading:
    """The value of each fx node (None: it depends on what is wrong), and all problems."""

    program: ExportedProgram
    values: dict[fx.Node, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, layer: str, wanted: str, found: str, do: str) -> None:
        self.problems.append(Problem(layer, wanted, found, do))


def is_fixed(fake: torch.Tensor) -> bool:
    return all(isinstance(extent, int) for extent in fake.shape)


def op_name(target: Any) -> str:
    return (
        str(target) if isinstance(target, torch._ops.OpOverload) else getattr(target, "__name__", str(target))
    )


def read_call(reading: Reading, node: fx.Node) -> Any:
    """The call's result or results; None where it has a problem, or depends on one."""
    values = [reading.values.get(each) for each in node.all_input_nodes]
    if any(value is None for value in values):
        return None
    if node.target is operator.getitem:
        return read_item(reading, node)
    try:
        return run_reader(reading, node)
    except CompileError as problem:
        where = line_of(node)
        reading.problems.extend(
            Problem(each.layer, each.wanted, each.found + where, each.do) for each in problem.problems
        )
    return None


def read_item(reading: Reading, node: fx.Node) -> Any:
    """One of several results."""
    source, index = node.args
    assert isinstance(source, fx.Node) and isinstance(index, int)
    value = reading.values[source][index]
    if value is None:
        name = op_name(source.target)
        reading.refuse(
            layer_of(source),
            f"{name} without result {index}",
            f"its use{line_of(node)}",
            "leave it unused",
        )
    return value


def run_reader(reading: Reading, node: fx.Node) -> Any:
    layer = layer_of(node)
    name = op_name(node.target)
    if not isinstance(node.target, torch._ops.OpOverload):
        reading.refuse(
            layer, "a net without control flow", f"{name}{line_of(node)}", "write it without a branch on data"
        )
        return None
    args, kwargs = (fx.map_arg(each, lambda used: reading.values[used]) for each in (node.args, node.kwargs))
    if is_constant_call(node, (args, kwargs)):
        return folded(reading, layer, node, args, kwargs)
    if not refuse_results(reading, layer, node):
        return None
    fakes = tuple(fx.map_arg(each, lambda used: used.meta["val"]) for each in (node.args, node.kwargs))
    readers: Mapping[str, Any] = (
        COMPLEX if any(map(is_complex, tree_leaves((fakes, node.meta["val"])))) else READERS
    )
    if name in TRAINING:
        reading.refuse(layer, "a net for inference", f"{TRAINING[name]}{line_of(node)}", EVALUATE)
        return None
    if name not in readers:
        found = f"{name}{line_of(node)}"
        do = DATA_DEPENDENT.get(name, "write it with ops that s2c reads")
        wanted = "a shape that depends on no data" if name in DATA_DEPENDENT else "an ATen op that s2c reads"
        reading.refuse(layer, wanted, found, do)
        return None
    source = Source(
        layer, name, by_name(node.target, args, kwargs), by_name(node.target, *fakes), node.meta["val"]
    )
    made = readers[name](source)
    check_results(layer, name, made, node.meta["val"])
    return made


def by_name(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments by the names of the op's schema."""
    arguments = target._schema.arguments
    named = {each.name: each.default_value if each.has_default_value() else None for each in arguments}
    named.update(zip(named, args, strict=False))
    return {**named, **kwargs}


def is_constant_call(node: fx.Node, values: Any) -> bool:
    """Readers take recurrent nets and attention, which draw random numbers for dropout, of constants too."""
    target: Any = node.target
    if torch.Tag.nondeterministic_seeded in target.tags and str(target) in READERS:
        return False
    return not any(isinstance(each, (Node, Complex)) for each in tree_leaves(values))


def folded(reading: Reading, layer: str, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """The value of a call on constants alone."""
    target: Any = node.target
    fakes = node.meta["val"] if isinstance(node.meta["val"], (tuple, list)) else (node.meta["val"],)
    size = sum(each.numel() * each.element_size() for each in fakes if isinstance(each, torch.Tensor))
    if torch.Tag.nondeterministic_seeded in target.tags:
        do = "make the random tensor an input"
        if str(target) in DROPOUTS:
            do = f"{EVALUATE}, or {do}"
        reading.refuse(layer, "a net without random numbers", f"{target}{line_of(node)}", do)
        return None
    if size > MOST_CONSTANT_BYTES:
        wanted = f"a constant of at most {MOST_CONSTANT_BYTES} bytes"
        reading.refuse(layer, wanted, f"{size} bytes{line_of(node)}", "make it an input")
        return None
    if str(target).startswith("aten.empty"):
        return torch.zeros(fakes[0].shape, dtype=fakes[0].dtype)
    try:
        with torch.no_grad():
            return target(*args, **kwargs)
    except (RuntimeError, IndexError, ValueError, TypeError) as problem:
        found = f"{type(problem).__name__}: {first_line(problem)}{line_of(node)}"
        reading.refuse(layer, f"constants that {target} takes", found, "check the layer's constants")
        return None


def refuse_results(reading: Reading, layer: str, node: fx.Node) -> bool:
    """Whether the results that are used are of a size and a dtype that a Graph can have."""
    fine = True
    used = {each.args[1] for each in node.users if each.target is operator.getitem}
    fakes = node.meta.get("val")
    several = isinstance(fakes, (tuple, list))
    for index, fake in enumerate(fakes if several else (fakes,)):
        if not isinstance(fake, torch.Tensor) or (several and index not in used):
            continue
        found = f"{fake.dtype} of {op_name(node.target)}{line_of(node)}"
        if fake.dtype not in KINDS and not (is_complex(fake) and op_name(node.target) in COMPLEX):
            do = REMEDY.get(fake.dtype, "compute in float32")
            reading.refuse(layer, "float32, an integer dtype or bool", found, do)
            fine = False
        elif not is_fixed(fake):
            do = "write it with torch.where and masks"
            reading.refuse(layer, "a shape that depends on no data", found, do)
            fine = False
        elif not fake.numel() < MOST_ELEMENTS:
            wanted = f"a result of fewer than {MOST_ELEMENTS} elements"
            reading.refuse(layer, wanted, f"{list(fake.shape)}{line_of(node)}", "use smaller inputs")
            fine = False
    return fine


def check_results(layer: str, name: str, made: Any, fakes: Any) -> None:
    """What a reader makes is of the shape and the dtype that torch expects."""
    pairs = zip(made, fakes, strict=False) if isinstance(made, (tuple, list)) else ((made, fakes),)
    for value, fake in pairs:
        if isinstance(value, Node):
            found = (value.type.shape, value.type.dtype)
            wanted = (tuple(fake.shape), KINDS[fake.dtype])
            assert found == wanted, (layer, name, found, wanted)
        elif isinstance(value, Complex):
            shapes = (value.real.type.shape, value.imaginary.type.shape)
            assert shapes == (tuple(fake.shape),) * 2, (layer, name, shapes)
