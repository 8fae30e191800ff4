"""Which axes of an input are height and width: channels first or last, and however the net begins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from graphs import relu, single, tensor
from trained_nets import dense

from s2c.ir import Graph, Node, constant
from s2c.ops import make
from s2c.passes.cancel_transposes import cancel_transposes
from s2c.train.images import image_axes, is_image_net

FIRST, LAST = (2, 3), (1, 2)
PATCH = {"kernel": (2, 2), "stride": (2, 2), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}


def pooled(x: Node) -> Node:
    return make("average_pool", (x,), "pool", **PATCH, count_pads=False, mean=False)


def planar(x: Node) -> Node:
    """As a reader puts a pooling of channels first."""
    return pooled(make("transpose", (x,), "pool", perm=(0, 2, 3, 1)))


def scaled(x: Node) -> Node:
    means = constant(np.zeros((1, x.type.shape[1], 1, 1), np.float32), "means")
    return make("sub", (x, means), "scaled")


def framed(x: Node) -> Node:
    return make("pad", (x,), "framed", pads=((0, 0), (0, 0), (1, 1), (1, 1)), value=0.0)


def averaged(x: Node) -> Node:
    return make("reduce", (x,), "mean", function="mean", axes=(1, 2), keepdims=False)


def row(x: Node) -> Node:
    return make("reshape", (x,), "row", shape=(1, x.type.size))


@pytest.mark.parametrize(
    ("shape", "layers", "axes"),
    [
        ((1, 8, 6, 3), pooled, LAST),
        ((1, 4, 4, 16), pooled, LAST),
        ((1, 2, 2, 2), pooled, LAST),
        ((1, 3, 8, 6), planar, FIRST),
        ((1, 16, 4, 4), planar, FIRST),
        ((1, 1, 8, 6), planar, FIRST),
        ((1, 3, 8, 6), lambda x: planar(scaled(x)), FIRST),
        ((1, 1, 8, 6), lambda x: planar(framed(relu(x, "relu"))), FIRST),
        ((1, 8, 6, 3), row, LAST),
        ((1, 3, 8, 6), row, FIRST),
        ((1, 1, 8, 6), row, FIRST),
        ((1, 7, 7, 64), row, LAST),
        ((1, 7, 7, 64), averaged, LAST),
        ((1, 3, 8, 6), lambda x: averaged(make("transpose", (x,), "t", perm=(0, 2, 3, 1))), FIRST),
        ((1, 8, 6, 16), lambda x: pooled(dense(x, 4, np.random.default_rng(0), "dense")), LAST),
        ((1, 6, 4), row, None),
        ((2, 8, 6, 3), pooled, None),
        ((1, 8, 6, 3), lambda x: pooled(make("reshape", (x,), "mixed", shape=(1, 12, 12, 1))), LAST),
    ],
)
def test_height_and_width(
    shape: tuple[int, ...], layers: Callable[[Node], Node], axes: tuple[int, int] | None
) -> None:
    """Also where a transpose of one channel has become a reshape, or has moved behind other layers."""
    x = tensor("x", *shape)
    net = single(layers(x), x)
    assert image_axes(net, x) == axes and is_image_net(net) == (axes is not None)
    rewritten = cancel_transposes(net)
    assert image_axes(rewritten, rewritten.inputs[0]) == axes


def test_each_input_has_its_own() -> None:
    one, other = tensor("x", 1, 3, 8, 6), tensor("y", 1, 8, 6, 3)
    net = Graph((one, other), (planar(one), pooled(other)))
    assert [image_axes(net, node) for node in net.inputs] == [FIRST, LAST]
    assert not is_image_net(net)
