"""A Graph to a JSON object and back: nodes in order, each naming its inputs by their places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, State
from s2c.ops import OPS
from s2c.readers.graph_file.signatures import SIGNATURES, Signature, word
from s2c.readers.graph_file.values import (
    Arrays,
    Malformed,
    decode,
    decode_type,
    encode,
    encode_type,
    need,
)
from s2c.readers.plain_json import shown

DO = "write the file again"
MOST_NODES = 1 << 18
MOST_ELEMENTS = 1 << 28  # of all values together
MOST_PROBLEMS = 100
LONGEST_NAME = 1000
# What infer raises of attrs and inputs that do not go together.
MISFITS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def describe_graph(graph: Graph, arrays: Arrays) -> dict[str, Any]:
    place = {node: index for index, node in enumerate(graph.nodes())}
    return {
        "inputs": [place[each] for each in graph.inputs],
        "outputs": [place[each] for each in graph.outputs],
        "output_names": list(graph.output_names),
        "states": [[place[each.node], place[each.next]] for each in graph.states],
        "nodes": [describe_node(node, place, arrays) for node in place],
    }


def describe_node(node: Node, place: Mapping[Node, int], arrays: Arrays) -> dict[str, Any]:
    return {
        "op": node.op,
        "layer": node.layer,
        "inputs": [place[each] for each in node.inputs],
        "type": encode_type(node.type),
        "attrs": {name: encode(node.attrs[name], arrays) for name in sorted(node.attrs)},
    }


def read_graph(document: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Graph:
    """Raises CompileError with all problems."""
    try:
        nodes = read_nodes(document.get("nodes"), arrays)
        return connect(document, nodes)
    except Malformed as problem:
        raise CompileError((Problem("model", problem.wanted, problem.found, DO),)) from None


def read_nodes(listed: Any, arrays: Sequence[np.ndarray]) -> list[Node]:
    need(isinstance(listed, list) and len(listed) <= MOST_NODES, f"at most {MOST_NODES} nodes", listed)
    nodes: list[Node | None] = []
    problems: list[Problem] = []
    elements = 0
    for index, each in enumerate(listed):
        name = name_of(each) or f"node {index}"
        node = None
        try:
            node = read_node(each, nodes, arrays)
        except Malformed as problem:
            problems.append(Problem(name, problem.wanted, problem.found, DO))
        except CompileError as several:
            problems += several.problems
        nodes.append(node)
        elements += node.type.size if node else 0
        if len(problems) >= MOST_PROBLEMS or elements > MOST_ELEMENTS:
            break
    if problems:
        raise CompileError(tuple(problems[:MOST_PROBLEMS]))
    need(elements <= MOST_ELEMENTS, f"values of at most {MOST_ELEMENTS} elements together", "more")
    return [each for each in nodes if each is not None]


def name_of(value: Any) -> str:
    """A layer's name for messages; empty where it has none."""
    name = value.get("layer") if isinstance(value, dict) else None
    return shown(name) if isinstance(name, str) and name else ""


def read_node(value: Any, nodes: Sequence[Node | None], arrays: Sequence[np.ndarray]) -> Node | None:
    """None where an input has a problem of its own."""
    need(isinstance(value, dict), "an object", value)
    op = value.get("op")
    need(isinstance(op, str) and op in SIGNATURES, "an op that s2c has", op)
    signature = SIGNATURES[op]
    inputs = read_places(value.get("inputs"), len(nodes), "inputs before the node")
    need(
        signature.least <= len(inputs) <= signature.most,
        f"{signature.least} inputs of {op}" if signature.least else f"no inputs of {op}",
        f"{len(inputs)} inputs",
    )
    attrs = read_attrs(signature, op, value.get("attrs"), arrays)
    kind = decode_type(value.get("type"))
    layer = read_name(value.get("layer"), "a name of the layer")
    sources = [nodes[each] for each in inputs]
    known = tuple(each for each in sources if each is not None)
    return checked(signature, Node(op, known, attrs, kind, layer)) if len(known) == len(inputs) else None


