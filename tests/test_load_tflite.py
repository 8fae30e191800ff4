"""The .tflite reader: shapes, bound inputs, whole messages of refusals, and damaged files."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import numpy as np
import pytest
from nets import data
from tflite_writer import Op, Tensor, constant, int8, write

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
        Op("SIN", ["x"], ["a"]),
        Op("RELU", ["a"], ["b"]),
        Op("COS", ["b"], ["c"]),
        Op("Secret", ["x"], ["d"]),
    ]
    assert message(write(tensors, ops, ["b", "c", "d"])).splitlines() == [
        "a: wanted an op that s2c reads from .tflite, found SIN; rebuild the model without it",
        "c: wanted an op that s2c reads from .tflite, found COS; rebuild the model without it",
        "d: wanted an op that s2c reads from .tflite, found the custom op 'Secret'; "
        "rebuild the model without it",
    ]


X, Y = Tensor("x", (1, 2)), Tensor("y", (1, 2))
INT8_WEIGHT = constant("weight", np.ones((2, 2), np.int8), (0.1,))
HALF_WEIGHT = constant("weight", np.ones((2, 2), np.float16))
OPEN = Tensor("x", (1, 1, 3), signature=(1, -1, 3))

REFUSED = {
    "dynamic range": (
        one("FULLY_CONNECTED", [X, INT8_WEIGHT], Y, "FullyConnected"),
        "y: wanted weights and activations of one dtype for FULLY_CONNECTED, found int8 weights with float32 "
        "activations (dynamic range quantization); quantize the activations too (full integer quantization), "
        "or keep float32 weights",
    ),
    "float16 weights": (
        one("FULLY_CONNECTED", [X, HALF_WEIGHT], Y, "FullyConnected"),
        "weight: wanted a tensor of float32 or int8, found float16; "
        "convert the model without float16 quantization",
    ),
    "uint8": (
        one("RELU", [Tensor("x", (2,), "uint8", (0.1,), (3,))], Tensor("y", (2,), "uint8", (0.1,), (3,))),
        "x: wanted a tensor of float32 or int8, found uint8; "
        "quantize the model to int8, inputs and outputs too",
    ),
    "int16": (
        one("RELU", [Tensor("x", (2,), "int16", (0.1,), (0,))], Tensor("y", (2,), "int16", (0.1,), (0,))),
        "x: wanted a tensor of float32 or int8, found int16; quantize the activations to int8",
    ),
    "state": (
        one("ADD", [X, Tensor("memory", (1, 2), is_variable=True)], Y, "Add"),
        "memory: wanted no state, found a variable; export the model without state",
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
    "two subgraphs": (
        write([X, Y], [Op("TANH", ["x"], ["y"])], ["y"], subgraphs=2),
        "model: wanted one subgraph, found 2; export it without control flow and state",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
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
        tmp_path: "wanted a readable file, found Is a directory; check the path",
        text: "wanted a .tflite or .onnx file, found .txt; export the model to one of them",
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
