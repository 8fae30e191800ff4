"""The C kernels: signatures against the op table, results against the oracle, many nets in one library."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import reference
from feature_sets import ALL_KERNELS, BUILDS, NATIVE, PORTABLE, FeatureSet, feature_set
from graphs import (
    Pick,
    floats,
    integers,
    lowered,
    mixed_arrays,
    one_of,
    planned,
    random_arrays,
    random_clamp,
    random_constant,
    random_conv2d,
    random_dense,
    random_graph,
    random_input,
    random_movement,
    random_pool,
    random_quant,
    random_rounding,
    relu,
    same_values,
    seeded,
    single,
    tensor,
    weights,
)
from native import COMPILERS, FLAGS, build_library, check_call, compiler, need, run_library, write_plans
from plain_graphs import folds, plain_nodes, products, random_plain_graph, zips

from s2c import oracle
from s2c.build import build
from s2c.emit.c_family import emit_source, paste_sources
from s2c.emit.c_header import emit_header
from s2c.emit.project import emit_net_header
from s2c.image import analyse
from s2c.inputs import adversarial_inputs
from s2c.ir import Graph, Node, Quant, Type
from s2c.kernel import Kernel, list_kernels
from s2c.ops import OPS, make
from s2c.ops.cast import STEPS
from s2c.ops.core import LEAVES, ROUNDINGS
from s2c.ops.functions import FUNCTIONS
from s2c.ops.integer import quantize_multiplier
from s2c.ops.reduction import FOLDS
from s2c.ops.softmax import RESULT
from s2c.ops.zips import ZIPS
from s2c.passes.use_bf16 import use_bf16
from s2c.plan import Plan
from s2c.process import Process
from s2c.resources import folder
from s2c.steps import choose_kernels, dtype_key
from s2c.target import load_target

Build = Callable[[Pick, str], Node]

# Nets for each kernel: a builder of one layer or chain, by what it is about.


def image(pick: Pick, dtype: str, most: int = 7) -> Node:
    return random_input(pick, "x", (pick(1, 3), pick(1, 6), pick(1, 7), pick(1, most)), dtype)


def conv2d(pick: Pick, dtype: str) -> Node:
    return random_conv2d(pick, image(pick, dtype, 9), "c")


def dense(pick: Pick, dtype: str) -> Node:
    return random_dense(pick, random_input(pick, "x", (pick(1, 5), pick(1, 30)), dtype), "d")


def row(pick: Pick, dtype: str) -> Node:
    """A matmul of a single row, in groups."""
    groups, columns, depth = pick(1, 4), pick(1, 11), pick(1, 9)
    source = random_input(pick, "x", (1, groups * depth), dtype)
    attrs = {"weight": floats(pick, groups, columns, depth), "bias": floats(pick, groups * columns)}
    quant = None
    if dtype == "i8":
        quant = random_quant(pick)
        factor, shift = quantize_multiplier(0.9 / (depth * 2.0 ** pick(-1, 7)))
        attrs = {
            "weight": integers(pick, groups, columns, depth),
            "bias": np.arange(groups * columns, dtype=np.int32) * 100 - 300,
            "multiplier": np.full(groups * columns, factor, np.int32),
            "shift": np.full(groups * columns, shift, np.int8),
        }
    return Node("matmul", (source,), attrs, Type((1, groups * columns), dtype, quant), "row")


def residual(pick: Pick, dtype: str) -> Node:
    """A convolution and an addition: the fused kernels, in place on the addend where that is possible."""
    while True:
        inner = random_conv2d(pick, image(pick, dtype), "c")
        if inner.type.size < 3000:
            break
    addend = random_input(pick, "addend", inner.type.shape, dtype)
    operand = relu(addend, "r") if pick(0, 1) else addend
    quant = random_quant(pick) if dtype == "i8" else None
    attrs = random_clamp(pick, quant) | random_rounding(pick, quant)
    return make("add", (inner, operand), "a", quant, **attrs)


def dense_residual(pick: Pick, dtype: str) -> Node:
    inner = dense(pick, dtype)
    addend = relu(random_input(pick, "addend", inner.type.shape, dtype), "r")
    quant = random_quant(pick) if dtype == "i8" else None
    return make("add", (inner, addend), "a", quant, **random_rounding(pick, quant))


def binary(op: str) -> Build:
    def build(pick: Pick, dtype: str) -> Node:
        a = image(pick, dtype)
        quant = random_quant(pick) if dtype == "i8" else None
        shapes = [a.type.shape, (1,), a.type.shape[-1:], (*a.type.shape[:-1], 1), (a.type.shape[0], 1, 1, 1)]
        shape = shapes[pick(0, len(shapes) - 1)]
        b = random_input(pick, "y", shape, dtype) if pick(0, 2) else random_constant(pick, a.type, "k")
        if pick(0, 4) == 0:
            b = a
        attrs = random_clamp(pick, quant) | (random_rounding(pick, quant) if op == "add" else {})
        return make(op, (a, b) if pick(0, 1) else (b, a), op, quant, **attrs)

    return build


def pool(pick: Pick, dtype: str) -> Node:
    return random_pool(pick, image(pick, dtype), "p")


def movement(pick: Pick, dtype: str) -> Node:
    return random_movement(pick, random_movement(pick, image(pick, dtype), "m"), "n")


def concat(pick: Pick, dtype: str) -> Node:
    a, axis = image(pick, dtype), pick(0, 3)
    shape = tuple(pick(1, 3) if at == axis else each for at, each in enumerate(a.type.shape))
    b = tensor("y", *shape, quant=a.type.quant)
    return make("concat", (relu(a, "r"), b, a, relu(b, "s")), "c", axis=axis)


def clamp(pick: Pick, dtype: str) -> Node:
    x = image(pick, dtype)
    return make("relu", (x,), "r", x.type.quant, **random_clamp(pick, x.type.quant))


def softmax(pick: Pick, dtype: str) -> Node:
    x = random_input(pick, "x", (pick(1, 4), pick(1, 40)), dtype)
    return make("softmax", (x,), "s", RESULT if dtype == "i8" else None, beta=pick(1, 4) / 2)


def function(pick: Pick, dtype: str) -> Node:
    quant = random_quant(pick) if dtype == "i8" else None
    return unary(one_of(pick, sorted(FUNCTIONS)), image(pick, dtype), quant)


def unary(name: str, source: Node, quant: Quant | None = None) -> Node:
    return make("unary", (source,), name, quant, function=name)


def conversion(pick: Pick, dtype: str) -> Node:
    x = image(pick, dtype)
    if dtype == "i8":
        return make("dequantize", (x,), "d")
    return make("quantize", (x,), "q", random_quant(pick), ties=one_of(pick, ("even", "away")))


def lone_window(pick: Pick, dtype: str) -> Node:
    """A window whose patches are an output: no chain takes it in."""
    return next(node for node in lowered_nodes(conv_of_padded(pick, dtype)) if node.op == "window")


def lone_max(pick: Pick, dtype: str) -> Node:
    x = image(pick, dtype)
    shape = (*x.type.shape[:-1], 1)
    return Node("max", (x,), {"size": x.type.shape[-1]}, Type(shape, dtype, x.type.quant), "m")


def conv_of_padded(pick: Pick, dtype: str) -> Node:
    while True:
        node = random_conv2d(pick, image(pick, dtype), "c")
        if any(each.op == "window" for each in lowered_nodes(node)):
            return node


def lowered_nodes(node: Node) -> list[Node]:
    return lowered(single(node)).nodes()


# How many nets of each are made for a library.
BUILDERS: Mapping[str, tuple[Build, int]] = {
    "conv2d": (conv2d, 30),
    "residual": (residual, 14),
    "dense": (dense, 8),
    "dense_residual": (dense_residual, 4),
    "row": (row, 8),
    "pool": (pool, 20),
    "add": (binary("add"), 10),
    "mul": (binary("mul"), 10),
    "movement": (movement, 12),
    "concat": (concat, 5),
    "relu": (clamp, 4),
    "softmax": (softmax, 5),
    "function": (function, 6),
    "conversion": (conversion, 5),
    "window": (lone_window, 5),
    "max": (lone_max, 3),
}
GROUP = 12


def joined(nodes: Sequence[Node]) -> Graph:
    """One net with several layers beside each other, each with inputs of its own."""
    inputs = tuple(each for node in nodes for each in Graph((), (node,)).nodes() if each.op == "input")
    return Graph(inputs, tuple(nodes))


def cases(dtype: str) -> dict[str, Graph]:
    """Nets of about GROUP layers, so that a compiler is not kept busy with headers, and deep random ones.

    dtype: "plain" for all but int8 and what computes floats.
    """
    if dtype == "plain":
        deep = {f"plain_deep_{seed}": random_plain_graph(seeded(seed), 14) for seed in range(25)}
        return grouped(plain_nodes(), dtype, GROUP) | deep
    nodes = [
        build(seeded(1000 * index + seed), dtype)
        for index, (build, count) in enumerate(BUILDERS.values())
        for seed in range(count)
    ]
    deep = {f"{dtype}_deep_{seed}": random_graph(seeded(seed), dtype, 16) for seed in range(12)}
    return grouped(nodes, dtype, GROUP) | deep | directed(dtype)


def grouped(nodes: Sequence[Node], name: str, size: int) -> dict[str, Graph]:
    groups = [nodes[start : start + size] for start in range(0, len(nodes), size)]
    return {f"{name}_{index}": joined(group) for index, group in enumerate(groups)}


def directed(dtype: str) -> dict[str, Graph]:
    if dtype == "f32":
        pick = seeded(5)
        return {
            "f32_functions": joined([unary(name, tensor("x", 3, 7)) for name in sorted(FUNCTIONS)]),
            "f32_folds": joined(folds(pick, dtype)),
            "f32_products": joined(products(pick, dtype)),
            "f32_wide_products": joined(
                [stacks(*each, transpose) for each in STACKS for transpose in (False, True)]
            ),
            "f32_zips": joined(zips(pick, dtype)),
            "f32_wide": joined(wide_layers(seeded(6), dtype)),
        }
    return {
        "i8_wide": joined(wide_layers(seeded(6), dtype)),
        "i8_tails": joined([tails(columns, depth) for columns in (1, 15, 17, 33) for depth in range(1, 10)]),
        "i8_depthwise": joined([depthwise(seeded(index), *each) for index, each in enumerate(DEPTHWISE)]),
        "i8_sums_near_2_31": joined(
            [large_sums(shift, bias) for shift in (-31, -9, -1, 0) for bias in (1, -1)]
        ),
        "i8_left_shifts": joined([left_shifts(headroom) for headroom in (0, 1)]),
        "i8_sums_once": joined([sum_once(*each) for each in SCALES_OF_SUMS]),
        "i8_poolings": joined([pooling(channels) for channels in (1, 3, 16, 31, 64, 67, 131)]),
        "i8_tables": joined([table_of_floats(size) for size in (1, 15, 16, 67)]),
        "i8_means": joined([mean(count, pads) for count in (1, 2, 5) for pads in (0, 1)]),
        "i8_softmax": joined([rows_of(size) for size in (1, 2, 3, 10, 127, 255, 256, 300)]),
    }


# Of an image [batch, height, width, channels]: columns, kernel, stride, dilation, pads, groups. Several tiles
# and panels with and without a rest, lines along either axis, and what Winograd's filtering applies to.
WIDE: Sequence[tuple[tuple[int, ...], int, tuple[int, int], int, int, tuple[int, ...], int]] = (
    ((1, 9, 11, 17), 33, (3, 3), 1, 1, (1, 1, 1, 1), 1),
    ((2, 8, 8, 16), 16, (3, 3), 1, 1, (0, 2, 1, 1), 1),
    ((1, 16, 21, 32), 80, (3, 3), 1, 1, (1, 1, 1, 1), 1),
    ((1, 9, 11, 8), 8, (3, 3), 1, 1, (1, 1, 1, 1), 1),
    ((1, 8, 12, 8), 8, (3, 3), 1, 1, (1, 1, 1, 1), 1),
    ((1, 12, 12, 8), 20, (3, 3), 1, 1, (1, 1, 1, 1), 1),
    ((1, 12, 12, 24), 8, (3, 3), 1, 1, (1, 1, 1, 1), 1),
    ((1, 9, 9, 16), 24, (3, 3), 2, 1, (1, 1, 1, 1), 1),
    ((1, 9, 9, 18), 24, (3, 3), 1, 2, (2, 2, 2, 2), 1),
    ((1, 29, 1, 10), 20, (3, 1), 1, 4, (8, 0, 0, 0), 1),
    ((1, 1, 31, 3), 130, (1, 5), 2, 1, (0, 0, 2, 2), 1),
    ((1, 5, 1, 16), 16, (1, 1), 40, 1, (0, 0, 39, 0), 1),
    ((1, 5, 1, 32), 32, (1, 1), 4, 1, (0, 0, 3, 0), 32),
    ((1, 1, 33, 6), 20, (1, 3), 1, 4, (0, 0, 8, 0), 1),
    ((1, 6, 6, 36), 40, (3, 3), 1, 1, (1, 1, 1, 1), 2),
    ((1, 12, 20, 3), 17, (7, 7), 2, 1, (3, 3, 3, 3), 1),
    ((1, 5, 7, 48), 48, (3, 3), 1, 1, (1, 1, 1, 1), 48),
    ((2, 6, 5, 35), 35, (3, 3), 2, 1, (0, 1, 0, 1), 35),
)


def wide_layers(pick: Pick, dtype: str) -> list[Node]:
    """Convolutions, each with and without an addend, and rows of matmuls."""
    nodes = []
    for shape, columns, kernel, stride, dilation, pads, groups in WIDE:
        source = random_input(pick, "x", shape, dtype)
        attrs, quant = weights(pick, source, columns, *kernel, shape[-1] // groups)
        attrs |= {"stride": (stride,) * 2, "dilation": (dilation,) * 2, "groups": groups}
        attrs |= {"pads": (pads[:2], pads[2:])} | random_clamp(pick, quant) | random_rounding(pick, quant)
        inner = make("conv2d", (source,), "c", quant, **attrs)
        addend = relu(random_input(pick, "addend", inner.type.shape, dtype), "r")
        both = make(
            "add", (inner, addend), "a", quant, **random_clamp(pick, quant) | random_rounding(pick, quant)
        )
        nodes += [make("conv2d", (source,), "c", quant, **attrs), both]
    for rows, depth, columns in ((1, 70, 133), (5, 33, 16), (17, 1, 65), (30, 129, 31), (23, 512, 40)):
        x = random_input(pick, "x", (rows, depth), dtype)
        attrs, quant = weights(pick, x, columns, depth)
        nodes.append(make("dense", (x,), "d", quant, **attrs, **random_clamp(pick, quant)))
    return nodes


STACKS = ((1, 8, 1, 16), (3, 15, 2, 17), (2, 40, 33, 31), (1, 30, 65, 100), (2, 17, 64, 48))


def stacks(batch: int, rows: int, depth: int, columns: int, transpose: bool) -> Node:
    """Products of several tiles and panels, with and without a rest."""
    a = tensor("a", batch, rows, depth)
    b = tensor("b", batch, *((columns, depth) if transpose else (depth, columns)))
    return make("batch_matmul", (a, b), "m", transpose=transpose)


def core_matmul(weight: np.ndarray, bias: np.ndarray, factors: np.ndarray, shifts: np.ndarray) -> Node:
    groups, columns, depth = weight.shape
    x = tensor("x", 3, groups * depth, quant=Quant((1.0,), 0))
    attrs = {"weight": weight, "bias": bias, "multiplier": factors, "shift": shifts}
    return Node("matmul", (x,), attrs, Type((3, groups * columns), "i8", Quant((1.0,), -1)), "m")


def large_sums(shift: int, sign: int) -> Node:
    """Accumulators within 2**14 of the ends of int32: no headroom."""
    weight = np.arange(-5, 5, dtype=np.int8).reshape(1, 5, 2)
    bias = np.full(5, sign * ((1 << 31) - 2000), np.int32)
    factors = np.array([1 << 30, (1 << 31) - 1, 1 << 30, 3 << 29, 1], np.int32)
    shifts = np.array([shift, -31, -25, min(shift, -20), 0], np.int8)
    return core_matmul(weight, bias, factors, shifts)


def left_shifts(headroom: int) -> Node:
    """Shifts of all signs in one layer; sums times 2**shift up to just below 2**31 or 2**30."""
    weight = np.full((1, 6, 4), 1, np.int8)
    most = 21 - headroom
    shifts = np.array([most, 1, 0, -1, 7, -24], np.int8)
    factors = np.array([1 << 30, (1 << 31) - 1, (1 << 30) + 1, 1 << 30, 1 << 30, 1 << 30], np.int32)
    return core_matmul(weight, np.array([0, 9, -9, 5, 1, 511], np.int32), factors, shifts)


def tails(columns: int, depth: int) -> Node:
    """Panels and dot products that are not full; weights at both ends of int8, shifts of all signs."""
    weight = np.where(np.indices((2, columns, depth)).sum(0) % 3 == 0, 127, -128).astype(np.int8)
    outputs = np.arange(2 * columns)
    shifts = np.array([-9, 0, 3, -31])[outputs % 4].astype(np.int8)
    factors = np.array([(1 << 31) - 1, 1 << 30, 3 << 29])[outputs % 3].astype(np.int32)
    return core_matmul(weight, (outputs * 1000 - 7000).astype(np.int32), factors, shifts)


# Images [height, width, channels], kernel, stride, dilation, pads: blocks of several pixels and parts of one,
# rows of more than four taps, windows over a single column.
DEPTHWISE: Sequence[tuple[tuple[int, int, int], tuple[int, int], int, int, tuple[int, ...]]] = (
    ((11, 9, 8), (3, 3), 1, 1, (1, 1, 1, 1)),
    ((12, 10, 16), (3, 3), 2, 1, (0, 1, 0, 1)),
    ((6, 6, 15), (3, 3), 1, 1, (1, 1, 1, 1)),
    ((7, 5, 24), (5, 5), 1, 1, (2, 2, 2, 2)),
    ((7, 9, 33), (3, 3), 2, 2, (2, 2, 2, 2)),
    ((6, 6, 60), (3, 3), 2, 1, (1, 1, 1, 1)),
    ((7, 3, 64), (3, 3), 3, 1, (1, 1, 1, 1)),
    ((6, 4, 106), (3, 3), 1, 1, (1, 1, 1, 1)),
    ((9, 3, 130), (2, 3), 1, 2, (2, 0, 2, 2)),
    ((30, 1, 40), (3, 1), 1, 1, (0, 0, 0, 0)),
    ((28, 1, 65), (15, 1), 2, 1, (7, 7, 0, 0)),
    ((5, 1, 7), (3, 1), 1, 1, (1, 1, 1, 1)),
    ((1, 31, 10), (1, 9), 2, 2, (0, 0, 8, 8)),
)


def depthwise(
    pick: Pick,
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: int,
    dilation: int,
    pads: tuple[int, ...],
) -> Node:
    channels = shape[-1]
    source = random_input(pick, "x", (2, *shape), "i8")
    attrs, quant = weights(pick, source, channels, *kernel, 1)
    attrs |= {"stride": (stride,) * 2, "dilation": (dilation,) * 2, "groups": channels}
    attrs |= {"pads": (pads[:2], pads[2:])} | random_clamp(pick, quant) | random_rounding(pick, quant)
    return make("conv2d", (source,), "c", quant, **attrs)


# Of operands a and b, where the result's is 1: sums in 32 bits, the highest multiplier and the largest shift
# that they hold, and what lies beyond.
SCALES_OF_SUMS: Sequence[tuple[float, float]] = (
    (1.0, 1.0),
    (0.7, 0.0021),
    (0.0021, 0.7),
    (3.1, 2.9),
    (0.99998, 0.5),
    (0.9999999, 0.5),
    (0.5, 0.9999999),
    (2.0**-17, 2.0**-17),
    (2.0**-18, 2.0**-19),
    (1e5, 9e4),
)


def sum_once(a: float, b: float) -> Node:
    """An addition that rounds once, the operands at the ends of their ranges."""
    source = tensor("x", 5, 19, quant=Quant((a,), -128))
    other = tensor("y", 5, 19, quant=Quant((b,), 127))
    least = max(a, b) * 2.0**-20
    return make("add", (source, other), "a", Quant((max(1.0, least),), 3), rounding="once")


def pooling(channels: int) -> Node:
    """The largest of 3x3 pixels; windows at the edges lie partly in padding."""
    geometry = {"kernel": (3, 3), "stride": (2, 1), "dilation": (1, 2), "pads": ((1, 1), (2, 1))}
    source = tensor("x", 2, 6, 7, channels, quant=Quant((0.1,), 4))
    return make("max_pool", (source,), "p", Quant((0.1,), 4), **geometry)


def table_of_floats(size: int) -> Node:
    """That is no multiple of the distance to a zero point, but nearly."""
    table = (np.arange(-128, 128, dtype=np.float32) - 7) * np.float32(0.3)
    table[size] += 1
    return Node(
        "map", (tensor("x", size, quant=Quant((0.1,), 4)),), {"table": table}, Type((size,), "f32"), "m"
    )


def mean(count: int, pads: int) -> Node:
    """Means over several positions, those at the border of fewer values."""
    x = tensor("x", 2, 5, 5, 3, quant=Quant((0.3,), -77))
    geometry = {
        "kernel": (count, count),
        "stride": (1, 2),
        "dilation": (1, 1),
        "pads": ((pads, 0), (0, pads)),
    }
    if count <= pads:
        geometry["pads"] = ((0, 0), (0, 0))
    return make("average_pool", (x,), "m", Quant((0.21,), 55), **geometry, count_pads=False, mean=True)


def rows_of(size: int) -> Node:
    x = tensor("x", 6, size, quant=Quant((0.7 / (size % 5 + 1),), 3))
    return make("softmax", (x,), "s", RESULT, beta=1.0)


# signatures


def chains_of_samples() -> Iterator[tuple[str, tuple[Node, ...]]]:
    """For each kernel that a net above uses: its name and the chain of ops that it was called for."""
    for dtype in ("i8", "f32", "plain"):
        for name, graph in cases(dtype).items():
            core = lowered(graph)
            for features in () if "deep" in name else ALL_KERNELS:
                graphs = [core, rounded(core)] if "bf16" in features.features else [core]
                for step in (step for graph in graphs for step in choose_kernels(graph, features.kernels)):
                    yield step.kernel.name, step.nodes


def rounded(core: Graph) -> Graph:
    """With every contraction in bfloat16 that has a kernel for it."""
    return use_bf16(core, takes_bf16)


def takes_bf16(node: Node) -> bool:
    """The weights of a window in an even number of channels, and stacks of so many rows that it pays."""
    if node.op == "batch_matmul":
        return OPS[node.op].params(node)["rows"] >= 8
    window = node.inputs[0]
    if window.op != "window" or window.type.dtype != "f32":
        return True
    return window.inputs[0].type.shape[-1] // window.attrs["groups"] % 2 == 0 and window.attrs["value"] == 0


def expected_arguments(nodes: Sequence[Node], kernel: Kernel) -> tuple[int, list[str]]:
    """How many inputs a chain reads, and the names behind: scratch, consts, params, tile, units, in order."""
    inputs = len(nodes[0].inputs) + sum(len(node.inputs) - 1 for node in nodes[1:])
    consts = [name for node in nodes for name in OPS[node.op].consts(node)]
    params = [name for node in nodes for name in OPS[node.op].params(node)]
    assert len(set(params)) == len(params), (
        f"two ops of {[node.op for node in nodes]} share a parameter's name"
    )
    scratch = ["scratch"] if kernel.scratch else []
    tile = ["tile_rows", "tile_columns"] if kernel.tile else []
    return inputs, [*scratch, *consts, *params, *tile, *(["first", "last"] if kernel.split else [])]


@pytest.mark.build
def test_signatures_are_those_of_the_op_table() -> None:
    kernels = {kernel.name: kernel for kernel in list_kernels("c")}
    samples = dict(chains_of_samples())
    for name, kernel in kernels.items():
        assert name in samples, f"no net here uses {name}"
        inputs, rest = expected_arguments(samples[name], kernel)
        names = [each.name for each in kernel.arguments]
        assert names[0] == "output" and names[1 + inputs :] == rest, name
        pointers = [each.name for each in kernel.arguments if each.pointer]
        assert pointers == names[: len(pointers)], f"{name}: pointers come first"
        assert set(kernel.in_place) <= set(pointers[1 : 1 + inputs]), name


BOTH = ("f32", "i8")
# The keys of each core op's kernels, under every stem that it can have.
KEYS: Mapping[str, set[str]] = {
    **{op: {f"{op}_{dtype}" for dtype in BOTH} for op in ("matmul", "window", "relu", "max")},
    **{op: {f"{op}_{dtype}" for dtype in (*BOTH, "i32", "i64")} for op in ("add", "mul")},
    **{op: {f"{op}_{dtype}" for dtype in (*BOTH, "i16", "i32", "i64")} for op in ("gather", "insert")},
    **{op: {f"{op}_any"} for op in ("select", "take", "lookup")},
    "map": {f"{name}_f32" for name in FUNCTIONS}
    | {f"{name}_f32_i8" for name in ROUNDINGS}
    | {"map_i8", "map_i8_f32"},
    "zip": {
        f"{name}_{dtype}" + "_bool" * (row.compares and dtype != "bool")
        for name, row in ZIPS.items()
        for dtype in row.dtypes
    },
    "convert": {f"convert_{source}_{step}" for source, steps in STEPS.items() for step in steps},
    "fold": {f"fold_{name}_{dtype}" for name in FOLDS for dtype in ("f32", "i32", "i64")},
    "batch_matmul": {"batch_matmul_f32", "batch_matmul_bf16_f32", "batch_matmul_i32"},
    "rescale": {"rescale_i32", "rescale_i32_i8", "rescale_i32_i16", "rescale_i64_i16"},
    "recenter": {"recenter_i8_u8", "recenter_u8_i8"},
}


def test_every_core_op_has_kernels() -> None:
    assert set(KEYS) == {name for name, op in OPS.items() if op.lower is None and name not in LEAVES}
    assert set().union(*KEYS.values()) <= {kernel.key for kernel in list_kernels("c")}


def test_kernels_of_several_dtypes_differ_in_the_type_alone() -> None:
    """The plain movement kernels: what a fix in one forgets in the other."""
    found = {
        kernel.key: words_of(kernel.path.read_text())
        for kernel in list_kernels("c")
        if "." not in kernel.name
    }
    for stem in ("gather", "insert"):
        assert all(
            found[f"{stem}_{dtype}"] == found[f"{stem}_f32"] for dtype in ("i8", "i16", "i32", "i64")
        ), stem
    assert found["window_i8"] == found["window_f32"]
    for op in ("add", "mul", "zip", "fold"):
        for key in KEYS[op]:
            if "_i32" in key:
                assert found[key] == found[key.replace("_i32", "_i64")], key


def words_of(text: str) -> list[str]:
    body = text[text.index("*/") :]
    body = re.sub(
        r"\bu?(float|int(8|16|32|64)_t)\b", "T", re.sub(r"_(f32|i8|i16|i32|i64|32|64)(?![a-z])", "", body)
    )
    return re.sub(r"\(T\)", "", body).split()


def test_comments_say_why_the_cost_is_constant() -> None:
    for kernel in list_kernels("c"):
        text = kernel.path.read_text(encoding="utf-8")
        assert text.startswith("/* ") and "Constant: " in text[: text.index("*/")], kernel.name


# results


def inputs_of(graph: Graph, dtype: str) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    """Plain nets do nothing with floats that depends on an order, and get floats of every kind."""
    for seed in range(3):
        yield f"seed {seed}", (mixed_arrays if dtype == "plain" else random_arrays)(graph, seed)
    for name, arrays in adversarial_inputs(graph).items():
        if dtype != "f32" or name in ("zeros", "negative zero"):
            yield name, arrays


def differences(graph: Graph, wanted: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> list[str]:
    return [
        f"output {index} {node.op} {node.type}: {int((a != b).sum())} of {a.size} differ"
        for index, (node, a, b) in enumerate(zip(graph.outputs, wanted, found, strict=True))
        if not same_values([a], [b])
    ]


@pytest.mark.build
@pytest.mark.parametrize("dtype", ["i8", "f32", "plain"])
@pytest.mark.parametrize("name", sorted(COMPILERS))
def test_nets_equal_the_oracle(name: str, dtype: str, tmp_path: Path) -> None:
    assert wrong_results(name, dtype, PORTABLE, tmp_path) == []


@pytest.mark.build
@pytest.mark.parametrize("dtype", ["i8", "f32"])
@pytest.mark.parametrize(("features", "name"), BUILDS)
def test_nets_equal_the_oracle_with_features(features: str, name: str, dtype: str, tmp_path: Path) -> None:
    assert wrong_results(name, dtype, feature_set(features), tmp_path) == []


@pytest.mark.build
@pytest.mark.parametrize("name", sorted(COMPILERS))
def test_nets_in_bfloat16_equal_the_oracle(name: str, tmp_path: Path) -> None:
    if "bf16" not in NATIVE.features:
        pytest.skip("this processor lacks AVX512-BF16")
    graphs = {each: rounded(lowered(graph)) for each, graph in cases("f32").items() if "deep" not in each}
    assert wrong_graphs(name, "f32", NATIVE, tmp_path, graphs) == []


def wrong_results(name: str, dtype: str, features: FeatureSet, place: Path) -> list[str]:
    return wrong_graphs(name, dtype, features, place, cases(dtype))


def wrong_graphs(
    name: str, dtype: str, features: FeatureSet, place: Path, graphs: Mapping[str, Graph]
) -> list[str]:
    plans = {each: planned(graph, features) for each, graph in graphs.items()}
    library = build_library([*compiler(name), *features.flags_for(name)], place, plans)
    wrong = []
    for each, graph in graphs.items():
        for what, arrays in inputs_of(graph, dtype):
            found = run_library(library, each, plans[each], arrays)
            wrong += [
                f"{each}, {what}: {text}" for text in differences(graph, oracle.run(graph, *arrays), found)
            ]
    return wrong


@pytest.mark.build
def test_errors_of_long_sums_do_not_add_up(tmp_path: Path) -> None:
    """Equal values, which round the same way every time; and next to an infinity no NaN appears."""
    attrs = {"function": "sum", "outer": 1, "size": 70001}
    sums = [
        make("fold", (tensor("x", 1, 70001, inner),), "f", **attrs, inner=inner, shape=(inner,))
        for inner in (1, 9)
    ]
    plans = {f"sum_{index}": planned(single(node)) for index, node in enumerate(sums)}
    library = build_library(compiler("zig"), tmp_path, plans)
    for name, plan in plans.items():
        shape = plan.graph.inputs[0].type.shape
        for value in (0.1, 1e6 / 3):
            x = np.full(shape, value, np.float32)
            found = run_library(library, name, plan, (x,))
            assert same_values(oracle.run(plan.graph, x), found, 3e-7), name
        x[0, 40000] = np.inf
        assert np.isposinf(run_library(library, name, plan, (x,))[0]).all()


SCALE = """#include <stdint.h>
#include "lib/requantize.h"
#define ARGUMENTS \\
    int32_t *output, const int32_t *x, const int32_t *multiplier, const int8_t *shift, int32_t size
