"""A model file to a Program: read, rewrite, plan, emit, build, measure."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from s2c import check
from s2c.cost import constant_bytes
from s2c.emit.c_family import emit_source
from s2c.emit.hardware import emit_chip
from s2c.emit.text import identifier
from s2c.errors import CompileError, error
from s2c.ir import Graph, Node
from s2c.kernel import usable_kernels
from s2c.ops import OPS
from s2c.passes import CORE_PASSES, SOURCE_PASSES, stages
from s2c.passes.use_bf16 import use_bf16
from s2c.plan import Plan, make_plan
from s2c.precision import gains_by_bf16, refuse_precision
from s2c.readers import load_model
from s2c.silicon.choice import Goal, choose_lanes
from s2c.silicon.refusals import DATAPATH, refuse_flags, refuse_name, refuse_states
from s2c.silicon.schedule import Schedule
from s2c.silicon.stream import Stream
from s2c.silicon.styles import chip_text, make_chip
from s2c.stage_checks import check_plan, check_stage
from s2c.state import keep_states, last_pairs
from s2c.steps import NO_CHOICES, Choices, Kernels, dtype_key
from s2c.target import Target, load_target
from s2c.tune import find_choices

REFERENCE_STAGES = ("fuse_qdq", "use_bf16")  # which may change what the program computes
STAGES = (
    "load",
    *(each.__name__ for each in SOURCE_PASSES),
    "lower",
    *(each.__name__ for each in CORE_PASSES),
    "plan",
    "schedule",
    "emit",
)
CHIP_STAGES = ("schedule",)  # which other targets do not have

MOST_THREADS = 64


@dataclass(frozen=True)
class Request:
    """What the user asked for; equal requests give equal artifacts. consts are arrays by input name; states
    pairs inputs with the outputs that give their values in the next call, last_states so many at the end.
    reproducible: floats give the same bits on every x86-64 and 64-bit Arm processor. threads: that may share
    the work. precision: of contractions' operands, one of PRECISIONS. choices: of kernels and tiles, instead
    of the cost model's; tune: find them by timing. style: of a chip, one of STYLES; None for others. lanes:
    that multiply at once, of a stream at most, or None for as many as it takes without being asked. goal:
    what lanes are chosen for, instead of these.
    """

    model: Path
    target: Target
    name: str
    dims: Mapping[str, int]
    consts: Mapping[str, np.ndarray]
    cc: str | None
    states: Mapping[str, str] = field(default_factory=dict)
    last_states: int = 0
    reproducible: bool = False
    threads: int = 1
    precision: str = "f32"
    choices: Choices = field(default_factory=dict)
    tune: bool = False
    lanes: int | None = None
    goal: Goal | None = None
    style: str | None = None

    def digest(self) -> str:
        """SHA-256 of the flags."""
        states = (sorted(self.states.items()), self.last_states)
        program = (self.cc, self.reproducible, self.threads, self.precision, choices_text(self.choices))
        machine = (self.target.features, self.target.vectors, self.lanes, self.goal, self.style)
        flags = (self.target.name, machine, self.name, sorted(self.dims.items()), states, program)
        hasher = hashlib.sha256(repr(flags).encode())
        for name in sorted(self.consts):
            array = np.ascontiguousarray(self.consts[name])
            hasher.update(repr((name, array.shape, array.dtype.str)).encode())
            hasher.update(array.tobytes())
        return hasher.hexdigest()


@dataclass(frozen=True)
class Compilation:
    """source is the Graph as the reader gives it; reference is what the program must equal: source, with
    quantized ops in the place of floats between quantize and dequantize. Later passes keep all integers."""

    request: Request
    source: Graph
    reference: Graph
    plan: Plan
    bounds: tuple[check.AccumulatorBound, ...]
    schedule: Schedule | None = None  # of a chip that is one datapath
    stream: Stream | None = None  # of one that is a pipeline


def make_request(
    model: str | Path,
    target: str,
    name: str | None = None,
    dims: Mapping[str, int] | None = None,
    consts: Mapping[str, np.ndarray] | None = None,
    cc: str | None = None,
    states: Mapping[str, str] | None = None,
    last_states: int = 0,
    reproducible: bool = False,
    threads: int = 1,
    precision: str = "f32",
    choices: Choices = NO_CHOICES,
    tune: bool = False,
    lanes: int | None = None,
    goal: Goal | None = None,
    style: str | None = None,
) -> Request:
    path = Path(model)
    chosen = load_target(target)
    if chosen.is_chip:
        style = DATAPATH if style is None else style
        refuse_flags(chosen, lanes, reproducible, threads, precision, tune, style)
        lanes = chosen.lanes if lanes is None and style == DATAPATH else lanes
    for flag, value in {} if chosen.is_chip else {"--lanes": lanes, "--style": style}.items():
        if value is not None:
            do = "leave it out, or compile for asic"
            raise error(flag, "a target that is a chip", f"{target}, which is none", do)
    if reproducible and precision != "f32":
        do = "leave one of them out"
        raise error("--reproducible", "sums that every processor can repeat", f"--precision {precision}", do)
    refuse_precision(chosen, precision)
    if tune and (chosen.arch != "native" or cc is not None):
        found = f"{target}, by {cc}" if cc else target
        do = "leave it out: the cost model chooses"
        raise error("--tune", "target host and the bundled compiler, to time calls with", found, do)
    if not 1 <= threads <= MOST_THREADS:
        raise error("--threads", f"1 to {MOST_THREADS}", str(threads), "give a number of cores")
    if threads > 1 and not chosen.threads:
        found = f"{threads} for {target}, which has none"
        raise error("--threads", "1, or a target with threads", found, "leave it out, or compile for host")
    prefix = identifier(name, path)
    if chosen.is_chip:
        refuse_name(prefix)
    return Request(
        path,
        chosen,
        prefix,
        dict(dims or {}),
        dict(consts or {}),
        cc,
        dict(states or {}),
        last_states,
        reproducible,
        threads,
        precision,
        choices,
        tune,
        lanes,
        goal,
        style,
    )


def choices_text(choices: Choices) -> list[str]:
    return [f"{key}: {each}" for key, each in sorted(choices.items())]


def kernels_of(target: Target) -> Kernels:
    """The target's kernels, those for an element type that it does not run left out."""
    kernels = usable_kernels(target.language, target.features)
    return {
        key: found
        for key, found in kernels.items()
        if all(dtype in target.dtypes for dtype in found[0].dtypes)
    }


