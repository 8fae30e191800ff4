"""A .tflite file to a Graph of source ops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from s2c.errors import CompileError, error
from s2c.ir import Graph, Node
from s2c.readers.tflite.contraction import CONTRACTION
from s2c.readers.tflite.control import CONTROL
from s2c.readers.tflite.elementwise import ELEMENTWISE
from s2c.readers.tflite.image import IMAGE
from s2c.readers.tflite.indexing import INDEXING
from s2c.readers.tflite.layer import Reader
from s2c.readers.tflite.movement import MOVEMENT
from s2c.readers.tflite.recurrent import RECURRENT
from s2c.readers.tflite.reduction import REDUCTION
from s2c.readers.tflite.schema import IDENTIFIER, damaged, read_file
from s2c.readers.tflite.scope import Model, Scope
from s2c.readers.tflite.tensors import bind, is_recentred, read_input, recentred

READERS: Mapping[str, Reader] = {
    **CONTRACTION,
    **ELEMENTWISE,
    **IMAGE,
    **INDEXING,
    **MOVEMENT,
    **RECURRENT,
    **REDUCTION,
}


def load_tflite(data: bytes, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a model's main subgraph and what it calls.

    dims sets unknown dimensions, named "<input>.<axis>" or, for axis 0, "batch"; an unknown axis 0 of
    extent 1 needs none. consts binds inputs by name to arrays of their dtype. Raises CompileError with all
    problems of the model.
    """
    if data[4:8] != IDENTIFIER:
        raise damaged("one without the identifier TFL3 at bytes 4 to 8")
    model = Model(read_file(data), READERS, CONTROL)
    scope = Scope(model, 0)
    inputs = read_inputs(scope, dims, consts)
    scope.read_all()
    outputs = read_outputs(scope)
    if model.problems:
        raise CompileError(tuple(model.problems))
    names = tuple(scope.graph.tensors[index].name for index in scope.graph.outputs)
    return model.memory.finished(Graph(inputs, outputs, names))


def read_inputs(scope: Scope, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> tuple[Node, ...]:
    """The inputs as the file declares them; their values in the scope."""
    model, graph = scope.model, scope.graph
    tensors = [graph.tensors[index] for index in graph.inputs if index >= 0]
    check_names(model, "--dim", dims, dimension_names(scope))
    check_names(model, "--const", consts, {each.name for each in tensors})
    inputs = []
    for index in graph.inputs:
        if index < 0 or index in scope.values:
            raise damaged("damage: an input that is listed twice or missing")
        tensor = graph.tensors[index]
        scope.values[index] = None
        try:
            if tensor.name in consts:
                scope.values[index] = bind(tensor, consts[tensor.name])
                continue
            node = read_input(tensor, dims)
            model.is_resized |= node.type.shape != tensor.shape
            scope.values[index] = recentred(node) if is_recentred(tensor) else node
            inputs.append(node)
        except CompileError as problem:
            model.report(problem)
    return tuple(inputs)


def dimension_names(scope: Scope) -> set[str]:
    """What --dim can set."""
    tensors = [scope.graph.tensors[index] for index in scope.graph.inputs if index >= 0]
    unknown = {each.name: [a for a, extent in enumerate(each.signature) if extent < 0] for each in tensors}
    names = {f"{name}.{axis}" for name, axes in unknown.items() for axis in axes}
    return names | ({"batch"} if any(0 in axes for axes in unknown.values()) else set())


def check_names(model: Model, flag: str, given: Mapping[str, object], known: set[str]) -> None:
    wanted = f"{flag} of {', '.join(sorted(known))}" if known else f"no {flag}, as there is nothing to set"
    for name in sorted(set(given) - known):
        model.report(error("model", wanted, name, "check the name"))


def read_outputs(scope: Scope) -> tuple[Node, ...]:
    """The outputs in the dtypes that the file declares."""
    outputs = []
    for index in scope.graph.outputs:
        if index < 0:
            raise damaged("damage: an output that is missing")
        try:
            node = scope.node(index, "model")
            if node is not None:
                outputs.append(recentred(node) if is_recentred(scope.graph.tensors[index]) else node)
        except CompileError as problem:
            scope.model.report(problem)
    if not scope.graph.outputs:
        raise damaged("damage: no outputs")
    return tuple(outputs)
