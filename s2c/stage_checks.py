"""Whether a stage of the compiler left what a net computes as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from s2c import check, oracle
from s2c.compare import TOLERANCE, compare
from s2c.inputs import random_inputs
from s2c.ir import Graph, Node
from s2c.plan import Plan
from s2c.plan_values import run as run_plan

CHECK_SEED = 0
STEPS = 2  # of the last quantization: how far rounding once instead of at each float op moves an output
SAMPLES = 4


def check_stage(stage: str, source: Graph, reference: Graph | None, graph: Graph) -> None:
    """Against the reference to the bit of its integers, once there is one; before, against the source, which
    the passes up to the reference may move by STEPS where it computes in floats between quantizations."""
    check.check_types(graph)
    arrays = random_inputs(source, np.random.default_rng(CHECK_SEED))
    with np.errstate(all="ignore"):
        values = oracle.trace(reference or source, *arrays)
        found = oracle.run(graph, *arrays)
        moved = moved_by_steps(source, values) if reference is None else None
    check_same(stage, reference or source, values, found, moved)


def check_plan(reference: Graph, plan: Plan) -> None:
    arrays = random_inputs(reference, np.random.default_rng(CHECK_SEED))
    with np.errstate(all="ignore"):
        check_same("plan", reference, oracle.trace(reference, *arrays), run_plan(plan, *arrays))


def check_same(
    stage: str,
    wanted: Graph,
    values: Mapping[Node, np.ndarray],
    found: tuple[np.ndarray, ...],
    moved: Sequence[float] | None = None,
) -> None:
    """Integers by equality, floats by TOLERANCE, and both by what moved allows to each output."""
    for index, (node, array) in enumerate(zip(wanted.outputs, found, strict=True)):
        each = compare(values[node], array)
        rounding = max(TOLERANCE * each.largest, 2 * each.sensitivity) if each.is_float else 0.0
        limit = max(rounding, moved[index] if moved else 0.0)
        text = f"stage {stage} moved output {node.layer} by {each.difference} (allowed: {limit})"
        assert each.difference <= limit, text
        assert each.apart == 0, f"stage {stage} moved {each.apart} NaN or infinite values of {node.layer}"


def moved_by_steps(source: Graph, values: Mapping[Node, np.ndarray]) -> list[float]:
    """How far each output moves when what was quantized last before it moves by STEPS, up or down at random:
    0 where the source computes nothing in floats before a quantize, so that nothing is to be fused."""
    rounded = {node for node in source.nodes() if node.op == "quantize" and node.inputs[0].op != "input"}
    if not rounded:
        return [0.0 for _ in source.outputs]
    draws = np.random.default_rng(CHECK_SEED)
    return [
        max(compare(values[node], move_last(node, values, draws)).difference for _ in range(SAMPLES))
        for node in source.outputs
    ]


def move_last(node: Node, values: Mapping[Node, np.ndarray], draws: np.random.Generator) -> np.ndarray:
    """The value of a node after its last quantized values were moved."""
    moved: dict[Node, np.ndarray] = {}
    for each in Graph((), (node,)).nodes():
        value = values[each]
        if each.type.dtype == "i8":
            steps = value + draws.choice([-STEPS, STEPS], value.shape)
            moved[each] = np.clip(steps, -128, 127).astype(np.int8)
        elif each.inputs:
            moved[each] = oracle.evaluate(each, *(moved[of] for of in each.inputs))
        else:
            moved[each] = value
    return moved[node]
