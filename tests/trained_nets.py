"""Small nets with weights of a fixed seed, to train and to measure, and images for them."""

from __future__ import annotations

import numpy as np
from graphs import GEOMETRY, relu, single, tensor

from s2c.ir import Graph, Node
from s2c.ops import make

CLASSES = 3


def dense(x: Node, outputs: int, source: np.random.Generator, layer: str) -> Node:
    width = x.type.shape[-1]
    weight = (source.normal(size=(outputs, width)) / width**0.5).astype(np.float32)
    bias = source.normal(size=outputs).astype(np.float32) / 4
    return make("dense", (x,), layer, weight=weight, bias=bias)


def classifier(seed: int, scale: float = 1.0) -> Graph:
    """f32[1,6,6,2] in parts of scale, to the shares of CLASSES: a convolution, a pool, a dense layer."""
    source = np.random.default_rng(seed)
    x = tensor("x", 1, 6, 6, 2)
    weight = (source.normal(size=(8, 3, 3, 2)) / scale / 4).astype(np.float32)
    bias = source.normal(size=8).astype(np.float32) / 4
    y = make("conv2d", (x,), "c", weight=weight, bias=bias, groups=1, lo=0.0, **GEOMETRY)
    flat = make("reshape", (y,), "f", shape=(1, y.type.size))
    return single(make("softmax", (dense(flat, CLASSES, source, "d"),), "s", beta=2.0), x)


def detector(seed: int) -> Graph:
    """f32[1,6,6,2] to the share of the second of two classes: a sigmoid of one number."""
    source = np.random.default_rng(seed)
    x = tensor("x", 1, 6, 6, 2)
    flat = make("reshape", (x,), "f", shape=(1, x.type.size))
    logit = dense(relu(dense(flat, 12, source, "a"), "r"), 1, source, "b")
    share = make("unary", (logit,), "sigmoid", function="sigmoid")
    return single(make("reshape", (share,), "s", shape=(1,)), x)


def perceptron(seed: int, outputs: int = 4) -> Graph:
    source = np.random.default_rng(seed)
    x = tensor("x", 1, 4)
    return single(dense(relu(dense(x, 12, source, "a"), "r"), outputs, source, "b"), x)


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 6, 6, 2)).astype(np.float32)
