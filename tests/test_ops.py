"""Each source op's meaning against that of what it is made of, and against plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from graphs import (
    GEOMETRY,
    Pick,
    floats,
    integers,
    lowered,
    mixed_floats,
    one_of,
    ops_of,
    raises,
    random_arrays,
    random_binary,
    random_constant,
    random_conv2d,
    random_dense,
    random_input,
    random_movement,
    random_pool,
    random_quant,
    same_values,
    seeded,
    single,
    tensor,
)
from plain_graphs import (
    INTEGERS,
    plain_functions,
    plain_input,
    random_choice_of_rows,
    random_plain_graph,
    random_reduction,
)

from s2c import oracle
from s2c.check import accumulator_bounds, check_types
from s2c.inputs import adversarial_inputs
from s2c.ir import DTYPES, Graph, Node, Quant, Type, constant
from s2c.ops import OPS, is_core, make
from s2c.ops.convolution import finish
from s2c.ops.functions import FUNCTIONS
from s2c.ops.pooling import position_counts
from s2c.ops.softmax import RESULT, exponentials
from s2c.ops.zips import ARITHMETIC, ZIPS
from s2c.passes.lower import lower

SEEDS = range(40)
Case = Callable[[Pick, str], Graph]


def image(pick: Pick, dtype: str) -> Node:
    return random_input(pick, "x", (pick(1, 2), pick(1, 6), pick(1, 6), pick(1, 7)), dtype)


def pool(op: str) -> Case:
    def build(pick: Pick, dtype: str) -> Graph:
        while True:
            node = random_pool(pick, image(pick, dtype), op)
            if node.op == op:
                return single(node)

    return build


def movement(op: str) -> Case:
    def build(pick: Pick, dtype: str) -> Graph:
        while True:
            node = random_movement(pick, image(pick, dtype), op)
            if node.op == op:
                return single(node)

    return build


def elementwise(op: str, **attrs: object) -> Case:
    def build(pick: Pick, dtype: str) -> Graph:
        source = image(pick, dtype)
        return single(make(op, (source,), op, random_quant(pick) if dtype == "i8" else None, **attrs))

    return build


def unary(pick: Pick, dtype: str) -> Graph:
    return elementwise("unary", function=one_of(pick, sorted(FUNCTIONS)))(pick, dtype)


def batchnorm(pick: Pick, dtype: str) -> Graph:
    source = image(pick, dtype)
    channels = source.type.shape[-1]
    return single(
        make("batchnorm", (source,), "b", scale=floats(pick, channels), shift=floats(pick, channels))
    )


def prelu(pick: Pick, dtype: str) -> Graph:
    source = image(pick, dtype)
    shape = source.type.shape[pick(0, 3) :]
    return single(make("prelu", (source,), "p", alpha=floats(pick, *shape)))


def quantize(pick: Pick, dtype: str) -> Graph:
    quant = random_quant(pick)
    return single(make("quantize", (image(pick, dtype),), "q", quant, ties=one_of(pick, ("even", "away"))))


def binary(op: str) -> Case:
    def build(pick: Pick, dtype: str) -> Graph:
        a = image(pick, dtype)
        b = random_input(pick, "y", tuple(one_of(pick, (1, each)) for each in a.type.shape), dtype)
        return Graph((a, b), (make(op, (a, b) if pick(0, 1) else (b, a), op),))

    return build


def concat(pick: Pick, dtype: str) -> Graph:
    first, axis = image(pick, dtype), pick(0, 3)
    shapes = [
        tuple(pick(1, 4) if at == axis else each for at, each in enumerate(first.type.shape))
        for _ in range(2)
    ]
    others = tuple(tensor(f"y{at}", *shape, quant=first.type.quant) for at, shape in enumerate(shapes))
    inputs = (first, *others)
    return Graph(inputs, (make("concat", (*inputs, first), "c", axis=axis),))


def expand(pick: Pick, dtype: str) -> Graph:
    shape = (pick(1, 3), pick(1, 4), pick(1, 5))
    own = tuple(one_of(pick, (1, each)) for each in shape)[pick(0, 2) :]
    return single(make("expand", (random_input(pick, "x", own, dtype),), "e", shape=shape))


def softmax(pick: Pick, dtype: str) -> Graph:
    return single(make("softmax", (image(pick, dtype),), "s", beta=pick(1, 8) / 4))


def conv2d(pick: Pick, dtype: str) -> Graph:
    return single(random_conv2d(pick, image(pick, dtype), "c"))


def dense(pick: Pick, dtype: str) -> Graph:
    return single(random_dense(pick, image(pick, dtype), "d"))


def broadcast(pick: Pick, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of one element, and some dropped in front."""
    return tuple(one_of(pick, (1, each)) for each in shape)[pick(0, len(shape)) :]


