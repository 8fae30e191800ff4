"""Schedules of a chip against the oracle and against what they promise; nothing is built."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from chip import Chip, plan_for_chip
from graphs import GEOMETRY, QUANT, integers, random_arrays, random_graph, seeded, single, tensor

from s2c import oracle
from s2c.errors import CompileError
from s2c.ir import Graph, Quant
from s2c.ops import make
from s2c.silicon.choice import Goal, choose_lanes
from s2c.silicon.hazards import Clock
from s2c.silicon.instructions import Front, Unit, count_loops, make_loops, walk
from s2c.silicon.occupancy import compare_lanes, spans
from s2c.silicon.schedule import Schedule, make_schedule

SEEDS = range(40)
LANES = (1, 2, 8, 16)
COMPUTED = "operands that the net computes, on this target"
INPUTS = 4  # of each hurried schedule
NEEDED = 0.8  # of the waits for bytes, on up to 8 lanes


@lru_cache(None)
def schedules(seed: int) -> list[tuple[Graph, Schedule]]:
    """Of a random net on several numbers of lanes; none where it has a layer that a chip refuses."""
    graph = random_graph(seeded(seed), "i8", 6)
    try:
        plan = plan_for_chip(graph)
        return [(graph, make_schedule(plan, lanes)) for lanes in LANES]
    except CompileError:
        return []


@pytest.mark.parametrize("seed", SEEDS)
def test_schedules_equal_the_oracle(seed: int) -> None:
    for graph, schedule in schedules(seed):
        arrays = random_arrays(graph, seed)
        wanted = oracle.run(graph, *arrays)
        found = Chip(schedule, arrays).run()
        for a, b in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(a, b, f"seed {seed}, {schedule.lanes.count} lanes")


def test_only_these_random_nets_are_refused() -> None:
    found = {seed: refusals(seed) for seed in SEEDS if not schedules(seed)}
    products = {("an op that this target computes", "mul_i8")}
    constants = {(COMPUTED, "one that is constant")}
    assert found == {
        **dict.fromkeys((0, 4, 21, 22, 23, 28), products),
        **dict.fromkeys((6, 8, 10, 18, 30, 33, 39), constants),
    }


def refusals(seed: int) -> set[tuple[str, str]]:
    with pytest.raises(CompileError) as caught:
        make_schedule(plan_for_chip(random_graph(seeded(seed), "i8", 6)), 8)
    return {(problem.wanted, problem.found) for problem in caught.value.problems}


def waits_for_bytes(schedule: Schedule) -> list[int]:
    """Instructions that wait for what they read: others wait for the back half's fields, which Chip does not
    have."""
    clock = Clock(schedule.plan.arena_bytes, schedule.lanes)
    found = []
    for at, (each, start) in enumerate(zip(schedule.instructions, schedule.starts, strict=True)):
        wait = clock.wait_for(each)
        clock.switch, switch = 0, clock.switch
        if wait and clock.wait_for(each) == wait:
            found.append(at)
        clock.switch = switch
        assert clock.place(each, wait) == start
    return found


def test_waits_are_needed() -> None:
    """Most instructions that wait for bytes give other outputs for some input when they start a cycle
    earlier."""
    waits = needed = 0
    for seed in SEEDS:
        for graph, schedule in schedules(seed)[:3]:
            runs = [random_arrays(graph, number) for number in range(INPUTS)]
            wanted = [oracle.run(graph, *arrays) for arrays in runs]
            for at in waits_for_bytes(schedule):
                early = tuple(start - 1 for start in schedule.starts[at:])
                hurried = replace(schedule, starts=(*schedule.starts[:at], *early))
                waits += 1
                needed += any(
                    not all(map(np.array_equal, outputs, Chip(hurried, arrays).run()))
                    for arrays, outputs in zip(runs, wanted, strict=True)
                )
    assert waits >= 10
    assert needed >= NEEDED * waits, (needed, waits)


@pytest.mark.parametrize("counts", [(3,), (1, 1), (2, 3, 4), (4, 1, 2, 3)])
def test_walks_add_strides(counts: tuple[int, ...]) -> None:
    levels = [(count, 1 << 4 * at, 3 * at, -at) for at, count in enumerate(counts)]
    front = Front(Unit.MULTIPLY, 0, loops=make_loops(levels), tile_loops=count_loops(levels[:1]))
    strides = np.array(levels)[:, 1:]
    indices = product(*(range(count) for count in counts[::-1]))
    wanted = [tuple(np.array(index[::-1]) @ strides) for index in indices]
    assert [(step.address, step.line, step.offset) for step in walk(front, 1 << 20)] == wanted


def test_steps_follow_each_other() -> None:
    """An instruction's cycles are those of its walk, and none begins before the one before has ended."""
    for seed in SEEDS:
        for _, schedule in schedules(seed):
            behind = 0
            for each, start in zip(schedule.instructions, schedule.starts, strict=True):
                assert start >= behind + 2
                behind = start + each.front.cycles - 1
                if each.front.unit != Unit.SOFTMAX:
                    assert [step.cycle for step in walk(each.front, 1 << 20)][-1] == each.front.cycles - 1
            assert schedule.cycles > behind


def test_lanes_to_choose_from() -> None:
    plan = next(plan_for_chip(random_graph(seeded(seed), "i8", 6)) for seed in SEEDS if schedules(seed))
    rows = compare_lanes(plan)
    for row in rows:
        fitting = [each.cost.lanes for each in rows if each.cost.cycles <= row.cost.cycles]
        assert choose_lanes(plan, Goal(row.cost.cycles / 50, 50.0, None)) == fitting[0]
        schedule = make_schedule(plan, row.cost.lanes)
        assert sum(span.cycles for span in spans(schedule)) < row.cost.cycles
        assert all(0 <= span.share <= 1 for span in spans(schedule))


@pytest.mark.parametrize("scales", [(0.001, 1e-14), (1e-14, 0.001), (1e-14, 1e-14)])
def test_channels_too_small_to_scale(scales: tuple[float, float]) -> None:
    """A multiplier of 0 is a channel's own, and not that of a lane without one."""
    x = tensor("x", 1, 3, 3, 2, quant=QUANT)
    weight = integers(seeded(1), 2, 1, 1, 2)
    attrs = {"weight": weight, "bias": np.array([100, 5000], np.int32), "groups": 1}
    attrs |= GEOMETRY | {"weight_scale": np.array(scales, np.float32)}
    graph = single(make("conv2d", (x,), "layer", Quant((0.01,), -3), **attrs), x)
    arrays = random_arrays(graph)
    for lanes in LANES:
        schedule = make_schedule(plan_for_chip(graph), lanes)
        np.testing.assert_array_equal(Chip(schedule, arrays).run()[0], oracle.run(graph, *arrays)[0])
