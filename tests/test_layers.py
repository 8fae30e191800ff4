"""Compositions of source ops against plain numpy: as they are made, and lowered to core ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from s2c import oracle
from s2c.check import check_types
from s2c.errors import CompileError
from s2c.ir import DTYPES, Graph, Node, Type, constant, input_node
from s2c.layers import attention, basic, convolution, norms, onehot, pooling, resize, scan, signal, sort
from s2c.layers.windows import Window
from s2c.passes.lower import lower

LAYER = "layer"
Arrays = Sequence[np.ndarray]


def floats(*shape: int) -> np.ndarray:
    generator = np.random.default_rng(sum(shape) + len(shape))
    return generator.standard_normal(shape).astype(np.float32)


def integers(dtype: str, *shape: int) -> np.ndarray:
    limits = np.iinfo(DTYPES[dtype])
    generator = np.random.default_rng(sum(shape) + len(shape))
    return generator.integers(limits.min, limits.max, shape, DTYPES[dtype], endpoint=True)


def inputs_of(arrays: Arrays) -> tuple[Node, ...]:
    names = {dtype: name for name, dtype in DTYPES.items()}
    return tuple(
        input_node(f"x{index}", Type(each.shape, names[each.dtype])) for index, each in enumerate(arrays)
    )


def check(build: Callable[..., Any], arrays: Arrays, wanted: Arrays, tolerance: float = 1e-5) -> Graph:
    """build of the arrays as inputs, against what is wanted."""
    inputs = inputs_of(arrays)
    outputs = build(*inputs)
    graph = Graph(inputs, outputs if isinstance(outputs, tuple) else (outputs,))
    check_types(graph)
    lowered = lower(graph, lambda node: node.op in ("average_pool", "softmax"))
    for each in (graph, lowered):
        found = oracle.run(each, *arrays)
        for a, b in zip(found, wanted, strict=True):
            assert a.dtype == b.dtype, (a.dtype, b.dtype)
            np.testing.assert_allclose(a, b, tolerance, tolerance, strict=True)
    return graph


def ops(graph: Graph) -> set[str]:
    return {node.op for node in graph.nodes()}


# basic


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((2, 1, 3, 4), (5, 4, 6)),
        ((2, 5, 3, 4), (4, 6)),
        ((3, 4), (2, 4, 5)),
        ((1, 3, 4), (2, 1, 4, 5)),
    ],
)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = floats(*a), floats(*b)
    wanted = [np.matmul(x, y)]
    check(lambda p, q: basic.matmul(p, q, LAYER), [x, y], wanted)
    right = check(lambda p: basic.matmul(p, constant(y, LAYER), LAYER), [x], wanted)
    left = check(lambda q: basic.matmul(constant(x, LAYER), q, LAYER), [y], wanted)
    assert ("dense" in ops(right)) == (len(b) < 3)
    assert ("dense" in ops(left)) == (np.prod(a[:-2], initial=1) == 1)


def test_transpose_of_many_axes() -> None:
    x = floats(2, 3, 2, 3, 2, 3, 2)
    perm = (6, 4, 2, 0, 5, 3, 1)
    check(lambda a: basic.transpose(a, perm, LAYER), [x], [x.transpose(perm)])


def test_constants_are_computed() -> None:
    node = basic.transpose(constant(floats(3, 4), LAYER), (1, 0), LAYER)
    assert node.op == "constant" and node.type.shape == (4, 3)
    assert basic.expand(constant(floats(1), LAYER), (1000,), LAYER).op == "expand"


def test_integers_wrap() -> None:
    x, y = integers("i8", 5, 4), integers("i8", 4)
    build = lambda a, b: (basic.add(a, b, LAYER), basic.mul(a, b, LAYER), basic.negate(a, LAYER))  # noqa: E731
    check(build, [x, y], [x + y, x * y, -x])


# gather and scatter


@pytest.mark.parametrize("most", [1 << 14, 8])
@pytest.mark.parametrize("count", [2, 9])
@pytest.mark.parametrize("dtype", ["f32", "u8", "i64", "bool"])
def test_gather_axis(dtype: str, count: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, index by index, position by position."""
    monkeypatch.setattr(onehot, "MOST_ELEMENTS", most)
    x = floats(2, 5, 3).astype(DTYPES[dtype])
    index = (np.arange(count) * 7 % 10 - 5).reshape(1, count)
    for axis in range(3):
        here = index % x.shape[axis] - x.shape[axis] * (index < 0)
        check(lambda a, i, k=axis: onehot.gather_axis(a, i, k, LAYER), [x, here], [np.take(x, here, axis)])


