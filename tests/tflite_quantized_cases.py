"""Models of one op, by name: the .tflite ops on int8, uint8 and int16 that stand for real numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tflite_cases import CONVOLUTIONS, Case, extent, integers, model
from tflite_writer import Tensor, constant

RANDOM = np.random.default_rng(3)
QUANTS = ((0.1, 3, 0.05, -7, 0.2, 1), (0.013, -128, 0.9, 127, 0.31, -128), (0.5, 0, 0.25, 0, 0.125, 0))


def quantized(name: str, shape: tuple[int, ...], scale: float, zero: int, dtype: str = "int8") -> Tensor:
    """zero as of int8."""
    stored = {"int8": zero, "uint8": zero + 128, "int16": 0}[dtype]
    return Tensor(name, shape, dtype, (scale,), (stored,))


def pairs(dtype: str) -> Iterator[Case]:
    shapes = ((2, 3, 5), (3, 1))
    kinds = {"SUB": "Sub", "ADD": "Add", "MUL": "Mul"}
    for index, (a, a_zero, b, b_zero, y, y_zero) in enumerate(QUANTS):
        inputs = [quantized("a", shapes[0], a, a_zero, dtype), quantized("b", shapes[1], b, b_zero, dtype)]
        output = quantized("y", shapes[0], y, y_zero, dtype)
        for op in ("SUB", "ADD", "MUL", "SQUARED_DIFFERENCE"):
            if op == "SQUARED_DIFFERENCE" and dtype != "int8":
                continue
            if (op, dtype, index) == ("MUL", "int16", 2):
                continue  # a product of the lowest values overflows int32
            options = {"PotScaleInt16": False} if dtype == "int16" and op in ("ADD", "SUB") else {}
            for activation in (0, 1) if op in kinds else (0,):
                fused = {"FusedActivationFunction": activation, **options} if op in kinds else {}
                yield model(
                    f"{op} {dtype} {index} {activation}", op, inputs, output, kinds.get(op, ""), **fused
                )
        for op in ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL"):
            if dtype != "int16":
                yield model(f"{op} {dtype} {index}", op, inputs, Tensor("y", shapes[0], "bool"))
        if dtype == "int8":
            yield model(
                f"PRELU {index}",
                "PRELU",
                [inputs[0], constant("b", np.array([[5], [-9], [3]], np.int8), (b,), b_zero)],
                output,
            )
    same = [quantized(name, shape, 0.1, 3, dtype) for name, shape in zip("ab", shapes, strict=True)]
    for op in ("MAXIMUM", "MINIMUM"):
        yield model(f"{op} {dtype}", op, same, quantized("y", shapes[0], 0.1, 3, dtype))
    if dtype != "uint8":
        choice = [Tensor("c", (3, 1), "bool"), *same]
        yield model(
            f"SELECT_V2 {dtype}", "SELECT_V2", choice, quantized("y", shapes[0], 0.1, 3, dtype), "SelectV2"
        )


def unaries() -> Iterator[Case]:
    for scale, zero in ((0.05, -128), (0.02, -128), (0.3, -100)):
        x = quantized("x", (2, 300), scale, -128)
        yield model(f"RSQRT {scale}", "RSQRT", [x], quantized("y", (2, 300), 0.04, zero))
    for a, b in (
        ("uint8", "int8"),
        ("int8", "uint8"),
        ("uint8", "uint8"),
        ("int8", "int16"),
        ("int16", "int8"),
        ("int16", "int16"),
    ):
        for before, after in ((0.1, 0.1), (0.1, 0.3), (0.2, 0.013)):
            x, y = quantized("x", (3, 100), before, 5, a), quantized("y", (3, 100), after, 5, b)
            yield model(f"QUANTIZE {a} {before} to {b} {after}", "QUANTIZE", [x], y, "Quantize")
    for dtype in ("uint8", "int16"):
        x = quantized("x", (3, 100), 0.1, 5, dtype)
        yield model(f"DEQUANTIZE {dtype}", "DEQUANTIZE", [x], Tensor("y", (3, 100)), "Dequantize")
        if dtype == "uint8":
            yield model(
                f"QUANTIZE float {dtype}",
                "QUANTIZE",
                [Tensor("x", (3, 100))],
                quantized("y", (3, 100), 0.1, 5, dtype),
                "Quantize",
            )
            for op in ("LOGISTIC", "TANH", "RELU", "RELU6"):
                y = quantized(
                    "y",
                    (3, 100),
                    1 / 256 if op == "LOGISTIC" else 1 / 128,
                    -128 if op == "LOGISTIC" else 0,
                    dtype,
                )
                yield model(f"{op} {dtype}", op, [x], y)
            y = quantized("y", (3, 100), 1 / 256, -128, dtype)
            yield model(f"SOFTMAX {dtype}", "SOFTMAX", [x], y, "Softmax", Beta=1.0)
    for op in ("RELU", "RELU6"):
        x, y = quantized("x", (3, 100), 0.1, 0, "int16"), quantized("y", (3, 100), 0.03, 0, "int16")
        yield model(f"{op} int16", op, [x], y)


def reductions() -> Iterator[Case]:
    for shape, axes in (((2, 7, 5, 3), (1, 2)), ((2, 7, 5, 3), (-1,)), ((4, 6), (0, 1)), ((3, 4, 5), (0, 2))):
        reduced = {axis % len(shape) for axis in axes}
        result = tuple(e for i, e in enumerate(shape) if i not in reduced)
        x = quantized("x", shape, 0.07, 5)
        axis = integers("axes", *axes)
        for op in ("REDUCE_MAX", "REDUCE_MIN"):
            yield model(
                f"{op} {shape} {axes}",
                op,
                [x, axis],
                quantized("y", result, 0.07, 5),
                "Reducer",
                KeepDims=False,
            )
    for op in ("ARG_MAX", "ARG_MIN"):
        inputs = [quantized("x", (3, 4, 5), 0.1, 3), integers("axis", 1)]
        kind = "ArgMax" if op == "ARG_MAX" else "ArgMin"
        yield model(f"{op}", op, inputs, Tensor("y", (3, 5), "int32"), kind, OutputType=2)


def images(dtype: str) -> Iterator[Case]:
    for op, kind in (
        ("RESIZE_BILINEAR", "ResizeBilinear"),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor"),
    ):
        for size in ((7, 9), (2, 3), (6, 10), (1, 1)):
            for aligned, centred in ((False, False), (True, False), (False, True)):
                if (op, dtype) == ("RESIZE_BILINEAR", "int16"):
                    continue
                options = {"AlignCorners": aligned, "HalfPixelCenters": centred}
                inputs = [quantized("x", (2, 3, 5, 2), 0.1, 3, dtype), integers("size", *size)]
                y = quantized("y", (2, *size, 2), 0.1, 3, dtype)
                yield model(f"{op} {dtype} {size} {options}", op, inputs, y, kind, **options)
    for stride, padding, size in (((1, 1), 0, (5, 4)), ((2, 2), 0, (10, 8)), ((2, 3), 1, (11, 12))):
        if dtype != "int8":
            break
        scales = tuple(float(s) for s in RANDOM.uniform(0.01, 0.02, 3).astype(np.float32))
        weight = constant("w", RANDOM.integers(-127, 128, (3, 3, 2, 4)).astype(np.int8), scales)
        bias = constant("b", RANDOM.integers(-900, 900, 3).astype(np.int32), tuple(s * 0.1 for s in scales))
        shape = integers("shape", 1, *size, 3)
        options = {"StrideH": stride[0], "StrideW": stride[1], "Padding": padding}
        inputs = [shape, weight, quantized("x", (1, 5, 4, 4), 0.1, 3), bias]
        y = quantized("y", (1, *size, 3), 0.3, -5)
        yield model(
            f"TRANSPOSE_CONV {stride} {padding}", "TRANSPOSE_CONV", inputs, y, "TransposeConv", **options
        )
    if dtype == "int8":
        for x, y, flips in (((2, 3, 4), (2, 4, 5), (False, False)), ((3, 4), (5, 4), (False, True))):
            shape = (*x[:-2], x[-1] if flips[0] else x[-2], y[-2] if flips[1] else y[-1])
            options = dict(zip(("AdjX", "AdjY"), flips, strict=True))
            for scale in (0.05, 0.3):
                inputs = [quantized("a", x, 0.1, 3), quantized("b", y, 0.07, -9)]
                yield model(
                    f"BATCH_MATMUL {x} {y} {scale}",
                    "BATCH_MATMUL",
                    inputs,
                    quantized("y", shape, scale, 7),
                    "BatchMatMul",
                    **options,
                )


def movements(dtype: str) -> Iterator[Case]:
    def x(*shape: int, name: str = "x") -> Tensor:
        return quantized(name, shape, 0.1, 5, dtype)

    def y(*shape: int) -> Tensor:
        return x(*shape, name="y")

    pads = constant("pads", np.array([[0, 0], [1, 2], [2, 1], [0, 0]], np.int32))
    block, crops = integers("block", 2, 3), constant("crops", np.array([[0, 1], [1, 0]], np.int32))
    rows: list[tuple[str, list[Tensor], Tensor, str, dict[str, Any]]] = [
        ("TILE", [x(2, 1, 3), integers("times", 2, 3, 1)], y(4, 3, 3), "Tile", {}),
        ("PAD", [x(1, 3, 4, 2), pads], y(1, 6, 7, 2), "Pad", {}),
        ("MIRROR_PAD", [x(1, 3, 4, 2), pads], y(1, 6, 7, 2), "MirrorPad", {"Mode": 0}),
        ("SPACE_TO_DEPTH", [x(1, 4, 6, 3)], y(1, 2, 3, 12), "SpaceToDepth", {"BlockSize": 2}),
        ("DEPTH_TO_SPACE", [x(1, 2, 3, 12)], y(1, 4, 6, 3), "DepthToSpace", {"BlockSize": 2}),
        ("SPACE_TO_BATCH_ND", [x(2, 3, 5, 2), block, crops], y(12, 2, 2, 2), "SpaceToBatchND", {}),
        ("BATCH_TO_SPACE_ND", [x(12, 2, 2, 2), block, crops], y(2, 3, 5, 2), "BatchToSpaceND", {}),
        ("GATHER", [x(4, 5, 2), integers("index", 3, 0, 3)], y(4, 3, 2), "Gather", {"Axis": 1}),
        ("RESHAPE", [x(4, 5), integers("shape", 10, 2)], y(10, 2), "Reshape", {}),
        ("CONCATENATION", [x(4, 5, name="a"), x(4, 5, name="b")], y(4, 10), "Concatenation", {"Axis": 1}),
        (
            "STRIDED_SLICE",
            [x(4, 5), integers("b", 1, 4), integers("e", 3, 0), integers("s", 1, -2)],
            y(2, 2),
            "StridedSlice",
            {},
        ),
    ]
    for index, (op, inputs, output, kind, options) in enumerate(rows):
        if dtype == "int16" and op in ("MIRROR_PAD", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE"):
            continue
        yield model(f"{op} {dtype} {index}", op, inputs, output, kind, **options)
    if dtype == "uint8":
        parts = [quantized("a", (4, 5), 0.1, 5, dtype), quantized("b", (4, 5), 0.3, -50, dtype)]
        yield model(
            "CONCATENATION two scales",
            "CONCATENATION",
            parts,
            quantized("y", (4, 10), 0.2, 1, dtype),
            "Concatenation",
            Axis=1,
        )


def layers16() -> Iterator[Case]:
    """int16 activations, int8 weights, biases of int64."""
    for shape, kernel, stride, dilation, outputs, groups, activation in CONVOLUTIONS:
        sizes = [extent(*each, True) for each in zip(shape[1:3], kernel, stride, dilation, strict=True)]
        weight_shape = (outputs, *kernel, shape[3] // groups) if groups else (1, *kernel, outputs)
        for bias_dtype in ("int64",) if groups else ("int64", ""):
            inputs = [quantized("x", shape, 0.001, 0, "int16")]
            inputs += parameters16(weight_shape, outputs, 0 if groups else 3, bias_dtype)
            yield model(
                f"{'' if groups else 'DEPTHWISE_'}CONV_2D int16 {shape} {kernel} {groups} {bias_dtype}",
                "CONV_2D" if groups else "DEPTHWISE_CONV_2D",
                inputs,
                quantized("y", (shape[0], *sizes, outputs), 0.01, 0, "int16"),
                "Conv2D" if groups else "DepthwiseConv2D",
                Padding=0,
                StrideH=stride[0],
                StrideW=stride[1],
                DilationHFactor=dilation[0],
                DilationWFactor=dilation[1],
                FusedActivationFunction=activation,
                **({} if groups else {"DepthMultiplier": outputs // shape[3]}),
            )
    for bias_dtype in ("int64", ""):
        for scale in (0.0005, 0.01):
            weight, *bias = parameters16((6, 40), 6, 0, bias_dtype)
            weight = Tensor("weight", weight.shape, "int8", weight.scale[:1], (0,), 0, weight.value)
            inputs = [quantized("x", (5, 40), 0.001, 0, "int16"), weight, *bias]
            y = quantized("y", (5, 6), scale, 0, "int16")
            yield model(
                f"FULLY_CONNECTED int16 {bias_dtype} {scale}", "FULLY_CONNECTED", inputs, y, "FullyConnected"
            )


def parameters16(shape: tuple[int, ...], outputs: int, axis: int, bias_dtype: str) -> list[Tensor]:
    scale = tuple(float(each) for each in RANDOM.uniform(0.001, 0.01, outputs).astype(np.float32))
    weight = constant("weight", RANDOM.integers(-127, 128, shape).astype(np.int8), scale, 0, axis)
    if not bias_dtype:
        return [weight]
    bias = RANDOM.integers(-30000, 30000, outputs).astype(bias_dtype)
    return [weight, constant("bias", bias, tuple(0.001 * each for each in scale))]


def pools16() -> Iterator[Case]:
    shape = (1, 9, 11, 3)
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for kernel, stride, activation in (((2, 2), (2, 2), 0), ((3, 2), (2, 3), 1)):
            sizes = [extent(*each, 1, False) for each in zip(shape[1:3], kernel, stride, strict=True)]
            geometry = {
                "FilterHeight": kernel[0],
                "FilterWidth": kernel[1],
                "StrideH": stride[0],
                "StrideW": stride[1],
            }
            x = quantized("x", shape, 0.1, 0, "int16")
            y = quantized("y", (1, *sizes, 3), 0.1, 0, "int16")
            yield model(
                f"{op} int16 {kernel}",
                op,
                [x],
                y,
                "Pool2D",
                Padding=1,
                FusedActivationFunction=activation,
                **geometry,
            )
    for scale in (0.1, 0.03):
        x, axes = quantized("x", shape, 0.1, 0, "int16"), integers("axes", 1, 2)
        yield model(
            f"MEAN int16 {scale}", "MEAN", [x, axes], quantized("y", (1, 3), scale, 0, "int16"), "Reducer"
        )


def layers8() -> Iterator[Case]:
    """uint8 weights, whose zero point is not 0; all distances to it may fit into int8, or not."""
    for shape, kernel, stride, dilation, outputs, groups, activation in CONVOLUTIONS:
        sizes = [extent(*each, True) for each in zip(shape[1:3], kernel, stride, dilation, strict=True)]
        weight_shape = (outputs, *kernel, shape[3] // groups) if groups else (1, *kernel, outputs)
        for zero, low in ((128, 1), (117, 0), (0, 0)):
            weight, bias = parameters8(weight_shape, outputs, zero, low)
            yield model(
                f"{'' if groups else 'DEPTHWISE_'}CONV_2D uint8 {shape} {kernel} {groups} {zero}",
                "CONV_2D" if groups else "DEPTHWISE_CONV_2D",
                [quantized("x", shape, 0.07, 5, "uint8"), weight, bias],
                quantized("y", (shape[0], *sizes, outputs), 0.9, 5, "uint8"),
                "Conv2D" if groups else "DepthwiseConv2D",
                Padding=0,
                StrideH=stride[0],
                StrideW=stride[1],
                DilationHFactor=dilation[0],
                DilationWFactor=dilation[1],
                FusedActivationFunction=activation,
                **({} if groups else {"DepthMultiplier": outputs // shape[3]}),
            )
    for zero, low in ((128, 1), (117, 0), (0, 0)):
        for scale in (0.9, 2.1):
            weight, bias = parameters8((6, 40), 6, zero, low)
            inputs = [quantized("x", (5, 40), 0.07, 5, "uint8"), weight, bias]
            y = quantized("y", (5, 6), scale, 5, "uint8")
            yield model(
                f"FULLY_CONNECTED uint8 {zero} {scale}", "FULLY_CONNECTED", inputs, y, "FullyConnected"
            )
    x, y = quantized("x", (1, 9, 11, 3), 0.1, 0, "uint8"), quantized("y", (1, 4, 5, 3), 0.1, 0, "uint8")
    pool = {"FilterHeight": 2, "FilterWidth": 2, "StrideH": 2, "StrideW": 2, "Padding": 1}
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        yield model(f"{op} uint8", op, [x], y, "Pool2D", **pool)
    for scale in (0.1, 0.03):
        axes = integers("axes", 1, 2)
        yield model(
            f"MEAN uint8 {scale}", "MEAN", [x, axes], quantized("y", (1, 3), scale, 0, "uint8"), "Reducer"
        )


def parameters8(shape: tuple[int, ...], outputs: int, zero: int, low: int) -> tuple[Tensor, Tensor]:
    weight = Tensor(
        "weight", shape, "uint8", (0.013,), (zero,), 0, RANDOM.integers(low, 256, shape).astype(np.uint8)
    )
    bias = RANDOM.integers(-3000, 3000, outputs).astype(np.int32)
    return weight, constant("bias", bias, (float(np.float32(0.07) * np.float32(0.013)),))


def tables16() -> Iterator[Case]:
    for scale in (2.0**-12, 2.0**-11, 0.001, 0.0003):
        for op in ("LOGISTIC", "TANH"):
            x, y = quantized("x", (4, 300), scale, 0, "int16"), quantized("y", (4, 300), 2.0**-15, 0, "int16")
            yield model(f"{op} int16 {scale}", op, [x], y)
        for beta in (1.0, 0.5):
            x, y = quantized("x", (4, 30), scale, 0, "int16"), quantized("y", (4, 30), 2.0**-15, 0, "int16")
            yield model(f"SOFTMAX int16 {scale} {beta}", "SOFTMAX", [x], y, "Softmax", Beta=beta)


def cases() -> dict[str, bytes]:
    found = [*unaries(), *reductions(), *layers8(), *layers16(), *pools16(), *tables16()]
    for dtype in ("int8", "uint8", "int16"):
        for family in (pairs, images, movements):
            found += family(dtype)
    assert len(dict(found)) == len(found)
    return dict(found)