#define CALL(name, least, most, headroom) \\
    void name(ARGUMENTS); \\
    void name(ARGUMENTS) { \\
        for (int32_t i = 0; i < size; i++) { \\
            output[i] = s2c_scale(x[i], multiplier[i], shift[i], least, most, headroom); \\
        } \\
    }
CALL(mixed_0, -1, 1, 0)
CALL(mixed_1, -1, 1, 1)
CALL(right_0, -1, -1, 0)
CALL(right_1, -1, -1, 1)
CALL(down_0, -1, 0, 0)
CALL(down_1, -1, 0, 1)
CALL(none_0, 0, 0, 0)
CALL(none_1, 0, 0, 1)
CALL(left_0, 1, 1, 0)
CALL(left_1, 1, 1, 1)
CALL(up_0, 0, 1, 0)
CALL(up_1, 0, 1, 1)
"""
SHIFTS = {
    "mixed": (-31, 20),
    "right": (-31, -1),
    "down": (-31, 0),
    "none": (0, 0),
    "left": (1, 20),
    "up": (0, 20),
}


def scale_values(
    least: int, most: int, headroom: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x next to the limit that the proof allows, next to ties, and anywhere."""
    source = np.random.default_rng(most - least)
    shift = source.integers(least, most, count, endpoint=True).astype(np.int8)
    factor = np.where(source.random(count) < 0.3, 1 << 30, source.integers(1 << 30, 1 << 31, count)).astype(
        np.int32
    )
    factor[::17] = (1 << 31) - 1
    limit = np.int64((1 << (31 - headroom)) - 1) >> np.maximum(shift.astype(np.int64), 0)
    near = np.sign(source.normal(size=count)) * (limit - source.integers(0, 3, count))
    ties = source.integers(-400, 400, count) << np.maximum(
        -shift.astype(np.int64) - source.integers(0, 3, count), 0
    )
    anywhere = (source.random(count) * 2 - 1) * limit
    x = np.choose(source.integers(0, 3, count), [near, ties, anywhere])
    return np.clip(x, -limit, limit).astype(np.int32), factor, shift


