"""Each ONNX op against onnxruntime, real nets, refusals by their whole message, and damaged files."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import data as net
from onnx import TensorProto, helper
from onnx_models import model_of, one_op, reference

from s2c import oracle
from s2c.errors import CompileError
from s2c.ops import OPS
from s2c.passes.cancel_transposes import cancel_transposes
from s2c.passes.fuse_qdq import fuse_qdq
from s2c.passes.lower import lower
from s2c.readers.onnx import load_onnx

RANDOM = np.random.default_rng(0)
INT64 = np.int64


def floats(*shape: int) -> np.ndarray:
    return np.asarray(RANDOM.uniform(-2, 2, shape), np.float32)


def positive(*shape: int) -> np.ndarray:
    return np.asarray(np.abs(floats(*shape)) + np.float32(0.5), np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, INT64)


def agree(data: bytes, tolerance: float = 1e-5, above: float | None = None) -> None:
    """The Graph, before and after cancel_transposes, against onnxruntime on random inputs."""
    graph = load_onnx(data, {}, {})
    arrays = [
        floats(*each.type.shape) if above is None else positive(*each.type.shape) for each in graph.inputs
    ]
    wanted = reference(data, *arrays)
    for each in (graph, cancel_transposes(graph)):
        for ours, theirs in zip(oracle.run(each, *arrays), wanted, strict=True):
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(
                ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max(initial=1)
            )


CONVOLUTIONS = {
    "2-d": ((1, 3, 7, 5), (4, 3, 3, 3), {}),
    "strided, padded": ((2, 3, 9, 8), (5, 3, 3, 2), {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
    "dilated": ((1, 2, 11, 9), (3, 2, 3, 3), {"dilations": [2, 3], "pads": [2, 2, 2, 2]}),
    "grouped": ((1, 6, 5, 5), (9, 2, 3, 3), {"group": 3}),
    "depthwise": ((1, 5, 6, 7), (5, 1, 3, 3), {"group": 5, "pads": [1, 1, 1, 1]}),
    "depth multiplier": ((1, 3, 6, 7), (6, 1, 2, 3), {"group": 3}),
    "pointwise": ((1, 7, 3, 1), (3, 7, 1, 1), {}),
    "same upper": ((1, 2, 7, 6), (3, 2, 4, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": ((1, 2, 7, 6), (3, 2, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "valid": ((1, 2, 7, 6), (3, 2, 4, 3), {"auto_pad": "VALID"}),
    "1-d": ((1, 3, 11), (4, 3, 3), {"pads": [2, 0], "strides": [2]}),
    "1-d dilated, grouped": ((2, 4, 13), (4, 2, 3), {"dilations": [3], "group": 2}),
    "1-d same": ((1, 3, 11), (4, 3, 4), {"auto_pad": "SAME_UPPER"}),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("biased", [False, True])
def test_conv(case: str, biased: bool) -> None:
    shape, weight, attrs = CONVOLUTIONS[case]
    bias = (floats(weight[0]),) if biased else ()
    agree(one_op("Conv", shape, floats(*weight), *bias, **attrs))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_conv_of_random_geometry(data: st.DataObject) -> None:
    extent = st.integers(1, 3)
    groups, depth, columns = (data.draw(extent) for _ in range(3))
    kernel = [data.draw(extent) for _ in range(2)]
    dilations = [data.draw(extent) for _ in range(2)]
    sizes = [(k - 1) * d + data.draw(st.integers(1, 5)) for k, d in zip(kernel, dilations, strict=True)]
    agree(
        one_op(
            "Conv",
            (data.draw(st.integers(1, 2)), groups * depth, *sizes),
            floats(groups * columns, depth, *kernel),
            group=groups,
            dilations=dilations,
            strides=[data.draw(extent) for _ in range(2)],
            pads=[data.draw(st.integers(0, 2)) for _ in range(4)],
        )
    )


POOLS = {
    "plain": ((1, 3, 7, 9), {"kernel_shape": [2, 3]}),
    "strided": ((2, 3, 7, 9), {"kernel_shape": [3, 2], "strides": [2, 2]}),
    "padded": ((1, 2, 7, 9), {"kernel_shape": [3, 3], "pads": [1, 0, 2, 1]}),
    "same upper": ((1, 2, 8, 9), {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "same lower": ((1, 2, 8, 9), {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    "valid": ((1, 2, 8, 9), {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "VALID"}),
    "ceiled": ((1, 2, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1}),
    "ceiled, padded": (
        (1, 2, 8, 9),
        {"kernel_shape": [3, 3], "strides": [3, 2], "ceil_mode": 1, "pads": [1, 1, 0, 1]},
    ),
    "1-d": ((1, 3, 9), {"kernel_shape": [3], "strides": [2], "pads": [1, 0]}),
}


@pytest.mark.parametrize("case", POOLS)
def test_pools(case: str) -> None:
    shape, attrs = POOLS[case]
    agree(one_op("MaxPool", shape, **attrs))
    agree(one_op("AveragePool", shape, **attrs, opset=19))
    agree(one_op("AveragePool", shape, **attrs, count_include_pad=1, opset=19))


def test_dilated_max_pool() -> None:
    agree(one_op("MaxPool", (1, 2, 9, 8), kernel_shape=[2, 3], dilations=[3, 2]))


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 3, 7)])
def test_global_pools(op_type: str, shape: tuple[int, ...]) -> None:
    agree(one_op(op_type, shape))


@pytest.mark.parametrize("axes", [None, [0], [1], [2, 3], [-1], [0, 2], [1, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reduce_mean(axes: list[int] | None, keepdims: int) -> None:
    attrs = {} if axes is None else {"axes": axes}
    agree(one_op("ReduceMean", (2, 3, 5, 4), keepdims=keepdims, **attrs))
    agree(
        one_op("ReduceMean", (2, 3, 5, 4), None if axes is None else ints(*axes), keepdims=keepdims, opset=18)
    )


def test_reduce_mean_of_no_axes() -> None:
    agree(one_op("ReduceMean", (2, 3), noop_with_empty_axes=1, opset=18))


@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (1,), (), (3, 5), (3, 1)])
@pytest.mark.parametrize("turned", [0, 1])
def test_gemm(bias: tuple[int, ...] | None, turned: int) -> None:
    weight = floats(5, 4) if turned else floats(4, 5)
    shape = (4, 3) if turned else (3, 4)
    rest = () if bias is None else (floats(*bias),)
    agree(one_op("Gemm", shape, weight, *rest, transA=turned, transB=turned, alpha=0.5, beta=2.0))


def test_gemm_with_computed_addend() -> None:
    node = helper.make_node("Gemm", ["a", "w", "c"], ["y"], name="layer", beta=0.5)
    agree(model_of([node], {"a": (3, 4), "c": (1, 5)}, {"w": floats(4, 5)}))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((3, 4), (1, 4, 5)),
    ],
)
def test_matmul(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    agree(one_op("MatMul", left, floats(*right)))
    node = helper.make_node("MatMul", ["w", "x"], ["y"], name="layer")
    if len(left) < 3:
        agree(model_of([node], {"x": right}, {"w": floats(*left)}))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4), (2, 3)])
def test_batch_normalization(shape: tuple[int, ...]) -> None:
    agree(one_op("BatchNormalization", shape, floats(3), floats(3), floats(3), positive(3), epsilon=0.01))


UNARY = [
    "Abs",
    "Elu",
    "Erf",
    "Exp",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Neg",
    "Relu",
    "Sigmoid",
    "Softplus",
]


@pytest.mark.parametrize("op_type", [*UNARY, "Tanh", "Identity", "Dropout"])
def test_unary(op_type: str) -> None:
    agree(one_op(op_type, (2, 3, 5)))


@pytest.mark.parametrize("op_type", ["Log", "Reciprocal", "Sqrt"])
def test_unary_of_positive(op_type: str) -> None:
    agree(one_op(op_type, (2, 3, 5)), above=0)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    agree(one_op("Gelu", (3, 5), approximate=approximate, opset=20))


def test_activations_with_attributes() -> None:
    agree(one_op("Elu", (3, 5), alpha=0.7))
    agree(one_op("HardSigmoid", (3, 5), alpha=0.3, beta=0.4))
    agree(one_op("LeakyRelu", (3, 5), alpha=0.3))
    agree(one_op("PRelu", (2, 3, 4, 5), floats(3, 1, 1)))
    agree(one_op("PRelu", (2, 3), floats(1)))
    agree(one_op("Pow", (3, 5), np.array(2, np.float32)))
    agree(one_op("Pow", (3, 5), np.array([0.5], np.float32)), above=0)


def test_clip() -> None:
    lo, hi = np.float32(-0.5), np.float32(0.75)
    agree(one_op("Clip", (3, 5), np.array(lo), np.array(hi)))
    agree(one_op("Clip", (3, 5), None, np.array(hi)))
    agree(one_op("Clip", (3, 5), np.array(lo)))
    agree(one_op("Clip", (3, 5), min=-0.5, max=0.75, opset=6))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("opset", [11, 13])
def test_softmax(axis: int, opset: int) -> None:
    agree(one_op("Softmax", (2, 3, 5), axis=axis, opset=opset))


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("other", [(), (1,), (5,), (3, 1, 1), (2, 1, 4, 1), (2, 3, 4, 5)])
def test_binary(op_type: str, other: tuple[int, ...]) -> None:
    agree(one_op(op_type, (2, 3, 4, 5), positive(*other)))
    swapped = helper.make_node(op_type, ["c", "x"], ["y"], name="layer")
    agree(model_of([swapped], {"x": (2, 3, 4, 5)}, {"c": positive(*other)}), above=0)
    computed = helper.make_node(op_type, ["a", "b"], ["y"], name="layer")
    agree(model_of([computed], {"a": (2, 3, 4, 5), "b": other}), above=0)


def test_broadcast_of_opset_6() -> None:
    """onnxruntime starts at opset 7."""
    term, x = floats(3), floats(2, 3, 4, 5)
    graph = load_onnx(one_op("Add", (2, 3, 4, 5), term, opset=6, broadcast=1, axis=1), {}, {})
    assert np.array_equal(oracle.run(graph, x)[0], x + term.reshape(3, 1, 1))


def test_concat() -> None:
    for axis in (0, 1, 2, -1):
        shape = [2, 3, 4]
        shape[axis] = 5
        agree(one_op("Concat", (2, 3, 4), floats(*shape), axis=axis))


def test_pad() -> None:
    agree(one_op("Pad", (2, 3, 4), ints(1, 0, 2, 0, 3, 1), np.array(1.5, np.float32)))
    agree(one_op("Pad", (2, 3, 4), ints(0, -1, 2, 0, 3, -2)))
    agree(one_op("Pad", (2, 3, 4), ints(1, 2), None, ints(-1), opset=18))
    agree(one_op("Pad", (2, 3, 4), pads=[1, 0, 2, 0, 3, 1], value=0.5, opset=10))


def test_shapes() -> None:
    agree(one_op("Reshape", (2, 3, 4), ints(0, -1)))
    agree(one_op("Reshape", (2, 3, 4), ints(4, 3, 2), allowzero=1))
    agree(one_op("Reshape", (2, 3, 4), ints(-1)))
    for axis in (0, 1, 3, -1):
        agree(one_op("Flatten", (2, 3, 4), axis=axis))
    agree(one_op("Squeeze", (1, 3, 1), ints(0)))
    agree(one_op("Squeeze", (1, 3, 1)))
    agree(one_op("Squeeze", (1, 3, 1), axes=[-1], opset=11))
    agree(one_op("Unsqueeze", (3, 2), ints(0, -1)))
    agree(one_op("Unsqueeze", (3, 2), axes=[1, 2], opset=11))
    agree(one_op("Transpose", (2, 3, 4)))
    agree(one_op("Transpose", (2, 3, 4), perm=[1, 2, 0]))
    agree(one_op("Expand", (3, 1), ints(2, 1, 4)))
    agree(one_op("Expand", (3, 4), ints(1, 1)))


def test_slice() -> None:
    most = np.iinfo(INT64).max
    agree(one_op("Slice", (5, 7), ints(1, 0), ints(4, most)))
    agree(one_op("Slice", (5, 7), ints(-1, -2), ints(-6, -8), ints(0, 1), ints(-2, -3)))
    agree(one_op("Slice", (5, 7), ints(-1), ints(-most), ints(1), ints(-1)))
    agree(one_op("Slice", (5, 7), ints(2), ints(3), ints(-1)))
    agree(one_op("Slice", (5, 7), starts=[1], ends=[-1], axes=[1], opset=9))


def test_split() -> None:
    outputs = ("a", "b", "c")
    agree(one_op("Split", (2, 6), axis=1, outputs=outputs, opset=13))
    agree(one_op("Split", (2, 6), ints(1, 2, 3), axis=1, outputs=outputs))
    agree(one_op("Split", (2, 7), axis=1, num_outputs=3, outputs=outputs, opset=18))
    agree(one_op("Split", (2, 6), axis=-1, split=[1, 2, 3], outputs=outputs, opset=11))


def test_gather() -> None:
    agree(one_op("Gather", (5, 7), np.array(2, INT64), axis=1))
    agree(one_op("Gather", (5, 7), ints(0, 2, 4), axis=0))
    agree(one_op("Gather", (5, 7), ints(-1, -2), axis=1))
    agree(one_op("Gather", (5, 7), np.array([[0, 1], [2, 3]], INT64), axis=1))


def test_shape_arithmetic_is_folded() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Constant", [], ["first"], value_int=0),
        helper.make_node("Gather", ["shape", "first"], ["batch"]),
        helper.make_node("Unsqueeze", ["batch", "axis"], ["row"]),
        helper.make_node("Concat", ["row", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    data = model_of(nodes, {"x": (2, 3, 4)}, {"axis": ints(0), "rest": ints(-1)})
    agree(data)
    assert [node.op for node in load_onnx(data, {}, {}).nodes()] == ["input", "reshape"]


def test_dims_and_consts() -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    data = model_of(nodes, {"a": ("batch", 3), "b": (None, 3)})
    graph = load_onnx(data, {"batch": 2, "b.0": 1}, {})
    assert [each.type.shape for each in graph.inputs] == [(2, 3), (1, 3)]
    graph = load_onnx(data, {"batch": 2}, {"b": np.ones((1, 3), np.float32)})
    assert np.array_equal(oracle.run(graph, np.zeros((2, 3), np.float32))[0], np.ones((2, 3)))
    assert graph.output_names == ("y",)


def test_initializer_that_is_also_an_input_is_a_constant() -> None:
    data = onnx.ModelProto.FromString(one_op("Add", (2, 3), floats(3)))
    data.graph.input.append(helper.make_tensor_value_info("c0", TensorProto.FLOAT, (3,)))
    assert len(load_onnx(data.SerializeToString(), {}, {}).inputs) == 1


def test_quantized_contractions() -> None:
    """Random QDQ layers equal onnxruntime's within one step, and nothing stays float."""
    scale = np.float32(0.02)

    def node(op_type: str, inputs: list[str], output: str, **attrs: object) -> onnx.NodeProto:
        return helper.make_node(op_type, inputs, [output], name=output, **attrs)

    for unsigned in (False, True):
        zero = np.array(131 if unsigned else 3, np.uint8 if unsigned else np.int8)
        consts = {
            "scale": np.array(scale),
            "zero": zero,
            "w": RANDOM.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
            "w_scale": (positive(4) * np.float32(0.01)),
            "w_zero": np.zeros(4, np.int8),
            "b": RANDOM.integers(-1000, 1000, 4).astype(np.int32),
            "b_scale": np.float32([1e-4] * 4),
            "b_zero": np.zeros(4, np.int32),
            "y_scale": np.array(0.3, np.float32),
        }
        nodes = [
            node("QuantizeLinear", ["x", "scale", "zero"], "xq"),
            node("DequantizeLinear", ["xq", "scale", "zero"], "xd"),
            node("DequantizeLinear", ["w", "w_scale", "w_zero"], "wd", axis=0),
            node("DequantizeLinear", ["b", "b_scale", "b_zero"], "bd", axis=0),
            node("Conv", ["xd", "wd", "bd"], "c", pads=[1, 1, 1, 1]),
            node("Relu", ["c"], "r"),
            node("QuantizeLinear", ["r", "y_scale", "zero"], "rq"),
            node("DequantizeLinear", ["rq", "y_scale", "zero"], "rd"),
            node("MaxPool", ["rd"], "p", kernel_shape=[2, 2]),
            node("Add", ["p", "p"], "s"),
            node("QuantizeLinear", ["s", "y_scale", "zero"], "sq"),
            node("DequantizeLinear", ["sq", "y_scale", "zero"], "y"),
        ]
        data = model_of(nodes, {"x": (1, 3, 6, 5)}, consts)
        graph = cancel_transposes(fuse_qdq(load_onnx(data, {}, {})))
        # The input is transposed as floats or int8; everything between quantize and dequantize is int8.
        kinds = {each.op: each.type.dtype for each in graph.nodes()}
        assert kinds["conv2d"] == kinds["max_pool"] == kinds["add"] == "i8", str(graph)
        assert [each.op for each in graph.nodes()].count("dequantize") == 1
        x = floats(1, 3, 6, 5)
        difference = np.abs(oracle.run(graph, x)[0] - reference(data, x)[0]).max()
        assert difference <= 0.3 * 1.001


