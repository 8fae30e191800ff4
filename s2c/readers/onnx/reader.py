"""An ONNX model into a Graph: its inputs, its nodes, its outputs, and all that is wrong with it at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, TypeProto

from s2c.errors import CompileError, Problem, error
from s2c.ir import DTYPES, Graph, Node, Type, input_node
from s2c.layers.basic import cast
from s2c.readers.onnx.body import MOST_ELEMENTS, read_nodes
from s2c.readers.onnx.external import text_of
from s2c.readers.onnx.file import ELEMENTS, MODEL, MOST_AXES, element_name, opset_of, parse
from s2c.readers.onnx.functions import local_functions
from s2c.readers.onnx.scope import Reading, Scope, graph_scope, read_name
from s2c.readers.onnx.source import Anything, Constant, Unsigned, constant_node, stored_unsigned
from s2c.readers.onnx.weights import constant_from

# What inputs and outputs may be.
DTYPE_OF = {
    element: next(name for name, own in DTYPES.items() if own == dtype)
    for element, (dtype, _) in ELEMENTS.items()
    if element != TensorProto.DOUBLE
}

NO_TENSORS = {
    "map_type": "a map",
    "optional_type": "an optional",
    "sequence_type": "a sequence",
    "sparse_tensor_type": "a sparse tensor",
}


def load_onnx(
    data: bytes, dims: Mapping[str, int], consts: Mapping[str, np.ndarray], folder: Path | None = None
) -> Graph:
    """The Graph of a whole ONNX file; folder is where its external data lies.

    dims sets unknown extents: by symbol, or by "<input>.<axis>" where the model names none.
    consts binds inputs to arrays.
    Raises CompileError with every problem of the model.
    """
    model = parse(data, folder)
    scope = graph_scope(Reading(local_functions(model)), model.graph, opset_of(model))
    names = [each.name for each in model.graph.output]
    inputs = read_inputs(scope, model.graph, dims, consts)
    read_nodes(scope, model.graph.node, names)
    outputs = read_outputs(scope, model.graph)
    if scope.reading.problems:
        raise CompileError(tuple(map(said, scope.reading.problems)))
    return Graph(inputs, outputs, tuple(map(text_of, names)))


def said(problem: Problem) -> Problem:
    """With words for the names that are empty in the file."""
    return replace(problem, layer=problem.layer or "(no name)", found=problem.found or "an empty name")


# inputs


def read_inputs(
    scope: Scope, graph: onnx.GraphProto, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]
) -> tuple[Node, ...]:
    """Float16 ones are computed in float32."""
    reading = scope.reading
    declared = [each for each in graph.input if each.name not in scope.initializers]
    known_dims = {name for each in declared for name, extent in extents(each) if extent is None}
    check_names(reading, "dim", dims, known_dims)
    check_names(reading, "const", consts, {text_of(each.name) for each in declared})
    for name, extent in sorted(dims.items()):
        if extent < 1:
            reading.refuse(
                MODEL, f"an extent of at least 1 for --dim {name}", str(extent), "set a positive extent"
            )
    nodes = []
    for each in declared:
        if each.name in consts:
            scope.values[each.name] = bound(reading, each, np.asarray(consts[each.name]))
            continue
        node = read_input(reading, each, dims)
        if node is None:
            scope.values[each.name] = None
            continue
        nodes.append(node)
        scope.values[each.name] = cast(node, "f32", node.layer) if node.type.dtype == "f16" else node
    return tuple(nodes)


def check_names(reading: Reading, flag: str, given: Mapping[str, Any], known: set[str]) -> None:
    for name in sorted(set(given) - known):
        listing = ", ".join(sorted(known)) or "none"
        reading.refuse(
            MODEL, f"a name that --{flag} can set ({listing})", repr(name), f"correct --{flag} {name}"
        )


def extents(declared: onnx.ValueInfoProto) -> list[tuple[str, int | None]]:
    """Each axis as (what --dim calls it, its extent or None)."""
    return [
        (
            text_of(dim.dim_param) or f"{text_of(declared.name)}.{axis}",
            dim.dim_value if dim.dim_value > 0 else None,
        )
        for axis, dim in enumerate(declared.type.tensor_type.shape.dim)
    ]


def read_input(reading: Reading, declared: onnx.ValueInfoProto, dims: Mapping[str, int]) -> Node | None:
    name, kind = text_of(declared.name), declared.type.tensor_type
    before = len(reading.problems)
    if kind.elem_type not in DTYPE_OF:
        is_tensor = declared.type.HasField("tensor_type")
        do = f"bind it with --const {name}=FILE.npy, or export the model in float32"
        do = do if is_tensor else "make its tensors inputs of their own"
        reading.refuse(name, "an input of float32, float16, integers or bool", type_name(declared.type), do)
    elif not kind.HasField("shape"):
        reading.refuse(name, "an input with a shape", "none", "export the model with a declared input shape")
    shape = []
    for axis, (symbol, extent) in enumerate(extents(declared)):
        size = dims.get(symbol) if extent is None else extent
        if size is None:
            reading.refuse(
                name,
                "a fixed shape",
                f"axis {axis} of unknown extent ({symbol})",
                f"set it with --dim {symbol}=N",
            )
        else:
            shape.append(max(size, 1))
    if not name:
        reading.refuse(name, "an input with a name", name, "name the model's inputs")
    if len(shape) > MOST_AXES:
        reading.refuse(name, f"at most {MOST_AXES} axes", str(len(shape)), "declare fewer axes")
    elif math.prod(shape) >= MOST_ELEMENTS:
        reading.refuse(name, f"fewer than {MOST_ELEMENTS} elements", str(shape), "set smaller extents")
    if len(reading.problems) > before:
        return None
    return input_node(name, Type(tuple(shape), DTYPE_OF[kind.elem_type]))


def type_name(declared: TypeProto) -> str:
    """An element type, or what is no tensor."""
    kind = declared.WhichOneof("value")
    if kind == "tensor_type":
        return element_name(declared.tensor_type.elem_type)
    return NO_TENSORS.get(kind or "", "no tensor")


def bound(reading: Reading, declared: onnx.ValueInfoProto, array: np.ndarray) -> Constant | None:
    """The array of a --const, if it is what the input declares."""
    kind = declared.type.tensor_type
    dtype = ELEMENTS[kind.elem_type][0] if kind.elem_type in ELEMENTS else None
    if not declared.type.HasField("tensor_type"):
        found, do = type_name(declared.type), "make its tensors inputs of their own"
        reading.refuse(declared.name, "an input that is a tensor", found, do)
        return None
    known = [extent for _, extent in extents(declared)]
    fits = len(known) == array.ndim and all(a in (None, b) for a, b in zip(known, array.shape, strict=True))
    if dtype != array.dtype or (kind.HasField("shape") and not fits):
        shape = ["?" if extent is None else extent for extent in known]
        reading.refuse(
            declared.name,
            f"an array {element_name(kind.elem_type)}{shape}".replace("'", ""),
            f"{array.dtype}{list(array.shape)}",
            f"save the array of --const {declared.name} in that shape and dtype",
        )
        return None
    return constant_from(array, declared.name)


# outputs


def read_outputs(scope: Scope, graph: onnx.GraphProto) -> tuple[Node, ...]:
    outputs = []
    for each in graph.output:
        value = read_name(scope, text_of(each.name), each.name)
        if value is None:
            continue
        try:
            outputs.append(output_node(each, value))
        except CompileError as problem:
            scope.reading.problems.extend(problem.problems)
    return tuple(outputs)


def output_node(declared: onnx.ValueInfoProto, value: Anything) -> Node:
    """The value in the dtype that the model declares; float16 is rounded here."""
    name, element = text_of(declared.name), declared.type.tensor_type.elem_type
    if isinstance(value, Unsigned):
        value = stored_unsigned(value)
    do = "leave the output out, or cast it to float32"
    if not isinstance(value, (Node, Constant)):
        raise error(name, "an output that is a tensor", "a sequence or optional", do)
    declares = declared.type.WhichOneof("value") == "tensor_type" and element
    if declares and element not in DTYPE_OF:
        wanted = "an output of float32, float16, integers or bool"
        raise error(name, wanted, type_name(declared.type), do)
    node = value if isinstance(value, Node) else constant_node(name, value)
    wanted_dtype = DTYPE_OF[element] if declares else node.type.dtype
    if node.type.dtype == wanted_dtype:
        return node
    if (node.type.dtype, wanted_dtype) == ("f32", "f16"):
        return cast(node, "f16", name)
    do = "check the model's declared outputs with onnx.checker.check_model(model, full_check=True)"
    raise error(name, f"an output {element_name(element)}, as declared", str(node.type), do)
