"""Streams against the oracle, frame after frame on rings of their sizes; nothing is built."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from chip import plan_for_chip
from graphs import GEOMETRY, QUANT, integers, random_arrays, random_graph, seeded, single, tensor
from stream_chip import run_stream

from s2c import oracle
from s2c.errors import CompileError
from s2c.ir import Graph
from s2c.ops import make
from s2c.plan import Plan
from s2c.silicon.choice import Goal, choose_lanes
from s2c.silicon.devices import load_device
from s2c.silicon.folding import choose_fold, fold, make_folds
from s2c.silicon.refusals import STREAM
from s2c.silicon.stream import FIRST_START, ROWS, Stage, Stream, make_stream
from s2c.silicon.stream_cost import all_rings, estimate_stream, stream_cost, stream_lanes
from s2c.silicon.stream_stages import occupied_cycles, stage_options
from s2c.silicon.stream_text import stream_text

SEEDS = range(40)
MORE = range(120)  # where nothing is simulated but in Python
LANES = (1, 2, 16, 64)
FRAMES = 4
NEEDED = 0.6  # of the starts, and of the rings


@lru_cache(None)
def streams(seed: int) -> list[tuple[Graph, Stream]]:
    """Of a random net, with the same lanes for each stage, and with lanes that differ; none where it has a
    layer that no stage computes. Outputs that are inputs are left out."""
    graph = random_graph(seeded(seed), "i8", 6)
    graph = Graph(graph.inputs, tuple(each for each in graph.outputs if each not in graph.inputs))
    pick = seeded(seed)
    try:
        plan = plan_for_chip(graph)
        mixed = [LANES[pick(0, len(LANES) - 1)] for _ in plan.calls]
        same = [[lanes] * len(plan.calls) for lanes in LANES]
        return [(graph, make_stream(plan, each)) for each in [*same, mixed]]
    except CompileError:
        return []


@pytest.mark.parametrize("seed", MORE)
def test_streams_equal_the_oracle(seed: int) -> None:
    for graph, stream in streams(seed):
        frames = [random_arrays(graph, number) for number in range(FRAMES)]
        found, launches = run_stream(stream, frames)
        assert launches == [1 + number * stream.interval for number in range(FRAMES)]
        for arrays, outputs in zip(frames, found, strict=True):
            for a, b in zip(oracle.run(graph, *arrays), outputs, strict=True):
                np.testing.assert_array_equal(a, b, f"seed {seed}\n{stream_text(stream)}")


def is_right(graph: Graph, stream: Stream, frames: int = 3) -> bool:
    """Whether inputs of several kinds give the oracle's outputs."""
    inputs = [random_arrays(graph, number) for number in range(frames)]
    wanted = [oracle.run(graph, *arrays) for arrays in inputs]
    found, _ = run_stream(stream, inputs)
    return all(map(np.array_equal, sum(wanted, ()), sum(found, ())))


@pytest.mark.parametrize("seed", SEEDS)
def test_outputs_that_nobody_takes_hold_up_launches(seed: int) -> None:
    for graph, stream in streams(seed)[-1:]:
        frames = [random_arrays(graph, number) for number in range(stream.frames + 3)]
        found, launches = run_stream(stream, frames, held_up=(stream.frames + 1) * stream.interval)
        at_once = [1 + number * stream.interval for number in range(len(frames))]
        assert launches[: stream.frames] == at_once[: stream.frames]
        assert launches[stream.frames] > at_once[stream.frames]
        for arrays, outputs in zip(frames, found, strict=True):
            assert all(map(np.array_equal, oracle.run(graph, *arrays), outputs))


def test_stages_start_as_early_as_they_can() -> None:
    """Most stages that start a cycle earlier, after others, give other outputs for some input."""
    starts = needed = 0
    for seed in SEEDS:
        for graph, stream in streams(seed)[::2]:
            for at, stage in enumerate(stream.stages):
                if stage.start > FIRST_START and any(ring.source >= 0 for ring in stage.rings):
                    hurried = replace(stage, start=stage.start - 1)
                    starts += 1
                    needed += not is_right(graph, with_stage(stream, at, hurried))
    assert starts >= 30
    assert needed >= NEEDED * starts, (needed, starts)


