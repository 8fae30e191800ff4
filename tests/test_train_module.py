"""Graphs as torch modules: gradients, states, normalisation, and every net of S2C_DATA against the oracle."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from graphs import (
    floats,
    random_arrays,
    random_conv2d,
    random_graph,
    same_array,
    same_values,
    seeded,
    single,
    tensor,
)

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

from model_table import DATA, flags_of, model_file, model_paths, weight_paths  # noqa: E402
from modules import SAMPLES, TOLERANCE, Arrays, is_quantized, outputs_of, same_weights, stacked  # noqa: E402

from s2c import oracle  # noqa: E402
from s2c.cost import macs  # noqa: E402
from s2c.errors import CompileError  # noqa: E402
from s2c.inputs import random_inputs  # noqa: E402
from s2c.ir import Graph, Node, Quant, State, Type, constant, input_node, state_node  # noqa: E402
from s2c.ops import make  # noqa: E402
from s2c.passes import SOURCE_PASSES, eliminate_dead_channels  # noqa: E402
from s2c.readers import load_model  # noqa: E402
from s2c.train.module import GraphModule, trainable  # noqa: E402

LARGE = 10_000_000  # multiply-accumulates of a net that is tried with one sample
STEP = 1e-6  # of a difference that stands for a slope


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_refuses_integers_with_a_scale() -> None:
    x = input_node("x", Type((2, 3), "i8", Quant((0.5,))))
    real = make("dequantize", (x,), "d")
    with pytest.raises(CompileError) as raised:
        trainable(single(make("unary", (real,), "u", function="abs"), x))
    assert str(raised.value) == (
        "x: wanted a net of floats, to prune, retrain or quantize it, found 1 quantized tensors, "
        "i8[2,3]~0.5@0 the first; start from the float model"
    )


def test_refuses_ops_without_a_function() -> None:
    x = input_node("x", Type((2, 3), "i32"))
    attrs = {"multiplier": np.array([1 << 30], np.int32), "shift": np.array([0], np.int8), "bound": 9}
    node = make("rescale", (x,), "r", dtype="i8", rounding="once", zero=0, lo=-128, hi=127, **attrs)
    with pytest.raises(CompileError) as raised:
        trainable(single(node))
    assert str(raised.value) == (
        "r: wanted ops that can be trained, found rescale; compile the net as it is, or rewrite the layer"
    )


# gradients


def test_weights_receive_gradients() -> None:
    pick = seeded(0)
    x = tensor("x", 1, 6, 6, 3)
    y = random_conv2d(pick, x, "conv")
    channels = y.type.shape[-1]
    y = make("batchnorm", (y,), "bn", scale=floats(pick, channels), shift=floats(pick, channels))
    y = make("prelu", (y,), "prelu", alpha=floats(pick, channels))
    y = make("matmul", (y,), "m", weight=floats(pick, 1, 4, channels), bias=floats(pick, 4))
    y = make("reshape", (y,), "r", shape=(1, y.type.size))
    y = make("dense", (y,), "d", weight=floats(pick, 5, y.type.size), bias=floats(pick, 5))
    y = make("mul", (y, constant(floats(pick, 5), "table")), "scaled")
    module = GraphModule(single(y, x))
    module(*stacked([random_arrays(module.graph, each) for each in range(SAMPLES)]))[
        0
    ].square().sum().backward()
    assert len(module.weights) == 2 + 2 + 1 + 2 + 2 + 1
    for name, weight in module.weights.items():
        assert weight.grad is not None and weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("seed", range(12))
def test_gradients_are_slopes(seed: int) -> None:
    """The gradient of a random net by its inputs, against differences, both in float64."""
    graph = random_graph(seeded(seed), "f32", 6)
    module = GraphModule(graph).double()
    for key, each in module.fixed.items():
        module.fixed[key] = each.double() if each.is_floating_point() else each
    inputs = [each.double().requires_grad_() for each in stacked([random_arrays(graph, seed)])]

    def total(*point: torch.Tensor) -> torch.Tensor:
        return sum((each.square().mean() for each in module(*point)), torch.zeros(()))

    slopes = torch.autograd.grad(total(*inputs), inputs, allow_unused=True)
    source = torch.Generator().manual_seed(seed)
    way = [torch.randn(each.shape, generator=source, dtype=each.dtype) for each in inputs]
    ends = [
        total(*(each.detach() + step * by for each, by in zip(inputs, way, strict=True))).item()
        for step in (-STEP, STEP)
    ]
    wanted = (ends[1] - ends[0]) / (2 * STEP)
    found = sum(float((a * b).sum()) for a, b in zip(slopes, way, strict=True) if a is not None)
    assert wanted == pytest.approx(found, rel=1e-4, abs=1e-6)


def test_masks_stay() -> None:
    x = tensor("x", 4, 4)
    mask = constant(np.triu(np.full((4, 4), -1e9, np.float32), 1), "mask")
    table = constant(floats(seeded(0), 4, 4), "table")
    y = make("add", (make("add", (x, mask), "a"), table), "b")
    assert list(GraphModule(single(y, x)).weights) == ["3_value"]


# states


def counting_net() -> Graph:
    """A sum over the calls so far, through a layer with weights."""
    x = tensor("x", 1, 3)
    state = state_node(np.full((1, 3), 2, np.float32), "sum")
    total = make("add", (x, state), "total")
    y = make("dense", (total,), "d", weight=floats(seeded(0), 2, 3), bias=floats(seeded(1), 2))
    return Graph((x,), (y,), (), (State(state, total),))


def echo_net() -> Graph:
    """Layers before and behind a state, and one that feeds it."""
    x = tensor("x", 1, 4)
    attrs = [{"weight": floats(seeded(each), 4, 4), "bias": floats(seeded(each + 9), 4)} for each in range(4)]
    before = make("dense", (x,), "before", **attrs[0], lo=0.0)
    state = state_node(np.zeros((1, 4), np.float32), "echo")
    looped = make("dense", (state,), "looped", **attrs[1])
    behind = make("dense", (make("add", (before, looped), "mixed"),), "behind", **attrs[2], lo=0.0)
    return Graph((x,), (make("dense", (behind,), "head", **attrs[3]),), (), (State(state, behind),))


def shared_net() -> Graph:
    """The same weights twice, as in an unrolled layer, between two others."""
    x = tensor("x", 4)
    attrs = [{"weight": floats(seeded(each), 4, 4), "bias": floats(seeded(each + 9), 4)} for each in range(3)]
    y = make("dense", (x,), "first", **attrs[0], lo=0.0)
    y = make("dense", (make("dense", (y,), "step 0", **attrs[1]),), "step 1", **attrs[1])
    return single(make("dense", (y,), "head", **attrs[2]), x)


def run_steps(module: GraphModule, calls: Sequence[Sequence[Arrays]]) -> list[list[np.ndarray]]:
    """calls[step][sample]: the outputs [samples, *shape] of each step."""
    states: list[torch.Tensor] = []
    results = []
    with torch.no_grad():
        for samples in calls:
            outputs, states = module.step(stacked(samples), states)
            results.append([each.numpy() for each in outputs])
    return results


@pytest.mark.parametrize("build", [counting_net, echo_net])
def test_each_sample_has_its_states(build: Callable[[], Graph]) -> None:
    graph = build()
    calls = [[random_arrays(graph, 10 * step + each) for each in range(SAMPLES)] for step in range(4)]
    found = run_steps(GraphModule(graph).eval(), calls)
    for sample in range(SAMPLES):
        wanted = oracle.run_sequence(graph, [tuple(samples[sample]) for samples in calls])
        assert all(same_array(a[0], b[0][sample]) for a, b in zip(wanted, found, strict=True))
        assert not same_array(wanted[0][0], wanted[1][0])


# normalisation


def conv(x: Node, outputs: int, layer: str, seed: int) -> Node:
    attrs = {
        "weight": floats(seeded(seed), outputs, 3, 3, x.type.shape[-1]) / 4,
        "bias": floats(seeded(seed + 50), outputs),
        "stride": (1, 1),
        "dilation": (1, 1),
        "pads": ((1, 1), (1, 1)),
        "groups": 1,
    }
    return make("conv2d", (x,), layer, lo=0.0, **attrs)


def residual_net(depth: int = 2) -> Graph:
    x = tensor("x", 1, 5, 5, 2)
    y = conv(x, 4, "first", 0)
    for index in range(depth):
        inner = conv(conv(y, 4, f"a{index}", 2 * index + 1), 4, f"b{index}", 2 * index + 2)
        y = make("add", (y, inner), f"add{index}", lo=0.0)
    y = make("reduce", (y,), "mean", function="mean", axes=(1, 2), keepdims=False)
    head = make("dense", (y,), "head", weight=floats(seeded(7), 3, 4), bias=floats(seeded(8), 3))
    return single(head, x)


def row_net() -> Graph:
    x = tensor("x", 6)
    y = make("dense", (x,), "a", weight=floats(seeded(0), 5, 6), bias=floats(seeded(1), 5), lo=0.0)
    return single(make("dense", (y,), "b", weight=floats(seeded(2), 2, 5), bias=floats(seeded(3), 2)), x)


NETS: Mapping[str, tuple[Callable[[], Graph], list[str]]] = {
    "residual": (residual_net, ["first", "a0", "b0", "a1", "b1"]),
    "row": (row_net, ["a"]),
    "state": (counting_net, []),
    "echo": (echo_net, ["before"]),
    "shared": (shared_net, ["first"]),
}


def batches_of(graph: Graph, count: int = 2) -> list[list[torch.Tensor]]:
    return [stacked([random_arrays(graph, 99 * each + at) for at in range(16)]) for each in range(count)]


@pytest.mark.parametrize("name", NETS)
def test_normalising_moves_nothing(name: str) -> None:
    build, layers = NETS[name]
    graph = build()
    module = GraphModule(graph).eval()
    assert [node.layer for node in module.normalisable()] == layers
    samples = [random_arrays(graph, each) for each in range(SAMPLES)]
    before = outputs_of(module, samples)
    module.normalise(batches_of(graph))
    assert len(module.norms) == len(layers)
    after = outputs_of(module, samples)
    folded = outputs_of(GraphModule(module.to_graph()), samples)
    for a, b, c in zip(before, after, folded, strict=True):
        assert same_values(a, b) and same_values(a, c)


@pytest.mark.parametrize("name", ["residual", "row"])
def test_normalising_reaches_the_wanted_moments(name: str) -> None:
    graph = NETS[name][0]()
    module = GraphModule(graph)
    batches = batches_of(graph)
    wanted = {
        node: (floats(seeded(index), count), np.abs(floats(seeded(index + 9), count)) + 0.1)
        for index, node in enumerate(module.normalisable())
        for count in [node.type.shape[-1]]
    }
    module.normalise(batches, {node: tuple(map(torch.from_numpy, each)) for node, each in wanted.items()})
    back = GraphModule(module.to_graph())
    found = back.moments([back.order[module.order.index(node)] for node in wanted], batches)
    for (mean, variance), (node, (sums, spread)) in zip(wanted.values(), found.items(), strict=True):
        assert same_array(mean, (sums + back.attr(node, "bias")).detach().numpy(), 1e-3)
        assert same_array(variance, spread.detach().numpy(), 1e-3)


def test_normalising_runs_each_layer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = residual_net(20)
    module = GraphModule(graph)
    runs: list[Node] = []
    sums = GraphModule.sums
    monkeypatch.setattr(
        GraphModule, "sums", lambda self, node, x: (runs.append(node), sums(self, node, x))[1]
    )
    module.normalise(batches_of(graph, 1))
    assert len(runs) == len(set(runs)) == len(module.norms) == 41


def test_training_uses_the_batch() -> None:
    """While training, a Norm takes the batch's own moments, and a single row as in evaluation."""
    graph = row_net()
    module = GraphModule(graph)
    module.normalise(batches_of(graph))
    one = stacked([random_arrays(graph, 5)])
    many = stacked([tuple(10 * each for each in random_arrays(graph, at)) for at in range(8)])
    with torch.no_grad():
        assert torch.equal(module.train()(*one)[0], module.eval()(*one)[0])
        assert not torch.allclose(module.eval()(*many)[0], module.train()(*many)[0])


