"""The WaveNet of .nam files: arrays of layers with a dilated convolution, a condition, gates and FiLM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from s2c.errors import CompileError
from s2c.ir import Node
from s2c.layers.activations import Activation
from s2c.layers.basic import add, chunk, mul, sub
from s2c.readers.nam.activations import read_activation
from s2c.readers.nam.weights import Convolution, Supply, take_convolution
from s2c.readers.plain_json import Fields
from s2c.readers.stream import Build, Stream

MOST_ARRAYS = 16
MOST_LAYERS = 256
MOST_CHANNELS = 1 << 12
MOST_TAPS = 1 << 16
GATING = ("none", "gated", "blended")
SLIMMABLE = "slice_channels_uniform"


@dataclass(frozen=True)
class Film:
    is_shifted: bool
    groups: int


@dataclass(frozen=True)
class LayerConfig:
    name: str
    taps: int
    dilation: int
    activation: Activation
    gating: str
    gate: Activation


@dataclass(frozen=True)
class ArrayConfig:
    """layer1x1, head1x1: groups, None where there is no such convolution."""

    name: str
    inputs: int
    condition: int
    channels: int
    bottleneck: int
    head_inputs: int
    head_outputs: int
    head_taps: int
    is_head_biased: bool
    groups_input: int
    groups_mixin: int
    layer1x1: int | None
    head1x1: int | None
    films: Mapping[str, Film]
    layers: tuple[LayerConfig, ...]


@dataclass(frozen=True)
class HeadConfig:
    channels: int
    outputs: int
    taps: list[int]
    activation: Activation


@dataclass(frozen=True)
class WaveNetConfig:
    inputs: int
    arrays: tuple[ArrayConfig, ...]
    head: HeadConfig | None

    @property
    def outputs(self) -> int:
        return self.head.outputs if self.head else self.arrays[-1].head_outputs


# configuration


def read_wavenet(fields: Fields, condition: int | None) -> WaveNetConfig:
    """condition: how many channels a net for the condition gives, None without one. Raises CompileError with
    all problems."""
    inputs = fields.integer("in_channels", 1, most=MOST_CHANNELS)
    arrays = []
    for index, each in enumerate(fields.objects("layers", MOST_ARRAYS)):
        name = f"{fields.layer}.{index}" if fields.layer != "model" else f"array {index}"
        arrays.append(read_array(Fields(name, each, fields.problems)))
    head = None if fields.missing("head") else read_head(fields.object("head"))
    refuse_mismatches(arrays, inputs, inputs if condition is None else condition, fields)
    if fields.problems:
        raise CompileError(tuple(fields.problems))
    return WaveNetConfig(inputs, tuple(arrays), head)


def read_head(fields: Fields) -> HeadConfig:
    activation = read_activation(fields, "head.activation", fields.values.get("activation"))
    taps = fields.integers("kernel_sizes", MOST_LAYERS)
    channels, outputs = (fields.integer(key, most=MOST_CHANNELS) for key in ("channels", "out_channels"))
    return HeadConfig(channels, outputs, taps, activation)


def read_array(fields: Fields) -> ArrayConfig:
    channels = fields.integer("channels", most=MOST_CHANNELS)
    bottleneck = fields.integer("bottleneck", channels, most=MOST_CHANNELS)
    one, head1x1 = fields.object("layer1x1"), fields.object("head1x1")
    layer_groups = one.integer("groups", 1) if one.boolean("active", True) else None
    head_groups = head1x1.integer("groups", 1) if head1x1.boolean("active", False) else None
    head_inputs = bottleneck if head_groups is None else head1x1.integer("out_channels", most=MOST_CHANNELS)
    outputs, taps, is_biased = read_array_head(fields)
    if layer_groups is None and bottleneck != channels:
        fields.problem(f"a bottleneck of {channels} without layer1x1", bottleneck)
    refuse_slimming(fields)
    return ArrayConfig(
        name=fields.layer,
        inputs=fields.integer("input_size", most=MOST_CHANNELS),
        condition=fields.integer("condition_size", most=MOST_CHANNELS),
        channels=channels,
        bottleneck=bottleneck,
        head_inputs=head_inputs,
        head_outputs=outputs,
        head_taps=taps,
        is_head_biased=is_biased,
        groups_input=fields.integer("groups_input", 1),
        groups_mixin=fields.integer("groups_input_mixin", 1),
        layer1x1=layer_groups,
        head1x1=head_groups,
        films=read_films(fields, layer_groups is not None, head_groups is not None),
        layers=tuple(read_layers(fields)),
    )


def read_array_head(fields: Fields) -> tuple[int, int, bool]:
    """Outputs, taps and whether there is a bias; older files have no object for them."""
    if fields.missing("head"):
        return fields.integer("head_size", most=MOST_CHANNELS), 1, fields.boolean("head_bias")
    head = fields.object("head")
    taps = head.integer("kernel_size", most=MOST_TAPS)
    return head.integer("out_channels", most=MOST_CHANNELS), taps, head.boolean("bias")


FILMS = (
    "conv_pre_film",
    "conv_post_film",
    "input_mixin_pre_film",
    "input_mixin_post_film",
    "activation_pre_film",
    "activation_post_film",
    "layer1x1_post_film",
    "head1x1_post_film",
)


def read_films(fields: Fields, has_layer1x1: bool, has_head1x1: bool) -> dict[str, Film]:
    """Those that are active, in the order of their weights."""
    films = {}
    for name in FILMS:
        if fields.missing(name) or fields.values[name] is False:
            continue
        film = fields.object(name)
        if film.boolean("active", True):
            films[name] = Film(film.boolean("shift", True), film.integer("groups", 1))
    for name, has in (("layer1x1_post_film", has_layer1x1), ("head1x1_post_film", has_head1x1)):
        if name in films and not has:
            fields.problem(f"no {name} without {name.split('_')[0]}", "one")
    return films


def read_layers(fields: Fields) -> list[LayerConfig]:
    dilations = fields.integers("dilations", MOST_LAYERS)
    count = len(dilations)
    if fields.missing("kernel_sizes"):
        taps = [fields.integer("kernel_size", most=MOST_TAPS)] * count
    else:
        taps = fields.integers("kernel_sizes", MOST_LAYERS)
    columns = [taps, each_of(fields, "activation", None, count), gatings(fields, count)]
    columns.append(each_of(fields, "secondary_activation", "Sigmoid", count))
    if any(len(each) != count for each in columns):
        fields.problem(f"{count} kernel_sizes, activations and gates, as of dilations", "another number")
        return []
    return [
        read_layer(fields, index, dilation, *row)
        for index, (dilation, *row) in enumerate(zip(dilations, *columns, strict=True))
    ]


def read_layer(
    fields: Fields, index: int, dilation: int, taps: int, activation: Any, gating: Any, gate: Any
) -> LayerConfig:
    if gating not in GATING:
        fields.problem(f"gating_mode, one of {', '.join(GATING)}", gating)
    primary = read_activation(fields, "activation", activation)
    secondary = primary if gating == "none" else read_activation(fields, "secondary_activation", gate)
    return LayerConfig(f"{fields.layer}.{index}", taps, dilation, primary, str(gating), secondary)


def each_of(fields: Fields, key: str, default: Any, count: int) -> list[Any]:
    """One value of a layer each; a single one stands for all."""
    value = fields.values.get(key)
    if isinstance(value, list):
        return value
    return [default if value is None else value] * count


def gatings(fields: Fields, count: int) -> list[Any]:
    """gating_mode, in older files gated."""
    if fields.missing("gating_mode"):
        return ["gated" if fields.boolean("gated", False) else "none"] * count
    return each_of(fields, "gating_mode", None, count)


def refuse_slimming(fields: Fields) -> None:
    """A net that can be slimmed is read at its full width."""
    method = None if fields.missing("slimmable") else fields.object("slimmable").values.get("method")
    if method not in (None, SLIMMABLE):
        fields.problem(f"slimmable method {SLIMMABLE}", method)


def refuse_mismatches(arrays: list[ArrayConfig], inputs: int, condition: int, fields: Fields) -> None:
    for index, each in enumerate(arrays):
        own = Fields(each.name, {}, fields.problems)
        before = arrays[index - 1].channels if index else inputs
        if each.inputs != before:
            own.problem(f"input_size {before}, as what comes before", each.inputs)
        if each.condition != condition:
            own.problem(f"condition_size {condition}, as the condition has channels", each.condition)
        if index and each.head_inputs != arrays[index - 1].head_outputs:
            wanted = f"a head of {arrays[index - 1].head_outputs} channels, as of the array before"
            own.problem(wanted, each.head_inputs)


# weights and nodes


def take_wavenet(config: WaveNetConfig, supply: Supply, condition: Build | None) -> Build:
    """The net with its weights, which the scale of its output ends."""
    arrays = [take_array(each, supply) for each in config.arrays]
    head = take_head(config.head, config.arrays[-1].head_outputs, supply) if config.head else None
    scale = float(supply.take(1, layer="head_scale")[0])

    def build(x: Node, stream: Stream) -> Node:
        given = condition(x, stream) if condition else x
        signal, total = x, None
        for each in arrays:
            signal, total = each(signal, given, total, stream)
        assert total is not None
        y = mul(total, scale, "head_scale")
        return head(y, stream) if head else y

    return build


def take_head(config: HeadConfig, inputs: int, supply: Supply) -> Build:
    steps = []
    for index, taps in enumerate(config.taps):
        outputs = config.outputs if index == len(config.taps) - 1 else config.channels
        steps.append(take_convolution(supply, inputs, outputs, taps, True, f"head.{index}"))
        inputs = outputs

    def build(x: Node, stream: Stream) -> Node:
        for each in steps:
            x = each(config.activation(x, each.layer), stream)
        return x

    return build


Array = Callable[[Node, Node, Node | None, Stream], tuple[Node, Node]]


def take_array(config: ArrayConfig, supply: Supply) -> Array:
    name = config.name
    entry = take_convolution(supply, config.inputs, config.channels, 1, False, f"{name}.rechannel")
    layers = [take_layer(config, each, supply) for each in config.layers]
    head = take_convolution(
        supply,
        config.head_inputs,
        config.head_outputs,
        config.head_taps,
        config.is_head_biased,
        f"{name}.head",
    )

    def build(x: Node, condition: Node, total: Node | None, stream: Stream) -> tuple[Node, Node]:
        """What goes to the next array: the signal, and the sum of the heads."""
        signal = entry(x, stream)
        for each in layers:
            signal, part = each(signal, condition, stream)
            total = part if total is None else add(total, part, f"{name}.head")
        assert total is not None
        return signal, head(total, stream)

    return build


@dataclass(frozen=True)
class LayerWeights:
    conv: Convolution
    mixin: Convolution
    layer1x1: Convolution | None
    head1x1: Convolution | None
    films: Mapping[str, Convolution]


def take_layer(
    array: ArrayConfig, layer: LayerConfig, supply: Supply
) -> Callable[[Node, Node, Stream], tuple[Node, Node]]:
    middle = array.bottleneck * (1 if layer.gating == "none" else 2)
    take = partial(take_convolution, supply)
    name, taps, dilation = layer.name, layer.taps, layer.dilation
    conv = take(array.channels, middle, taps, True, f"{name}.conv", dilation, array.groups_input)
    mixin = take(array.condition, middle, 1, False, f"{name}.mixin", groups=array.groups_mixin)
    layer1x1 = head1x1 = None
    if array.layer1x1 is not None:
        layer1x1 = take(array.bottleneck, array.channels, 1, True, f"{name}.1x1", groups=array.layer1x1)
    if array.head1x1 is not None:
        head1x1 = take(array.bottleneck, array.head_inputs, 1, True, f"{name}.head1x1", groups=array.head1x1)
    inner = (array.channels, middle, array.condition, middle, middle)
    widths = (*inner, array.bottleneck, array.channels, array.head_inputs)
    films = {}
    for key, film in array.films.items():
        outputs = widths[FILMS.index(key)] * (2 if film.is_shifted else 1)
        films[key] = take(array.condition, outputs, 1, True, f"{name}.{key}", groups=film.groups)
    weights = LayerWeights(conv, mixin, layer1x1, head1x1, films)
    return partial(build_layer, layer, weights)


def build_layer(
    config: LayerConfig, weights: LayerWeights, x: Node, condition: Node, stream: Stream
) -> tuple[Node, Node]:
    """The residual signal, and what the layer adds to the head."""
    name = config.name

    def film(key: str, value: Node) -> Node:
        return modulated(value, condition, weights.films.get(key), stream)

    z = film("conv_post_film", weights.conv(film("conv_pre_film", x), stream))
    mixed = weights.mixin(film("input_mixin_pre_film", condition), stream)
    z = add(z, film("input_mixin_post_film", mixed), name)
    z = film("activation_post_film", gated(config, film("activation_pre_film", z)))
    signal, part = z, z
    if weights.layer1x1:
        signal = film("layer1x1_post_film", weights.layer1x1(z, stream))
    if weights.head1x1:
        part = film("head1x1_post_film", weights.head1x1(z, stream))
    return add(x, signal, name), part


def modulated(x: Node, condition: Node, film: Convolution | None, stream: Stream) -> Node:
    """FiLM: x * scale + shift, both computed from the condition."""
    if film is None:
        return x
    y = film(condition, stream)
    if y.type.shape[-1] == x.type.shape[-1]:
        return mul(x, y, film.layer)
    scale, shift = chunk(y, 2, 2, film.layer)
    return add(mul(x, scale, film.layer), shift, film.layer)


def gated(config: LayerConfig, z: Node) -> Node:
    """gated: a * g; blended: g * a + (1 - g) * z, where a and g come of the first and second half of z."""
    name = config.name
    if config.gating == "none":
        return config.activation(z, name)
    first, second = chunk(z, 2, 2, name)
    active, gate = config.activation(first, name), config.gate(second, name)
    if config.gating == "gated":
        return mul(active, gate, name)
    return add(first, mul(gate, sub(active, first, name), name), name)