def test_rings_are_no_larger_than_needed() -> None:
    """Most rings that are larger than two rows give other outputs for some input when they have half the
    size."""
    rings = needed = 0
    for seed in SEEDS:
        for graph, stream in streams(seed)[::2]:
            for at, stage in enumerate(stream.stages):
                if all(ring.capacity > ROWS * ring.width for ring in stage.rings):
                    halves = tuple(replace(ring, capacity=ring.capacity // 2) for ring in stage.rings)
                    rings += 1
                    needed += not is_right(graph, with_stage(stream, at, replace(stage, rings=halves)))
    assert rings >= 30
    assert needed >= NEEDED * rings, (needed, rings)


def with_stage(stream: Stream, at: int, stage: Stage) -> Stream:
    return replace(stream, stages=(*stream.stages[:at], stage, *stream.stages[at + 1 :]))


def layers() -> Plan:
    """A convolution, a pool and a dense layer, of which two multiply."""
    x = tensor("x", 1, 6, 6, 2, quant=QUANT)
    pads = {"pads": ((1, 1), (1, 1))}
    conv = make("conv2d", (x,), "conv", QUANT, **weights_of(4, 3, 3, 2), **GEOMETRY | pads, groups=1)
    pool = {"kernel": (2, 2), "stride": (2, 2), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}
    pooled = make("max_pool", (conv,), "pool", QUANT, **pool)
    return plan_for_chip(single(make("dense", (pooled,), "dense", QUANT, **weights_of(3, 4)), x))


def weights_of(outputs: int, *rest: int) -> dict[str, np.ndarray]:
    weight = integers(seeded(1), outputs, *rest)
    return {"weight": weight, "bias": np.zeros(outputs, np.int32), "weight_scale": np.float32([0.01])}


def test_text_of_a_stream() -> None:
    assert stream_text(make_stream(layers(), (4, 1, 2))) == (
        "lanes 6, cycles 875, interval 648, frames 2\n"
        "1: multiply lanes=4 cycles=648 tile=6x3 loops=6x6 rounding=twice rings=256<input0  # 'conv'\n"
        "158: most lanes=1 cycles=634 tile=2x2 loops=4x3x3 gap=14 rounding=none rings=64<stage0  # 'pool'\n"
        "231: multiply lanes=2 cycles=626 tile=2 loops=3x9 gap=22 rounding=once rings=8<stage1  # 'dense'\n"
        "874: end rings=64<stage2\n"
    )


def test_lanes_are_shared_out() -> None:
    """Any lanes more make no stage faster than the slowest."""
    plan = layers()
    folds = make_folds(plan)
    assert [each.lanes for each in folds] == sorted({each.lanes for each in folds})
    for each in folds:
        stream = make_stream(plan, fold(plan, each.lanes))
        assert stream_lanes(stream) == each.lanes
        assert fold(plan, each.lanes) == each.stage_lanes
        slowest = max(stage.occupied for stage in stream.stages)
        assert stream.interval == max(slowest, 72, 27)
    assert fold(plan, None) == choose_fold(folds, 64).stage_lanes


def test_no_more_results_at_once_than_needed() -> None:
    """Each stage has the fewest with which it is not the slowest."""
    plan = layers()
    for lanes in ((64, 16, 64), (16, 64, 8), (64, 64, 64)):
        options, stream = stage_options(plan, lanes), make_stream(plan, lanes)
        for stage, each in zip(stream.stages, options, strict=True):
            results = [one.lanes.results for one in each]
            assert results == [1 << power for power in range(len(results))]
            fast = [one.lanes.results for one in each if occupied_cycles(one) <= stream.interval]
            assert stage.schedule.lanes.results == min(fast)


def test_lanes_for_a_goal() -> None:
    """The fewest that are fast enough."""
    plan = layers()
    for each in make_folds(plan):
        stream = make_stream(plan, each.stage_lanes)
        found = choose_lanes(plan, Goal(None, 50.0, None, stream.interval / 50), STREAM)
        assert found <= each.lanes
        assert make_stream(plan, fold(plan, found)).interval <= stream.interval
        found = choose_lanes(plan, Goal(stream.cycles / 50, 50.0, None), STREAM)
        assert found <= each.lanes
        assert make_stream(plan, fold(plan, found)).cycles <= stream.cycles
    with pytest.raises(CompileError, match=r"--latency: wanted 0.3 us or less at 10 MHz, found 46.8 us"):
        choose_lanes(plan, Goal(0.3, 10.0, None))
    assert choose_lanes(plan, Goal(None, 50.0, load_device("ecp5-25k")), STREAM) >= 2


def test_costs_of_a_stream() -> None:
    plan = layers()
    stream = make_stream(plan, (4, 1, 2))
    cost = stream_cost(stream)
    assert (cost.lanes, cost.cycles, cost.interval) == (6, stream.cycles, stream.interval)
    assert cost.utilisation == sum(each.macs for each in plan.calls) / (6 * stream.interval)
    assert cost.rom_bits.program == 0
    assert cost.ring_bits == 8 * sum(each.capacity for each in all_rings(stream))
    area = estimate_stream(stream)
    assert area.multipliers >= 6
    assert area.logic > 0
