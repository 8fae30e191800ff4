"""The .tflite reader: shapes, bound inputs, whole messages of refusals, and damaged files."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import numpy as np
import pytest
from nets import data
from tflite_writer import Op, Subgraph, Tensor, constant, int8, write, write_subgraphs

from s2c import oracle
from s2c.errors import CompileError
from s2c.ir import Quant
from s2c.readers import load_model
from s2c.readers.tflite import load_tflite

DENSE_OPTIONS = {"FusedActivationFunction": 1}


def one(op: str, inputs: list[Tensor], output: Tensor, kind: str = "", **options: object) -> bytes:
    names = [each.name for each in inputs]
    return write([*inputs, output], [Op(op, names, [output.name], kind, options)], [output.name])


def message(model: bytes, **given: dict[str, object]) -> str:
    with pytest.raises(CompileError) as caught:
        load_tflite(model, given.get("dims", {}), given.get("consts", {}))
    return str(caught.value)


def small_net() -> bytes:
    """Two layers of int8 with a shape that is computed from constants."""
    weight = constant("weight", np.arange(-12, 12, dtype=np.int8).reshape(4, 6), (0.01,))
    bias = constant("bias", np.arange(4, dtype=np.int32), (0.001,))
    sizes = [constant("two", np.array([2], np.int32)), constant("three", np.array([3], np.int32))]
    tensors = [
        int8("x", (6,), 0.1, 3),
        *sizes,
        Tensor("shape", (2,), "int32"),
        int8("grid", (2, 3), 0.1, 3),
        weight,
        bias,
        int8("scores", (1, 4), 0.02, -5),
        int8("classes", (1, 4), 1 / 256, -128),
    ]
    ops = [
        Op("CONCATENATION", ["two", "three"], ["shape"], "Concatenation", {"Axis": 0}),
        Op("RESHAPE", ["x", "shape"], ["grid"], "Reshape"),
        Op("FULLY_CONNECTED", ["grid", "weight", "bias"], ["scores"], "FullyConnected", DENSE_OPTIONS),
        Op("SOFTMAX", ["scores"], ["classes"], "Softmax", {"Beta": 1.0}),
    ]
    return write(tensors, ops, ["classes"])


def test_reads_a_net() -> None:
    graph = load_tflite(small_net(), {}, {})
    assert [node.op for node in graph.nodes()] == ["input", "reshape", "reshape", "dense", "softmax"]
    assert [node.layer for node in graph.nodes()] == ["x", "grid", "scores", "scores", "classes"]
    assert graph.output_names == ("classes",)
    dense = graph.nodes()[3]
    assert dense.type.quant == Quant((float(np.float32(0.02)),), -5)
    assert dense.attrs["lo"] == 0.0
    assert "hi" not in dense.attrs


def test_sets_the_batch() -> None:
    model = one("RELU", [Tensor("x", (1, 3), signature=(-1, 3))], Tensor("y", (1, 3), signature=(-1, 3)))
    for dims, batch in (({}, 1), ({"batch": 4}, 4), ({"x.0": 2}, 2)):
        assert load_tflite(model, dims, {}).outputs[0].type.shape == (batch, 3)


def test_binds_an_input() -> None:
    model = one(
        "PAD",
        [Tensor("x", (2,)), Tensor("pads", (1, 2), "int32")],
        Tensor("y", (5,)),
    )
    graph = load_tflite(model, {}, {"pads": np.array([[1, 2]], np.int32)})
    assert [node.layer for node in graph.inputs] == ["x"]
    np.testing.assert_array_equal(
        oracle.run(graph, np.array([3, 4], np.float32))[0], np.array([0, 3, 4, 0, 0], np.float32)
    )


def test_elu() -> None:
    """LiteRT has no reference kernel for it."""
    graph = load_tflite(one("ELU", [Tensor("x", (3,))], Tensor("y", (3,))), {}, {})
    (found,) = oracle.run(graph, np.array([-1, 0, 2], np.float32))
    np.testing.assert_allclose(found, [np.expm1(-1), 0, 2], rtol=1e-6)


def test_dequantized_constants_are_weights() -> None:
    stored = constant("stored", np.array([[1, -2], [3, 4]], np.int8), (0.5,))
    tensors = [Tensor("x", (1, 2)), stored, Tensor("weight", (2, 2)), Tensor("y", (1, 2))]
    ops = [
        Op("DEQUANTIZE", ["stored"], ["weight"], "Dequantize"),
        Op("FULLY_CONNECTED", ["x", "weight"], ["y"], "FullyConnected"),
    ]
    graph = load_tflite(write(tensors, ops, ["y"]), {}, {})
    np.testing.assert_array_equal(graph.outputs[0].attrs["weight"], [[0.5, -1.0], [1.5, 2.0]])


def test_every_problem_at_once() -> None:
    tensors = [Tensor("x", (2,)), *(Tensor(name, (2,)) for name in ("a", "b", "c", "d"))]
    ops = [
        Op("UNIQUE", ["x"], ["a"]),
        Op("RELU", ["a"], ["b"]),
        Op("HASHTABLE", ["x"], ["c"]),
        Op("Secret", ["x"], ["d"]),
    ]
    assert message(write(tensors, ops, ["b", "c", "d"])).splitlines() == [
        "a: wanted an op that s2c reads from .tflite, found UNIQUE; rebuild the model without it",
        "c: wanted an op that s2c reads from .tflite, found HASHTABLE; rebuild the model without it",
        "d: wanted an op that s2c reads from .tflite, found the custom op 'Secret'; "
        "rebuild the model without it",
    ]


X, Y = Tensor("x", (1, 2)), Tensor("y", (1, 2))
OPEN = Tensor("x", (1, 1, 3), signature=(1, -1, 3))


def test_narrow_weights_are_dequantized() -> None:
    """float16 and int8 weights of a float layer, the latter with a scale for each output."""
    values = np.array([[1, -2], [3, 4]])
    for weight, scale in (
        (constant("weight", values.astype(np.float16)), 1.0),
        (constant("weight", values.astype(np.int8), (0.5, 0.25)), np.array([[0.5], [0.25]])),
    ):
        graph = load_tflite(one("FULLY_CONNECTED", [X, weight], Y, "FullyConnected"), {}, {})
        np.testing.assert_array_equal(graph.outputs[0].attrs["weight"], (values * scale).astype(np.float32))


def test_uint8_stays_uint8_outside() -> None:
    x, y = (Tensor(name, (2,), "uint8", (0.1,), (3,)) for name in "xy")
    graph = load_tflite(one("RELU", [x], y), {}, {})
    assert [str(node.type) for node in graph.nodes()] == [
        "u8[2]~0.1@3",
        "i8[2]~0.1@-125",
        "i8[2]~0.1@-125",
        "u8[2]~0.1@3",
    ]
    assert oracle.run(graph, np.array([1, 200], np.uint8))[0].tolist() == [3, 200]


def test_a_variable_that_nobody_assigns_is_a_constant() -> None:
    memory = Tensor("memory", (1, 2), is_variable=True)
    graph = load_tflite(one("ADD", [X, memory], Y, "Add"), {}, {})
    assert graph.states == ()
    assert [node.op for node in graph.nodes()] == ["input", "constant", "add"]


NUMPY = {
    "CEIL": (one("CEIL", [X], Y), np.ceil),
    "ROUND": (one("ROUND", [X], Y), np.rint),
    "BROADCAST_TO": (
        one("BROADCAST_TO", [X, constant("shape", np.array([3, 1, 2], np.int32))], Tensor("y", (3, 1, 2))),
        lambda x: np.broadcast_to(x, (3, 1, 2)),
    ),
    "LOCAL_RESPONSE_NORMALIZATION": (
        one("LOCAL_RESPONSE_NORMALIZATION", [X], Y, "LocalResponseNormalization", Radius=1, Bias=2.0,
            Alpha=0.5, Beta=0.75),
        lambda x: x / (2 + 0.5 * (x * x).sum(axis=1, keepdims=True)) ** 0.75,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMPY)
def test_what_litert_lacks_or_does_otherwise(name: str) -> None:
    """No reference kernel, or, for the norm, one that leaves out the window's last channel."""
    model, wanted = NUMPY[name]
    x = np.array([[-1.5, 2.5]], np.float32)
    np.testing.assert_allclose(oracle.run(load_tflite(model, {}, {}), x)[0], wanted(x), rtol=1e-6)