def binary_function(pick: Pick, dtype: str) -> Graph:
    shape = image(pick, dtype).type.shape
    real = (*ARITHMETIC, *(name for name, row in ZIPS.items() if "f32" in row.dtypes))
    function = one_of(pick, real if dtype == "f32" else plain_functions(dtype))
    a, b = (
        plain_input(each, dtype, name)
        for name, each in zip("ab", (shape, broadcast(pick, shape)), strict=True)
    )
    return Graph((a, b), (make("binary", (a, b) if pick(0, 1) else (b, a), "n", function=function),))


def where(pick: Pick, dtype: str) -> Graph:
    shape = image(pick, dtype).type.shape
    inputs = tuple(
        plain_input(broadcast(pick, shape), each, name)
        for name, each in zip("cab", ("bool", dtype, dtype), strict=True)
    )
    return Graph(inputs, (make("where", inputs, "w"),))


def cast(pick: Pick, dtype: str) -> Graph:
    """By way of every dtype but f64; of floats that integers can hold, or that saturate."""
    source = plain_input((pick(1, 5), pick(1, 30)), dtype)
    target = one_of(pick, [each for each in DTYPES if each != "f64"])
    return single(make("cast", (source,), "c", dtype=target))


def reduce(pick: Pick, dtype: str) -> Graph:
    source = plain_input(image(pick, dtype).type.shape, dtype)
    while True:
        node = random_reduction(pick, source, "r")
        if dtype == "f32" and pick(0, 3) == 0:
            node = make("reduce", (source,), "r", function="mean", axes=node.attrs["axes"], keepdims=True)
        if node.attrs["function"] != "prod" or dtype != "f32":
            break
    return single(make("reduce", (source,), "r", **{**node.attrs, "keepdims": bool(pick(0, 1))}))


def rows(op: str) -> Case:
    def build(pick: Pick, dtype: str) -> Graph:
        while True:
            node = random_choice_of_rows(pick, image(pick, dtype), op)
            if node.op == op:
                return single(node)

    return build


def reinterpret(pick: Pick, dtype: str) -> Graph:
    return single(make("reinterpret", (image(pick, dtype),), "r", random_quant(pick)))


BOTH, FLOAT, INTEGER = ("f32", "i8"), ("f32",), ("i8",)
ANY = (*BOTH, "f16", *INTEGERS)
CASES: dict[str, tuple[Case, tuple[str, ...]]] = {
    "conv2d": (conv2d, BOTH),
    "dense": (dense, BOTH),
    "batchnorm": (batchnorm, FLOAT),
    "max_pool": (pool("max_pool"), BOTH),
    "average_pool": (pool("average_pool"), BOTH),
    "unary": (unary, BOTH),
    "requantize": (elementwise("requantize"), INTEGER),
    "leaky_relu": (elementwise("leaky_relu", alpha=0.2), BOTH),
    "prelu": (prelu, FLOAT),
    "quantize": (quantize, FLOAT),
    "dequantize": (elementwise("dequantize"), INTEGER),
    "sub": (binary("sub"), FLOAT),
    "div": (binary("div"), FLOAT),
    "reshape": (movement("reshape"), BOTH),
    "transpose": (movement("transpose"), BOTH),
    "slice": (movement("slice"), BOTH),
    "pad": (movement("pad"), BOTH),
    "concat": (concat, BOTH),
    "expand": (expand, BOTH),
    "softmax": (softmax, FLOAT),
    "binary": (binary_function, ("f32", *INTEGERS)),
    "where": (where, ANY),
    "cast": (cast, ANY),
    "reduce": (reduce, ("f32", *(each for each in INTEGERS if each != "bool"))),
    "gather_constant": (rows("gather_constant"), ANY),
    "tile": (rows("tile"), ANY),
    "reinterpret": (reinterpret, INTEGER),
}