def test_gather_reads_around_nan() -> None:
    x = np.array([1, np.nan, np.inf, -4], np.float32)
    check(lambda a, i: onehot.gather_axis(a, i, 0, LAYER), [x, np.array([3, 0])], [x[[3, 0]]])


def test_gather_from_a_table_is_a_lookup() -> None:
    table = floats(7, 3)
    index = np.array([[6, -7], [2, 0]], np.int64)
    graph = check(lambda i: onehot.gather_axis(constant(table, LAYER), i, 0, LAYER), [index], [table[index]])
    assert "lookup" in ops(graph)
    check(lambda i: onehot.gather_axis(constant(table.T, LAYER), i, 1, LAYER), [index], [table.T[:, index]])


REFERENCE: dict[str, Callable[..., None]] = {
    "add": np.add.at,
    "mul": np.multiply.at,
    "max": np.maximum.at,
    "min": np.minimum.at,
}


@pytest.mark.parametrize("reduction", sorted(REFERENCE))
def test_scatter_nd_of_duplicates(reduction: str) -> None:
    x, updates = floats(4, 3, 2), floats(6, 2)
    index = np.array([[0, 1], [3, 2], [0, 1], [1, 1], [0, -2], [3, 0]])
    wanted = x.copy()
    REFERENCE[reduction](wanted, tuple(index.T), updates)
    build = lambda a, i, u: onehot.scatter_nd(a, i, u, reduction, LAYER)  # noqa: E731
    check(build, [x, index, updates], [wanted])
    check(lambda a, u: build(a, constant(index, LAYER), u), [x, updates], [wanted])


def test_scatter_keeps_the_last() -> None:
    x, updates = np.zeros((2, 5), np.int32), np.arange(6, dtype=np.int32).reshape(2, 3) + 1
    index = np.array([[1, 1, 4], [0, -1, 0]])
    wanted = np.array([[0, 2, 0, 0, 3], [6, 0, 0, 0, 5]], np.int32)
    build = lambda a, i, u: onehot.scatter_along(a, i, u, 1, "none", LAYER)  # noqa: E731
    check(build, [x, index, updates], [wanted])
    check(lambda a, u: build(a, constant(index, LAYER), u), [x, updates], [wanted])


def test_indices_outside_are_refused() -> None:
    with pytest.raises(CompileError) as caught:
        onehot.wrapped_array(np.array([0, 7]), 5, LAYER)
    assert str(caught.value) == "layer: wanted indices of -5 to 4, found 0 to 7; check the layer's indices"


def test_growth_is_refused() -> None:
    x, index = inputs_of([floats(5000), np.zeros(5000, np.int64)])
    with pytest.raises(CompileError) as caught:
        onehot.gather_axis(x, index, 0, LAYER)
    what = "computed indices, or positions that they choose from, each of which becomes calls of its own"
    assert str(caught.value) == f"layer: wanted at most 4096 {what}, found 5000; split the layer"
    with pytest.raises(CompileError) as caught:
        signal.dft(inputs_of([floats(1, 4, 1)])[0], 1, 1 << 40, False, False, LAYER)
    wanted = f"a transform's matrix of at most {1 << 26} elements"
    assert str(caught.value) == f"layer: wanted {wanted}, found {1 << 44}; split the layer"


# sorting and scans


@pytest.mark.parametrize("dtype", ["f32", "i8", "u16", "i32", "u32", "i64", "u64"])
@pytest.mark.parametrize("extent", [1, 2, 3, 16, 37])
def test_sort(extent: int, dtype: str) -> None:
    x = np.round(floats(3, extent, 2) * 3) if dtype == "f32" else integers(dtype, 3, extent, 2)
    order = np.argsort(x, axis=1, kind="stable").astype(np.int32)
    check(lambda a: sort.sort(a, 1, False, LAYER), [x], [np.take_along_axis(x, order, 1), order])
    rows = sort.sortable(inputs_of([x.reshape(3, -1)])[0], LAYER)
    assert rows.type.dtype in ("f32", "i32", "i64")


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_both_ways_of_choosing(k: int, largest: bool) -> None:
    x = np.array([[3, 1, -np.inf, 3, 2, np.inf], [-np.inf] * 6], np.float32)
    order = np.argsort(-x if largest else x, axis=1, kind="stable")[:, :k].astype(np.int32)
    wanted = [np.take_along_axis(x, order, 1), order]
    check(lambda a: sort.select_rounds(a, k, largest, LAYER), [x], wanted)
    check(lambda a: sort.sort_network(a, k, largest, LAYER), [x], wanted)


