"""A Neural Amp Modeler file (.nam) to a Graph over blocks of samples, which keeps its past as states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph, Node, constant
from s2c.layers.basic import dense
from s2c.layers.recurrent import Weights
from s2c.ops import make
from s2c.readers.nam.activations import read_activation
from s2c.readers.nam.wavenet import MOST_CHANNELS, MOST_LAYERS, MOST_TAPS, read_wavenet, take_wavenet
from s2c.readers.nam.weights import Supply, take_convolution
from s2c.readers.plain_json import Fields, parse_json, shown
from s2c.readers.stream import Build, Stream, after_silence, block_length, stream_graph

MOST_DEPTH = 4  # of nets that make the condition of another
SINGLE = "export one net: train it without submodels"


def load_nam(data: bytes, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """input [1, samples, channels] to output of the same form; dims sets "samples", the length of a block.

    A net of convolutions begins as after endless silence, a recurrent one with the state that the file gives.
    Raises CompileError with all problems.
    """
    samples = block_length(dims, consts)
    channels, build, forgets = read_net(parse_json(data), "model")
    stream = after_silence(build, channels) if forgets else Stream()
    return stream_graph(build, (1, samples, channels), stream)


Net = tuple[int, Build, bool]  # input channels, its nodes, whether its past fades


def read_net(model: Mapping[str, Any], layer: str, depth: int = 0) -> Net:
    """Raises CompileError with all problems."""
    problems: list[Problem] = []
    fields = Fields(layer, model, problems)
    name = fields.text("architecture")
    if name and name not in ARCHITECTURES:
        do = SINGLE if "Container" in name else "choose one of these"
        fields.problem(f"one of the architectures {', '.join(ARCHITECTURES)}", name, do)
        raise CompileError(tuple(problems))
    weights = fields.array("weights")
    if weights is not None and weights.ndim != 1:
        fields.problem("weights, a list of numbers", f"{weights.ndim} axes")
    config = fields.object("config")
    if name not in ARCHITECTURES or weights is None or weights.ndim != 1:
        raise CompileError(tuple(problems))
    supply = Supply(weights)
    net = ARCHITECTURES[name](config, supply, depth)
    supply.refuse_rest(layer)
    return net


def refuse_problems(fields: Fields) -> None:
    if fields.problems:
        raise CompileError(tuple(fields.problems))


def refuse_channels(fields: Fields) -> None:
    for key in ("in_channels", "out_channels"):
        if fields.integer(key, 1) != 1:
            fields.problem(f"{key} 1", fields.values[key], "export a net of one channel")


def linear(fields: Fields, supply: Supply, depth: int) -> Net:
    """An impulse response; the weight of the newest sample comes first."""
    taps, is_biased = fields.integer("receptive_field", most=MOST_TAPS), fields.boolean("bias")
    refuse_channels(fields)
    refuse_problems(fields)
    weight = np.ascontiguousarray(supply.take(1, taps, 1, layer="linear")[:, ::-1])
    bias = supply.take(1, layer="linear") if is_biased else None

    def build(x: Node, stream: Stream) -> Node:
        return stream.convolution(x, weight, bias, 1, 1, "linear")

    return 1, build, True


def lstm(fields: Fields, supply: Supply, depth: int) -> Net:
    """Of each layer the weights of input and state side by side, the bias and the first state; then the
    head."""
    inputs, hidden = (fields.integer(key, most=MOST_CHANNELS) for key in ("input_size", "hidden_size"))
    count = fields.integer("num_layers", most=MOST_LAYERS)
    if fields.integer("out_channels", 1) != 1:
        fields.problem("out_channels 1", fields.values["out_channels"], "export a net of one channel")
    refuse_problems(fields)
    layers = [lstm_layer(supply, hidden if index else inputs, hidden, index) for index in range(count)]
    weight, bias = supply.take(1, hidden, layer="head"), supply.take(1, layer="head")

    def build(x: Node, stream: Stream) -> Node:
        for each in layers:
            x = each(x, stream)
        return dense(x, weight, bias, "head")

    return inputs, build, False


def lstm_layer(supply: Supply, inputs: int, hidden: int, index: int) -> Build:
    name = f"lstm {index}"
    both = supply.take(4 * hidden, inputs + hidden, layer=name)
    bias = supply.take(4 * hidden, layer=name)
    h, c = supply.take(hidden, layer=name), supply.take(hidden, layer=name)
    parts = (np.ascontiguousarray(each) for each in (both[:, :inputs], both[:, inputs:], bias))
    weights = Weights(*(constant(each, name) for each in parts))
    return lambda x, stream: stream.lstm(x, weights, h, c, name)


def conv_net(fields: Fields, supply: Supply, depth: int) -> Net:
    """Convolutions of two taps, each with a normalization or a bias, and an activation."""
    channels = fields.integer("channels", most=MOST_CHANNELS)
    dilations = fields.integers("dilations", MOST_LAYERS)
    is_normal, groups = fields.boolean("batchnorm"), fields.integer("groups", 1)
    function = read_activation(fields, "activation", fields.values.get("activation"))
    refuse_channels(fields)
    refuse_problems(fields)
    blocks = []
    for index, dilation in enumerate(dilations):
        name = f"block {index}"
        inputs = channels if index else 1
        conv = take_convolution(supply, inputs, channels, 2, not is_normal, name, dilation, groups)
        blocks.append((conv, normalization(supply, channels, name) if is_normal else {}))
    head = take_convolution(supply, channels, 1, 1, True, "head")

    def build(x: Node, stream: Stream) -> Node:
        for conv, normal in blocks:
            y = conv(x, stream)
            y = make("batchnorm", (y,), conv.layer, **normal) if normal else y
            x = function(y, conv.layer)
        return head(x, stream)

    return 1, build, True


def normalization(supply: Supply, channels: int, layer: str) -> dict[str, Any]:
    """scale and shift from mean, variance, weight, bias and epsilon."""
    mean, variance, weight, bias = supply.take(4, channels, layer=layer).astype(np.float64)
    spread = variance + float(supply.take(1, layer=layer)[0])
    if (spread <= 0).any():
        raise error(layer, "a positive variance", shown(float(spread.min())), "export the model again")
    scale = weight / np.sqrt(spread)
    return {"scale": scale.astype(np.float32), "shift": (bias - scale * mean).astype(np.float32)}


def wavenet(fields: Fields, supply: Supply, depth: int) -> Net:
    condition: Build | None = None
    given = fields.object("condition_dsp")
    channels = None
    if given.values:
        if given.values.get("architecture") != "WaveNet" or depth == MOST_DEPTH:
            found = shown(given.values.get("architecture"))
            raise error(fields.layer, f"a WaveNet as condition, at most {MOST_DEPTH} deep", found, SINGLE)
        channels, condition = read_condition(given.values, depth + 1)
    config = read_wavenet(fields, channels)
    return config.inputs, take_wavenet(config, supply, condition), True


def read_condition(model: Mapping[str, Any], depth: int) -> tuple[int, Build]:
    """The net that makes the condition, and how many channels it gives."""
    inputs, build, _ = read_net(model, "condition", depth)
    graph = stream_graph(build, (1, 1, inputs), Stream())
    return graph.outputs[0].type.shape[-1], build


ARCHITECTURES: Mapping[str, Callable[[Fields, Supply, int], Net]] = {
    "ConvNet": conv_net,
    "LSTM": lstm,
    "Linear": linear,
    "WaveNet": wavenet,
}
