"""The kernels of vectors beside the contractions, on shapes about their tiles' and vectors' sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from feature_sets import BUILDS, NATIVE, feature_set
from graphs import floats, planned, random_arrays, same_values, seeded, single, tensor
from native import build_library, compiler, run_library

from s2c import oracle
from s2c.ir import Graph, Node, Quant
from s2c.ops import make

pytestmark = pytest.mark.build

SHAPES = ((1,), (15,), (3, 16), (2, 17, 5), (4, 1, 33), (2, 3, 64))
TRANSPOSES: Sequence[tuple[tuple[int, ...], tuple[int, ...]]] = (
    ((16, 64), (1, 0)),
    ((7, 13), (1, 0)),
    ((4, 3), (1, 0)),
    ((2, 5, 6, 7), (0, 2, 3, 1)),
    ((2, 9, 8, 3), (0, 3, 1, 2)),
    ((3, 4, 5), (2, 1, 0)),
    ((2, 6, 4, 5), (0, 2, 1, 3)),
)
# Of an image [batch, height, width, channels]: kernel, stride, dilation, pads.
DEPTHWISE: Sequence[tuple[tuple[int, ...], tuple[int, int], int, int, tuple[int, ...]]] = (
    ((1, 9, 5, 64), (3, 3), 1, 1, (1, 1, 1, 1)),
    ((2, 7, 23, 16), (3, 3), 1, 1, (1, 1, 1, 1)),
    ((1, 8, 12, 24), (3, 3), 2, 1, (0, 1, 0, 1)),
    ((1, 6, 9, 33), (5, 5), 1, 1, (2, 2, 2, 2)),
    ((1, 7, 7, 5), (3, 3), 1, 2, (2, 2, 2, 2)),
    ((2, 31, 1, 40), (5, 1), 1, 1, (4, 0, 0, 0)),
    ((1, 31, 1, 17), (5, 1), 2, 2, (3, 3, 0, 0)),
    ((1, 5, 3, 8), (5, 3), 1, 1, (0, 0, 0, 0)),
    ((1, 2, 2, 20), (3, 3), 1, 1, (3, 2, 2, 3)),
)
# Of a line [batch, 1, width, channels]: columns, taps, dilation, pads.
LINES: Sequence[tuple[tuple[int, ...], int, int, int, tuple[int, int]]] = (
    ((1, 1, 64, 16), 32, 3, 16, (32, 0)),
    ((2, 1, 37, 5), 33, 3, 7, (14, 0)),
    ((1, 1, 20, 3), 80, 3, 1, (1, 1)),
    ((1, 1, 9, 4), 16, 3, 5, (8, 7)),
    ((1, 1, 3, 2), 7, 2, 1, (1, 1)),
    ((1, 1, 6, 2), 5, 3, 9, (14, 13)),
)


def conv(
    x: Node, columns: int, kernel: tuple[int, int], stride: int, dilation: int, pads: Sequence[int]
) -> Node:
    groups = columns if columns == x.type.shape[-1] else 1
    depth = x.type.shape[-1] // groups
    return make(
        "conv2d",
        (x,),
        "c",
        weight=floats(seeded(columns), columns, *kernel, depth),
        bias=floats(seeded(1), columns),
        groups=groups,
        stride=(stride,) * 2,
        dilation=(dilation,) * 2,
        pads=(tuple(pads[:2]), tuple(pads[2:])),
        lo=-3.0,
    )


def depthwise_layers() -> list[Node]:
    """Each with and without an addend."""
    nodes = []
    for shape, kernel, stride, dilation, pads in DEPTHWISE:
        for is_sum in (False, True):
            node = conv(tensor("x", *shape), shape[-1], kernel, stride, dilation, pads)
            addend = tensor("addend", *node.type.shape)
            nodes.append(make("add", (node, addend), "a", hi=2.0) if is_sum else node)
    return nodes


def line_layers() -> list[Node]:
    return [
        conv(tensor("x", *shape), columns, (1, taps), 1, dilation, (0, 0, *pads))
        for shape, columns, taps, dilation, pads in LINES
    ]


def movements() -> list[Node]:
    nodes = [make("transpose", (tensor("x", *shape),), "t", perm=perm) for shape, perm in TRANSPOSES]
    lines = tensor("x", 4, 9), make("transpose", (tensor("y", 11, 4),), "t", perm=(1, 0))
    return [*nodes, make("concat", lines, "c", axis=1)]


def movements_of_bytes() -> list[Node]:
    shapes = (*TRANSPOSES, ((33, 50), (1, 0)), ((2, 16, 47), (0, 2, 1)), ((3, 32, 2, 17), (0, 3, 2, 1)))
    return [
        make("transpose", (tensor("x", *shape, quant=Quant((0.5,), 3)),), "t", perm=perm)
        for shape, perm in shapes
    ]


def elementwise() -> list[Node]:
    nodes = []
    for op in ("add", "mul"):
        for shape in SHAPES:
            for operand in (shape, (1,), shape[-1:], (*shape[:-1], 1)):
                pair = tensor("x", *shape), tensor("y", *operand)
                nodes.append(make(op, pair, "z", lo=-1.5))
    return nodes


NETS = {
    "depthwise": (depthwise_layers, "vector_depthwise"),
    "line": (line_layers, "vector_line"),
    "movements": (movements, "vector"),
    "movements_of_bytes": (movements_of_bytes, "vector"),
    "elementwise": (elementwise, "vector"),
}


def net(nodes: Sequence[Node]) -> Graph:
    inputs = tuple(each for node in nodes for each in Graph((), (node,)).nodes() if each.op == "input")
    return Graph(inputs, tuple(nodes))


@pytest.mark.parametrize(("features", "name"), BUILDS)
def test_wide_layers_equal_the_oracle(features: str, name: str, tmp_path: Path) -> None:
    found = feature_set(features)
    graphs = {each: net(nodes()) for each, (nodes, _) in NETS.items()}
    plans = {each: planned(graph, found) for each, graph in graphs.items()}
    for each, (_, variant) in NETS.items():
        assert {call.kernel.name.partition(".")[2] for call in plans[each].calls} == {variant}, each
    library = build_library([*compiler(name), *found.flags_for(name)], tmp_path, plans)
    for each, graph in graphs.items():
        arrays = random_arrays(graph, 3)
        wanted = oracle.run(graph, *arrays)
        values = run_library(library, each, plans[each], arrays)
        wrong = [
            str(node.type)
            for node, a, b in zip(graph.outputs, wanted, values, strict=True)
            if not same_values([a], [b])
        ]
        assert wrong == [], each


@pytest.mark.parametrize("inner", [1, 9, 40])
def test_errors_of_long_sums_do_not_add_up(inner: int, tmp_path: Path) -> None:
    """Equal values, which round the same way every time; and next to an infinity no NaN appears."""
    attrs = {"function": "sum", "outer": 1, "size": 70001, "inner": inner, "shape": (inner,)}
    plan = planned(single(make("fold", (tensor("x", 1, 70001, inner),), "f", **attrs)), NATIVE)
    assert [call.kernel.name for call in plan.calls] == ["fold_sum_f32.vector"]
    command = [*compiler("zig"), *NATIVE.flags_for("zig")]
    library = build_library(command, tmp_path, {"sum": plan})
    for value in (0.1, 1e6 / 3):
        x = np.full((1, 70001, inner), value, np.float32)
        found = run_library(library, "sum", plan, (x,))
        assert same_values(oracle.run(plan.graph, x), found, 3e-7), value
    x[0, 40000] = np.inf
    assert np.isposinf(run_library(library, "sum", plan, (x,))[0]).all()
