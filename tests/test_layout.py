"""cancel_transposes and fuse_qdq: the same values after as before, and what is left of the movement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c import oracle
from s2c.ir import Graph, Node, Quant, Type, constant, input_node
from s2c.ops import make
from s2c.ops.integer import quantize_multiplier, scale_once
from s2c.passes.cancel_transposes import cancel_transposes
from s2c.passes.fuse_qdq import fuse_qdq

QUANT = Quant((0.05,), -3)


def transpose(node: Node, *perm: int) -> Node:
    return make("transpose", (node,), "t", perm=perm)


def count(graph: Graph, op: str) -> int:
    return [node.op for node in graph.nodes()].count(op)


def values(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).uniform(-3, 3, shape).astype(np.float32)


def cancelled(output: Node, source: Node) -> Graph:
    """The Graph after the pass, whose outputs are the same to the bit."""
    graph = Graph((source,), (output,))
    result = cancel_transposes(graph)
    x = values(source.type.shape)
    assert np.array_equal(oracle.run(graph, x)[0], oracle.run(result, x)[0]), f"{graph}\n{result}"
    return result


IMAGE = (2, 4, 5, 3)
TO_NCHW = (0, 3, 1, 2)
TO_NHWC = (0, 2, 3, 1)


def nchw(source: Node) -> Node:
    return transpose(source, *TO_NCHW)


BETWEEN: dict[str, Callable[[Node], Node]] = {
    "relu": lambda x: make("relu", (x,), "l", lo=0.0),
    "unary": lambda x: make("unary", (x,), "l", function="tanh"),
    "leaky_relu": lambda x: make("leaky_relu", (x,), "l", alpha=0.1),
    "prelu": lambda x: make("prelu", (x,), "l", alpha=values((3, 1, 1))),
    "quantize": lambda x: make("dequantize", (make("quantize", (x,), "l", QUANT),), "l"),
    "cast": lambda x: make("cast", (make("cast", (x,), "l", dtype="i32"),), "l", dtype="f32"),
    "binary": lambda x: make("binary", (x, constant(values((3, 1, 1)), "c")), "l", function="maximum"),
    "where": lambda x: make(
        "where",
        (
            make("binary", (x, constant(values((3, 1, 1)), "c")), "l", function="less"),
            x,
            constant(values((1,)), "d"),
        ),
        "l",
    ),
    "reduce": lambda x: make(
        "expand",
        (make("reduce", (x,), "l", function="max", axes=(2, 3), keepdims=True),),
        "l",
        shape=x.type.shape,
    ),
    "gather": lambda x: make("gather_constant", (x,), "l", axis=1, index=np.array([2, 0, 1])),
    "tile": lambda x: make(
        "slice",
        (make("tile", (x,), "l", repeats=(1, 2, 1, 2)),),
        "l",
        starts=(0, 0, 0, 0),
        steps=(1, 1, 1, 1),
        shape=x.type.shape,
    ),
    "add itself": lambda x: make("add", (x, make("relu", (x,), "l", lo=0.0)), "l"),
    "add scalar": lambda x: make("add", (x, constant(values((1,)), "c")), "l"),
    "add channels": lambda x: make("add", (x, constant(values((3, 1, 1)), "c")), "l"),
    "mul rows": lambda x: make("mul", (constant(values((1, 1, 4, 1)), "c"), x), "l"),
    "sub all": lambda x: make("sub", (x, constant(values((2, 3, 4, 5)), "c")), "l"),
    "div computed channels": lambda x: make("div", (x, make("slice", (x,), "s", **FIRST)), "l"),
    "concat": lambda x: make("concat", (x, constant(values((2, 2, 4, 5)), "c"), x), "l", axis=1),
    "pad": lambda x: make("pad", (x,), "l", pads=((0, 0), (1, 0), (2, 3), (0, 4)), value=0.5),
    "slice": lambda x: make("slice", (x,), "l", starts=(0, 2, 1, 4), steps=(1, -1, 2, 1), shape=(2, 2, 2, 1)),
    "expand": lambda x: make("expand", (make("slice", (x,), "s", **FIRST),), "l", shape=(2, 3, 6, 7)),
    "unit axes": lambda x: make("reshape", (x,), "l", shape=(2, 1, 3, 4, 1, 5)),
}
FIRST = {"starts": (0, 0, 0, 0), "steps": (1, 1, 1, 1), "shape": (2, 3, 1, 1)}


@pytest.mark.parametrize("op", BETWEEN)
def test_transposes_cancel_around(op: str) -> None:
    source = input_node("x", Type(IMAGE, "f32"))
    middle = BETWEEN[op](nchw(source))
    back = TO_NHWC if len(middle.type.shape) == 4 else (0, 1, 3, 4, 5, 2)
    assert count(cancelled(transpose(middle, *back), source), "transpose") == 0


def test_transpose_of_unit_axes_is_a_reshape() -> None:
    source = input_node("x", Type((1, 4, 5, 1), "f32"))
    assert [each.op for each in cancelled(nchw(source), source).nodes()] == ["input", "reshape"]


def test_softmax_over_channels_keeps_its_axis() -> None:
    source = input_node("x", Type(IMAGE, "f32"))
    last = transpose(nchw(source), *TO_NHWC)
    assert count(cancelled(make("softmax", (last,), "l", beta=1.0), source), "transpose") == 0
    assert count(cancelled(make("softmax", (nchw(source),), "l", beta=1.0), source), "transpose") == 1


def test_equal_transposes_are_one() -> None:
    source = input_node("x", Type(IMAGE, "f32"))
    a, b = (make("softmax", (nchw(source),), "l", beta=beta) for beta in (1.0, 2.0))
    assert count(cancelled(make("add", (a, b), "l"), source), "transpose") == 1


def test_flattening_before_dense_permutes_the_weights() -> None:
    source = input_node("x", Type(IMAGE, "f32"))
    flat = make("reshape", (nchw(source),), "f", shape=(2, 60))
    dense = make("dense", (flat,), "d", weight=values((7, 60)), bias=values((7,)))
    graph = Graph((source,), (dense,))
    result = cancel_transposes(graph)
    assert count(result, "transpose") == 0
    x = values(IMAGE)
    np.testing.assert_allclose(oracle.run(result, x)[0], oracle.run(graph, x)[0], rtol=1e-6, atol=1e-5)


@pytest.mark.build
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_random_movement_is_equal_to_the_bit(data: st.DataObject) -> None:
    """Graphs of random transposes, reshapes and ops on up to four live tensors."""
    shape = tuple(data.draw(st.lists(st.integers(1, 3), min_size=3, max_size=4)))
    source = input_node("x", Type(shape, "f32"))
    live = [source]
    for _ in range(data.draw(st.integers(1, 10))):
        node = data.draw(st.sampled_from(live))
        rank = len(node.type.shape)
        kind = data.draw(
            st.sampled_from(["transpose", "transpose", "relu", "binary", "constant", "concat", "reshape"])
        )
        if kind == "transpose":
            live.append(transpose(node, *data.draw(st.permutations(range(rank)))))
        elif kind == "relu":
            live.append(make("relu", (node,), "l", lo=0.0))
        elif kind == "binary":
            others = [each for each in live if each.type.shape == node.type.shape]
            live.append(make("mul", (node, data.draw(st.sampled_from(others))), "l"))
        elif kind == "constant":
            own = tuple(data.draw(st.sampled_from([1, extent])) for extent in node.type.shape)
            live.append(make("add", (node, constant(values(own), "c")), "l"))
        elif kind == "concat" and node.type.size < 1000:
            live.append(make("concat", (node, node), "l", axis=data.draw(st.integers(0, rank - 1))))
        elif kind == "reshape" and rank < 5:
            at = data.draw(st.integers(0, rank))
            live.append(
                make("reshape", (node,), "l", shape=(*node.type.shape[:at], 1, *node.type.shape[at:]))
            )
    cancelled(live[-1], source)


# fuse_qdq


def dequantized(source: Node, quant: Quant = QUANT) -> Node:
    return make("dequantize", (make("quantize", (source,), "q", quant),), "d")


def fused(output: Node, source: Node, steps: int) -> Graph:
    """The Graph after the pass, whose int8 output differs by at most that many steps."""
    graph = Graph((source,), (output,))
    result = fuse_qdq(graph)
    x = values(source.type.shape)
    before, after = (oracle.run(each, x)[0].astype(int) for each in (graph, result))
    assert np.abs(before - after).max() <= steps, f"{graph}\n{result}"
    return result


OUTPUT = Quant((0.07,), 5)
HALVES = np.float32([0.5, 0.25, 0.125])


def convolution(x: Node, **attrs: object) -> Node:
    weight = np.random.default_rng(1).integers(-9, 9, (3, 2, 2, 3)).astype(np.float32) * HALVES.reshape(
        3, 1, 1, 1
    )
    geometry = {"stride": (1, 1), "dilation": (1, 1), "pads": ((1, 0), (0, 1)), "groups": 1}
    return make(
        "conv2d", (x,), "l", weight=weight, bias=values((3,)), weight_scale=HALVES, **geometry, **attrs
    )


WHOLE = {"kernel": (2, 2), "stride": (2, 2), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}
INTEGER_FORMS: dict[str, Callable[[Node], Node]] = {
    "conv2d": convolution,
    "conv2d and relu": lambda x: make("relu", (convolution(x),), "r", lo=0.0, hi=6.0),
    "conv2d, relu, pad and max_pool": lambda x: make(
        "max_pool",
        (
            make(
                "pad",
                (make("relu", (convolution(x),), "r", lo=0.0),),
                "p",
                pads=((0, 0), (1, 1), (1, 0), (0, 0)),
                value=0.0,
            ),
        ),
        "m",
        **WHOLE,
    ),
    "dense": lambda x: make(
        "dense",
        (x,),
        "l",
        weight=np.float32([[1, -2, 3]]),
        bias=np.float32([0.3]),
        weight_scale=np.float32([1]),
    ),
    "add": lambda x: make("add", (x, make("relu", (x,), "r", lo=0.0)), "l"),
    "mul": lambda x: make("mul", (x, x), "l"),
    "sigmoid": lambda x: make("unary", (x,), "l", function="sigmoid"),
    "average": lambda x: make("average_pool", (x,), "l", count_pads=False, mean=True, **WHOLE),
    "movement": lambda x: make("reshape", (transpose(x, 0, 3, 1, 2),), "l", shape=(2, 60)),
    "concat": lambda x: make("concat", (x, make("unary", (x,), "u", function="tanh")), "l", axis=3),
}


@pytest.mark.parametrize("form", INTEGER_FORMS)
def test_integer_form(form: str) -> None:
    """Everything but the first quantize becomes int8."""
    source = input_node("x", Type(IMAGE, "f32"))
    output = make("quantize", (INTEGER_FORMS[form](dequantized(source)),), "q", OUTPUT)
    result = fused(output, source, 1)
    assert [str(node) for node in result.nodes() if node.type.dtype == "f32" and node.op != "input"] == []


def test_unfused_op_stays_float_and_correct() -> None:
    source = input_node("x", Type(IMAGE, "f32"))
    x = dequantized(source)
    output = make("quantize", (make("div", (x, constant(np.float32([3]), "c")), "l"),), "q", OUTPUT)
    assert count(fused(output, source, 0), "div") == 1


def test_weights_that_are_no_longer_integers_stay_float() -> None:
    source = input_node("x", Type(IMAGE, "f32"))
    layer = convolution(dequantized(source))
    scaled = layer.with_attrs(weight=layer.attrs["weight"] * np.float32(1.01))
    result = fused(make("quantize", (scaled,), "q", OUTPUT), source, 0)
    kept = next(node for node in result.nodes() if node.op == "conv2d")
    assert kept.type.dtype == "f32"
    assert "weight_scale" not in kept.attrs


def test_shared_result_is_quantized_once_more() -> None:
    """A clamp does not move past quantize where somebody else reads the unclamped floats."""
    source = input_node("x", Type(IMAGE, "f32"))
    layer = convolution(dequantized(source))
    clamped = make("relu", (layer,), "r", lo=0.0)
    total = make(
        "add",
        (make("quantize", (layer,), "q", OUTPUT), make("quantize", (clamped,), "q", OUTPUT)),
        "l",
        OUTPUT,
    )
    fused(total, source, 2)


def test_rounding_once_is_the_rounded_product() -> None:
    """Integer sums scaled by typical reals, against the real product; a multiplier has 31 bits, so ties
    may go either way.
    """
    sums = np.arange(-100000, 100000, 7)
    for real in (0.4, 0.013, 0.0017, 2.0**-12, 1e-5, 1.7):
        multiplier, shift = quantize_multiplier(real)
        exact = sums * real
        off = np.abs(scale_once(sums, multiplier, shift) - exact) > 0.5 + 1e-4
        assert not off.any(), (real, sums[off][:5])
