"""prune_channels: units that nobody has a weight for can go without a change; what is left fits together."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

from channel_nets import NETS, random_keep, silenced
from graphs import (
    KERNELS,
    Pick,
    floats,
    generator,
    lowered,
    one_of,
    random_dense,
    random_layer,
    same_values,
    seeded,
    tensor,
)
from model_table import flags_of, model_paths
from nets import data

from s2c import check, cost, oracle
from s2c.channels import Channels, find_channels
from s2c.errors import CompileError
from s2c.inputs import random_inputs
from s2c.ir import Graph, Node, State, constant, state_node
from s2c.ops import make
from s2c.passes import SOURCE_PASSES
from s2c.passes.prune_channels import Pruned, prune_channels
from s2c.plan import make_plan
from s2c.plan_values import run as run_plan
from s2c.readers import load_model
from s2c.state import keep_states, last_pairs

CALLS = 3

# Operands of a product read each other without weights.
WITHOUT_WEIGHTS = ("one_head",)


def check_pruned(channels: Channels, pruned: Pruned, keep: dict[int, np.ndarray]) -> None:
    """Types, cost and origin of what is left."""
    check.check_types(pruned.graph)
    assert cost.macs(pruned.graph) == channels.macs(keep)
    assert [node.type for node in pruned.graph.inputs] == [node.type for node in channels.graph.inputs]
    assert [node.type for node in pruned.graph.outputs] == [node.type for node in channels.graph.outputs]
    old = set(channels.graph.nodes())
    for node, (origin, kept) in pruned.origin.items():
        assert origin in old
        assert len(kept) == (node.type.shape[-1] if node.type.shape else 1)


def run_calls(graph: Graph, seed: int) -> list[np.ndarray]:
    """The outputs of some calls, one after the other."""
    source = np.random.default_rng(seed)
    calls = [random_inputs(graph, source) for _ in range(CALLS)]
    with np.errstate(all="ignore"):
        return [each for outputs in oracle.run_sequence(graph, calls) for each in outputs]


def check_silenced(graph: Graph, seed: int, made: bool = False) -> bool:
    """Without the units that nobody has weights for, the outputs are as with them. Whether they had been
    other ones with those weights."""
    channels = find_channels(graph)
    keep = random_keep(channels, np.random.default_rng(seed))
    pruned = prune_channels(channels, keep)
    check_pruned(channels, pruned, keep)
    wanted = run_calls(silenced(channels, keep, made), seed)
    if all(np.isfinite(each).all() for each in wanted):  # a zero weight makes NaN of an infinity
        assert same_values(wanted, run_calls(pruned.graph, seed), 1e-4), seed
    return not same_values(wanted, run_calls(graph, seed), 1e-4)


@pytest.mark.parametrize("name", NETS)
def test_silent_units_can_go(name: str) -> None:
    moved = [check_silenced(NETS[name].graph(), seed, name in WITHOUT_WEIGHTS) for seed in range(5)]
    assert any(moved) == bool(NETS[name].units)


@pytest.mark.parametrize("name", [name for name in NETS if NETS[name].units])
def test_one_unit_of_each_group_is_enough(name: str) -> None:
    channels = find_channels(NETS[name].graph())
    for index in (0, -1):
        keep = {at: np.arange(group.units)[[index]] for at, group in enumerate(channels.groups)}
        pruned = prune_channels(channels, keep)
        check_pruned(channels, pruned, keep)
        again = find_channels(pruned.graph)
        assert all(group.units > 1 for group in again.groups)
        assert run_calls(pruned.graph, 0)


@pytest.mark.parametrize("name", NETS)
def test_keeping_all_changes_nothing(name: str) -> None:
    graph = NETS[name].graph()
    channels = find_channels(graph)
    keep = {index: np.arange(group.units) for index, group in enumerate(channels.groups)}
    for each in ({}, keep):
        pruned = prune_channels(channels, each)
        assert str(pruned.graph) == str(graph)
        assert channels.macs(each) == cost.macs(graph)


def test_mutates_nothing() -> None:
    graph = NETS["lstm"].graph()
    before = str(graph)
    channels = find_channels(graph)
    prune_channels(channels, {0: np.array([2, 4])})
    assert str(graph) == before


def test_arrays_before_and_after() -> None:
    channels = find_channels(NETS["residual"].graph())
    pruned = prune_channels(channels, {0: np.array([1, 6]), 1: np.array([0])})
    shapes = [node.attrs["weight"].shape for node in pruned.graph.nodes() if node.op == "conv2d"]
    assert shapes == [(2, 3, 3, 3), (1, 3, 3, 2), (2, 3, 3, 1), (2, 1, 1, 2)]
    old, new = channels.graph.nodes()[1], pruned.graph.nodes()[1]
    assert (new.attrs["weight"] == old.attrs["weight"][[1, 6]]).all()
    assert (new.attrs["bias"] == old.attrs["bias"][[1, 6]]).all()
    origin, kept = pruned.origin[new]
    assert origin is old and kept.tolist() == [1, 6]


def test_shared_arrays_stay_shared() -> None:
    """Steps of an unrolled layer remain one parameter."""
    channels = find_channels(NETS["lstm"].graph())
    pruned = prune_channels(channels, {0: np.array([0, 3, 5])})
    weights = {id(node.attrs["weight"]) for node in pruned.graph.nodes() if node.op == "dense"}
    assert len(weights) == 3
    assert {state.node.type.shape for state in pruned.graph.states} == {(1, 3)}


def test_padding_loses_channels_on_each_side() -> None:
    channels = find_channels(NETS["padded_channels"].graph())
    pruned = prune_channels(channels, {0: np.array([1]), 1: np.array([1, 2, 3])})
    (pad,) = [node for node in pruned.graph.nodes() if node.op == "pad"]
    assert pad.attrs["pads"] == ((0, 0), (0, 0), (0, 0), (1, 2))


def test_a_slice_in_unequal_steps_becomes_a_gather() -> None:
    """Of channels 1, 3, 4 and 7 it wants the last, the second and the first."""
    channels = find_channels(NETS["every_other"].graph())
    pruned = prune_channels(channels, {0: np.array([2]), 1: np.array([0, 1, 3])})
    (picked,) = [node for node in pruned.graph.nodes() if node.op == "gather_constant"]
    assert picked.attrs["index"].tolist() == [3, 1, 0]


@pytest.mark.parametrize("keep", [{0: np.array([], np.int64)}, {0: np.array([8])}, {1: np.array([0])}])
def test_asserts_what_it_is_given(keep: dict[int, np.ndarray]) -> None:
    channels = find_channels(NETS["chain"].graph())
    with pytest.raises(AssertionError):
        prune_channels(channels, keep)


# random nets


def random_net(pick: Pick) -> Graph:
    """Of layers that read one of the last few, a dense layer behind them; some with states."""
    shapes = ((pick(1, 2), pick(1, 5), pick(1, 5), pick(1, 4)), (pick(1, 4), pick(1, 6)))
    live = [tensor("x", *shapes[pick(0, 2) // 2])]
    states = []
    for index in range(pick(3, 14)):
        layer = f"layer {index}"
        source = live[-1]
        kind = pick(0, 3)
        if kind == 0 and len(states) < 2 and source.type.size < 1000:
            states.append((state_node(floats(pick, *source.type.shape), layer), len(live)))
            live.append(make("add", (source, states[-1][0]), layer))
        elif kind == 1:
            live.append(random_tie(pick, source, layer))
        else:
            live.append(random_layer(pick, live[-4:], layer))
    last = random_dense(pick, live[-1], "last")
    kept = tuple(State(node, random_next(pick, node, live[at:])) for node, at in states)
    return Graph((live[0],), (last,), states=kept)


def random_next(pick: Pick, state: Node, live: Sequence[Node]) -> Node:
    """Of the values behind a state one of its shape: the sum with it is such a one."""
    return one_of(pick, [each for each in live if each.type.shape == state.type.shape])


def random_tie(pick: Pick, source: Node, layer: str) -> Node:
    """A layer that ties channels in a way in which those of random_layer do not."""
    shape, rank = source.type.shape, len(source.type.shape)
    axis, channels = pick(0, rank - 1), shape[-1]
    kind = pick(0, 8)
    if kind == 0:
        attrs = {"axes": (axis,), "keepdims": rank < 2 or bool(pick(0, 1))}
        return make("reduce", (source,), layer, function=one_of(pick, ("mean", "sum", "max")), **attrs)
    if kind == 1 and source.type.size < 500:
        return make("tile", (source,), layer, repeats=tuple(pick(1, 2) for _ in shape))
    if kind == 2:
        index = generator(pick).integers(0, shape[axis], (pick(1, 6),))
        return make("gather_constant", (source,), layer, axis=axis, index=index)
    if kind == 3:
        mean = make("reduce", (source,), layer, function="mean", axes=(axis,), keepdims=True)
        return make(one_of(pick, ("sub", "mul")), (source, mean), layer)
    if kind == 4:
        return make("prelu", (source,), layer, alpha=floats(pick, one_of(pick, (1, channels))))
    if kind == 5:
        return make("batchnorm", (source,), layer, scale=floats(pick, channels), shift=floats(pick, channels))
    if kind == 6:
        parts = [each for each in range(1, channels + 1) if channels % each == 0]
        part = one_of(pick, parts)
        return make("reshape", (source,), layer, shape=(*shape[:-1], channels // part, part))
    if kind == 7 and rank >= 3 and source.type.size < 1000:
        flat = make(
            "reshape", (source,), layer, shape=(source.type.size // math.prod(shape[-2:]), *shape[-2:])
        )
        mixes = constant(floats(pick, flat.type.shape[0], pick(1, 4), shape[-2]), layer)
        return make("batch_matmul", (mixes, flat), layer, transpose=False)
    less = make("binary", (source, constant(floats(pick, 1), layer)), layer, function="less")
    return make("where", (less, source, constant(floats(pick, *shape[axis:]), layer)), layer)


def prepared(graph: Graph) -> Graph:
    for rewrite in SOURCE_PASSES[:-1]:
        graph = rewrite(graph)
    return graph


@pytest.mark.parametrize("seed", range(30))
def test_silent_units_of_random_nets_can_go(seed: int) -> None:
    graph = random_net(seeded(seed))
    check_silenced(prepared(graph) if seed % 3 == 0 else graph, seed)


@pytest.mark.build
@pytest.mark.parametrize("seed", range(30, 600))
def test_silent_units_of_many_random_nets_can_go(seed: int) -> None:
    graph = random_net(seeded(seed))
    check_silenced(prepared(graph) if seed % 3 == 0 else graph, seed)


@pytest.mark.parametrize("name", ["attention", "lstm", "delayed", "shuffled", "every_other", "squeezed"])
def test_plans_what_is_left(name: str) -> None:
    channels = find_channels(NETS[name].graph())
    keep = random_keep(channels, np.random.default_rng(0))
    check_planned(prune_channels(channels, keep).graph)


def check_planned(graph: Graph) -> None:
    """The Plan of the first call gives what the Graph does."""
    arrays = random_inputs(graph, np.random.default_rng(0))
    final = lowered(prepared(graph))
    check.check_types(final)
    with np.errstate(all="ignore"):
        found = run_plan(make_plan(final, KERNELS), *arrays)
        assert same_values(oracle.run(graph, *arrays), found, 1e-4)


# the nets of S2C_DATA


def load(path: str, states: int = 0) -> Graph:
    flags = flags_of(path)
    graph = load_model(data(path), flags.dims, flags.consts)
    return prepared(keep_states(graph, last_pairs(graph, states)))


def halves(channels: Channels) -> dict[int, np.ndarray]:
    source = np.random.default_rng(0)
    return {
        index: np.sort(source.choice(group.units, max(1, group.units // 2), replace=False))
        for index, group in enumerate(channels.groups)
    }


@pytest.mark.build
@pytest.mark.parametrize("path", model_paths())
def test_halves_the_groups_of_every_net(path: str) -> None:
    try:
        graph = load(path)
    except CompileError as problem:
        pytest.skip(f"refused: {problem.problems[0]}")
    channels = find_channels(graph)
    keep = halves(channels)
    pruned = prune_channels(channels, keep)
    check_pruned(channels, pruned, keep)
    assert run_calls(pruned.graph, 0)
    check_silenced(graph, 1)


@pytest.mark.build
@pytest.mark.parametrize(
    ("path", "states", "share"),
    [
        ("mlperf_tiny/pretrainedResnet.tflite", 0, 0.3),
        ("bench_nets/kws.onnx", 0, 0.35),
        ("bench_nets/vww.onnx", 0, 0.35),
        ("bench_nets/ad01.onnx", 0, 0.45),
        ("bench_nets/transformer.onnx", 0, 0.55),
        ("bench_nets/wavenet_state.onnx", 20, 0.3),
        ("silero_vad/silero_vad_16k_op15.onnx", 1, 0.4),
        ("gtcrn/gtcrn.onnx", 3, 0.9),
        ("ultraface/version-slim-320_without_postprocessing.onnx", 0, 0.35),
        ("nam/wavenet_a1_standard.nam", 0, 0.3),
        ("nam/lstm.nam", 0, 0.3),
        ("rtneural/models/gru.json", 0, 0.3),
    ],
)
def test_what_is_left_of_large_nets_compiles(path: str, states: int, share: float) -> None:
    """share: of the MACs that is left at most, with half of each group."""
    graph = load(path, states)
    channels = find_channels(graph)
    pruned = prune_channels(channels, halves(channels)).graph
    assert cost.macs(pruned) <= share * cost.macs(graph)
    check_planned(pruned)
