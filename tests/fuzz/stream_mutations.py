"""Nets over a stream of samples, .nam and RTNeural's .json, to strange ones of other sizes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from fuzz.damage import damage
from fuzz.json_mutations import change, copied
from s2c.errors import CompileError, Problem
from s2c.ir import Graph
from s2c.readers.nam import ARCHITECTURES, load_nam
from s2c.readers.nam.activations import ACTIVATIONS
from s2c.readers.nam.wavenet import FILMS, GATING
from s2c.readers.rtneural import FUNCTIONS, READERS, load_rtneural

MOST_WEIGHTS = 1 << 14
ROUNDS = 40

Model = dict[str, Any]
Load = Callable[[bytes], Graph]
Repair = Callable[[Model, Problem], bool]

NAM_POOLS = (sorted(ARCHITECTURES), sorted(ACTIVATIONS), sorted(GATING))
RTNEURAL_POOLS = (sorted(READERS), ("", *FUNCTIONS), ("valid", "same"))


def mutate_nam(source: Random, seeds: list[Model]) -> bytes:
    model = copied(source.choice(seeds))
    others = [{"active": True, "groups": 1, "shift": True, "out_channels": 2}, *sorted(ACTIVATIONS)]
    others += [{"type": name, "negative_slopes": [0.1, 0.2]} for name in ("PReLU", "LeakyReLU")]
    return mutated(source, model, NAM_POOLS, others, lambda data: load_nam(data, {}, {}), add_weights)


def mutate_rtneural(source: Random, seeds: list[Model]) -> bytes:
    model = copied(source.choice(seeds))
    others = [each for seed in seeds for each in seed["layers"]]
    load: Load = lambda data: load_rtneural(data, {}, {})  # noqa: E731
    return mutated(source, model, RTNEURAL_POOLS, others, load, reshape_weight)


def mutated(source: Random, model: Model, pools: Any, others: Any, load: Load, repair: Repair) -> bytes:
    """Most often with weights that fit again, so that what stands behind them is reached."""
    if source.random() < 0.1:
        return damage(source, written(model))
    change(source, model, pools, others)
    rounds = ROUNDS if source.random() < 0.8 else 0
    while rounds and (problem := first_problem(load, model)) and repair(model, problem):
        rounds -= 1
    return written(model)


def written(model: Model) -> bytes:
    return json.dumps(model).encode()


def first_problem(load: Load, model: Model) -> Problem | None:
    try:
        load(written(model))
    except CompileError as problem:
        return problem.problems[0]
    except Exception:  # for the worker to find
        return None
    return None


def add_weights(model: Model, problem: Problem) -> bool:
    """As many as a .nam file lacks, or fewer where there are too many."""
    wanted = re.fullmatch(r"(\d+) weights", problem.wanted)
    found = re.fullmatch(r"(\d+)(?: left of (\d+))?", problem.found)
    holders = [each for each in (model, *conditions(model)) if isinstance(each.get("weights"), list)]
    if not wanted or not found or not holders:
        return False
    missing, total = int(wanted[1]) - int(found[1]), int(found[2] or found[1])
    same = [each for each in holders if len(each["weights"]) == total]
    if not same or not 0 <= total + missing < MOST_WEIGHTS:
        return False
    weights = same[0]["weights"]
    weights[total + min(missing, 0) :] = [0.25] * max(missing, 0)
    return True


def conditions(model: Model) -> list[Model]:
    config = model.get("config")
    inner = config.get("condition_dsp") if isinstance(config, dict) else None
    return [inner] if isinstance(inner, dict) else []


def reshape_weight(model: Model, problem: Problem) -> bool:
    """To the shape that an RTNeural layer wants."""
    place = re.match(r"layer (\d+) ", problem.layer)
    wanted = re.match(r"weight (\d+)(?: \[([\d, ]+)\])?", problem.wanted)
    if not place or not wanted or not wanted[2]:
        return False
    shape, index = [int(each) for each in wanted[2].split(",")], int(wanted[1])
    weights = model["layers"][int(place[1])]["weights"]
    if np.prod(shape, dtype=object) >= MOST_WEIGHTS:
        return False
    weights[index] = numbers(*shape)
    return True


# seeds


def numbers(*shape: int) -> list[Any]:
    values = np.arange(np.prod(shape)).reshape(shape) % 7 * 0.25 - 0.75
    return values.tolist()


def nam_model(architecture: str, weights: int, **config: Any) -> Model:
    return {"architecture": architecture, "config": config, "weights": [0.25] * weights}


def film(is_shifted: bool) -> Model:
    return {"active": True, "shift": is_shifted, "groups": 1}


def wavenet_array(**fields: Any) -> Model:
    sizes = {"input_size": 1, "condition_size": 1, "channels": 2, "kernel_size": 2, "dilations": [1, 2]}
    return {**sizes, "activation": "Tanh", "gated": True, "head_size": 1, "head_bias": True, **fields}


def nam_seeds() -> list[Model]:
    """One of each architecture, and a WaveNet with all that it may have."""
    sizes = {"channels": 2, "dilations": [1, 4], "groups": 1}
    plain = wavenet_array()
    full = wavenet_array(
        bottleneck=2,
        gating_mode=["gated", "blended"],
        activation=["ReLU", {"type": "LeakyReLU", "negative_slope": 0.1}],
        secondary_activation="Sigmoid",
        layer1x1={"active": True, "groups": 2},
        head1x1={"active": True, "groups": 1, "out_channels": 2},
        head={"out_channels": 1, "kernel_size": 3, "bias": True},
        **{name: film(index % 2 == 0) for index, name in enumerate(FILMS)},
    )
    head = {"channels": 2, "out_channels": 1, "kernel_sizes": [2, 3], "activation": "Tanh"}
    condition = nam_model("WaveNet", 0, layers=[plain], head=None)
    models = [
        nam_model("Linear", 5, receptive_field=4, bias=True),
        nam_model("LSTM", 0, input_size=1, hidden_size=2, num_layers=2),
        nam_model("ConvNet", 0, batchnorm=False, activation="Tanh", **sizes),
        nam_model("ConvNet", 0, batchnorm=True, activation="ReLU", **sizes),
        nam_model("WaveNet", 0, layers=[plain], head=None),
        nam_model("WaveNet", 0, layers=[full], head=head),
        nam_model("WaveNet", 0, layers=[plain], head=None, condition_dsp=condition),
    ]
    for each in models:
        while (problem := first_problem(lambda data: load_nam(data, {}, {}), each)) and add_weights(
            each, problem
        ):
            pass
    return models


def rtneural_layer(kind: str, shape: list[int | None], *weights: list[Any], **fields: Any) -> Model:
    return {"type": kind, "activation": "", "shape": shape, "weights": list(weights), **fields}


def rtneural_seeds() -> list[Model]:
    """Nets of the kinds of layers, each of which fits behind those before it."""
    many, few = [None, None, 4], [None, None, 2]
    dense = rtneural_layer("dense", few, numbers(4, 2), numbers(2))
    vectors = [numbers(4) for _ in range(2)]
    taps = {"kernel_size": [3], "dilation": [2], "groups": 2, "strides": [1]}
    convolution = rtneural_layer("conv1d", many, numbers(3, 1, 4), numbers(4), **taps)
    normal = rtneural_layer("batchnorm", many, *vectors, numbers(4), [1.0] * 4, epsilon=0.01)
    slopes = rtneural_layer("prelu", many, numbers(4))
    gru = rtneural_layer("gru", many, numbers(2, 12), numbers(4, 12), numbers(2, 12))
    lstm = rtneural_layer("lstm", many, numbers(2, 16), numbers(4, 16), numbers(16))
    image = rtneural_layer("conv2d", [None, None, 3, 2], numbers(2, 3, 1, 2), numbers(2), padding="same")
    image |= {"kernel_size_time": 2, "kernel_size_feature": 3, "strides": 2, "dilation": 1}
    normal2d = rtneural_layer("batchnorm2d", [None, None, 3, 2], *[[0.5, 1.0]] * 4, epsilon=0.01)
    flat = rtneural_layer("time-distributed-dense", few, numbers(6, 2), numbers(2), activation="tanh")
    frame = rtneural_layer("conv1d", [None, 6, 4], numbers(3, 2, 4), numbers(4), kernel_size=[3])
    return [
        {"in_shape": few, "layers": [convolution, normal, slopes, dense]},
        {"in_shape": few, "layers": [gru, dense]},
        {"in_shape": few, "layers": [lstm, {**dense, "activation": "softmax"}]},
        {"in_shape": [None, None, 5, 1], "layers": [image, normal2d, flat]},
        {"in_shape": [None, 8, 2], "layers": [frame]},
    ]
