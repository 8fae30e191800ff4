"""Nodes of a .s2c file whose op infers their type, but which nothing could compute: refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from graphs import GEOMETRY, QUANT, tensor

from s2c.errors import CompileError
from s2c.ir import DTYPES, Graph, Node, Quant, State, Type, constant, input_node, state_node
from s2c.ops import make
from s2c.readers.graph_file import graph_bytes, load_graph


def message(data: bytes) -> str:
    with pytest.raises(CompileError) as caught:
        load_graph(data)
    return str(caught.value)


def floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def ints(*values: int, dtype: str = "i32") -> np.ndarray:
    return np.array(values, DTYPES[dtype])


X, ROW = tensor("x", 1, 4, 4, 2), tensor("x", 1, 6)
IMAGE8, ROW8 = tensor("x", 1, 4, 4, 2, quant=QUANT), tensor("x", 1, 6, quant=QUANT)
ROW16 = input_node("x", Type((1, 6), "i16", Quant((0.1,))))
WHOLE = input_node("x", Type((1, 6), "i32"))
CONV = {"weight": floats(3, 1, 1, 2), "bias": floats(3), "groups": 1, **GEOMETRY}
DENSE8 = {"weight": np.ones((2, 6), np.int8), "bias": ints(0, 0), "weight_scale": floats(1) + 1}
MATMUL8 = {
    "weight": np.ones((1, 2, 6), np.int8),
    "bias": ints(0, 0),
    "multiplier": ints(1 << 30),
    "shift": ints(0, dtype="i8"),
}
REGION = {
    "extents": (6,),
    "source_strides": (1,),
    "source_offset": 0,
    "target_strides": (1,),
    "target_offset": 0,
}
POOL = {"kernel": (1, 1), **GEOMETRY}
WIDE = {**POOL, "pads": ((1 << 20, 0), (1 << 20, 0)), "stride": (1 << 20, 1 << 20)}
AVERAGE = {"count_pads": False, "mean": False}
TAKE = {"outer": 1, "source": 6, "inner": 1, "index": ints(5), "shape": (1,), "value": 0}
RESCALE = {
    "dtype": "i8",
    "rounding": "once",
    "multiplier": ints(1),
    "shift": ints(0, dtype="i8"),
    "bound": 1,
    "zero": 0,
    "lo": -128,
    "hi": 127,
}

CONDITIONS: list[tuple[str, Node, dict[str, Any], Quant | None, str]] = [
    ("relu", ROW, {"lo": 1.0, "hi": 0.0}, None, "a lo of at most hi, found 1.0 and 0.0"),
    ("relu", ROW8, {"lo": 1e30}, QUANT, "bounds of at most 1e+18, found 1e+30"),
    ("relu", ROW8, {"lo": 0.0}, Quant((0.5,)), "one quantization of input and result, found i8[1,6]~0.5@0"),
    ("conv2d", X, {**CONV, "weight": CONV["weight"].astype(np.int8)}, None, "weights of f32, found int8"),
    ("conv2d", X, {**CONV, "bias": ints(0, 0, 0)}, None, "biases of f32, found int32"),
    ("conv2d", X, {**CONV, "bias": floats(2)}, None, "3 biases, found 2"),
    ("conv2d", X, {**CONV, "weight_scale": floats(2) + 1}, None, "one weight_scale or 3, found 2"),
    ("conv2d", X, {**CONV, "weight_scale": floats(3)}, None, "weight_scale of 1e-18 to 1e+18, found others"),
    (
        "conv2d",
        X,
        {**CONV, "pads": WIDE["pads"], "stride": WIDE["stride"]},
        None,
        "a padded image of at most 33554432 elements, found 2199040032800",
    ),
    ("dense", ROW8, {name: DENSE8[name] for name in ("weight", "bias")}, QUANT, "a weight_scale, found none"),
    ("matmul", ROW8, {**MATMUL8, "bias": ints(0, 0, dtype="i64")}, QUANT, "biases of i32, found int64"),
    ("matmul", ROW8, {**MATMUL8, "weight": floats(1, 2, 6)}, QUANT, "weights of i8, found float32"),
    ("matmul", ROW8, {**MATMUL8, "bias": ints(0)}, QUANT, "2 biases, found 1"),
    (
        "matmul",
        ROW8,
        {name: MATMUL8[name] for name in ("weight", "bias", "shift")},
        QUANT,
        "multiplier, as the result is quantized, found none",
    ),
    (
        "matmul",
        ROW8,
        {**MATMUL8, "shift": ints(0, 0, dtype="i8")},
        QUANT,
        "as many multipliers as shifts: one or 2, found [1, 2]",
    ),
    ("matmul", ROW8, {**MATMUL8, "multiplier": ints(-1)}, QUANT, "multiplier of at least 0, found others"),
    (
        "matmul",
        ROW8,
        {**MATMUL8, "shift": ints(-32, dtype="i8")},
        QUANT,
        "shifts of at least -31, found others",
    ),
    (
        "batchnorm",
        ROW,
        {"scale": floats(6), "shift": floats(5)},
        None,
        "scale and shift of 6 channels, found [6, 5]",
    ),
    ("window", X, {**POOL, "groups": 3, "value": 0}, None, "groups that divide 2 channels, found 3"),
    ("window", IMAGE8, {**POOL, "groups": 1, "value": 300}, QUANT, "a value that i8 holds, found 300"),
    ("max_pool", X, WIDE, None, "a padded image of at most 33554432 elements, found 2199040032800"),
    (
        "max_pool",
        X,
        {**POOL, "kernel": (600, 600), "pads": ((600, 0), (600, 0))},
        None,
        "a kernel of at most 262144 taps, found (600, 600)",
    ),
    (
        "max_pool",
        IMAGE8,
        POOL,
        Quant((0.5,)),
        "one quantization of input and result, found i8[1,4,4,2]~0.5@0",
    ),
    (
        "average_pool",
        X,
        {**POOL, **AVERAGE, "pads": ((1, 0), (0, 0))},
        None,
        "values under each place of the kernel, found padding alone",
    ),
    (
        "average_pool",
        input_node("x", Type((1, 4, 4, 2), "i16", Quant((0.1,), 3))),
        {**POOL, **AVERAGE},
        Quant((0.1,), 3),
        "an int16 average of one quantization with the zero point 0, found i16[1,4,4,2]~0.1@3",
    ),
    ("max", ROW, {"size": 4}, None, "a size that divides the last axis, found f32[1,1]"),
    (
        "map",
        ROW8,
        {"function": "tanh", "table": floats(256)},
        None,
        "a table or a function, found both or neither",
    ),
    ("map", ROW8, {"function": "tanh"}, None, "a table, as the input is int8, found tanh"),
    ("map", ROW, {"function": "quantize"}, None, "a quantized result, found i8[1,6]"),
    ("map", ROW, {"table": floats(256)}, None, "a function, as the input is f32, found a table"),
    ("map", ROW8, {"table": floats(255)}, None, "a table of 256 values, found 255"),
    ("requantize", ROW8, {"ratio": -1.0}, QUANT, "a ratio of 0 to 1e+36, found -1.0"),
    ("leaky_relu", ROW8, {"alpha": 1e37}, QUANT, "an alpha that scales by at most 1e+36, found 1e+37"),
    ("prelu", ROW, {"alpha": floats(2, 6)}, None, "an alpha that broadcasts to f32[1,6], found (2, 6)"),
    ("prelu", ROW, {"alpha": floats(5)}, None, "attrs that go together in prelu, found f32[1,6]"),
    ("softmax", tensor("x"), {"beta": 1.0}, None, "an axis, found f32[]"),
    (
        "convert",
        WHOLE,
        {"dtype": "u32"},
        None,
        "a dtype that takes one step: i8, u8, i16, u16, i64, f32, bool, found u32",
    ),
    ("rescale", WHOLE, {**RESCALE, "multiplier": ints(1, 1)}, None, "1 multipliers, found 2"),
    (
        "rescale",
        WHOLE,
        {**RESCALE, "multiplier": ints(1, 1), "shift": ints(0, 0, dtype="i8")},
        None,
        "one shift, or one for each of [6], found 2",
    ),
    ("rescale", WHOLE, {**RESCALE, "multiplier": ints(-1)}, None, "shifts from -31, found others"),
    ("rescale", WHOLE, {**RESCALE, "lo": -129}, None, "lo and hi of i8, found -129 and 127"),
    ("rescale", WHOLE, {**RESCALE, "bound": 1 << 31}, None, "a bound below 2147483648, found 2147483648"),
    (
        "tile",
        tensor("x", 1),
        {"repeats": (1 << 25,)},
        None,
        "at most 16777216 elements, of which each needs an index, found f32[33554432]",
    ),
    (
        "slice",
        ROW,
        {"starts": (0, 0), "steps": (0, 1), "shape": (1, 6)},
        None,
        "steps other than 0, found (0, 1)",
    ),
    ("pad", WHOLE, {"pads": ((0, 0), (0, 1)), "value": 0.5}, None, "a value that i32 holds, found 0.5"),
    ("pad", WHOLE, {"pads": ((0, 0), (0, 1)), "value": math.nan}, None, "a value that i32 holds, found nan"),
    ("gather", ROW, {**REGION, "extents": (), "shape": (6,), "value": 0}, None, "1 to 5 extents, found 0"),
    (
        "gather",
        ROW,
        {**REGION, "extents": (1 << 26,), "shape": (6,), "value": 0},
        None,
        "a region of at most 33554432 elements, found (67108864,)",
    ),
    (
        "gather",
        ROW,
        {**REGION, "source_offset": 1, "shape": (6,), "value": 0},
        None,
        "a region inside the 6 elements of the source, found 1 to 6",
    ),
    (
        "gather",
        ROW,
        {**REGION, "target_strides": (-1,), "shape": (6,), "value": 0},
        None,
        "a region inside the 6 elements of the target, found -5 to 0",
    ),
    (
        "gather",
        ROW,
        {**REGION, "target_strides": (1, 1), "shape": (6,), "value": 0},
        None,
        "attrs that go together in gather, found f32[1,6]",
    ),
    ("take", ROW, {**TAKE, "index": ints(6)}, None, "indices of -1 to 5, found 6 to 6"),
    ("take", ROW, {**TAKE, "shape": (2,)}, None, "a shape of 1 elements, found f32[2]"),
    ("lookup", WHOLE, {"table": np.array(1.0, np.float32)}, None, "a table of rows, found a number"),
    (
        "fold",
        WHOLE,
        {"function": "sum", "outer": 1, "size": 6, "inner": 1, "shape": (2,)},
        None,
        "a shape of 1 elements, found i32[2]",
    ),
]


def drafted(op: str, source: Node, attrs: dict[str, Any], quant: Quant | None) -> Graph:
    """A node with the type that its op infers, or the input's where it infers none."""
    try:
        node = make(op, (source,), "y", quant, **attrs)
    except (KeyError, ValueError):
        node = Node(op, (source,), attrs, source.type, "y")
    return Graph((source,), (node,))


