"""What a chip cannot be asked for, by name, before anything is planned."""

from __future__ import annotations

from s2c.errors import CompileError, Problem
from s2c.ir import Graph
from s2c.silicon.datapath import make_lanes
from s2c.target import Target


def refuse_flags(
    target: Target, lanes: int | None, reproducible: bool, threads: int, precision: str, tune: bool
) -> None:
    """Raises CompileError with every flag that means nothing for hardware, and lanes that cannot be built."""
    problems: list[Problem] = []
    given = {
        "--reproducible": ("floats, whose bits it is about", reproducible),
        "--threads": ("a program that threads can share", threads != 1),
        "--precision": ("floats, whose bits it is about", precision != "f32"),
        "--tune": ("kernels to choose from by time", tune),
    }
    for flag, (wanted, is_given) in given.items():
        if is_given:
            problems.append(Problem(flag, wanted, f"{target.name}, which is a chip", "leave it out"))
    if lanes is not None:
        try:
            make_lanes(lanes)
        except CompileError as problem:
            problems += problem.problems
    if problems:
        raise CompileError(tuple(problems))


def refuse_states(target: Target, graph: Graph) -> None:
    """Raises CompileError with every state."""
    do = "hand it in and out as an input and an output, or compile for host or cortex-m4"
    problems = [
        Problem(each.node.layer, f"a net that keeps nothing between calls for {target.name}", "state", do)
        for each in graph.states
    ]
    if problems:
        raise CompileError(tuple(problems))
