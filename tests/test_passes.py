"""Each pass: the same values after as before, that it does its work, and that it leaves the rest alone.

cancel_transposes and fuse_qdq have test_layout.py.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from graphs import (
    GEOMETRY,
    QUANT,
    Pick,
    drawn,
    floats,
    has_host_kernel,
    integers,
    lowered,
    one_of,
    ops_of,
    raises,
    random_arrays,
    random_binary,
    random_graph,
    random_quant,
    relu,
    same_values,
    seeded,
    single,
    tensor,
    weights,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c import oracle
from s2c.check import accumulator_bounds, check_types
from s2c.cost import macs
from s2c.inputs import adversarial_inputs
from s2c.ir import Graph, Node, Quant, Type, constant
from s2c.ops import is_core, make
from s2c.passes import CORE_PASSES, SOURCE_PASSES, stages
from s2c.passes.eliminate_dead_channels import eliminate_dead_channels
from s2c.passes.expand_broadcasts import expand_broadcasts
from s2c.passes.fold_batchnorm import fold_batchnorm
from s2c.passes.fold_constants import fold_constants
from s2c.passes.fuse_clamp import fuse_clamp
from s2c.passes.fuse_gelu import fuse_gelu
from s2c.passes.lower import lower
from s2c.passes.order_addends import order_addends
from s2c.passes.sink_reshapes import sink_reshapes
from s2c.passes.tabulate_functions import tabulate_functions
from s2c.passes.trim_windows import trim_windows

Pass = Callable[[Graph], Graph]


def check_pass(rewrite: Pass, graph: Graph, seeds: int = 2) -> Graph:
    """The Graph after the pass; integers to the bit, floats by 1e-5."""
    result = rewrite(graph)
    check_types(result)
    assert [node.type for node in result.inputs] == [node.type for node in graph.inputs]
    assert [node.type for node in result.outputs] == [node.type for node in graph.outputs]
    for seed in range(seeds):
        arrays = random_arrays(graph, seed)
        assert same_values(oracle.run(graph, *arrays), oracle.run(result, *arrays)), f"{graph}\n{result}"
    return result


@pytest.mark.build
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(["i8", "f32"]))
def test_every_pass_on_random_nets(data: st.DataObject, dtype: str) -> None:
    graph = random_graph(drawn(data), dtype)
    for rewrite in SOURCE_PASSES:
        graph = check_pass(rewrite, graph)
    graph = check_pass(lambda each: lower(each, has_host_kernel), graph)
    for rewrite in CORE_PASSES:
        graph = check_pass(rewrite, graph)


@pytest.mark.build
@pytest.mark.parametrize("dtype", ["i8", "f32"])
def test_every_pass_on_many_random_nets(dtype: str) -> None:
    for seed in range(100):
        graph = random_graph(seeded(seed), dtype, 25)
        for _, after in stages(graph, has_host_kernel):
            check_pass(lambda each, after=after: after, graph, 1)


@pytest.mark.parametrize("rewrite", [*SOURCE_PASSES, *CORE_PASSES], ids=lambda rewrite: rewrite.__name__)
def test_a_pass_changes_nothing_in_place_and_ends(rewrite: Pass) -> None:
    """Running it on its own result changes nothing more."""
    for seed in range(8):
        for dtype in ("i8", "f32"):
            graph = random_graph(seeded(seed), dtype)
            graph = lowered(graph) if rewrite in CORE_PASSES else graph
            before = str(graph)
            once = rewrite(graph)
            assert str(graph) == before
            assert str(rewrite(once)) == str(once)


def image(channels: int = 3, quant: Quant | None = None) -> Node:
    return tensor("x", 1, 4, 4, channels, quant=quant)


def conv(x: Node, outputs: int, kernel: int = 1, **attrs: object) -> Node:
    own, quant = weights(seeded(outputs), x, outputs, kernel, kernel, x.type.shape[-1])
    padding = ((kernel // 2, kernel // 2),) * 2
    return make(
        "conv2d", (x,), f"conv {outputs}", quant, **{**GEOMETRY, "groups": 1, "pads": padding, **own, **attrs}
    )


# fold_constants


def test_constants_are_folded() -> None:
    x = tensor("x", 1, 4)
    one = make("reshape", (constant(np.float32([1, 2, 3, 4]), "c"),), "r", shape=(1, 4))
    two = make("mul", (one, one), "m")
    assert ops_of(check_pass(fold_constants, Graph((x,), (make("add", (x, two), "a"),)))) == [
        "input",
        "constant",
        "add",
    ]


def test_constants_that_would_grow_are_not_folded() -> None:
    wide = make("expand", (constant(np.float32([[1], [2]]), "c"),), "e", shape=(2, 1000))
    assert ops_of(check_pass(fold_constants, Graph((), (wide,)))) == ["constant", "expand"]


# fold_batchnorm


def batchnorm(x: Node) -> Node:
    channels = x.type.shape[-1]
    return make("batchnorm", (x,), "bn", scale=floats(seeded(1), channels), shift=floats(seeded(2), channels))


AFTER = {
    "batchnorm": batchnorm,
    "mul": lambda x: make("mul", (x, constant(floats(seeded(3), x.type.shape[-1]), "c")), "m"),
    "add": lambda x: make("add", (constant(floats(seeded(3), 1, 1, 1, x.type.shape[-1]), "c"), x), "a"),
    "mul by one value": lambda x: make("mul", (x, constant(np.float32([3]), "c")), "m"),
    "all": lambda x: batchnorm(make("add", (batchnorm(x), constant(np.float32(2), "c")), "a")),
}


@pytest.mark.parametrize("name", AFTER)
def test_scale_and_shift_are_folded(name: str) -> None:
    x = image()
    for node in (
        conv(x, 5, 3),
        make("dense", (x,), "d", weight=floats(seeded(1), 5, 3), bias=floats(seeded(2), 5)),
    ):
        result = check_pass(fold_batchnorm, Graph((x,), (AFTER[name](node),)))
        kept = [each for each in result.nodes() if each.op not in ("input", "constant")]
        assert [each.op for each in kept] == [node.op]


def test_clamp_of_what_is_folded_stays() -> None:
    x = image()
    node = make("add", (conv(x, 3), constant(np.float32([9]), "c")), "a", lo=0.0, hi=6.0)
    assert check_pass(fold_batchnorm, Graph((x,), (node,))).outputs[0].attrs["hi"] == 6.0


def test_depthwise_takes_its_batchnorm() -> None:
    x = image()
    own = {"weight": floats(seeded(1), 3, 2, 2, 1), "bias": floats(seeded(2), 3)}
    node = batchnorm(make("conv2d", (x,), "d", **own, **GEOMETRY, groups=3))
    assert "batchnorm" not in ops_of(check_pass(fold_batchnorm, Graph((x,), (node,))))


X = image()
NOT_FOLDED = {
    "another user": (lambda c: (batchnorm(c), relu(c, "r")))(conv(X, 3)),
    "an output": (lambda c: (batchnorm(c), c))(conv(X, 3)),
    "a clamp between": (batchnorm(conv(X, 3, lo=0.0)),),
    "one value per row": (make("mul", (conv(X, 3), constant(floats(seeded(1), 4, 1), "c")), "m"),),
    "a computed operand": (make("add", (conv(X, 3), conv(X, 3)), "a"),),
    "a broadcast of the contraction": (make("mul", (conv(X, 1), constant(floats(seeded(1), 7), "c")), "m"),),
    "no contraction": (batchnorm(relu(X, "r")),),
}


@pytest.mark.parametrize("name", NOT_FOLDED)
def test_scale_and_shift_are_not_folded(name: str) -> None:
    graph = Graph((X,), NOT_FOLDED[name])
    assert ops_of(check_pass(fold_batchnorm, graph)) == ops_of(graph)


# fuse_clamp


@pytest.mark.parametrize("quant", [None, QUANT], ids=["f32", "i8"])
def test_clamps_are_fused(quant: Quant | None) -> None:
    x = image(quant=quant)
    node = conv(x, 3)
    both = make("relu", (make("relu", (node,), "r", node.type.quant, lo=-0.4),), "s", node.type.quant, hi=0.3)
    result = check_pass(fuse_clamp, Graph((x,), (both,)))
    assert ops_of(result) == ["input", "conv2d"]
    assert (result.outputs[0].attrs["lo"], result.outputs[0].attrs["hi"]) == (-0.4, 0.3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 6)), min_size=2, max_size=4), st.booleans())
def test_any_two_clamps_are_one(clamps: list[tuple[int, int]], integer: bool) -> None:
    """Also where they do not overlap."""
    x = node = tensor("x", 64, quant=Quant((0.07,), 9) if integer else None)
    for lo, width in clamps:
        node = make("relu", (node,), "r", x.type.quant, lo=float(lo), hi=float(lo + width))
    assert ops_of(check_pass(fuse_clamp, Graph((x,), (node,)))) == ["input", "relu"]


def test_clamps_are_not_fused() -> None:
    x = image(quant=QUANT)
    shared = conv(x, 3)
    pooled = make("max_pool", (x,), "p", QUANT, kernel=(2, 2), **GEOMETRY)
    mismatch = Node("relu", (conv(x, 4),), {"lo": 0.0}, Type((1, 4, 4, 4), "i8", Quant((9.0,), 1)), "r")
    for outputs in (
        (relu(shared, "r"), shared),
        (relu(shared, "r"), relu(shared, "s")),
        (relu(pooled, "r"),),
    ):
        graph = Graph((x,), outputs)
        assert ops_of(check_pass(fuse_clamp, graph)) == ops_of(graph)
    assert ops_of(fuse_clamp(Graph((x,), (mismatch,)))) == ["input", "conv2d", "relu"]


# fuse_gelu


def scalar(value: float) -> Node:
    return constant(np.array(value, np.float32), "c")


def erf_of(x: Node, divisor: float) -> Node:
    return make("unary", (make("div", (x, scalar(divisor)), "i"),), "f", function="erf")


def times(*factors: Node, **clamp: float) -> Node:
    first, second = factors
    return make("mul", (first, second), "m", **clamp)


def plus(x: Node, value: float, **clamp: float) -> Node:
    return make("add", (x, scalar(value)), "a", **clamp)


ROOT = math.sqrt(2.0)
GELUS: Mapping[str, Callable[[Node], Node]] = {
    "gate halved": lambda x: times(x, times(scalar(0.5), plus(erf_of(x, ROOT), 1.0))),
    "product halved": lambda x: times(times(x, plus(erf_of(x, ROOT), 1.0)), scalar(0.5)),
    "product divided": lambda x: make("div", (times(plus(erf_of(x, ROOT), 1.0), x), scalar(2.0)), "d"),
    "input halved": lambda x: times(times(scalar(0.5), x), plus(erf_of(x, ROOT), 1.0)),
    "halves": lambda x: times(plus(times(erf_of(x, ROOT), scalar(0.5)), 0.5), x),
}
OTHERS: Mapping[str, Callable[[Node], Node]] = {
    "another divisor": lambda x: times(x, times(scalar(0.5), plus(erf_of(x, 1.414), 1.0))),
    "another offset": lambda x: times(x, times(scalar(0.5), plus(erf_of(x, ROOT), 1.1))),
    "another factor": lambda x: times(x, times(scalar(0.51), plus(erf_of(x, ROOT), 1.0))),
    "another operand": lambda x: times(relu(x, "r"), times(scalar(0.5), plus(erf_of(x, ROOT), 1.0))),
    "clamped": lambda x: times(x, times(scalar(0.5), plus(erf_of(x, ROOT), 1.0, lo=0.5))),
    "divided by zero": lambda x: times(x, plus(erf_of(x, 0.0), 1.0)),
}


@pytest.mark.parametrize("name", sorted(GELUS))
def test_gelu_is_one_function(name: str) -> None:
    x = image(4)
    source = times(x, scalar(3.0))
    result = check_pass(fuse_gelu, Graph((x,), (GELUS[name](source),)))
    assert ops_of(result) == ["input", "constant", "mul", "unary"]
    assert result.outputs[0].attrs["function"] == "gelu"


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_what_is_no_gelu_stays(name: str) -> None:
    x = image(4)
    graph = Graph((x,), (OTHERS[name](x),))
    assert ops_of(fuse_gelu(graph)) == ops_of(graph)


# tabulate_functions


def gelu_of(x: Node) -> Node:
    """x * (0.5 + 0.5 * erf(x / 1.4)), quantized after each op, as a tool for floats writes it."""

    def rounded(node: Node) -> Node:
        return make("quantize", (node,), "q", Quant((0.013,), -9))

    def real(node: Node) -> Node:
        return make("dequantize", (node,), "d")

    def scalar(value: float) -> Node:
        return constant(np.full((1, 1), value, np.float32), "c")

    inner = make("div", (real(x), scalar(1.4)), "i")
    erf = rounded(make("unary", (inner,), "f", function="erf"))
    half = rounded(make("mul", (scalar(0.5), real(erf)), "h"))
    gate = rounded(make("add", (real(half), scalar(0.5)), "a"))
    return make("mul", (x, gate), "m", Quant((0.05,), -60))


@pytest.mark.parametrize("clamped", [False, True])
def test_function_of_one_tensor_becomes_a_table(clamped: bool) -> None:
    x = image(4, QUANT)
    source = relu(conv(x, 4), "r") if clamped else x
    result = check_pass(tabulate_functions, Graph((x,), (gelu_of(source),)))
    assert ops_of(result) == [*(["input", "conv2d"] if clamped else ["input"]), "map"]
    assert result.outputs[0].type == gelu_of(source).type


def test_what_others_read_stays_beside_its_table() -> None:
    x = tensor("x", 4, 64, quant=QUANT)
    gate = make("unary", (x,), "g", Quant((1 / 256,), -128), function="sigmoid")
    product = make("mul", (x, gate), "m", QUANT)
    result = check_pass(tabulate_functions, Graph((x,), (product, gate)))
    assert ops_of(result) == ["input", "map", "unary"]


def test_only_functions_of_one_tensor_become_tables() -> None:
    """Of two tensors, of one along an axis, of a float, of clamps alone, of one op that is a table anyway."""
    x, y = tensor("x", 4, 64, quant=QUANT), tensor("y", 4, 64, quant=QUANT)
    row = constant(floats(seeded(0), 64), "c")
    real = make("dequantize", (x,), "d")
    for node in (
        make("mul", (x, make("unary", (y,), "u", QUANT, function="tanh")), "m", QUANT),
        make("quantize", (make("add", (real, row), "a"),), "q", QUANT),
        make("quantize", (make("mul", (tensor("z", 4, 4), tensor("w", 4, 4)), "m"),), "q", QUANT),
        relu(relu(x, "r"), "s"),
        make("unary", (x,), "u", QUANT, function="tanh"),
    ):
        inputs = tuple(each for each in Graph((), (node,)).nodes() if each.op == "input")
        graph = Graph(inputs, (node,))
        assert ops_of(check_pass(tabulate_functions, graph)) == ops_of(graph), node.op


# sink_reshapes


def flat(x: Node) -> Node:
    """An image's rows and columns as one axis, as behind a convolution of one dimension."""
    batch, height, width, channels = x.type.shape
    return make("reshape", (x,), "flat", shape=(batch, height * width, channels))