@pytest.mark.build
@pytest.mark.parametrize("name", sorted(COMPILERS))
def test_scale_is_that_of_tflite(name: str, tmp_path: Path) -> None:
    """s2c_scale with every combination of literals, where no result is so large that int32 cannot hold it."""
    source, path = tmp_path / "scale.c", tmp_path / "scale.so"
    source.write_text(SCALE)
    kernels = folder("kernels") / "c"
    check_call([*compiler(name), *FLAGS, "-shared", "-fPIC", f"-I{kernels}", str(source), "-o", str(path)])
    library = ctypes.CDLL(str(path))
    for call, (least, most) in SHIFTS.items():
        for headroom in (0, 1):
            x, factor, shift = scale_values(least, most, headroom, 3000)
            found = np.empty_like(x)
            arrays = [ctypes.c_void_p(each.ctypes.data) for each in (found, x, factor, shift)]
            library[f"{call}_{headroom}"](*arrays, len(x))
            for each in zip(x.tolist(), factor.tolist(), shift.tolist(), found.tolist(), strict=True):
                assert reference.multiply_by_quantized_multiplier(*each[:3]) == each[3], (
                    call,
                    headroom,
                    each,
                )


# memory


DRIVER_HEAD = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"


def driver(plans: Mapping[str, Plan], data: Mapping[str, Sequence[np.ndarray]]) -> str:
    """A main that runs each net on an arena of exactly its size from malloc: stdin to stdout."""
    lines = [DRIVER_HEAD, *(f'#include "{name}.h"' for name in plans), "int main(void) {"]
    for name, plan in plans.items():
        lines.append(f"  {{ unsigned char *arena = malloc({name.upper()}_ARENA_BYTES);")
        lines.append("    if (arena == NULL) { return 2; }")
        for index, node in enumerate(plan.graph.inputs):
            lines.append(
                f"    if (fread({name}_input_{index}(arena), {node.type.bytes}, 1, stdin) != 1) return 1;"
            )
        lines.append(f"    {name}_run(arena);")
        for index, node in enumerate(plan.graph.outputs):
            lines.append(f"    fwrite({name}_output_{index}(arena), 1, {node.type.bytes}, stdout);")
        lines.append("    free(arena); }")
    return "\n".join([*lines, "  return 0;", "}", ""])


