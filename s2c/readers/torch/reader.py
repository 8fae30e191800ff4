"""An exported program into a Graph: its inputs, its calls in order, and all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, Type, input_node
from s2c.layers.basic import cast
from s2c.readers import WHOLE_MODEL
from s2c.readers.torch.calls import EVALUATE, MOST_ELEMENTS, Reading, is_fixed, read_call
from s2c.readers.torch.complex import is_complex
from s2c.readers.torch.program import decompose, export_module
from s2c.readers.torch.source import KINDS, REMEDY, Value, as_node

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def load_module(module: nn.Module, inputs: Sequence[Any]) -> Graph:
    """The Graph of a module in evaluation mode for inputs of these shapes and dtypes.

    Raises CompileError with every problem of the module, each with the line of Python that it comes from.
    """
    return load_program(export_module(module, tuple(inputs)))


def load_program(program: ExportedProgram, consts: Mapping[str, np.ndarray] | None = None) -> Graph:
    """The Graph of an exported program; consts binds inputs to arrays by name."""
    refuse_symbols(program)
    return read_program(decompose(program), consts or {})


def read_program(program: ExportedProgram, consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a program in ops that are read."""
    reading = Reading(program)
    inputs = read_inputs(reading, consts)
    for each in live_nodes(reading.program.graph):
        if each.op == "call_function":
            reading.values[each] = read_call(reading, each)
    names, outputs = read_outputs(reading)
    if reading.problems:
        raise CompileError(tuple(dict.fromkeys(reading.problems)))
    return Graph(inputs, outputs, names)


def refuse_symbols(program: ExportedProgram) -> None:
    """Inputs with extents that are not fixed."""
    problems = []
    for each in program.graph.nodes:
        fake = each.meta.get("val")
        if each.op == "placeholder" and isinstance(fake, torch.Tensor) and not is_fixed(fake):
            problems.append(
                Problem(
                    each.name,
                    "a fixed shape",
                    str([str(extent) for extent in fake.shape]).replace("'", ""),
                    "export without dynamic_shapes, with example inputs of the shape that you need",
                )
            )
    if problems:
        raise CompileError(tuple(problems))


# inputs


def read_inputs(reading: Reading, consts: Mapping[str, np.ndarray]) -> tuple[Node, ...]:
    program = reading.program
    placeholders = {each.name: each for each in program.graph.nodes if each.op == "placeholder"}
    nodes = []
    names = []
    for spec in program.graph_signature.input_specs:
        place = placeholders[spec.arg.name]
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            reading.values[place] = stored(program, spec)
        elif spec.kind != InputKind.USER_INPUT or not isinstance(place.meta.get("val"), torch.Tensor):
            reading.values[place] = getattr(spec.arg, "value", None)
            if spec.kind == InputKind.CUSTOM_OBJ or spec.kind == InputKind.TOKEN:
                reading.refuse(place.name, "a module of tensors", spec.kind.name, "compute it with tensors")
        else:
            names.append(place.name)
            if place.name in consts:
                reading.values[place] = bound(reading, place, np.asarray(consts[place.name]))
                continue
            node = read_input(reading, place)
            if node is not None:
                nodes.append(node)
    for name in sorted(set(consts) - set(names)):
        listing = ", ".join(names) or "none"
        reading.refuse(WHOLE_MODEL, f"an input that consts can bind ({listing})", name, "correct the name")
    return tuple(nodes)


def stored(program: ExportedProgram, spec: Any) -> torch.Tensor:
    """A parameter, buffer or constant of the module."""
    for known in (program.state_dict, program.constants):
        if spec.target in known:
            value = known[spec.target]
            assert isinstance(value, torch.Tensor), spec.target
            return value.detach()
    raise AssertionError(f"{spec.target} is nowhere in the program")


def read_input(reading: Reading, place: fx.Node) -> Node | None:
    """float16 inputs are cast to float32; bfloat16 ones, which a Graph has not, are float32."""
    fake = place.meta["val"]
    if fake.dtype not in KINDS:
        do = REMEDY.get(fake.dtype, "compute in float32")
        reading.refuse(place.name, "an input of float32, an integer dtype or bool", str(fake.dtype), do)
        return None
    if not 1 <= fake.numel() < MOST_ELEMENTS:
        wanted = f"an input of 1 to {MOST_ELEMENTS - 1} elements"
        reading.refuse(place.name, wanted, str(list(fake.shape)), "export with other example inputs")
        return None
    dtype = "f16" if fake.dtype == torch.float16 else KINDS[fake.dtype]
    node = input_node(place.name, Type(tuple(fake.shape), dtype))
    reading.values[place] = cast(node, KINDS[fake.dtype], place.name)
    return node


def bound(reading: Reading, place: fx.Node, array: np.ndarray) -> torch.Tensor | None:
    fake = place.meta["val"]
    value = torch.from_numpy(np.ascontiguousarray(array)) if array.dtype.kind in "iufb" else None
    if value is None or value.dtype != fake.dtype or array.shape != tuple(fake.shape):
        reading.refuse(
            place.name,
            f"an array {fake.dtype}{list(fake.shape)}",
            f"{array.dtype}{list(array.shape)}",
            "give an array of that shape and dtype",
        )
        return None
    return value


def live_nodes(graph: fx.Graph) -> list[fx.Node]:
    """What an output depends on, in order."""
    needed: set[fx.Node] = set()
    for each in reversed(graph.nodes):
        if each.op == "output" or each in needed:
            needed.update(each.all_input_nodes)
    return [each for each in graph.nodes if each in needed]


# outputs


def read_outputs(reading: Reading) -> tuple[tuple[str, ...], tuple[Node, ...]]:
    """The outputs in order, None left out; those of float16 are cast back to it."""
    (results,) = next(each for each in reading.program.graph.nodes if each.op == "output").args
    names, outputs = [], []
    for spec, place in zip(reading.program.graph_signature.output_specs, results, strict=True):
        if spec.kind != OutputKind.USER_OUTPUT:
            refuse_mutation(reading, spec)
            continue
        if place is None:
            continue
        if not isinstance(place, fx.Node):
            reading.refuse(WHOLE_MODEL, "tensors as outputs", repr(place), "return tensors alone")
            continue
        value: Value | None = reading.values.get(place)
        if value is None:
            continue
        if is_complex(place.meta["val"]):
            do = "return torch.view_as_real of it"
            reading.refuse(place.name, "real outputs", "torch.complex64", do)
            continue
        node = as_node(place.name, value)
        if place.meta["val"].dtype == torch.float16:
            node = cast(node, "f16", place.name)
        names.append(place.name)
        outputs.append(node)
    if not outputs and not reading.problems:
        reading.refuse(WHOLE_MODEL, "a tensor as output", "none", "return a tensor from forward")
    return tuple(names), tuple(outputs)


def refuse_mutation(reading: Reading, spec: Any) -> None:
    """The statistics of a batch normalization that trains are told with it."""
    trains = any(each.do == EVALUATE for each in reading.problems)
    if trains and str(spec.target).rpartition(".")[2] in STATISTICS:
        return
    kind = "an input" if spec.kind == OutputKind.USER_INPUT_MUTATION else "a buffer"
    reading.refuse(
        str(spec.target),
        "a forward that changes no tensor in place",
        f"{kind} that it writes to",
        "return the new value as an output, and pass it as an input of the next call",
    )
