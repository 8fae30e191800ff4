"""The nets of .nam files by their published formulas, over a whole signal, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def leaky_hardtanh(x: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    lo, hi = config.get("min_val", -1), config.get("max_val", 1)
    below, above = config.get("min_slope", 0.01), config.get("max_slope", 0.01)
    return np.where(x < lo, (x - lo) * below + lo, np.where(x > hi, (x - hi) * above + hi, x))


def fast_tanh(x: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    a, square = np.abs(x), x * x
    above = x * (
        2.45550750702956 + 2.45550750702956 * a + (0.893229853513558 + 0.821226666969744 * a) * square
    )
    return above / (2.44506634652299 + (2.44506634652299 + square) * np.abs(x + 0.814642734961073 * x * a))


FUNCTIONS: dict[str, Callable[[np.ndarray, dict[str, Any]], np.ndarray]] = {
    "Fasttanh": fast_tanh,
    "Hardswish": lambda x, config: x * np.clip(x + 3, 0, 6) / 6,
    "Hardtanh": lambda x, config: np.clip(x, -1, 1),
    "LeakyHardtanh": leaky_hardtanh,
    "LeakyReLU": lambda x, config: np.where(x > 0, x, x * config.get("negative_slope", 0.01)),
    "PReLU": lambda x, config: np.where(x > 0, x, x * np.array(config["negative_slopes"])),
    "ReLU": lambda x, config: np.maximum(x, 0),
    "SiLU": lambda x, config: x * sigmoid(x),
    "Sigmoid": lambda x, config: sigmoid(x),
    "Softsign": lambda x, config: x / (1 + np.abs(x)),
    "Tanh": lambda x, config: np.tanh(x),
}


def activate(x: np.ndarray, config: str | dict[str, Any]) -> np.ndarray:
    named = {"type": config} if isinstance(config, str) else config
    return FUNCTIONS[named["type"]](x, named)


class Reader:
    """The weights in order. past: what each convolution finds before the first sample, by repeating it."""

    def __init__(self, model: dict[str, Any]) -> None:
        self.rest = list(model["weights"])

    def take(self, *shape: int) -> np.ndarray:
        count = int(np.prod(shape))
        taken, self.rest = self.rest[:count], self.rest[count:]
        return np.array(taken, np.float64).reshape(shape)

    def conv(
        self,
        x: np.ndarray,
        outputs: int,
        taps: int = 1,
        bias: bool = True,
        dilation: int = 1,
        groups: int = 1,
    ) -> np.ndarray:
        """Causal; the signal before the first sample is the first sample."""
        inputs = x.shape[1]
        weight = self.take(outputs, inputs // groups, taps)
        padded = np.concatenate([np.repeat(x[:1], (taps - 1) * dilation, 0), x])
        y = np.zeros((len(x), outputs))
        for row in range(outputs):
            group = row // (outputs // groups)
            for column in range(inputs // groups):
                for tap in range(taps):
                    shifted = padded[
                        tap * dilation : tap * dilation + len(x), group * (inputs // groups) + column
                    ]
                    y[:, row] += weight[row, column, tap] * shifted
        return y + self.take(outputs) if bias else y


def listed(value: Any, count: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * count


def reference(model: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """x [time, channels], whose first sample stands for all before it."""
    return {"Linear": linear, "LSTM": lstm, "WaveNet": wavenet, "ConvNet": conv_net}[model["architecture"]](
        model["config"], Reader(model), x
    )


def linear(config: dict[str, Any], reader: Reader, x: np.ndarray) -> np.ndarray:
    response = reader.take(config["receptive_field"])
    return np.convolve(x[:, 0], response)[: len(x), None]


def lstm(config: dict[str, Any], reader: Reader, x: np.ndarray) -> np.ndarray:
    hidden = config["hidden_size"]
    for _ in range(config["num_layers"]):
        weight, bias = reader.take(4 * hidden, x.shape[1] + hidden), reader.take(4 * hidden)
        h, c = reader.take(hidden), reader.take(hidden)
        rows = []
        for each in x:
            i, f, g, o = np.split(weight @ np.concatenate([each, h]) + bias, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            rows.append(h)
        x = np.array(rows)
    return x @ reader.take(hidden, 1) + reader.take(1)


def conv_net(config: dict[str, Any], reader: Reader, x: np.ndarray) -> np.ndarray:
    channels = config["channels"]
    for dilation in config["dilations"]:
        x = reader.conv(x, channels, 2, not config["batchnorm"], dilation)
        if config["batchnorm"]:
            mean, variance, weight, bias = reader.take(4, channels)
            x = (x - mean) / np.sqrt(variance + reader.take(1)) * weight + bias
        x = activate(x, config["activation"])
    return reader.conv(x, 1)


def wavenet(config: dict[str, Any], reader: Reader, x: np.ndarray) -> np.ndarray:
    condition = reference(config["condition_dsp"], x) if "condition_dsp" in config else x
    total = None
    for each in config["layers"]:
        x, total = array(each, reader, x, condition, total)
    head = config["head"]
    if head is None:
        return total * reader.take(1)
    scale, count = reader.rest.pop(), len(head["kernel_sizes"])
    x = total * scale
    for index, taps in enumerate(head["kernel_sizes"]):
        outputs = head["out_channels"] if index == count - 1 else head["channels"]
        x = reader.conv(activate(x, head["activation"]), outputs, taps)
    return x


def array(
    config: dict[str, Any], reader: Reader, x: np.ndarray, condition: np.ndarray, total: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    x = reader.conv(x, config["channels"], bias=False)
    count = len(config["dilations"])
    gating = listed(config.get("gating_mode", "gated" if config.get("gated") else "none"), count)
    seconds = listed(config.get("secondary_activation", "Sigmoid"), count)
    taps = listed(config.get("kernel_sizes", config.get("kernel_size")), count)
    rows = zip(config["dilations"], taps, listed(config["activation"], count), gating, seconds, strict=True)
    for row in rows:
        x, part = layer(config, reader, x, condition, *row)
        total = part if total is None else total + part
    head = config.get("head") or {
        "out_channels": config["head_size"], "kernel_size": 1, "bias": config["head_bias"]
    }  # fmt: skip
    assert total is not None
    return x, reader.conv(total, head["out_channels"], head["kernel_size"], head["bias"])


def layer(
    config: dict[str, Any],
    reader: Reader,
    x: np.ndarray,
    condition: np.ndarray,
    dilation: int,
    taps: int,
    activation: Any,
    gating: str,
    second: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights come in another order than they are used: each part is a function of its input."""
    channels = config["channels"]
    bottleneck = config.get("bottleneck", channels)
    wide = bottleneck * (1 if gating == "none" else 2)
    one = config.get("layer1x1", {"active": True, "groups": 1})
    head = config.get("head1x1", {"active": False})

    def later(inputs: int, outputs: int, **attrs: Any) -> Callable[[np.ndarray], np.ndarray]:
        groups, bias = attrs.get("groups", 1), attrs.get("bias", True)
        count = outputs * (inputs // groups) * attrs.get("taps", 1) + (outputs if bias else 0)
        own = Reader({"weights": reader.take(count).tolist()})
        return lambda value: own.conv(value, outputs, **attrs)

    conv = later(channels, wide, taps=taps, dilation=dilation, groups=config.get("groups_input", 1))
    mixin = later(condition.shape[1], wide, bias=False, groups=config.get("groups_input_mixin", 1))
    one_by_one = later(bottleneck, channels, groups=one["groups"]) if one["active"] else None
    to_head = later(bottleneck, head["out_channels"], groups=head["groups"]) if head["active"] else None
    sizes = {
        "conv_pre_film": channels, "conv_post_film": wide, "input_mixin_pre_film": condition.shape[1],
        "input_mixin_post_film": wide, "activation_pre_film": wide, "activation_post_film": bottleneck,
        "layer1x1_post_film": channels, "head1x1_post_film": head.get("out_channels", 0),
    }  # fmt: skip
    films = {}
    for key, size in sizes.items():
        film = config.get(key)
        if film and film["active"]:
            outputs = size * (2 if film["shift"] else 1)
            films[key] = later(condition.shape[1], outputs, groups=film["groups"])(condition)

    def film_of(key: str, value: np.ndarray) -> np.ndarray:
        if key not in films:
            return value
        size = value.shape[1]
        return value * films[key][:, :size] + (films[key][:, size:] if films[key].shape[1] > size else 0)

    z = film_of("conv_post_film", conv(film_of("conv_pre_film", x)))
    z = z + film_of("input_mixin_post_film", mixin(film_of("input_mixin_pre_film", condition)))
    z = film_of("activation_pre_film", z)
    active = activate(z[:, :bottleneck], activation)
    if gating != "none":
        gate = activate(z[:, bottleneck:], second)
        active = active * gate + (0 if gating == "gated" else (1 - gate) * z[:, :bottleneck])
    active = film_of("activation_post_film", active)
    signal = film_of("layer1x1_post_film", one_by_one(active)) if one_by_one else active
    part = film_of("head1x1_post_film", to_head(active)) if to_head else active
    return x + signal, part