def test_int8_sum_saturates() -> None:
    """The rounded product; LiteRT's kernel takes negative sums for large positive ones."""
    x, axes = int8("x", (1, 4), 0.07), constant("axes", np.array([1], np.int32))
    model = one("SUM", [x, axes], int8("y", (1,), 0.5, 1), "Reducer")
    graph = load_tflite(model, {}, {})
    for values, wanted in (([1, 2, 3, 4], 3), ([-10, -10, -10, -10], -5), ([-128] * 4, -71), ([127] * 4, 72)):
        assert oracle.run(graph, np.array([values], np.int8))[0].tolist() == [wanted]


LOOP = [
    Subgraph([Tensor("x", (1,)), Tensor("y", (1,))], [Op("WHILE", ["x"], ["y"], "While",
        {"CondSubgraphIndex": 1, "BodySubgraphIndex": 2})], ["y"]),
    Subgraph([Tensor("x", (1,)), constant("zero", np.zeros(1, np.float32)), Tensor("t", (1,), "bool")],
             [Op("LESS", ["zero", "x"], ["t"])], ["t"], ["x"]),
    Subgraph([Tensor("x", (1,)), Tensor("y", (1,))], [Op("NEG", ["x"], ["y"])], ["y"], ["x"]),
]  # fmt: skip
ENDLESS = [
    Subgraph([*(Tensor(name, (1,)) for name in "xzy"), constant("one", np.ones(1, np.float32))],
             [Op("WHILE", ["one"], ["z"], "While", {"CondSubgraphIndex": 1, "BodySubgraphIndex": 2}),
              Op("ADD", ["x", "z"], ["y"], "Add")], ["y"]),
    LOOP[1],
    Subgraph([Tensor("x", (1,)), Tensor("y", (1,))], [Op("ABS", ["x"], ["y"])], ["y"], ["x"]),
]  # fmt: skip