# whole nets

FLOAT_NETS = [
    "bench_nets/ad01.onnx",
    "bench_nets/kws.onnx",
    "bench_nets/mlp.onnx",
    "bench_nets/resnet8.onnx",
    "bench_nets/sww.onnx",
    "mlperf_tiny_onnx/pretrainedResnet.onnx",
    "onnx_mnist/mnist.onnx",
]
LARGE_FLOAT_NETS = [
    "bench_nets/vww.onnx",
    "bench_nets/wavenet.onnx",
    "mlperf_tiny_onnx/vww_96_float.onnx",
    "ultraface/version-slim-320_without_postprocessing.onnx",
]


@pytest.mark.parametrize(
    "name", [*FLOAT_NETS, *(pytest.param(each, marks=pytest.mark.build) for each in LARGE_FLOAT_NETS)]
)
def test_float_net_equals_onnxruntime(name: str) -> None:
    data = net(name).read_bytes()
    graph = cancel_transposes(fuse_qdq(load_onnx(data, {}, {})))
    x = floats(*graph.inputs[0].type.shape)
    for ours, theirs in zip(oracle.run(graph, x), reference(data, x), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()
    # At most the declared NCHW input is transposed.
    assert [node.op for node in graph.nodes()].count("transpose") <= 1


QUANTIZED_NETS = {
    "deep_autoencoder": (-15.0, 8.0),
    "kws_ref_model": (0.0, 40.0),
    "mobilenet_v1": (0.5, 0.3),
    "resnet": (128.0, 60.0),
}


@pytest.mark.build
@pytest.mark.parametrize("name", QUANTIZED_NETS)
def test_quantized_net_is_within_a_step_of_onnxruntime(name: str) -> None:
    """Compared at the last quantized tensor, so that the steps are known and no softmax hides them."""
    data = net(f"mlperf_tiny_onnx/{name}.onnx").read_bytes()
    model = onnx.ModelProto.FromString(data)
    last = [each for each in model.graph.node if each.op_type == "QuantizeLinear"][-1]
    model.graph.output.append(helper.make_tensor_value_info(last.output[0], TensorProto.INT8, None))
    graph = cancel_transposes(fuse_qdq(load_onnx(data, {}, {})))
    final = [node for node in graph.nodes() if node.op == "dense"][-1]
    assert {node.type.dtype for node in graph.nodes() if node.op in ("conv2d", "dense", "add")} == {"i8"}
    mean, deviation = QUANTIZED_NETS[name]
    random = np.random.default_rng(1)
    for _ in range(3):
        x = random.normal(mean, deviation, graph.inputs[0].type.shape).astype(np.float32)
        theirs = reference(model.SerializeToString(), x)[-1]
        ours = oracle.trace(graph, x)[final]
        assert np.abs(ours.astype(int) - theirs).max() <= 1
        assert ours.argmax() == theirs.argmax()


# refusals


def problems(
    data: bytes, dims: dict[str, int] | None = None, consts: dict[str, np.ndarray] | None = None
) -> str:
    with pytest.raises(CompileError) as caught:
        load_onnx(data, dims or {}, consts or {})
    return str(caught.value)


def test_all_problems_at_once() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="first"),
        helper.make_node("Det", ["a"], ["b"], name="second"),
        helper.make_node("Relu", ["b"], ["c"], name="depends on second"),
        helper.make_node("Pad", ["a", "pads"], ["d"], name="third", mode="other"),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("Other", ["a"], ["f"], domain="com.example"),
        helper.make_node("Add", ["e", "f"], ["g"]),
        helper.make_node("Add", ["g", "nowhere"], ["y"]),
        helper.make_node("Det", ["a"], ["unused"], name="not needed"),
    ]
    data = model_of(nodes, {"x": (2, "n")}, {"pads": ints(0, 0, 1, 1)})
    assert problems(data, {"n": 3, "m": 4}) == "\n".join(
        [
            "model: wanted a name that --dim can set (n), found 'm'; correct --dim m",
            "second: wanted an ONNX op that s2c reads, found Det; write it with ops that s2c reads, or bind "
            "the inputs that it comes from with --const",
            "third: wanted mode constant, edge, reflect, wrap, found other; export the model again",
            "f: wanted an op of ONNX's own domain, found com.example.Other; export with standard ops",
            "y: wanted inputs that an earlier node makes, found 'nowhere', which none makes; "
            "export the model again",
        ]
    )


