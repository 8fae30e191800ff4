"""What is known while reading: the names of a graph or function, and all that is wrong with the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from s2c.errors import CompileError, Problem, error
from s2c.readers.onnx.external import text_of
from s2c.readers.onnx.functions import Function
from s2c.readers.onnx.source import Anything, Constant
from s2c.readers.onnx.weights import constant_of

MOST_KNOWN = 1 << 31  # bytes of all constants computed while reading
MOST_NODES = 50_000  # of a model, loops unrolled and functions expanded


@dataclass
class Reading:
    """What all graphs of a model have in common. nodes: how many have been read; known: the bytes of what has
    been computed of constants."""

    functions: Mapping[tuple[str, str], Function] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    known: int = 0

    def refuse(self, layer: str, wanted: str, found: str, do: str) -> None:
        self.problems.append(Problem(layer, wanted, found, do))


@dataclass
class Scope:
    """The names of a graph or function.

    values: what a name stands for, None where that depends on what is wrong. used: names that a node or an
    output reads. attributes: those of a function's call. outer: where a subgraph finds other names. calls:
    the model's functions that are being read. depth: functions and graphs around it.
    """

    reading: Reading
    opset: int
    initializers: Mapping[str, TensorProto]
    used: frozenset[str]
    prefix: str = ""
    attributes: Mapping[str, AttributeProto] | None = None
    outer: Scope | None = None
    calls: tuple[str, ...] = ()
    depth: int = 0
    values: dict[str, Anything | None] = field(default_factory=dict)


def graph_scope(reading: Reading, graph: GraphProto, opset: int, outer: Scope | None = None) -> Scope:
    initializers = {each.name: each for each in graph.initializer}
    used = used_names(graph.node, (each.name for each in graph.output))
    if outer is None:
        return Scope(reading, opset, initializers, used)
    inner = replace(outer, initializers=initializers, used=used, outer=outer, depth=outer.depth + 1)
    inner.values = {}
    return inner


# names


def reads(node: NodeProto) -> Iterator[str]:
    """The names that a node and the graphs within it refer to."""
    yield from node.input
    for each in node.attribute:
        if each.HasField("g"):
            for inner in each.g.node:
                yield from reads(inner)
            yield from (output.name for output in each.g.output)


def used_names(nodes: Iterable[NodeProto], outputs: Iterable[str]) -> frozenset[str]:
    return frozenset((*(name for node in nodes for name in reads(node)), *outputs))


def live_nodes(nodes: Sequence[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """The nodes that an output depends on, in the model's order."""
    needed = set(outputs)
    live = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            live.append(node)
            needed.update(reads(node))
    return live[::-1]


def layer_of(node: NodeProto) -> str:
    return text_of(node.name or next((name for name in node.output if name), node.op_type))


def read_name(scope: Scope, layer: str, name: str) -> Anything | None:
    """The value of a name; initializers are read when first used."""
    found: Scope | None = scope
    while found is not None and name not in found.values and name not in found.initializers:
        found = found.outer
    if found is None:
        scope.values[name] = None
        scope.reading.refuse(
            layer,
            "inputs that an earlier node makes",
            f"{name!r}, which none makes",
            "export the model again",
        )
        return None
    if name not in found.values:
        found.values[name] = None
        try:
            found.values[name] = constant_of(found.initializers[name], text_of(name))
        except CompileError as problem:
            scope.reading.problems.extend(problem.problems)
    return found.values[name]


# limits


def count_node(reading: Reading, layer: str) -> None:
    """Raises where the model has too many nodes: with a problem once, then with none."""
    reading.nodes += 1
    if reading.nodes == MOST_NODES + 1:
        found, do = "more", "give its loops fewer iterations"
        raise error(layer, f"at most {MOST_NODES} nodes, loops unrolled", found, do)
    if reading.nodes > MOST_NODES:
        raise CompileError(())


def count_bytes(reading: Reading, layer: str, constants: Sequence[Constant]) -> None:
    """Raises where the constants computed so far are too large: with a problem once, then with none."""
    before = reading.known
    reading.known += sum(each.value.nbytes for each in constants)
    if before > MOST_KNOWN:
        raise CompileError(())
    if reading.known > MOST_KNOWN:
        found, do = "more", "make the constants that it computes smaller"
        raise error(layer, f"at most {MOST_KNOWN} bytes computed of constants", found, do)
