"""TORCH: each op as torch computes it, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import (
    floats,
    lowered,
    mixed_arrays,
    random_arrays,
    random_graph,
    same_values,
    seeded,
    single,
    tensor,
)

pytest.importorskip("torch")

from modules import QUANTIZED, SAMPLES, TOLERANCE, check, is_quantized, outputs_of, with_inputs
from plain_graphs import plain_nodes, random_plain_graph
from test_kernels import BUILDERS, directed

from s2c.ir import Graph, Node, constant
from s2c.ops import OPS, make
from s2c.ops.functions import FUNCTIONS
from s2c.ops.zips import ARITHMETIC, ZIPS
from s2c.train.elementwise import BINARY, UNARY
from s2c.train.functions import TORCH
from s2c.train.module import GraphModule


def test_every_float_op_has_a_function() -> None:
    assert set(TORCH) | {"input", "constant", "state"} | set(QUANTIZED) == set(OPS)
    assert set(UNARY) == set(FUNCTIONS)
    assert set(BINARY) == {*ZIPS, *ARITHMETIC}


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "conversion"])
def test_float_ops(name: str) -> None:
    build, count = BUILDERS[name]
    for seed in range(min(count, 8)):
        node = build(seeded(seed), "f32")
        graph = with_inputs(node)
        check(graph, [random_arrays(graph, each) for each in range(SAMPLES)])
        check(lowered(graph, lambda node: node.op == "average_pool"), [random_arrays(graph)])


@pytest.mark.parametrize("name", directed("f32"))
def test_float_functions(name: str) -> None:
    graph = directed("f32")[name]
    check(graph, [random_arrays(graph, each) for each in range(SAMPLES)])


SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -1.0, 1.0, 30, -30, 1e30, -1e30, 3e38],
    np.float32,
)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_of_special_floats(name: str) -> None:
    x = tensor("x", len(SPECIAL))
    check(single(make("unary", (x,), "l", function=name)), [(SPECIAL,)])


@pytest.mark.parametrize(
    "name", ["add", "mul", "sub", "div", *(n for n in sorted(ZIPS) if "f32" in ZIPS[n].dtypes)]
)
def test_pairs_of_special_floats(name: str) -> None:
    x, y = tensor("x", len(SPECIAL), 1), tensor("y", 1, len(SPECIAL))
    op, attrs = ("zip", {"function": name}) if name in ZIPS else (name, {})
    graph = Graph((x, y), (make(op, (x, y), "l", **attrs),))
    check(graph, [(SPECIAL[:, None], SPECIAL[None])])


def test_plain_ops() -> None:
    """Integers to the bit, and floats of every kind where they only move or are cast."""
    for seed, node in enumerate(plain_nodes()):
        graph = with_inputs(node)
        if not is_quantized(graph):
            check(graph, [mixed_arrays(graph, seed + each) for each in range(SAMPLES)])


@pytest.mark.parametrize("seed", range(40))
def test_plain_nets(seed: int) -> None:
    graph = random_plain_graph(seeded(seed), 14)
    check(graph, [random_arrays(graph, each) for each in range(SAMPLES)])


@pytest.mark.parametrize("seed", range(30))
def test_float_nets(seed: int) -> None:
    graph = random_graph(seeded(seed), "f32", 14)
    check(graph, [random_arrays(graph, each) for each in range(SAMPLES)], TOLERANCE)


def source_ops() -> dict[str, Node]:
    x, y = tensor("x", 2, 5, 4), tensor("y", 5, 1)
    pick = seeded(3)
    return {
        "sub": make("sub", (y, x), "l"),
        "div": make("div", (x, y), "l"),
        "huge": make("div", (x, constant(np.array([3e38, -2e38, 1, 2], np.float32), "k")), "l"),
        "prelu": make("prelu", (x,), "l", alpha=floats(pick, 5, 1)),
        "leaky_relu": make("leaky_relu", (x,), "l", alpha=0.3),
        "batchnorm": make("batchnorm", (x,), "l", scale=floats(pick, 4), shift=floats(pick, 4)),
        "binary": make("binary", (x, y), "l", function="maximum"),
        "where": make("where", (make("binary", (x, y), "c", function="less"), x, y), "l"),
        "all axes": make("reduce", (x,), "l", function="sum", axes=(0, 1, 2), keepdims=False),
        "no axes": make("reduce", (x,), "l", function="sum", axes=(), keepdims=True),
        "mean": make("reduce", (x,), "l", function="mean", axes=(0, 2), keepdims=False),
        "prod": make("reduce", (x,), "l", function="prod", axes=(1, 2), keepdims=True),
        "backwards": make("slice", (x,), "l", starts=(1, 4, 0), steps=(-1, -2, 3), shape=(2, 2, 2)),
        "pad": make("pad", (x,), "l", pads=((0, 1), (2, 0), (0, 0)), value=-np.inf),
        "expand": make("expand", (y,), "l", shape=(2, 5, 3)),
        "tile": make("tile", (x,), "l", repeats=(2, 1, 3)),
        "gather": make("gather_constant", (x,), "l", axis=1, index=np.array([[4, 0], [1, 1]])),
        "table": make("lookup", (make("cast", (x,), "c", dtype="i32"),), "l", table=floats(pick, 3, 2)),
    }


@pytest.mark.parametrize("name", source_ops())
def test_source_ops(name: str) -> None:
    node = source_ops()[name]
    graph = with_inputs(node)
    check(graph, [random_arrays(graph, each) for each in range(SAMPLES)])


@pytest.mark.parametrize("name", ["reshape", "fold", "gather", "take", "concat", "insert", "matmul"])
def test_a_constant_has_one_sample(name: str) -> None:
    x, k = tensor("x", 2, 6), constant(floats(seeded(1), 2, 6), "k")
    parts = {"outer": 2, "size": 6, "inner": 1, "shape": (2, 1), "function": "max"}
    rows = {"outer": 1, "source": 2, "inner": 6, "index": np.array([1, -1]), "shape": (2, 6), "value": 0.0}
    made = {
        "reshape": lambda: make("reshape", (k,), "l", shape=(2, 6)),
        "fold": lambda: make("fold", (k,), "l", **parts),
        "gather": lambda: lowered(single(make("transpose", (k,), "l", perm=(1, 0)), x)).outputs[0],
        "take": lambda: make("take", (k,), "l", **rows),
        "concat": lambda: make("concat", (k, x), "l", axis=1),
        "insert": lambda: lowered(single(make("concat", (k, x), "l", axis=1), x)).outputs[0],
        "matmul": lambda: make(
            "batch_matmul",
            tuple(make("reshape", (each,), "r", shape=(1, 2, 6)) for each in (k, x)),
            "l",
            transpose=True,
        ),
    }
    node = made[name]()
    if node.type.shape == (6, 2):
        node = make("transpose", (node,), "b", perm=(1, 0))
    mixed = make("add", (node, x), "s") if node.type.shape in ((2, 6), (2, 1)) else node
    graph = with_inputs(mixed)
    check(graph, [random_arrays(graph, each) for each in range(SAMPLES)])


@pytest.mark.parametrize("op", ["conv2d", "average_pool"])
@pytest.mark.parametrize("height", [8, 10])
def test_one_column_of_one_channel(op: str, height: int) -> None:
    """What torch takes for channels-last, and then reads other rows than the image's."""
    x = tensor("x", 1, height, 3, 1)
    attrs = {"stride": (1, 2), "dilation": (1, 1), "pads": ((2, 2), (0, 0))}
    if op == "conv2d":
        pick = seeded(height)
        weights = {"weight": floats(pick, 3, 4, 3, 1), "bias": floats(pick, 3)}
        node = make(op, (x,), "l", **attrs, **weights, groups=1)
    else:
        node = make(op, (x,), "l", **attrs, kernel=(4, 3), count_pads=True, mean=False)
    graph = single(node, x)
    check(graph, [random_arrays(graph, each) for each in range(SAMPLES)])


