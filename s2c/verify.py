"""An artifact to a Verification: what is proved of it, what was tested, what failed, what is not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from s2c import oracle
from s2c.artifact import entry
from s2c.check import ACCUMULATOR_LIMIT
from s2c.claims import Arrays, Claim, Run, make_claim
from s2c.compare import TOLERANCE, Comparison
from s2c.driver import Compilation
from s2c.errors import NOT_INSTALLED, CompileError
from s2c.image import Facts, analyse
from s2c.inputs import adversarial_inputs, random_inputs
from s2c.ir import Graph
from s2c.process import ProcessError
from s2c.program import Program
from s2c.recompile import artifact_claim, recompile, refused
from s2c.rounding import SAMPLES, SEED, compare_outputs, trace_rounding_again
from s2c.silicon.claims import chip_claims
from s2c.target import load_target

RANDOM = "random"  # how the names of ordinary inputs begin
# Flushing subnormals moves sums by less than this, which is far below what 1e-5 means for any useful output.
FLUSHED = 1e-30
# Where a net amplifies rounding beyond TOLERANCE: so many times what rounding once more does.
ROUNDINGS = 4
ORDINARY = 1000.0  # larger inputs may overflow on the way; then see Run.overflows
ALLOCATORS = frozenset(
    ("malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign", "sbrk", "_sbrk", "mmap")
)

Track = Callable[[Sequence[tuple[str, Arrays]]], Iterable[tuple[str, Arrays]]]


@dataclass(frozen=True)
class Verification:
    """max_error: the largest difference from the oracle; floats relative to their output's magnitude,
    integers in steps. instructions, cycles: {min, max} over all inputs. None: not known, and unproved says
    why; cycles are those of chips, whose stack_bytes, rom_bytes and mallocs are the model's."""

    ok: bool
    bit_exact: bool
    max_error: float
    inputs: int
    instructions: Mapping[str, int] | None
    cycles: Mapping[str, int] | None
    arena_bytes: int
    stack_bytes: int | None
    rom_bytes: int
    mallocs: int | None
    unproved: tuple[str, ...]
    failures: tuple[str, ...]
    claims: tuple[Claim, ...]


def verify(folder: Path, inputs: int = 64, track: Track = iter) -> Verification:
    """inputs: random ones, besides the adversarial.

    Raises CompileError where the folder has no artifact, or where what reads its model is not installed.
    """
    with Program(folder) as program:
        manifest = program.manifest
        target = load_target(manifest["target"])
        try:
            compilation = recompile(folder, manifest)
        except CompileError as problem:
            if any(each.found == NOT_INSTALLED for each in problem.problems):
                raise
            return conclude(manifest, None, [], [refused(problem)])
        image = program.image()
        facts = analyse(image.path, image.object, entry(program.name, target), target.arch)
        reference = compilation.reference
        chosen = choose_inputs(reference, inputs)
        runs = try_inputs(program, reference, chosen, track)
        claims = [
            artifact_claim(folder, manifest, compilation, facts),
            outputs_claim(runs),
            *threads_claims(manifest, runs),
            *(
                [*chip_claims(folder, manifest, reference, runs, chosen), accumulators_claim(compilation)]
                if target.is_chip
                else program_claims(manifest, compilation, facts, runs, target.emulated)
            ),
        ]
    return conclude(manifest, facts, runs, claims)


def program_claims(
    manifest: Mapping[str, Any],
    compilation: Compilation,
    facts: Facts,
    runs: Sequence[Run],
    is_emulated: bool,
) -> list[Claim]:
    """On machine code: a chip's image is its model, of whose code nothing is to be claimed."""
    return [
        instructions_claim(manifest, runs, is_emulated),
        accumulators_claim(compilation),
        *image_claims(facts, runs),
    ]


def threads_claims(manifest: Mapping[str, Any], runs: Sequence[Run]) -> list[Claim]:
    """The harness runs a net that threads share both ways, and ends where the bytes differ."""
    if manifest["threads"] == 1:
        return []
    source = f"{manifest['name']}_team.c"
    unproved = [f"threads: {source} waits for threads and calls the system: its code is not followed"]
    return [
        make_claim("bits of one thread", "tested", f"{manifest['threads']} threads, {len(runs)} inputs"),
        make_claim("the threads' own code", "unproved", "not followed", (), unproved),
    ]


