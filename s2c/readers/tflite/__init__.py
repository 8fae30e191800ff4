"""A .tflite file to a Graph of source ops."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from s2c import oracle
from s2c.errors import CompileError, Problem, error
from s2c.ir import DTYPES, Graph, Node, Quant, Type, constant, input_node
from s2c.ops.core import MOST_AXES
from s2c.readers.tflite.contraction import CONTRACTION
from s2c.readers.tflite.elementwise import ELEMENTWISE
from s2c.readers.tflite.layer import Layer, Reader
from s2c.readers.tflite.movement import MOVEMENT
from s2c.readers.tflite.schema import IDENTIFIER, MOST_ELEMENTS, File, Operator, Tensor, damaged, read_file

READERS: Mapping[str, Reader] = {**CONTRACTION, **ELEMENTWISE, **MOVEMENT}

READ_DTYPES = {"FLOAT32": "f32", "INT8": "i8", "INT32": "i32", "INT64": "i64", "BOOL": "bool"}

# What to do about the dtypes that are not read.
INSTEAD = {
    "FLOAT16": "convert the model without float16 quantization",
    "UINT8": "quantize the model to int8, inputs and outputs too",
    "INT16": "quantize the activations to int8",
}

# Ops that are computed at once where all their inputs are constants, as shapes and axes must be known.
FOLDED = ("concat", "dequantize", "expand", "pad", "reshape", "slice", "transpose")
MOST_FOLDED = 4096

# No sensible scale is outside; inside, no quotient of scales overflows.
LEAST_SCALE, MOST_SCALE = 1e-18, 1e18


def load_tflite(data: bytes, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a model's one subgraph.

    dims sets unknown dimensions, named "<input>.<axis>" or, for axis 0, "batch"; an unknown axis 0 of
    extent 1 needs none. consts binds inputs by name to arrays of their dtype. Raises CompileError with all
    problems of the model.
    """
    if data[4:8] != IDENTIFIER:
        raise damaged("one without the identifier TFL3 at bytes 4 to 8")
    file = read_file(data)
    reading = Reading(file)
    reading.read_inputs(dims, consts)
    for operator in file.operators:
        reading.read(operator)
    return reading.graph()


