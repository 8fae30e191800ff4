"""Models to smaller, retrained, quantized programs: all of the way, on a net of some thousand weights."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from graphs import tensor
from onnx import TensorProto, helper, numpy_helper
from trained_nets import dense, detector

import s2c
import s2c.adapt as adapt_module
from s2c import oracle
from s2c.adapt import adapt, prepare, save_adapted
from s2c.adapt.recipe import Recipe, make_recipe
from s2c.adapt.work import Job
from s2c.bench import bench
from s2c.driver import load_source, make_request
from s2c.errors import CompileError
from s2c.ir import Graph, State, state_node
from s2c.ops import make
from s2c.program import read_manifest, run_batch
from s2c.quantization.names import SILENT, folded_layers
from s2c.readers.graph_file import write_graph
from s2c.summary import layers_of
from s2c.sweep.score import run_samples, score, to_floats
from s2c.train import memory, parts
from s2c.train.data import make_samples
from s2c.train.losses import compared_nodes
from s2c.train.module import GraphModule
from s2c.train.quantization import quantize_net
from s2c.train.retrain import Training
from s2c.verify import verify

pytestmark = pytest.mark.build
SIZE, CLASSES, CHANNELS = 8, 3, 16
DIGITS = Path(__file__).resolve().parent.parent / "demo" / "digits.onnx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.onnx, a convolutional classifier of patterns, with train.npz and test.npz."""
    path = tmp_path_factory.mktemp("adapt")
    source = np.random.default_rng(0)
    patterns = source.normal(size=(CLASSES, 1, SIZE, SIZE)).astype(np.float32)
    y = source.integers(0, CLASSES, 700)
    x = (patterns[y] + source.normal(0, 1.5, (len(y), 1, SIZE, SIZE))).astype(np.float32)
    np.savez(path / "train.npz", x=x[:500], y=y[:500])
    np.savez(path / "test.npz", x=x[500:], y=y[500:])
    untrained = path / "untrained.onnx"
    onnx.save(make_net(source), str(untrained))
    module = GraphModule(prepare(load_source(make_request(untrained, "host"))))
    learn(module, torch.from_numpy(x[:500, np.newaxis]), torch.from_numpy(y[:500]))
    write_graph(path / "net.s2c", module.to_graph())
    return path