def load_source(request: Request) -> Graph:
    """The Graph as the model file and the flags give it."""
    graph = load_model(request.model, request.dims, request.consts)
    return keep_states(graph, {**last_pairs(graph, request.last_states), **request.states})


def analyse_model(request: Request) -> Iterator[tuple[str, Graph]]:
    """The Graph after each stage, "load" first."""
    kernels = kernels_of(request.target)

    def has_kernel(node: Node) -> bool:
        return f"{OPS[node.op].stem(node)}_{dtype_key(node)}" in kernels

    graph = load_source(request)
    yield "load", graph
    for stage in stages(graph, has_kernel):
        graph = stage[1]
        yield stage
    if request.precision == "bf16":
        yield "use_bf16", use_bf16(graph, lambda node: gains_by_bf16(node, kernels))


def compile_model(request: Request, checked: bool = False) -> Compilation:
    """Raises CompileError. checked: asserts with the oracle that no stage moves the result."""
    source: Graph | None = None
    reference: Graph | None = None
    graph: Graph | None = None
    dump = dump_folder()
    for index, (stage, graph) in enumerate(analyse_model(request)):
        source = source or graph
        reference = graph if stage in REFERENCE_STAGES else reference
        if dump is not None:
            write_dump(dump, f"{index:02d}_{stage}.txt", str(graph))
        if checked:
            check_stage(stage, source, None if stage in REFERENCE_STAGES else reference, graph)
    assert source is not None
    assert reference is not None
    assert graph is not None
    check.check_types(graph)
    bounds = check.accumulator_bounds(graph)
    kernels, vectors = kernels_of(request.target), request.target.vectors
    if request.tune:
        found = find_choices(graph, kernels, request.target, request.reproducible)
        request = replace(request, choices=found, tune=False)
    if request.target.is_chip:
        refuse_states(request.target, graph)
    plan = make_plan(graph, kernels, vectors, request.threads, request.choices)
    request = with_lanes(request, plan)
    chip = chip_of(request, plan)
    if dump is not None:
        write_dump(dump, "90_plan.txt", str(plan))
    if dump is not None and chip is not None:
        write_dump(dump, "91_schedule.txt", chip_text(chip))
    if checked:
        check_plan(reference, plan)
    refuse_large(request, plan)
    schedule = chip if isinstance(chip, Schedule) else None
    stream = chip if isinstance(chip, Stream) else None
    return Compilation(request, source, reference, plan, bounds, schedule, stream)


