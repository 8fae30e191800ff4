"""TFLite's functions of int16, which interpolate in tables: logistic, tanh, softmax.

Sources: the tables and the steps of TFLite's reference kernels for int16.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from s2c.ir import Node, constant
from s2c.layers import basic
from s2c.ops import make
from s2c.ops.core import round_away
from s2c.ops.integer import LIMITS, scale_of
from s2c.readers.tflite import integer
from s2c.readers.tflite.layer import Layer

LOWEST, HIGHEST = LIMITS["i16"]
UNIT = 1.0 / (1 << 15)


def sigmoid_table() -> np.ndarray:
    """sigmoid(i / 24) as Q0.16, each entry moved so that the error between entries is halved; the last is the
    largest value."""
    places = np.arange(256.0)
    values, middle, after = (65536 / (1 + np.exp(-(places + shift) / 24)) for shift in (0.0, 0.5, 1.0))
    table = np.floor(values + (middle - (values + after) / 2) / 2 + 0.5)
    table[-1] = 65535
    return table.astype(np.int32)


SIGMOID = sigmoid_table()


def checked(layer: Layer) -> Node:
    """The input, where its zero point is 0 and the result's scale is 2**-15, as TFLite wants it."""
    source, result = integer.quantized(layer, 0), layer.quantized_result
    zeros = [each.quant.zero for each in (source.type, result) if each.quant]
    if result.dtype != "i16" or scale_of(result) != UNIT or zeros != [0, 0]:
        found = f"{source.type} to {result.dtype} at {result.quant}"
        raise layer.error(
            "int16 with zero points of 0 and a result scale of 2**-15", found, "quantize it again"
        )
    return source


def finished(layer: Layer, node: Node) -> Node:
    return layer.stored(basic.cast(node, "i16", layer.name))


def right(layer: Layer, node: Node, bits: int, offset: int = 0) -> Node:
    """An arithmetic shift; offset, a multiple of 2**bits, makes the value positive on the way."""
    moved = basic.add(node, offset, layer.name) if offset else node
    shifted = basic.binary("shift_right", moved, bits, layer.name)
    return basic.sub(shifted, offset >> bits, layer.name) if offset else shifted


def look_up(layer: Layer, indices: Node, table: np.ndarray) -> Node:
    return make("lookup", (indices,), layer.name, table=table)


def input_scale(scale: float, doubled: bool) -> tuple[int, int]:
    """Multiplier and right shift that bring the input to steps of 1 / (3 * 4096). doubled: whether a scale of
    2**-11 counts as exact, too."""
    exponent = math.log2(scale)
    left = 12 + round(exponent)
    if abs(exponent - round(exponent)) < 1e-3 and left in ((0, 1) if doubled else (0,)):
        return 3 << left, 0
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        shift += 1
        multiplier *= 2.0
    return int(multiplier), shift


def interpolated(layer: Layer, doubled: bool, bits: int) -> tuple[Node, Node]:
    """The scaled input and the table's value for its absolute one, which has `bits` bits between entries."""
    name = layer.name
    source = checked(layer)
    multiplier, shift = input_scale(scale_of(source.type), doubled)
    if multiplier > HIGHEST:
        raise layer.error("an input scale below 2.66", f"{scale_of(source.type):g}", "quantize it again")
    x = basic.mul(integer.centred(layer, source), multiplier, name)
    if shift:
        x = right(layer, basic.add(x, 1 << shift - 1, name), shift, 1 << 30)
    distance = basic.binary("maximum", x, basic.negate(x, name), name)
    place = right(layer, distance, bits)
    low = look_up(layer, place, SIGMOID[:-1])
    step = look_up(layer, place, np.diff(SIGMOID))
    rest = basic.binary("bit_and", distance, (1 << bits) - 1, name)
    inside = basic.add(basic.mul(low, 1 << bits, name), basic.mul(rest, step, name), name)
    most = {9: 0x7FFF << 10, 8: 0xFFFF << 8}[bits]
    return x, basic.where(basic.less(place, 255, name), inside, most, name)