def test_stages_of_the_network_grow_with_the_square_of_the_logarithm() -> None:
    nodes = Graph((), sort.sort_network(inputs_of([floats(1, 1000)])[0], 1000, True, LAYER)).nodes()
    assert len(nodes) < 55 * 25


def test_arg_finds_nan() -> None:
    x = np.array([[1, np.nan, 3, np.nan], [2, 5, 5, 1]], np.float32)
    check(lambda a: sort.arg("max", a, 1, False, LAYER), [x], [np.array([[1], [1]], np.int32)])
    check(lambda a: sort.arg("max", a, 1, True, LAYER), [x], [np.array([[3], [2]], np.int32)])


@pytest.mark.parametrize("extent", [1, 2, 7, 8])
def test_scan(extent: int) -> None:
    x = integers("i32", 2, extent, 3)
    accumulate = {"sum": np.cumsum, "prod": np.cumprod}
    for function, reference in accumulate.items():
        wanted = reference(x, axis=1, dtype=np.int32)
        check(lambda a, f=function: scan.scan(f, a, 1, LAYER), [x], [wanted])
    y = floats(extent, 4)
    wanted = np.maximum.accumulate(y[::-1], axis=0)[::-1]
    check(lambda a: scan.scan("max", a, 0, LAYER, reverse=True), [y], [wanted])
    exclusive = np.concatenate([np.zeros((1, 4), np.float32), np.cumsum(y, axis=0)[:-1]])
    check(lambda a: scan.scan("sum", a, 0, LAYER, exclusive=True), [y], [exclusive])


# convolutions, pools, norms


def test_computed_convolution_of_three_axes() -> None:
    x, weight = floats(2, 4, 5, 3, 4), floats(6, 2, 3, 1, 2)
    window = Window((2, 3, 1), (1, 2, 1), (2, 1, 1), ((1, 0), (0, 1), (0, 0)))
    fixed = convolution.conv(inputs_of([x])[0], constant(weight, LAYER), None, window, 2, LAYER)
    wanted = oracle.run(Graph(fixed_inputs(fixed), (fixed,)), x)
    check(lambda a, w: convolution.conv(a, w, None, window, 2, LAYER), [x, weight], wanted)


def fixed_inputs(node: Node) -> tuple[Node, ...]:
    return tuple(each for each in Graph((), (node,)).nodes() if each.op == "input")


