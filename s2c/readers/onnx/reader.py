"""An ONNX model into a Graph: its inputs, its nodes in order, and all that is wrong with it at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, Type, input_node
from s2c.readers.onnx.convolution import CONVOLUTION
from s2c.readers.onnx.dense import DENSE
from s2c.readers.onnx.elementwise import ELEMENTWISE
from s2c.readers.onnx.file import ELEMENTS, MODEL, array_of, element_name, opset_of, parse
from s2c.readers.onnx.fold import FOLDS, fold
from s2c.readers.onnx.movement import MOVEMENT
from s2c.readers.onnx.source import Constant, Reader, Source, Value, constant_node

READERS: Mapping[str, Reader] = MappingProxyType({**CONVOLUTION, **DENSE, **ELEMENTWISE, **MOVEMENT})
MOST_ELEMENTS = 1 << 31
CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
RANDOM = (
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)


@dataclass
class Reading:
    """What is known so far: the value of each name (None: it depends on what is wrong), and all problems."""

    model: onnx.ModelProto
    opset: int
    initializers: Mapping[str, TensorProto]
    used: frozenset[str]  # names that a node or an output reads
    values: dict[str, Value | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, layer: str, wanted: str, found: str, do: str) -> None:
        self.problems.append(Problem(layer, wanted, found, do))


def load_onnx(data: bytes, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a whole ONNX file.

    dims sets unknown extents: by symbol, or by "<input>.<axis>" where the model names none.
    consts binds inputs to arrays.
    Raises CompileError with every problem of the model.
    """
    model = parse(data)
    initializers = {each.name: each for each in model.graph.initializer}
    reading = Reading(model, opset_of(model), initializers, used_names(model.graph))
    inputs = read_inputs(reading, dims, consts)
    for node in live_nodes(model.graph):
        read_node(reading, node)
    outputs = read_outputs(reading)
    if reading.problems:
        raise CompileError(tuple(reading.problems))
    return Graph(inputs, outputs, tuple(each.name for each in model.graph.output))


# inputs


def read_inputs(
    reading: Reading, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]
) -> tuple[Node, ...]:
    declared = [each for each in reading.model.graph.input if each.name not in reading.initializers]
    known_dims = {name for each in declared for name, extent in extents(each) if extent is None}
    check_names(reading, "dim", dims, known_dims)
    check_names(reading, "const", consts, {each.name for each in declared})
    for name, extent in sorted(dims.items()):
        if extent < 1:
            reading.refuse(
                MODEL, f"an extent of at least 1 for --dim {name}", str(extent), "set a positive extent"
            )
    nodes = []
    for each in declared:
        if each.name in consts:
            reading.values[each.name] = bound(reading, each, np.asarray(consts[each.name]))
            continue
        node = read_input(reading, each, dims)
        reading.values[each.name] = node
        if node is not None:
            nodes.append(node)
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
        (dim.dim_param or f"{declared.name}.{axis}", dim.dim_value if dim.dim_value > 0 else None)
        for axis, dim in enumerate(declared.type.tensor_type.shape.dim)
    ]


def read_input(reading: Reading, declared: onnx.ValueInfoProto, dims: Mapping[str, int]) -> Node | None:
    name, kind = declared.name, declared.type.tensor_type
    before = len(reading.problems)
    if kind.elem_type != TensorProto.FLOAT:
        reading.refuse(
            name,
            "a float32 input",
            element_name(kind.elem_type) if declared.type.HasField("tensor_type") else "no tensor",
            f"bind it with --const {name}=FILE.npy, or export the model with a float32 input",
        )
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
    if math.prod(shape) >= MOST_ELEMENTS:
        reading.refuse(name, f"fewer than {MOST_ELEMENTS} elements", str(shape), "set smaller extents")
    return input_node(name, Type(tuple(shape), "f32")) if len(reading.problems) == before else None


def bound(reading: Reading, declared: onnx.ValueInfoProto, array: np.ndarray) -> Constant | None:
    """The array of a --const, if it is what the input declares."""
    kind = declared.type.tensor_type
    dtype = ELEMENTS[kind.elem_type][0] if kind.elem_type in ELEMENTS else None
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
    return Constant(array)


# nodes


def live_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that an output depends on, in the model's order."""
    needed = {each.name for each in graph.output}
    live = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            live.append(node)
            needed.update(node.input)
    return live[::-1]


def used_names(graph: onnx.GraphProto) -> frozenset[str]:
    read = [name for node in graph.node for name in node.input]
    return frozenset((*read, *(each.name for each in graph.output)))


def layer_of(node: onnx.NodeProto) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def read_node(reading: Reading, node: onnx.NodeProto) -> None:
    layer = layer_of(node)
    values = [read_name(reading, layer, name) for name in node.input]
    missing = any(value is None and name for name, value in zip(node.input, values, strict=True))
    results: tuple[Value, ...] = ()
    understood = refuse_op(reading, layer, node)
    if understood and not missing:
        results = run_reader(reading, layer, node, tuple(values))
    for index, name in enumerate(node.output):
        if not name:
            continue
        reading.values[name] = results[index] if index < len(results) else None
        if results and index >= len(results) and name in reading.used:
            reading.refuse(
                layer,
                f"{node.op_type} with {len(results)} outputs",
                f"output {name}",
                "drop the output from the model",
            )


