"""Models of one op, by name: every op that the .tflite reader knows, in float32 and int8, at odd shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tflite_writer import Op, Tensor, constant, int8, write

RANDOM = np.random.default_rng(1)
Case = tuple[str, bytes]


def model(name: str, op: str, inputs: list[Tensor], output: Tensor, kind: str = "", **options: Any) -> Case:
    tensors = [*inputs, output]
    return name, write(tensors, [Op(op, [each.name for each in inputs], ["y"], kind, options)], ["y"])


def real(name: str, shape: tuple[int, ...], dtype: str) -> Tensor:
    return int8(name, shape, 0.07, 5) if dtype == "int8" else Tensor(name, shape)


def integers(name: str, *values: Any) -> Tensor:
    return constant(name, np.array(values, np.int32))


def pairs() -> Iterator[Case]:
    quants = ((0.1, 3, 0.05, -7, 0.2, 1), (0.013, -128, 0.9, 127, 0.31, -128), (0.5, 0, 0.25, 0, 0.125, 0))
    shape = (1, 3, 5, 3)
    for op, kind in (("ADD", "Add"), ("MUL", "Mul")):
        for index, (a, a_zero, b, b_zero, y, y_zero) in enumerate(quants):
            inputs = [int8("a", shape, a, a_zero), int8("b", shape, b, b_zero)]
            for activation in (0, 1, 3):
                name = f"{op} int8 {index} activation {activation}"
                output = int8("y", shape, y, y_zero)
                yield model(name, op, inputs, output, kind, FusedActivationFunction=activation)
        for name, value in (("scalar", [77]), ("channels", [77, -3, 4])):
            other = constant("b", np.array(value, np.int8), (0.03,), 5)
            yield model(f"{op} {name}", op, [int8("a", shape), other], int8("y", shape), kind)
            yield model(f"{op} {name} first", op, [other, int8("a", shape)], int8("y", shape), kind)
    for op, kind in (("ADD", "Add"), ("MUL", "Mul"), ("SUB", "Sub"), ("DIV", "Div")):
        for activation in (0, 1, 2, 3):
            inputs = [Tensor("a", shape), Tensor("b", shape)]
            name = f"{op} float activation {activation}"
            yield model(name, op, inputs, Tensor("y", shape), kind, FusedActivationFunction=activation)


UNARY = ("LOGISTIC", "TANH", "HARD_SWISH", "ABS", "EXP", "LOG")
RELUS = ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
UNARY_QUANTS = ((0.05, 3, 0.03, -5), (0.11, -128, 0.02, -128), (0.02, 4, 0.02, 4), (0.2, 0, 0.25, 0))


def unaries() -> Iterator[Case]:
    cases: list[tuple[str, str, dict[str, Any]]] = [(op, "", {}) for op in UNARY + RELUS]
    cases += [("GELU", "Gelu", {"Approximate": exact}) for exact in (False, True)]
    cases += [("LEAKY_RELU", "LeakyRelu", {"Alpha": alpha}) for alpha in (0.3, 0.01, -0.2, 1.5)]
    for op, kind, options in cases:
        name = f"{op} {list(options.values())}"
        yield model(f"{name} float", op, [Tensor("x", (3, 100))], Tensor("y", (3, 100)), kind, **options)
        for x, x_zero, y, y_zero in UNARY_QUANTS:
            scale, zero = (1 / 256, -128) if op == "LOGISTIC" else (y, y_zero)
            inputs = [int8("x", (4, 300), x, x_zero)]
            yield model(f"{name} {x} to {y}", op, inputs, int8("y", (4, 300), scale, zero), kind, **options)
    for op in ("NEG", "SQUARE", "SQRT", "RSQRT"):
        yield model(op, op, [Tensor("x", (3, 100))], Tensor("y", (3, 100)))
    slopes = constant("alpha", RANDOM.normal(size=(1, 1, 3)).astype(np.float32))
    yield model("PRELU", "PRELU", [Tensor("x", (1, 4, 5, 3)), slopes], Tensor("y", (1, 4, 5, 3)))


def conversions() -> Iterator[Case]:
    for beta in (1.0, 0.5):
        x, y = Tensor("x", (3, 10)), Tensor("y", (3, 10))
        yield model(f"SOFTMAX float {beta}", "SOFTMAX", [x], y, "Softmax", Beta=beta)
        for scale in (0.1, 0.0031, 1.3):
            x, y = int8("x", (3, 1, 1, 10), scale, 7), int8("y", (3, 1, 1, 10), 1 / 256, -128)
            yield model(f"SOFTMAX {beta} {scale}", "SOFTMAX", [x], y, "Softmax", Beta=beta)
    for scale, zero in ((0.5, 3), (0.25, -128), (0.1, 0), (1.0, 127)):
        x, y = Tensor("x", (3, 100)), int8("y", (3, 100), scale, zero)
        yield model(f"QUANTIZE {scale}", "QUANTIZE", [x], y, "Quantize")
    for before, after in ((0.5, 0.25), (0.25, 0.5), (0.1, 0.3), (0.07, 0.001), (0.1, 0.1)):
        x, y = int8("x", (3, 100), before, 3), int8("y", (3, 100), after, -9)
        yield model(f"QUANTIZE {before} to {after}", "QUANTIZE", [x], y, "Quantize")
    yield model("DEQUANTIZE", "DEQUANTIZE", [int8("x", (3, 100))], Tensor("y", (3, 100)), "Dequantize")


def extent(size: int, kernel: int, stride: int, dilation: int, is_same: bool) -> int:
    return -(-size // stride) if is_same else (size - (kernel - 1) * dilation - 1) // stride + 1


# input, kernel, stride, dilation, outputs, groups (0: depthwise), fused activation
CONVOLUTIONS = (
    ((1, 9, 11, 3), (3, 3), (1, 1), (1, 1), 5, 1, 0),
    ((2, 9, 11, 3), (3, 2), (2, 1), (1, 1), 5, 1, 1),
    ((1, 13, 11, 2), (3, 3), (1, 1), (2, 3), 4, 1, 3),
    ((1, 7, 7, 4), (1, 1), (1, 1), (1, 1), 4, 1, 0),
    ((1, 7, 7, 4), (3, 3), (1, 1), (1, 1), 6, 2, 0),
    ((1, 9, 11, 3), (3, 3), (2, 2), (1, 1), 3, 0, 0),
    ((2, 9, 11, 3), (3, 5), (1, 1), (1, 1), 6, 0, 0),
    ((1, 9, 11, 1), (3, 3), (1, 1), (2, 2), 8, 0, 1),
    ((1, 8, 1, 3), (3, 1), (1, 1), (1, 1), 6, 0, 2),
)


def convolutions(dtype: str) -> Iterator[Case]:
    for shape, kernel, stride, dilation, outputs, groups, activation in CONVOLUTIONS:
        for is_same in (True, False) if kernel[1] <= shape[2] else (True,):
            sizes = [
                extent(*each, is_same) for each in zip(shape[1:3], kernel, stride, dilation, strict=True)
            ]
            weight_shape = (outputs, *kernel, shape[3] // groups) if groups else (1, *kernel, outputs)
            weight, bias = parameters(weight_shape, outputs, 0 if groups else 3, dtype)
            name = f"{dtype} {shape} kernel {kernel} groups {groups} same {is_same}"
            yield model(
                f"convolution {name}",
                "CONV_2D" if groups else "DEPTHWISE_CONV_2D",
                [real("x", shape, dtype), weight, bias],
                real("y", (shape[0], *sizes, outputs), dtype),
                "Conv2D" if groups else "DepthwiseConv2D",
                Padding=0 if is_same else 1,
                StrideH=stride[0],
                StrideW=stride[1],
                DilationHFactor=dilation[0],
                DilationWFactor=dilation[1],
                FusedActivationFunction=activation,
                **({} if groups else {"DepthMultiplier": outputs // shape[3]}),
            )


def parameters(shape: tuple[int, ...], outputs: int, axis: int, dtype: str) -> tuple[Tensor, Tensor]:
    if dtype == "float32":
        weight = RANDOM.normal(size=shape).astype(np.float32)
        return constant("weight", weight), constant("bias", RANDOM.normal(size=outputs).astype(np.float32))
    scale = tuple(float(each) for each in RANDOM.uniform(0.001, 0.01, outputs).astype(np.float32))
    values = RANDOM.integers(-127, 128, shape).astype(np.int8)
    bias = RANDOM.integers(-3000, 3000, outputs).astype(np.int32)
    return constant("weight", values, scale, 0, axis), constant("bias", bias, tuple(0.07 * s for s in scale))


def pools(dtype: str) -> Iterator[Case]:
    shape = (1, 9, 11, 3)
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for kernel, stride in (((2, 2), (2, 2)), ((3, 2), (2, 3)), ((8, 8), (1, 1))):
            for is_same in (True, False):
                for activation in (0, 3):
                    sizes = [
                        extent(*each, 1, is_same) for each in zip(shape[1:3], kernel, stride, strict=True)
                    ]
                    yield model(
                        f"{op} {dtype} {kernel} same {is_same} activation {activation}",
                        op,
                        [real("x", shape, dtype)],
                        real("y", (1, *sizes, 3), dtype),
                        "Pool2D",
                        Padding=0 if is_same else 1,
                        StrideH=stride[0],
                        StrideW=stride[1],
                        FilterHeight=kernel[0],
                        FilterWidth=kernel[1],
                        FusedActivationFunction=activation,
                    )


MEANS = (
    ((1, 7, 5, 6), (1, 2)),
    ((1, 4, 4, 6), (1, 2)),
    ((2, 7, 5, 6), (2, 1)),
    ((1, 7, 5, 6), (-1,)),
    ((1, 7, 5, 6), (1,)),
    ((1, 7, 5, 6), (1, 3)),
    ((3, 50), (0,)),
    ((1, 7, 5, 6), (0, 1, 2, 3)),
)


def means(dtype: str) -> Iterator[Case]:
    for shape, axes in MEANS:
        reduced = {axis % len(shape) for axis in axes}
        for keep in (False, True):
            result = tuple(
                1 if axis in reduced else e for axis, e in enumerate(shape) if keep or axis not in reduced
            )
            outputs = [real("y", result, dtype)]
            outputs += [int8("y", result, 0.03, -7)] if dtype == "int8" else []
            for index, output in enumerate(outputs):
                inputs = [real("x", shape, dtype), integers("axes", *axes)]
                name = f"MEAN {dtype} {shape} {axes} keep {keep} {index}"
                yield model(name, "MEAN", inputs, output, "Reducer", KeepDims=keep)


def dense(dtype: str) -> Iterator[Case]:
    """Scales whose quotient is a power of two make many ties."""
    for index, (scale, result) in enumerate(
        ((1 / 64, 1 / 8), (0.0071, 0.13), (1 / 64, 1 / 256), (0.0071, 0.004))
    ):
        x, y = real("x", (2, 3, 8), dtype), real("y", (2, 3, 6), dtype)
        weight, bias = parameters((6, 8), 6, 0, dtype)
        if dtype == "int8":
            x, y = int8("x", (2, 3, 8), 1 / 16, 3), int8("y", (2, 3, 6), result, 5)
            values = RANDOM.integers(-127, 128, (6, 8)).astype(np.int8)
            # The case of index 1 keeps a scale for each output.
            weight = weight if index == 1 else constant("weight", values, (scale,))
            assert bias.value is not None
            bias = constant("bias", bias.value, tuple(each / 16 for each in weight.scale))
        name = f"FULLY_CONNECTED {dtype} {index}"
        options = {"KeepNumDims": True, "FusedActivationFunction": index % 2}
        yield model(
            f"{name} keeps axes", "FULLY_CONNECTED", [x, weight, bias], y, "FullyConnected", **options
        )
        flat = Tensor("y", (6, 6), y.dtype, y.scale, y.zero)
        yield model(f"{name} without bias", "FULLY_CONNECTED", [x, weight], flat, "FullyConnected")


def movements(dtype: str) -> Iterator[Case]:
    def x(*shape: int, name: str = "x") -> Tensor:
        return real(name, shape, dtype)

    def y(*shape: int) -> Tensor:
        return real("y", shape, dtype)

    pads = constant("pads", np.array([[0, 0], [1, 2], [3, 0], [0, 1]], np.int32))
    value = constant("value", np.array(7, np.int8), (0.07,), 5)
    if dtype == "float32":
        value = constant("value", np.array(7, np.float32))
    bounds = [integers("begin", 1, -5, 4), integers("end", 4, -1, -6), integers("strides", 2, 1, -2)]
    shrunk = [integers("begin", 1, 3, 2), integers("end", 2, 5, 0), integers("strides", 1, 2, 1)]
    pair = [x(4, 5, name="a"), x(4, 5, name="b")]
    cases = (
        ("CONCATENATION", pair, y(4, 10), "Concatenation", {"Axis": -1}),
        ("PACK", pair, y(4, 2, 5), "Pack", {"Axis": 1, "ValuesCount": 2}),
        ("PAD", [x(1, 3, 4, 2), pads], y(1, 6, 7, 3), "Pad", {}),
        ("PADV2", [x(1, 3, 4, 2), pads, value], y(1, 6, 7, 3), "PadV2", {}),
        ("STRIDED_SLICE", [x(4, 6, 5), *bounds], y(2, 4, 3), "StridedSlice", {}),
        (
            "STRIDED_SLICE",
            [x(4, 6, 5), *shrunk],
            y(2, 3),
            "StridedSlice",
            {"ShrinkAxisMask": 1, "EndMask": 6},
        ),
        (
            "SLICE",
            [x(4, 6, 5), integers("begin", 1, 0, 2), integers("size", 2, -1, 1)],
            y(2, 6, 1),
            "Slice",
            {},
        ),
        ("TRANSPOSE", [x(4, 6, 5), integers("perm", 2, 0, 1)], y(5, 4, 6), "Transpose", {}),
        ("RESHAPE", [x(4, 6, 5), integers("shape", -1, 10)], y(12, 10), "Reshape", {"NewShape": (-1, 10)}),
        ("RESHAPE", [x(4, 6, 5)], y(12, 10), "Reshape", {"NewShape": (-1, 10)}),
        ("SQUEEZE", [x(4, 1, 5)], y(4, 5), "Squeeze", {"SqueezeDims": (1,)}),
        ("EXPAND_DIMS", [x(4, 5), integers("axis", 1)], y(4, 1, 5), "ExpandDims", {}),
    )
    for index, (op, inputs, output, kind, options) in enumerate(cases):
        yield model(f"{op} {dtype} {index}", op, inputs, output, kind, **options)
    halves = [real("y", (4, 3, 5), dtype), real("z", (4, 3, 5), dtype)]
    parts = [real("y", (4, 1, 5), dtype), real("z", (4, 5, 5), dtype)]
    slices = [real("y", (4, 5), dtype), real("z", (4, 5), dtype)]
    splits = (
        ("SPLIT", [integers("axis", 1), x(4, 6, 5)], halves, {"NumSplits": 2}),
        ("SPLIT_V", [x(4, 6, 5), integers("sizes", 1, -1), integers("axis", 1)], parts, {"NumSplits": 2}),
        ("UNPACK", [x(4, 2, 5)], slices, {"Axis": 1, "Num": 2}),
    )
    for op, inputs, outputs, options in splits:
        kind = {"SPLIT": "Split", "SPLIT_V": "SplitV", "UNPACK": "Unpack"}[op]
        layer = Op(op, [each.name for each in inputs], ["y", "z"], kind, options)
        yield f"{op} {dtype}", write([*inputs, *outputs], [layer], ["y", "z"])


def cases() -> dict[str, bytes]:
    found = [*pairs(), *unaries(), *conversions()]
    for dtype in ("float32", "int8"):
        for family in (convolutions, pools, means, dense, movements):
            found += family(dtype)
    assert len(dict(found)) == len(found)
    return dict(found)