@pytest.mark.parametrize("index", range(len(CONDITIONS)))
def test_refuses_conditions(index: int) -> None:
    op, source, attrs, quant, wanted = CONDITIONS[index]
    found = message(graph_bytes(drafted(op, source, attrs, quant)))
    assert found == f"y: wanted {wanted}; write the file again"


def two(op: str, a: Node, b: Node, **attrs: Any) -> Graph:
    return Graph((a, b), (make(op, (a, b), "y", **attrs),))


def test_refuses_pairs() -> None:
    x, other = input_node("x", Type((2,), "bool")), input_node("z", Type((3,), "bool"))
    wanted = "y: wanted numbers to subtract, found bool[2]; write the file again"
    assert message(graph_bytes(two("binary", x, input_node("z", x.type), function="sub"))) == wanted
    narrow = input_node("z", Type((2, 1), "bool"))
    graph = Graph((x, narrow), (make("select", (x, x, narrow), "y"),))
    wanted = "y: wanted operands of one element or 4, found bool[2]; write the file again"
    assert message(graph_bytes(graph)) == wanted
    floats = tensor("z", 2)
    wanted = "y: wanted a source of bool, found f32[2]; write the file again"
    assert message(graph_bytes(two("insert", x, floats, **{**REGION, "extents": (2,)}))) == wanted
    wanted = "model: wanted inputs of different names, found x; write the file again"
    assert message(graph_bytes(Graph((x, other := input_node("x", other.type)), (x, other)))) == wanted


def test_refuses_leaves() -> None:
    value = constant(floats(2), "c")
    wrong = Graph((), (Node("constant", (), value.attrs, Type((3,), "f32"), "c"),))
    wanted = "c: wanted a value of f32[3], found float32[2]; write the file again"
    assert message(graph_bytes(wrong)) == wanted
    wide = Graph((), (constant(np.zeros(2), "c"),))
    wanted = "model: wanted outputs of a dtype that is computed, found f64[2]; write the file again"
    assert message(graph_bytes(wide)) == wanted
    state = state_node(floats(2), "s")
    graph = Graph((), (state,), (), (State(state, constant(floats(3), "n")),))
    wanted = "model: wanted a next value f32[2], found f32[3]; write the file again"
    assert message(graph_bytes(graph)) == wanted