WEIGHT = np.ones((1, 2, 3, 3), np.float32)
REFUSALS = {
    "symbol": (
        model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": ("batch", 3)}),
        "x: wanted a fixed shape, found axis 0 of unknown extent (batch); set it with --dim batch=N",
    ),
    "unnamed extent": (
        model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (3, None)}),
        "x: wanted a fixed shape, found axis 1 of unknown extent (x.1); set it with --dim x.1=N",
    ),
    "double input": (
        model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (3,)}, input_type=TensorProto.DOUBLE),
        "x: wanted an input of float32, float16, integers or bool, found double; bind it with --const "
        "x=FILE.npy, or export the model in float32",
    ),
    "huge input": (
        model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (1 << 40, 1 << 40)}),
        "x: wanted fewer than 268435456 elements, found [1099511627776, 1099511627776]; set smaller extents",
    ),
    "double weights": (
        one_op("Conv", (1, 2, 5, 5), WEIGHT.astype(np.float64)),
        "layer: wanted float32 weights, found float64; convert the model to float32",
    ),
    "memory bomb": (
        model_of(
            [
                helper.make_node("ConstantOfShape", ["s"], ["big"], name="bomb"),
                helper.make_node("Add", ["x", "big"], ["y"]),
            ],
            {"x": (1,)},
            {"s": ints(1 << 20, 1 << 20)},
        ),
        "bomb: wanted a constant result of ConstantOfShape of at most 268435456 bytes, "
        "found 1099511627776 elements; "
        "make the shapes that it is computed from smaller",
    ),
    "opset": (
        model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (3,)}, opset=999),
        f"model: wanted an opset from 1 to {onnx.defs.onnx_opset_version()}, found 999; "
        f"export the model with opset "
        f"{onnx.defs.onnx_opset_version()}",
    ),
    "no graph": (
        b"",
        "model: wanted a whole ONNX file, found 0 bytes without a graph that has outputs; "
        "export or download the file again",
    ),
    "no protobuf": (
        b"\xff\xff\xff",
        "model: wanted a whole ONNX file, found bytes that do not decode as one; "
        "export or download the file again",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(case: str) -> None:
    data, message = REFUSALS[case]
    assert problems(data) == message


def test_external_data_is_refused() -> None:
    model = onnx.ModelProto.FromString(one_op("Add", (2, 3), floats(3)))
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    assert problems(model.SerializeToString()) == (
        "c0: wanted weights inside the ONNX file, found external data; save the model into one file with "
        "onnx.save(model, path, save_as_external_data=False)"
    )


def test_tensor_that_is_larger_than_its_bytes_is_refused() -> None:
    model = onnx.ModelProto.FromString(one_op("Add", (2, 3), floats(3)))
    model.graph.initializer[0].dims[0] = 1 << 50
    assert problems(model.SerializeToString()) == (
        "c0: wanted 4503599627370496 bytes for float32[1125899906842624], found 12 "
        "bytes; export or download the file "
        "again"
    )


def test_cycle_is_refused() -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    assert problems(model_of(nodes, {"x": (1,)}, outputs=("b",))) == (
        "a: wanted inputs that an earlier node makes, found 'b', which none makes; export the model again"
    )


def test_wrong_const_is_refused() -> None:
    data = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": ("n", 3)})
    assert problems(data, consts={"x": np.ones((2, 4)), "z": np.ones(1)}) == (
        "model: wanted a name that --const can set (x), found 'z'; correct --const z\n"
        "x: wanted an array float[?, 3], found float64[2, 4]; save the array of --const "
        "x in that shape and dtype"
    )


# damaged files


def survives(data: bytes) -> None:
    with contextlib.suppress(CompileError):
        load_onnx(data, {}, {})


@pytest.mark.parametrize("name", ["onnx_mnist/mnist.onnx", "mlperf_tiny_onnx/kws_ref_model.onnx"])
def test_truncated_file(name: str) -> None:
    data = net(name).read_bytes()
    for length in np.linspace(0, len(data) - 1, 200, dtype=int):
        survives(data[:length])


FUZZED = {
    "onnx_mnist/mnist.onnx": 600,
    "mlperf_tiny_onnx/kws_ref_model.onnx": 100,
}


@pytest.mark.build
@pytest.mark.parametrize("name", FUZZED)
def test_flipped_bytes(name: str) -> None:
    """Flips outside of the large weights, which any bytes make."""
    data = net(name).read_bytes()
    model = onnx.ModelProto.FromString(data)
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > 512:
            tensor.raw_data = tensor.raw_data[:8]
    small = model.SerializeToString()
    random = np.random.default_rng(3)
    for original in (data, small):
        for _ in range(FUZZED[name]):
            damaged = bytearray(original)
            for position in random.integers(0, len(damaged), random.integers(1, 4)):
                damaged[position] = random.integers(256)
            survives(bytes(damaged))


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_operands_of_rank_0(op: str) -> None:
    """Scalars beside tensors and beside each other."""
    for a, b in (([], []), ([2, 3], []), ([], [2, 3])):
        inputs = {"a": np.full(a, 1.5, np.float32), "b": np.full(b, -2.0, np.float32)}
        model = single_node(op, inputs)
        graph = load_onnx(model.SerializeToString(), {}, {})
        found = oracle.run(graph, *inputs.values())[0]
        lowered = next(each for each in graph.nodes() if each.op == op.lower())
        assert found.shape == lowered.type.shape
        for each in lower(graph, lambda node: False).nodes():
            assert each.type.shape == OPS[each.op].infer(each).shape, each.layer


def single_node(op: str, inputs: dict[str, np.ndarray]) -> onnx.ModelProto:
    infos = [helper.make_tensor_value_info(name, 1, list(array.shape)) for name, array in inputs.items()]
    output = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph([helper.make_node(op, list(inputs), ["y"], name="y")], "g", infos, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_output_that_nobody_reads() -> None:
    x = helper.make_tensor_value_info("x", 1, [2])
    y = helper.make_tensor_value_info("y", 1, [2])
    node = helper.make_node("Dropout", ["x"], ["y", "mask"], name="d")
    graph = helper.make_graph([node], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    assert load_onnx(model.SerializeToString(), {}, {}).output_names == ("y",)


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_quantized_constant_of_rank_0(op: str) -> None:
    """A scalar int8 constant is an operand like any other, in the Graph and in the Plan."""
    x = helper.make_tensor_value_info("x", 1, [1, 4])
    y = helper.make_tensor_value_info("y", 1, [1, 4])
    arrays = {"s": np.float32(0.1), "z": np.int8(3), "k": np.int8(13)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xf"]),
        helper.make_node("DequantizeLinear", ["k", "s", "z"], ["kf"]),
        helper.make_node(op, ["xf", "kf"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "s", "z"], ["rq"]),
        helper.make_node("DequantizeLinear", ["rq", "s", "z"], ["y"]),
    ]
    weights = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    array = np.float32([[-3.0, -0.5, 0.5, 6.0]])
    fused = fuse_qdq(load_onnx(model.SerializeToString(), {}, {}))
    assert all(isinstance(each.attrs["value"], np.ndarray) for each in fused.nodes() if each.op == "constant")
    value = array + 1.0 if op == "Add" else array * 1.0
    np.testing.assert_allclose(oracle.run(fused, array)[0], value, atol=0.0501)