@pytest.mark.parametrize("shape", [(1, 1, 1), (), (3,), (1, 3)])
@pytest.mark.parametrize("is_first", [True, False])
def test_scale_and_clamp_reach_the_contraction(shape: tuple[int, ...], is_first: bool) -> None:
    x = image()
    operands = (flat(conv(x, 3, 3)), constant(floats(seeded(4), *shape), "c"))
    scaled = make("mul", operands if is_first else operands[::-1], "m")
    graph = Graph((x,), (make("reshape", (relu(scaled, "r"),), "s", shape=(1, 48)),))
    sunk = check_pass(sink_reshapes, graph)
    assert ops_of(sunk)[-1] == "reshape" and ops_of(sunk).count("reshape") == 1
    assert ops_of(check_pass(fuse_clamp, check_pass(fold_batchnorm, sunk))) == ["input", "conv2d", "reshape"]


@pytest.mark.parametrize("quant", [None, QUANT], ids=["f32", "i8"])
def test_sum_of_two_reshapes_is_a_reshaped_sum(quant: Quant | None) -> None:
    x = image(quant=quant)
    added = make("add", (flat(x), flat(relu(x, "r"))), "a", quant)
    assert ops_of(check_pass(sink_reshapes, Graph((x,), (added,)))) == ["input", "relu", "add", "reshape"]


