"""Models of one op, by name: the .tflite ops on float32, plain integers and bool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tflite_cases import Case, integers, model
from tflite_writer import Op, Tensor, constant, write

RANDOM = np.random.default_rng(2)


def pairs() -> Iterator[Case]:
    shapes = ((2, 3, 5), (3, 1))
    kinds = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div"}
    for dtype in ("float32", "int32", "int64"):
        a, b = (Tensor(name, shape, dtype) for name, shape in zip("ab", shapes, strict=True))
        y = Tensor("y", (2, 3, 5), dtype)
        ops = ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"]
        ops += ["DIV", "POW", "FLOOR_MOD"] if dtype == "float32" else []
        for op in ops:
            if (op, dtype) == ("SQUARED_DIFFERENCE", "int64"):
                continue
            yield model(f"{op} {dtype}", op, [a, b], y, kinds.get(op, ""))
        divisor = constant("b", RANDOM.choice([-7, -2, 1, 3, 5], (3, 1)).astype(dtype))
        for op in ("FLOOR_DIV", "FLOOR_MOD", "DIV"):
            if (op, dtype) not in (("DIV", "int64"), ("FLOOR_DIV", "int64")):
                yield model(f"{op} {dtype} by a constant", op, [a, divisor], y, kinds.get(op, ""))
        for op in ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL"):
            yield model(f"{op} {dtype}", op, [a, b], Tensor("y", (2, 3, 5), "bool"))
        condition = Tensor("c", (3, 1), "bool")
        yield model(f"SELECT_V2 {dtype}", "SELECT_V2", [condition, a, b], y, "SelectV2")
        rows = [Tensor("c", (2,), "bool"), a, Tensor("b", (2, 3, 5), dtype)]
        yield model(f"SELECT {dtype}", "SELECT", rows, y, "Select")
    yield model("ADD int32 relu", "ADD", [Tensor("a", (3,), "int32"), Tensor("b", (3,), "int32")],
                Tensor("y", (3,), "int32"), "Add", FusedActivationFunction=1)  # fmt: skip
    yield model("ATAN2", "ATAN2", [Tensor("a", (3, 4)), Tensor("b", (3, 4))], Tensor("y", (3, 4)))
    yield model("POW 2", "POW", [Tensor("a", (3, 4)), constant("b", np.float32([2]))], Tensor("y", (3, 4)))
    three = [Tensor(name, (3, 4)) for name in "abc"]
    yield model("ADD_N", "ADD_N", three, Tensor("y", (3, 4)))


def unaries() -> Iterator[Case]:
    for op in ("SIN", "COS", "FLOOR", "SIGN", "LOG_SOFTMAX"):
        yield model(op, op, [Tensor("x", (3, 50))], Tensor("y", (3, 50)))
    for op in ("ABS", "NEG"):
        yield model(f"{op} int32", op, [Tensor("x", (3, 50), "int32")], Tensor("y", (3, 50), "int32"))
    yield model("LOGICAL_NOT", "LOGICAL_NOT", [Tensor("x", (9,), "bool")], Tensor("y", (9,), "bool"))
    for op in ("LOGICAL_AND", "LOGICAL_OR"):
        inputs = [Tensor("a", (4, 5), "bool"), Tensor("b", (5,), "bool")]
        yield model(op, op, inputs, Tensor("y", (4, 5), "bool"))
    for a in ("float32", "int32", "int64", "int8", "uint8", "bool", "int16"):
        for b in ("float32", "int32", "int64", "int8", "uint8", "bool", "int16"):
            if a != b and not (a == "float32" and b in ("uint8", "int8")):
                yield model(f"CAST {a} {b}", "CAST", [Tensor("x", (3, 5), a)], Tensor("y", (3, 5), b), "Cast")


def reductions() -> Iterator[Case]:
    for shape, axes in (((2, 7, 5, 3), (1, 2)), ((2, 7, 5, 3), (-1,)), ((4, 6), (0, 1)), ((3, 4, 5), (0, 2))):
        for keep in (False, True):
            reduced = {axis % len(shape) for axis in axes}
            result = tuple(1 if i in reduced else e for i, e in enumerate(shape) if keep or i not in reduced)
            for op in ("SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "MEAN", "REDUCE_ANY", "REDUCE_ALL"):
                dtypes = ("bool",) if op in ("REDUCE_ANY", "REDUCE_ALL") else ("float32", "int32")
                for dtype in dtypes:
                    inputs = [Tensor("x", shape, dtype), integers("axes", *axes)]
                    name = f"{op} {dtype} {shape} {axes} keep {keep}"
                    yield model(name, op, inputs, Tensor("y", result, dtype), "Reducer", KeepDims=keep)
    for op in ("ARG_MAX", "ARG_MIN"):
        for axis, result in ((1, (3, 5)), (-1, (3, 4)), (0, (4, 5))):
            for dtype in ("float32", "int32", "int8"):
                inputs = [Tensor("x", (3, 4, 5), dtype), integers("axis", axis)]
                y = Tensor("y", result, "int64" if axis else "int32")
                kind = "ArgMax" if op == "ARG_MAX" else "ArgMin"
                yield model(f"{op} {dtype} {axis}", op, inputs, y, kind, OutputType=4 if axis else 2)
    for dtype in ("float32", "int32"):
        for exclusive, reverse, axis in (
            (False, False, 1),
            (True, False, 0),
            (False, True, 2),
            (True, True, 1),
        ):
            inputs = [Tensor("x", (3, 4, 5), dtype), integers("axis", axis)]
            options = {"Exclusive": exclusive, "Reverse": reverse}
            y = Tensor("y", (3, 4, 5), dtype)
            yield model(f"CUMSUM {dtype} {axis} {options}", "CUMSUM", inputs, y, "Cumsum", **options)


def movements() -> Iterator[Case]:
    def x(*shape: int, dtype: str = "float32") -> Tensor:
        return Tensor("x", shape, dtype)

    def y(*shape: int, dtype: str = "float32") -> Tensor:
        return Tensor("y", shape, dtype)

    pads = constant("pads", np.array([[0, 0], [1, 2], [2, 1], [0, 0]], np.int32))
    block, crops = integers("block", 2, 3), constant("crops", np.array([[0, 1], [1, 0]], np.int32))
    rows: list[tuple[str, list[Tensor], Tensor, str, dict[str, Any]]] = [
        ("TILE", [x(2, 1, 3), integers("times", 2, 3, 1)], y(4, 3, 3), "Tile", {}),
        ("MIRROR_PAD", [x(1, 3, 4, 2), pads], y(1, 6, 7, 2), "MirrorPad", {"Mode": 0}),
        ("MIRROR_PAD", [x(1, 3, 4, 2), pads], y(1, 6, 7, 2), "MirrorPad", {"Mode": 1}),
        ("REVERSE_V2", [x(2, 4, 3), integers("axis", 1)], y(2, 4, 3), "ReverseV2", {}),
        ("REVERSE_SEQUENCE", [x(3, 5, 2), integers("n", 2, 5, 1)], y(3, 5, 2), "ReverseSequence",
         {"SeqDim": 1, "BatchDim": 0}),
        ("SPACE_TO_DEPTH", [x(1, 4, 6, 3)], y(1, 2, 3, 12), "SpaceToDepth", {"BlockSize": 2}),
        ("DEPTH_TO_SPACE", [x(1, 2, 3, 12)], y(1, 4, 6, 3), "DepthToSpace", {"BlockSize": 2}),
        ("SPACE_TO_BATCH_ND", [x(2, 3, 5, 2), block, crops], y(12, 2, 2, 2), "SpaceToBatchND", {}),
        ("BATCH_TO_SPACE_ND", [x(12, 2, 2, 2), block, crops], y(2, 3, 5, 2), "BatchToSpaceND", {}),
        ("FILL", [integers("dims", 2, 3), x()], y(2, 3), "Fill", {}),
        ("SHAPE", [x(2, 3)], y(2, dtype="int32"), "Shape", {"OutType": 2}),
        ("RANK", [x(2, 3)], y(dtype="int32"), "Rank", {}),
        ("ZEROS_LIKE", [x(2, 3)], y(2, 3), "ZerosLike", {}),
        ("RANGE", [constant("a", np.int32(2)), constant("b", np.int32(11)), constant("c", np.int32(3))],
         y(3, dtype="int32"), "Range", {}),
        ("BROADCAST_ARGS", [integers("a", 3, 1), integers("b", 2, 1, 4)], y(3, dtype="int32"), "", {}),
        ("GATHER", [x(4, 5, 2), integers("index", 3, 0, 3)], y(4, 3, 2), "Gather", {"Axis": 1}),
        ("GATHER", [x(2, 5, 3), constant("i", np.array([[3, 0], [1, 1]], np.int32))], y(2, 2, 3), "Gather",
         {"Axis": 1, "BatchDims": 1}),
        ("GATHER_ND", [x(4, 5, 2), constant("i", np.array([[3, 0], [1, 4]], np.int32))], y(2, 2), "", {}),
        ("SCATTER_ND", [constant("i", np.array([[3], [1], [3]], np.int32)), x(3, 2), integers("s", 5, 2)],
         y(5, 2), "", {}),
        ("ONE_HOT", [x(3, 2, dtype="int32"), constant("d", np.int32(4)), constant("on", np.float32(2)),
                     constant("off", np.float32(-1))], y(3, 4, 2), "OneHot", {"Axis": 1}),
        ("EMBEDDING_LOOKUP", [integers("i", 2, 0), constant("t", RANDOM.normal(size=(4, 3)).astype("f"))],
         y(2, 3), "", {}),
        ("DYNAMIC_UPDATE_SLICE", [x(4, 5), Tensor("u", (2, 2)), integers("at", 1, 4)], y(4, 5), "", {}),
    ]  # fmt: skip
    for index, (op, inputs, output, kind, options) in enumerate(rows):
        used = [each for each in inputs if each.value is not None]
        if len(used) == len(inputs):  # LiteRT wants an input
            names = [each.name for each in inputs]
            sums = [Op(op, names, ["made"], kind, options), Op("ADD", ["made", "x"], ["y"], "Add")]
            made = Tensor("made", output.shape, output.dtype)
            value = [*inputs, made, Tensor("x", output.shape, output.dtype), output]
            yield f"{op} {index}", write(value, sums, ["y"])
            continue
        yield model(f"{op} {index}", op, inputs, output, kind, **options)


def images() -> Iterator[Case]:
    for op, kind in (
        ("RESIZE_BILINEAR", "ResizeBilinear"),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor"),
    ):
        for size in ((7, 9), (2, 3), (6, 10), (1, 1)):
            for aligned, centred in ((False, False), (True, False), (False, True)):
                options = {"AlignCorners": aligned, "HalfPixelCenters": centred}
                inputs = [Tensor("x", (2, 3, 5, 2)), integers("size", *size)]
                y = Tensor("y", (2, *size, 2))
                yield model(f"{op} {size} {options}", op, inputs, y, kind, **options)
    for stride, padding, size in (
        ((1, 1), 0, (5, 4)),
        ((2, 2), 0, (10, 8)),
        ((2, 3), 1, (11, 12)),
        ((2, 2), 0, (9, 7)),
    ):
        weight = constant("w", RANDOM.normal(size=(3, 3, 2, 4)).astype(np.float32))
        x = Tensor("x", (1, 5, 4, 4))
        shape = integers("shape", 1, *size, 3)
        options = {"StrideH": stride[0], "StrideW": stride[1], "Padding": padding}
        y = Tensor("y", (1, *size, 3))
        yield model(
            f"TRANSPOSE_CONV {stride} {padding}{size}",
            "TRANSPOSE_CONV",
            [shape, weight, x],
            y,
            "TransposeConv",
            **options,
        )
    for padding, result in ((0, (1, 2, 4, 3, 3)), (1, (1, 1, 3, 2, 3))):
        weight = constant("w", RANDOM.normal(size=(2, 2, 2, 4, 3)).astype(np.float32))
        options = {"StrideD": 2, "StrideH": 1, "StrideW": 2, "Padding": padding}
        inputs = [Tensor("x", (1, 3, 4, 5, 4)), weight, constant("b", np.float32([1, 2, 3]))]
        yield model(f"CONV_3D {padding}", "CONV_3D", inputs, Tensor("y", result), "Conv3D", **options)
    for x, y, flips in (
        ((2, 3, 4), (2, 4, 5), (False, False)),
        ((3, 4), (5, 4), (False, True)),
        ((2, 4, 3), (1, 4, 5), (True, False)),
    ):
        shape = (*x[:-2], x[-1] if flips[0] else x[-2], y[-2] if flips[1] else y[-1])
        options = dict(zip(("AdjX", "AdjY"), flips, strict=True))
        inputs = [Tensor("a", x), Tensor("b", y)]
        yield model(
            f"BATCH_MATMUL {x} {y}", "BATCH_MATMUL", inputs, Tensor("y", shape), "BatchMatMul", **options
        )
    x, y = Tensor("x", (1, 3, 4, 6)), Tensor("y", (1, 3, 4, 6))
    yield model("L2_NORMALIZATION", "L2_NORMALIZATION", [x], y, "L2Norm")
    pool = {"FilterHeight": 2, "FilterWidth": 2, "StrideH": 2, "StrideW": 2, "Padding": 0}
    yield model("L2_POOL_2D", "L2_POOL_2D", [x], Tensor("y", (1, 2, 2, 6)), "Pool2D", **pool)


def weights() -> Iterator[Case]:
    """float16 weights, which are exact in float32."""
    half = constant("half", RANDOM.normal(size=(4, 6)).astype(np.float16))
    tensors = [Tensor("x", (2, 6)), half, Tensor("w", (4, 6)), Tensor("y", (2, 4))]
    ops = [
        Op("DEQUANTIZE", ["half"], ["w"], "Dequantize"),
        Op("FULLY_CONNECTED", ["x", "w"], ["y"], "FullyConnected"),
    ]
    yield "float16 weights", write(tensors, ops, ["y"])


def cases() -> dict[str, bytes]:
    families = (pairs, unaries, reductions, movements, images, weights)
    found = [case for family in families for case in family()]
    assert len(dict(found)) == len(found)
    return dict(found)