def test_every_source_op_has_a_case() -> None:
    assert set(CASES) == {op for op, row in OPS.items() if row.lower is not None}


def lower_all(graph: Graph) -> Graph:
    return lower(graph, lambda node: False)


@pytest.mark.parametrize(
    ("op", "dtype"), [(op, dtype) for op, (_, dtypes) in CASES.items() for dtype in dtypes]
)
def test_lowering_means_the_same(op: str, dtype: str) -> None:
    done = 0
    for seed in SEEDS:
        graph = CASES[op][0](seeded(seed), dtype)
        if op == "average_pool" and not has_one_count(graph):
            continue
        core = lower_all(graph)
        assert all(is_core(node) for node in core.nodes())
        check_types(graph)
        check_types(core)
        arrays = random_arrays(graph, seed)
        wanted, found = oracle.run(graph, *arrays), oracle.run(core, *arrays)
        assert same_values(wanted, found, 1e-6), f"seed {seed}\n{graph}\n{core}"
        done += 1
    assert done > 8


def has_one_count(graph: Graph) -> bool:
    return len(position_counts(graph.outputs[0])[0]) == 1


# In the others sums and products of infinities have no one meaning.
PLAIN = (
    "cast",
    "concat",
    "expand",
    "gather_constant",
    "leaky_relu",
    "max_pool",
    "pad",
    "prelu",
    "quantize",
    "reshape",
    "slice",
    "tile",
    "transpose",
    "where",
)


@pytest.mark.parametrize("op", PLAIN)
def test_lowering_of_what_is_no_ordinary_float(op: str) -> None:
    graph = CASES[op][0](seeded(1), "f32")
    core = lower_all(graph)
    for name, arrays in adversarial_inputs(graph).items():
        assert same_values(oracle.run(graph, *arrays), oracle.run(core, *arrays)), name


# plain loops


def loop_conv2d(node: Node, x: np.ndarray) -> np.ndarray:
    """Sums of a convolution by seven loops, in Python integers or floats."""
    weight, attrs = node.attrs["weight"], node.attrs
    quant = node.inputs[0].type.quant
    zero = quant.zero if quant else 0
    result = np.zeros(node.type.shape)
    batch, height, width, outputs = node.type.shape
    columns = outputs // attrs["groups"]
    for b, row, column, o in np.ndindex(batch, height, width, outputs):
        total = attrs["bias"][o].item()
        for i, j, c in np.ndindex(*weight.shape[1:]):
            y = row * attrs["stride"][0] + i * attrs["dilation"][0] - attrs["pads"][0][0]
            z = column * attrs["stride"][1] + j * attrs["dilation"][1] - attrs["pads"][1][0]
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                channel = o // columns * weight.shape[3] + c
                total += (x[b, y, z, channel].item() - zero) * weight[o, i, j, c].item()
        result[b, row, column, o] = total
    return result


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("seed", range(12))
def test_conv2d_is_seven_loops(seed: int, dtype: str) -> None:
    graph = conv2d(seeded(seed), dtype)
    node = graph.outputs[0]
    bare = node.with_attrs(bias=np.zeros_like(node.attrs["bias"]))
    (x,) = random_arrays(graph, seed)
    assert same_values([finish(bare, loop_conv2d(node, x))], oracle.run(graph, x), 1e-6)