def test_reshape_back_is_dropped() -> None:
    x = image()
    back = make("reshape", (relu(flat(x), "r"),), "b", shape=x.type.shape)
    assert ops_of(check_pass(sink_reshapes, Graph((x,), (back,)))) == ["input", "relu"]


WIDE = tensor("x", 1, 4, 4, 6)
NOT_SUNK = {
    "channels split": make(
        "mul",
        (make("reshape", (WIDE,), "r", shape=(16, 2, 3)), constant(floats(seeded(1), 3), "c")),
        "m",
    ),
    "one value per row": make("mul", (flat(WIDE), constant(floats(seeded(1), 16, 1), "c")), "m"),
    "an operand of the same shape": make("add", (flat(WIDE), tensor("y", 1, 16, 6)), "a"),
    "sources of two shapes": make("add", (flat(WIDE), flat(tensor("y", 1, 2, 8, 6))), "a"),
    "a broadcast reshape": make(
        "add", (tensor("y", 2, 16, 6), make("reshape", (WIDE,), "r", shape=(1, 16, 6))), "a"
    ),
    "an op along an axis": make("softmax", (flat(WIDE),), "s", beta=1.0),
}


@pytest.mark.parametrize("name", NOT_SUNK)
def test_reshapes_are_not_sunk(name: str) -> None:
    node = NOT_SUNK[name]
    graph = Graph(tuple(each for each in Graph((), (node,)).nodes() if each.op == "input"), (node,))
    assert ops_of(check_pass(sink_reshapes, graph)) == ops_of(graph)


