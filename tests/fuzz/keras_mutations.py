"""Keras .h5 files to strange ones: their configuration, weights, links and bytes."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np

from fuzz.damage import FLOATS, TEXTS, damage
from fuzz.json_mutations import change, copied
from s2c.readers.keras import weights as child
from s2c.readers.keras.activations import ACTIVATIONS
from s2c.readers.keras.layers import READERS

POOLS = (
    sorted(READERS),
    sorted(ACTIVATIONS),
    ("valid", "same", "causal"),
    ("channels_last", "channels_first"),
)
EXTENTS = (0, 1, 2, 3, 4, 5, 8, 9, 64)
DTYPES = ("f4", "f8", "f2", "i4", "u1", "i8", "S3", "c8", "b1")


@dataclass(frozen=True)
class Model:
    """What is written: arrays by layer, and what the file says that it has."""

    config: Any
    arrays: Mapping[str, Sequence[Any]]
    layers: Sequence[str]
    attrs: Mapping[str, Any] = field(default_factory=dict)


def mutate(source: Random, seeds: Sequence[Model]) -> bytes:
    model = source.choice(seeds)
    if source.random() < 0.15:
        return damage(source, written(model))
    model = replace(model, config=copied(model.config), arrays=dict(model.arrays))
    for _ in range(source.choice((1, 1, 2, 3))):
        model = source.choice(MUTATIONS)(source, model)
    return written(model)


def written(model: Model) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["model_config"] = json.dumps(model.config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [each.encode() for each in model.layers]
        for layer in sorted(set(model.layers)):
            arrays = model.arrays.get(layer, ())
            within = group.create_group(layer)
            within.attrs["weight_names"] = [f"{layer}/w{index}:0" for index in range(len(arrays))]
            for index, array in enumerate(arrays):
                within[f"{layer}/w{index}:0"] = array
        for place, value in model.attrs.items():
            at, _, name = place.rpartition("/")
            if at in file:
                file[at].attrs[name] = value
    return stream.getvalue()


# mutations


def change_config(source: Random, model: Model) -> Model:
    others = [[1, 1], [2, 2], [[1, 0], [0, 1]], [None, 4, 4, 2], *sorted(ACTIVATIONS)]
    change(source, model.config, POOLS, others)
    return model


def insert_layer(source: Random, model: Model) -> Model:
    """One more without weights, at a place of a sequence."""
    config = model.config.get("config") if isinstance(model.config, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or not isinstance(model.config, dict):
        return model
    name, (kind, fields) = f"more{len(layers)}", source.choice(PLAIN_LAYERS)
    added = layer(kind, name, **copied(fields))
    if model.config.get("class_name") == "Sequential":
        layers.insert(source.randrange(1, len(layers) + 1), added)
    elif isinstance(config, dict) and isinstance(config.get("output_layers"), list):
        before = config["output_layers"]
        config["output_layers"] = [[name, 0, 0]]
        layers.append({**added, "name": name, "inbound_nodes": [before]})
    return model


def change_array(source: Random, model: Model) -> Model:
    """Another shape, dtype or value; one less, one more."""
    name = source.choice(sorted(model.arrays))
    arrays = list(model.arrays[name])
    choice = source.randrange(5)
    if not arrays or choice == 0:
        arrays.insert(source.randrange(len(arrays) + 1), np.ones((2,) * source.randrange(5), np.float32))
        return replace(model, arrays={**model.arrays, name: arrays})
    at = source.randrange(len(arrays))
    array = arrays[at]
    if choice == 1 or not isinstance(array, np.ndarray):
        del arrays[at]
    elif choice == 2:
        arrays[at] = np.zeros(array.shape, source.choice(DTYPES))
    elif choice == 3 and array.size and array.dtype.kind == "f":
        arrays[at] = array.copy()
        arrays[at].reshape(-1)[source.randrange(array.size)] = source.choice(FLOATS)
    else:
        shape = list(array.shape)
        if shape:
            shape[source.randrange(len(shape))] = source.choice(EXTENTS)
        arrays[at] = np.full(shape, 0.25, np.float32)
    return replace(model, arrays={**model.arrays, name: arrays})


def link(source: Random, model: Model) -> Model:
    """In place of a weight: to elsewhere, to nowhere, to itself."""
    name = source.choice(sorted(model.arrays))
    arrays = list(model.arrays[name])
    links = (
        h5py.SoftLink("/model_weights"),
        h5py.SoftLink(f"/model_weights/{name}/{name}/w0:0"),
        h5py.ExternalLink("/etc/passwd", "/"),
        h5py.ExternalLink("no.h5", "/x"),
    )
    arrays[:1] = [source.choice(links)]
    return replace(model, arrays={**model.arrays, name: arrays})


def change_names(source: Random, model: Model) -> Model:
    names = list(model.layers)
    choice = source.randrange(3)
    if choice == 0:
        del names[source.randrange(len(names))]
    elif choice == 1:
        names.append(source.choice(names))
    else:
        source.shuffle(names)
    return replace(model, layers=names or ["a"])


def change_attribute(source: Random, model: Model) -> Model:
    """Of the file, of the group of weights or of a layer."""
    name = source.choice(model.layers)
    place = source.choice(
        ("/model_config", "model_weights/layer_names", f"model_weights/{name}/weight_names")
    )
    texts = [each for each in TEXTS if "\0" not in each]
    value = source.choice(
        (
            source.choice(texts),
            np.zeros(3),
            np.int64(7),
            [source.choice(texts).encode() + b"x"],
            b"\xff{",
            0.5,
        )
    )
    return replace(model, attrs={place: value})


MUTATIONS: tuple[Callable[[Random, Model], Model], ...] = (
    *(change_config,) * 6,
    *(insert_layer,) * 3,
    *(change_array,) * 2,
    link,
    change_names,
    change_attribute,
)


# seeds


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


PLAIN_LAYERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Activation", {"activation": "tanh"}),
    ("AveragePooling2D", {"pool_size": [2, 2], "strides": [1, 1], "padding": "same"}),
    ("Cropping2D", {"cropping": [[1, 0], [0, 1]]}),
    ("ELU", {"alpha": 1.0}),
    ("Flatten", {}),
    ("GlobalAveragePooling2D", {"keepdims": True}),
    ("GlobalMaxPooling2D", {}),
    ("LeakyReLU", {"alpha": 0.1}),
    ("MaxPooling2D", {"pool_size": [2, 2], "strides": None, "padding": "valid"}),
    ("Permute", {"dims": [2, 1, 3]}),
    ("ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}),
    ("Reshape", {"target_shape": [-1, 2]}),
    ("Softmax", {"axis": -1}),
    ("UpSampling2D", {"size": [2, 2], "interpolation": "nearest"}),
    ("ZeroPadding2D", {"padding": [[1, 0], [0, 2]]}),
)


def model_of(layers: list[dict[str, Any]], shapes: Mapping[str, Sequence[Sequence[int]]]) -> Model:
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    return Model(config, arrays_of(shapes), [each["config"]["name"] for each in layers])


def arrays_of(shapes: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, list[np.ndarray]]:
    def some(shape: Sequence[int]) -> np.ndarray:
        return (np.arange(np.prod(shape)).reshape(shape) % 7 * 0.25 + 0.25).astype(np.float32)

    return {name: [some(shape) for shape in listed] for name, listed in shapes.items()}


def seeds() -> list[Model]:
    """Two sequences, and a net with two branches."""
    taps = {"strides": [1, 1], "padding": "same", "dilation_rate": [1, 1], "use_bias": True}
    image = [
        layer("Conv2D", "c", batch_input_shape=[None, 6, 6, 2], activation="relu", groups=1, **taps),
        layer("BatchNormalization", "b", axis=[3], epsilon=0.001, scale=True, center=True),
        layer("DepthwiseConv2D", "w", activation="linear", **taps),
        layer("SeparableConv2D", "s", activation="relu6", **{**taps, "strides": [2, 2]}),
        layer("PReLU", "p", shared_axes=[1, 2]),
        layer("Flatten", "f"),
        layer("Dense", "d", activation="softmax", use_bias=True),
    ]
    shapes = {
        "c": [(3, 3, 2, 4), (4,)],
        "b": [(4,)] * 4,
        "w": [(3, 3, 4, 1), (4,)],
        "s": [(3, 3, 4, 1), (1, 1, 4, 2), (2,)],
        "p": [(1, 1, 2)],
        "d": [(18, 3), (3,)],
    }
    signal = [
        layer("InputLayer", "x", batch_input_shape=[None, 8, 2], dtype="float32"),
        layer("Conv1D", "c", strides=[1], dilation_rate=[2], padding="causal", use_bias=False),
        layer("ZeroPadding1D", "z", padding=[1, 2]),
        layer("MaxPooling1D", "m", pool_size=[2], strides=[2]),
        layer("Cropping1D", "k", cropping=[1, 1]),
        layer("GlobalAveragePooling1D", "g"),
    ]
    return [model_of(image, shapes), model_of(signal, {"c": [(3, 2, 4)]}), branches()]


def branches() -> Model:
    def placed(each: dict[str, Any], *sources: str) -> dict[str, Any]:
        calls = [[[name, 0, 0, {}] for name in sources]] if sources else []
        return {**each, "name": each["config"]["name"], "inbound_nodes": calls}

    layers = [
        placed(layer("InputLayer", "x", batch_input_shape=[None, 4], dtype="float32")),
        placed(layer("Dense", "a", activation="sigmoid", use_bias=True), "x"),
        placed(layer("Dense", "b", activation="elu", use_bias=False), "x"),
        placed(layer("Multiply", "m"), "a", "b"),
        placed(layer("Concatenate", "j", axis=-1), "m", "a"),
        placed(layer("Average", "v"), "j", "j"),
    ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["v", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "net", "layers": layers, **ends}}
    arrays = arrays_of({"a": [(4, 3), (3,)], "b": [(4, 3)]})
    return Model(config, arrays, [each["name"] for each in layers])


# the child process


def fork_the_child() -> None:
    """Lets the reader fork this process in place of starting another, which takes half a second."""
    child.subprocess = SimpleNamespace(run=forked, TimeoutExpired=subprocess.TimeoutExpired)  # type: ignore


def forked(command: Sequence[str], **flags: Any) -> Any:
    """What subprocess.run gives, but for what the child prints."""
    process = os.fork()
    if process == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
            child.MOST_MEMORY = resource.getrlimit(resource.RLIMIT_AS)[0]
            child.main(*command[-2:])
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitpid(process, 0)[1]
    return SimpleNamespace(returncode=os.waitstatus_to_exitcode(status), stderr="")
