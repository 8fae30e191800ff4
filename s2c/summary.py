"""A model, or the list of targets, to the figures that inspect and targets show; nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from s2c import cost
from s2c.cost import CallCost
from s2c.driver import Request, compile_model, refuse_large
from s2c.errors import CompileError
from s2c.outline import Layer, layers_of
from s2c.plan import Plan
from s2c.readers import load_model
from s2c.target import list_targets, missing_tools


@dataclass(frozen=True)
class Fit:
    """Whether a net's arena and constants fit a target's memory; why_not is None where they do."""

    fits: bool
    why_not: str | None


@dataclass(frozen=True)
class Summary:
    """ops and layers are the model's own; all else is after the passes, planned for the target."""

    model: str
    target: str
    ops: Mapping[str, int]
    source_macs: int
    macs: int
    matmul_share: float
    parameters: int
    constant_bytes: int
    arena_bytes: int
    arena_lower_bound: int
    targets: Mapping[str, Fit]
    layers: tuple[Layer, ...]
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


def summarise(request: Request) -> Summary:
    """Raises CompileError."""
    compilation = compile_model(request)
    plan = compilation.plan
    return Summary(
        model=request.model.name,
        target=request.target.name,
        ops=cost.count_ops(compilation.source),
        source_macs=cost.macs(compilation.source),
        macs=cost.plan_macs(plan),
        matmul_share=cost.matmul_share(plan.graph),
        parameters=cost.parameters(plan.graph.nodes()),
        constant_bytes=cost.constant_bytes(plan),
        arena_bytes=plan.arena_bytes,
        arena_lower_bound=plan.lower_bound,
        targets=fits(request, plan),
        layers=layers_of(compilation.source),
        calls=tuple(cost.call_cost(call) for call in plan.calls),
    )


def fits(request: Request, plan: Plan) -> dict[str, Fit]:
    """By target, but for chips, which get the memory that a net needs; a plan for another one may be a bit
    larger or smaller."""
    result: dict[str, Fit] = {}
    for target in list_targets():
        if target.is_chip:
            continue
        try:
            refuse_large(replace(request, target=target), plan)
            result[target.name] = Fit(True, None)
        except CompileError as problem:
            result[target.name] = Fit(False, problem.problems[0].found)
    return result


def read_layers(request: Request) -> tuple[Layer, ...]:
    """Of a model that need not compile; raises CompileError where it cannot be read."""
    return layers_of(load_model(request.model, request.dims, request.consts))


def verdict(summary: Summary) -> str:
    """Of a net that was planned, in one line."""
    macs, parameters = short_number(summary.macs), short_number(summary.parameters)
    figures = (
        f"{macs}MAC",
        f"{parameters.rstrip()} parameters",
        f"arena {summary.arena_bytes:,} bytes",
        f"constants {summary.constant_bytes:,} bytes",
    )
    return f"compiles for {summary.target}: {', '.join(figures)}"


def short_number(count: int) -> str:
    """Three digits, and the prefix of what they count: "2.66 M"."""
    for prefix, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {prefix}"
    return f"{count} "


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