def read_name(reading: Reading, layer: str, name: str) -> Value | None:
    """The value of a tensor; initializers are read when first used."""
    if not name or name in reading.values:
        return reading.values.get(name)
    reading.values[name] = None
    if name in reading.initializers:
        try:
            reading.values[name] = Constant(array_of(reading.initializers[name], name))
        except CompileError as problem:
            reading.problems.extend(problem.problems)
    else:
        reading.refuse(
            layer,
            "inputs that an earlier node makes",
            f"{name!r}, which none makes",
            "export the model again",
        )
    return reading.values[name]


def refuse_op(reading: Reading, layer: str, node: onnx.NodeProto) -> bool:
    """Whether the node has a reader; if not, the reason is a problem."""
    if node.domain in ("", "ai.onnx") and node.op_type in {**READERS, **FOLDS}:
        return True
    wanted, found, do = "an ONNX op that s2c reads", node.op_type, "write it with ops that s2c reads"
    if node.domain not in ("", "ai.onnx"):
        wanted, found = "an op of ONNX's own domain", f"{node.domain}.{node.op_type}"
        do = "export with standard ops, and inline functions with onnx.inliner.inline_local_functions(model)"
    elif node.op_type in CONTROL_FLOW:
        wanted = "a net without control flow"
        do = "export the model with the condition or trip count fixed, so that the branch is inlined"
    elif node.op_type in RANDOM:
        wanted, do = "a net without random numbers", "make the random tensor an input"
    reading.refuse(layer, wanted, found, do)
    return False


def run_reader(
    reading: Reading, layer: str, node: onnx.NodeProto, values: tuple[Value | None, ...]
) -> tuple[Value, ...]:
    """The node's outputs; none where it has a problem."""
    try:
        constants = [value for value in values if not isinstance(value, Node)]
        if node.op_type in FOLDS and values and len(constants) == len(values) and any(constants):
            return fold(node, layer, reading.opset, constants)
        if node.op_type not in READERS:
            reading.refuse(
                layer,
                f"{node.op_type} of constants",
                "a computed input",
                "bind the inputs that it comes from with --const, or write it with other ops",
            )
            return ()
        attrs = {each.name: attribute(each) for each in node.attribute}
        source = Source(layer, node.op_type, reading.opset, attrs, values, len(node.output))
        made = READERS[node.op_type](source)
        results = made if isinstance(made, tuple) else (made,)
        for result in results:
            check_size(layer, result)
        return results
    except CompileError as problem:
        reading.problems.extend(problem.problems)
    except Exception as problem:
        # A damaged node can break any assumption, here or inside onnx and numpy: report it like the others.
        # One that onnx itself finds well-formed breaks them by a fault of ours.
        if is_well_formed(node, reading.opset):
            raise
        reading.refuse(
            layer,
            f"a well-formed {node.op_type}",
            f"{type(problem).__name__}: {problem}".splitlines()[0],
            "check the file with onnx.checker.check_model",
        )
    return ()


def is_well_formed(node: onnx.NodeProto, opset: int) -> bool:
    context = onnx.checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": opset}
    try:
        onnx.checker.check_node(node, context)
    except (onnx.checker.ValidationError, UnicodeDecodeError):
        return False
    return True


def attribute(proto: AttributeProto) -> Any:
    value = helper.get_attribute_value(proto)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def check_size(layer: str, value: Value) -> None:
    shape = value.type.shape if isinstance(value, Node) else ()
    if not 1 <= math.prod(shape) < MOST_ELEMENTS:
        problem = Problem(
            layer,
            f"a result of 1 to {MOST_ELEMENTS - 1} elements",
            str(list(shape)),
            "check the layer's shapes",
        )
        raise CompileError((problem,))


# outputs


def read_outputs(reading: Reading) -> tuple[Node, ...]:
    outputs = []
    for each in reading.model.graph.output:
        value = read_name(reading, each.name, each.name)
        if value is None:
            continue
        try:
            node = value if isinstance(value, Node) else constant_node(each.name, value)
        except CompileError as problem:
            reading.problems.extend(problem.problems)
            continue
        element = each.type.tensor_type.elem_type
        if node.type.dtype not in ("f32", "i8"):
            reading.refuse(
                each.name, "a float32 or int8 output", element_name(element), "leave the output out"
            )
        elif node.type.dtype == "i8" and element != TensorProto.INT8:
            reading.refuse(
                each.name,
                "a float32 or int8 output",
                element_name(element),
                "add a DequantizeLinear before the output",
            )
        outputs.append(node)
    return tuple(outputs)
