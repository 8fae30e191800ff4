"""TFLite's arithmetic of quantized values that no op has for itself, composed of plain integers and rescale.

Sources: TFLite's reference kernels, whose left shifts and float32 quotients of scales are kept.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from s2c.ir import Node
from s2c.layers import basic
from s2c.ops import make
from s2c.ops.integer import LIMITS, quantize_multipliers, quantized_range, scale_of, zero_of
from s2c.ops.pooling import tflite_mean_scale
from s2c.readers.tflite.layer import Layer

MOST_RATIO = 1 << 30
INT32 = (-(1 << 31), (1 << 31) - 1)
# By how much operands are shifted left before a sum, by dtype; before a comparison; before a difference that
# is squared.
SUM_SHIFT = {"i8": 20, "i16": 15}
COMPARE_SHIFT = 8
SQUARE_SHIFT = 7


def quantized(layer: Layer, index: int) -> Node:
    """An input of int8 or int16 with one scale."""
    node = layer.any(index)
    quant = node.type.quant
    if quant is None or quant.axis is not None or node.type.dtype not in LIMITS:
        raise layer.error("int8 or int16 with one scale", str(node.type), "quantize the model again")
    return node


def reach(node: Node) -> int:
    """The largest distance of a stored value to its zero point."""
    lowest, highest = LIMITS[node.type.dtype]
    zero = zero_of(node.type)
    return max(highest - zero, zero - lowest)


def centred(layer: Layer, node: Node) -> Node:
    """The distance to the zero point, as i32."""
    stored = make("reinterpret", (node,), layer.name)
    wide = basic.cast(stored, "i32", layer.name)
    zero = zero_of(node.type)
    return basic.sub(wide, zero, layer.name) if zero else wide


def multipliers(layer: Layer, ratio: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    most = float(np.max(ratio))
    if not most < MOST_RATIO:
        raise layer.error(f"scales whose quotient is below {MOST_RATIO}", f"{most:g}", "quantize it again")
    return quantize_multipliers(np.asarray(ratio, np.float64))


def rescaled(
    layer: Layer, node: Node, ratio: float | np.ndarray, bound: int, limits: tuple[int, int] = INT32
) -> Node:
    """node times ratio within limits, as i32."""
    multiplier, shift = multipliers(layer, ratio)
    attrs: dict[str, Any] = {"multiplier": multiplier, "shift": shift, "bound": bound, "rounding": "twice"}
    return make("rescale", (node,), layer.name, dtype="i32", zero=0, lo=limits[0], hi=limits[1], **attrs)


def finished(
    layer: Layer, node: Node, ratio: float | np.ndarray, bound: int, lo: float = -np.inf, hi: float = np.inf
) -> Node:
    """node times ratio on the output's zero point, within the real lo..hi."""
    kind = layer.quantized_result
    least, most = quantized_range(kind, lo, hi)
    multiplier, shift = multipliers(layer, ratio)
    attrs: dict[str, Any] = {"multiplier": multiplier, "shift": shift, "bound": bound}
    attrs["rounding"] = "wide" if node.type.dtype == "i64" else "twice"
    return layer.make("rescale", node, dtype=kind.dtype, zero=zero_of(kind), lo=least, hi=most, **attrs)


def operands(layer: Layer) -> tuple[Node, Node]:
    a, b = quantized(layer, 0), quantized(layer, 1)
    if a.type.dtype != b.type.dtype or layer.result_type.dtype != a.type.dtype:
        found = f"{a.type}, {b.type} and {layer.result_type.dtype}"
        raise layer.error("operands and result of one dtype", found, "quantize the model again")
    return a, b


def shifted(layer: Layer, node: Node, bits: int, ratio: float) -> Node:
    """The distance to the zero point, shifted left, times ratio."""
    wide = basic.mul(centred(layer, node), 1 << bits, layer.name)
    return rescaled(layer, wide, ratio, reach(node) << bits)


def on_common_scale(layer: Layer, bits: int) -> tuple[Node, Node, float, int]:
    """Both operands on twice the larger scale, that scale, and how large a sum or difference can be."""
    a, b = operands(layer)
    twice = 2.0 * max(scale_of(a.type), scale_of(b.type))
    parts = tuple(shifted(layer, each, bits, scale_of(each.type) / twice) for each in (a, b))
    return parts[0], parts[1], twice, (reach(a) + reach(b) << bits - 1) + 2


def combined(layer: Layer, function: str) -> Node:
    """A sum or a difference."""
    bits = SUM_SHIFT[operands(layer)[0].type.dtype]
    a, b, twice, bound = on_common_scale(layer, bits)
    ratio = twice / ((1 << bits) * scale_of(layer.quantized_result))
    return finished(layer, basic.binary(function, a, b, layer.name), ratio, bound, **layer.clamp())