# trim_windows


# Width, kernel, stride, dilation, pads; then kernel and pads that are left.
TRIMMED = [
    (64, 3, 1, 64, (128, 0), 1, (0, 0)),
    (64, 3, 1, 32, (64, 0), 2, (32, 0)),
    (64, 3, 1, 31, (62, 0), 3, (62, 0)),
    (5, 3, 1, 5, (5, 5), 1, (0, 0)),
    (5, 5, 1, 1, (2, 2), 5, (2, 2)),
    (1, 3, 1, 1, (1, 1), 1, (0, 0)),
    (4, 2, 3, 9, (4, 5), 2, (4, 5)),
]


def line(width: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> Node:
    x = tensor("x", 2, 1, width, 3)
    own = {"weight": floats(seeded(width), 5, 1, kernel, 3), "bias": floats(seeded(1), 5)}
    geometry = {"stride": (1, stride), "dilation": (1, dilation), "pads": ((0, 0), pads), "groups": 1}
    return make("conv2d", (x,), "c", **own, **geometry)


def test_taps_in_padding_are_dropped() -> None:
    for width, kernel, stride, dilation, pads, kept, left in TRIMMED:
        found = check_pass(trim_windows, single(line(width, kernel, stride, dilation, pads))).outputs[0]
        assert found.attrs["weight"].shape == (5, 1, kept, 3), (width, kernel, stride, dilation, pads)
        assert found.attrs["pads"] == ((0, 0), left)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 3), st.integers(1, 6), st.data())