def conclude(
    manifest: Mapping[str, Any], facts: Facts | None, runs: Sequence[Run], claims: Sequence[Claim]
) -> Verification:
    errors = relative_errors(runs)
    has_mallocs = facts is None or bool(facts.undefined_symbols)
    failures = [f"{claim.name}: {text}" for claim in claims for text in claim.failures]
    return Verification(
        ok=not failures,
        bit_exact=bool(errors) and all(each.comparison.is_exact for each in errors),
        max_error=max((each.size for each in errors), default=0.0),
        inputs=len(runs),
        instructions=extremes(runs, "instructions"),
        cycles=extremes(runs, "cycles"),
        arena_bytes=manifest["arena_bytes"],
        stack_bytes=facts.stack_bytes if facts else None,
        rom_bytes=facts.rom_bytes if facts else manifest["rom_bytes"],
        mallocs=None if has_mallocs else 0,
        unproved=tuple(dict.fromkeys(text for claim in claims for text in claim.unproved)),
        failures=tuple(failures),
        claims=tuple(claims),
    )


def extremes(runs: Sequence[Run], counter: str) -> dict[str, int] | None:
    counts = [run.counters[counter] for run in runs if counter in run.counters]
    return {"min": min(counts), "max": max(counts)} if counts else None


# runs


def choose_inputs(graph: Graph, count: int) -> list[tuple[str, Arrays]]:
    source = np.random.default_rng(SEED)
    return [
        *((f"{RANDOM} {index}", random_inputs(graph, source)) for index in range(count)),
        *adversarial_inputs(graph).items(),
    ]


def try_inputs(
    program: Program, graph: Graph, inputs: Sequence[tuple[str, Arrays]], track: Track
) -> list[Run]:
    """Runs the image and the oracle on each; an image that ends early ends the list.

    A net with state keeps it from one input to the next, but for inputs that no ordinary call would leave
    anything sensible after: each of these comes first in a process of its own. Where floats are kept, so does
    what rounding moves: shadows are the states of the oracle when it rounds again.
    """
    runs: list[Run] = []
    source = np.random.default_rng(SEED)
    fresh: list[oracle.Values] = [{} for _ in range(SAMPLES if keeps_floats(graph) else 0)]
    states: oracle.Values = {}
    shadows = fresh
    with ExitStack() as stack:
        process = stack.enter_context(program.start(count_calls=True))
        for name, arrays in track(inputs):
            if graph.states and not name.startswith(RANDOM):
                stack.close()
                process = stack.enter_context(program.start(count_calls=True))
                states, shadows = {}, fresh
            try:
                found, counters = program.run(process, arrays)
            except ProcessError as problem:
                return [*runs, Run(name, False, ended=str(problem))]
            with np.errstate(all="ignore"):
                values = oracle.trace(graph, *arrays, states=states)
            moved = [trace_rounding_again(graph, arrays, each, source) for each in shadows]
            run = Run(name, is_ordinary(arrays), (), counters, overflows=overflows(values))
            comparisons = compare_outputs(graph, arrays, values, states, found, moved)
            runs.append(replace(run, comparisons=comparisons))
            states = oracle.next_states(graph, values)
            shadows = [oracle.next_states(graph, each) for each in moved]
    return runs


def keeps_floats(graph: Graph) -> bool:
    return any(each.node.type.dtype == "f32" for each in graph.states)


def is_ordinary(arrays: Arrays) -> bool:
    return all(each.dtype.kind != "f" or np.abs(each).max() <= ORDINARY for each in arrays)


def overflows(values: oracle.Values) -> bool:
    return not all(np.isfinite(each).all() for each in values.values())


# claims on runs


def usual_magnitudes(runs: Sequence[Run]) -> list[float]:
    """Of each output, the median over ordinary inputs of its largest magnitude: an output that happens to be
    near 0 for one input is not held to digits that its own sum does not have."""
    ordinary = [run.comparisons for run in runs if run.is_ordinary and run.comparisons]
    return [float(np.median([each.largest for each in output])) for output in zip(*ordinary, strict=True)]


@dataclass(frozen=True)
class Error:
    """Of one output of one run: relative for floats, in steps for integers. allowed: what rounding does.
    may_part: NaN, infinite and finite values need not agree."""

    where: str
    may_part: bool
    comparison: Comparison
    size: float
    allowed: float


def relative_errors(runs: Sequence[Run]) -> list[Error]:
    usual = usual_magnitudes(runs)
    result = []
    for run in runs:
        for index, each in enumerate(run.comparisons):
            scale = (
                max(each.largest, FLUSHED / TOLERANCE, *usual[index : index + 1]) if each.is_float else 1.0
            )
            allowed = max(TOLERANCE, ROUNDINGS * each.sensitivity / scale)
            where = f"input {run.name!r}, output {index}"
            may_part = run.overflows and not run.is_ordinary
            result.append(Error(where, may_part, each, each.difference / scale, allowed))
    return result


