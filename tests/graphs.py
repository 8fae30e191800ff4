"""Graphs to try things on: builders of single layers, and random nets of int8 or float layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from feature_sets import PORTABLE, FeatureSet
from hypothesis import strategies as st

from s2c.errors import CompileError
from s2c.inputs import random_array
from s2c.ir import Graph, Node, Quant, Type, constant, input_node
from s2c.ops import OPS, make
from s2c.ops.pooling import pool_counts
from s2c.ops.softmax import RESULT
from s2c.passes import CORE_PASSES
from s2c.passes.lower import lower
from s2c.plan import Plan, make_plan
from s2c.steps import dtype_key

# An integer of lo..hi, both included: from hypothesis, or from a seed.
Pick = Callable[[int, int], int]

KERNELS = PORTABLE.kernels
QUANT = Quant((0.05,), -3)
GEOMETRY = {"stride": (1, 1), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}


def seeded(seed: int) -> Pick:
    source = np.random.default_rng(seed)
    return lambda lo, hi: int(source.integers(lo, hi, endpoint=True))


def drawn(data: st.DataObject) -> Pick:
    return lambda lo, hi: data.draw(st.integers(lo, hi))


def one_of(pick: Pick, choices: Sequence[object]) -> object:
    return choices[pick(0, len(choices) - 1)]


def generator(pick: Pick) -> np.random.Generator:
    return np.random.default_rng(pick(0, 1 << 20))


def floats(pick: Pick, *shape: int) -> np.ndarray:
    return generator(pick).normal(size=shape).astype(np.float32)


def integers(pick: Pick, *shape: int) -> np.ndarray:
    """int8 with its extremes well represented."""
    source = generator(pick)
    wide = source.integers(-190, 190, shape)
    return np.clip(wide, -128, 127).astype(np.int8)


def tensor(name: str, *shape: int, quant: Quant | None = None) -> Node:
    """A graph input: int8 where it has a quantization, else float."""
    return input_node(name, Type(shape, "i8" if quant else "f32", quant))


def random_quant(pick: Pick) -> Quant:
    scale = float(np.float32((1.0 + pick(0, 1000) / 1000) * 2.0 ** -pick(3, 8)))
    zero = (0, -128, 127, pick(-128, 127))[pick(0, 3)]
    return Quant((scale,), zero)


def random_input(pick: Pick, name: str, shape: tuple[int, ...], dtype: str) -> Node:
    """Quantized where it is int8."""
    return input_node(name, Type(shape, dtype, random_quant(pick) if dtype == "i8" else None))


def random_clamp(pick: Pick, quant: Quant | None) -> dict[str, float]:
    """No clamp, a half-open one or 0..6; for integers in steps that lie within reach."""
    top = 6.0 if quant is None else quant.scale[0] * pick(1, 90)
    return ({}, {"lo": 0.0}, {"hi": top}, {"lo": 0.0, "hi": top})[pick(0, 3)]


def random_geometry(pick: Pick, shape: tuple[int, ...], most: int = 3) -> dict[str, object]:
    """kernel, stride, dilation and pads that fit into [batch, height, width, channels]."""
    columns = []
    for size in shape[1:3]:
        kernel, dilation = pick(1, most), pick(1, 2)
        reach = (kernel - 1) * dilation
        pads = (pick(0, reach), pick(0, reach))
        if size + sum(pads) <= reach:
            pads = (reach - reach // 2, reach)
        columns.append((kernel, pick(1, 3), dilation, pads))
    names = ("kernel", "stride", "dilation", "pads")
    return {name: tuple(column[at] for column in columns) for at, name in enumerate(names)}


def int8_result(pick: Pick, source: Node, weight_scale: np.ndarray, depth: int) -> Quant:
    """Such that results spread over int8, or need a left shift (a factor above 1), or are all near zero."""
    steps = 74.0 * 74.0 * math.sqrt(depth) / 60.0
    spread = (1.0, 1.0, 1.0, 4.0, 0.01, 1.0 / (4.0 * steps))[pick(0, 5)]
    product = source.type.quant.scale[0] * float(np.mean(weight_scale))
    return Quant((float(np.float32(product * steps * spread)),), random_quant(pick).zero)


def weights(pick: Pick, source: Node, outputs: int, *rest: int) -> tuple[dict[str, object], Quant | None]:
    """weight, bias and, on int8, weight_scale (one, or one per output); with the result's quantization."""
    depth = math.prod(rest)
    if source.type.dtype == "f32":
        weight = floats(pick, outputs, *rest) / np.float32(math.sqrt(depth))
        return {"weight": weight, "bias": floats(pick, outputs)}, None
    count = outputs if pick(0, 2) else 1
    weight_scale = (generator(pick).uniform(0.3, 3.0, count) * 2.0 ** -pick(5, 8)).astype(np.float32)
    bias = generator(pick).integers(-3000, 3000, outputs).astype(np.int32)
    attrs = {"weight": integers(pick, outputs, *rest), "bias": bias, "weight_scale": weight_scale}
    return attrs, int8_result(pick, source, weight_scale, depth)


