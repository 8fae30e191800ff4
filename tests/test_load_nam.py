"""The .nam reader: public nets against plain numpy, streaming in blocks, compiled C, and files that mean
harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nam_reference import FUNCTIONS, reference
from nets import data

import s2c
from s2c import oracle
from s2c.errors import CompileError
from s2c.ir import Graph
from s2c.readers import load_model
from s2c.readers.nam import load_nam

BLOCK = 32
CALLS = 5
NETS = (
    "identity_linear_10.nam",
    "identity_wavenet_minimal.nam",
    "identity_wavenet_standard.nam",
    "lstm.nam",
    "slimmable_wavenet.nam",
    "wavenet.nam",
    "wavenet_a1_standard.nam",
    "wavenet_a2_max.nam",
    "wavenet_condition_dsp.nam",
)


# the reader


def signal(count: int = BLOCK * CALLS) -> np.ndarray:
    """Silence in front, so that the numpy nets stand as after endless silence."""
    x = np.random.default_rng(0).normal(0, 0.3, (count, 1))
    x[0] = 0
    return x.astype(np.float32)


def blocks(graph: Graph, x: np.ndarray) -> np.ndarray:
    calls = [(each,) for each in x.reshape(-1, *graph.inputs[0].type.shape)]
    return np.concatenate([outputs[0][0] for outputs in oracle.run_sequence(graph, calls)])


@pytest.mark.parametrize("name", NETS)
def test_public_nets_in_blocks_equal_numpy(name: str) -> None:
    path = data(f"nam/{name}")
    found = blocks(load_model(path, {"samples": BLOCK}, {}), signal())
    wanted = reference(json.loads(path.read_bytes()), signal().astype(np.float64))
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("name", [each for each in NETS if each.startswith("identity")])
def test_identities_are_the_input(name: str) -> None:
    found = blocks(load_model(data(f"nam/{name}"), {"samples": BLOCK}, {}), signal())
    assert np.abs(found - signal()).max() < 1e-4


@pytest.mark.build
@pytest.mark.parametrize("name", ["wavenet.nam", "wavenet_a2_max.nam", "lstm.nam"])
def test_any_block_gives_the_same(name: str) -> None:
    path = data(f"nam/{name}")
    whole = blocks(load_model(path, {"samples": 60}, {}), signal(60))
    for samples in (1, 5, 20):
        parts = blocks(load_model(path, {"samples": samples}, {}), signal(60))
        assert np.allclose(parts, whole, atol=1e-6 * np.abs(whole).max())


def test_a_block_has_64_samples_unless_told() -> None:
    graph = load_model(data("nam/wavenet.nam"), {}, {})
    assert [str(each.type) for each in (*graph.inputs, *graph.outputs)] == ["f32[1,64,1]"] * 2


@pytest.mark.build
@pytest.mark.parametrize("name", NETS)
def test_compiled_nets_keep_their_past(name: str) -> None:
    path = data(f"nam/{name}")
    graph = load_model(path, {"samples": BLOCK}, {})
    wanted = blocks(graph, signal())
    with s2c.compile(path, dims={"samples": BLOCK}) as program:
        found = np.concatenate([program(each)[0] for each in signal().reshape(CALLS, 1, BLOCK, 1)])
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


# made nets

WAVENET: dict[str, Any] = {
    "layers": [
        {"input_size": 1, "condition_size": 1, "head_size": 1, "channels": 2, "kernel_size": 2,
         "dilations": [1, 2], "activation": "Tanh", "gated": True, "head_bias": True}
    ],
    "head": None,
    "head_scale": 0.5,
}  # fmt: skip


def save(path: Path, architecture: str, config: dict[str, Any], weights: Any) -> Path:
    path.write_text(json.dumps({"architecture": architecture, "config": config, "weights": weights}))
    return path


def some(count: int) -> list[float]:
    return np.random.default_rng(1).normal(0, 0.5, count).astype(np.float32).tolist()


def made(tmp_path: Path, architecture: str, config: dict[str, Any], count: int) -> None:
    """Reads a net with weights of this number and compares it with numpy."""
    path = save(tmp_path / "net.nam", architecture, config, some(count))
    found = blocks(load_model(path, {"samples": BLOCK}, {}), signal())
    wanted = reference(json.loads(path.read_bytes()), signal().astype(np.float64))
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_gated_wavenet(tmp_path: Path) -> None:
    made(tmp_path, "WaveNet", WAVENET, 2 + 2 * (16 + 4 + 4 + 4 + 2) + 3 + 1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    activation = {"type": name, "negative_slopes": [0.1, 0.3]}
    config = {"channels": 2, "dilations": [1], "batchnorm": False, "activation": activation}
    made(tmp_path, "ConvNet", config, 2 * 2 + 2 + 3)


def test_convnet_without_normalization(tmp_path: Path) -> None:
    config = {"channels": 3, "dilations": [1, 4], "batchnorm": False, "activation": "Tanh"}
    made(tmp_path, "ConvNet", config, 6 + 3 + 18 + 3 + 4)


def test_convnet_with_normalization(tmp_path: Path) -> None:
    config = {"channels": 2, "dilations": [2], "batchnorm": True, "activation": "ReLU"}
    weights = [*some(4), 0.1, 0.2, 1.5, 0.5, 1.0, 2.0, 0.3, 0.4, 1e-5, *some(3)]
    path = save(tmp_path / "net.nam", "ConvNet", config, weights)
    found = blocks(load_model(path, {"samples": BLOCK}, {}), signal())
    wanted = reference(json.loads(path.read_bytes()), signal().astype(np.float64))
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_deep_lstm(tmp_path: Path) -> None:
    config = {"input_size": 1, "hidden_size": 3, "num_layers": 2}
    made(tmp_path, "LSTM", config, 12 * 4 + 12 + 6 + 12 * 6 + 12 + 6 + 4)


def test_wavenet_with_a_head_of_its_own(tmp_path: Path) -> None:
    head = {"channels": 3, "out_channels": 1, "kernel_sizes": [2, 3], "activation": "ReLU"}
    first = {**WAVENET["layers"][0], "gated": False}
    config = {**WAVENET, "layers": [first], "head": head}
    made(tmp_path, "WaveNet", config, 2 + 2 * (8 + 2 + 2 + 4 + 2) + 3 + (6 + 3) + (9 + 1) + 1)


# refusals


def refusal(path: Path, dims: dict[str, int] | None = None, **consts: np.ndarray) -> list[str]:
    with pytest.raises(CompileError) as raised:
        load_model(path, dims or {}, consts)
    return str(raised.value).splitlines()


def test_containers_are_refused_by_name() -> None:
    assert refusal(data("nam/slimmable_container.nam")) == [
        "slimmable_container.nam: wanted one of the architectures ConvNet, LSTM, Linear, WaveNet, found "
        "SlimmableContainer; export one net: train it without submodels"
    ]


def test_all_problems_of_all_layers_come_at_once(tmp_path: Path) -> None:
    bad = {
        **WAVENET["layers"][0], "channels": 0, "kernel_size": "x", "activation": "Sine",
        "slimmable": {"method": "other"}, "head_bias": None,
    }  # fmt: skip
    config = {**WAVENET, "layers": [bad, {**WAVENET["layers"][0], "input_size": 3}]}
    found = refusal(save(tmp_path / "net.nam", "WaveNet", config, some(9)))
    assert found[0] == ("array 0: wanted channels from 1 to 4096, found 0; export the model again")
    for text in (
        "array 0: wanted kernel_size from 1 to 65536, found x; ",
        "array 0: wanted activation, one of Fasttanh, ",
        "array 0: wanted slimmable method slice_channels_uniform, found other; ",
        "array 0: wanted head_bias, true or false, found none; ",
        "array 1: wanted input_size 1, as what comes before, found 3; ",
        "array 1: wanted a head of 1 channels, as of the array before, found 2; ",
    ):
        assert any(each.startswith(text) for each in found), (text, found)


def test_too_few_and_too_many_weights(tmp_path: Path) -> None:
    config = {"receptive_field": 4, "bias": True}
    for count, text in (
        (3, "linear: wanted 4 weights, found 3 left of 3; export the model again"),
        (4, "linear: wanted 1 weights, found 0 left of 4; export the model again"),
        (6, "net.nam: wanted 5 weights, found 6; export the model again"),
    ):
        assert refusal(save(tmp_path / "net.nam", "Linear", config, some(count))) == [text]


def test_slopes_that_fit_no_channels(tmp_path: Path) -> None:
    activation = {"type": "PReLU", "negative_slopes": [0.1, 0.2, 0.3]}
    config = {"channels": 2, "dilations": [1], "batchnorm": False, "activation": activation}
    assert refusal(save(tmp_path / "net.nam", "ConvNet", config, some(9))) == [
        "block 0: wanted 1 or 2 negative_slopes, found 3 negative_slopes; export the model again"
    ]


def test_a_condition_of_another_kind(tmp_path: Path) -> None:
    config = {**WAVENET, "condition_dsp": {"architecture": "LSTM"}}
    assert refusal(save(tmp_path / "net.nam", "WaveNet", config, [])) == [
        "net.nam: wanted a WaveNet as condition, at most 4 deep, found LSTM; "
        "export one net: train it without submodels"
    ]


def test_conditions_within_each_other_end(tmp_path: Path) -> None:
    model: dict[str, Any] = {"architecture": "WaveNet", "config": WAVENET, "weights": []}
    for _ in range(50):
        model = {**model, "config": {**WAVENET, "condition_dsp": model}}
    path = tmp_path / "net.nam"
    path.write_text(json.dumps(model))
    assert "at most 4 deep" in refusal(path)[0]


def test_blocks_and_names(tmp_path: Path) -> None:
    path = save(tmp_path / "net.nam", "Linear", {"receptive_field": 1, "bias": False}, [1.0])
    assert refusal(path, {"samples": 1 << 20, "batch": 1}, x=np.zeros(1)) == [
        "net.nam: wanted --dim samples alone, found 'batch'; correct --dim batch",
        "net.nam: wanted no input that --const can bind, found 'x'; leave it out",
        "net.nam: wanted --dim samples from 1 to 8192, found 1048576; choose another block",
    ]


@pytest.mark.build
def test_a_block_of_too_many_steps(tmp_path: Path) -> None:
    config = {"input_size": 1, "hidden_size": 1, "num_layers": 3}
    path = save(tmp_path / "net.nam", "LSTM", config, some(3 * (8 + 4 + 2) + 2))
    assert refusal(path, {"samples": 2048}) == [
        "lstm 2: wanted at most 4096 steps of recurrent layers in a call, found 6144 or more; "
        "set a shorter block with --dim samples=N"
    ]


def test_a_past_of_too_many_samples(tmp_path: Path) -> None:
    layers = [{**WAVENET["layers"][0], "dilations": [1 << 24], "gated": False}]
    path = save(tmp_path / "net.nam", "WaveNet", {**WAVENET, "layers": layers}, some(24))
    assert refusal(path) == [
        "array 0.0.conv: wanted at most 16777216 values kept between calls, found 33554432 or more; "
        "use a smaller net"
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"nul",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"architecture": "Linear", "weights": [NaN]}',
        b'{"architecture": "Linear", "weights": [1e999], "config": {}}',
        b'{"architecture": "Linear", "weights": [1e39], "config": {}}',
        b'{"architecture": "Linear", "weights": [' + b"9" * 5000 + b'], "config": {}}',
        b'{"architecture": "Linear", "weights": [' + b"9" * 400 + b'], "config": {}}',
        b'{"architecture": "Linear", "weights": [[1], 2], "config": {}}',
        b'{"architecture": "Linear", "weights": "x", "config": []}',
        b'{"architecture": 3, "weights": [1], "config": {}}',
        b'{"architecture": "WaveNet", "weights": [1], "config": {"layers": 5}}',
        b'{"architecture": "WaveNet", "weights": [1], "config": {"layers": [5]}}',
        b'{"architecture": "LSTM", "weights": [1], "config": {"hidden_size": 1e9, "input_size": true}}',
        b'{"architecture": "\\u001b[31m/* */"}',
        b" " * ((1 << 25) + 1),
    ],
)
def test_hostile_files(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.nam"
    path.write_bytes(text)
    assert all(line.isprintable() and len(line) < 400 for line in refusal(path))


def test_truncated_at_every_class_of_offset() -> None:
    whole = data("nam/wavenet.nam").read_bytes()
    for size in range(1, len(whole) - 1, 97):
        with pytest.raises(CompileError):
            load_nam(whole[:size], {}, {})
