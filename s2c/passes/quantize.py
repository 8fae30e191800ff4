"""Puts dequantize(quantize(x)) around the float ops that are to be int8, weights rounded to int8 steps.

before:  %0 = input() : f32[1,8,8,3]
         %1 = conv2d(%0) bias=<float32> weight=<float32> : f32[1,8,8,4]
after:   %0 = input() : i8[1,8,8,3]~1@-128
         %1 = dequantize(%0) : f32[1,8,8,3]
         %2 = conv2d(%1) bias=<float32> weight=<float32> weight_scale=<float32[4]> : f32[1,8,8,4]
         %3 = quantize(%2) : i8[1,8,8,4]~0.02@-100

Valid within the steps of the given scales. fuse_qdq makes the int8 ops of it, so that each rounds once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from s2c.ir import Graph, Node, Quant, State, constant, input_node
from s2c.ops import make
from s2c.ops.core import quantize
from s2c.ops.integer import HIGHEST

BIAS_STEPS = float(1 << 24)  # at most: more of them say nothing that an int8 result could show
SMALLEST = float(np.finfo(np.float32).smallest_normal)


def quantize_graph(
    graph: Graph, ranges: Mapping[Node, Quant], int8: Collection[Node], float_io: bool = False
) -> Graph:
    """int8: the nodes that are computed in int8, with the inputs and constants that are stored so; other
    nodes compute on floats. ranges: of each tensor that a node of int8 gives or reads. Inputs and outputs of
    the graph become int8 where int8 holds them, unless float_io."""
    whole: dict[Node, Node] = {}
    stored: dict[Node, Node] = {}
    for node in graph.nodes():
        if node.op in ("input", "constant") and node in int8 and not (float_io and node.op == "input"):
            stored[node] = leaf(node, ranges[node])
            whole[node] = make("dequantize", (stored[node],), node.layer)
            continue
        is_int8 = node in int8 and node.op != "input"
        whole[node] = computed(node, ranges, whole, stored) if is_int8 else copied(node, whole)
        if node in ranges:
            stored[node] = make("quantize", (whole[node],), node.layer, ranges[node])
        if is_int8:
            whole[node] = make("dequantize", (stored[node],), node.layer)
    ends = {each for each in (*graph.inputs, *graph.outputs) if each in int8 and not float_io}
    return replace(
        graph,
        inputs=tuple(stored[each] if each in ends else whole[each] for each in graph.inputs),
        outputs=tuple(stored[each] if each in ends else whole[each] for each in graph.outputs),
        states=tuple(State(whole[each.node], whole[each.next]) for each in graph.states),
    )


def leaf(node: Node, quant: Quant) -> Node:
    """The int8 form of an input or a constant."""
    kind = replace(node.type, dtype="i8", quant=quant)
    if node.op == "input":
        return input_node(node.layer, kind)
    return constant(quantize(node.attrs["value"], kind), node.layer, quant)


def copied(node: Node, whole: Mapping[Node, Node]) -> Node:
    return replace(node, inputs=tuple(whole[each] for each in node.inputs))


def computed(
    node: Node, ranges: Mapping[Node, Quant], whole: Mapping[Node, Node], stored: Mapping[Node, Node]
) -> Node:
    """The node of operands that int8 has rounded."""
    inputs = tuple(
        whole[each] if whole[each].op == "dequantize" else make("dequantize", (stored[each],), each.layer)
        for each in node.inputs
    )
    rounded = replace(node, inputs=inputs)
    return with_int8_weights(rounded, ranges[node.inputs[0]]) if "weight" in node.attrs else rounded


def with_int8_weights(node: Node, source: Quant) -> Node:
    """A conv2d or dense whose weights are integers times weight_scale."""
    scale = weight_scale(node, source)
    return node.with_attrs(
        weight=int8_steps(node.attrs["weight"], scale) * columns(scale, node), weight_scale=scale
    )


def int8_steps(weight: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Weights [outputs, ...] as the float32 integers, -127..127, of their steps."""
    wide = scale.astype(np.float64).reshape(-1, *(1,) * (weight.ndim - 1))
    return np.asarray(np.clip(np.rint(weight / wide), -HIGHEST, HIGHEST), np.float32)


def columns(scale: np.ndarray, node: Node) -> np.ndarray:
    return scale.reshape(-1, *(1,) * (node.attrs["weight"].ndim - 1))


def weight_scale(node: Node, source: Quant) -> np.ndarray:
    """float32 per output: the largest weight is 127 steps, but for outputs that hardly depend on the input:
    there the bias, in steps of both scales' product, must fit too."""
    weight, bias = node.attrs["weight"], np.abs(node.attrs["bias"].astype(np.float64))
    largest = np.abs(weight.astype(np.float64)).reshape(len(weight), -1).max(axis=1) / HIGHEST
    scale = np.maximum(largest, bias / (source.scale[0] * BIAS_STEPS))
    used = scale[scale > SMALLEST]
    return np.asarray(np.where(scale > SMALLEST, scale, used.min() if used.size else 1 / HIGHEST), np.float32)
