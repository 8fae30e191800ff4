"""The reader of RTNeural's JSON: its own expected outputs, streaming in blocks, compiled C, harmful files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import data

import s2c
from s2c import oracle
from s2c.errors import CompileError
from s2c.ir import Graph
from s2c.readers import load_model
from s2c.readers.rtneural import load_rtneural

BLOCK = 10
TOLERANCE = 1e-5
NETS = ("conv", "dense", "gru", "gru_1d", "lstm", "lstm_1d")
# Keras looks ahead where this net is causal: outputs of frame t are Keras' of frame t - 13, and those at its
# two edges, where Keras pads, have no counterpart.
CONV2D_DELAY, CONV2D_FRAMES = 13, slice(1, 37)


def model(name: str) -> Path:
    return data(f"rtneural/models/{name}.json")


def table(name: str, side: str) -> np.ndarray:
    return np.loadtxt(data(f"rtneural/test_data/{name}_{side}_python.csv")).astype(np.float32)


def blocks(graph: Graph, x: np.ndarray) -> np.ndarray:
    calls = [(each,) for each in x.reshape(-1, *graph.inputs[0].type.shape)]
    return np.concatenate([outputs[0][0] for outputs in oracle.run_sequence(graph, calls)])


def is_close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found.reshape(wanted.shape) - wanted).max() <= TOLERANCE * np.abs(wanted).max())


@pytest.mark.parametrize("name", NETS)
def test_equals_the_expected_outputs(name: str) -> None:
    graph = load_model(model(name), {"samples": BLOCK}, {})
    assert is_close(blocks(graph, table(name, "x")), table(name, "y"))


def test_conv2d_equals_keras_where_it_is_causal() -> None:
    graph = load_model(model("conv2d"), {"samples": BLOCK}, {})
    found = blocks(graph, table("conv2d", "x")).reshape(-1, 8)
    wanted = table("conv2d", "y").reshape(-1, 8)[CONV2D_FRAMES]
    assert is_close(found[CONV2D_DELAY:][CONV2D_FRAMES], wanted)


def test_convolutions_that_shorten_a_frame_keep_no_past() -> None:
    graph = load_model(model("conv_stateless"), {}, {})
    assert not graph.states and str(graph.inputs[0].type) == "f32[1,128,1]"
    x = table("conv_stateless", "x").reshape(1, 128, 1)
    assert is_close(oracle.run(graph, x)[0], table("conv_stateless", "y"))


@pytest.mark.parametrize("name", ["conv", "full_model", "lstm"])
def test_any_block_gives_the_same(name: str) -> None:
    x = np.random.default_rng(0).normal(size=60).astype(np.float32)
    whole = blocks(load_model(model(name), {"samples": 60}, {}), x)
    for samples in (1, 5, 20):
        parts = blocks(load_model(model(name), {"samples": samples}, {}), x)
        assert np.allclose(parts, whole, atol=1e-6)


@pytest.mark.build
@pytest.mark.parametrize("name", NETS)
def test_compiled_nets_keep_their_past(name: str) -> None:
    x, wanted = table(name, "x"), table(name, "y")
    with s2c.compile(model(name), dims={"samples": BLOCK}) as program:
        found = np.concatenate([program(each)[0] for each in x.reshape(-1, 1, BLOCK, 1)])
    assert is_close(found, wanted)


# made nets


def numbers(*shape: int) -> list[Any]:
    return np.random.default_rng(1).normal(0, 0.5, shape).astype(np.float32).tolist()


def save(path: Path, layers: list[dict[str, Any]], in_shape: Any = (None, None, 2)) -> Path:
    path.write_text(json.dumps({"in_shape": in_shape, "layers": layers}))
    return path


def dense(**fields: Any) -> dict[str, Any]:
    return {
        "type": "dense", "activation": "", "shape": [None, None, 3],
        "weights": [numbers(2, 3), numbers(3)], **fields,
    }  # fmt: skip


def test_grouped_dilated_convolution(tmp_path: Path) -> None:
    weight, bias = np.array(numbers(2, 1, 4)), np.array(numbers(4))
    layer = {"type": "conv1d", "shape": [None, None, 4], "kernel_size": [2], "dilation": [3], "groups": 2,
             "weights": [weight.tolist(), bias.tolist()]}  # fmt: skip
    x = np.random.default_rng(2).normal(size=(30, 2)).astype(np.float32)
    found = blocks(load_model(save(tmp_path / "net.json", [layer]), {"samples": BLOCK}, {}), x)
    late = np.concatenate([np.zeros((3, 2)), x])[:30]
    wanted = bias + late.repeat(2, 1) * weight[0, 0] + x.repeat(2, 1) * weight[1, 0]
    assert is_close(found, wanted.astype(np.float32))


@pytest.mark.parametrize("name", ["elu", "relu", "sigmoid", "softmax", "tanh"])
def test_activations(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / "net.json", [dense(activation=name)])
    x = np.random.default_rng(2).normal(size=(BLOCK, 2)).astype(np.float32)
    y = x.astype(np.float64) @ np.array(numbers(2, 3)) + np.array(numbers(3))
    exp = np.exp(y)
    wanted = {
        "elu": np.where(y < 0, exp - 1, y), "relu": np.maximum(y, 0), "sigmoid": exp / (1 + exp),
        "softmax": exp / exp.sum(1, keepdims=True), "tanh": np.tanh(y),
    }[name]  # fmt: skip
    assert is_close(blocks(load_model(path, {"samples": BLOCK}, {}), x), wanted.astype(np.float32))


# refusals


def refusal(path: Path, dims: dict[str, int] | None = None) -> list[str]:
    with pytest.raises(CompileError) as raised:
        load_model(path, dims or {}, {})
    return str(raised.value).splitlines()


def test_all_layers_tell_their_problems_at_once() -> None:
    assert refusal(model("bad_lstm")) == [
        "layer 0 (lstm): wanted weight 0 [1, 64], found [1, 80]; export the model again",
        "layer 1 (dense): wanted weight 0 [16, 1], found [20, 1]; export the model again",
    ]


def test_weights_alone_are_refused() -> None:
    assert refusal(model("gru_torch")) == [
        "gru_torch.json: wanted a net as RTNeural stores it (in_shape, layers), found another JSON file, "
        "perhaps of weights alone; save the net with RTNeural's model_utils.py, or export it as .pt2 or .onnx"
    ]


def conv1d(**fields: Any) -> dict[str, Any]:
    return {
        "type": "conv1d", "shape": [None, None, 3], "kernel_size": [2], "dilation": [1],
        "weights": [numbers(2, 2, 3), numbers(3)], **fields,
    }  # fmt: skip


def norm(*weights: list[Any]) -> dict[str, Any]:
    return {"type": "batchnorm", "shape": [None, None, 2], "epsilon": 0.1, "weights": list(weights)}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "kind": (
        dense(type="transformer"),
        "layer 0 (transformer): wanted one of the layers activation, batchnorm, batchnorm2d, conv1d, conv2d, "
        "dense, gru, lstm, prelu, time-distributed-dense, found transformer; choose one of these",
    ),
    "activation": (
        dense(activation="sine"),
        "layer 0 (dense): wanted one of the activations elu, relu, sigmoid, softmax, tanh, found sine; "
        "choose one of these",
    ),
    "escape": (
        dense(activation="\x1b[31m"),
        "layer 0 (dense): wanted one of the activations elu, relu, sigmoid, softmax, tanh, found ?[31m; "
        "choose one of these",
    ),
    "no weight": (
        dense(weights=[]),
        "layer 0 (dense): wanted weight 0, evenly nested lists of numbers, found none; "
        "export the model again",
    ),
    "uneven": (
        dense(weights=[[[1, 2, 3], [4]]]),
        "layer 0 (dense): wanted weight 0, evenly nested lists of numbers, found a list of 2; "
        "export the model again",
    ),
    "shape": (
        dense(shape=[None]),
        "layer 0 (dense): wanted shape of 2 to 4 extents, found a list of 1; export the model again",
    ),
    "strides": (
        conv1d(strides=[2]),
        "layer 0 (conv1d): wanted strides of 1, found 2; take every n-th output",
    ),
    "groups": (
        conv1d(groups=2),
        "layer 0 (conv1d): wanted channels in 2 groups, found 2 and 3; export the model again",
    ),
    "huge taps": (
        conv1d(kernel_size=[1 << 40]),
        "layer 0 (conv1d): wanted kernel_size from 1 to 65536, found 1099511627776; export the model again",
    ),
    "conv2d": (
        conv1d(type="conv2d"),
        "layer 0 (conv2d): wanted features and filters before and behind, found (2,) and (3,); "
        "export the model again",
    ),
    "norm": (
        norm(numbers(2)),
        "layer 0 (batchnorm): wanted 2 or 4 weights, found 1; export the model again",
    ),
    "variance": (
        norm(numbers(2), [-1.0, 1.0]),
        "layer 0 (batchnorm): wanted a positive variance, found -0.9; export the model again",
    ),
    "slopes": (
        {"type": "prelu", "shape": [None, None, 2], "weights": [[numbers(3)]]},
        "layer 0 (prelu): wanted 1 or 2 slopes, found 3; export the model again",
    ),
    "recurrent": (
        {"type": "gru", "activation": "relu", "shape": [None, None, 2], "weights": []},
        "layer 0 (gru): wanted the activation tanh, found relu; train it with tanh",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    layer, text = REFUSED[name]
    assert text in refusal(save(tmp_path / "net.json", [layer]))


def test_conv2d_refusals(tmp_path: Path) -> None:
    layer = {"type": "conv2d", "shape": [None, None, 1, 1], "kernel_size_time": 1, "kernel_size_feature": 3,
             "weights": [numbers(1, 3, 1, 1), numbers(1)]}  # fmt: skip
    assert refusal(save(tmp_path / "net.json", [layer], [None, None, 2, 1])) == [
        "layer 0 (conv2d): wanted at least 3 features, found 2; export the model again"
    ]
    same = {**layer, "padding": "causal"}
    assert refusal(save(tmp_path / "net.json", [same], [None, None, 3, 1])) == [
        "layer 0 (conv2d): wanted padding valid or same, found causal; export the model again"
    ]


def test_a_frame_has_no_samples_to_choose() -> None:
    assert refusal(model("conv_stateless"), {"samples": 3}) == [
        "conv_stateless.json: wanted no --dim samples, as the net reads one frame, found {'samples': 3}; "
        "leave it out"
    ]


def test_a_frame_that_is_too_short(tmp_path: Path) -> None:
    layer = conv1d(shape=[None, 3, 3], dilation=[5])
    assert refusal(save(tmp_path / "net.json", [layer], [None, 4, 2])) == [
        "layer 0 (conv1d): wanted a frame longer than 5, found 4; export the model again"
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[" * 100_000,
        b'{"layers": ' + b"[" * 100_000,
        b'{"in_shape": [null, 1], "layers": []}',
        b'{"in_shape": [null, null, 1e300], "layers": [{}]}',
        b'{"in_shape": [null, 4294967296, 1], "layers": [{"type": "conv1d", "shape": [0, 1, 1]}]}',
        b'{"in_shape": [1, 2, 3, 4, 5], "layers": [{"type": ["dense"]}]}',
        b'{"in_shape": [null, true], "layers": [{"type": "dense", "shape": 4, "weights": {}}]}',
        b'{"in_shape": [null, 65536], "layers": [{"type": "dense", "shape": [0, 65536], "weights": [[0]]}]}',
        b'{"in_shape": [null, 1], "layers": [{"type": "\\u001b]0;x\\u0007", "shape": [null, 1]}]}',
        b'{"in_shape": [null, 1], "layers": [{"type": "prelu", "shape": [null, 1], "weights": [[NaN]]}]}',
    ],
)
def test_hostile_files(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(text)
    assert all(line.isprintable() and len(line) < 400 for line in refusal(path))


def test_truncated_at_every_class_of_offset() -> None:
    whole = model("gru_1d").read_bytes()
    for size in range(1, len(whole) - 2, 501):
        with pytest.raises(CompileError):
            load_rtneural(whole[:size], {}, {})
