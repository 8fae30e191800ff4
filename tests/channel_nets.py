"""Small float nets, one for each way in which channels are tied together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from graphs import GEOMETRY

from s2c.channels import Channels
from s2c.ir import Graph, Node, State, Type, constant, input_node, state_node
from s2c.ops import make


@dataclass
class Builder:
    """Layers with weights from a fixed seed."""

    source: np.random.Generator
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"layer {self.count}"

    def array(self, *shape: int) -> np.ndarray:
        return self.source.normal(size=shape).astype(np.float32)

    def dense(self, x: Node, outputs: int, **attrs: object) -> Node:
        weights = {"weight": self.array(outputs, x.type.shape[-1]), "bias": self.array(outputs)}
        return make("dense", (x,), self.name(), **(weights | attrs))

    def conv(self, x: Node, outputs: int, kernel: int = 1, groups: int = 1) -> Node:
        depth = x.type.shape[-1] // groups
        weights = {"weight": self.array(outputs, kernel, kernel, depth), "bias": self.array(outputs)}
        around = (kernel // 2, kernel - 1 - kernel // 2)
        geometry = GEOMETRY | {"pads": (around, around)}
        return make("conv2d", (x,), self.name(), **weights, **geometry, groups=groups)

    def constant(self, *shape: int) -> Node:
        return constant(self.array(*shape), self.name())

    def op(self, name: str, *inputs: Node, **attrs: object) -> Node:
        return make(name, inputs, self.name(), **attrs)

    def relu(self, x: Node) -> Node:
        return self.op("relu", x, lo=0.0)

    def part(self, x: Node, axis: int, start: int, count: int, step: int = 1) -> Node:
        rank = len(x.type.shape)
        starts, steps = [0] * rank, [1] * rank
        starts[axis], steps[axis] = start, step
        shape = [*x.type.shape]
        shape[axis] = count
        return self.op("slice", x, starts=tuple(starts), steps=tuple(steps), shape=tuple(shape))

    def reshape(self, x: Node, *shape: int) -> Node:
        return self.op("reshape", x, shape=shape)

    def function(self, x: Node, name: str) -> Node:
        return self.op("unary", x, function=name)

    def mean(self, x: Node, *axes: int) -> Node:
        return self.op("reduce", x, function="mean", axes=axes, keepdims=True)


@dataclass(frozen=True)
class Net:
    """units: of each group that find_channels is to find."""

    build: Callable[[Builder], Graph]
    units: tuple[int, ...]

    def graph(self) -> Graph:
        return self.build(Builder(np.random.default_rng(0)))


Layers = Callable[[Builder, Node], Node]


def on(*shape: int) -> Callable[[Layers], Callable[[Builder], Graph]]:
    """A net of one input of a shape."""

    def wrap(layers: Layers) -> Callable[[Builder], Graph]:
        def build(b: Builder) -> Graph:
            x = input_node("x", Type(shape, "f32"))
            return Graph((x,), (layers(b, x),))

        return build

    return wrap


IMAGE = (1, 4, 5, 3)


@on(1, 6)
def chain(b: Builder, x: Node) -> Node:
    return b.dense(b.relu(b.dense(x, 8)), 4)


@on(1, 6)
def output_of_elementwise(b: Builder, x: Node) -> Node:
    return b.function(b.dense(x, 8), "tanh")


@on(1, 6)
def autoencoder(b: Builder, x: Node) -> Node:
    for width in (8, 2, 8, 6):
        x = b.relu(b.dense(x, width))
    return x


@on(*IMAGE)
def residual(b: Builder, x: Node) -> Node:
    stem = b.relu(b.conv(x, 8, 3))
    inner = b.relu(b.conv(stem, 6, 3))
    joined = b.relu(b.op("add", stem, b.conv(inner, 8, 3)))
    return b.conv(joined, 2)


@on(*IMAGE)
def residual_to_input(b: Builder, x: Node) -> Node:
    return b.conv(b.op("add", x, b.conv(b.conv(x, 6, 3), 3)), 2)


@on(*IMAGE)
def depthwise(b: Builder, x: Node) -> Node:
    return b.conv(b.conv(b.conv(x, 8), 8, 3, groups=8), 2)


@on(*IMAGE)
def depthwise_multiplied(b: Builder, x: Node) -> Node:
    return b.conv(b.conv(b.conv(x, 4), 12, 3, groups=4), 2)


@on(*IMAGE)
def depthwise_of_input(b: Builder, x: Node) -> Node:
    return b.conv(b.conv(x, 12, 3, groups=3), 2)


@on(*IMAGE)
def grouped(b: Builder, x: Node) -> Node:
    return b.conv(b.conv(b.conv(x, 8), 12, 3, groups=2), 2)


@on(*IMAGE)
def grouped_of_input(b: Builder, x: Node) -> Node:
    return b.conv(b.conv(x, 6, 3, groups=3), 2)


@on(*IMAGE)
def joined(b: Builder, x: Node) -> Node:
    return b.conv(b.op("concat", b.conv(x, 4), x, b.conv(x, 6), axis=3), 2)


@on(*IMAGE)
def joined_twice(b: Builder, x: Node) -> Node:
    y = b.conv(x, 4)
    return b.conv(b.op("concat", y, b.relu(y), axis=3), 2)


@on(*IMAGE)
def split(b: Builder, x: Node) -> Node:
    y = b.conv(x, 8)
    return b.conv(b.op("concat", b.part(y, 3, 0, 4), b.conv(b.part(y, 3, 4, 4), 5), axis=3), 2)


@on(*IMAGE)
def gated(b: Builder, x: Node) -> Node:
    y = b.conv(x, 8)
    return b.conv(b.op("mul", b.part(y, 3, 0, 4), b.function(b.part(y, 3, 4, 4), "sigmoid")), 2)


@on(*IMAGE)
def every_other(b: Builder, x: Node) -> Node:
    """Steps that are unequal once some channels are gone."""
    y = b.conv(x, 8)
    return b.conv(b.op("concat", b.part(y, 3, 7, 4, -2), y, axis=3), 2)


@on(*IMAGE)
def interleaved(b: Builder, x: Node) -> Node:
    y = b.conv(x, 5)
    twice = b.op("concat", y, b.relu(y), axis=3)
    mixed = b.op("gather_constant", twice, axis=3, index=np.array([0, 5, 1, 6, 2, 7, 3, 8, 4, 9]))
    return b.conv(b.part(mixed, 3, 0, 5, 2), 2)


@on(*IMAGE)
def padded_image(b: Builder, x: Node) -> Node:
    y = b.op("pad", b.conv(x, 6), pads=((0, 0), (1, 2), (0, 1), (0, 0)), value=0.5)
    return b.conv(y, 2, 3)


@on(*IMAGE)
def padded_channels(b: Builder, x: Node) -> Node:
    """A shortcut to more channels."""
    y = b.conv(x, 4)
    wide = b.op("pad", y, pads=((0, 0), (0, 0), (0, 0), (2, 3)), value=0.0)
    return b.conv(b.op("add", wide, b.conv(y, 9, 3)), 2)


@on(*IMAGE)
def channels_first(b: Builder, x: Node) -> Node:
    """A flattening as nets of channels in front have it."""
    y = b.op("transpose", b.conv(x, 6), perm=(0, 3, 1, 2))
    return b.dense(b.reshape(y, 1, 120), 3)


@on(*IMAGE)
def flattened(b: Builder, x: Node) -> Node:
    return b.dense(b.reshape(b.conv(x, 6), 1, 120), 3)


@on(1, 6)
def unflattened(b: Builder, x: Node) -> Node:
    return b.conv(b.reshape(b.dense(x, 60), 1, 2, 5, 6), 2, 3)


@on(*IMAGE)
def normalised(b: Builder, x: Node) -> Node:
    y = b.relu(b.conv(x, 6))
    return b.conv(b.op("batchnorm", y, scale=b.array(6), shift=b.array(6)), 2)


@on(*IMAGE)
def scaled(b: Builder, x: Node) -> Node:
    """Constants of one value, one for each channel, and one for each row."""
    y = b.op("mul", b.relu(b.conv(x, 6)), b.constant(6))
    y = b.op("add", b.op("sub", b.constant(4, 1, 1), y), b.constant())
    return b.conv(b.op("div", y, b.constant(1, 1, 1, 1)), 2)


@on(*IMAGE)
def sloped(b: Builder, x: Node) -> Node:
    one = b.op("prelu", b.conv(x, 6), alpha=b.array(1, 1, 6))
    return b.conv(b.op("prelu", b.conv(one, 5), alpha=b.array(1)), 2)


@on(*IMAGE)
def pooled(b: Builder, x: Node) -> Node:
    geometry = {**GEOMETRY, "kernel": (2, 2)}
    y = b.op("max_pool", b.conv(x, 6), **geometry)
    y = b.op("average_pool", y, **geometry, mean=False, count_pads=True)
    return b.dense(b.op("reduce", y, function="mean", axes=(1, 2), keepdims=False), 3)


@on(*IMAGE)
def squeezed(b: Builder, x: Node) -> Node:
    """Squeeze and excite."""
    y = b.conv(x, 8)
    gate = b.function(b.dense(b.relu(b.dense(b.mean(y, 1, 2), 4)), 8), "sigmoid")
    return b.conv(b.op("mul", y, gate), 2)


@on(*IMAGE)
def attended(b: Builder, x: Node) -> Node:
    """One factor for each pixel."""
    y = b.conv(x, 8)
    return b.conv(b.op("mul", y, b.function(b.conv(y, 1), "sigmoid")), 2)


@on(*IMAGE)
def shuffled(b: Builder, x: Node) -> Node:
    y = b.reshape(b.conv(b.conv(x, 12), 12, groups=3), 1, 4, 5, 3, 4)
    y = b.reshape(b.op("transpose", y, perm=(0, 1, 2, 4, 3)), 1, 4, 5, 12)
    return b.conv(y, 2)


@on(*IMAGE)
def pixels_from_channels(b: Builder, x: Node) -> Node:
    y = b.reshape(b.conv(x, 20), 1, 4, 5, 2, 2, 5)
    y = b.op("transpose", y, perm=(0, 1, 3, 2, 4, 5))
    return b.conv(b.reshape(y, 1, 8, 10, 5), 2)


@on(*IMAGE)
def upsampled(b: Builder, x: Node) -> Node:
    """Rows of zeros between those of an image, as a transposed convolution has them."""
    pads = ((0, 0), (0, 0), (0, 1), (0, 0), (0, 0))
    y = b.op("pad", b.reshape(b.conv(x, 6), 1, 4, 1, 5, 6), pads=pads, value=0)
    return b.conv(b.reshape(y, 1, 8, 5, 6), 2, 3)


@on(*IMAGE)
def group_norm(b: Builder, x: Node) -> Node:
    """Channels that are normalised together go together."""
    y = b.reshape(b.conv(x, 12), 1, 4, 5, 4, 3)
    y = b.op("sub", y, b.mean(y, 1, 2, 4))
    return b.conv(b.op("mul", b.reshape(y, 1, 4, 5, 12), b.constant(12)), 2)


@on(1, 4, 8)
def layer_norm(b: Builder, x: Node) -> Node:
    """A mean over channels is another mean without some of them."""
    y = b.dense(x, 8)
    centred = b.op("sub", y, b.mean(y, 2))
    spread = b.function(b.op("add", b.mean(b.op("mul", centred, centred), 2), b.constant()), "rsqrt")
    y = b.op("mul", centred, spread)
    return b.dense(b.relu(b.dense(y, 12)), 8)


@on(1, 8)
def softmax(b: Builder, x: Node) -> Node:
    return b.dense(b.op("softmax", b.dense(x, 6), beta=1.0), 3)


def heads(b: Builder, x: Node, width: int, perm: tuple[int, ...]) -> Node:
    return b.op("transpose", b.reshape(b.dense(x, width), 5, 4, width // 4), perm=perm)


@on(1, 5, 8)
def attention(b: Builder, x: Node) -> Node:
    query, key, value = heads(b, x, 8, (1, 0, 2)), heads(b, x, 8, (1, 2, 0)), heads(b, x, 12, (1, 0, 2))
    scores = b.op("mul", b.op("batch_matmul", query, key, transpose=False), b.constant())
    mixed = b.op("batch_matmul", b.op("softmax", scores, beta=1.0), value, transpose=False)
    y = b.reshape(b.op("transpose", mixed, perm=(1, 0, 2)), 1, 5, 12)
    return b.op("add", x, b.dense(y, 8))


@on(1, 5, 8)
def packed_attention(b: Builder, x: Node) -> Node:
    """One layer makes queries, keys and values of four heads."""
    packed = b.op("transpose", b.reshape(b.dense(x, 36), 5, 3, 4, 3), perm=(1, 2, 0, 3))
    query, key, value = (b.op("gather_constant", packed, axis=0, index=np.array(at)) for at in range(3))
    scores = b.op("softmax", b.op("batch_matmul", query, key, transpose=True), beta=1.0)
    mixed = b.op("batch_matmul", scores, value, transpose=False)
    return b.dense(b.reshape(b.op("transpose", mixed, perm=(1, 0, 2)), 1, 5, 12), 8)


@on(1, 5, 8)
def shared_keys(b: Builder, x: Node) -> Node:
    """Two heads of queries for each of two of keys and values."""
    query = heads(b, x, 12, (1, 0, 2))
    pairs = []
    for _ in range(2):
        one = b.op("transpose", b.reshape(b.dense(x, 6), 5, 2, 1, 3), perm=(1, 2, 0, 3))
        pairs.append(b.reshape(b.op("expand", one, shape=(2, 2, 5, 3)), 4, 5, 3))
    scores = b.op("softmax", b.op("batch_matmul", query, pairs[0], transpose=True), beta=1.0)
    mixed = b.op("batch_matmul", scores, pairs[1], transpose=False)
    return b.dense(b.reshape(b.op("transpose", mixed, perm=(1, 0, 2)), 1, 5, 12), 8)


@on(1, 5, 8)
def one_head(b: Builder, x: Node) -> Node:
    query, key, value = b.dense(x, 6), b.dense(x, 6), b.dense(x, 7)
    scores = b.op("softmax", b.op("batch_matmul", query, key, transpose=True), beta=1.0)
    return b.dense(b.op("batch_matmul", scores, value, transpose=False), 3)


@on(1, 5, 8)
def outer_product(b: Builder, x: Node) -> Node:
    """Rows go with the first operand's channels; the second's stay."""
    a = b.op("transpose", b.dense(x, 6), perm=(0, 2, 1))
    y = b.op("batch_matmul", a, b.dense(x, 7), transpose=False)
    return b.dense(b.op("transpose", y, perm=(0, 2, 1)), 3)


@on(1, 4, 6)
def mixer(b: Builder, x: Node) -> Node:
    """Rows that are contracted while their channels have units of their own."""
    y = b.op("transpose", b.dense(x, 8), perm=(0, 2, 1))
    y = b.op("transpose", b.dense(b.relu(b.dense(y, 5)), 4), perm=(0, 2, 1))
    return b.dense(y, 3)


@on(1, 3)
def tiled(b: Builder, x: Node) -> Node:
    y = b.op("tile", b.dense(x, 4), repeats=(2, 3))
    y = b.op("expand", b.reshape(y, 2, 1, 12), shape=(2, 5, 12))
    return b.dense(y, 3)


@on(1, 6)
def picked(b: Builder, x: Node) -> Node:
    """One channel alone stays; the others go with what picks them."""
    y = b.dense(x, 6)
    one = b.op("gather_constant", y, axis=1, index=np.array(2))
    rest = b.op("gather_constant", y, axis=1, index=np.array([[5, 1], [0, 3]]))
    return b.op("add", b.dense(b.reshape(rest, 1, 4), 1), one)


@on(1, 6)
def compared(b: Builder, x: Node) -> Node:
    y, other = b.dense(x, 6), b.dense(x, 6)
    larger = b.op("binary", y, other, function="less")
    y = b.op("where", larger, b.op("cast", y, dtype="f32"), b.constant(1, 6))
    return b.dense(b.op("binary", y, b.constant(1), function="maximum"), 2)


@on(1, 6)
def folded(b: Builder, x: Node) -> Node:
    """An op that find_channels does not know."""
    y = b.dense(x, 6)
    size = {"outer": 1, "size": 2, "inner": 3, "shape": (1, 3)}
    return b.dense(b.op("fold", y, function="sum", **size), 2)


@on(1, 6)
def shared(b: Builder, x: Node) -> Node:
    """Two steps of one layer."""
    weights = {"weight": b.array(6, 6), "bias": b.array(6)}
    first = b.dense(b.dense(x, 6), 6, **weights)
    return b.dense(b.dense(b.relu(first), 6, **weights), 2)


@on(1, 6)
def shared_with_input(b: Builder, x: Node) -> Node:
    """A weight that reads the input in one place reads as many channels in the other."""
    weights = {"weight": b.array(5, 6), "bias": b.array(5)}
    one, other = b.dense(x, 5, **weights), b.dense(b.dense(x, 6), 5, **weights)
    return b.dense(b.op("add", one, other), 2)


def embedding(b: Builder) -> Graph:
    words = input_node("words", Type((7,), "i32"))
    x = b.op("lookup", words, table=b.array(5, 8))
    x = b.op("add", x, b.constant(7, 8))
    return Graph((words,), (b.dense(x, 3),))


def tied_embedding(b: Builder) -> Graph:
    """The table of words is the weight of the last layer too."""
    words = input_node("words", Type((7,), "i32"))
    table = b.array(8, 8)
    x = b.op("lookup", words, table=table)
    x = b.op("add", x, b.dense(b.relu(b.dense(x, 5)), 8))
    return Graph((words,), (b.dense(x, 8, weight=table),))


def lstm(b: Builder) -> Graph:
    """Three unrolled steps whose states stay between calls."""
    x = input_node("x", Type((3, 4), "f32"))
    states = [state_node(b.array(1, 6), name) for name in ("h", "c")]
    inner = {"weight": b.array(24, 6), "bias": b.array(24)}
    gates = b.dense(x, 24)
    h, c = states
    rows = []
    for step in range(3):
        both = b.op("add", b.part(gates, 0, step, 1), b.dense(h, 24, **inner))
        i, f, o = (b.function(b.part(both, 1, 6 * gate, 6), "sigmoid") for gate in range(3))
        g = b.function(b.part(both, 1, 18, 6), "tanh")
        c = b.op("add", b.op("mul", f, c), b.op("mul", i, g))
        h = b.op("mul", o, b.function(c, "tanh"))
        rows.append(h)
    y = b.dense(b.op("concat", *rows, axis=0), 2)
    nexts = zip(states, (h, c), strict=True)
    return Graph((x,), (y,), states=tuple(State(*each) for each in nexts))


def gru(b: Builder) -> Graph:
    x = input_node("x", Type((1, 4), "f32"))
    state = state_node(b.array(1, 5), "h")
    outer, inner = b.dense(x, 15), b.dense(state, 15)
    (r, z, n), (hr, hz, hn) = ([b.part(each, 1, 5 * gate, 5) for gate in range(3)] for each in (outer, inner))
    r, z = b.function(b.op("add", r, hr), "sigmoid"), b.function(b.op("add", z, hz), "sigmoid")
    n = b.function(b.op("add", n, b.op("mul", r, hn)), "tanh")
    rest = b.op("sub", b.constant(), z)
    h = b.op("add", b.op("mul", rest, n), b.op("mul", z, state))
    return Graph((x,), (b.dense(h, 2),), states=(State(state, h),))


def delayed(b: Builder) -> Graph:
    """A convolution over time: its state holds the channels of the steps before, in front as in PyTorch."""
    x = input_node("x", Type((1, 2, 3), "f32"))
    y = b.dense(x, 6)
    state = state_node(b.array(1, 6, 4), "before")
    past = b.op("concat", b.op("transpose", state, perm=(0, 2, 1)), y, axis=1)
    left = b.op("transpose", b.part(past, 1, 2, 4), perm=(0, 2, 1))
    z = b.conv(b.reshape(past, 1, 6, 1, 6), 4, 3)
    return Graph((x,), (b.conv(z, 2),), states=(State(state, left),))


def delayed_input(b: Builder) -> Graph:
    """What a state keeps of an input stays."""
    x = input_node("x", Type((1, 4), "f32"))
    state = state_node(b.array(1, 4), "before")
    y = b.dense(b.op("concat", state, x, axis=1), 6)
    return Graph((x,), (b.dense(y, 2),), states=(State(state, x),))


def started(b: Builder) -> Graph:
    """Constant rows before those that are computed."""
    x = input_node("x", Type((1, 3, 4), "f32"))
    y = b.op("concat", b.constant(1, 2, 6), b.dense(x, 6), axis=1)
    return Graph((x,), (b.dense(y, 2),))


def two_outputs(b: Builder) -> Graph:
    """The inner layer is an output too."""
    x = input_node("x", Type((1, 4), "f32"))
    y = b.dense(x, 6)
    return Graph((x,), (y, b.dense(b.dense(y, 8), 2)))


NETS: Mapping[str, Net] = {
    "attended": Net(attended, (8,)),
    "attention": Net(attention, (4,)),
    "autoencoder": Net(autoencoder, (8, 2, 8)),
    "chain": Net(chain, (8,)),
    "channels_first": Net(channels_first, (6,)),
    "compared": Net(compared, (6,)),
    "delayed": Net(delayed, (6, 4)),
    "delayed_input": Net(delayed_input, (6,)),
    "depthwise": Net(depthwise, (8,)),
    "depthwise_multiplied": Net(depthwise_multiplied, (4,)),
    "depthwise_of_input": Net(depthwise_of_input, (4,)),
    "embedding": Net(embedding, (8,)),
    "every_other": Net(every_other, (4, 4)),
    "flattened": Net(flattened, (6,)),
    "folded": Net(folded, ()),
    "gated": Net(gated, (4,)),
    "group_norm": Net(group_norm, (4,)),
    "grouped": Net(grouped, (4, 6)),
    "grouped_of_input": Net(grouped_of_input, (2,)),
    "gru": Net(gru, (5,)),
    "interleaved": Net(interleaved, (5,)),
    "joined": Net(joined, (4, 6)),
    "joined_twice": Net(joined_twice, (4,)),
    "layer_norm": Net(layer_norm, (12,)),
    "lstm": Net(lstm, (6,)),
    "mixer": Net(mixer, (8,)),
    "normalised": Net(normalised, (6,)),
    "one_head": Net(one_head, (6, 7)),
    "outer_product": Net(outer_product, (6,)),
    "output_of_elementwise": Net(output_of_elementwise, ()),
    "packed_attention": Net(packed_attention, (4,)),
    "padded_channels": Net(padded_channels, (4, 5)),
    "padded_image": Net(padded_image, (6,)),
    "picked": Net(picked, (2,)),
    "pixels_from_channels": Net(pixels_from_channels, (5,)),
    "pooled": Net(pooled, (6,)),
    "residual": Net(residual, (8, 6)),
    "residual_to_input": Net(residual_to_input, (6,)),
    "scaled": Net(scaled, (6,)),
    "shared": Net(shared, (6,)),
    "shared_keys": Net(shared_keys, (2,)),
    "shared_with_input": Net(shared_with_input, (5,)),
    "shuffled": Net(shuffled, (4, 4)),
    "sloped": Net(sloped, (6, 5)),
    "softmax": Net(softmax, ()),
    "split": Net(split, (4, 4, 5)),
    "squeezed": Net(squeezed, (8, 4)),
    "started": Net(started, (6,)),
    "tied_embedding": Net(tied_embedding, (8, 5)),
    "tiled": Net(tiled, (4,)),
    "two_outputs": Net(two_outputs, (8,)),
    "unflattened": Net(unflattened, (6,)),
    "upsampled": Net(upsampled, (6,)),
}


def random_keep(channels: Channels, source: np.random.Generator) -> dict[int, np.ndarray]:
    """Some units of each group, at least one and not all."""
    keep = {}
    for index, group in enumerate(channels.groups):
        count = source.integers(1, group.units)
        keep[index] = np.sort(source.choice(group.units, count, replace=False))
    return keep


def silenced(channels: Channels, keep: Mapping[int, np.ndarray], made: bool = False) -> Graph:
    """The graph in which nobody has a weight for the units that are not kept. made: what makes them is zero
    as well, as two operands of a product need no weights to read them."""
    arrays: dict[Node, dict[str, np.ndarray]] = {}
    for index, units in keep.items():
        for each in channels.groups[index].slices:
            if made or not each.makes:
                attrs = arrays.setdefault(each.node, {})
                array = attrs.setdefault(each.attr, each.node.attrs[each.attr].copy())
                gone = (each.unit >= 0) & ~np.isin(each.unit, units)
                np.moveaxis(array, each.axis, 0)[gone] = 0
    new: dict[Node, Node] = {}
    for node in channels.graph.nodes():
        inputs = tuple(new[each] for each in node.inputs)
        new[node] = replace(node, inputs=inputs, attrs={**node.attrs, **arrays.get(node, {})})
    return channels.graph.mapped(new)
