"""Folds a per-channel scale or shift that follows a float contraction into its weights and bias.

before:  %1 = conv2d(%0) weight=W bias=b; %2 = batchnorm(%1) scale=s shift=t
after:   %2 = conv2d(%0) weight=s*W bias=s*b+t

Valid because a contraction is linear in its weights; it needs that nobody else reads the unscaled result and
that no clamp stands between the two. A mul or an add with a constant of one value per channel counts as such
a scale or shift.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from s2c.ir import Graph, Node, Uses


def fold_batchnorm(graph: Graph) -> Graph:
    def rule(node: Node, uses: Uses) -> Node | None:
        found = scale_and_shift(node)
        if found is None:
            return None
        producer, scale, shift = found
        if producer.op not in ("conv2d", "dense") or producer.type.dtype != "f32" or uses(producer) != 1:
            return None
        if "lo" in producer.attrs or "hi" in producer.attrs:
            return None
        weight = producer.attrs["weight"].astype(np.float64)
        columns = scale.reshape((-1,) + (1,) * (weight.ndim - 1))
        folded = producer.with_attrs(
            weight=(weight * columns).astype(np.float32),
            bias=(producer.attrs["bias"].astype(np.float64) * scale + shift).astype(np.float32),
        )
        clamp = {name: node.attrs[name] for name in ("lo", "hi") if name in node.attrs}
        return replace(folded, attrs={**folded.attrs, **clamp}, layer=node.layer)

    return graph.rewrite(rule)


def scale_and_shift(node: Node) -> tuple[Node, np.ndarray, np.ndarray] | None:
    """The node's other operand with float64 scale and shift per channel (last axis), where it has that
    form.
    """
    channels = node.type.shape[-1] if node.type.shape else 1
    if node.op == "batchnorm":
        attrs = node.attrs
        return node.inputs[0], attrs["scale"].astype(np.float64), attrs["shift"].astype(np.float64)
    if node.op not in ("add", "mul") or node.type.dtype != "f32":
        return None
    for constant, other in (node.inputs, node.inputs[::-1]):
        shape = constant.type.shape
        per_channel = constant.op == "constant" and math.prod(shape[:-1]) == 1
        if not per_channel or other.type.shape != node.type.shape:
            continue
        values = np.broadcast_to(constant.attrs["value"].reshape(-1), channels).astype(np.float64)
        if node.op == "mul":
            return other, values, np.zeros(channels)
        return other, np.ones(channels), values
    return None
