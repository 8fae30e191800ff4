"""Turns float ops between dequantize and quantize into the int8 ops that they stand for.

before:  %1 = dequantize(%0) : f32[1,8,8,3]
         %2 = conv2d(%1) bias=<float32> weight=<float32> weight_scale=<float32[4]> : f32[1,8,8,4]
         %3 = relu(%2) lo=0.0 : f32[1,8,8,4]
         %4 = quantize(%3) : i8[1,8,8,4]~0.02@-100
after:   %2 = conv2d(%0) bias=<int32> weight=<int8> weight_scale=<float32[4]> : i8[1,8,8,4]~0.02@-100
         %3 = relu(%2) lo=0.0 : i8[1,8,8,4]~0.02@-100

Valid within one step of the result's scale: with rounding=once the integer op rounds the same real
result once, and hardly ever differs. Movement, clamps and maxima commute with quantize exactly, because
it is monotone, so they are carried past it to uncover the op. What has no integer form stays float
between its dequantize and quantize. weight_scale says that the float weights are integers times it; the
fused op stores these integers, and an op left in float loses the attr.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from s2c.ir import Graph, Node, Quant, Type, Uses
from s2c.ops import make
from s2c.ops.clamp import bounds
from s2c.ops.core import quantize
from s2c.ops.integer import HIGHEST, LOWEST, quantized_range, scale_of, zero_of
from s2c.ops.softmax import RESULT

MOVED = frozenset({"expand", "max_pool", "pad", "relu", "reshape", "slice", "transpose"})


def fuse_qdq(graph: Graph) -> Graph:
    """The Graph with int8 ops wherever their operands and results are quantized."""
    while True:
        fused = graph.rewrite(fuse)
        if all(a is b for a, b in zip(fused.results(), graph.results(), strict=True)):
            return graph.rewrite(drop_weight_scale)
        graph = fused


def fuse(node: Node, uses: Uses) -> Node | None:
    if node.op == "quantize":
        return fuse_quantize(node, uses)
    if node.op in MOVED or node.op == "concat":
        return move_below(node)
    return None


def drop_weight_scale(node: Node, _uses: Uses) -> Node | None:
    if node.type.dtype == "i8" or node.op not in ("conv2d", "dense") or "weight_scale" not in node.attrs:
        return None
    return replace(node, attrs={key: value for key, value in node.attrs.items() if key != "weight_scale"})


# downwards: movement(dequantize(x)) = dequantize(movement(x))


def move_below(node: Node) -> Node | None:
    sources = [each.inputs[0] if each.op == "dequantize" else None for each in node.inputs]
    first = sources[0]
    if first is None or any(each is None or each.type.quant != first.type.quant for each in sources):
        return None
    kind = first.type
    attrs = dict(node.attrs)
    if node.op == "pad":
        stored = exact_step(kind, attrs["value"])
        if stored is None:
            return None
        attrs["value"] = stored
    if node.op == "relu" and any(
        exact_step(kind, bound) is None for bound in bounds(node) if not math.isinf(bound)
    ):
        return None
    moved = make(
        node.op, tuple(each for each in sources if each is not None), node.layer, kind.quant, **attrs
    )
    return make("dequantize", (moved,), node.layer)


def exact_step(kind: Type, value: float) -> int | None:
    """The stored value that stands for a real one, if there is one."""
    step = round(value / scale_of(kind)) + zero_of(kind)
    exact = np.float32(step - zero_of(kind)) * np.float32(scale_of(kind)) == np.float32(value)
    return step if exact and LOWEST <= step <= HIGHEST else None


# upwards: quantize(movement(op(..))) = movement(int8 op(..))


def fuse_quantize(node: Node, uses: Uses) -> Node | None:
    quant = node.type.quant
    assert quant is not None, node.layer
    carried = []
    source = node.inputs[0]
    while source.op in MOVED and uses(source) == 1:
        carried.append(source)
        source = source.inputs[0]
    if source.op == "concat" and uses(source) == 1:
        parts = tuple(make("quantize", (each,), source.layer, quant) for each in source.inputs)
        result: Node | None = make("concat", parts, source.layer, quant, **source.attrs)
    elif source.op in FUSED:
        result = FUSED[source.op](source, quant)
    else:
        result = None
    if result is None:
        return None
    for each in reversed(carried):
        result = carry(each, result, quant)
    return result


def carry(node: Node, source: Node, quant: Quant) -> Node:
    """A movement or clamp of the quantized source."""
    attrs = dict(node.attrs)
    if node.op == "pad":
        attrs["value"] = int(quantize(np.array([attrs["value"]]), source.type)[0])
    if node.op == "relu" and quantized_range(source.type, *bounds(node)) == (LOWEST, HIGHEST):
        return source
    return make(node.op, (source,), node.layer, quant, **attrs)


def stored(node: Node) -> Node | None:
    """The int8 tensor that a float node is dequantized from."""
    return node.inputs[0] if node.op == "dequantize" else None


def fuse_contraction(node: Node, quant: Quant) -> Node | None:
    """conv2d or dense with integer weights; its bias is rounded to steps of both scales' product."""
    source = stored(node.inputs[0])
    if source is None or "weight_scale" not in node.attrs:
        return None
    scale = np.asarray(node.attrs["weight_scale"], np.float32)
    weight = integer_weight(node.attrs["weight"], scale)
    if weight is None:
        return None
    steps = np.rint(
        node.attrs["bias"].astype(np.float64) / (scale.astype(np.float64) * scale_of(source.type))
    )
    if not (np.abs(steps) < 1 << 31).all():
        return None
    attrs: dict[str, Any] = {
        **node.attrs,
        "weight": weight,
        "bias": steps.astype(np.int32),
        "rounding": "once",
    }
    return make(node.op, (source,), node.layer, quant, **attrs)


def integer_weight(weight: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """int8 weights with weight = integer * scale to the bit; None where a pass has changed them since."""
    wide = scale.reshape(-1, *(1,) * (weight.ndim - 1))
    steps = np.rint(weight.astype(np.float64) / wide)
    inside = (steps >= LOWEST).all() and (steps <= HIGHEST).all()
    exact = np.array_equal(steps.astype(np.float32) * wide, weight)
    return np.asarray(steps, np.int8) if inside and exact else None


def fuse_elementwise(node: Node, quant: Quant) -> Node | None:
    """Ops whose int8 form takes the same attrs."""
    sources = [stored(each) for each in node.inputs]
    if any(each is None for each in sources):
        return None
    inputs = tuple(each for each in sources if each is not None)
    return make(node.op, inputs, node.layer, quant, **node.attrs)


def fuse_rounded_once(node: Node, quant: Quant) -> Node | None:
    return fuse_elementwise(node.with_attrs(rounding="once"), quant)


def fuse_softmax(node: Node, quant: Quant) -> Node | None:
    return fuse_elementwise(node, quant) if quant == RESULT else None


def fuse_dequantize(node: Node, quant: Quant) -> Node:
    source = node.inputs[0]
    return source if source.type.quant == quant else make("requantize", (source,), node.layer, quant)


FUSED: Mapping[str, Callable[[Node, Quant], Node | None]] = {
    **dict.fromkeys(("leaky_relu", "mul", "unary"), fuse_elementwise),
    **dict.fromkeys(("add", "average_pool"), fuse_rounded_once),
    **dict.fromkeys(("conv2d", "dense"), fuse_contraction),
    "dequantize": fuse_dequantize,
    "softmax": fuse_softmax,
}
