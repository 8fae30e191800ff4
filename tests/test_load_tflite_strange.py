"""Strange .tflite models, such as no converter writes: whole messages of their refusals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tflite_writer import Op, Subgraph, Tensor, constant, int8, write_subgraphs

from s2c.errors import CompileError
from s2c.readers.tflite import load_tflite

X, Y = Tensor("x", (1, 2)), Tensor("y", (1, 2))
HANDLE = Tensor("v", (), "resource")
MAKE_HANDLE = Op("VAR_HANDLE", [], ["v"], "VarHandle", {"SharedName": "sum"})


def one(op: str, inputs: Sequence[Tensor], output: Tensor, kind: str = "", **options: object) -> bytes:
    names = [each.name for each in inputs]
    return several([*inputs, output], Op(op, names, [output.name], kind, options))


def several(tensors: Sequence[Tensor], *ops: Op) -> bytes:
    return write_subgraphs([Subgraph(tensors, ops, ["y"])])


def ones(name: str, *shape: int) -> Tensor:
    return constant(name, np.ones(shape, np.float32))


def rnn(*weights: Tensor) -> bytes:
    state = Tensor("h", (1, 2), is_variable=True)
    return one("RNN", [X, *weights, state], Y, "RNN", FusedActivationFunction=0)


def svdf(feature: Tensor, time: Tensor) -> bytes:
    state = Tensor("h", (1, 2), is_variable=True)
    return several(
        [X, feature, time, state, Y], Op("SVDF", ["x", "f", "t", "", "h"], ["y"], "SVDF", {"Rank": 1})
    )


def branches() -> bytes:
    """An IF whose branches give a variable."""
    pick = Op("IF", ["c"], ["y"], "If", {"ThenSubgraphIndex": 1, "ElseSubgraphIndex": 1})
    main = Subgraph([Tensor("c", (1,), "bool"), Y], [pick], ["y"])
    return write_subgraphs([main, Subgraph([HANDLE], [MAKE_HANDLE], ["v"])])


STRANGE = {
    "alpha": (
        one("LEAKY_RELU", [X], Y, "LeakyRelu", Alpha=float("inf")),
        "y: wanted a finite Alpha for LEAKY_RELU, found inf; export the model again",
    ),
    "large alpha": (
        one("LEAKY_RELU", [int8("x", (2,), 1.0)], int8("y", (2,), 1.0), "LeakyRelu", Alpha=-1e30),
        "y: wanted scales whose quotient is below 1073741824 for LEAKY_RELU, found 1e+30; quantize it again",
    ),
    "beta": (
        one("SOFTMAX", [int8("x", (1, 2))], int8("y", (1, 2), 1 / 256, -128), "Softmax", Beta=float("nan")),
        "y: wanted a finite Beta for SOFTMAX, found nan; export the model again",
    ),
    "small scale of softmax": (
        one("SOFTMAX", [int8("x", (1, 2), 1e-9)], int8("y", (1, 2), 1 / 256, -128), "Softmax", Beta=1.0),
        "y: wanted an int8 softmax whose beta * scale is above 1.49012e-08, found 1e-09; "
        "quantize the input with a larger scale",
    ),
    "dequantized float": (
        one("DEQUANTIZE", [X], Y),
        "y: wanted int8 or int16 with one scale for DEQUANTIZE, found f32[1,2]; quantize the model again",
    ),
    "quantized without a scale": (
        one("QUANTIZE", [X], Tensor("y", (1, 2), "int8"), "Quantize"),
        "y: wanted a result of int8 or int16 with one scale for QUANTIZE, found i8[1,2]; "
        "quantize the model again",
    ),
    "function without a scale": (
        one("GELU", [int8("x", (2,))], Tensor("y", (2,), "int8"), "Gelu"),
        "y: wanted a result of int8 or int16 with one scale for GELU, found i8[2]; quantize the model again",
    ),
    "convolution without a scale": (
        one("CONV_2D", [int8("x", (1, 1, 1, 1)), constant("w", np.ones((1, 1, 1, 1), np.int8), (0.1,))],
            Tensor("y", (1, 1, 1, 1), "int8"), "Conv2D", StrideH=1, StrideW=1, DilationHFactor=1,
            DilationWFactor=1),
        "y: wanted a result of int8 with one scale for CONV_2D, found i8[1,1,1,1]; quantize it again",
    ),
    "biases of a convolution": (
        one("CONV_3D", [Tensor("x", (1, 1, 1, 1, 1)), ones("w", 1, 1, 1, 1, 1), ones("b", 2)],
            Tensor("y", (1, 1, 1, 1, 1)), "Conv3D", StrideD=1, StrideH=1, StrideW=1, DilationDFactor=1,
            DilationHFactor=1, DilationWFactor=1),
        "y: wanted 1 float32 biases for CONV_3D, found float32[2]; convert it again",
    ),
    "large scale of int16": (
        one("TANH", [Tensor("x", (2,), "int16", (1e17,), (0,))],
            Tensor("y", (2,), "int16", (1 / (1 << 15),), (0,))),
        "y: wanted an input scale below 2.66 for TANH, found 1e+17; quantize it again",
    ),
    "table without rows": (
        one("EMBEDDING_LOOKUP", [Tensor("x", (2,), "int32"), ones("table")], Tensor("y", (2,))),
        "y: wanted an axis of 0 for EMBEDDING_LOOKUP, found 0; export the model again",
    ),
    "two scales of an input": (
        one("RELU", [Tensor("x", (2,), "int8", (0.1, 0.2), (0, 0))], int8("y", (2,))),
        "y: wanted float32, or int8 with one scale for RELU, found i8[2]~2 scales@0; "
        "quantize the model to int8, or not at all",
    ),
    "negative unsigned": (
        one("NEG", [Tensor("x", (2,), "uint32")], Tensor("y", (2,), "uint32")),
        "y: wanted float32 or signed integers for NEG, found u32[2]; cast its input",
    ),
    "narrow shape": (
        one("SHAPE", [Tensor("x", (300,))], Tensor("y", (1,), "int8")),
        "y: wanted a result of int32 or int64 for SHAPE, found i8; export the model again",
    ),
    "weights of one axis": (
        rnn(ones("w", 2), ones("r", 2, 2), ones("b", 2)),
        "y: wanted weights of two axes for RNN, found [2]; convert it again",
    ),
    "other biases": (
        rnn(ones("w", 2, 2), ones("r", 2, 2), ones("b", 1, 2)),
        "y: wanted 2 biases for RNN, found [1, 2]; convert it again",
    ),
    "time weights of one axis": (
        svdf(ones("f", 2, 2), ones("t", 2)),
        "y: wanted time weights of two axes for SVDF, found [2]; convert it again",
    ),
    "huge on the way": (
        one("TRANSPOSE_CONV", [constant("size", np.array([1, 3, 1, 1], np.int32)), ones("w", 1, 1, 1, 1),
            Tensor("x", (1, 3, 1, 1))], Tensor("y", (1, 3, 1, 1)), "TransposeConv", StrideH=(1 << 31) - 1,
            StrideW=1),
        "y: wanted at most 268435456 elements within, found [1, 4294967295, 1, 1]; "
        "rebuild the model with less",
    ),
    "its own input": (
        several([X, Y], Op("ADD", ["x", "y"], ["y"], "Add")),
        "y: wanted inputs that are made before, found y, which is not; export the model again",
    ),
    "made twice": (
        several([X, Y], Op("ABS", ["x"], ["y", "y"])),
        "model: wanted a whole .tflite file, found damage: a tensor that is made twice; "
        "export or download the file again",
    ),
    "result of an assignment": (
        several([HANDLE, X, Y], MAKE_HANDLE, Op("ASSIGN_VARIABLE", ["v", "x"], ["y"], "AssignVariable")),
        "y: wanted 0 outputs of ASSIGN_VARIABLE, found 1; export it again",
    ),
    "nothing to assign": (
        several([HANDLE, X, Y], MAKE_HANDLE, Op("ASSIGN_VARIABLE", ["v"], [], "AssignVariable"),
            Op("ABS", ["x"], ["y"])),
        "model: wanted input 1 of ASSIGN_VARIABLE, found none; export the model again",
    ),
    "variable of a branch": (
        branches(),
        "y: wanted branches that give tensors, found a variable; read it in the branches",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_refuses(name: str) -> None:
    model, wanted = STRANGE[name]
    with pytest.raises(CompileError) as caught:
        load_tflite(model, {}, {})
    assert str(caught.value) == wanted