def difference(layer: Layer) -> Node:
    return combined(layer, "sub")


def sum_or_product(layer: Layer, op: str) -> Node:
    """Of int16. Scales that are all powers of two have an arithmetic of their own where the options ask for
    it."""
    a, b = operands(layer)
    if op == "add":
        scales = [scale_of(each) for each in (a.type, b.type, layer.quantized_result)]
        if layer.option("PotScaleInt16") and all(np.frexp(each)[0] == 0.5 for each in scales):
            raise layer.error(
                "scales of which one is no power of two", f"{scales}", "convert it without pot_scale_int16"
            )
        return combined(layer, "add")
    product = basic.mul(centred(layer, a), centred(layer, b), layer.name)
    own, other, result = (np.float32(scale_of(each)) for each in (a.type, b.type, layer.quantized_result))
    return finished(layer, product, float(own * other / result), reach(a) * reach(b), **layer.clamp())


def squared_difference(layer: Layer) -> Node:
    a, b, twice, _ = on_common_scale(layer, SQUARE_SHIFT)
    apart = basic.sub(a, b, layer.name)
    ratio = twice * twice / ((1 << 2 * SQUARE_SHIFT) * scale_of(layer.quantized_result))
    most = (reach(operands(layer)[0]) + reach(operands(layer)[1]) << SQUARE_SHIFT - 1) + 2
    return finished(layer, basic.square(apart, layer.name), ratio, most * most)


def comparable(layer: Layer) -> tuple[Node, Node]:
    """The operands of a comparison, quantized ones times their scales."""
    a, b = layer.any(0), layer.any(1)
    if a.type.quant is None and b.type.quant is None:
        return a, b
    a, b = quantized(layer, 0), quantized(layer, 1)
    return shifted(layer, a, COMPARE_SHIFT, scale_of(a.type)), shifted(
        layer, b, COMPARE_SHIFT, scale_of(b.type)
    )


def prelu(layer: Layer) -> Node:
    source, slopes = quantized(layer, 0), quantized(layer, 1)
    own, slope, result = (
        np.float32(scale_of(each)) for each in (source.type, slopes.type, layer.quantized_result)
    )
    x = centred(layer, source)
    leaked = basic.mul(x, centred(layer, slopes), layer.name)
    kept = finished(layer, x, float(own / result), reach(source))
    below = finished(layer, leaked, float(own * slope / result), reach(source) * reach(slopes))
    is_negative = basic.less(x, 0, layer.name)
    return layer.make("where", is_negative, below, kept)


def requantized(layer: Layer, **clamp: Any) -> Node:
    """Between two scales, of which one is of int16."""
    source = quantized(layer, 0)
    ratio = scale_of(source.type) / scale_of(layer.quantized_result)
    return finished(layer, centred(layer, source), ratio, reach(source), **clamp)


def mean(layer: Layer, node: Node, axes: tuple[int, ...]) -> Node:
    count = math.prod(node.type.shape[axis] for axis in axes)
    total = basic.total(centred(layer, node), axes, layer.name)
    kind = layer.quantized_result
    multiplier, shift = tflite_mean_scale(scale_of(node.type) / scale_of(kind), count)
    attrs: dict[str, Any] = {
        "multiplier": np.array([multiplier], np.int32),
        "shift": np.array([shift], np.int8),
    }
    least, most = LIMITS[kind.dtype]
    attrs |= {"bound": count * reach(node), "rounding": "twice", "lo": least, "hi": most}
    return layer.make("rescale", total, dtype=kind.dtype, zero=zero_of(kind), **attrs)


def clamped(layer: Layer, node: Node) -> Node:
    """The fused activation on int16, by a scaling with 1."""
    clamp = layer.clamp()
    return finished(layer, centred(layer, node), 1.0, reach(node), **clamp) if clamp else node


def dequantized(layer: Layer) -> Node:
    source = quantized(layer, 0)
    wide = basic.cast(centred(layer, source), "f32", layer.name)
    return basic.mul(wide, scale_of(source.type), layer.name)


def batch_matmul(layer: Layer, a: Node, b: Node) -> Node:
    """Of the last two axes."""
    depth = a.type.shape[-1]
    bound = depth * reach(quantized(layer, 0)) * reach(quantized(layer, 1))
    if bound >= 1 << 31:
        raise layer.error("sums that int32 holds", f"{depth} products", "split the layer in two")
    scales = [scale_of(each) for each in (layer.any(0).type, layer.any(1).type, layer.quantized_result)]
    return finished(layer, basic.matmul(a, b, layer.name), scales[0] * scales[1] / scales[2], bound)