def test_trimmed_windows_compute_the_same(
    width: int, kernel: int, stride: int, dilation: int, data: st.DataObject
) -> None:
    pads = (data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20)))
    if width + sum(pads) > (kernel - 1) * dilation:
        result = check_pass(trim_windows, single(line(width, kernel, stride, dilation, pads)))
        assert str(trim_windows(result)) == str(result)


def test_infinite_weight_is_not_trimmed() -> None:
    """Its product with a zero is no zero."""
    node = line(64, 3, 1, 64, (128, 0))
    node.attrs["weight"][0, 0, 0, 0] = np.inf
    graph = single(node)
    assert trim_windows(graph).outputs[0] is node


# expand_broadcasts, order_addends, lower


def test_operands_are_swapped_or_repeated() -> None:
    a, b = tensor("a", 2, 1, 3), tensor("b", 2, 4, 3)
    product = make("mul", (constant(floats(seeded(0), 3), "c"), b), "m")
    swapped = check_pass(expand_broadcasts, Graph((b,), (product,)))
    assert swapped.outputs[0].inputs[0].op == "input" and ops_of(swapped) == ["input", "constant", "mul"]
    mixed = make("add", (a, tensor("b", 1, 4, 3)), "s")
    repeated = check_pass(expand_broadcasts, Graph(mixed.inputs, (mixed,)))
    assert sorted(ops_of(repeated)) == ["add", "gather", "gather", "input", "input"]


def test_form_that_kernels_take_stays() -> None:
    a = tensor("a", 2, 4, 3)
    for shape in ((3,), (4, 1), (4, 3), (2, 1, 1), (1,), (), (2, 4, 3)):
        graph = single(make("add", (a, constant(floats(seeded(0), *shape), "c")), "s"), a)
        assert expand_broadcasts(graph) == graph, shape