class Reading:
    """The state of one reading: each tensor's node so far, None where a problem keeps it from having one."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.nodes: dict[int, Node | None] = {}
        self.problems: list[Problem] = []
        self.is_resized = False
        if file.subgraphs != 1:
            self.report(
                error(
                    "model", "one subgraph", f"{file.subgraphs}", "export it without control flow and state"
                )
            )

    def report(self, problem: CompileError) -> None:
        self.problems += problem.problems

    def read_inputs(self, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> None:
        tensors = [self.file.tensors[index] for index in self.file.inputs if index >= 0]
        unknown = {
            each.name: [a for a, extent in enumerate(each.signature) if extent < 0] for each in tensors
        }
        names = {f"{name}.{axis}" for name, axes in unknown.items() for axis in axes}
        if any(0 in axes for axes in unknown.values()):
            names.add("batch")
        self.check_names("--dim", dims, names)
        self.check_names("--const", consts, {each.name for each in tensors})
        for index in self.file.inputs:
            if index < 0 or index in self.nodes:
                raise damaged("damage: an input that is listed twice or missing")
            tensor = self.file.tensors[index]
            try:
                self.nodes[index] = self.read_input(tensor, dims, consts.get(tensor.name))
            except CompileError as problem:
                self.nodes[index] = None
                self.report(problem)

    def check_names(self, flag: str, given: Mapping[str, object], known: set[str]) -> None:
        for name in sorted(set(given) - known):
            wanted = (
                f"{flag} of {', '.join(sorted(known))}" if known else f"no {flag}, as there is nothing to set"
            )
            self.report(error("model", wanted, name, "check the name"))

    def read_input(self, tensor: Tensor, dims: Mapping[str, int], bound: np.ndarray | None) -> Node:
        dtype = read_dtype(tensor)
        if bound is not None:
            return bind(tensor, bound, DTYPES[dtype])
        shape = input_shape(tensor, dims)
        self.is_resized |= shape != tensor.shape
        check_size(tensor.name, shape)
        return input_node(tensor.name, Type(shape, dtype, quant_of(tensor)))

    def read(self, operator: Operator) -> None:
        outputs = [index for index in operator.outputs if index >= 0]
        for index in outputs:
            if index in self.nodes:
                raise damaged("damage: a tensor that is made twice")
            self.nodes[index] = None
        try:
            results = self.read_operator(operator)
        except CompileError as problem:
            self.report(problem)
            results = ()
        self.nodes.update(zip(outputs, results, strict=bool(results)))

    def read_operator(self, operator: Operator) -> tuple[Node, ...]:
        """The node of each output; none where an input has none."""
        tensors = tuple(self.file.tensors[index] for index in operator.outputs if index >= 0)
        name = tensors[0].name if tensors else "model"
        reader = READERS.get(operator.op)
        if reader is None:
            raise error(
                name, "an op that s2c reads from .tflite", operator.op, "rebuild the model without it"
            )
        if reader.options and operator.options_name != reader.options:
            raise error(name, f"{reader.options} for {operator.op}", "none", "export the model again")
        if not tensors:
            raise error(name, f"outputs of {operator.op}", "none", "export the model again")
        inputs = tuple(None if index < 0 else self.node(index, name) for index in operator.inputs)
        if any(self.is_poisoned(index) for index in operator.inputs):
            return ()
        quants = tuple(result_quant(tensor) for tensor in tensors)
        layer = Layer(operator, inputs, tensors, quants)
        made = reader.read(layer)
        results = made if isinstance(made, tuple) else (made,)
        if len(results) != len(tensors):
            raise error(
                name, f"{len(results)} outputs for {operator.op}", str(len(tensors)), "export it again"
            )
        for node, tensor in zip(results, tensors, strict=True):
            check_size(name, node.type.shape)
            check_result(node, tensor, self.is_resized)
        return tuple(fold(node) for node in results)

    def node(self, index: int, layer: str) -> Node | None:
        if index not in self.nodes:
            tensor = self.file.tensors[index]
            if tensor.value is None and not (tensor.is_sparse or tensor.is_variable):
                raise error(
                    layer,
                    "inputs that are made before",
                    f"{tensor.name}, which is not",
                    "export the model again",
                )
            self.nodes[index] = None
            self.nodes[index] = read_constant(tensor)
        return self.nodes[index]

    def is_poisoned(self, index: int) -> bool:
        return index >= 0 and self.nodes[index] is None

    def graph(self) -> Graph:
        """The Graph of what was read, or all problems."""
        outputs = []
        for index in self.file.outputs:
            if index < 0:
                raise damaged("damage: an output that is missing")
            try:
                outputs.append(self.node(index, "model"))
            except CompileError as problem:
                self.report(problem)
        if not self.file.outputs:
            raise damaged("damage: no outputs")
        if self.problems:
            raise CompileError(tuple(self.problems))
        inputs = [self.nodes[index] for index in self.file.inputs]
        names = tuple(self.file.tensors[index].name for index in self.file.outputs)
        return Graph(
            tuple(node for node in inputs if node is not None and node.op == "input"),
            tuple(node for node in outputs if node is not None),
            names,
        )


def read_dtype(tensor: Tensor) -> str:
    if tensor.dtype not in READ_DTYPES:
        do = INSTEAD.get(tensor.dtype, "rebuild the model without it")
        raise error(tensor.name, "a tensor of float32 or int8", tensor.dtype.lower(), do)
    return READ_DTYPES[tensor.dtype]


def quant_of(tensor: Tensor) -> Quant | None:
    """Scale and zero point of an int8 tensor; one scale for each index of an axis is for weights only."""
    if tensor.dtype != "INT8" or not tensor.scale.size:
        return None
    usable = np.isfinite(tensor.scale) & (tensor.scale >= LEAST_SCALE) & (tensor.scale <= MOST_SCALE)
    if not usable.all():
        raise error(
            tensor.name, f"scales of {LEAST_SCALE:g} to {MOST_SCALE:g}", "others", "quantize the model again"
        )
    zeros = set(tensor.zero.tolist()) or {0}
    zero = min(zeros)
    if len(zeros) > 1 or not -128 <= zero <= 127 or (tensor.scale.size > 1 and zero):
        raise error(
            tensor.name,
            "one zero point of -128 to 127, which is 0 where there are several scales",
            f"{sorted(zeros)[:4]}",
            "quantize the model again",
        )
    axis = tensor.axis if tensor.scale.size > 1 else None
    return Quant(tuple(float(each) for each in tensor.scale), int(zero), axis)


def result_quant(tensor: Tensor) -> Quant | None:
    """The quantization of what an op makes: int8 needs one scale."""
    quant = quant_of(tensor)
    if read_dtype(tensor) == "i8" and (quant is None or quant.axis is not None):
        found = "none" if quant is None else f"{len(quant.scale)}"
        raise error(tensor.name, "one scale for an int8 tensor", found, "quantize the model again")
    return quant


def input_shape(tensor: Tensor, dims: Mapping[str, int]) -> tuple[int, ...]:
    """The fixed shape; an unknown axis 0 of extent 1 stays 1, as every .tflite runtime has it."""
    shape = list(tensor.shape)
    problems = []
    for axis, extent in enumerate(tensor.signature[: len(shape)]):
        if extent >= 0:
            continue
        name = f"{tensor.name}.{axis}"
        chosen = dims.get(name, dims.get("batch") if axis == 0 else None)
        if chosen is not None:
            shape[axis] = chosen
        elif axis or shape[0] != 1:
            flag = "batch=1" if axis == 0 else f"{name}=N"
            problems.append(
                Problem(tensor.name, f"a known extent of axis {axis}", "none", f"set it with --dim {flag}")
            )
    if problems:
        raise CompileError(tuple(problems))
    return tuple(shape)


def bind(tensor: Tensor, value: np.ndarray, dtype: np.dtype[np.generic]) -> Node:
    """An input that the user binds to an array at compile time."""
    fits = len(value.shape) == len(tensor.shape) and all(
        extent in (wanted, -1) for extent, wanted in zip(tensor.signature, value.shape, strict=False)
    )
    if value.dtype != dtype or not fits:
        wanted = f"{dtype}{['?' if each < 0 else each for each in tensor.signature]}".replace("'", "")
        raise error(
            tensor.name, f"--const of {wanted}", f"{value.dtype}{list(value.shape)}", "save another array"
        )
    return constant(value, tensor.name, quant_of(tensor))


def read_constant(tensor: Tensor) -> Node:
    if tensor.is_sparse:
        raise error(tensor.name, "a dense tensor", "a sparse one", "export the model without sparse tensors")
    if tensor.is_variable:
        raise error(tensor.name, "no state", "a variable", "export the model without state")
    read_dtype(tensor)
    assert tensor.value is not None
    return constant(tensor.value, tensor.name, quant_of(tensor))


def check_size(layer: str, shape: tuple[int, ...]) -> None:
    if min(shape, default=1) < 1 or math.prod(shape) > MOST_ELEMENTS or len(shape) > MOST_AXES:
        raise error(
            layer,
            f"1 to {MOST_ELEMENTS} elements on up to {MOST_AXES} axes",
            str(list(shape)),
            "rebuild the model with other shapes",
        )


def check_result(node: Node, tensor: Tensor, is_resized: bool) -> None:
    """What the file declares must be what its ops give; it declares no shape where one was set at load."""
    kind = Type(tensor.shape, read_dtype(tensor), quant_of(tensor))
    known = zip(node.type.shape, tensor.shape, tensor.signature, strict=False)
    same_shape = len(node.type.shape) == len(tensor.shape) and all(
        a == b for a, b, sign in known if sign >= 0
    )
    if is_resized or not tensor.shape:
        same_shape = True
    if not same_shape or node.type.dtype != kind.dtype or node.type.quant != kind.quant:
        raise error(tensor.name, f"{kind}, as the file declares", str(node.type), "export the model again")


def fold(node: Node) -> Node:
    """A constant for a node of FOLDED that depends on constants alone."""
    leaves = Graph((), (node,)).nodes()[:-1] if node.op in FOLDED else []
    is_known = all(each.op == "constant" or each.op in FOLDED for each in leaves)
    if (
        not leaves
        or not is_known
        or node.type.size > max(MOST_FOLDED, sum(each.type.size for each in leaves))
    ):
        return node
    return constant(oracle.run(Graph((), (node,)))[0], node.layer, node.type.quant)