@pytest.mark.parametrize("op", ["add", "mul"])
@pytest.mark.parametrize("seed", range(8))
def test_broadcast_is_expansion(op: str, seed: int) -> None:
    pick = seeded(seed)
    a = image(pick, "i8")
    b = random_constant(pick, a.type, "c")
    node = make(op, (a, b), "n", random_quant(pick))
    (x,) = random_arrays(single(node, a), seed)
    wide = constant(np.ascontiguousarray(np.broadcast_to(b.attrs["value"], a.type.shape)), "c", b.type.quant)
    expanded = make(op, (a, wide), "n", node.type.quant)
    assert same_values(oracle.run(single(node, a), x), oracle.run(single(expanded, a), x))


@pytest.mark.parametrize("seed", range(10))
def test_random_operands_of_add_and_mul_run_as_core_ops(seed: int) -> None:
    pick = seeded(seed)
    a, b = image(pick, "i8"), None
    b = random_constant(pick, a.type, "c")
    node = random_binary(pick, a, b, "n")
    graph = single(node, a)
    (x,) = random_arrays(graph, seed)
    assert same_values(oracle.run(graph, x), oracle.run(lowered(graph), x))


# softmax on int8


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 8.0])
def test_int8_softmax_is_near_softmax(scale: float) -> None:
    """Within a step of 1/256 of the real function, for all that a row can be."""
    rows = np.stack(
        [np.full(7, 127), np.full(7, -128), np.arange(7) * 40 - 128, np.arange(7) % 2 * 255 - 128]
    )
    x = tensor("x", *rows.shape, quant=Quant((scale,), 0))
    found = oracle.run(single(make("softmax", (x,), "s", RESULT, beta=1.0)), rows.astype(np.int8))[0]
    powers = np.exp(scale * (rows - rows.max(axis=1, keepdims=True)))
    wanted = np.clip(np.rint(powers / powers.sum(axis=1, keepdims=True) * 256 - 128), -128, 127)
    assert np.abs(found - wanted).max() <= 1


def test_int8_exponentials_fall() -> None:
    x = tensor("x", 1, 4, quant=Quant((0.1,), 0))
    table = exponentials(make("softmax", (x,), "s", RESULT, beta=1.0))
    assert table[0] == (1 << 31) - 1 and (np.diff(table) <= 0).all() and table.min() >= 0
    np.testing.assert_allclose(table[:100] / 2.0**31, np.exp(-0.1 * np.arange(100)), atol=1e-6)


@pytest.mark.parametrize("scale", [2.0**-26, 2.0**-40, 2.0**10, 2.0**40])
def test_int8_softmax_of_extreme_scales(scale: float) -> None:
    """Below 2**-26 a step does not show in the fixed-point difference, and TFLite refuses it."""
    x = tensor("x", 1, 3, quant=Quant((scale,), 0))
    values = np.array([[5, -128, 5]], np.int8)
    if scale <= 2.0**-26:
        message = f"s: wanted an int8 softmax whose beta * scale is above 1.49012e-08, found {scale:g}; "
        found = raises(lambda: make("softmax", (x,), "s", RESULT, beta=1.0))
        assert found == message + "quantize the input with a larger scale"
    else:
        node = make("softmax", (x,), "s", RESULT, beta=1.0)
        assert oracle.run(single(node), values)[0].tolist() == [[0, -128, 0]]


# windows and pools


def test_pad_counts_as_zero_point_in_a_convolution() -> None:
    x = tensor("x", 1, 1, 1, 1, quant=Quant((1.0,), 7))
    attrs = {"weight": np.ones((1, 3, 3, 1), np.int8), "bias": np.zeros(1, np.int32)}
    geometry = {**GEOMETRY, "pads": ((1, 1), (1, 1))}
    node = make(
        "conv2d", (x,), "c", Quant((1.0,), 7), **attrs, weight_scale=np.float32([1.0]), groups=1, **geometry
    )
    assert oracle.run(single(node), np.full((1, 1, 1, 1), 9, np.int8))[0].tolist() == [[[[9]]]]