def logistic(layer: Layer) -> Node:
    name = layer.name
    x, value = interpolated(layer, False, 9)
    below = basic.sub((1 << 25) + (1 << 9) - 1, value, name)
    value = basic.where(basic.less(x, 0, name), below, basic.add(value, 1 << 9, name), name)
    return finished(layer, right(layer, value, 10))


def tanh(layer: Layer) -> Node:
    name = layer.name
    x, value = interpolated(layer, True, 8)
    below = basic.sub((1 << 23) + (1 << 7) - 1, value, name)
    above = basic.add(value, (1 << 7) - (1 << 23), name)
    return finished(layer, right(layer, basic.where(basic.less(x, 0, name), below, above, name), 8, 1 << 24))


# softmax: tables of 513 values, the last of which serves the slope of the one before


STEPS = 512


def table_of(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> np.ndarray:
    """A function of low..high as Q0.15, each entry moved so that the error between entries is halved."""
    step = (high - low) / STEPS
    starts = low + np.arange(STEPS + 1) * step
    values = function(starts) * (1 << 15)
    middle = round_away(function(starts[:-1] + step / 2) * (1 << 15))
    between = round_away((values[1:] + round_away(values[:-1])) / 2)
    table = round_away(values)
    table[:-1] -= round_away((between - middle) / 2)
    return np.asarray(np.clip(table, LOWEST, HIGHEST).astype(np.int32))


EXPONENTIAL = table_of(np.exp, -10.0, 0.0)
INVERSE = table_of(lambda x: 1 / (1 + x), 0.0, 1.0)


def in_table(layer: Layer, node: Node, table: np.ndarray) -> Node:
    """The table's value at an i32 of the range of int16; the nearest end outside of that."""
    name = layer.name
    value = basic.add(basic.clamp(node, LOWEST, HIGHEST, name), -LOWEST, name)
    place = right(layer, value, 7)
    slope = look_up(layer, place, np.diff(table))
    rest = basic.binary("bit_and", value, 127, name)
    moved = right(layer, basic.add(basic.mul(slope, rest, name), 64, name), 7, 1 << 24)
    return basic.add(look_up(layer, place, table[:-1]), moved, name)


def softmax(layer: Layer) -> Node:
    """exp of the distance to the row's largest value, times the inverse of their sum."""
    name = layer.name
    source = checked(layer)
    last = (len(source.type.shape) - 1,)
    x = integer.centred(layer, source)
    distance = basic.sub(x, basic.reduce("max", x, last, name), name)
    ratio = scale_of(source.type) * layer.finite("Beta") / (10.0 / 65535.0)
    scaled = integer.rescaled(layer, distance, ratio, 65535)
    powers = in_table(layer, basic.add(scaled, HIGHEST, name), EXPONENTIAL)
    total = basic.total(powers, last, name)
    bits = bit_length(layer, total)
    whole = basic.binary("shift_left", total, basic.sub(31, bits, name), name)
    sum16 = right(layer, basic.add(right(layer, whole, 13), 1, name), 1)
    inverse = in_table(layer, basic.sub(sum16, (1 << 15) + (1 << 16), name), INVERSE)
    product = basic.mul(powers, inverse, name)
    half = basic.binary("shift_left", constant(np.array(1, np.int32), name), basic.sub(bits, 2, name), name)
    rounded = basic.binary("shift_right", basic.add(product, half, name), basic.sub(bits, 1, name), name)
    return finished(layer, basic.clamp(rounded, 0, HIGHEST, name))


def bit_length(layer: Layer, node: Node) -> Node:
    """Of positive i32 [..., 1]: how many powers of two are no larger."""
    powers = constant(np.int32(1) << np.arange(31, dtype=np.int32), layer.name)
    reached = basic.cast(basic.binary("less_equal", powers, node, layer.name), "i32", layer.name)
    return basic.total(reached, (len(node.type.shape) - 1,), layer.name)