# every net


@pytest.mark.build
@pytest.mark.parametrize("path", [*model_paths(), *weight_paths()] or [None])
def test_public_nets(path: str | None) -> None:
    """One call, of nets with states three; no training leaves every weight as it was."""
    if path is None:
        pytest.skip(f"missing nets: set S2C_DATA, now {DATA}")
    flags = flags_of(path)
    try:
        with model_file(path) as file:
            graph = load_model(file, flags.dims, flags.consts)
    except CompileError:
        pytest.skip("not read, as test_model_table says")
    for rewrite in SOURCE_PASSES:
        if rewrite is not eliminate_dead_channels:
            graph = rewrite(graph)
    if is_quantized(graph):
        with pytest.raises(CompileError, match="start from the float model"):
            GraphModule(graph)
        return
    module = GraphModule(graph).eval()
    source = np.random.default_rng(0)
    count = 1 if macs(graph) > LARGE else SAMPLES
    calls = [[random_inputs(graph, source) for _ in range(count)] for _ in range(3 if graph.states else 1)]
    found = run_steps(module, calls)
    for sample in range(count):
        wanted = oracle.run_sequence(graph, [samples[sample] for samples in calls])
        for a, b in zip(wanted, found, strict=True):
            assert same_values(a, [each[sample] for each in b], TOLERANCE), sample
    same_weights(graph, module.to_graph())