@pytest.mark.parametrize(("count_pads", "wanted"), [(False, 8.0), (True, 2.0)])
def test_padding_of_an_average(count_pads: bool, wanted: float) -> None:
    x = tensor("x", 1, 1, 1, 1)
    geometry = {"kernel": (2, 2), "stride": (1, 1), "dilation": (1, 1), "pads": ((0, 1), (0, 1))}
    node = make("average_pool", (x,), "a", **geometry, count_pads=count_pads, mean=False)
    assert oracle.run(single(node), np.full((1, 1, 1, 1), 8, np.float32))[0].tolist() == [[[[wanted]]]]


def test_max_pool_of_nothing_but_low_values() -> None:
    x = tensor("x", 1, 2, 2, 1, quant=Quant((1.0,), 0))
    geometry = {"kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1), "pads": ((1, 1), (1, 1))}
    node = make("max_pool", (x,), "m", x.type.quant, **geometry)
    assert (oracle.run(single(node), np.full((1, 2, 2, 1), -128, np.int8))[0] == -128).all()


# exact counts


def test_macs() -> None:
    x = tensor("x", 1, 5, 5, 4)
    attrs = {"weight": np.zeros((6, 3, 3, 2), np.float32), "bias": np.zeros(6, np.float32)}
    conv = make("conv2d", (x,), "c", **attrs, groups=2, **GEOMETRY)
    assert OPS["conv2d"].macs(conv) == 3 * 3 * 6 * (3 * 3 * 2)
    core = lower_all(single(conv))
    assert sum(OPS[node.op].macs(node) for node in core.nodes()) == OPS["conv2d"].macs(conv)
    assert ops_of(core) == ["input", "window", "matmul"]


def test_accumulator_is_the_worst_case() -> None:
    """Reached by the input that has -128 under each positive weight: 128 * (100 + 127 + 1) + |bias|."""
    weight = np.array([[[100, -127, 1], [0, 0, 1]]], np.int8)
    attrs = {"weight": weight, "bias": np.array([-7, 5], np.int32)}
    attrs |= {"multiplier": np.array([1 << 30], np.int32), "shift": np.array([0], np.int8)}
    x = tensor("x", 1, 3, quant=Quant((1.0,), 0))
    node = Node("matmul", (x,), attrs, Type((1, 2), "i8", Quant((1.0,), 0)), "m")
    assert OPS["matmul"].accumulator(node) == 128 * 228 + 7


def test_channelwise_ops_keep_channels_apart() -> None:
    """Changing one channel of the inputs changes that channel of the result alone."""
    seen = set()
    for op, (case, dtypes) in CASES.items():
        for seed in range(12):
            graph = case(seeded(seed), dtypes[0])
            node = graph.outputs[0]
            if not OPS[op].channelwise(node) or node.type.shape[-1] < 2:
                continue
            before = random_arrays(graph, seed)
            after = [each.copy() for each in before]
            for array in after:
                array[..., 0] = array[..., 0] // 2 + 1 if array.dtype == np.int8 else array[..., 0] * 2 + 1
            a, b = oracle.run(graph, *before)[0], oracle.run(graph, *after)[0]
            assert np.array_equal(a[..., 1:], b[..., 1:], equal_nan=True), f"{op} seed {seed}\n{graph}"
            seen.add(op)
    assert {"batchnorm", "max_pool", "average_pool", "unary", "reshape", "transpose", "slice", "pad"} <= seen


def test_integers_helper_reaches_the_ends() -> None:
    assert set(integers(seeded(0), 4000).tolist()) >= {-128, 127}
    assert math.isfinite(float(floats(seeded(0), 9).sum()))


def test_products_that_int32_could_not_hold_are_refused() -> None:
    """2**16 times what the scales ask for has to stay below 2**30."""
    x = tensor("x", 4, quant=Quant((1.0,), 0))
    assert make("mul", (x, x), "m", Quant((2.0**-13,), 0)).type.quant.scale == (2.0**-13,)
    wanted = "m: wanted a result scale of at least 0.00012207, so that int32 cannot overflow, found 0.0001; "
    found = raises(lambda: make("mul", (x, x), "m", Quant((1e-4,), 0)))
    assert found == wanted + "quantize the result with a larger scale"


def test_layer_without_weights_may_not_shift_by_31() -> None:
    """Its sum is 0, so no shift overflows it, but C does not define that shift."""
    x = tensor("x", 1, 2, quant=Quant((1.0,), 0))
    attrs = {"weight": np.zeros((1, 1, 2), np.int8), "bias": np.zeros(1, np.int32)}
    attrs |= {"multiplier": np.array([1 << 30], np.int32), "shift": np.array([31], np.int8)}
    node = Node("matmul", (x,), attrs, Type((1, 1), "i8", Quant((1.0,), 0)), "m")
    assert "found up to 2147483648" in raises(lambda: accumulator_bounds(single(node)))


# plain integers


@pytest.mark.parametrize("dtype", ["i32", "i64"])
def test_division_is_towards_zero(dtype: str) -> None:
    """In Python's integers, which have no size; a division by zero gives 0 and leaves the dividend."""
    a, b = (plain_input((400,), dtype, name) for name in "ab")
    graph = Graph(
        (a, b), tuple(make("binary", (a, b), each, function=each) for each in ("divide", "remainder"))
    )
    arrays = random_arrays(graph, 3)
    found = oracle.run(graph, *arrays)
    bits = DTYPES[dtype].itemsize * 8
    for x, y, quotient, rest in zip(*(each.tolist() for each in (*arrays, *found)), strict=True):
        wanted = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1) if y else 0
        wrapped = (wanted + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
        assert (quotient, rest) == (wrapped, x - wanted * y), (x, y)


@pytest.mark.parametrize(
    ("function", "wanted"), [("shift_left", [2, -(1 << 31), 0, 0]), ("shift_right", [0, 0, 0, 0])]
)
def test_shifts_by_more_than_there_are_bits(function: str, wanted: list[int]) -> None:
    a, b = (plain_input((4,), "i32", name) for name in "ab")
    graph = Graph((a, b), (make("binary", (a, b), "s", function=function),))
    arrays = np.array([1, 1, 1, 1], np.int32), np.array([1, 31, 32, -1], np.int32)
    assert oracle.run(graph, *arrays)[0].tolist() == wanted


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("i32", [0, -1, (1 << 31) - 1, -(1 << 31), 0]),
        ("u8", [0, 255, 255, 0, 0]),
        ("i64", [0, -1, 3 * 10**9, -(1 << 63), 0]),
        ("bool", [True, True, True, True, True]),
    ],
)
def test_casts_of_floats_saturate(dtype: str, wanted: list[int]) -> None:
    x = tensor("x", 5)
    values = np.array([0.9, -1.9, 3e9, -np.inf, np.nan], np.float32)
    assert oracle.run(single(make("cast", (x,), "c", dtype=dtype)), values)[0].tolist() == wanted


