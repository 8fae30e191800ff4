"""A Graph with explicit caches to one that keeps them between calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, State, Uses, state_node


def keep_states(graph: Graph, pairs: Mapping[str, str]) -> Graph:
    """pairs: input name to output name. The input becomes a state, at first zero, and the output its next
    value; neither is seen by the caller any more. Raises CompileError with all problems of the pairs.
    """
    if not pairs:
        return graph
    inputs = {node.layer: node for node in graph.inputs}
    outputs = dict(zip(graph.output_names, graph.outputs, strict=True))
    problems = [
        problem for name, result in pairs.items() for problem in pair_problems(name, result, inputs, outputs)
    ]
    problems += repeated(pairs)
    if not problems and len(pairs) == len(graph.outputs):
        wanted = "an output besides the states"
        problems.append(Problem("--state", wanted, "none", "leave one output to read"))
    if problems:
        raise CompileError(tuple(problems))
    return with_states(graph, pairs)


def pair_problems(
    name: str, result: str, inputs: Mapping[str, Node], outputs: Mapping[str, Node]
) -> list[Problem]:
    flag = f"--state {name}={result}"
    problems = []
    if name not in inputs:
        problems.append(Problem(flag, f"an input ({', '.join(inputs)})", name, "correct the name"))
    if result not in outputs:
        problems.append(Problem(flag, f"an output ({', '.join(outputs)})", result, "correct the name"))
    if not problems and not fits(inputs[name], outputs[result]):
        found = f"{inputs[name].type} and {outputs[result].type}"
        problems.append(Problem(flag, "an input and an output of one type", found, "pair others"))
    return problems


def fits(a: Node, b: Node) -> bool:
    return (a.type.shape, a.type.dtype, a.type.quant) == (b.type.shape, b.type.dtype, b.type.quant)


def repeated(pairs: Mapping[str, str]) -> list[Problem]:
    results = list(pairs.values())
    twice = sorted({each for each in results if results.count(each) > 1})
    return [
        Problem(f"--state {each}", "one input for each output", "several", "pair others") for each in twice
    ]


def with_states(graph: Graph, pairs: Mapping[str, str]) -> Graph:
    """Every reader of a paired input reads a state node instead."""
    made: dict[str, Node] = {}

    def rule(node: Node, uses: Uses) -> Node | None:
        if node.op != "input" or node.layer not in pairs:
            return None
        zero = node.type.quant.zero if node.type.quant else 0
        value = np.full(node.type.shape, zero, node.type.numpy)
        made[node.layer] = state_node(value, node.layer, node.type.quant)
        return made[node.layer]

    moved = graph.rewrite(rule)
    outputs = dict(zip(moved.output_names, moved.outputs, strict=True))
    kept = {name: node for name, node in outputs.items() if name not in pairs.values()}
    states = tuple(State(made[name], outputs[result]) for name, result in pairs.items())
    return Graph(
        tuple(node for node in moved.inputs if node.op == "input"),
        tuple(kept.values()),
        tuple(kept),
        (*moved.states, *states),
    )


def last_pairs(graph: Graph, count: int) -> dict[str, str]:
    """The last inputs and outputs of a Graph, paired in order."""
    limit = min(len(graph.inputs), len(graph.outputs) - 1)
    if not 0 <= count <= limit:
        wanted = f"at most {limit} states"
        problem = Problem("--states", wanted, str(count), "count the inputs that are caches")
        raise CompileError((problem,))
    names = [node.layer for node in graph.inputs[len(graph.inputs) - count :]]
    return dict(zip(names, graph.output_names[len(graph.outputs) - count :], strict=True))
