"""Plan -> Schedule: a chip's program, what its ROMs hold, and every cycle that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from s2c.errors import CompileError, Problem, error
from s2c.plan import Call, Plan
from s2c.silicon.contraction import schedule_average, schedule_contraction, schedule_most
from s2c.silicon.datapath import Lanes, make_lanes
from s2c.silicon.hazards import Clock
from s2c.silicon.instructions import Back, Front, Instruction, Rounding, Unit
from s2c.silicon.movement import schedule_gather, schedule_insert, schedule_max, schedule_relu
from s2c.silicon.tables import schedule_add, schedule_map
from s2c.silicon.words import ParamWords, TableWords, WeightWords

WORTH_BANKS = 1.02

MOST_CYCLES = 1 << 31


@dataclass(frozen=True)
class Roms:
    """weights: int8 [words, lanes]. bias, multiplier, shift: [words, results]. tables: [tables, 256], by the
    value plus 128. powers: of each softmax, 256 entries of Q0.31 by the difference."""

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    tables: np.ndarray
    powers: np.ndarray
    is_uniform: bool  # multiplier and shift stand in the instructions, too


@dataclass(frozen=True)
class Schedule:
    """starts: the cycle of each instruction's first step; the chip is started in cycle 0. finish: cycles
    between the last instruction's last step and the end, beyond those that fetching the end takes. cycles:
    up to the one in which it says that it is done."""

    plan: Plan
    lanes: Lanes
    instructions: tuple[Instruction, ...]
    roms: Roms
    starts: tuple[int, ...]
    finish: int
    cycles: int


def make_schedule(plan: Plan, lanes: int) -> Schedule:
    """Raises CompileError naming each layer that the datapath cannot compute."""
    return schedule_on(plan, make_lanes(lanes))


def schedule_on(plan: Plan, lanes: Lanes, schedulers: Schedulers | None = None) -> Schedule:
    """schedulers: of each kernel's calls; None: SCHEDULERS. Lanes share results where that saves cycles; if
    it is nearly none, and nothing else wants several bytes at once, they do not: then the arena is one memory
    of bytes, without shifters before and behind it."""
    shared = schedule_calls(plan, lanes, schedulers)
    fronts = [each.front for each in shared.instructions]
    if any(each.channelwise for each in fronts) or not any(each.merge for each in fronts):
        return shared
    alone = schedule_calls(plan, replace(lanes, may_merge=False), schedulers)
    return alone if alone.cycles <= shared.cycles * WORTH_BANKS else shared


def schedule_calls(plan: Plan, chosen: Lanes, schedulers: Schedulers | None = None) -> Schedule:
    gathered = Gathered(WeightWords(chosen.count), ParamWords(chosen.results), TableWords(), TableWords())
    problems: list[Problem] = []
    instructions: list[Instruction] = []
    for index, call in enumerate(plan.calls):
        try:
            refuse_constants(call)
            pairs = (schedulers or SCHEDULERS)[call.kernel.key](call, chosen, gathered)
        except CompileError as problem:
            problems += problem.problems
            continue
        macs = [call.macs, *(0 for _ in pairs[1:])]
        instructions += [
            Instruction(call.layer, index, front, scaled(back, gathered.params), count)
            for (front, back), count in zip(pairs, macs, strict=True)
        ]
    if problems:
        raise CompileError(tuple(problems))
    return with_waits(plan, chosen, instructions, gathered)


def scaled(back: Back | None, params: ParamWords) -> Back | None:
    """With a word of parameters, where it names no rounding."""
    return params.place_unscaled(back) if back and back.rounding == Rounding.NONE else back


def refuse_long(lanes: int, cycles: int) -> None:
    """Simulators and the model in C count cycles in 32 bits."""
    if cycles >= MOST_CYCLES:
        raise error(
            f"--lanes {lanes}",
            f"fewer than {MOST_CYCLES:,} cycles",
            f"{cycles:,}",
            "take more lanes, or compile for host",
        )


def refuse_constants(call: Call) -> None:
    if not all(isinstance(each, int) for each in call.inputs):
        raise error(
            call.layer,
            "operands that the net computes, on this target",
            "one that is constant",
            "make it a bias of the layer before, or compile for cortex-m4 or host",
        )


@dataclass
class Gathered:
    """What the calls have put into the ROMs so far."""

    weights: WeightWords
    params: ParamWords
    tables: TableWords
    powers: TableWords


Pairs = list[tuple[Front, Back | None]]


def softmax(call: Call, lanes: Lanes, roms: Gathered) -> Pairs:
    source = call.inputs[0]
    assert isinstance(source, int), call.layer
    front = Front(
        unit=Unit.SOFTMAX,
        address=source,
        words=roms.powers.add(call.consts["exponentials"]),
        output=call.output,
        count=int(call.params["rows"]),
        size=int(call.params["size"]),
    )
    return [(front, None)]


Schedulers = Mapping[str, Callable[[Call, Lanes, Gathered], Pairs]]  # by a kernel's key

SCHEDULERS: Schedulers = {
    "add_i8": lambda call, lanes, roms: [schedule_add(call, lanes, roms.tables, roms.params)],
    "average_pool_i8": lambda call, lanes, roms: [schedule_average(call, lanes, roms.params)],
    "gather_i8": lambda call, lanes, roms: [*schedule_gather(call, lanes)],
    "insert_i8": lambda call, lanes, roms: [*schedule_insert(call, lanes)],
    "map_i8": lambda call, lanes, roms: [schedule_map(call, lanes, roms.tables)],
    "matmul_i8": lambda call, lanes, roms: [schedule_contraction(call, lanes, roms.weights, roms.params)],
    "max_i8": lambda call, lanes, roms: [*schedule_max(call, lanes)],
    "recenter_i8_u8": lambda call, lanes, roms: [schedule_map(call, lanes, roms.tables)],
    "recenter_u8_i8": lambda call, lanes, roms: [schedule_map(call, lanes, roms.tables)],
    "relu_i8": lambda call, lanes, roms: [*schedule_relu(call, lanes)],
    "softmax_i8": softmax,
    "window_matmul_i8": lambda call, lanes, roms: [
        schedule_contraction(call, lanes, roms.weights, roms.params)
    ],
    "window_max_i8": lambda call, lanes, roms: [schedule_most(call, lanes)],
}


def with_waits(plan: Plan, lanes: Lanes, instructions: list[Instruction], gathered: Gathered) -> Schedule:
    """Each instruction starts as early as no read and no write comes out of order."""
    clock = Clock(plan.arena_bytes, lanes)
    placed: list[Instruction] = []
    starts: list[int] = []
    for each in instructions:
        wait = clock.wait_for(each)
        starts.append(clock.place(each, wait))
        placed.append(replace(each, front=replace(each.front, wait=wait)))
    finish = clock.wait_for_end()
    bias, multiplier, shift = gathered.params.arrays()
    roms = Roms(
        weights=gathered.weights.array(),
        bias=bias,
        multiplier=multiplier,
        shift=shift,
        tables=gathered.tables.array(),
        powers=gathered.powers.array(),
        is_uniform=gathered.params.is_uniform(),
    )
    return Schedule(plan, lanes, tuple(placed), roms, tuple(starts), finish, clock.next_start + finish)
