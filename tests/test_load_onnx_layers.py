"""Each ONNX layer made of several ops against onnxruntime: as it is read, and lowered to core ops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx_models import model_of, one_op, reference

from s2c import oracle
from s2c.errors import CompileError
from s2c.passes.fuse_qdq import fuse_qdq
from s2c.passes.lower import lower
from s2c.readers.onnx import load_onnx

Case = tuple[str, tuple[np.ndarray | None, ...], dict[str, Any]]


def floats(*shape: int) -> np.ndarray:
    generator = np.random.default_rng(sum(shape) + len(shape))
    return generator.standard_normal(shape).astype(np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def check(data: bytes, *arrays: np.ndarray, tolerance: float = 1e-5) -> None:
    graph = load_onnx(data, {}, {})
    wanted = reference(data, *arrays)
    lowered = lower(graph, lambda node: node.op in ("average_pool", "softmax"))
    for each in (graph, lowered):
        found = oracle.run(each, *arrays)
        for index, (a, b) in enumerate(zip(found, wanted, strict=True)):
            assert a.shape == b.shape and a.dtype == b.dtype, (index, a.shape, b.shape, a.dtype, b.dtype)
            np.testing.assert_allclose(a, b, tolerance, tolerance, err_msg=f"output {index}")


def named(cases: list[tuple[str, Case]]) -> Any:
    return pytest.mark.parametrize("case", [case for _, case in cases], ids=[name for name, _ in cases])


def run_case(case: Case, opset: int, outputs: tuple[str, ...] = ("y",)) -> None:
    op, (x, *consts), attrs = case
    assert x is not None
    check(one_op(op, x.shape, *consts, opset=opset, outputs=outputs, **attrs), x)


# convolutions

CONVOLUTIONS = [
    ("conv 1-d", ("Conv", (floats(2, 4, 9), floats(6, 2, 3)), {"group": 2, "strides": [2]})),
    (
        "conv 3-d",
        ("Conv", (floats(2, 3, 5, 6, 7), floats(4, 3, 2, 3, 3), floats(4)), {"pads": [1, 0, 2, 0, 1, 1]}),
    ),
    (
        "conv 3-d, groups",
        (
            "Conv",
            (floats(1, 4, 5, 6, 7), floats(6, 2, 2, 3, 1)),
            {"group": 2, "dilations": [2, 1, 1], "strides": [1, 2, 3]},
        ),
    ),
    ("transposed", ("ConvTranspose", (floats(1, 3, 4, 5), floats(3, 2, 3, 3), floats(2)), {})),
    (
        "transposed, groups",
        (
            "ConvTranspose",
            (floats(2, 4, 4, 5), floats(4, 3, 3, 2), floats(6)),
            {
                "group": 2,
                "strides": [3, 2],
                "pads": [1, 0, 2, 1],
                "output_padding": [2, 1],
                "dilations": [1, 2],
            },
        ),
    ),
    (
        "transposed, crop",
        ("ConvTranspose", (floats(1, 2, 5), floats(2, 3, 2)), {"strides": [4], "pads": [3, 2]}),
    ),
    (
        "transposed 3-d",
        ("ConvTranspose", (floats(1, 2, 3, 2, 3), floats(2, 2, 2, 3, 2)), {"strides": [2, 1, 2]}),
    ),
    (
        "transposed, same",
        (
            "ConvTranspose",
            (floats(1, 2, 5, 4), floats(2, 2, 3, 3)),
            {"strides": [2, 3], "auto_pad": "SAME_UPPER"},
        ),
    ),
    (
        "transposed, shape",
        (
            "ConvTranspose",
            (floats(1, 2, 5, 4), floats(2, 2, 4, 4)),
            {"strides": [2, 2], "output_shape": [11, 9]},
        ),
    ),
]


@named(CONVOLUTIONS)
def test_convolution(case: Case) -> None:
    run_case(case, 17)


@pytest.mark.parametrize("groups", [1, 2])
def test_computed_weights(groups: int) -> None:
    attrs = {"group": groups, "pads": [1, 0, 1, 1], "strides": [2, 1]}
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], **attrs)
    shapes = {"x": (2, 4, 5, 6), "w": (6, 4 // groups, 3, 2), "b": (6,)}
    check(model_of([node], shapes), *(floats(*shape) for shape in shapes.values()))


def quantized_conv(dtype: Any, weight_dtype: Any, zero: int) -> bytes:
    """QLinearConv between the quantization of x and its inverse."""
    weight = np.arange(6 * 3 * 3 * 3).reshape(6, 3, 3, 3) * 7 % 251 - (0 if weight_dtype == np.uint8 else 125)
    consts = {
        "x_scale": np.float32(0.02),
        "x_zero": np.array(zero, dtype),
        "w": weight.astype(weight_dtype),
        "w_scale": np.linspace(0.001, 0.004, 6, dtype=np.float32)
        if weight_dtype == np.int8
        else np.float32(0.003),
        "w_zero": np.zeros(6, np.int8) if weight_dtype == np.int8 else np.array(128, np.uint8),
        "y_scale": np.float32(0.05),
        "y_zero": np.array(zero + 3, dtype),
        "bias": np.arange(6, dtype=np.int32) * 1000 - 2500,
    }
    names = ["q", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "bias"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["q"]),
        helper.make_node("QLinearConv", names, ["r"], name="layer", pads=[1, 1, 1, 1]),
        helper.make_node("DequantizeLinear", ["r", "y_scale", "y_zero"], ["y"]),
    ]
    return model_of(nodes, {"x": (1, 3, 6, 5)}, {name: np.asarray(value) for name, value in consts.items()})


@pytest.mark.parametrize(
    ("dtype", "weight_dtype", "zero"),
    [(np.int8, np.int8, -5), (np.uint8, np.int8, 120), (np.uint8, np.uint8, 120)],
    ids=["int8", "uint8", "uint8 weights"],
)
def test_qlinear_conv(dtype: Any, weight_dtype: Any, zero: int) -> None:
    data = quantized_conv(dtype, weight_dtype, zero)
    x = floats(1, 3, 6, 5)
    check(data, x, tolerance=1e-6)
    fused = fuse_qdq(load_onnx(data, {}, {}))
    kinds = [node.type.dtype for node in fused.nodes() if node.op == "conv2d"]
    assert kinds == ["i8"]
    np.testing.assert_array_equal(oracle.run(fused, x)[0], reference(data, x)[0])


@pytest.mark.parametrize("pads", [0, 1])
def test_conv_integer(pads: int) -> None:
    weight = (np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2) * 11 % 256).astype(np.uint8)
    consts = {"w": weight, "xz": np.array(7, np.uint8), "wz": np.array(100, np.uint8)}
    zero = {"z": np.array(0, np.uint8), "s": np.float32(0.02)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("ConvInteger", ["q", "w", "xz", "wz"], ["r"], pads=[pads] * 4),
        helper.make_node("Cast", ["r"], ["y"], to=1),
    ]
    check(model_of(nodes, {"x": (1, 3, 4, 5)}, {**consts, **zero}), np.abs(floats(1, 3, 4, 5)))


# pools

POOLS = [
    ("max 1-d", ("MaxPool", (floats(2, 3, 9),), {"kernel_shape": [3], "strides": [2]})),
    (
        "max 3-d",
        (
            "MaxPool",
            (floats(2, 3, 6, 7, 5),),
            {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2], "pads": [1, 1, 0, 0, 1, 1]},
        ),
    ),
    (
        "max 3-d, ceil",
        (
            "MaxPool",
            (floats(1, 2, 6, 7, 5),),
            {"kernel_shape": [3, 3, 2], "strides": [2, 2, 2], "ceil_mode": 1},
        ),
    ),
    (
        "average 3-d",
        (
            "AveragePool",
            (floats(2, 3, 6, 7, 5),),
            {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2], "pads": [1, 1, 0, 0, 1, 1]},
        ),
    ),
    (
        "average 3-d, pads",
        (
            "AveragePool",
            (floats(1, 3, 6, 7, 5),),
            {"kernel_shape": [2, 3, 2], "pads": [1, 1, 0, 0, 1, 1], "count_include_pad": 1},
        ),
    ),
    ("lp 1", ("LpPool", (floats(1, 3, 6, 7),), {"kernel_shape": [2, 3], "p": 1, "strides": [2, 2]})),
    ("lp 3", ("LpPool", (floats(1, 3, 6, 7),), {"kernel_shape": [2, 3], "p": 3, "pads": [1, 0, 0, 1]})),
    ("global lp", ("GlobalLpPool", (floats(2, 3, 6, 7, 2),), {"p": 2})),
    ("global max", ("GlobalMaxPool", (floats(2, 3, 6, 7, 2),), {})),
    ("global average", ("GlobalAveragePool", (floats(2, 3, 6),), {})),
]


@named(POOLS)
def test_pool(case: Case) -> None:
    run_case(case, 18)


@pytest.mark.parametrize("order", [0, 1])
def test_max_pool_indices(order: int) -> None:
    attrs = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1], "storage_order": order}
    nodes = [
        helper.make_node("MaxPool", ["x"], ["v", "i"], **attrs),
        helper.make_node("Cast", ["i"], ["y"], to=1),
    ]
    check(model_of(nodes, {"x": (2, 3, 7, 6)}, outputs=("v", "y")), floats(2, 3, 7, 6))


def test_max_unpool() -> None:
    attrs = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("MaxPool", ["x"], ["v", "i"], **attrs),
        helper.make_node("MaxUnpool", ["v", "i"], ["y"], **attrs),
    ]
    check(model_of(nodes, {"x": (2, 3, 6, 4)}), floats(2, 3, 6, 4))


# norms

NORMS = [
    ("instance", ("InstanceNormalization", (floats(2, 3, 4, 5), floats(3), floats(3)), {"epsilon": 1e-3})),
    ("layer", ("LayerNormalization", (floats(2, 3, 4), floats(3, 4), floats(3, 4)), {"axis": 1})),
    ("lrn", ("LRN", (floats(2, 7, 3, 2),), {"size": 3, "alpha": 0.3, "beta": 0.6, "bias": 2.0})),
    ("lrn, 3/4", ("LRN", (floats(2, 7, 3, 2),), {"size": 5, "alpha": 0.3, "beta": 0.75})),
    ("l1", ("LpNormalization", (floats(2, 3, 4),), {"p": 1, "axis": 1})),
    ("mean variance", ("MeanVarianceNormalization", (floats(2, 3, 4, 5),), {})),
]


@named(NORMS)
def test_norm(case: Case) -> None:
    run_case(case, 17)


def test_computed_batch_norm() -> None:
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])
    shapes = {"x": (2, 3, 4), **dict.fromkeys("sbmv", (3,))}
    arrays = [floats(2, 3, 4), *(np.abs(floats(3)) + index for index in range(4))]
    check(model_of([node], shapes), *map(np.float32, arrays))


# recurrent nets


def recurrent(
    gates: int, directions: int, peepholes: bool = False, batch: int = 2
) -> tuple[np.ndarray | None, ...]:
    """x, W, R, B, sequence_lens, initial_h, and of an LSTM initial_c and P: 5 steps, 3 inputs, 4 hidden."""
    x = floats(5, batch, 3)
    w, r, b = (
        floats(directions, gates * 4, 3),
        floats(directions, gates * 4, 4),
        floats(directions, gates * 8),
    )
    h = floats(directions, batch, 4)
    state = (h, h * np.float32(0.5)) if gates == 4 else (h,)
    return (x, w, r, b, None, *state, *((floats(directions, 12),) if peepholes else ()))


def with_lengths(arrays: tuple[np.ndarray | None, ...], *lengths: int) -> tuple[np.ndarray | None, ...]:
    return (*arrays[:4], np.array(lengths, np.int32), *arrays[5:])


RECURRENT = [
    ("rnn", ("RNN", recurrent(1, 1), {"hidden_size": 4})),
    (
        "rnn, clip",
        (
            "RNN",
            recurrent(1, 2),
            {
                "hidden_size": 4,
                "direction": "bidirectional",
                "clip": 0.4,
                "activations": ["Relu", "Affine"],
                "activation_alpha": [0.7],
                "activation_beta": [0.1],
            },
        ),
    ),
    (
        "rnn, lengths",
        ("RNN", with_lengths(recurrent(1, 2), 3, 5), {"hidden_size": 4, "direction": "bidirectional"}),
    ),
    ("gru", ("GRU", recurrent(3, 1), {"hidden_size": 4})),
    (
        "gru, after",
        ("GRU", recurrent(3, 2), {"hidden_size": 4, "direction": "bidirectional", "linear_before_reset": 1}),
    ),
    (
        "gru, clip",
        (
            "GRU",
            recurrent(3, 1),
            {
                "hidden_size": 4,
                "direction": "reverse",
                "clip": 0.5,
                "activations": ["HardSigmoid", "Softsign"],
                "activation_alpha": [0.3],
                "activation_beta": [0.4],
            },
        ),
    ),
    (
        "gru, lengths",
        ("GRU", with_lengths(recurrent(3, 1), 2, 5), {"hidden_size": 4, "direction": "reverse"}),
    ),
    ("lstm", ("LSTM", recurrent(4, 1), {"hidden_size": 4})),
    ("lstm, both", ("LSTM", recurrent(4, 2), {"hidden_size": 4, "direction": "bidirectional"})),
    ("lstm, peepholes", ("LSTM", recurrent(4, 1, True), {"hidden_size": 4})),
    ("lstm, coupled", ("LSTM", recurrent(4, 1, True), {"hidden_size": 4, "input_forget": 1})),
    ("lstm, clip", ("LSTM", recurrent(4, 1), {"hidden_size": 4, "clip": 0.7})),
    (
        "lstm, activations",
        (
            "LSTM",
            recurrent(4, 1),
            {
                "hidden_size": 4,
                "activations": ["Sigmoid", "ScaledTanh", "Elu"],
                "activation_alpha": [1.2, 0.5],
                "activation_beta": [0.8],
            },
        ),
    ),
    (
        "lstm, lengths",
        ("LSTM", with_lengths(recurrent(4, 2), 4, 1), {"hidden_size": 4, "direction": "bidirectional"}),
    ),
]


@named(RECURRENT)
def test_recurrent(case: Case) -> None:
    outputs = ("y", "h", "c") if case[0] == "LSTM" else ("y", "h")
    run_case(case, 14, outputs)


# sorting and indices

SORTING = [
    ("top 3 of 7", ("TopK", (floats(4, 7), integers(3)), {})),
    ("smallest, first axis", ("TopK", (floats(9, 4), integers(2)), {"axis": 0, "largest": 0})),
    ("network", ("TopK", (floats(3, 70), integers(60)), {})),
    ("network, ties", ("TopK", (np.round(floats(3, 70)), integers(70)), {"largest": 0})),
]


@named(SORTING)
def test_top_k(case: Case) -> None:
    op, (x, *consts), attrs = case
    assert x is not None
    node = helper.make_node(op, ["x", "k"], ["v", "i"], **attrs)
    cast = helper.make_node("Cast", ["i"], ["y"], to=1)
    check(model_of([node, cast], {"x": x.shape}, {"k": np.asarray(consts[0])}, ("v", "y")), x)


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_arg(op: str, last: int) -> None:
    x = np.round(floats(3, 4, 5))
    node = helper.make_node(op, ["x"], ["i"], axis=1, keepdims=0, select_last_index=last)
    check(model_of([node, helper.make_node("Cast", ["i"], ["y"], to=1)], {"x": x.shape}), x)


@pytest.mark.parametrize("attrs", [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}])
def test_cumulative_sum(attrs: dict[str, int]) -> None:
    for shape in ((3, 7, 2), (3, 1, 2), (3, 8, 2)):
        check(one_op("CumSum", shape, np.array(1), **attrs), floats(*shape))


def test_computed_indices() -> None:
    """Indices that come from the data: each op where they are computed, and where they are constant."""
    choice = helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=1)
    nodes = {
        "GatherElements": helper.make_node("GatherElements", ["x", "i"], ["y"], axis=1),
        "GatherND": helper.make_node("GatherND", ["x", "i"], ["y"]),
        "ScatterElements": helper.make_node(
            "ScatterElements", ["x", "i", "u"], ["y"], axis=1, reduction="add"
        ),
        "ScatterND": helper.make_node("ScatterND", ["x", "i", "v"], ["y"], reduction="mul"),
    }
    x = floats(5, 5)
    consts = {"u": floats(5, 1), "v": floats(5, 5)}
    index = x.argmax(axis=1, keepdims=True)
    for node in nodes.values():
        check(model_of([choice, node], {"x": (5, 5)}, consts), x)
        check(model_of([node], {"x": (5, 5)}, {**consts, "i": index}), x)


# resize

RESIZES = [
    ("linear", {"mode": "linear"}, (1.0, 1.0, 2.5, 0.7)),
    (
        "linear, corners",
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        (1.0, 1.0, 2.0, 3.0),
    ),
    (
        "linear, torch",
        {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
        (1.0, 1.0, 0.25, 3.0),
    ),
    ("cubic", {"mode": "cubic"}, (1.0, 1.0, 2.0, 0.6)),
    ("cubic, outside", {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}, (1.0, 1.0, 2.0, 2.0)),
    (
        "nearest, floor",
        {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
        (1.0, 1.0, 2.0, 0.5),
    ),
    ("nearest, ceil", {"nearest_mode": "ceil"}, (1.0, 1.0, 2.0, 0.5)),
]


@pytest.mark.parametrize(
    ("attrs", "scales"), [each[1:] for each in RESIZES], ids=[each[0] for each in RESIZES]
)
def test_resize(attrs: dict[str, Any], scales: tuple[float, ...]) -> None:
    x = floats(1, 2, 4, 10)
    check(one_op("Resize", x.shape, None, np.array(scales, np.float32), **attrs), x)


def test_upsample() -> None:
    x = floats(1, 2, 3, 4)
    for mode in ("nearest", "linear"):
        check(one_op("Upsample", x.shape, np.array([1, 1, 2, 3], np.float32), opset=9, mode=mode), x)


# sampling and signals


def sampling() -> Iterator[tuple[str, str, int]]:
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            if (mode, padding) != ("bicubic", "border"):  # onnxruntime differs from onnx's definition
                yield from ((mode, padding, align) for align in (0, 1))


@pytest.mark.parametrize(("mode", "padding", "align"), list(sampling()))
def test_grid_sample(mode: str, padding: str, align: int) -> None:
    node = helper.make_node(
        "GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=align
    )
    grid = floats(2, 4, 3, 2) * np.float32(1.3)
    check(model_of([node], {"x": (2, 3, 5, 6), "g": grid.shape}), floats(2, 3, 5, 6), grid, tolerance=1e-4)


@pytest.mark.parametrize("align", [0, 1])
def test_bicubic_border(align: int) -> None:
    attrs = {"mode": "cubic", "padding_mode": "border", "align_corners": align}
    node = helper.make_node("GridSample", ["x", "g"], ["y"], **attrs)
    x, grid = floats(2, 3, 5, 6), floats(2, 4, 3, 2)
    data = model_of([node], {"x": x.shape, "g": grid.shape}, opset=20)
    (wanted,) = ReferenceEvaluator(onnx.load_from_string(data)).run(None, {"x": x, "g": grid})
    np.testing.assert_allclose(oracle.run(load_onnx(data, {}, {}), x, grid)[0], wanted, 1e-4, 1e-4)


@pytest.mark.parametrize("mode", ["half_pixel", "output_half_pixel"])
def test_roi_align(mode: str) -> None:
    attrs = {"output_height": 3, "output_width": 2, "sampling_ratio": 2, "spatial_scale": 0.5}
    node = helper.make_node("RoiAlign", ["x", "r", "b"], ["y"], coordinate_transformation_mode=mode, **attrs)
    rois = np.array([[0, 0, 9, 7], [2, 1, 14, 13], [-9, 3, 4, 4]], np.float32)
    check(
        model_of([node], {"x": (2, 3, 6, 7), "r": (3, 4)}, {"b": integers(1, 0, 1)}), floats(2, 3, 6, 7), rois
    )


@pytest.mark.parametrize("attrs", [{}, {"onesided": 1}, {"inverse": 1}])
def test_dft(attrs: dict[str, int]) -> None:
    x = floats(2, 7, 3, 2 if attrs.get("inverse") else 1)
    for consts in ((), (np.array(5),), (np.array(9),)):
        check(one_op("DFT", x.shape, *consts, axis=1, **attrs), x, tolerance=1e-4)


@pytest.mark.parametrize("onesided", [0, 1])
def test_stft(onesided: int) -> None:
    x = floats(2, 30, 1)
    check(one_op("STFT", x.shape, np.array(4), floats(8), onesided=onesided), x, tolerance=1e-4)


def test_windows_are_constants() -> None:
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        nodes = [helper.make_node(op, ["n"], ["w"]), helper.make_node("Mul", ["x", "w"], ["y"])]
        data = model_of(nodes, {"x": (9,)}, {"n": np.array(9)})
        check(data, floats(9))
        assert [node.op for node in load_onnx(data, {}, {}).nodes()] == ["input", "constant", "mul"]


@pytest.mark.parametrize(("bins", "length", "rate"), [(8, 16, 8192), (10, 512, 16000), (20, 64, 8000)])
def test_mel_weights_are_constants(bins: int, length: int, rate: int) -> None:
    parameters = {"b": np.array(bins), "n": np.array(length), "r": np.array(rate)}
    edges = {"lo": np.float32(20), "hi": np.float32(rate / 2 - 100)}
    nodes = [
        helper.make_node("MelWeightMatrix", ["b", "n", "r", "lo", "hi"], ["m"]),
        helper.make_node("MatMul", ["x", "m"], ["y"]),
    ]
    data = model_of(nodes, {"x": (1, length // 2 + 1)}, {**parameters, **edges})
    check(data, floats(1, length // 2 + 1))
    assert [node.op for node in load_onnx(data, {}, {}).nodes()] == ["input", "dense"]


# refusals

LISTED = (
    "affine, elu, hardsigmoid, leakyrelu, relu, scaledtanh, sigmoid, softplus, softsign, tanh, "
    "thresholdedrelu"
)
RNN = ((5, 1, 3), floats(1, 4, 3), floats(1, 4, 4))
REFUSALS = [
    (
        one_op("BatchNormalization", (1, 2, 3), *[np.ones(2, np.float32)] * 4, training_mode=1),
        "BatchNormalization for inference",
        "one that trains",
        "export the model in evaluation mode",
    ),
    (one_op("TopK", (2, 3), integers(4), outputs=("y", "i")), "k of 1 to 3", "4", "check the layer's k"),
    (
        one_op("GatherElements", (2, 3), np.array([[3]]), axis=1),
        "indices of -3 to 2",
        "3 to 3",
        "check the layer's indices",
    ),
    (
        one_op("RNN", *RNN, hidden_size=4, direction="up"),
        "a direction of forward, reverse, bidirectional",
        "up",
        "check the layer's attributes",
    ),
    (
        one_op("RNN", *RNN, hidden_size=4, activations=["Sine"]),
        f"1 activations of {LISTED}",
        "sine",
        "check the layer's activations",
    ),
    (
        one_op("DFT", (1, 4, 2), axis=2),
        "a last axis of 1 or 2 values, real and imaginary, that is not transformed",
        "axis 2 of f32[1,4,2]",
        "add a last axis of extent 1",
    ),
    (
        one_op("RoiAlign", (1, 1, 4, 4), np.zeros((1, 4), np.float32), integers(0), mode="max"),
        "RoiAlign in mode avg with a sampling_ratio of at least 1",
        "mode max, sampling_ratio 0",
        "set sampling_ratio, as the number of samples must not depend on the regions",
    ),
    (
        one_op("MaxRoiPool", (1, 1, 4, 4), np.zeros((1, 5), np.float32), pooled_shape=[2, 2]),
        "regions pooled by fixed windows",
        "MaxRoiPool",
        "export RoiAlign with a fixed sampling_ratio",
    ),
]


@pytest.mark.parametrize(("data", "wanted", "found", "do"), REFUSALS)
def test_refusal(data: bytes, wanted: str, found: str, do: str) -> None:
    with pytest.raises(CompileError) as caught:
        load_onnx(data, {}, {})
    assert str(caught.value) == f"layer: wanted {wanted}, found {found}; {do}"


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("stride", [1, 2])
def test_average_pool_counts_automatic_pads(auto_pad: str, stride: int) -> None:
    attrs = {"kernel_shape": [3, 3], "strides": [stride] * 2, "auto_pad": auto_pad}
    run_case(("AveragePool", (floats(1, 2, 7, 8),), {**attrs, "ceil_mode": 1, "count_include_pad": 1}), 19)


@pytest.mark.parametrize("op", ["Add", "Pow"])
def test_old_broadcasts_align_an_axis(op: str) -> None:
    """Before opset 7, also where the axes at the end would fit as well."""
    x, y = np.abs(floats(2, 3, 2)) + 1, np.array([2, 3], np.float32)
    graph = load_onnx(one_op(op, x.shape, y, opset=6, broadcast=1, axis=0), {}, {})
    wide = y.reshape(2, 1, 1)
    np.testing.assert_allclose(oracle.run(graph, x)[0], x + wide if op == "Add" else x**wide, 1e-5)


def test_kernel_shape_is_that_of_the_weights() -> None:
    data = one_op("Conv", (1, 2, 5, 5), floats(3, 2, 3, 3), kernel_shape=[2, 2])
    with pytest.raises(
        CompileError, match=r"wanted the kernel_shape of the weights, \[3, 3\], found \[2, 2\]"
    ):
        load_onnx(data, {}, {})