def with_lanes(request: Request, plan: Plan) -> Request:
    """With lanes in the place of the goal that they are chosen for."""
    if request.goal is None:
        return request
    return replace(request, lanes=choose_lanes(plan, request.goal, request.style or DATAPATH), goal=None)


def chip_of(request: Request, plan: Plan) -> Schedule | Stream | None:
    """None for targets that are none. Raises CompileError."""
    return None if request.style is None else make_chip(plan, request.style, request.lanes)


def refuse_large(request: Request, plan: Plan) -> None:
    """Before anything is emitted: an arena or constants that cannot fit need no compiler to be refused."""
    flash, ram = request.target.memory("flash"), request.target.memory("ram")
    if ram is not None and plan.arena_bytes > ram.size:
        raise too_large(request, "RAM", ram.size, plan.arena_bytes, "arena")
    constants = constant_bytes(plan)
    if flash is not None and constants > flash.size:
        raise too_large(request, "flash", flash.size, constants, "constants")


def too_large(request: Request, memory: str, limit: int, needed: int, what: str) -> CompileError:
    return error(
        request.name,
        f"at most {limit} bytes of {memory}, which {request.target.name} has",
        f"{needed} bytes of {what}",
        "choose a target with more memory, or a smaller net",
    )


def dump_folder() -> Path | None:
    """S2C_DUMP names a folder that gets the text of every stage."""
    name = os.environ.get("S2C_DUMP")
    if not name:
        return None
    path = Path(name)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_dump(dump: Path | None, name: str, text: str) -> None:
    if dump is not None:
        (dump / name).write_text(text, encoding="utf-8")


@contextmanager
def staged_folder(final: Path) -> Iterator[Path]:
    """A folder that takes the place of `final` when the block ends; when it raises, all is as it was."""
    missing = [parent for parent in final.parents if not parent.exists()]
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{final.name}.", dir=final.parent) as temporary:
            staged = Path(temporary) / "new"
            staged.mkdir()
            yield staged
            if final.exists():
                final.rename(Path(temporary) / "old")
            staged.rename(final)
    finally:
        if not final.exists():
            for parent in missing:
                with suppress(OSError):
                    parent.rmdir()


def stage_text(request: Request, stage: str) -> str:
    """The Graph, the Plan, a chip's Schedule or the source after the first stage of that name."""
    known = [each for each in dict.fromkeys(STAGES) if request.target.is_chip or each not in CHIP_STAGES]
    if stage not in known:
        raise error("--stop-after", f"one of {', '.join(known)}", stage, "name one of these")
    for name, graph in analyse_model(request):
        if name == stage:
            return str(graph)
    check.accumulator_bounds(graph)
    plan = make_plan(
        graph, kernels_of(request.target), request.target.vectors, request.threads, request.choices
    )
    if stage == "plan":
        return str(plan)
    target = request.target
    chip = chip_of(with_lanes(request, plan), plan)
    if chip is not None:
        if stage == "schedule":
            return chip_text(chip)
        return emit_chip(chip, request.name, request.name)[f"{request.name}.v"]
    checked, reproducible = target.checks_processor, request.reproducible
    return emit_source(plan, request.name, request.name, target.language, checked, reproducible)