REFUSED = {
    "complex": (
        one("ABS", [Tensor("x", (2,), "complex64")], Tensor("y", (2,))),
        "x: wanted a tensor of float32, float16, bool or integers, found complex64; "
        "rebuild the model without it",
    ),
    "two dtypes": (
        one("SUB", [int8("x", (2,)), Tensor("z", (2,), "int16", (0.1,), (0,))], int8("y", (2,)), "Sub"),
        "y: wanted operands and result of one dtype for SUB, found i8[2]~0.1@0, i16[2]~0.1@0 and i8; "
        "quantize the model again",
    ),
    "scales of powers of two": (
        one("ADD", [Tensor("x", (2,), "int16", (0.5,), (0,)), Tensor("z", (2,), "int16", (0.25,), (0,))],
            Tensor("y", (2,), "int16", (0.5,), (0,)), "Add", PotScaleInt16=True),
        "y: wanted scales of which one is no power of two for ADD, found [0.5, 0.25, 0.5]; "
        "convert it without pot_scale_int16",
    ),
    "float to int16": (
        one("QUANTIZE", [Tensor("x", (2,))], Tensor("y", (2,), "int16", (0.1,), (0,)), "Quantize"),
        "y: wanted a result of int8 for QUANTIZE, found i16; feed int16 values to the net",
    ),
    "no number": (
        one("DIV", [int8("x", (2,)), int8("z", (2,))], int8("y", (2,)), "Div"),
        "y: wanted float32 or integers without a scale for DIV, found i8[2]~0.1@0; keep this layer in float",
    ),
    "unknown loop": (
        write_subgraphs(LOOP),
        "y: wanted a loop whose number of steps is known, found a condition that depends on an input; "
        "bind that input with --const, or export the loop unrolled",
    ),
    "endless loop": (
        write_subgraphs(ENDLESS),
        "model: wanted at most 32768 layers, found more; make its loops shorter",
    ),
    "no variable": (
        one("READ_VARIABLE", [X], Y, "ReadVariable"),
        "y: wanted a variable for READ_VARIABLE, found none; make it by a VAR_HANDLE",
    ),
    "wide sums": (
        one("BATCH_MATMUL", [int8("x", (1, 200000)), int8("z", (200000, 1))], int8("y", (1, 1)),
            "BatchMatMul"),
        "y: wanted sums that int32 holds for BATCH_MATMUL, found 200000 products; split the layer in two",
    ),
    "large range": (
        one("FILL", [constant("dims", np.array([9999, 9999, 99], np.int32)), Tensor("x", (2,))],
            Tensor("y", (1, 2))),
        "y: wanted a shape that f32[2] broadcasts to, found [9999, 9999, 99]; check the layer's shape",
    ),
    "long running sum": (
        one("CUMSUM", [Tensor("x", (1, 5000)), constant("axis", np.int32(1))], Tensor("y", (1, 5000)),
            "Cumsum"),
        "y: wanted an extent of at most 4096 for CUMSUM, found 5000; rebuild the model with less",
    ),
    "large state": (
        one("ADD", [X, Tensor("memory", (1 << 25,), is_variable=True)], Y, "Add"),
        "memory (0.1): wanted at most 16777216 elements of state, found f32[33554432]; "
        "rebuild the model with less state",
    ),
    "no scale of the result": (
        one("SUB", [int8("x", (2,)), int8("z", (2,))], Tensor("y", (2,), "int8"), "Sub"),
        "y: wanted a result of int8 or int16 with one scale for SUB, found i8[2]; quantize the model again",
    ),
    "other matrices": (
        one("BATCH_MATMUL", [Tensor("x", (2, 3)), Tensor("z", (2, 3))], Y, "BatchMatMul"),
        "y: wanted two stacks of matrices that fit together for BATCH_MATMUL, found (2, 3) and (2, 3); "
        "check their shapes",
    ),
    "no bias of int64": (
        one("FULLY_CONNECTED", [Tensor("x", (1, 2), "int16", (0.1,), (0,)),
            constant("w", np.ones((2, 2), np.int8), (0.1,)), constant("b", np.ones(2, np.int32), (0.01,))],
            Tensor("y", (1, 2), "int16", (0.1,), (0,)), "FullyConnected"),
        "y: wanted 2 int64 biases for FULLY_CONNECTED, found int32[2]; convert it again",
    ),
    "far scales": (
        one("SUB", [int8("x", (2,), 1e9), int8("z", (2,))], int8("y", (2,), 1e-9), "Sub"),
        "y: wanted scales whose quotient is below 1073741824 for SUB, found 1.90735e+12; quantize it again",
    ),
    "large one-hot": (
        one("ONE_HOT", [Tensor("x", (2,), "int32"), constant("d", np.int32(1 << 30)),
            constant("on", np.float32(1)), constant("off", np.float32(0))], Y, "OneHot", Axis=-1),
        "y: wanted a depth of 1 to 16777216 for ONE_HOT, found 1073741824; rebuild the model",
    ),
    "mirror": (
        one("MIRROR_PAD", [X, constant("pads", np.array([[0, 0], [2, 0]], np.int32))], Y, "MirrorPad"),
        "y: wanted two pads for each axis of [1, 2], no larger for MIRROR_PAD, found (0, 0, 2, 0); "
        "pad by less",
    ),
    "no scale": (
        one("TANH", [Tensor("x", (2,), "int8")], int8("y", (2,))),
        "y: wanted float32, or int8 with one scale for TANH, found i8[2]; "
        "quantize the model to int8, or not at all",
    ),
    "other shape": (
        one("TANH", [X], Tensor("y", (2, 1))),
        "y: wanted f32[2,1], as the file declares, found f32[1,2]; export the model again",
    ),
    "other scale": (
        one("AVERAGE_POOL_2D", [int8("x", (1, 1, 1, 1), 0.1)], int8("y", (1, 1, 1, 1), 0.2), "Pool2D",
            FilterHeight=1, FilterWidth=1, StrideH=1, StrideW=1),
        "y: wanted one scale and zero point for input and output for AVERAGE_POOL_2D, found 0.1@0 and 0.2@0; "
        "quantize the model again",
    ),
    "asymmetric weights": (
        one("FULLY_CONNECTED", [int8("x", (1, 2)), constant("weight", np.ones((2, 2), np.int8), (0.1,), 3)],
            int8("y", (1, 2)), "FullyConnected"),
        "y: wanted symmetric int8 weights with 1 or 2 scales on axis 0 for FULLY_CONNECTED, "
        "found 1 scales, zero point 3, axis None; quantize the model again",
    ),
    "computed weights": (
        one("FULLY_CONNECTED", [X, Tensor("weight", (2, 2))], Y, "FullyConnected"),
        "y: wanted constant weights for FULLY_CONNECTED, found computed ones; "
        "bind the input that they come from with --const",
    ),
    "stride": (
        one("MAX_POOL_2D", [Tensor("x", (1, 4, 4, 1))], Tensor("y", (1, 2, 2, 1)), "Pool2D",
            FilterHeight=2, FilterWidth=2, StrideH=0, StrideW=2),
        "y: wanted StrideH between 1 and 2147483647 for MAX_POOL_2D, found 0; export the model again",
    ),
    "unknown dimension": (
        one("TANH", [OPEN], Tensor("y", (1, 1, 3))),
        "x: wanted a known extent of axis 1, found none; set it with --dim x.1=N",
    ),
}  # fmt: skip