def test_fresh_result_comes_first() -> None:
    x = image(4, QUANT)
    graph = lowered(single(conv(x, 4)))
    product = graph.outputs[0]
    first = order_addends(Graph(graph.inputs, (make("add", (product.inputs[0], product), "a", QUANT),)))
    assert first.outputs[0].inputs[0].op == "matmul"
    for node in (
        make("add", (product, product.inputs[0]), "a", QUANT),
        make("mul", (product.inputs[0], product), "m", QUANT),
    ):
        kept = Graph(graph.inputs, (node,))
        assert order_addends(kept) == kept
    shared = Graph(graph.inputs, (make("add", (product.inputs[0], product), "a", QUANT), product))
    assert order_addends(shared) == shared


def test_lower_keeps_what_has_a_kernel() -> None:
    x = tensor("x", 2, 5)
    graph = single(make("softmax", (x,), "s", beta=1.0))
    assert lower(graph, lambda node: True) == graph
    assert all(is_core(node) for node in lower(graph, lambda node: False).nodes())


def test_lower_reports_all_problems() -> None:
    x = tensor("x", 2, 5, quant=QUANT)
    softmaxes = tuple(
        make("softmax", (x,), layer, Quant((1.0 / 256,), -128), beta=1.0) for layer in ("one", "two")
    )
    text = (
        "wanted a target with a kernel for int8 softmax, found one without it; "
        "drop the softmax (the order of the scores stays), or choose another target"
    )
    assert raises(lambda: lower(Graph((x,), softmaxes), lambda node: False)) == f"one: {text}\ntwo: {text}"


# eliminate_dead_channels


def planted_conv(pick: Pick, x: Node, layer: str) -> Node:
    """A convolution of which some channels have no weights, and some always meet a bound."""
    channels, outputs = x.type.shape[-1], pick(1, 6)
    kernel = pick(1, 2) if pick(0, 2) else 3
    depthwise = pick(0, 2) == 0
    if depthwise:
        outputs = channels
    own, quant = weights(pick, x, outputs, kernel, kernel, 1 if depthwise else channels)
    for output in range(outputs):
        plant(pick, own, output)
    half, rest = kernel // 2, kernel - 1 - kernel // 2
    fits = min(x.type.shape[1:3]) >= kernel
    pads = GEOMETRY["pads"] if fits and pick(0, 1) else ((pick(half, kernel - 1), rest), (rest, half))
    geometry = {
        "stride": (pick(1, 2), 1),
        "dilation": (1, 1),
        "pads": pads,
        "groups": channels if depthwise else 1,
    }
    return make("conv2d", (x,), layer, quant, **own, **geometry, **({"lo": 0.0} if pick(0, 1) else {}))


def plant(pick: Pick, own: dict[str, object], output: int) -> None:
    kind = pick(0, 5)
    if kind <= 2:
        own["weight"][output] = 0
        own["bias"][output] = (0, 700, -4000)[kind]
    if kind == 3:
        own["bias"][output] = 1 << 25 if pick(0, 1) else -(1 << 25)


def planted_net(pick: Pick) -> Graph:
    x = tensor("x", pick(1, 2), pick(3, 5), pick(3, 5), pick(1, 4), quant=random_quant(pick))
    live = [planted_conv(pick, x, "first")]
    for index in range(pick(1, 6)):
        live.append(planted_layer(pick, live, f"layer {index}"))
    last = live[-1]
    own, quant = weights(pick, last, 3, last.type.shape[-1])
    scores = make("dense", (last,), "scores", quant, **own)
    return Graph((x,), (scores, one_of(pick, live)) if pick(0, 3) == 0 else (scores,))


def planted_layer(pick: Pick, live: list[Node], layer: str) -> Node:
    x = live[-1 if pick(0, 2) else pick(0, len(live) - 1)]
    kind = pick(0, 9)
    alike = [each for each in live if each.type.shape == x.type.shape]
    if kind == 0:
        return random_binary(pick, x, one_of(pick, alike), layer)
    if kind == 1:
        pool = {"kernel": (2, 2), "stride": (1, 1), "dilation": (1, 1), "pads": ((1, 0), (0, 1))}
        return make("max_pool", (x,), layer, x.type.quant, **pool)
    if kind == 2:
        pool = {"kernel": (2, 1), "stride": (1, 1), "dilation": (1, 1), "pads": ((1, 0), (0, 0))}
        quant, mean = (random_quant(pick), True) if pick(0, 1) else (x.type.quant, False)
        return make("average_pool", (x,), layer, quant, **pool, mean=mean, count_pads=bool(pick(0, 1)))
    if kind == 3:
        return relu(x, layer)
    if kind == 4:
        return make(one_of(pick, ("requantize", "leaky_relu")), (x,), layer, random_quant(pick), alpha=-0.3)
    if kind == 5:
        return make("pad", (x,), layer, pads=((0, 0), (1, 0), (0, 1), (0, 0)), value=pick(-128, 127))
    if kind == 6:
        channels = constant(integers(pick, x.type.shape[-1]), "c", random_quant(pick))
        return make("add", (x, channels), layer, random_quant(pick))
    if kind == 7:
        return make("unary", (x,), layer, random_quant(pick), function="hard_swish")
    return planted_conv(pick, x, layer)