def random_rounding(pick: Pick, quant: Quant | None) -> dict[str, str]:
    """As TFLite's int8 ops round, or as quantized ONNX nets do."""
    return {"rounding": "once"} if quant and pick(0, 1) else {}


def random_conv2d(pick: Pick, source: Node, layer: str) -> Node:
    channels = source.type.shape[-1]
    groups = one_of(pick, [each for each in (1, 1, channels, *range(2, channels)) if channels % each == 0])
    columns = 1 if groups == channels and pick(0, 3) else pick(1, 5)
    geometry = random_geometry(pick, source.type.shape)
    attrs, quant = weights(pick, source, groups * columns, *geometry.pop("kernel"), channels // groups)
    attrs |= geometry | {"groups": groups} | random_clamp(pick, quant) | random_rounding(pick, quant)
    return make("conv2d", (source,), layer, quant, **attrs)


def random_dense(pick: Pick, source: Node, layer: str) -> Node:
    attrs, quant = weights(pick, source, pick(1, 9), source.type.shape[-1])
    return make("dense", (source,), layer, quant, **attrs, **random_clamp(pick, quant))


def random_pool(pick: Pick, source: Node, layer: str) -> Node:
    geometry = random_geometry(pick, source.type.shape)
    if pick(0, 1):
        return make("max_pool", (source,), layer, source.type.quant, **geometry)
    mean = bool(pick(0, 1))
    quant = random_quant(pick) if mean and source.type.quant else source.type.quant
    geometry |= {"mean": mean, "count_pads": bool(pick(0, 1)) or not holds_values(source, geometry)}
    geometry |= random_clamp(pick, quant) | random_rounding(pick, quant)
    return make("average_pool", (source,), layer, quant, **geometry)


def holds_values(source: Node, geometry: dict[str, object]) -> bool:
    """Whether each patch of a pool holds a value that is no padding, so that its average is defined."""
    draft = make("max_pool", (source,), "", source.type.quant, **geometry)
    return bool(pool_counts(draft.with_attrs(count_pads=False))[0].min() > 0)


def random_binary(pick: Pick, source: Node, other: Node, layer: str) -> Node:
    operands = (source, other) if pick(0, 1) else (other, source)
    op = ("add", "add", "mul")[pick(0, 2)]
    quant = random_quant(pick) if source.type.quant else None
    if quant and source.type.quant and other.type.quant:  # not below what a product is refused for
        least = source.type.quant.scale[0] * other.type.quant.scale[0] / 4096
        quant = Quant((max(quant.scale[0], least),), quant.zero)
    attrs = random_clamp(pick, quant) | (random_rounding(pick, quant) if op == "add" else {})
    return make(op, operands, layer, quant, **attrs)


def random_constant(pick: Pick, kind: Type, layer: str) -> Node:
    """Of the type's dtype, with some axes of one element and some dropped in front."""
    shape = tuple(extent if pick(0, 1) else 1 for extent in kind.shape)
    shape = shape[pick(0, len(shape) - 1) :] if shape else shape
    value = integers(pick, *shape) if kind.dtype == "i8" else floats(pick, *shape)
    return constant(value, layer, random_quant(pick) if kind.quant else None)


def random_elementwise(pick: Pick, source: Node, layer: str) -> Node:
    quant = random_quant(pick) if source.type.quant else None
    kind = pick(0, 4)
    if kind == 0:
        return make(
            "unary", (source,), layer, quant, function=one_of(pick, ("tanh", "sigmoid", "abs", "silu"))
        )
    if kind == 1:
        return make("leaky_relu", (source,), layer, quant, alpha=0.125)
    if kind == 2 and quant:
        return make("requantize", (source,), layer, quant)
    if kind == 3 and source.type.shape[-1] <= 32:
        beta = max(1.0, 1e-6 / source.type.quant.scale[0]) if source.type.quant else 1.0
        return make("softmax", (source,), layer, RESULT if quant else None, beta=beta)
    return make("relu", (source,), layer, source.type.quant, **random_clamp(pick, source.type.quant))


def random_movement(pick: Pick, source: Node, layer: str) -> Node:
    shape = source.type.shape
    rank = len(shape)
    kind = pick(0, 4)
    if kind == 0:
        order = sorted(range(rank), key=lambda axis: (pick(0, 3), axis))
        return make("transpose", (source,), layer, perm=tuple(order))
    if kind == 1 and source.type.size < 2000:
        pads = tuple((pick(0, 1), pick(0, 2)) for _ in shape)
        least = -2 if source.type.dtype in ("f32", "f16", "i8", "i16", "i32", "i64") else 0
        return make("pad", (source,), layer, pads=pads, value=pick(least, 1 if least == 0 else 3))
    if kind == 2:
        steps = tuple((1, 2, -1, -2)[pick(0, 3)] for _ in shape)
        counts = tuple(pick(1, -(-extent // abs(step))) for extent, step in zip(shape, steps, strict=True))
        starts = tuple(0 if step > 0 else extent - 1 for extent, step in zip(shape, steps, strict=True))
        return make("slice", (source,), layer, starts=starts, steps=steps, shape=counts)
    at = pick(0, rank - 1)
    if kind == 3 and at + 1 < rank:
        return make(
            "reshape", (source,), layer, shape=(*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :])
        )
    return make("reshape", (source,), layer, shape=(*shape[:at], 1, *shape[at:]) if rank < 5 else shape)


def random_layer(pick: Pick, live: Sequence[Node], layer: str) -> Node:
    """One more layer on one or two of the live values."""
    source = live[max(pick(0, len(live) - 1), pick(0, len(live) - 1))]
    kind = pick(0, 9)
    if kind <= 2 and len(source.type.shape) == 4:
        return random_conv2d(pick, source, layer)
    if kind == 3 and len(source.type.shape) == 4:
        return random_pool(pick, source, layer)
    if kind == 4:
        return random_dense(pick, source, layer)
    if kind == 5:
        alike = [each for each in live if each.type.shape == source.type.shape]
        return random_binary(pick, source, one_of(pick, alike), layer)
    if kind == 6:
        return random_binary(pick, source, random_constant(pick, source.type, layer), layer)
    if kind == 7:
        axis = pick(0, len(source.type.shape) - 1)
        parts = (source, *([source] if pick(0, 1) else []), relu(source, layer))
        return make("concat", parts, layer, axis=axis) if source.type.size < 2000 else relu(source, layer)
    if kind == 8:
        return random_movement(pick, source, layer)
    return random_elementwise(pick, source, layer)


def relu(source: Node, layer: str) -> Node:
    return make("relu", (source,), layer, source.type.quant, lo=0.0)


def random_graph(pick: Pick, dtype: str, most: int = 8) -> Graph:
    """A net of up to `most` layers with one to three outputs, any of them an input or one twice."""
    shape = (pick(1, 2), pick(1, 5), pick(1, 5), pick(1, 6))
    inputs = tuple(random_input(pick, f"x{index}", shape, dtype) for index in range(pick(1, 2)))
    live = list(inputs)
    for index in range(pick(1, most)):
        live.append(random_layer(pick, live, f"layer {index}"))
    outputs = (live[-1], *(one_of(pick, live) for _ in range(pick(0, 2))))
    return Graph(inputs, outputs)


def lowered(graph: Graph, has_kernel: Callable[[Node], bool] | None = None) -> Graph:
    """Core ops, and the source ops that the host has kernels for."""
    result = lower(graph, has_kernel or has_host_kernel)
    for rewrite in CORE_PASSES:
        result = rewrite(result)
    return result


def has_host_kernel(node: Node) -> bool:
    return f"{OPS[node.op].stem(node)}_{dtype_key(node)}" in KERNELS


def planned(graph: Graph, features: FeatureSet = PORTABLE) -> Plan:
    return make_plan(lowered(graph), features.kernels, features.vectors)


def random_arrays(graph: Graph, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Floats around 0, quantized values over their whole range, plain integers of every magnitude."""
    source = np.random.default_rng(seed)

    def array(kind: Type) -> np.ndarray:
        is_plain = kind.numpy.kind in "iu" and kind.quant is None
        return mixed_integers(kind, source) if is_plain else random_array(kind, source, 1.0)

    return tuple(array(node.type) for node in graph.inputs)


def mixed_integers(kind: Type, source: np.random.Generator) -> np.ndarray:
    """Of every number of bits, the extremes and their neighbours among them."""
    limits = np.iinfo(kind.numpy)
    anywhere = source.integers(limits.min, limits.max, kind.shape, kind.numpy, endpoint=True)
    shorter = anywhere >> source.integers(0, limits.bits, kind.shape).astype(kind.numpy)
    ends = np.array([limits.min, limits.min + 1, limits.max - 1, limits.max, 0, 1], kind.numpy)
    return np.where(source.random(kind.shape) < 0.2, source.choice(ends, kind.shape), shorter)


# Where conversions saturate, round to infinity, to zero or to a subnormal half, or meet a tie.
FLOAT_EDGES = np.array(
    [
        *(0.0, 0.5, 1.0, 2.0**31 - 128, 2.0**31, 2.0**63 - 2.0**39, 2.0**63, 2.0**64, np.inf, np.nan),
        *(65504.0, 65519.996, 65520.0, 65536.0, 2.0**-14, 2.0**-24, 2.0**-25, 1.5 * 2.0**-24),
    ]
)


def mixed_floats(kind: Type, source: np.random.Generator) -> np.ndarray:
    """Any bit pattern, whole and half numbers, every magnitude, and FLOAT_EDGES of both signs."""
    bits = np.dtype(f"u{kind.numpy.itemsize}")
    patterns = source.integers(0, np.iinfo(bits).max, kind.shape, bits, endpoint=True).view(kind.numpy)
    with np.errstate(all="ignore"):
        choices = [
            patterns,
            source.integers(-99, 99, kind.shape) / 2,
            source.normal(size=kind.shape) * 2.0 ** source.integers(-30, 70, kind.shape),
            source.choice(FLOAT_EDGES, kind.shape) * source.choice([-1.0, 1.0], kind.shape),
        ]
        return np.choose(source.integers(0, 4, kind.shape), choices).astype(kind.numpy)


def mixed_arrays(graph: Graph, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Random arrays, but floats of every kind."""
    source = np.random.default_rng(seed)
    return tuple(
        mixed_floats(node.type, source) if node.type.numpy.kind == "f" else array
        for node, array in zip(graph.inputs, random_arrays(graph, seed), strict=True)
    )


def single(node: Node, *inputs: Node) -> Graph:
    return Graph(inputs or node.inputs, (node,))


def ops_of(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes()]


def same_values(wanted: Sequence[np.ndarray], found: Sequence[np.ndarray], tolerance: float = 1e-5) -> bool:
    """Integers by equality, floats within a share of the largest; NaN where NaN is wanted."""
    return all(map(lambda a, b: same_array(a, b, tolerance), wanted, found)) and len(wanted) == len(found)


def same_array(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-5) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype != np.float32:
        return bool(np.array_equal(a, b, equal_nan=a.dtype == np.float16))
    finite = np.isfinite(a)
    limit = tolerance * float(np.abs(a[finite]).max(initial=0)) + 1e-30
    rest = np.array_equal(a[~finite], b[~finite], equal_nan=True)
    return rest and bool((np.abs(a[finite].astype(np.float64) - b[finite]) <= limit).all())


def raises(build: Callable[[], object]) -> str:
    """The whole text of the CompileError."""
    try:
        build()
    except CompileError as found:
        return str(found)
    raise AssertionError("no CompileError")