SLOW = {"endless loop"}


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.build] * (each in SLOW)) for each in REFUSED]
)
def test_refuses(name: str) -> None:
    model, wanted = REFUSED[name]
    assert message(model) == wanted


def test_refuses_unknown_names() -> None:
    model = one("TANH", [OPEN], Tensor("y", (1, 1, 3)))
    assert message(model, dims={"x.1": 2, "batch": 1}) == (
        "model: wanted --dim of x.1, found batch; check the name"
    )
    assert message(model, dims={"x.1": 2}, consts={"z": np.zeros(1)}) == (
        "model: wanted --const of x, found z; check the name"
    )
    assert message(one("TANH", [X], Y), dims={"batch": 2}) == (
        "model: wanted no --dim, as there is nothing to set, found batch; check the name"
    )
    assert message(model, consts={"x": np.zeros((1, 2, 4), np.float32)}) == (
        "x: wanted --const of float32[1, ?, 3], found float32[1, 2, 4]; save another array"
    )


def test_refuses_files(tmp_path: Path) -> None:
    text, empty, short = (tmp_path / name for name in ("net.txt", "empty.tflite", "short.tflite"))
    text.write_text("hello")
    empty.write_bytes(b"")
    short.write_bytes(small_net()[:200])
    wrong = tmp_path / "wrong.tflite"
    wrong.write_text("this is no flatbuffer")
    wanted = {
        tmp_path / "none.tflite": "wanted a model file, found none; check the path",
        tmp_path: "wanted a model file, found no ordinary file; check the path",
        text: "wanted a .tflite, .onnx, .pt2, .h5, .nam, RTNeural .json or .s2c file, found .txt; export the "
        "model to one of them",
        empty: "wanted a model file, found an empty one; export or download the file again",
    }
    for path, expected in wanted.items():
        with pytest.raises(CompileError) as caught:
            load_model(path, {}, {})
        assert str(caught.value) == f"{path}: {expected}"
    with pytest.raises(CompileError) as caught:
        load_model(wrong, {}, {})
    assert str(caught.value) == (
        f"{wrong.name}: wanted a whole .tflite file, found one without the identifier TFL3 at bytes 4 to 8; "
        "export or download the file again"
    )
    with pytest.raises(CompileError, match=rf"^{short.name}: wanted a whole \.tflite file, found damage"):
        load_model(short, {}, {})


def survives(model: bytes) -> None:
    """Reads, or ends in a CompileError; anything else fails the test."""
    with contextlib.suppress(CompileError):
        load_tflite(model, {}, {})


@pytest.mark.build
@pytest.mark.parametrize("name", ["small", "mlperf_tiny/kws_ref_model"])
def test_survives_damage(name: str) -> None:
    model = small_net() if name == "small" else data(f"{name}.tflite").read_bytes()
    for part in range(200):
        survives(model[: len(model) * part // 200])
    dice = random.Random(0)
    for _ in range(500):
        damaged = bytearray(model)
        for _ in range(dice.choice((1, 1, 4))):
            # Structure stands at both ends, weights between them.
            near = dice.choice((min(len(model), 4000), len(model)))
            place = dice.choice((dice.randrange(near), len(model) - 1 - dice.randrange(near)))
            damaged[place] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        survives(bytes(damaged))