def check_elimination(graph: Graph) -> Graph:
    """Equal to the bit on random and extreme inputs, also lowered."""
    result = check_pass(eliminate_dead_channels, graph, 2)
    for name, arrays in adversarial_inputs(graph).items():
        wanted = oracle.run(graph, *arrays)
        assert same_values(wanted, oracle.run(result, *arrays), 0), f"{name}\n{graph}\n{result}"
        assert same_values(wanted, oracle.run(lowered(result), *arrays), 0), f"{name}\n{graph}\n{result}"
    accumulator_bounds(lowered(result))
    assert macs(result) <= macs(graph)
    return result


@pytest.mark.build
@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.data())
def test_elimination_on_random_nets(data: st.DataObject) -> None:
    check_elimination(planted_net(drawn(data)))


@pytest.mark.build
def test_elimination_on_many_random_nets() -> None:
    """And it does find something in most of them."""
    smaller = 0
    for seed in range(500):
        graph = planted_net(seeded(seed))
        smaller += macs(check_elimination(graph)) < macs(graph)
    assert smaller > 150


def without_weights(node: Node, dead: list[int], bias: int = 0) -> Node:
    weight, biases = node.attrs["weight"].copy(), node.attrs["bias"].copy()
    weight[dead] = 0
    biases[dead] = bias
    return node.with_attrs(weight=weight, bias=biases)


def integer_net(middle: Callable[[Node], Node], bias: int = 0, kernel: int = 1) -> Graph:
    """conv2d with 5 of 8 outputs dead, something between, conv2d with 6 outputs."""
    x = image(3, QUANT)
    first = without_weights(conv(x, 8), [0, 2, 3, 5, 7], bias)
    return Graph((x,), (conv(middle(first), 6, kernel),))


WHOLE, LEFT = 16 * (3 * 8 + 8 * 6), 16 * (3 * 3 + 3 * 6)
KEEPING = {
    "nothing": lambda x: x,
    "relu": lambda x: relu(x, "r"),
    "leaky_relu": lambda x: make("leaky_relu", (x,), "l", QUANT, alpha=0.1),
    "max_pool": lambda x: make("max_pool", (x,), "m", x.type.quant, kernel=(1, 1), **GEOMETRY),
    "mean": lambda x: make(
        "average_pool", (x,), "m", QUANT, kernel=(1, 1), **GEOMETRY, mean=True, count_pads=False
    ),
    "reshape": lambda x: make("reshape", (x,), "r", shape=(1, 16, 1, 8)),
    "transpose": lambda x: make("transpose", (x,), "t", perm=(0, 2, 1, 3)),
    "unary": lambda x: make("unary", (x,), "u", QUANT, function="tanh"),
    "add of itself": lambda x: make("add", (x, x), "a", QUANT),
    "mul by a constant": lambda x: make(
        "mul", (x, constant(np.arange(8, dtype=np.int8), "c", QUANT)), "m", QUANT
    ),
    "dequantize and back": lambda x: make("quantize", (make("dequantize", (x,), "d"),), "q", QUANT),
}


@pytest.mark.parametrize("bias", [0, 700])
@pytest.mark.parametrize("name", KEEPING)
def test_dead_channels_go_through(name: str, bias: int) -> None:
    graph = integer_net(KEEPING[name], bias)
    assert macs(graph) == WHOLE
    assert macs(check_elimination(graph)) == LEFT


def test_dead_channels_of_a_depthwise_chain() -> None:
    x = image(3, QUANT)
    first = without_weights(conv(x, 8), [0, 2, 3, 5, 7])
    own, quant = weights(seeded(5), first, 8, 3, 3, 1)
    middle = make("conv2d", (first,), "d", quant, **own, **GEOMETRY, groups=8)
    result = check_elimination(Graph((x,), (conv(middle, 6),)))
    assert macs(result) == 16 * 3 * 3 + 4 * (9 * 3 + 3 * 6)