@pytest.mark.parametrize("seed", range(20))
def test_padding_never_changes(seed: int) -> None:
    """Asymmetric pads, strides and dilation: what is outside of the image counts as zero, and only that."""
    pick = seeded(seed)
    channels = pick(1, 4)
    x = tensor("x", 1, pick(3, 8), pick(3, 8), channels)
    attrs = {
        "weight": floats(pick, 2 * channels, 3, 2, channels if seed % 2 else 1),
        "bias": floats(pick, 2 * channels),
        "stride": (pick(1, 3), pick(1, 3)),
        "dilation": (pick(1, 2), pick(1, 3)),
        "pads": ((pick(0, 3), pick(1, 4)), (pick(2, 5), pick(0, 2))),
        "groups": 1 if seed % 2 else channels,
    }
    graph = single(make("conv2d", (x,), "c", **attrs))
    samples = [random_arrays(graph, each) for each in range(SAMPLES)]
    check(graph, samples)
    module = GraphModule(graph).eval()
    padded = make("pad", (x,), "p", pads=((0, 0), *attrs["pads"], (0, 0)), value=0.0)
    other = GraphModule(single(make("conv2d", (padded,), "c", **attrs | {"pads": ((0, 0), (0, 0))}), x))
    for a, b in zip(outputs_of(module, samples), outputs_of(other, samples), strict=True):
        assert same_values(a, b, 1e-6)
