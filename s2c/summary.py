"""A model, or the list of targets, to the figures that inspect and targets show; nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from s2c import cost
from s2c.cost import CallCost
from s2c.driver import compile_model, make_request, refuse_large
from s2c.errors import CompileError
from s2c.target import list_targets, missing_tools


@dataclass(frozen=True)
class Fit:
    """Whether a net's arena and constants fit a target's memory; why_not is None where they do."""

    fits: bool
    why_not: str | None


@dataclass(frozen=True)
class Summary:
    """ops counts the model's own ops; all else is after the passes, planned for the host."""

    model: str
    ops: Mapping[str, int]
    source_macs: int
    macs: int
    matmul_share: float
    parameters: int
    constant_bytes: int
    arena_bytes: int
    arena_lower_bound: int
    targets: Mapping[str, Fit]
    calls: tuple[CallCost, ...]


@dataclass(frozen=True)
class TargetRow:
    """One target; its limits are null where none is known."""

    name: str
    description: str
    language: str
    flash_bytes: int | None
    ram_bytes: int | None
    missing_tools: tuple[str, ...]


def summarise(model: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Summary:
    """Raises CompileError."""
    request = make_request(model, "host", dims=dims, consts=consts)
    compilation = compile_model(request)
    plan = compilation.plan
    fits: dict[str, Fit] = {}
    for target in list_targets():
        try:
            refuse_large(replace(request, target=target), plan)
            fits[target.name] = Fit(True, None)
        except CompileError as problem:
            fits[target.name] = Fit(False, problem.problems[0].found)
    return Summary(
        model=model.name,
        ops=cost.count_ops(compilation.source),
        source_macs=cost.macs(compilation.source),
        macs=cost.plan_macs(plan),
        matmul_share=cost.matmul_share(plan.graph),
        parameters=cost.parameters(plan.graph.nodes()),
        constant_bytes=cost.constant_bytes(plan),
        arena_bytes=plan.arena_bytes,
        arena_lower_bound=plan.lower_bound,
        targets=fits,
        calls=tuple(cost.call_cost(call) for call in plan.calls),
    )


def list_rows() -> tuple[TargetRow, ...]:
    rows = []
    for target in list_targets():
        flash, ram = target.memory("flash"), target.memory("ram")
        rows.append(
            TargetRow(
                name=target.name,
                description=target.description,
                language=target.language,
                flash_bytes=flash.size if flash else None,
                ram_bytes=ram.size if ram else None,
                missing_tools=missing_tools(target),
            )
        )
    return tuple(rows)