def test_border_of_a_padded_layer_is_kept() -> None:
    """A constant other than the padding differs at the border: that channel stays."""
    assert macs(check_elimination(integer_net(lambda x: x, 0, 3))) == 16 * (3 * 3 + 9 * 3 * 6)
    graph = integer_net(lambda x: x, 700, 3)
    assert macs(check_elimination(graph)) == macs(graph)


def test_saturated_channels_are_constant() -> None:
    x = image(3, QUANT)
    first = conv(x, 8, lo=0.0)
    bias = first.attrs["bias"].copy()
    bias[[1, 4]] = 1 << 25, -(1 << 25)
    result = check_elimination(Graph((x,), (conv(first.with_attrs(bias=bias), 6),)))
    assert macs(result) == 16 * (3 * 6 + 6 * 6)


def test_channels_that_nobody_reads_go() -> None:
    x = image(3, QUANT)
    second = conv(conv(x, 8), 6)
    weight = second.attrs["weight"].copy()
    weight[..., [1, 2]] = 0
    result = check_elimination(Graph((x,), (second.with_attrs(weight=weight),)))
    assert macs(result) == 16 * (3 * 6 + 6 * 6)


def test_residual_channels_go_only_together() -> None:
    """Dead in one operand is not dead in the sum; dead in both is."""
    x = image(3, QUANT)
    left, right = without_weights(conv(x, 8), [0, 1, 2]), without_weights(conv(x, 8, 1), [1, 2, 3])
    result = check_elimination(Graph((x,), (conv(make("add", (left, right), "a", QUANT), 6),)))
    assert macs(result) == 16 * (2 * 3 * 6 + 6 * 6)


def test_what_an_output_shows_stays() -> None:
    x = image(3, QUANT)
    first = without_weights(conv(x, 8), [0, 2])
    graph = Graph((x,), (conv(first, 6), first))
    assert macs(check_elimination(graph)) == macs(graph)


def test_layer_that_is_all_dead_keeps_one_channel() -> None:
    x = image(3, QUANT)
    first = without_weights(conv(x, 8), list(range(8)), 700)
    result = check_elimination(Graph((x,), (conv(first, 6),)))
    assert macs(result) == 16 * (3 * 1 + 1 * 6)


def test_grouped_layers_keep_their_channels() -> None:
    x = image(3, QUANT)
    first = without_weights(conv(x, 8), [0, 2])
    own, quant = weights(seeded(5), first, 8, 1, 1, 4)
    graph = Graph((x,), (make("conv2d", (first,), "g", quant, **own, **GEOMETRY, groups=2),))
    assert macs(check_elimination(graph)) == macs(graph)


def test_dead_channels_of_floats() -> None:
    x = image(3)
    first = without_weights(conv(x, 8, lo=0.0, hi=6.0), [0, 2, 3, 5, 7], 2)
    result = check_pass(
        eliminate_dead_channels, Graph((x,), (conv(make("unary", (first,), "u", function="tanh"), 6),))
    )
    assert macs(result) == LEFT


def test_net_without_dead_channels_is_the_same_net() -> None:
    graph = Graph((X,), (conv(conv(X, 4), 5),))
    assert eliminate_dead_channels(graph) is graph


@pytest.mark.parametrize("quant", [None, QUANT])
def test_a_wide_node_takes_no_memory_for_its_channels(quant: Quant | None) -> None:
    """An axis of 2**25 elements beside a net that loses channels."""
    wide = relu(tensor("wide", 1, 1 << 25, quant=quant), "wide")
    small = integer_net(lambda x: x)
    graph = Graph((*small.inputs, wide.inputs[0]), (*small.outputs, wide))
    tracemalloc.start()
    result = eliminate_dead_channels(graph)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24
    assert macs(result) == LEFT and result.outputs[1].type == wide.type


def test_scalars_beside_dead_channels_stay_scalars() -> None:
    """A constant without axes, and an op of one, elsewhere in a net that loses channels."""
    graph = integer_net(lambda x: x)
    scalar = make("mul", (tensor("s"), constant(np.float32(2), "two")), "twice")
    last = make("unary", (scalar,), "u", function="tanh")
    both = Graph((*graph.inputs, scalar.inputs[0]), (*graph.outputs, last))
    assert macs(check_elimination(both)) == LEFT