@pytest.mark.parametrize("dtype", [each for each in DTYPES if each != "f64"])
def test_casts_of_every_float_mean_the_same(dtype: str) -> None:
    for source in ("f32", "f16"):
        x = plain_input((3000,), source)
        graph = single(make("cast", (x,), "c", dtype=dtype))
        values = mixed_floats(x.type, np.random.default_rng(0))
        wanted, found = oracle.run(graph, values), oracle.run(lower_all(graph), values)
        assert same_values(wanted, found, 0.0), source


def test_unsigned_order_is_kept() -> None:
    """What u64 is computed as has a sign."""
    x = plain_input((2,), "u64")
    values = np.array([1, (1 << 64) - 1], np.uint64)
    functions = ("max", "min")
    nodes = tuple(make("reduce", (x,), each, function=each, axes=(0,), keepdims=False) for each in functions)
    graph = Graph((x,), nodes)
    assert [each.tolist() for each in oracle.run(lower_all(graph), values)] == [(1 << 64) - 1, 1]


@pytest.mark.parametrize("seed", range(30))
def test_nets_of_plain_integers_mean_the_same_as_core_ops(seed: int) -> None:
    graph = random_plain_graph(seeded(seed), 14)
    core = lower_all(graph)
    check_types(core)
    arrays = random_arrays(graph, seed)
    assert same_values(oracle.run(graph, *arrays), oracle.run(core, *arrays), 0.0), f"{graph}\n{core}"