def outputs_claim(runs: Sequence[Run]) -> Claim:
    failures = [f"input {run.name!r}: {run.ended}" for run in runs if run.ended]
    remarks: list[str] = []
    errors = relative_errors(runs)
    for each in errors:
        if each.size > each.allowed:
            failures.append(f"{each.where}: the largest error is {each.size:.3g}")
        elif each.size > TOLERANCE:
            remarks.append(f"{each.where}: an error of {each.size:.2g}, which rounding alone may cause here")
        if each.comparison.apart:
            text = f"{each.where}: {each.comparison.apart} NaN or infinite values are not the oracle's"
            if each.may_part:
                remarks.append(f"{text}; the net overflows, and the order of its sums decides")
            else:
                failures.append(text)
    worst = max((each.size for each in errors), default=0.0)
    is_exact = all(each.comparison.is_exact for each in errors)
    found = "equal to the bit" if is_exact else f"largest error {worst:.2g}"
    evidence = f"{len(runs)} inputs, " + ("not all ran" if any(run.ended for run in runs) else found)
    status = "failed" if failures else "tested"
    unproved = tuple(f"outputs: {text}" for text in remarks)
    return Claim("outputs equal the oracle", status, evidence, tuple(failures), unproved)


def instructions_claim(manifest: Mapping[str, Any], runs: Sequence[Run], is_emulated: bool) -> Claim:
    name = "one instruction count"
    if not is_emulated:
        reason = f"instruction count: {manifest['target']} runs without an emulator, so nothing counts them"
        return make_claim(name, "tested", "not counted", unproved=[reason])
    counted = [run for run in runs if run.counters]
    if not counted:
        return make_claim(name, "tested", "no run", unproved=["instruction count: no input ran to its end"])
    failures = [text for run in counted[1:] for text in count_differences(manifest, counted[0], run)]
    counts = sorted({run.counters["instructions"] for run in counted})
    evidence = f"{counts[0]:,}" + (f" to {counts[-1]:,}" if len(counts) > 1 else "")
    evidence += f" on {len(counted)} inputs"
    return make_claim(name, "tested", evidence, failures)


def count_differences(manifest: Mapping[str, Any], first: Run, other: Run) -> list[str]:
    """A line for each layer whose instructions differ between two runs."""
    pairs = zip(manifest["calls"], first.counters["calls"], other.counters["calls"], strict=True)
    lines = [
        f"{call['layer']} ({call['kernel']}): {a:,} on input {first.name!r}, {b:,} on input {other.name!r}"
        for call, a, b in pairs
        if a != b
    ]
    if not lines and first.counters["instructions"] != other.counters["instructions"]:
        lines = [f"before the first layer: inputs {first.name!r} and {other.name!r} differ"]
    return lines


# claims on the image and the weights


def accumulators_claim(compilation: Compilation) -> Claim:
    bounds = compilation.bounds
    if not bounds:
        return make_claim("no accumulator overflows", "proved", "the net has no integer contraction")
    widest = max(bounds, key=lambda each: each.bound)
    evidence = f"at most {widest.bound:,} of {ACCUMULATOR_LIMIT:,} in {len(bounds)} layers"
    return make_claim("no accumulator overflows", "proved", evidence)


def image_claims(facts: Facts, runs: Sequence[Run]) -> list[Claim]:
    """facts.unproved is about code that could not be followed, which leaves every claim on the code open."""
    painted = max((run.counters["stack_bytes"] for run in runs if run.counters), default=0)
    count = len(facts.calls)
    bound = facts.stack_bytes
    overrun = [f"{painted:,} bytes were painted"] if bound is not None and painted > bound else []
    symbols = {name: f"mallocs: the net's object refers to {name}" for name in facts.undefined_symbols}
    malloc = [text for name, text in symbols.items() if name in ALLOCATORS]
    unknown = [text for name, text in symbols.items() if name not in ALLOCATORS]
    writable = [f"{facts.writable_bytes:,} bytes of static variables"] if facts.writable_bytes else []
    stack = "no bound" if bound is None else f"{bound:,} bytes"
    followed = f"in {count} functions"
    return [
        make_claim("stack bound", "proved", f"{stack}; at most {painted:,} used", overrun, facts.unproved),
        make_claim("no recursion", "proved", followed, facts.recursive, facts.unproved),
        make_claim("no call out of the image", "proved", followed, facts.outside, facts.unproved),
        make_claim("no slow instruction", "proved", followed, facts.variable_latency, facts.unproved),
        make_claim("no malloc", "proved", "the object needs no symbol", malloc, unknown),
        make_claim("no memory but arena and stack", "proved", "no static variables", writable),
    ]