def read_name(value: Any, wanted: str) -> str:
    need(isinstance(value, str) and 0 < len(value) <= LONGEST_NAME, wanted, value)
    need(not any("\ud800" <= each <= "\udfff" for each in value), wanted, "half a character")
    return str(value)


def read_places(value: Any, count: int, wanted: str) -> list[int]:
    """Places of nodes below count."""
    need(isinstance(value, list), wanted, value)
    for each in value:
        need(type(each) is int and 0 <= each < count, f"{wanted}: places of 0 to {count - 1}", each)
    return list(value)


def read_attrs(signature: Signature, op: str, value: Any, arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    need(isinstance(value, dict), f"attrs of {op}", value)
    known = {**signature.attrs, **signature.optional}
    for name in sorted(signature.attrs.keys() - value.keys()):
        raise Malformed(f"{name} of {op}", "none")
    for name in sorted(value.keys() - known.keys()):
        raise Malformed(f"attrs that {op} has ({', '.join(sorted(known)) or 'none'})", name)
    attrs = {}
    for name in sorted(value):
        attrs[name] = decode(value[name], arrays)
        need(
            known[name].holds(attrs[name]), f"{name} of {op} as {known[name].wanted}", described(attrs[name])
        )
    return attrs


def described(value: Any) -> Any:
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else value


def checked(signature: Signature, node: Node) -> Node:
    """The node, where it has the type that its op gives and the op can be computed."""
    for each in node.inputs:
        wanted = f"inputs of {node.op} of {', '.join(sorted(signature.operands))}"
        need(word(each.type) in signature.operands, wanted, each.type)
    found = " and ".join(str(each.type) for each in node.inputs)
    try:
        inferred = OPS[node.op].infer(node)
    except MISFITS:
        raise Malformed(f"inputs and attrs that go together in {node.op}", found or "others") from None
    need(inferred == node.type, f"the type {inferred} of {node.op}", node.type)
    wanted = f"a result of {node.op} of {', '.join(sorted(signature.results))}"
    need(word(node.type) in signature.results, wanted, node.type)
    try:
        signature.check(node)
    except MISFITS:
        raise Malformed(f"attrs that go together in {node.op}", found or "others") from None
    return node


def connect(document: Mapping[str, Any], nodes: Sequence[Node]) -> Graph:
    count = len(nodes)
    inputs = [nodes[each] for each in read_places(document.get("inputs"), count, "inputs")]
    outputs = [nodes[each] for each in read_places(document.get("outputs"), count, "outputs")]
    names = document.get("output_names")
    need(isinstance(names, list) and len(names) == len(outputs), f"{len(outputs)} names of outputs", names)
    assert isinstance(names, list)
    output_names = tuple(read_name(each, "names of outputs") for each in names)
    listed = document.get("states")
    need(isinstance(listed, list), "a list of states", listed)
    assert isinstance(listed, list)
    states = tuple(read_state(each, nodes) for each in listed)
    need(len(outputs) > 0, "an output", "none")
    wrong = next((each for each in outputs if each.type.dtype == "f64"), None)
    need(wrong is None, "outputs of a dtype that is computed", wrong.type if wrong else "")
    check_leaves(nodes, "input", inputs)
    check_leaves(nodes, "state", [each.node for each in states])
    twice = [name for name, uses in Counter(each.layer for each in inputs).items() if uses > 1]
    need(not twice, "inputs of different names", twice[0] if twice else "")
    return Graph(tuple(inputs), tuple(outputs), output_names, states)


def read_state(value: Any, nodes: Sequence[Node]) -> State:
    places = read_places(value, len(nodes), "a state's node and its next value")
    need(len(places) == 2, "a state's node and its next value", value)
    state, following = (nodes[each] for each in places)
    need(state.type == following.type, f"a next value {state.type}", following.type)
    return State(state, following)


def check_leaves(nodes: Sequence[Node], op: str, listed: Sequence[Node]) -> None:
    """All nodes of the op are listed, each once, and no others."""
    wanted = f"each node of op {op} once in the list of the {op}s, and no others"
    need(all(each.op == op for each in listed), wanted, "another")
    need(len(set(listed)) == len(listed), wanted, "one twice")
    need(len(listed) == sum(each.op == op for each in nodes), wanted, "one that is not there")