def test_max_pool_of_integers_with_indices() -> None:
    x = integers("i32", 1, 2, 6, 4)
    window = Window((2, 2), (2, 2), (1, 1), ((0, 0), (0, 0)))
    blocks = x.reshape(1, 2, 3, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(1, 2, 3, 2, 4)
    places = np.arange(x.size).reshape(x.shape)
    places = places.reshape(1, 2, 3, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(blocks.shape)
    index = np.take_along_axis(places, blocks.argmax(-1)[..., np.newaxis], -1)[..., 0]
    check(lambda a: pooling.max_pool_with_indices(a, window, False, LAYER), [x], [blocks.max(-1), index])


@pytest.mark.parametrize("per_group", [False, True])
def test_group_norm(per_group: bool) -> None:
    x = floats(2, 6, 4, 3) + 1000
    size = 3 if per_group else 6
    scale, bias = floats(size), floats(size + 1)[1:]
    grouped = x.astype(np.float64).reshape(2, 3, -1)
    y = (grouped - grouped.mean(2, keepdims=True)) / np.sqrt(grouped.var(2, keepdims=True) + 1e-5)
    spread = np.repeat(np.stack([scale, bias]), 6 // size, axis=1).reshape(2, 6, 1, 1)
    wanted = (y.reshape(x.shape) * spread[0] + spread[1]).astype(np.float32)
    check(lambda a, s, b: norms.group_norm(a, 3, s, b, 1e-5, LAYER), [x, scale, bias], [wanted], 1e-3)


def test_local_response_norm_of_an_even_size() -> None:
    x = floats(2, 5, 3)
    sums = np.stack([(x[:, max(c - 1, 0) : c + 3] ** 2).sum(1) for c in range(5)], axis=1)
    wanted = (x / (2 + 0.1 * sums / 4) ** 0.6).astype(np.float32)
    check(lambda a: norms.local_response_norm(a, 4, 0.1, 0.6, 2.0, LAYER), [x], [wanted])


# attention


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [2, 6])
def test_attention(heads: int, causal: bool) -> None:
    """Also where three query heads share one of keys and values."""
    q, k, v = floats(2, 6, 4, 8), floats(2, heads, 5, 8), floats(2, heads, 5, 3)
    mask = floats(1, 1, 4, 5) > -1
    mask[..., 0] = True
    wide_k, wide_v = (np.repeat(each, 6 // heads, axis=1) for each in (k, v))
    scores = np.where(mask, q @ wide_k.swapaxes(2, 3) * 0.3, -np.inf)
    scores = np.where(np.tri(4, 5, dtype=bool), scores, -np.inf) if causal else scores
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    wanted = (shares / shares.sum(-1, keepdims=True) @ wide_v).astype(np.float32)
    build = lambda a, b, c, m: attention.attention(a, b, c, m, causal, 0.3, LAYER)  # noqa: E731
    check(build, [q, k, v, mask], [wanted])


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_keeps_lengths(interleaved: bool) -> None:
    x, angles = floats(2, 3, 10), floats(3, 4)
    pairs = x[..., :8].reshape(2, 3, 4, 2) if interleaved else x[..., :8].reshape(2, 3, 2, 4).swapaxes(2, 3)
    turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)
    both = np.stack([turned.real, turned.imag], axis=-1)
    both = both if interleaved else both.swapaxes(2, 3)
    wanted = np.concatenate([both.reshape(2, 3, 8), x[..., 8:]], axis=-1).astype(np.float32)
    cos, sin = np.cos(angles), np.sin(angles)
    check(lambda a, c, s: attention.rotary(a, c, s, interleaved, LAYER), [x, cos, sin], [wanted])


# resizing and signals


def test_resize_is_the_cheapest_form() -> None:
    axis = resize.Axis(32, 64, 2.0)
    x = floats(2, 32, 3)
    for mode, op in (("nearest", "gather_constant"), ("linear", "mul")):
        taps = resize.taps_of(resize.coordinates("half_pixel", axis), axis, resize.Filter(mode))
        wanted = np.einsum("tk,ntkc->ntc", taps.factor, x[:, taps.index]).astype(np.float32)
        graph = check(lambda a, t=taps: resize.contract(a, 1, t, LAYER), [x], [wanted])
        assert op in ops(graph) and "dense" not in ops(graph)
    small = resize.Axis(4, 6, 1.5)
    taps = resize.taps_of(resize.coordinates("half_pixel", small), small, resize.Filter("linear"))
    y = floats(4, 3)
    wanted = np.einsum("tk,tkc->tc", taps.factor, y[taps.index]).astype(np.float32)
    assert "dense" in ops(check(lambda a: resize.contract(a, 0, taps, LAYER), [y], [wanted]))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 1.7])
def test_weights_of_a_row_add_up_to_one(scale: float, antialias: bool, mode: str) -> None:
    axis = resize.Axis(20, int(20 * scale), scale)
    chosen = resize.Filter(mode, antialias=antialias, exclude_outside=antialias)
    taps = resize.taps_of(resize.coordinates("half_pixel", axis), axis, chosen)
    np.testing.assert_allclose(taps.factor.sum(1), 1)


@pytest.mark.parametrize(
    ("inverse", "onesided"), [(False, False), (False, True), (True, False), (True, True)]
)
def test_dft(inverse: bool, onesided: bool) -> None:
    x = floats(2, 6, 3, 2)
    length = 10 if inverse and onesided else 7
    values = x[..., 0].astype(np.float64) + 1j * x[..., 1]
    transform = (np.fft.irfft if onesided else np.fft.ifft) if inverse else np.fft.fft
    result = transform(values, n=length, axis=1)
    result = result[:, : length // 2 + 1] if onesided and not inverse else result
    parts = [result.real, result.imag] if np.iscomplexobj(result) else [result]
    wanted = np.stack(parts, axis=-1).astype(np.float32)
    check(lambda a: signal.dft(a, 1, length, inverse, onesided, LAYER), [x], [wanted])


def test_col2im_adds_what_overlaps() -> None:
    window = Window((2, 3), (1, 2), (2, 1), ((1, 0), (0, 1)))
    image = (5, 6)
    blocks = window.outputs(image)
    x = floats(2, 3 * 6, int(np.prod(blocks)))
    wanted = np.zeros((2, 3, 6, 7), np.float32)
    for tap, (i, j) in enumerate(np.ndindex(2, 3)):
        part = x.reshape(2, 3, 6, *blocks)[:, :, tap]
        wanted[:, :, i * 2 : i * 2 + blocks[0], j : j + 2 * blocks[1] : 2] += part
    check(lambda a: signal.col2im(a, image, window, LAYER), [x], [wanted[:, :, 1:, :6]])
