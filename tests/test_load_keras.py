"""The Keras reader: nets that also exist as .tflite, layers against numpy, and files that mean harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import data

from s2c import oracle
from s2c.errors import CompileError
from s2c.readers import load_model

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

pytestmark = pytest.mark.build


# Each net as Keras saved it, and as TensorFlow converted it to float32 .tflite.
PAIRS = {
    "mlperf_tiny/pretrainedResnet.h5": "mlperf_tiny/pretrainedResnet.tflite",
    "tinymaix/mnist_valid.h5": "tinymaix/mnist_valid_f.tflite",
    "tinymaix/mnist_dw.h5": "tinymaix/mnist_dw_f.tflite",
}


@pytest.mark.parametrize("name", PAIRS)
def test_equals_the_converted_net(name: str) -> None:
    graphs = [load_model(data(each), {}, {}) for each in (name, PAIRS[name])]
    x = np.random.default_rng(0).uniform(0, 1, graphs[0].inputs[0].type.shape).astype(np.float32)
    wanted, found = (oracle.run(each, x)[0] for each in graphs)
    assert np.allclose(wanted, found, rtol=1e-4, atol=1e-6)


def save(path: Path, layers: list[dict[str, Any]], weights: dict[str, list[np.ndarray]]) -> Path:
    """A Sequential model as Keras 2 saves it."""
    with h5py.File(path, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [each["config"]["name"].encode() for each in layers]
        for each in layers:
            name = each["config"]["name"]
            within = group.create_group(name)
            arrays = weights.get(name, [])
            names = [f"{name}/w{index}:0" for index in range(len(arrays))]
            within.attrs["weight_names"] = [text.encode() for text in names]
            for text, array in zip(names, arrays, strict=True):
                within.create_dataset(text, data=array)
    return path


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def dense_net(path: Path, **config: Any) -> Path:
    values = np.random.default_rng(1)
    kernel, bias = (values.normal(size=shape).astype(np.float32) for shape in ((3, 2), (2,)))
    first = layer("Dense", "d", batch_input_shape=[None, 3], units=2, **config)
    return save(path, [first], {"d": [kernel, bias]})


def test_dense_with_an_activation(tmp_path: Path) -> None:
    path = dense_net(tmp_path / "net.h5", activation="tanh")
    graph = load_model(path, {"batch": 4}, {})
    x = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
    with h5py.File(path) as file:
        kernel, bias = (file[f"model_weights/d/d/w{index}:0"][()] for index in range(2))
    assert np.allclose(oracle.run(graph, x)[0], np.tanh(x @ kernel + bias), atol=1e-6)


def test_causal_convolution_pool_and_padding(tmp_path: Path) -> None:
    kernel = np.random.default_rng(3).normal(size=(3, 2, 4)).astype(np.float32)
    layers = [
        layer("Conv1D", "c", batch_input_shape=[1, 8, 2], strides=[1], dilation_rate=[2], padding="causal",
              use_bias=False),
        layer("ZeroPadding1D", "z", padding=[1, 2]),
        layer("MaxPooling1D", "m", pool_size=[2], strides=[2]),
    ]  # fmt: skip
    graph = load_model(save(tmp_path / "net.h5", layers, {"c": [kernel]}), {}, {})
    x = np.random.default_rng(4).normal(size=(1, 8, 2)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (4, 0), (0, 0)))
    y = sum(padded[:, 2 * tap : 2 * tap + 8] @ kernel[tap] for tap in range(3))
    y = np.pad(y, ((0, 0), (1, 2), (0, 0)))[:, :10]
    assert np.allclose(oracle.run(graph, x)[0], y.reshape(1, 5, 2, 4).max(axis=2), atol=1e-5)


def refusal(path: Path, **flags: Any) -> str:
    with pytest.raises(CompileError) as raised:
        load_model(path, flags.get("dims", {}), flags.get("consts", {}))
    return str(raised.value)


def test_unknown_layers_are_named(tmp_path: Path) -> None:
    layers = [
        layer("Lambda", "mine", batch_input_shape=[1, 3]),
        layer("Dense", "d", units=1),
        layer("Mystery", "other"),
    ]
    assert refusal(save(tmp_path / "net.h5", layers, {})).splitlines() == [
        "mine: wanted a layer that s2c reads from Keras, found Lambda; write it with layers that s2c reads "
        "(s2c ops), or export the model to ONNX",
        "other: wanted a layer that s2c reads from Keras, found Mystery; write it with layers that s2c reads "
        "(s2c ops), or export the model to ONNX",
    ]


def test_unknown_extents_name_their_flag(tmp_path: Path) -> None:
    first = layer("Dense", "d", batch_input_shape=[None, None, 3], units=2)
    kernel = np.zeros((3, 2), np.float32)
    path = save(tmp_path / "net.h5", [first], {"d": [kernel, np.zeros(2, np.float32)]})
    assert refusal(path) == (
        "d_input: wanted a fixed shape, found axis 1 of unknown extent; set it with --dim d_input.1=N"
    )
    assert load_model(path, {"d_input.1": 5}, {}).outputs[0].type.shape == (1, 5, 2)


def test_weights_of_another_shape(tmp_path: Path) -> None:
    first = layer("Dense", "d", batch_input_shape=[None, 4], units=2)
    path = save(tmp_path / "net.h5", [first], {"d": [np.zeros((3, 2), np.float32)]})
    assert refusal(path) == ("d: wanted a weight [4, -1] for Dense, found (3, 2); save the model again")


def test_damaged_files(tmp_path: Path) -> None:
    whole = dense_net(tmp_path / "net.h5").read_bytes()
    path = tmp_path / "cut.h5"
    for size in (1, 8, 9, 100, 512, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "a Keras .h5 file" in refusal(path)


def test_links_out_of_the_file_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["w"] = np.ones((3, 2), np.float32)
    for link in (h5py.ExternalLink(str(secret), "/w"), h5py.SoftLink("/model_weights/d/d/w1:0")):
        path = dense_net(tmp_path / "net.h5")
        with h5py.File(path, "a") as file:
            del file["model_weights/d/d/w0:0"]
            file["model_weights/d/d/w0:0"] = link
        assert "w0:0, which is a link" in refusal(path)


def test_weights_stored_in_another_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(24))
    path = dense_net(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        del file["model_weights/d/d/w0:0"]
        group = file["model_weights/d/d"]
        group.create_dataset("w0:0", (3, 2), "f4", external=[(str(tmp_path / "raw"), 0, 24)])
    assert "w0:0, which is stored elsewhere" in refusal(path)


def test_weights_of_another_dtype(tmp_path: Path) -> None:
    path = dense_net(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        del file["model_weights/d/d/w1:0"]
        file["model_weights/d/d/w1:0"] = np.ones(2, np.complex64)
    assert "found ValueError: d/w1:0 of dtype complex64; save" in refusal(path)


def test_huge_weights_are_refused(tmp_path: Path) -> None:
    path = dense_net(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        del file["model_weights/d/d/w0:0"]
        group = file["model_weights/d/d"]
        group.create_dataset("w0:0", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
    assert path.stat().st_size < 1 << 20
    assert "more than 1073741824 bytes of weights" in refusal(path)


IMAGE = {"batch_input_shape": [1, 4, 4, 2]}
STRANGE = {
    "strides": (
        layer("MaxPooling2D", "m", **IMAGE, pool_size=[2, 2], strides=[0, 1]),
        "m: wanted strides, 2 integers of 1 to 16777216, for MaxPooling2D, found [0, 1]; "
        "save the model again",
    ),
    "kernel": (
        layer("MaxPooling2D", "m", **IMAGE, pool_size=[1 << 10, 1 << 10]),
        "m: wanted padding valid, same or causal and a kernel of 1 to 65536 values for MaxPooling2D, found "
        "valid with a kernel (1024, 1024); save the layer with another",
    ),
    "slope": (
        layer("LeakyReLU", "m", **IMAGE, alpha=float("inf")),
        "m: wanted alpha, a float32 number, for LeakyReLU, found inf; save the model again",
    ),
    "maximum": (
        layer("ReLU", "m", **IMAGE, max_value=-1.0),
        "m: wanted a max_value of at least 0 for ReLU, found -1; save the model again",
    ),
    "order": (
        layer("Permute", "m", **IMAGE, dims=[1, 1, 2]),
        "m: wanted an order of the axes 1 to 3 for Permute, found (1, 1, 2); save the model again",
    ),
    "crops": (
        layer("Cropping2D", "m", **IMAGE, cropping=[[1, -1], [0, 0]]),
        "m: wanted cropping, two integers of 0 to 16777216 for 2 axes, for Cropping2D, found "
        "[[1, -1], [0, 0]]; save the model again",
    ),
    "factor": (
        layer("UpSampling2D", "m", **IMAGE, size=[1, 1 << 24]),
        "m: wanted extents of at most 16777216 for UpSampling2D, found f32[1,4,4,2] times 16777216; "
        "make it smaller",
    ),
    "pads": (
        layer("ZeroPadding2D", "m", **IMAGE, padding=[[1 << 20, 0], [1 << 20, 0]]),
        "m: wanted a result of 1 to 268435456 elements, found f32[1,1048580,1048580,2]; make it smaller",
    ),
    "axis": (
        layer("Concatenate", "m", **IMAGE, axis=4),
        "m: wanted an axis of 4 for Concatenate, found 4; save the model again",
    ),
    "slopes": (
        layer("PReLU", "m", **IMAGE),
        "m: wanted slopes that fit the input for PReLU, found [1, 1, 3] and f32[1,4,4,2]; "
        "save the model again",
    ),
    "variance": (
        layer("BatchNormalization", "m", batch_input_shape=[1, 3], scale=False, center=False, epsilon=-2.0),
        "m: wanted a positive variance for BatchNormalization, found -1; save the model again",
    ),
    "extent": (
        layer("Flatten", "m", batch_input_shape=[1, 0]),
        "m_input: wanted extents of 1 to 16777216, found 0; save the model again",
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_layers(name: str, tmp_path: Path) -> None:
    given, wanted = STRANGE[name]
    weights = {"slopes": [np.ones((1, 1, 3))], "variance": [np.ones(3)] * 2}
    arrays = [each.astype(np.float32) for each in weights.get(name, [])]
    assert refusal(save(tmp_path / "net.h5", [given], {"m": arrays})) == wanted
