"""RTNeural's JSON (in_shape, layers) to a Graph over blocks of samples, which keeps its past as states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph, Node, constant
from s2c.layers.basic import dense as product
from s2c.layers.basic import reshape
from s2c.layers.convolution import conv
from s2c.layers.recurrent import Weights
from s2c.layers.windows import Window
from s2c.ops import make
from s2c.readers.keras.activations import ACTIVATIONS
from s2c.readers.plain_json import Fields, parse_json, shown
from s2c.readers.stream import SAMPLES, Build, Stream, block_length, stream_graph

EXPORT = "save the net with RTNeural's model_utils.py, or export it as .pt2 or .onnx"
MOST_LAYERS = 1024
MOST_WIDTH = 1 << 16
FUNCTIONS = ("elu", "relu", "sigmoid", "softmax", "tanh")
Shape = tuple[int, ...]


def load_rtneural(data: bytes, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """input [1, samples, *rest] to output of the same form; dims sets "samples", the length of a block.

    rest is [features], or [features, filters] in front of conv2d. Convolutions that shorten their input work
    on one frame without a past: input is then [1, frame, features]. The first call finds a past of zeros.
    Raises CompileError with all problems.
    """
    model = parse_json(data)
    problems: list[Problem] = []
    fields = Fields("model", model, problems)
    if not {"in_shape", "layers"} & set(model):
        found = "another JSON file, perhaps of weights alone"
        raise error("model", "a net as RTNeural stores it (in_shape, layers)", found, EXPORT)
    rest = read_shape(fields, "in_shape")
    objects = fields.objects("layers", MOST_LAYERS)
    if problems:
        raise CompileError(tuple(problems))
    frame = frame_length(model["in_shape"], objects)
    samples = frame or block_length(dims, consts)
    if frame and dims:
        raise error(
            "model", f"no --dim {SAMPLES}, as the net reads one frame", str(dict(dims)), "leave it out"
        )
    builds = read_layers(objects, rest, frame is not None)
    return stream_graph(lambda x, stream: built(builds, x, stream), (1, samples, *rest), Stream())


def built(builds: list[Build], x: Node, stream: Stream) -> Node:
    for each in builds:
        x = each(x, stream)
    return x


def read_shape(fields: Fields, key: str) -> Shape:
    """What follows the batch and, where there is one, the time: [features] or [features, filters]."""
    value = fields.values.get(key)
    if not isinstance(value, list) or not 2 <= len(value) <= 4:
        fields.problem(f"{key} of 2 to 4 extents", "none" if value is None else value)
        return (1,)
    rest = value[2:] if len(value) > 2 else value[1:]
    return tuple(fields.checked_integer(key, each, 1, MOST_WIDTH) for each in rest)


def frame_length(shape: list[Any], objects: list[Mapping[str, Any]]) -> int | None:
    """The length of the frame that a net of shortening convolutions reads; None where it reads a stream."""
    before = shape
    for each in objects:
        after = each.get("shape")
        if not isinstance(after, list) or len(after) != 3 or len(before) != 3:
            return None
        lengths = (before[1], after[1])
        is_known = each.get("type") == "conv1d" and all(isinstance(length, int) for length in lengths)
        if is_known and after[1] < before[1]:
            return int(shape[1]) if isinstance(shape[1], int) and 1 <= shape[1] <= MOST_WIDTH else None
        before = after
    return None


# layers


@dataclass(frozen=True)
class Layer:
    """inputs, outputs: the declared extents of a sample."""

    fields: Fields
    kind: str
    inputs: Shape
    outputs: Shape
    is_frame: bool

    @property
    def name(self) -> str:
        return self.fields.layer

    def error(self, wanted: str, found: str, do: str = "export the model again") -> CompileError:
        return error(self.name, wanted, shown(found), do)

    def weights(self) -> list[Any]:
        value = self.fields.values.get("weights")
        return value if isinstance(value, list) else []

    def weight(self, index: int, *shape: int) -> np.ndarray:
        """A weight of a shape; raises CompileError."""
        listed = self.weights()
        found = self.fields.checked_array(f"weight {index}", listed[index] if index < len(listed) else None)
        if found is None:
            raise CompileError((self.fields.problems.pop(),))
        if found.shape != shape:
            raise self.error(f"weight {index} {list(shape)}", str(list(found.shape)))
        return found

    def bias(self, index: int, outputs: int) -> np.ndarray | None:
        """None where the file has none."""
        return self.weight(index, outputs) if len(self.weights()) > index else None

    def last_integer(self, key: str, default: int | None = None) -> int:
        """An integer, or the last of a list."""
        value = self.fields.values.get(key)
        if isinstance(value, list):
            return self.fields.checked_integer(key, value[-1] if value else None, 1, MOST_WIDTH)
        return self.fields.integer(key, default, most=MOST_WIDTH)


def read_layers(objects: list[Mapping[str, Any]], rest: Shape, is_frame: bool) -> list[Build]:
    """Raises CompileError with the problems of all layers."""
    builds, problems = [], []
    for index, each in enumerate(objects):
        kind = str(each["type"]) if isinstance(each.get("type"), str) else "of no type"
        fields = Fields(f"layer {index} ({shown(kind)})", each, [])
        outputs = read_shape(fields, "shape")
        try:
            builds.append(read_layer(Layer(fields, kind, rest, outputs, is_frame)))
        except CompileError as found:
            fields.problems.extend(found.problems)
        problems += fields.problems
        rest = outputs
    if problems:
        raise CompileError(tuple(problems))
    return builds


def read_layer(layer: Layer) -> Build:
    if layer.kind not in READERS:
        raise layer.error(f"one of the layers {', '.join(READERS)}", layer.kind, "choose one of these")
    step = READERS[layer.kind](layer)
    if layer.kind in RECURRENT:
        return step
    function = layer.fields.text("activation", "")
    if function not in ("", *FUNCTIONS):
        raise layer.error(f"one of the activations {', '.join(FUNCTIONS)}", function, "choose one of these")

    def build(x: Node, stream: Stream) -> Node:
        y = step(x, stream)
        return ACTIVATIONS[function](y, layer.name) if function else y

    return build


def width(shape: Shape) -> int:
    return int(np.prod(shape))


def dense(layer: Layer) -> Build:
    """weight [inputs, outputs]."""
    inputs, outputs = width(layer.inputs), width(layer.outputs)
    weight, bias = layer.weight(0, inputs, outputs).T, layer.bias(1, outputs)
    return lambda x, stream: product(
        reshape(x, (*x.type.shape[:2], inputs), layer.name), weight, bias, layer.name
    )


def conv1d(layer: Layer) -> Build:
    """weight [taps, inputs of a group, outputs]."""
    taps, dilation = layer.last_integer("kernel_size"), layer.last_integer("dilation", 1)
    groups, inputs, outputs = layer.last_integer("groups", 1), width(layer.inputs), width(layer.outputs)
    stride = layer.last_integer("strides", 1)
    if stride != 1:
        raise layer.error("strides of 1", str(stride), "take every n-th output")
    if inputs % groups or outputs % groups:
        raise layer.error(f"channels in {groups} groups", f"{inputs} and {outputs}")
    weight = np.ascontiguousarray(layer.weight(0, taps, inputs // groups, outputs).transpose(2, 0, 1))
    bias = layer.bias(1, outputs)
    if not layer.is_frame:
        return lambda x, stream: stream.convolution(x, weight, bias, dilation, groups, layer.name)
    window = Window((taps,), (1,), (dilation,), ((0, 0),))
    given = None if bias is None else constant(bias, layer.name)

    def build(x: Node, stream: Stream) -> Node:
        if x.type.shape[1] <= (taps - 1) * dilation:
            raise layer.error(f"a frame longer than {(taps - 1) * dilation}", str(x.type.shape[1]))
        return conv(x, constant(weight, layer.name), given, window, groups, layer.name)

    return build


def conv2d(layer: Layer) -> Build:
    """weight [time, features, inputs, outputs]; causal and dilated in time, strided in features."""
    if len(layer.inputs) != 2 or len(layer.outputs) != 2:
        raise layer.error("features and filters before and behind", f"{layer.inputs} and {layer.outputs}")
    keys = ("kernel_size_time", "kernel_size_feature", "strides", "dilation")
    time, feature, stride, dilation = (layer.last_integer(key, 1) for key in keys)
    (features, inputs), outputs = layer.inputs, layer.outputs[1]
    padding = layer.fields.text("padding", "valid")
    if padding not in ("valid", "same"):
        raise layer.error("padding valid or same", padding)
    weight = np.ascontiguousarray(layer.weight(0, time, feature, inputs, outputs).transpose(3, 0, 1, 2))
    bias = layer.bias(1, outputs)
    pads = same_pads(features, feature, stride) if padding == "same" else (0, 0)
    if features + sum(pads) < feature:
        raise layer.error(f"at least {feature} features", str(features))
    window = Window((time, feature), (1, stride), (dilation, 1), ((0, 0), pads))
    given = None if bias is None else constant(bias, layer.name)

    def build(x: Node, stream: Stream) -> Node:
        past = stream.with_past(x, (time - 1) * dilation, layer.name)
        return conv(past, constant(weight, layer.name), given, window, 1, layer.name)

    return build


def same_pads(extent: int, taps: int, stride: int) -> tuple[int, int]:
    """For ceil(extent / stride) outputs; the odd one behind."""
    total = max((-(-extent // stride) - 1) * stride + taps - extent, 0)
    return total // 2, total - total // 2


def normalization(layer: Layer) -> Build:
    """Weights gamma, beta, mean, variance; or mean, variance."""
    channels, count = layer.outputs[-1], len(layer.weights())
    if count not in (2, 4):
        raise layer.error("2 or 4 weights", str(count))
    found = [layer.weight(index, channels).astype(np.float64) for index in range(count)]
    gamma, beta = found[:2] if count == 4 else (np.ones(channels), np.zeros(channels))
    mean, spread = found[-2], found[-1] + layer.fields.number("epsilon")
    if (spread <= 0).any():
        raise layer.error("a positive variance", f"{spread.min():.6g}")
    scale = gamma / np.sqrt(spread)
    attrs: dict[str, Any] = {"scale": scale, "shift": beta - mean * scale}
    attrs = {name: value.astype(np.float32) for name, value in attrs.items()}
    return lambda x, stream: make("batchnorm", (x,), layer.name, **attrs)


def prelu(layer: Layer) -> Build:
    """One slope, or one for each channel."""
    found, channels = layer.fields.array("weights"), layer.outputs[-1]
    slopes = np.zeros(1, np.float32) if found is None else found.reshape(-1)
    if len(slopes) not in (1, channels):
        raise layer.error(f"1 or {channels} slopes", str(len(slopes)))
    alpha = np.broadcast_to(slopes, channels)
    return lambda x, stream: make("prelu", (x,), layer.name, alpha=alpha)


def recurrent_weights(layer: Layer, gates: int) -> tuple[int, np.ndarray, np.ndarray]:
    """The hidden size, and the weights of the input and of the state, [gates * hidden, depth]."""
    if layer.fields.text("activation", "") not in ("", "tanh"):
        raise layer.error("the activation tanh", layer.fields.text("activation"), "train it with tanh")
    hidden = width(layer.outputs)
    weights = (layer.weight(0, width(layer.inputs), gates * hidden), layer.weight(1, hidden, gates * hidden))
    return hidden, weights[0].T, weights[1].T


def gru(layer: Layer) -> Build:
    """Gates in the order update, reset, new; biases of the input and of the state."""
    hidden, *both = recurrent_weights(layer, 3)
    bias = layer.weight(2, 2, 3 * hidden)
    order = np.arange(3 * hidden).reshape(3, hidden)[[1, 0, 2]].reshape(-1)
    rows = (*(each[order] for each in both), bias[0][order], bias[1][order])
    weights = Weights(*(constant(np.ascontiguousarray(each), layer.name) for each in rows))
    return lambda x, stream: stream.gru(x, weights, np.zeros(hidden, np.float32), layer.name)


def lstm(layer: Layer) -> Build:
    """Gates in the order input, forget, cell, output."""
    hidden, *both = recurrent_weights(layer, 4)
    rows = (*both, layer.weight(2, 4 * hidden))
    weights = Weights(*(constant(np.ascontiguousarray(each), layer.name) for each in rows))
    zeros = np.zeros(hidden, np.float32)
    return lambda x, stream: stream.lstm(x, weights, zeros, zeros, layer.name)


def activation(layer: Layer) -> Build:
    return lambda x, stream: x


RECURRENT = ("gru", "lstm")
READERS: Mapping[str, Callable[[Layer], Build]] = {
    "activation": activation,
    "batchnorm": normalization,
    "batchnorm2d": normalization,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "dense": dense,
    "gru": gru,
    "lstm": lstm,
    "prelu": prelu,
    "time-distributed-dense": dense,
}
