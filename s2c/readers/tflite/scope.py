"""The operators of one subgraph of a .tflite file, one after the other, to nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from s2c import oracle
from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph, Node, Type, constant
from s2c.ops import OPS
from s2c.readers.tflite.layer import Layer, Reader
from s2c.readers.tflite.memory import Handle, Memory
from s2c.readers.tflite.schema import Operator, Subgraph, Tensor, damaged
from s2c.readers.tflite.tensors import (
    check_count,
    check_result,
    check_size,
    dtype_of,
    quant_of,
    read_constant,
    result_quant,
)

# Movements of constants are computed at once at any size that does not grow, all other ops up to MOST_FOLDED.
FOLDED = frozenset(
    ("cast", "concat", "dequantize", "expand", "pad", "reinterpret", "reshape", "slice", "transpose")
)
MOST_FOLDED = 4096
MOST_MACS = 1 << 24
# Of loops, once unrolled.
MOST_OPERATORS = 1 << 15
MOST_DEPTH = 16

# None where a problem keeps a tensor, or all results of an op, from having a value.
Value = Node | Handle | None
Control = Callable[["Scope", Operator], Sequence[Value] | None]


@dataclass
class Model:
    """What all subgraphs of a reading share. operators_left: how many may still be read."""

    subgraphs: tuple[Subgraph, ...]
    readers: Mapping[str, Reader]
    control: Mapping[str, Control]
    memory: Memory = field(default_factory=Memory)
    problems: list[Problem] = field(default_factory=list)
    is_resized: bool = False
    operators_left: int = MOST_OPERATORS

    def report(self, problem: CompileError) -> None:
        self.problems += problem.problems


class Scope:
    """The state of reading one subgraph: each tensor's value so far."""

    def __init__(self, model: Model, place: int, depth: int = 0) -> None:
        self.model = model
        self.place = place
        self.graph: Subgraph = model.subgraphs[place]
        self.depth = depth
        self.values: dict[int, Value] = {}

    def call(self, arguments: Sequence[Value], layer: str) -> tuple[Value, ...]:
        """The outputs for one value an input, in a scope of its own."""
        if len(arguments) != len(self.graph.inputs):
            found = f"{len(arguments)}"
            raise error(layer, f"{len(self.graph.inputs)} inputs of its subgraph", found, "export it again")
        self.values = dict(zip(self.graph.inputs, arguments, strict=True))
        self.read_all()
        return tuple(self.value(index, layer) for index in self.graph.outputs)

    def inner(self, index: int, layer: str) -> Scope:
        """A scope for another subgraph, called from this one."""
        if not 0 < index < len(self.model.subgraphs):
            raise damaged("damage: a subgraph that is not there")
        if self.depth >= MOST_DEPTH:
            raise error(layer, f"at most {MOST_DEPTH} subgraphs in each other", "more", "export it again")
        return Scope(self.model, index, self.depth + 1)

    def read_all(self) -> None:
        for operator in self.graph.operators:
            self.model.operators_left -= 1
            if self.model.operators_left < 0:
                raise error("model", f"at most {MOST_OPERATORS} layers", "more", "make its loops shorter")
            self.read(operator)

    def read(self, operator: Operator) -> None:
        outputs = [index for index in operator.outputs if index >= 0]
        if len({*outputs} - {*self.values}) < len(outputs):
            raise damaged("damage: a tensor that is made twice")
        try:
            control = self.model.control.get(operator.op)
            results = control(self, operator) if control else self.read_layer(operator)
            if results is not None and len(results) != len(outputs):
                found = f"{len(outputs)}"
                raise error(
                    self.name(operator), f"{len(results)} outputs of {operator.op}", found, "export it again"
                )
        except CompileError as problem:
            self.model.report(problem)
            results = None
        self.values.update(zip(outputs, results or [None] * len(outputs), strict=True))

    def name(self, operator: Operator) -> str:
        """That of the first output: ops have none of their own."""
        return next((self.graph.tensors[index].name for index in operator.outputs if index >= 0), "model")

    def read_layer(self, operator: Operator) -> tuple[Node, ...] | None:
        """The node of each output; None where an input has none."""
        tensors = tuple(self.graph.tensors[index] for index in operator.outputs if index >= 0)
        name = self.name(operator)
        reader = self.model.readers.get(operator.op)
        if reader is None:
            raise error(
                name, "an op that s2c reads from .tflite", operator.op, "rebuild the model without it"
            )
        if reader.options and operator.options_name != reader.options:
            raise error(name, f"{reader.options} for {operator.op}", "none", "export the model again")
        if not tensors:
            raise error(name, f"outputs of {operator.op}", "none", "export the model again")
        inputs = tuple(None if index < 0 else self.node(index, name) for index in operator.inputs)
        if any(index >= 0 and node is None for index, node in zip(operator.inputs, inputs, strict=True)):
            return None
        quants = tuple(result_quant(tensor) for tensor in tensors)
        layer = Layer(operator, inputs, tensors, quants, self.assign)
        made = reader.read(layer)
        results = made if isinstance(made, tuple) else (made,)
        if len(results) != len(tensors):
            raise error(
                name, f"{len(results)} outputs for {operator.op}", str(len(tensors)), "export it again"
            )
        check_inner_sizes(name, results, inputs)
        for node, tensor in zip(results, tensors, strict=True):
            check_size(name, node.type.shape)
            check_result(node, tensor, self.model.is_resized)
        known = all(node is None or node.op == "constant" for node in inputs)
        return tuple(fold(node) for node in results) if known else results

    def node(self, index: int, layer: str) -> Node | None:
        value = self.value(index, layer)
        if isinstance(value, Handle):
            raise error(layer, "a tensor", f"the variable {value.name}", "export the model again")
        return value

    def value(self, index: int, layer: str) -> Value:
        if index < 0:
            raise damaged("damage: an output that is missing")
        tensor = self.graph.tensors[index]
        if tensor.is_variable:
            return self.model.memory.read(self.variable(index), variable_type(tensor), layer)
        if index not in self.values:
            if tensor.value is None and not tensor.is_sparse:
                raise error(
                    layer,
                    "inputs that are made before",
                    f"{tensor.name}, which is not",
                    "export the model again",
                )
            self.values[index] = None
            self.values[index] = read_constant(tensor)
        return self.values[index]

    def variable(self, index: int) -> Handle:
        """That of a tensor of this subgraph which keeps its content between calls."""
        return Handle(f"{self.graph.tensors[index].name} ({self.place}.{index})")

    def assign(self, operator: Operator, place: int, node: Node) -> None:
        """Leaves a value in the variable tensor at a place of an operator's inputs."""
        index = operator.inputs[place]
        tensor = self.graph.tensors[index]
        if not tensor.is_variable:
            raise error(
                self.name(operator),
                f"a variable tensor as state of {operator.op}",
                tensor.name,
                "export it again",
            )
        self.model.memory.assign(self.variable(index), node)


def check_inner_sizes(name: str, results: Sequence[Node], inputs: Sequence[Node | None]) -> None:
    """Of all nodes that a layer is made of, which may have more axes than a tensor."""
    seen: set[Node | None] = set(inputs)
    pending = list(results)
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            check_count(name, node.type.shape)
            pending += node.inputs


def variable_type(tensor: Tensor) -> Type:
    check_size(tensor.name, tensor.shape)
    return Type(tensor.shape, dtype_of(tensor), quant_of(tensor))


def fold(node: Node) -> Node:
    """A constant for a node that depends on constants alone, unless it is large or takes long."""
    made = Graph((), (node,)).nodes()
    leaves = [each for each in made if not each.inputs]
    if node in leaves or any(each.op != "constant" for each in leaves):
        return node
    size = sum(each.type.size for each in leaves)
    moves = all(each.op in FOLDED for each in made if each.inputs)
    if any(each.type.size > max(MOST_FOLDED, size if moves else 0) for each in made):
        return node
    if sum(OPS[each.op].macs(each) for each in made) > MOST_MACS:
        return node
    value = oracle.run(Graph((), (node,)))[0]
    return replace(constant(value, node.layer), type=node.type)
