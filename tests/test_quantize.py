"""Quantization without torch: Quants from what was seen, who shares them, factors, and the int8 Graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from graphs import GEOMETRY, floats, lowered, ops_of, planned, same_values, seeded, single, tensor
from hypothesis import given
from hypothesis import strategies as st

from s2c import oracle
from s2c.check import accumulator_bounds, check_types
from s2c.ir import Graph, Node, Quant, Type, constant
from s2c.ops import make
from s2c.ops.core import quantize
from s2c.ops.integer import HIGHEST, LOWEST, scale_of
from s2c.ops.softmax import RESULT
from s2c.passes.quantize import quantize_graph, weight_scale
from s2c.quantization.equalize import equalize, find_factors, find_pairs
from s2c.quantization.forms import use_int8_forms
from s2c.quantization.ranges import METHODS, Seen, affine, candidates, rounded
from s2c.quantization.scales import allowed, find_layout, fixed_quant
from s2c.quantization.scheme import Scheme


def conv(source: Node, layer: str, outputs: int, groups: int = 1, **attrs: object) -> Node:
    depth = source.type.shape[-1] // groups
    pick = seeded(sum(map(ord, layer)))
    weights = {"weight": floats(pick, outputs, 3, 3, depth), "bias": floats(pick, outputs)}
    geometry = {**GEOMETRY, "pads": ((1, 1), (1, 1)), "groups": groups}
    return make("conv2d", (source,), layer, **geometry, **weights, **attrs)


def dense(source: Node, layer: str, outputs: int) -> Node:
    pick = seeded(sum(map(ord, layer)))
    weight = floats(pick, outputs, source.type.shape[-1])
    return make("dense", (source,), layer, weight=weight, bias=floats(pick, outputs))


def ranges_of(graph: Graph, *arrays: np.ndarray) -> Mapping[Node, Quant]:
    """From the least to the largest value, or what an op asks for; alike where the layout says so."""
    values = oracle.trace(graph, *arrays)
    layout = find_layout(graph)
    quants = {}
    for group in layout.groups:
        ends = [values[each] for each in group]
        found = affine(min(float(each.min()) for each in ends), max(float(each.max()) for each in ends))
        quants |= dict.fromkeys(group, fixed_quant(group) or found)
    return allowed(layout, quants)


def scheme_of(graph: Graph, *arrays: np.ndarray, float_io: bool = False) -> Scheme:
    return Scheme(graph, find_layout(graph), ranges_of(graph, *arrays), {}, float_io)


def seen(values: np.ndarray) -> Seen:
    lo, hi = float(values.min()), float(values.max())
    return Seen(lo, hi, np.histogram(values, 4096, (lo, hi))[0].astype(np.float64))


# ranges


@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_a_quant_holds_its_range_and_zero_exactly(a: float, b: float) -> None:
    lo, hi = min(a, b), max(a, b)
    quant = affine(lo, hi)
    kind = Type((3,), "i8", quant)
    ends = rounded(np.array([lo, 0.0, hi]), quant)
    assert LOWEST <= quant.zero <= HIGHEST and scale_of(kind) > 0
    assert ends[1] == 0
    if max(abs(lo), abs(hi)) > 1e-30:
        assert np.abs(ends - [lo, 0.0, hi]).max() <= 1.01 * quant.scale[0]


def test_an_image_keeps_its_steps() -> None:
    assert affine(0.0, 255.0) == Quant((1.0,), -128)


def test_a_tensor_of_zeros_has_a_quant() -> None:
    assert candidates([Seen(0.0, 0.0, np.zeros(4096))]) == {"min-max": Quant((1.0,), -128)}


def test_percentiles_leave_outliers_out() -> None:
    values = np.concatenate([np.linspace(-1, 1, 20000), [40.0]])
    found = {name: method(seen(values)) for name, method in METHODS.items()}
    assert found["min-max"] == (-1.0, 40.0)
    assert found["percentile 99.9"][1] < 1.05 and found["percentile 99.9"][0] < -0.95
    assert found["percentile 99.99"][1] < 1.05


@pytest.mark.parametrize("seed", range(5))
def test_least_error_is_the_least_of_all_methods(seed: int) -> None:
    values = np.random.default_rng(seed).standard_t(3, 20000)
    errors = {
        name: float(np.square(rounded(values, quant) - values).mean())
        for name, quant in candidates([seen(values)]).items()
    }
    assert errors["least error"] <= 1.02 * min(errors.values())
    assert errors["least error"] < errors["min-max"]


def test_tensors_that_are_stored_alike_get_the_range_of_both() -> None:
    found = candidates([seen(np.linspace(-1, 1, 9)), seen(np.linspace(0, 3, 9))])
    assert found["min-max"] == affine(-1.0, 3.0)


# weights


def test_weights_have_a_scale_for_each_output() -> None:
    x = tensor("x", 1, 4, 4, 2)
    node = conv(x, "conv", 3)
    scale = weight_scale(node, affine(-1, 1))
    assert np.array_equal(
        scale, np.float32(np.abs(node.attrs["weight"]).max((1, 2, 3)).astype(np.float64) / 127)
    )


def test_outputs_without_weights_have_a_scale_that_their_bias_fits() -> None:
    node = dense(tensor("x", 1, 4), "dense", 3)
    weight = np.array([[1.0, 2, 3, 4], [0, 0, 0, 0], [1e-30, 0, 0, 0]], np.float32)
    node = node.with_attrs(weight=weight, bias=np.array([1, 1000, 0], np.float32))
    graph = scheme_of(single(node), np.ones((1, 4), np.float32)).int8_graph()
    fused = graph.outputs[0]
    assert np.abs(fused.attrs["bias"].astype(np.int64)).max() <= 1 << 25
    found = oracle.run(graph, quantize(np.ones((1, 4), np.float32), graph.inputs[0].type))[0]
    real = (found.astype(np.float64) - fused.type.quant.zero) * scale_of(fused.type)
    assert np.abs(real - [11, 1000, 0]).max() < 4
    accumulator_bounds(lowered(graph))


# layout


def test_movements_share_their_source_and_parts_their_concatenation() -> None:
    x = tensor("x", 1, 4, 4, 2)
    a, b = conv(x, "a", 2), conv(x, "b", 3)
    pooled = make("max_pool", (a,), "pool", **GEOMETRY, kernel=(1, 1))
    joined = make("concat", (pooled, b), "joined", axis=3)
    shape = make("reshape", (joined,), "flat", shape=(1, 80))
    graph = single(shape, x)
    layout = find_layout(graph)
    assert [{node.layer for node in group} for group in layout.groups] == [
        {"x"},
        {"a", "b", "pool", "joined", "flat"},
    ]
    assert {node.layer for node in layout.measured[1]} == {"b", "pool", "flat"}


def test_a_part_that_others_read_is_requantized() -> None:
    x = tensor("x", 1, 4, 4, 2)
    a, b = conv(x, "a", 2), conv(x, "b", 2)
    graph = Graph((x,), (make("concat", (a, b), "joined", axis=3), conv(a, "c", 1)))
    found = scheme_of(graph, floats(seeded(1), 1, 4, 4, 2)).int8_graph()
    assert sorted(ops_of(found)) == ["concat", "conv2d", "conv2d", "conv2d", "input", "requantize"]


def test_softmax_gets_the_quant_that_it_needs() -> None:
    x = tensor("x", 1, 4)
    graph = single(make("softmax", (dense(x, "dense", 3),), "softmax", beta=1.0), x)
    found = scheme_of(graph, floats(seeded(1), 1, 4)).int8_graph()
    assert found.outputs[0].type.quant == RESULT and ops_of(found) == ["input", "dense", "softmax"]


def test_scales_that_kernels_cannot_reach_grow() -> None:
    x = tensor("x", 1, 4)
    large, small = dense(x, "large", 3), dense(x, "small", 3)
    graph = Graph((x,), (make("add", (large, small), "sum"), make("mul", (large, small), "product")))
    layout = find_layout(graph)
    quants = {node: affine(-1.0, 1.0) for group in layout.groups for node in group}
    for node in graph.outputs:
        quants[node] = affine(0.0, 1e-12)
    found = Scheme(graph, layout, allowed(layout, quants), {}).int8_graph()
    check_types(found)
    assert {node.type.dtype for node in found.nodes()} == {"i8"}
    accumulator_bounds(lowered(found))


# the pass


def small_net() -> Graph:
    """Every kind of op with an int8 form, twice read and once read."""
    x = tensor("x", 1, 8, 8, 3)
    first = conv(x, "first", 4, lo=0.0, hi=6.0)
    second = conv(first, "second", 4)
    total = make("add", (first, second), "total", lo=0.0)
    gate = make("unary", (conv(total, "gate", 4),), "sigmoid", function="sigmoid")
    gated = make("mul", (total, gate), "gated")
    leaky = make("leaky_relu", (gated,), "leaky", alpha=0.1)
    offset = make("add", (leaky, constant(floats(seeded(1), 4), "table")), "offset")
    pool = {**GEOMETRY, "kernel": (8, 8), "stride": (8, 8), "count_pads": False, "mean": False}
    mean = make("average_pool", (offset,), "mean", **pool)
    head = dense(make("reshape", (mean,), "flat", shape=(1, 4)), "head", 5)
    return Graph((x,), (make("softmax", (head,), "answer", beta=1.0),))


def test_no_float_op_is_left() -> None:
    graph = small_net()
    found = scheme_of(graph, floats(seeded(1), 1, 8, 8, 3)).int8_graph()
    assert {node.type.dtype for node in found.nodes()} == {"i8"}
    assert sorted(ops_of(found)) == sorted(ops_of(graph))
    check_types(found)
    planned(found)


def test_int8_is_near_the_float_net() -> None:
    graph = small_net()
    x = floats(seeded(1), 1, 8, 8, 3)
    found = scheme_of(graph, x).int8_graph()
    result = oracle.run(found, quantize(x, found.inputs[0].type))[0]
    assert np.abs((result + 128.0) / 256 - oracle.run(graph, x)[0]).max() < 0.05


def test_float_io_leaves_inputs_and_outputs() -> None:
    graph = small_net()
    x = floats(seeded(1), 1, 8, 8, 3)
    found, plain = (scheme_of(graph, x, float_io=each).int8_graph() for each in (True, False))
    assert (found.inputs[0].type, found.outputs[0].type.dtype) == (graph.inputs[0].type, "f32")
    wanted = oracle.run(plain, quantize(x, plain.inputs[0].type))[0]
    assert np.array_equal(oracle.run(found, x)[0], (wanted + np.float32(128)) / 256)


def test_what_is_kept_computes_on_floats() -> None:
    graph = small_net()
    x = floats(seeded(1), 1, 8, 8, 3)
    layout = find_layout(graph, ("second", "answer"))
    found = Scheme(graph, layout, ranges_of(graph, x), {}).int8_graph()
    dtypes = {node.layer: node.type.dtype for node in found.nodes() if node.op in ("conv2d", "softmax")}
    assert dtypes == {"first": "i8", "second": "f32", "gate": "i8", "answer": "f32"}
    assert found.outputs[0].type.dtype == "f32"


def test_floats_between_kept_layers_are_not_rounded() -> None:
    x = tensor("x", 1, 4)
    second = dense(dense(x, "first", 4), "second", 4)
    graph = single(dense(second, "third", 2), x)
    layout = find_layout(graph, ("first", "second"))
    found = quantize_graph(graph, ranges_of(graph, floats(seeded(1), 1, 4)), layout.int8)
    assert ops_of(found) == ["input", "dense", "dense", "quantize", "dequantize", "dense", "quantize"]


def test_behind_a_float_op_all_is_float_up_to_the_next_contraction() -> None:
    x = tensor("x", 1, 5, 4)
    before = dense(x, "before", 4)
    mean = make("reduce", (before,), "mean", function="mean", axes=(2,), keepdims=True)
    centred = make("add", (before, make("mul", (mean, mean), "square")), "centred")
    bent = make("unary", (centred,), "tanh", function="tanh")
    graph = single(dense(bent, "after", 3), x)
    found = scheme_of(graph, floats(seeded(1), 1, 5, 4)).int8_graph()
    computing = [node for node in found.nodes() if node.op not in ("quantize", "dequantize")]
    assert {node.layer: node.type.dtype for node in computing} == {
        **dict.fromkeys(("x", "before", "after"), "i8"),
        **dict.fromkeys(("mean", "square", "centred", "tanh"), "f32"),
    }
    assert ops_of(found).count("dequantize") == ops_of(found).count("quantize") == 1


def test_the_graph_is_not_changed() -> None:
    graph = small_net()
    before = str(graph)
    scheme_of(graph, floats(seeded(1), 1, 8, 8, 3)).int8_graph()
    assert str(graph) == before


# forms


def test_int8_forms_compute_the_same() -> None:
    x = tensor("x", 2, 4, 4, 6)
    normed = make("batchnorm", (x,), "normed", scale=floats(seeded(1), 6), shift=floats(seeded(1), 6))
    bent = make("prelu", (normed,), "bent", alpha=floats(seeded(1), 6))
    weight = {"weight": floats(seeded(1), 2, 3, 3), "bias": floats(seeded(1), 6)}
    mixed = make("matmul", (bent,), "mixed", **weight, lo=-1.0)
    apart = make("sub", (bent, mixed), "apart")
    mean = make("reduce", (apart,), "mean", function="mean", axes=(1, 2), keepdims=False)
    last = {"weight": floats(seeded(1), 1, 3, 6), "bias": floats(seeded(1), 3)}
    graph = single(make("matmul", (mean,), "last", **last), x)
    found = use_int8_forms(graph)
    assert not {"batchnorm", "matmul", "prelu", "reduce", "sub"} & set(ops_of(found))
    array = floats(seeded(1), 2, 4, 4, 6)
    assert same_values(oracle.run(graph, array), oracle.run(found, array))
    int8 = scheme_of(found, array).int8_graph()
    assert {node.type.dtype for node in int8.nodes()} == {"i8"}


@pytest.mark.parametrize("axes", [(3,), (0, 2)])
def test_means_over_channels_and_apart_stay(axes: tuple[int, ...]) -> None:
    x = tensor("x", 2, 4, 4, 6)
    graph = single(make("reduce", (x,), "mean", function="mean", axes=axes, keepdims=True))
    assert ops_of(use_int8_forms(graph)) == ["input", "reduce"]


# equalization


@pytest.mark.parametrize("groups", [1, 4])
def test_factors_move_without_changing_the_net(groups: int) -> None:
    x = tensor("x", 1, 6, 6, 3)
    first = conv(x, "first", 4, lo=0.0)
    pooled = make("max_pool", (first,), "pool", **GEOMETRY, kernel=(2, 2))
    graph = single(conv(pooled, "second", 4, groups), x)
    uneven = first.attrs["weight"] * np.array([1, 10, 100, 0.1], np.float32).reshape(4, 1, 1, 1)
    graph = graph.rewrite(
        lambda node, uses: node.with_attrs(weight=uneven) if node.layer == "first" else None
    )
    (pair,) = find_pairs(graph)
    array = floats(seeded(1), 1, 6, 6, 3)

    def largest(of: Graph) -> np.ndarray:
        values = {node.layer: value for node, value in oracle.trace(of, array).items()}
        return np.abs(values["pool"]).max((0, 1, 2))

    found, new = equalize(graph, pair, find_factors(pair, largest(graph)))
    assert same_values(oracle.run(graph, array), oracle.run(found, array))
    before, after = largest(graph), largest(found)
    assert after.max() / after.min() < (1.001 if groups == 4 else 0.2 * before.max() / before.min())
    assert new[pair.consumer] is found.outputs[0]


def test_pairs_end_where_factors_cannot_pass() -> None:
    x = tensor("x", 1, 4, 4, 2)
    clamped = conv(conv(x, "a", 2, lo=0.0, hi=6.0), "b", 2)
    curved = conv(make("unary", (clamped,), "tanh", function="tanh"), "c", 2)
    shared = make("add", (conv(curved, "d", 2), curved), "sum")
    assert find_pairs(single(shared, x)) == []


def test_dead_channels_keep_their_factor() -> None:
    x = tensor("x", 1, 4)
    graph = single(dense(dense(x, "first", 3), "second", 2), x)
    (pair,) = find_pairs(graph)
    factors = find_factors(pair, np.array([0.0, 1.0, 4.0]))
    assert factors[0] == 1 and np.isfinite(factors).all() and (factors > 0).all()