# -g1 leaves variables out, and checks are called, not pasted: as much is checked in half of gcc's time.
SANITIZE = (
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1", "-O1"),
    *("--param", "asan-instrumentation-with-call-threshold=0"),
)


@pytest.mark.build
@pytest.mark.parametrize(
    ("dtype", "features"),
    [("i8", PORTABLE), ("f32", PORTABLE), ("plain", PORTABLE), ("i8", NATIVE), ("f32", NATIVE)],
)
def test_sanitizers_find_nothing(dtype: str, features: FeatureSet, tmp_path: Path) -> None:
    """Under gcc, all nets in one executable."""
    gcc = need("gcc")
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if subprocess.run(
        [gcc, *SANITIZE, str(probe), "-o", str(tmp_path / "probe")], capture_output=True
    ).returncode:
        pytest.skip("gcc has no libasan or libubsan")
    graphs = cases(dtype)
    plans = {name: planned(graph, features) for name, graph in graphs.items()}
    data = {name: next(inputs_of(graph, dtype))[1] for name, graph in graphs.items()}
    main = tmp_path / "main.c"
    main.write_text(driver(plans, data))
    sources = write_plans(tmp_path, plans)
    check_call([gcc, *SANITIZE, *FLAGS, *features.flags, str(main), *sources, "-o", str(tmp_path / "all")])
    stdin = b"".join(array.tobytes() for arrays in data.values() for array in arrays)
    done = subprocess.run([str(tmp_path / "all")], input=stdin, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    at = 0
    for name, graph in graphs.items():
        for node, wanted in zip(graph.outputs, oracle.run(graph, *data[name]), strict=True):
            raw = done.stdout[at : at + node.type.bytes]
            found = np.frombuffer(raw, node.type.numpy).reshape(node.type.shape)
            assert same_values([wanted], [found]), (name, node.layer)
            at += node.type.bytes
    assert at == len(done.stdout)


# the emulated target


def on_device(dtype: str) -> dict[str, Graph]:
    """Nets with a layer of each kind."""
    if dtype == "plain":
        one_each = {f"{OPS[node.op].stem(node)}_{dtype_key(node)}": node for node in plain_nodes()}
        return grouped(list(one_each.values()), dtype, 50)
    kinds = (
        "conv2d",
        "residual",
        "dense",
        "row",
        "pool",
        "add",
        "mul",
        "movement",
        "concat",
        "softmax",
        "function",
    )
    nodes = [
        BUILDERS[kind][0](seeded(77 + at), dtype) for at, kind in enumerate((*kinds, "conversion", "relu"))
    ]
    return {dtype: joined(nodes)}


@pytest.mark.build
@pytest.mark.parametrize("dtype", ["i8", "f32", "plain"])
def test_cortex_m4_equals_the_oracle_in_constant_instructions(dtype: str, tmp_path: Path) -> None:
    for name, graph in on_device(dtype).items():
        (tmp_path / name).mkdir()
        check_on_device(graph, dtype, tmp_path / name)


def check_on_device(graph: Graph, dtype: str, place: Path) -> None:
    target = load_target("cortex-m4")
    plan = planned(graph)
    (place / "one.c").write_text(emit_source(plan, "one", "one", "c"))
    (place / "one.h").write_text(emit_header(plan, "one", "one"))
    build_folder = place / "build"
    build_folder.mkdir()
    for header in ("net.h", "s2c_net.h"):
        (build_folder / header).write_text(emit_net_header(plan, "one"))
    image = build(target, place, "one", build_folder)
    assert image.warnings == ""
    counts = set()
    with Process.start(target, image) as process:
        for name, arrays in on_device_inputs(graph, dtype):
            size = sum(node.type.bytes for node in graph.outputs)
            raw, counters = process.run(b"".join(each.tobytes() for each in arrays), size)
            counts.add(counters["instructions"])
            if dtype != "f32" or name in ("random", "zeros"):
                assert differences(graph, oracle.run(graph, *arrays), unpack(graph, raw)) == [], name
    assert len(counts) == 1, sorted(counts)
    facts = analyse(image.path, image.object, "one_run", target.arch)
    assert (facts.undefined_symbols, facts.outside, facts.variable_latency) == ((), (), ())


def on_device_inputs(graph: Graph, dtype: str) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    yield "random", random_arrays(graph, 3)
    yield from adversarial_inputs(graph).items()
    for seed in range(4 if dtype == "plain" else 0):
        yield f"mixed {seed}", mixed_arrays(graph, seed)


def unpack(graph: Graph, raw: bytes) -> list[np.ndarray]:
    found, at = [], 0
    for node in graph.outputs:
        found.append(np.frombuffer(raw[at : at + node.type.bytes], node.type.numpy).reshape(node.type.shape))
        at += node.type.bytes
    return found


@pytest.mark.build
@pytest.mark.parametrize(("features", "name"), BUILDS)
def test_all_kernels_live_in_one_file(features: str, name: str, tmp_path: Path) -> None:
    """Any net may use any of them together: no name stands for two things."""
    found = feature_set(features)
    usable = sorted(
        {each for kernels in found.kernels.values() for each in kernels}, key=lambda each: each.name
    )
    source = tmp_path / "all.c"
    source.write_text("#include <stdint.h>\n" + "\n".join(paste_sources(folder("kernels") / "c", [], usable)))
    check_call(
        [*compiler(name), *FLAGS, *found.flags_for(name), "-c", str(source), "-o", str(tmp_path / "all.o")]
    )
