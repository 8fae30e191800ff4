"""Calibration: integers to the bit, choices by measurement, and trained nets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from graphs import GEOMETRY, floats, lowered, ops_of, planned, raises, random_graph, seeded, single, tensor
from nets import data

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench" / "agility"))

from quantized import (  # noqa: E402
    check_module,
    conv,
    dense,
    narrowed,
    real,
    samples_of,
    small_net,
    stored_inputs,
)

from s2c import oracle  # noqa: E402
from s2c.adapt import prepare  # noqa: E402
from s2c.check import accumulator_bounds, check_types  # noqa: E402
from s2c.errors import CompileError  # noqa: E402
from s2c.ir import Graph, State, constant, state_node  # noqa: E402
from s2c.ops import make  # noqa: E402
from s2c.passes.fuse_qdq import FUSED, MOVED  # noqa: E402
from s2c.quantization.ranges import METHODS  # noqa: E402
from s2c.readers import load_model  # noqa: E402
from s2c.train.biases import correct_biases  # noqa: E402
from s2c.train.data import Samples  # noqa: E402
from s2c.train.integers import QuantizedModule  # noqa: E402
from s2c.train.measure import measure  # noqa: E402
from s2c.train.module import GraphModule, batch_of  # noqa: E402
from s2c.train.quantization import judged, quantize_net, refuse_unquantizable, with_rough_ranges  # noqa: E402

torch.set_num_threads(1)


def every_op() -> Graph:
    """Each op that fuse_qdq makes int8, and each that it carries along."""
    x = tensor("x", 1, 8, 8, 3)
    first = conv(x, "first", 4, lo=0.0, hi=6.0)
    depthwise = conv(first, "depthwise", 4, 4)
    pad = make("pad", (depthwise,), "pad", pads=((0, 0), (0, 2), (1, 0), (0, 0)), value=-0.3)
    cut = make("slice", (pad,), "slice", starts=(0, 0, 0, 0), steps=(1, 1, 1, 1), shape=(1, 8, 8, 4))
    total = make("add", (first, cut), "total", lo=-1.0)
    gate = make("unary", (conv(total, "gate", 4),), "sigmoid", function="sigmoid")
    gated = make("mul", (total, gate), "gated")
    clamped = make("relu", (gated,), "relu", lo=-0.5, hi=2.0)
    leaky = make("leaky_relu", (clamped,), "leaky", alpha=0.1)
    offset = make("add", (leaky, constant(floats(seeded(3), 4), "table")), "offset")
    joined = make("concat", (offset, gated), "joined", axis=3)
    turned = make("transpose", (joined,), "turned", perm=(0, 2, 1, 3))
    pooled = make("max_pool", (turned,), "pooled", **GEOMETRY, kernel=(2, 2))
    pool = {**GEOMETRY, "kernel": (7, 7), "count_pads": False, "mean": False}
    mean = make("average_pool", (pooled,), "mean", **pool)
    wide = make("expand", (make("reshape", (mean,), "flat", shape=(1, 8)),), "wide", shape=(2, 8))
    head = dense(wide, "head", 5)
    return Graph((x,), (make("softmax", (head,), "answer", beta=1.0), total))


# the integers


def test_every_fused_op_is_the_oracles_to_the_bit() -> None:
    graph = every_op()
    samples = samples_of(graph)
    found = quantize_net(graph, samples)
    assert {node.type.dtype for node in found.graph.nodes()} == {"i8"}
    assert {*FUSED, *MOVED, "concat", "requantize"} - {"dequantize"} <= set(ops_of(found.graph))
    check_types(found.graph)
    check_module(found, samples, 8)


@pytest.mark.parametrize("seed", range(12))
def test_random_nets_are_the_oracles_to_the_bit(seed: int) -> None:
    graph = prepare(random_graph(seeded(seed), "f32"))
    samples = samples_of(graph)
    try:
        found = quantize_net(graph, samples, float_io=seed % 3 == 0)
    except CompileError as refusal:
        if "--int8: wanted at least one" not in str(refusal):
            raise
        return
    check_types(found.graph)
    check_module(found, samples)
    accumulator_bounds(lowered(found.graph))
    planned(found.graph)


def test_sums_too_large_for_float32_are_exact() -> None:
    x = tensor("x", 1, 4000)
    node = dense(x, "wide", 3)
    node = node.with_attrs(weight=np.sign(node.attrs["weight"]) * np.float32(0.01))
    graph = single(node, x)
    samples = samples_of(graph)
    check_module(quantize_net(graph, samples), samples, 8)


def test_gradients_are_nearly_those_of_the_float_net() -> None:
    graph = every_op()
    samples = samples_of(graph, 32)
    found = quantize_net(graph, samples)
    nodes = {node.layer: node for node in found.scheme.graph.nodes()}
    gradients = []
    for module in (QuantizedModule(found.scheme), GraphModule(found.scheme.graph)):
        logits = module.values([nodes["head"]], *batch_of(samples.batch(np.arange(32))))[0]
        (logits * torch.arange(5.0)).sum().backward()
        gradients.append({name: each.grad.flatten() for name, each in module.weights.items()})
    for name, gradient in gradients[0].items():
        likeness = torch.nn.functional.cosine_similarity(gradient, gradients[1][name], 0)
        assert likeness > 0.95 or gradients[1][name].abs().max() == 0, (name, float(likeness))


def test_clamped_values_have_no_gradient() -> None:
    x = tensor("x", 1, 1)
    node = dense(x, "dense", 1, lo=0.0).with_attrs(
        weight=np.ones((1, 1), np.float32), bias=np.zeros(1, np.float32)
    )
    graph = single(node, x)
    found = quantize_net(graph, samples_of(graph))
    module = QuantizedModule(found.scheme)
    module(torch.tensor([[[-1.0]], [[100.0]]]))[0].sum().backward()
    assert module.weights["1_weight"].grad == 0


# choices


def outlier_net() -> tuple[Graph, Samples]:
    """One value in 4,000 that says nothing is a thousand times larger than the others."""
    x = tensor("x", 1, 4, 4, 4)
    graph = single(make("unary", (conv(x, "conv", 3),), "tanh", function="tanh"), x)
    samples = samples_of(graph, 64)
    samples.inputs[0][0, 0, 0, 0, 0] = 400.0
    return graph, samples


def test_outliers_are_clipped_where_that_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    found = quantize_net(*outlier_net())
    assert {each.layer: each.method for each in found.layers}["conv"] != "min-max"
    monkeypatch.setattr("s2c.quantization.ranges.METHODS", {"min-max": METHODS["min-max"]})
    assert found.snr_db > quantize_net(*outlier_net()).snr_db + 5


def uneven_net() -> Graph:
    """Channels of very different size between a convolution and the depthwise one behind it."""
    x = tensor("x", 1, 6, 6, 3)
    first = conv(x, "first", 8, lo=0.0)
    sizes = np.logspace(-2, 2, 8).astype(np.float32)
    first = first.with_attrs(
        weight=first.attrs["weight"] * sizes.reshape(-1, 1, 1, 1), bias=first.attrs["bias"] * sizes
    )
    second = conv(first, "second", 8, 8)
    second = second.with_attrs(weight=second.attrs["weight"] / sizes.reshape(-1, 1, 1, 1))
    return single(conv(second, "third", 4), x)


def test_uneven_channels_are_evened_out(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = uneven_net()
    samples = samples_of(graph)
    found = quantize_net(graph, samples)
    monkeypatch.setattr("s2c.train.quantization.equalize_net", lambda net, seen, measured: net)
    assert found.snr_db > quantize_net(graph, samples).snr_db + 6
    assert found.snr_db > 25


def test_biases_make_up_for_the_mean_of_what_is_clipped() -> None:
    graph = small_net()
    samples = samples_of(graph, 64)
    scheme = narrowed(graph, samples)
    batch = batch_of(samples.batch(np.arange(64)))
    corrected = correct_biases(scheme, [batch])
    assert judged(corrected, scheme.graph, samples).snr_db > judged(scheme, scheme.graph, samples).snr_db
    check_module(judged(corrected, scheme.graph, samples), samples)
    wanted, before, after = (
        module.values(module.graph.outputs, *batch)[0].mean(0)
        for module in (GraphModule(graph), QuantizedModule(scheme), QuantizedModule(corrected))
    )
    assert (after - wanted).abs().max() < 0.2 * (before - wanted).abs().max()


def test_the_report_names_each_layer() -> None:
    graph = every_op()
    found = quantize_net(graph, samples_of(graph), keep_float=("gate",))
    layers = {each.layer: each for each in found.layers}
    assert list(layers)[:2] == ["first", "depthwise"] and "x" not in layers and "flat" not in layers
    assert (layers["gate"].method, layers["gate"].alone_db, layers["gate"].drop) == ("float", 200.0, 0.0)
    assert layers["answer"].method == "fixed"
    for each in found.layers:
        assert 10 < each.snr_db <= each.alone_db + 30 and each.drop is not None
    assert found.snr_db < min(each.alone_db for each in found.layers) + 3


def test_drops_are_of_accuracy_where_there_are_labels() -> None:
    graph = single(dense(tensor("x", 1, 6), "dense", 3))
    arrays = samples_of(graph, 50).inputs
    answers = [int(oracle.run(graph, each)[0].argmax()) for each in arrays[0]]
    exact = np.array(answers)
    wrong = np.where(np.arange(50) < 25, exact, (exact + 1) % 3)
    for labels in (exact, wrong):
        found = quantize_net(graph, samples_of(graph, 50, labels=labels))
        assert found.layers[0].drop is not None and abs(found.layers[0].drop) <= 10
    assert quantize_net(graph, samples_of(graph, 50)).layers[0].drop is None


def test_equal_data_give_equal_graphs() -> None:
    graph = every_op()
    first, second = (quantize_net(graph, samples_of(graph)) for _ in range(2))
    assert str(first.graph) == str(second.graph) and first.layers == second.layers


def test_a_net_with_states_runs_in_int8() -> None:
    x = tensor("x", 1, 4)
    kept = state_node(np.zeros((1, 4), np.float32), "kept")
    total = make("add", (dense(x, "in", 4), make("unary", (kept,), "tanh", function="tanh")), "total")
    graph = Graph((x,), (dense(total, "out", 3),), (), (State(kept, total),))
    samples = samples_of(graph)
    found = quantize_net(graph, samples)
    check_types(found.graph)
    assert found.snr_db > 25
    module = GraphModule(graph).eval()
    steps = [(each[None] if each.ndim == 1 else each,) for each in samples.inputs[0][0]]
    results = oracle.run_sequence(found.graph, [stored_inputs(found.graph, each) for each in steps])
    wanted = oracle.run_sequence(graph, steps)
    node = found.graph.outputs[0]
    assert module.graph.states and node.type.dtype == "i8"
    for (array,), (value,) in zip(results, wanted, strict=True):
        assert np.abs(real(node, array) - value).max() < 0.1 * np.abs(value).max() + 0.1


def test_rough_ranges_give_the_same_ops() -> None:
    graph = every_op()
    rough = with_rough_ranges(graph, samples_of(graph))
    assert ops_of(rough) == ops_of(quantize_net(graph, samples_of(graph)).graph)
    planned(rough)


def test_rough_ranges_are_those_of_the_data() -> None:
    """A logarithm of what data never have, as noise around zero would, is no reason to refuse a net."""
    x = tensor("x", 1, 8)
    graph = Graph((x,), (dense(make("unary", (x,), "log", function="log"), "dense", 4),))
    positive = np.abs(np.random.default_rng(0).normal(size=(32, 1, 8))).astype(np.float32) + 0.1
    samples = Samples((positive,), None, "distillation", (np.dtype(np.float32),))
    rough = with_rough_ranges(graph, samples)
    assert ops_of(rough) == ops_of(quantize_net(graph, samples).graph)


# errors

NOTHING = "--int8: wanted at least one convolution or dense layer to compute in int8"


def test_all_faults_of_the_arguments_come_at_once() -> None:
    graph = single(dense(tensor("x", 1, 4), "dense", 2))
    names = ("dense", "dens", "other")
    found = raises(lambda: quantize_net(graph, samples_of(graph), names))
    do = "s2c inspect prints those of the model"
    assert found == (
        f"--keep-float: wanted the name of a layer that computes something, found 'dens'; {do}\n"
        f"--keep-float: wanted the name of a layer that computes something, found 'other'; {do}\n"
        f"{NOTHING}, found all of them kept in float; leave --int8 out"
    )
    assert raises(lambda: refuse_unquantizable(graph, names)) == found
    refuse_unquantizable(graph, ())


def test_a_net_without_contractions_is_refused() -> None:
    x = tensor("x", 1, 4)
    graph = single(make("unary", (x,), "tanh", function="tanh"))
    message = f"{NOTHING}, found none; leave --int8 out"
    refused: list[Callable[[], object]] = [
        lambda: quantize_net(graph, samples_of(graph)),
        lambda: with_rough_ranges(graph, samples_of(graph)),
    ]
    assert [raises(each) for each in refused] == [message, message]


def test_values_that_are_not_finite_are_refused_where_they_arise() -> None:
    x = tensor("x", 1, 4)
    first = dense(x, "first", 4)
    graph = single(dense(make("unary", (first,), "log", function="log"), "last", 2), x)
    assert raises(lambda: quantize_net(graph, samples_of(graph))) == (
        "log: wanted finite values on the calibration data, found NaN or infinite ones; "
        "leave the samples out that give them, or mend the net"
    )


# trained nets


@pytest.mark.build
def test_resnet8_loses_at_most_three_tenths_of_a_point() -> None:
    graph = prepare(load_model(data("mlperf_tiny/pretrainedResnet.tflite"), {}, {}))
    training = images(data("cifar10/cifar10_train_00000_09999.npz"), 1000)
    test = images(data("cifar10/cifar10_test_0000_0999.npz"), 1000)
    found = quantize_net(graph, training)
    assert {node.type.dtype for node in found.graph.nodes()} == {"i8"}
    assert measure(QuantizedModule(found.scheme), test).value >= measure(graph, test).value - 0.003


def images(path: Path, count: int) -> Samples:
    with np.load(path) as file:
        x, y = file["x"][:count], file["y"][:count].astype(np.int64)
    return Samples((x[:, None],), y, "classification", (np.dtype(np.float32),))


@pytest.mark.build
def test_the_keyword_spotter_keeps_the_benchmarks_quality() -> None:
    """Calibrated on other recordings: what it is judged by has no part in it."""
    import spoken

    path = data("kws01_inputs/kws01.npz")
    graph = prepare(load_model(data("bench_nets/kws.onnx"), {}, {}))
    found = quantize_net(graph, Samples((spoken.load(300),), None, "distillation", (np.dtype(np.float32),)))
    with np.load(path) as file:
        x = (file["x"].astype(np.float32) - 83) * np.float32(0.5847029)
        y = file["y"].astype(np.int64)
    test = Samples((x[:, None, :, :, None],), y, "classification", (np.dtype(np.float32),))
    assert {node.type.dtype for node in found.graph.nodes()} == {"i8"}
    assert measure(QuantizedModule(found.scheme), test).value >= 0.9
