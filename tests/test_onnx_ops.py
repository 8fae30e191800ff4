"""Families of ONNX ops against onnx's reference implementation, on small models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from s2c import oracle
from s2c.errors import CompileError
from s2c.passes.fuse_qdq import fuse_qdq
from s2c.readers.onnx import body, control, load_onnx, scope

RANDOM = np.random.default_rng(0)
NEWEST = onnx.defs.onnx_opset_version()
F32, I64 = np.float32, np.int64
Arrays = Mapping[str, np.ndarray]


def element(array: np.ndarray) -> int:
    return int(helper.np_dtype_to_tensor_dtype(array.dtype))


def model_of(
    nodes: Sequence[NodeProto],
    inputs: Arrays,
    consts: Arrays,
    outputs: Mapping[str, int],
    opset: int = NEWEST,
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, element(each), each.shape) for name, each in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in consts.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=10)


def results(model: onnx.ModelProto, inputs: Arrays) -> list[np.ndarray]:
    return list(oracle.run(load_onnx(model.SerializeToString(), {}, {}), *inputs.values()))


def agree(
    nodes: Sequence[NodeProto],
    inputs: Arrays,
    consts: Arrays | None = None,
    outputs: Mapping[str, int] | None = None,
    tolerance: float = 1e-5,
    **rest: Any,
) -> list[np.ndarray]:
    """Values, shapes and dtypes as the reference has them; the declared dtypes of outputs are its own."""
    wanted_types = outputs or {"y": TensorProto.FLOAT}
    model = model_of(nodes, inputs, consts or {}, wanted_types, **rest)
    with np.errstate(all="ignore"):
        wanted = [np.asarray(each) for each in ReferenceEvaluator(model).run(None, dict(inputs))]
    for output, each in zip(model.graph.output, wanted, strict=True):
        output.type.tensor_type.elem_type = element(each)
    found = results(model, inputs)
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if ours.dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(ours, theirs)
    return found


def op(op_type: str, inputs: str, outputs: str = "y", **attrs: Any) -> NodeProto:
    """_ stands for an input left out."""
    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(op_type, names, outputs.split(), name="layer", **attrs)


def floats(*shape: int) -> np.ndarray:
    return np.asarray(RANDOM.uniform(-3, 3, shape), F32)


def whole(*shape: int, dtype: Any = np.int32) -> np.ndarray:
    least = 0 if np.dtype(dtype).kind == "u" else -20
    return np.asarray(RANDOM.integers(least, 21, shape), dtype)


def ints(*values: int) -> np.ndarray:
    return np.array(values, I64)


def problems(nodes: Sequence[NodeProto], inputs: Arrays, consts: Arrays | None = None, **rest: Any) -> str:
    model = model_of(nodes, inputs, consts or {}, {"y": TensorProto.FLOAT}, **rest)
    with pytest.raises(CompileError) as caught:
        results(model, inputs)
    return str(caught.value)


# single elements

INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64)


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Max", "Min", "Less", "GreaterOrEqual", "Equal"])
@pytest.mark.parametrize("dtype", [F32, *INTEGERS, np.uint64])
def test_two_operands(op_type: str, dtype: Any) -> None:
    if dtype == F32:
        a, b = floats(2, 3, 4), floats(3, 1)
    else:
        a, b = whole(2, 3, 4, dtype=dtype), whole(3, 1, dtype=dtype)
    agree([op(op_type, "a b")], {"a": a, "b": b})
    agree([op(op_type, "b a")], {"a": a}, {"b": b})


@pytest.mark.parametrize("dtype", INTEGERS)
def test_quotients_of_integers(dtype: Any) -> None:
    a, b = whole(50, dtype=dtype), np.asarray(whole(50, dtype=dtype) | 1, dtype)
    agree([op("Mod", "a b")], {"a": a, "b": b})
    agree([op("Mod", "a b", fmod=1)], {"a": a, "b": b})
    y = results(model_of([op("Div", "a b")], {"a": a, "b": b}, {}, {"y": element(a)}), {"a": a, "b": b})[0]
    assert np.array_equal(y, np.trunc(a.astype(float) / b).astype(dtype))


def test_logic() -> None:
    a, b = floats(3, 4) > 0, floats(4) > 0
    for op_type in ("And", "Or", "Xor", "Equal"):
        agree([op(op_type, "a b")], {"a": a, "b": b})
    agree([op("Where", "a x z")], {"a": a, "x": floats(3, 1), "z": floats(4)})
    agree([op("Where", "a x z")], {"a": a, "x": whole(3, 4, dtype=np.int8)}, {"z": np.int8(3)})
    for op_type in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        agree([op(op_type, "a b")], {"a": whole(7), "b": whole(7)})


def test_shifts() -> None:
    for dtype in (np.uint8, np.uint32, np.int8, np.int32):
        for direction in ("LEFT", "RIGHT"):
            counts = np.asarray([0, 1, 2, 7, 5], dtype)
            agree([op("BitShift", "a b", direction=direction)], {"a": whole(5, dtype=dtype), "b": counts})


def test_powers() -> None:
    for exponent in (0.0, 1.0, 2.0, 3.0, 7.0, -1.0, -2.0):
        agree([op("Pow", "x e")], {"x": floats(3, 5)}, {"e": np.array(exponent, F32)}, tolerance=1e-4)
    for exponent in (0.5, -0.5, 1.7):
        agree([op("Pow", "x e")], {"x": np.abs(floats(3, 5)) + 1}, {"e": np.array(exponent, F32)})
    agree([op("Pow", "x e")], {"x": np.abs(floats(3, 5)), "e": floats(5)}, tolerance=1e-4)
    agree([op("Pow", "x e")], {"x": whole(9)}, {"e": ints(3)})
    agree([op("Pow", "x e")], {"x": np.array([1, 2, 3], np.int32)}, {"e": np.array([4, 5, 6], F32)})
    agree([op("Pow", "x e")], {"x": np.array([-2, 2, 3, -1], I64), "e": ints(5, 0, 13, 63)})


def test_of_many() -> None:
    inputs = {"a": floats(2, 3), "b": floats(3), "c": floats(2, 1)}
    for op_type in ("Sum", "Mean", "Max", "Min"):
        agree([op(op_type, "a b c")], inputs)
        agree([op(op_type, "a")], {"a": floats(2, 3)})


FLOAT_FUNCTIONS = "Sin Cos Tan Atan Sinh Asinh Floor Ceil Round Mish Softsign Selu Celu Elu HardSwish Swish"


@pytest.mark.parametrize("op_type", [*FLOAT_FUNCTIONS.split(), "ThresholdedRelu", "Shrink", "HardSigmoid"])
def test_functions(op_type: str) -> None:
    agree([op(op_type, "x")], {"x": floats(3, 5)})


def test_functions_with_attributes() -> None:
    x = {"x": floats(3, 5)}
    agree([op("Celu", "x", alpha=0.5)], x)
    agree([op("Elu", "x", alpha=0.5)], x)
    agree([op("Selu", "x", alpha=0.5, gamma=1.5)], x)
    agree([op("Shrink", "x", bias=0.5, lambd=1.5)], x)
    agree([op("Swish", "x", alpha=1.5)], x)
    agree([op("ThresholdedRelu", "x", alpha=0.5)], x)
    agree([op("PRelu", "x s")], {**x, "s": floats(5)})
    agree([op("PRelu", "x s")], x, {"s": floats(3, 1)})


def test_numbers_that_are_none() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1.0], F32)
    agree([op("IsNaN", "x")], {"x": x})
    agree([op("IsInf", "x")], {"x": x})
    agree([op("IsInf", "x", detect_negative=0)], {"x": x})


def test_clip_with_computed_bounds() -> None:
    bounds = {"lo": np.array(-1, F32), "hi": np.array(0.5, F32)}
    agree([op("Clip", "x lo hi")], {"x": floats(3, 5), **bounds})
    agree(
        [op("Clip", "x lo hi")], {"x": whole(9)}, {"lo": np.array(-3, np.int32), "hi": np.array(4, np.int32)}
    )
    agree([op("Clip", "x _ hi")], {"x": whole(9, dtype=np.int8)}, {"hi": np.array(4, np.int8)})


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
def test_over_an_axis(op_type: str) -> None:
    for axis in (0, 1, -1):
        agree([op(op_type, "x", axis=axis)], {"x": floats(2, 3, 4)}, opset=13)
    x = floats(2, 3, 4)
    flat = {"x": x.reshape(2, 12)}
    old = model_of([op(op_type, "x", axis=1)], {"x": x}, {}, {"y": 1}, opset=11)
    wanted = agree([op(op_type, "x", axis=1)], flat, opset=13)[0]
    np.testing.assert_allclose(results(old, {"x": x})[0].reshape(2, 12), wanted, rtol=1e-6)


def test_casts() -> None:
    kinds = (F32, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_)
    for source in kinds:
        for target in kinds:
            x = np.asarray(np.abs(whole(9)) % 50, source)
            agree([op("Cast", "x", to=int(helper.np_dtype_to_tensor_dtype(np.dtype(target))))], {"x": x})
    agree([op("CastLike", "x l")], {"x": floats(4), "l": whole(2)})


def test_bits_of_bool_and_integers() -> None:
    for x, dtype in ((np.array([True, False]), np.uint8), (whole(5, dtype=np.int16), np.uint16)):
        wanted = x.view(dtype)
        nodes = [op("BitCast", "x", to=element(wanted))]
        model = model_of(nodes, {"x": x}, {}, {"y": element(wanted)})
        np.testing.assert_array_equal(results(model, {"x": x})[0], wanted)


def test_float16_is_computed_in_float32() -> None:
    x = np.asarray(floats(3, 4), np.float16)
    weight = np.asarray(floats(4, 5), np.float16)
    y = agree([op("MatMul", "x w")], {"x": x}, {"w": weight}, tolerance=2e-3)[0]
    assert y.dtype == np.float16


# reductions


@pytest.mark.parametrize("op_type", "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare".split())
def test_reductions(op_type: str) -> None:
    x = np.abs(floats(2, 3, 4)) + F32(0.5)
    for axes in ((0,), (1, 2), (-1,), (0, 2)):
        for keepdims in (0, 1):
            node = op(f"Reduce{op_type}", "x a", keepdims=keepdims)
            agree([node], {"x": x}, {"a": ints(*axes)}, opset=18, tolerance=1e-4)
    agree([op(f"Reduce{op_type}", "x")], {"x": x}, opset=18, tolerance=1e-4)
    agree([op(f"Reduce{op_type}", "x", axes=[1])], {"x": x}, opset=11, tolerance=1e-4)


def test_reductions_of_integers() -> None:
    for op_type in ("Max", "Min", "Sum", "Prod", "L1", "SumSquare"):
        agree([op(f"Reduce{op_type}", "x a")], {"x": whole(3, 4, dtype=I64)}, {"a": ints(1)})
    for op_type in ("Max", "Min"):
        agree([op(f"Reduce{op_type}", "x a")], {"x": floats(3, 4) > 0}, {"a": ints(1)})


# movement and indices


def test_pad_modes() -> None:
    for mode in ("reflect", "edge", "wrap"):
        agree([op("Pad", "x p", mode=mode)], {"x": floats(3, 4)}, {"p": ints(1, 2, 2, 1)})
    agree([op("Pad", "x p v")], {"x": whole(3, 4)}, {"p": ints(1, 2, 0, 1), "v": np.int32(7)})
    agree([op("Pad", "x p v")], {"x": floats(3, 4), "v": F32(7).reshape(())}, {"p": ints(1, 2, 0, 1)})


def test_movement() -> None:
    agree([op("Tile", "x r")], {"x": floats(2, 3)}, {"r": ints(2, 3)})
    for mode in ("DCR", "CRD"):
        agree([op("DepthToSpace", "x", blocksize=2, mode=mode)], {"x": floats(2, 12, 2, 3)})
    agree([op("SpaceToDepth", "x", blocksize=2)], {"x": floats(2, 3, 4, 6)})
    for upper in (0, 1):
        agree([op("Trilu", "x k", upper=upper)], {"x": floats(2, 3, 4)}, {"k": ints(1)[0]})
    agree([op("EyeLike", "x", k=1)], {"x": floats(3, 4)})
    agree([op("Split", "x s", "y z")], {"x": floats(4, 3)}, {"s": ints(1, 3)}, {"y": 1, "z": 1})
    agree([op("Transpose", "x", perm=[5, 3, 1, 4, 2, 0])], {"x": floats(2, 3, 2, 3, 2, 3)})
    lengths = {"l": ints(1, 3, 2)}
    agree([op("ReverseSequence", "x l", batch_axis=0, time_axis=1)], {"x": floats(3, 4, 2)}, lengths)
    agree([op("ReverseSequence", "x l", batch_axis=1, time_axis=0)], {"x": floats(4, 3, 2)}, lengths)


def test_a_split_of_no_elements_vanishes() -> None:
    nodes = [op("Split", "x s", "a b", axis=1), op("Concat", "b a", axis=1)]
    agree(nodes, {"x": floats(2, 3)}, {"s": ints(3, 0)})


def test_gather_by_computed_indices() -> None:
    indices = np.array([[2, -1], [0, 1]], I64)
    agree([op("Gather", "x i", axis=1)], {"x": floats(2, 3, 4)}, {"i": indices})
    agree([op("Gather", "t i", axis=0)], {"i": indices}, {"t": floats(5, 4)})
    agree([op("Gather", "t i", axis=1)], {"i": indices}, {"t": floats(4, 5)})
    agree([op("Gather", "x i", axis=1)], {"x": floats(2, 3, 4), "i": indices})


def test_one_hot() -> None:
    consts = {"d": np.array(4, I64), "v": np.array([-1, 2], F32)}
    for axis in (0, 1, -1):
        agree([op("OneHot", "i d v", axis=axis)], {"i": np.array([[1, -1, 3], [0, 2, 7]], I64)}, consts)


def test_compress() -> None:
    condition = {"c": np.array([True, False, True])}
    agree([op("Compress", "x c", axis=0)], {"x": floats(3, 2)}, condition)
    agree([op("Compress", "x c")], {"x": floats(3, 2)}, condition)


# products

EQUATIONS = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "bij,bjk->bik": ((2, 3, 4), (2, 4, 5)),
    "bhqd,bhkd->bhqk": ((2, 2, 3, 4), (2, 2, 5, 4)),
    "...ij,...jk->...ik": ((2, 3, 4), (2, 4, 5)),
    "ij->ji": ((2, 3),),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "ij->": ((2, 3),),
    "i,j": ((2,), (3,)),
    "i,i": ((3,), (3,)),
    "bi,ij,bj->b": ((2, 3), (3, 4), (2, 4)),
    "abc,cd,def->abef": ((2, 1, 3), (3, 2), (2, 2, 3)),
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str) -> None:
    inputs = {name: floats(*shape) for name, shape in zip("abc", EQUATIONS[equation], strict=False)}
    agree([op("Einsum", " ".join(inputs), equation=equation)], inputs)
    last = {name: inputs[name] for name in list(inputs)[1:]}
    agree([op("Einsum", " ".join(inputs), equation=equation)], {"a": inputs["a"]}, last)


def test_matmul_of_computed_operands() -> None:
    for a, b in (((2, 3), (3, 4)), ((2, 1, 3, 4), (5, 4, 2)), ((3,), (2, 3, 4)), ((2, 3, 4), (4,))):
        agree([op("MatMul", "a b")], {"a": floats(*a), "b": floats(*b)})
        agree([op("MatMul", "a b")], {"a": floats(*a)}, {"b": floats(*b)})
        for dtype in (np.int32, np.int64):
            agree([op("MatMul", "a b")], {"a": whole(*a, dtype=dtype), "b": whole(*b, dtype=dtype)})


def test_gemm_of_computed_operands() -> None:
    inputs = {"a": floats(4, 3), "b": floats(5, 4), "c": floats(5)}
    agree([op("Gemm", "a b c", transA=1, transB=1, alpha=0.5, beta=2.0)], inputs)


# quantized

SCALE, ZERO = np.array(0.1, F32), np.array(131, np.uint8)


def test_quantized_uint8_is_what_the_model_says() -> None:
    x = {"x": floats(2, 5) * 10}
    consts = {"s": SCALE, "z": ZERO}
    agree([op("QuantizeLinear", "x s z")], x, consts)
    agree([op("QuantizeLinear", "x s z", "q"), op("Transpose", "q")], x, consts)
    agree([op("QuantizeLinear", "x s z", "q"), op("Max", "q z")], x, consts)
    nodes = [op("QuantizeLinear", "x s z", "q"), op("Transpose", "q", "t"), op("DequantizeLinear", "t s z")]
    agree(nodes, x, consts)
    model = model_of(nodes, x, consts, {"y": TensorProto.FLOAT})
    kinds = {each.type.dtype for each in fuse_qdq(load_onnx(model.SerializeToString(), {}, {})).nodes()}
    assert kinds == {"f32", "i8"}


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32])
def test_dequantize_inputs(dtype: Any) -> None:
    zero = np.zeros((), dtype) if dtype == np.int32 else np.array(3, dtype)
    agree([op("DequantizeLinear", "q s z")], {"q": whole(3, 4, dtype=dtype)}, {"s": SCALE, "z": zero})
    scales = {"s": np.abs(floats(4)) + 1, "z": np.zeros(4, dtype) + zero}
    agree([op("DequantizeLinear", "q s z", axis=1)], {"q": whole(3, 4, dtype=dtype), **scales})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quantized_inputs_stay_integers(dtype: Any) -> None:
    consts = {"s": SCALE, "z": np.array(3, dtype), "w": whole(4, 5, dtype=np.int8), "v": SCALE}
    nodes = [
        op("DequantizeLinear", "x s z", "d"),
        op("DequantizeLinear", "w v", "e"),
        op("MatMul", "d e", "m"),
        op("QuantizeLinear", "m s z", "q"),
        op("DequantizeLinear", "q s z"),
    ]
    x = {"x": whole(3, 4, dtype=dtype)}
    # The reference rounds each float on the way: where the real result lies at a tie, it is one step off.
    found = agree(nodes, x, consts, tolerance=1.01 * float(SCALE))
    d = (x["x"].astype(np.float64) - 3) * float(SCALE)
    exact = d @ (consts["w"].astype(np.float64) * float(SCALE)) / float(SCALE)
    limits = np.iinfo(dtype)
    wanted = (np.clip(np.rint(exact) + 3, limits.min, limits.max) - 3) * float(SCALE)
    is_tie = np.abs(exact - np.floor(exact) - 0.5) < 1e-4
    np.testing.assert_allclose(found[0][~is_tie], wanted[~is_tie], rtol=1e-5)
    model = model_of(nodes, x, consts, {"y": TensorProto.FLOAT})
    graph = fuse_qdq(load_onnx(model.SerializeToString(), {}, {}))
    assert [each.type.dtype for each in graph.nodes() if each.op == "dense"] == ["i8"]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_quantize_by_formula(dtype: Any) -> None:
    """Ties of the exact quotient go to even, as those of a division rounded once."""
    scales = np.array([0.1, 0.3, 7.0, 2.0], F32)
    steps = np.arange(-40, 40, dtype=F32) * F32(0.5)
    x = steps[:, np.newaxis] * scales
    consts = {"s": scales, "z": np.array([3, 5, 7, 9], dtype)}
    agree([op("QuantizeLinear", "x s z", axis=1)], {"x": x}, consts)
    agree([op("QuantizeLinear", "x s z")], {"x": x}, {"s": scales[0], "z": np.array(3, dtype)})
    agree([op("QuantizeLinear", "x s z")], {"x": x, "s": scales[0], "z": np.array(3, dtype)})


def test_blocks() -> None:
    consts = {"s": np.abs(floats(2, 3)) + 1, "z": whole(2, 3, dtype=np.int8)}
    x = {"x": floats(4, 3) * 20}
    agree([op("QuantizeLinear", "x s z", axis=0, block_size=2)], x, consts)
    weights = {**consts, "w": whole(4, 3, dtype=np.int8)}
    nodes = [op("DequantizeLinear", "w s z", "d", axis=0, block_size=2), op("Mul", "x d")]
    agree(nodes, x, weights)


def test_dynamic_quantization() -> None:
    outputs = {"y": TensorProto.UINT8, "s": TensorProto.FLOAT, "z": TensorProto.UINT8}
    agree([op("DynamicQuantizeLinear", "x", "y s z")], {"x": floats(3, 4)}, None, outputs)
    nodes = [op("DynamicQuantizeLinear", "x", "q s z"), op("MatMulInteger", "q w z wz")]
    consts = {"w": whole(4, 5, dtype=np.int8), "wz": np.zeros((), np.int8)}
    agree(nodes, {"x": floats(3, 4)}, consts)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_qlinear_matmul(dtype: Any) -> None:
    scales = {name: np.array(value, F32) for name, value in (("s", 0.0437), ("t", 0.0513), ("u", 0.1013))}
    zeros = {"z": np.array(3, dtype), "n": np.zeros((), dtype), "o": np.array(100, dtype)}
    a, b = whole(3, 4, dtype=dtype), whole(4, 5, dtype=dtype)
    for zero in ("z", "n"):
        node = op("QLinearMatMul", f"a s z b t {zero} u o")
        agree([node], {"a": a}, {"b": b, **scales, **zeros})
        agree([node], {"a": a, "b": b, **scales, **zeros})


def test_uint8_weights_of_computed_activations() -> None:
    consts = {"w": whole(4, 5, dtype=np.uint8), "s": SCALE, "z": np.array(7, np.uint8)}
    agree([op("DequantizeLinear", "w s z", "d"), op("MatMul", "x d")], {"x": floats(3, 4)}, consts)


# functions


def test_ops_that_are_functions() -> None:
    agree([op("MeanVarianceNormalization", "x")], {"x": floats(2, 3, 4, 4)}, tolerance=1e-4)
    agree([op("CenterCropPad", "x s")], {"x": floats(5, 3)}, {"s": ints(3, 5)})
    agree([op("LayerNormalization", "x s")], {"x": floats(2, 3, 4)}, {"s": floats(4)}, tolerance=1e-4)
    labels = {"l": np.array([1, 0], I64)}
    agree([op("SoftmaxCrossEntropyLoss", "x l")], {"x": floats(2, 3)}, labels)


def own(name: str, nodes: Sequence[NodeProto], attributes: Sequence[str] = ()) -> onnx.FunctionProto:
    imports = [helper.make_opsetid("", NEWEST), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a", "b"], ["r"], list(nodes), imports, list(attributes))


def reference_attribute(name: str, kind: int, of: str) -> onnx.AttributeProto:
    return onnx.AttributeProto(name=name, type=kind, ref_attr_name=of)


def test_functions_of_the_model() -> None:
    leaky = op("LeakyRelu", "s", "r")
    leaky.attribute.append(reference_attribute("alpha", onnx.AttributeProto.FLOAT, "slope"))
    inner = own("Leaky", [op("Add", "a b", "s"), leaky], ["slope"])
    call = op("Leaky", "a b", "t", slope=0.3, domain="own")
    outer = own("Twice", [call, op("Mul", "t b", "r")])
    x = {"x": floats(3), "z": floats(3)}
    model = model_of([op("Twice", "x z", domain="own")], x, {}, {"y": 1}, functions=[inner, outer])
    total = x["x"] + x["z"]
    wanted = np.where(total < 0, F32(0.3) * total, total) * x["z"]
    np.testing.assert_allclose(results(model, x)[0], wanted, rtol=1e-6)


def test_function_that_calls_itself_is_refused() -> None:
    loop = own("Endless", [op("Endless", "a b", "r", domain="own")])
    assert problems([op("Endless", "x x", domain="own")], {"x": floats(3)}, functions=[loop]) == (
        "layer/layer: wanted functions that do not call themselves, found own.Endless; inline the function"
    )


# control flow


def graph_of(
    nodes: Sequence[NodeProto], inputs: Mapping[str, int], outputs: Sequence[str]
) -> onnx.GraphProto:
    return helper.make_graph(
        list(nodes),
        "body",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )


def branches() -> dict[str, onnx.GraphProto]:
    return {
        "then_branch": graph_of([op("Relu", "x", "t")], {}, ["t"]),
        "else_branch": graph_of([op("Neg", "x", "e")], {}, ["e"]),
    }


def test_if() -> None:
    for condition in (True, False):
        value = {"c": np.array(condition)}
        agree([op("If", "c", **branches())], {"x": floats(3)}, value)
        agree([op("If", "c", **branches())], {"x": floats(3), **value})


def test_branches_of_two_shapes_are_refused() -> None:
    graphs = branches()
    graphs["else_branch"].node[0].CopyFrom(op("ReduceSum", "x", "e"))
    inputs = {"x": floats(3), "c": np.array(True)}
    assert problems([op("If", "c", **graphs)], inputs) == (
        "layer: wanted a constant condition, or branches with results of one shape, found f32[3] and f32[1]; "
        "bind the inputs that the condition comes from with --const"
    )


def loop_body() -> onnx.GraphProto:
    """v + i and v * w, which is w of the graph around."""
    nodes = [
        op("Cast", "i", "f", to=TensorProto.FLOAT),
        op("Add", "v f", "v_out"),
        op("Mul", "v w", "scan"),
        op("Identity", "c", "c_out"),
    ]
    kinds = {"i": TensorProto.INT64, "c": TensorProto.BOOL, "v": TensorProto.FLOAT}
    body = graph_of(nodes, kinds, ["c_out", "v_out", "scan"])
    body.output[0].type.tensor_type.elem_type = TensorProto.BOOL
    return body


def test_loop_of_known_length() -> None:
    node = op("Loop", "n c x", "y z", body=loop_body())
    inputs = {"x": floats(3), "w": floats(3)}
    outputs = {"y": TensorProto.FLOAT, "z": TensorProto.FLOAT}
    agree([node], inputs, {"n": np.array(4, I64), "c": np.array(True)}, outputs)
    n = {"n": np.array(2, I64)}
    whole_model = model_of([op("Loop", "n _ x", "y z", body=loop_body())], inputs, n, outputs)
    np.testing.assert_array_equal(results(whole_model, inputs)[0], inputs["x"] + 0 + 1)


def test_loop_of_unknown_length_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_ITERATIONS", 20)
    unknown = loop_body()
    unknown.node[3].CopyFrom(op("Less", "v w", "c_out"))
    inputs = {"x": np.ones((), F32), "w": np.ones((), F32)}
    consts = {"n": np.array(4, I64), "c": np.array(True)}
    assert problems([op("Loop", "n c x", "y z", body=unknown)], inputs, consts) == (
        "layer: wanted control flow of known length: a Loop whose condition is constant, found a computed "
        "condition; export the model with a fixed trip count"
    )
    endless = op("Loop", "_ c x", "y z", body=loop_body())
    assert problems([endless], inputs, {"c": np.array(True)}) == (
        "layer: wanted control flow of known length: at most 20 iterations, found more; export the model "
        "with a fixed and smaller trip count"
    )


def test_scan() -> None:
    nodes = [op("Add", "s v", "s_out"), op("Mul", "s v", "r")]
    kinds = {"s": TensorProto.FLOAT, "v": TensorProto.FLOAT}
    body = graph_of(nodes, kinds, ["s_out", "r"])
    node = op("Scan", "a b", "y z", body=body, num_scan_inputs=1)
    outputs = {"y": TensorProto.FLOAT, "z": TensorProto.FLOAT}
    agree([node], {"a": floats(3), "b": floats(4, 3)}, None, outputs)


def test_sequences() -> None:
    nodes = [
        op("SplitToSequence", "x", "q", axis=0, keepdims=0),
        op("SequenceConstruct", "z z", "r"),
        op("SequenceAt", "q one", "second"),
        op("SequenceInsert", "r second zero", "s"),
        op("SequenceErase", "s one", "t"),
        op("ConcatFromSequence", "t", axis=0, new_axis=1),
    ]
    consts = {"one": np.array(1, I64), "zero": np.array(0, I64)}
    agree(nodes, {"x": floats(3, 4), "z": floats(4)}, consts)


def test_sequence_map() -> None:
    body = graph_of([op("Add", "e z", "r")], {"e": TensorProto.FLOAT}, ["r"])
    nodes = [
        op("SequenceConstruct", "x z", "q"),
        op("SequenceMap", "q", "m", body=body),
        op("ConcatFromSequence", "m", axis=0),
    ]
    x = {"x": floats(3), "z": floats(3)}
    wanted = np.concatenate([x["x"] + x["z"], x["z"] * 2])
    np.testing.assert_array_equal(results(model_of(nodes, x, {}, {"y": 1}), x)[0], wanted)


# limits and refusals


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    x, consts = {"x": floats(3), "w": floats(3)}, {"n": np.array(9, I64)}
    loop = [op("Loop", "n _ x", "y z", body=loop_body())]
    monkeypatch.setattr(scope, "MOST_NODES", 20)
    assert problems(loop, x, consts) == (
        "layer[4]/layer: wanted at most 20 nodes, loops unrolled, found more; give its loops fewer iterations"
    )
    monkeypatch.undo()
    monkeypatch.setattr(scope, "MOST_KNOWN", 16)
    assert problems(loop, x, consts) == (
        "layer[3]/layer: wanted at most 16 bytes computed of constants, found more; make the constants that "
        "it computes smaller"
    )
    monkeypatch.undo()
    monkeypatch.setattr(body, "MOST_DEPTH", 0)
    nested = own("Outer", [op("Inner", "a b", "r", domain="own")])
    inner = own("Inner", [op("Add", "a b", "r")])
    call = [op("Outer", "x w", domain="own")]
    assert problems(call, x, functions=[nested, inner]) == (
        "layer/layer: wanted functions and graphs nested at most 0 deep, found deeper ones; inline the "
        "functions"
    )


REFUSALS = {
    "double": (
        ([op("Relu", "x")], {"x": np.ones(3)}, {}),
        "x: wanted an input of float32, float16, integers or bool, found double; bind it with --const "
        "x=FILE.npy, or export the model in float32",
    ),
    "double constant": (
        ([op("Add", "x c")], {"x": floats(3)}, {"c": np.ones(3)}),
        "layer: wanted a constant of another type than float64, found float64; export the model in float32",
    ),
    "random": (
        ([op("RandomNormalLike", "x", "r"), op("Add", "x r")], {"x": floats(3)}, {}),
        "layer: wanted a net without random numbers, found RandomNormalLike; make the random tensor an "
        "input of the model",
    ),
    "data-dependent": (
        ([op("NonZero", "x")], {"x": floats(3)}, {}),
        "layer: wanted results of a fixed shape, found NonZero of computed values; mask the values with "
        "Where, or bind the inputs that it comes from with --const",
    ),
    "training": (
        ([op("Dropout", "x r t")], {"x": floats(3)}, {"r": np.array(0.5, F32), "t": np.array(True)}),
        "layer: wanted Dropout for inference, found training_mode 1; export the model in evaluation mode",
    ),
    "bfloat16": (
        ([op("Cast", "x", to=TensorProto.BFLOAT16)], {"x": floats(3)}, {}),
        "layer: wanted a cast to float32, float16, integers or bool, found a cast to bfloat16; keep it in "
        "float32",
    ),
    "int4": (
        ([op("QuantizeLinear", "x s", output_dtype=TensorProto.INT4)], {"x": floats(3)}, {"s": SCALE}),
        "layer: wanted quantized values of 8 or 16 bits, found int4; quantize to int8",
    ),
    "output": (
        ([op("Shape", "x")], {"x": floats(3)}, {}),
        "y: wanted an output float, as declared, found i64[1]; check the model's declared outputs with "
        "onnx.checker.check_model(model, full_check=True)",
    ),
    "reflection": (
        ([op("Pad", "x p", mode="reflect")], {"x": floats(1)}, {"p": ints(1, 1)}),
        "layer: wanted at least 2 elements to reflect, found f32[1]; pad with the edge, which is the same",
    ),
    "no elements": (
        ([op("Slice", "x a b")], {"x": floats(3)}, {"a": ints(2), "b": ints(2)}),
        "y: wanted tensors of at least one element, found one of shape [0]; export the model without it",
    ),
    "sequence": (
        ([op("SequenceConstruct", "x x")], {"x": floats(3)}, {}),
        "y: wanted an output that is a tensor, found a sequence or optional; leave the output out, or cast "
        "it to float32",
    ),
    "position": (
        ([op("SequenceConstruct", "x x", "q"), op("SequenceAt", "q i")], {"x": floats(3)}, {"i": ints(2)[0]}),
        "layer: wanted a position in 2 items, found 2; check the layer's position",
    ),
    "matrices": (
        ([op("MatMul", "x z")], {"x": floats(2, 3), "z": floats(2, 3)}, {}),
        "layer: wanted matrices of which the first have as many columns as the second rows, found f32[2,3] "
        "and f32[2,3]; check the layer's shapes",
    ),
    "blocks": (
        (
            [op("QuantizeLinear", "x s z", axis=0, block_size=2)],
            {"x": floats(4, 3)},
            {"s": np.ones((3, 3), F32), "z": np.zeros((3, 3), np.int8)},
        ),
        "layer: wanted a scale for each block of 2 of [4, 3] along axis 0, found [3, 3]; quantize the layer "
        "again",
    ),
    "scales": (
        (
            [op("DequantizeLinear", "w s", "d"), op("Add", "x d")],
            {"x": floats(3)},
            {"w": np.array([1], np.int8), "s": -SCALE},
        ),
        "layer: wanted finite float32 scales above 0, found float32[]; quantize the layer again",
    ),
    "compressed to nothing": (
        ([op("Compress", "x c", axis=0)], {"x": floats(2)}, {"c": np.array([False, False])}),
        "layer: wanted at least one element, within the axis, found [] of 2; check the condition",
    ),
    "block": (
        ([op("SpaceToDepth", "x", blocksize=2)], {"x": floats(1, 1, 3, 4)}, {}),
        "layer: wanted a blocksize that divides [3, 4], found 2; check the blocksize",
    ),
    "domain": (
        (
            [helper.make_node("Gelu", ["x"], ["y"], name="layer", domain="com.microsoft")],
            {"x": floats(3)},
            {},
        ),
        "layer: wanted an op of ONNX's own domain, found com.microsoft.Gelu; export with standard ops",
    ),
    "slopes": (
        ([op("PRelu", "x s")], {"x": floats(3)}, {"s": floats(2, 3)}),
        "layer: wanted an input 1 that broadcasts to [3], found [2, 3]; check the layer's weights",
    ),
    "bits": (
        ([op("BitCast", "x", to=TensorProto.INT32)], {"x": floats(3)}, {}),
        "layer: wanted the bits of integers as those of integers, found f32[3] as int32; keep one type",
    ),
    "lengths": (
        ([op("ReverseSequence", "x l")], {"x": floats(3, 2)}, {"l": ints(1, 4)}),
        "layer: wanted axes 0 and 1, and 2 lengths of at most 3, found axes 1 and 0, and [1, 4]; check the "
        "layer's attributes",
    ),
    "equation": (
        ([op("Einsum", "x x", equation="ij,k->i")], {"x": floats(3)}, {}),
        "layer: wanted 1 letters, or fewer and ..., found 'ij'; check the equation",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(case: str) -> None:
    arguments, message = REFUSALS[case]
    assert problems(*arguments) == message