def learn(module: GraphModule, x: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(module.parameters(), 2e-3)
    nodes = compared_nodes(module.graph)
    for _ in range(60):
        optimizer.zero_grad()
        logits = module.values(nodes, x)[0].reshape(len(labels), CLASSES)
        torch.nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()


def make_net(source: np.random.Generator) -> onnx.ModelProto:
    """Two convolutions with a residual sum, a mean, a dense layer, a softmax."""

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        fan = float(np.prod(shape[1:]))
        return numpy_helper.from_array(
            (source.normal(size=shape) * np.sqrt(2 / fan)).astype(np.float32), name
        )

    weights = [
        weight("w0", CHANNELS, 1, 3, 3),
        weight("w1", CHANNELS, CHANNELS, 3, 3),
        weight("w2", CLASSES, CHANNELS * SIZE * SIZE // 4),
        numpy_helper.from_array(np.zeros(CLASSES, np.float32), "b2"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c1", "r0"], ["s1"]),
        helper.make_node("Relu", ["s1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p1"], ["f1"]),
        helper.make_node("Gemm", ["f1", "w2", "b2"], ["z"], transB=1),
        helper.make_node("Softmax", ["z"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "patterns",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def recipe(model: Path, target: str = "host", **flags: Any) -> Recipe:
    return make_recipe(make_request(model, target, "net"), **flags)


def data(folder: Path) -> dict[str, Any]:
    return {"data": folder / "train.npz", "test": folder / "test.npz"}


def test_half_the_width_is_retrained_and_proved(folder: Path, tmp_path: Path) -> None:
    """The program answers as the report says, with the MACs that it says."""
    flags = {**data(folder), "width": 0.5, "epochs": 8}
    manifest = save_adapted(recipe(folder / "net.s2c", **flags), tmp_path / "half")
    found = manifest["adaptation"]
    assert found["macs"]["pruned"] == manifest["macs"] < 0.4 * found["macs"]["original"]
    assert found["score"]["retrained"] > found["score"]["original"] - 0.05
    assert found["score"]["original"] > 0.8
    assert {each["after"] for each in found["groups"]} == {CHANNELS // 2}
    with s2c.load(tmp_path / "half") as program, np.load(folder / "test.npz") as samples:
        outputs, _ = run_batch(program, [samples["x"][:, np.newaxis]])
        right = float((outputs[0].reshape(-1, CLASSES).argmax(-1) == samples["y"]).mean())
    assert right == pytest.approx(found["score"]["retrained"], abs=0.006)
    assert verify(tmp_path / "half").ok
    assert not list(tmp_path.glob(".half*"))


def test_the_same_seed_gives_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the threads."""
    flags = {**data(folder), "macs": 0.5, "epochs": 3, "int8": True, "augment": "noise"}
    for name, threads in (("a", 1), ("b", 3)):
        monkeypatch.setattr(parts, "default_threads", lambda threads=threads: threads)
        save_adapted(recipe(folder / "net.s2c", **flags), tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 5
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path


def test_an_interrupted_training_goes_on(folder: Path, tmp_path: Path) -> None:
    """Interrupted in the third of four epochs: the second attempt trains what is left, to the same bytes."""
    flags = {**data(folder), "width": 0.5, "epochs": 4}
    save_adapted(recipe(folder / "net.s2c", **flags), tmp_path / "whole")
    heard: list[str] = []

    def interrupt(text: str, done: float | None = None) -> None:
        if text.startswith("training, epoch 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_adapted(recipe(folder / "net.s2c", **flags), tmp_path / "broken", say=interrupt)
    assert not (tmp_path / "broken").exists()

    def listen(text: str, done: float | None = None) -> None:
        heard.append(text)

    save_adapted(recipe(folder / "net.s2c", **flags), tmp_path / "broken", say=listen)
    assert not any(text.startswith("training, epoch 1") for text in heard)
    assert (tmp_path / "broken" / "net.s2c").read_bytes() == (tmp_path / "whole" / "net.s2c").read_bytes()


def test_int8_runs_as_it_was_measured(folder: Path, tmp_path: Path) -> None:
    flags = {**data(folder), "int8": True, "max_drop": -100.0}
    manifest = save_adapted(recipe(folder / "net.s2c", "cortex-m4", **flags), tmp_path / "int8")
    assert manifest["inputs"][0]["dtype"] == manifest["outputs"][0]["dtype"] == "i8"
    assert set(manifest["adaptation"]["score"]) == {"original", "int8", "int8 trained"}
    assert not any("f32" in kernel for kernel in manifest["kernels"])
    with s2c.load(tmp_path / "int8") as program, np.load(folder / "test.npz") as samples:
        scale, zero = (program.manifest["inputs"][0][name] for name in ("scale", "zero"))
        steps = np.clip(np.rint(samples["x"] / np.float32(scale)) + zero, -128, 127).astype(np.int8)
        outputs, _ = run_batch(program, [steps[:, np.newaxis]])
        right = float((outputs[0].reshape(-1, CLASSES).argmax(-1) == samples["y"]).mean())
    assert right == pytest.approx(manifest["adaptation"]["score"]["int8 trained"], abs=1e-9)


@pytest.mark.parametrize("kind", ["instructions", "macs"])
def test_budgets_are_kept(folder: Path, tmp_path: Path, kind: str) -> None:
    whole = save_adapted(recipe(folder / "net.s2c", "cortex-m4"), tmp_path / "whole")
    measured = bench(tmp_path / "whole", 1).instructions if kind == "instructions" else whole["macs"]
    flags = {**data(folder), kind: 0.6 * measured, "epochs": 0}
    manifest = save_adapted(recipe(folder / "net.s2c", "cortex-m4", **flags), tmp_path / kind)
    found = bench(tmp_path / kind, 1).instructions if kind == "instructions" else manifest["macs"]
    assert 0.4 * measured < found <= 0.6 * measured


@pytest.mark.parametrize(
    ("target", "flags", "message"),
    [
        (
            "host",
            {"macs": 0.001},
            "--macs: wanted 157 MACs, found 11712 with the least channels; "
            "allow more, or start from a smaller net",
        ),
        (
            "cortex-m4",
            {"instructions": 100.0},
            "--instructions: wanted 100 instructions, found N instructions with the least channels; "
            "allow more, or start from a smaller net",
        ),
        (
            "host",
            {"latency": "1ns"},
            "--latency: wanted 0.001 us, found N us with the least channels; "
            "allow more, or start from a smaller net",
        ),
    ],
)
def test_unreachable_budgets(folder: Path, target: str, flags: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError) as raised:
        adapt(recipe(folder / "net.s2c", target, **data(folder), **flags))
    measured = re.sub(r"found [\d.e+]+ (us|instructions)", r"found N \1", str(raised.value))
    assert measured == message


def test_a_net_with_nothing_to_prune(tmp_path: Path) -> None:
    x = tensor("x", 1, 3)
    write_graph(tmp_path / "net.s2c", Graph((x,), (dense(x, 4, np.random.default_rng(0), "dense"),)))
    np.savez(tmp_path / "train.npz", x=np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(CompileError) as raised:
        save_adapted(recipe(tmp_path / "net.s2c", data=tmp_path / "train.npz", width=0.5), tmp_path / "out")
    assert str(raised.value) == (
        "net: wanted channels that can be taken away, found none: every channel reaches an output or an op "
        "that needs all of them; compile it without a budget"
    )
    assert not (tmp_path / "out").exists()


def test_a_detector_of_two_classes(tmp_path: Path) -> None:
    """All of the way: its labels choose channels, train it, and judge the program as the report says, but for
    shares that int8 rounds to a half."""
    x = np.random.default_rng(0).normal(size=(400, 6, 6, 2)).astype(np.float32)
    y = np.array([oracle.run(detector(0), each[None])[0].item() > 0.5 for each in x])
    write_graph(tmp_path / "net.s2c", detector(0))
    np.savez(tmp_path / "train.npz", x=x[:300], y=y[:300])
    np.savez(tmp_path / "test.npz", x=x[300:], y=y[300:])
    flags = {"width": 0.5, "importance": "taylor", "epochs": 8, "int8": True, "max_drop": -100.0}
    manifest = save_adapted(recipe(tmp_path / "net.s2c", **data(tmp_path), **flags), tmp_path / "out")
    found = manifest["adaptation"]
    assert (found["kind"], found["score"]["original"]) == ("accuracy", 1.0)
    assert found["score"]["retrained"] > 0.85 and found["score"]["int8 trained"] > 0.85
    assert all(abs(each["drop"]) < 5 for each in found["quantization"])
    with s2c.load(tmp_path / "out") as program:
        outputs = to_floats(run_samples(program, [x[300:, None]]), program.manifest["outputs"][0])
    assert score(outputs, y[300:].astype(int)).value == pytest.approx(
        found["score"]["int8 trained"], abs=0.011
    )


def test_calibration_needs_no_labels(tmp_path: Path) -> None:
    """Zeros and ones may be labels or numbers, and are neither asked for nor judged by here."""
    write_graph(tmp_path / "net.s2c", detector(0))
    x = np.random.default_rng(0).normal(size=(40, 6, 6, 2)).astype(np.float32)
    np.savez(tmp_path / "some.npz", x=x, y=np.arange(40) % 2 / 1.0)
    report = adapt(recipe(tmp_path / "net.s2c", int8=True, calibration=tmp_path / "some.npz")).report
    assert report["task"] == "distillation" and report["score"] == {}


@pytest.mark.parametrize("method", ["batchnorm", "taylor", "contribution", "reconstruction"])
def test_nets_with_states_are_weighed_by_their_weights(tmp_path: Path, method: str) -> None:
    write_graph(tmp_path / "leaky.s2c", leaky())
    np.savez(tmp_path / "train.npz", x=np.random.default_rng(0).normal(size=(20, 3, 1, 3)))
    flags = {"data": tmp_path / "train.npz", "width": 0.5, "importance": method, "epochs": 1}
    with pytest.raises(CompileError) as raised:
        adapt(recipe(tmp_path / "leaky.s2c", **flags))
    assert str(raised.value) == (
        f"--importance {method}: wanted a net without states, found one that keeps some; "
        "give --importance l2, which weighs the weights alone"
    )


def test_sequences_are_not_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LONGEST_BYTES", 1 << 14)
    write_graph(tmp_path / "leaky.s2c", leaky())
    np.savez(tmp_path / "train.npz", x=np.random.default_rng(0).normal(size=(20, 30, 1, 3)))
    with pytest.raises(CompileError) as raised:
        adapt(recipe(tmp_path / "leaky.s2c", data=tmp_path / "train.npz", width=0.5))
    assert str(raised.value).startswith("x: wanted sequences of at most ")


def leaky() -> Graph:
    """Leaks what it kept, adds what it reads."""
    source = np.random.default_rng(0)
    x = tensor("x", 1, 3)
    state = state_node(np.zeros((1, 8), np.float32), "state")
    total = make("add", (dense(x, 8, source, "a"), dense(state, 8, source, "b")), "sum")
    kept = make("relu", (total,), "kept", lo=0.0)
    return Graph((x,), (dense(kept, 2, source, "c"),), states=(State(state, kept),))


def test_minutes_count_interrupted_runs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed training leaves the one in int8 what is left of the time, not all of it."""
    given: list[float] = []

    def noted(job: Job) -> Training:
        given.append(job.minutes_left() or 0)
        return replace(plain(job), minutes=None)

    plain = adapt_module.training
    monkeypatch.setattr(adapt_module, "training", noted)
    flags = {**data(folder), "width": 0.5, "epochs": 2, "minutes": 60.0, "int8": True, "max_drop": -100.0}
    chosen, path = recipe(folder / "net.s2c", **flags), tmp_path / "checkpoint"
    adapt(chosen, path)
    state = torch.load(path, weights_only=True)
    state["state"]["spent"] = 30 * 60.0
    torch.save(state, path)
    adapt_module.beside(path).unlink()
    adapt(chosen, path)
    assert given[0] > 59 and given[1] > 59 and given[2] > 59 and 29 < given[3] < 30


def test_a_manifest_of_an_adapted_net_reads_back(folder: Path, tmp_path: Path) -> None:
    save_adapted(recipe(folder / "net.s2c", width=0.5, epochs=0), tmp_path / "out")
    assert read_manifest(tmp_path / "out")["adaptation"]["macs"]["pruned"] > 0


@pytest.mark.parametrize("kept", ["conv2", "relu2"])
def test_layers_that_inspect_prints_stay_float(kept: str) -> None:
    """A convolution has the name of the threshold that was folded into it."""
    source = load_source(make_request(DIGITS, "host"))
    original = prepare(source)
    assert kept in [each.name for each in layers_of(source)]
    samples = make_samples(original, [np.random.default_rng(0).random((32, *original.inputs[0].type.shape))])
    layers = folded_layers((kept,), source, original)
    found = {each.layer: each.method for each in quantize_net(original, samples, layers).layers}
    assert {layer for layer, method in found.items() if method == "float"} >= set(layers) == {"relu2"}
    assert found["relu1"] != "float"


def test_every_layer_that_computes_can_stay_float() -> None:
    source = load_source(make_request(DIGITS, "host"))
    original = prepare(source)
    left = {node.layer for node in original.nodes()}
    names = [node.layer for node in source.nodes() if node.op not in SILENT]
    assert len(names) > 4 and set(folded_layers(names, source, original)) <= left
    convolutions = {node.layer for node in original.nodes() if node.op == "conv2d"}
    assert set(folded_layers(["conv1", "conv2"], source, original)) == convolutions
    assert folded_layers(["other", "conv1"], source, original) == ("other", "relu1")
