"""Attention of queries over keys and values, and the rotation of positions into them."""

from __future__ import annotations

import math

import numpy as np

from s2c.ir import Node, constant
from s2c.layers.basic import add, concat, equal, mul, narrow, reduce, reshape, stack, sub, where
from s2c.ops import make


def attention(
    q: Node,
    k: Node,
    v: Node,
    mask: Node | None,
    causal: bool,
    scale: float | None,
    layer: str,
    hidden: float | None = None,
) -> Node:
    """softmax(q k^T * scale + mask) v.

    q [..., heads, queries, depth], k [..., heads', keys, depth], v [..., heads', keys, depth']; heads is a
    multiple of heads', of which each serves as many neighbours. mask broadcasts to [..., heads, queries,
    keys]: added, or where bool, whether a key is seen. causal: query i sees keys up to i. scale: 1 /
    sqrt(depth) by default. hidden: what a query that sees no key gives; None: NaN, as the formula has it."""
    *outer, queries, depth = q.type.shape
    keys = k.type.shape[-2]
    factor = 1 / math.sqrt(depth) if scale is None else scale
    stacks = math.prod(k.type.shape[:-2])
    rows = reshape(mul(q, factor, layer), (stacks, -1, depth), layer)
    scores = make("batch_matmul", (rows, reshape(k, (stacks, keys, depth), layer)), layer, transpose=True)
    scores = reshape(scores, (*outer, queries, keys), layer)
    if causal:
        seen = constant(np.tril(np.ones((queries, keys), np.bool_)), layer)
        scores = where(seen, scores, -math.inf, layer)
    if mask is not None:
        hides = mask.type.dtype == "bool"
        scores = where(mask, scores, -math.inf, layer) if hides else add(scores, mask, layer)
    softmax = make("softmax", (scores,), layer, beta=1.0)
    if hidden is not None and (causal or mask is not None):
        most = reduce("max", scores, (len(scores.type.shape) - 1,), layer)
        softmax = where(equal(most, -math.inf, layer), hidden, softmax, layer)
    shares = reshape(softmax, (stacks, -1, keys), layer)
    y = make("batch_matmul", (shares, reshape(v, (stacks, keys, -1), layer)), layer, transpose=False)
    return reshape(y, (*outer, queries, v.type.shape[-1]), layer)


def rotary(x: Node, cos: Node, sin: Node, interleaved: bool, layer: str) -> Node:
    """Pairs of the last axis of x turned by angles (Su 2021), of which cos and sin hold half as many and
    broadcast otherwise. A pair is two neighbours, or an element of each half; what is left over stays."""
    half = cos.type.shape[-1]
    last = len(x.type.shape) - 1
    rest = x.type.shape[last] - 2 * half
    step, second = (2, 1) if interleaved else (1, half)
    a = narrow(x, last, 0, half, layer, step)
    b = narrow(x, last, second, half, layer, step)
    real = sub(mul(a, cos, layer), mul(b, sin, layer), layer)
    imaginary = add(mul(a, sin, layer), mul(b, cos, layer), layer)
    if interleaved:
        turned = stack((real, imaginary), last + 1, layer)
        turned = reshape(turned, (*x.type.shape[:last], 2 * half), layer)
    else:
        turned = concat((real, imaginary), last, layer)
    return concat((turned, narrow(x, last, 2 * half, rest, layer)), last, layer) if rest else turned
