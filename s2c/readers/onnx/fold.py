"""Evaluates a node whose inputs are all constants, within a bound on the size of its result."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper

from s2c.errors import error
from s2c.ir import Quant
from s2c.readers.onnx.file import MOST_BYTES
from s2c.readers.onnx.source import Anything, Constant, Nothing
from s2c.readers.onnx.weights import constant_from

Arrays = Sequence[np.ndarray]
Size = Callable[[Arrays], int]


def broadcast(arrays: Arrays) -> int:
    return math.prod(np.broadcast_shapes(*(each.shape for each in arrays)))


def all_inputs(arrays: Arrays) -> int:
    return sum(each.size for each in arrays)


def first_as_shape(arrays: Arrays) -> int:
    return int(math.prod(arrays[0].reshape(-1).tolist()))


def expanded(arrays: Arrays) -> int:
    return arrays[0].size * math.prod(max(int(each), 1) for each in arrays[1].reshape(-1))


def gathered(arrays: Arrays) -> int:
    return arrays[0].size * arrays[1].size


def ranged(arrays: Arrays) -> int:
    start, limit, delta = (float(each.reshape(-1)[0]) for each in arrays)
    return max(math.ceil((limit - start) / delta), 0)


def contracted(arrays: Arrays) -> int:
    return int(arrays[0].size * arrays[1].shape[-1])


def one_hot(arrays: Arrays) -> int:
    return int(arrays[0].size * arrays[1].reshape(-1)[0])


def masked(arrays: Arrays) -> int:
    return arrays[0].size


def coordinates(arrays: Arrays) -> int:
    return arrays[0].size * max(arrays[0].ndim, 1)


ELEMENTWISE = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor "
    "Cast Ceil Clip Cos Cosh Div Equal Erf Exp Floor Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual "
    "Log Max Mean Min Mod Mul Neg Not Or Pow QuantizeLinear Reciprocal Round Sign Sin Sinh Sqrt Sub Sum "
    "Tan Tanh Where Xor"
)
NEVER_LARGER = (
    "ArgMax ArgMin BitwiseNot Concat CumProd CumSum DepthToSpace Flatten GatherElements HardSigmoid Hardmax "
    "Identity LeakyRelu LogSoftmax ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean "
    "ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape ReverseSequence ScatterElements ScatterND "
    "Shape Sigmoid Size Slice Softmax Softplus SpaceToDepth Split Squeeze Transpose Trilu Unsqueeze"
)

# op_type -> the most elements that its result may have
FOLDS: Mapping[str, Size] = {
    **dict.fromkeys(ELEMENTWISE.split(), broadcast),
    **dict.fromkeys(NEVER_LARGER.split(), all_inputs),
    "Compress": masked,
    "ConstantOfShape": first_as_shape,
    "Expand": expanded,
    "EyeLike": masked,
    "Gather": gathered,
    "GatherND": gathered,
    "MatMul": contracted,
    "NonZero": coordinates,
    "OneHot": one_hot,
    "Range": ranged,
    "Tile": expanded,
    "Unique": coordinates,
}


def fold(
    node: onnx.NodeProto, layer: str, opset: int, values: Sequence[Anything]
) -> tuple[Constant, ...] | None:
    """The values of a node of constants by onnx's own reference implementation.

    None where an input is computed, or the op is none of FOLDS.
    """
    inputs = [value for value in values if not isinstance(value, Nothing)]
    constants = [value for value in inputs if isinstance(value, Constant)]
    if node.op_type not in FOLDS or not constants or len(constants) < len(inputs):
        return None
    if opset < 7 and any(each.name == "broadcast" for each in node.attribute):
        return None  # the reference implementation does not align axes as these opsets do
    if node.op_type == "QuantizeLinear" and any(each.element for each in constants):
        return None  # The array's dtype is wider than what the model quantizes to.
    refuse_large(node, layer, FOLDS[node.op_type]([each.value for each in constants]))
    return evaluated(node, layer, opset, constants)


def refuse_large(node: onnx.NodeProto, layer: str, elements: int) -> None:
    if elements * 8 > MOST_BYTES:
        raise error(
            layer,
            f"a constant result of {node.op_type} of at most {MOST_BYTES} bytes",
            f"{elements} elements",
            "make the shapes that it is computed from smaller",
        )


def evaluated(
    node: onnx.NodeProto, layer: str, opset: int, inputs: Sequence[Constant]
) -> tuple[Constant, ...]:
    from onnx.reference import ReferenceEvaluator  # only nets that compute shapes pay for its import

    names = [name for name in node.input if name]
    step = helper.make_function(
        "s2c", "fold", list(dict.fromkeys(names)), list(node.output), [node], [helper.make_opsetid("", opset)]
    )
    feeds = dict(zip(names, (each.value for each in inputs), strict=True))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            results = ReferenceEvaluator(step).run(None, feeds, attributes={})
        except (AssertionError, AttributeError, NotImplementedError) as problem:
            raise ValueError(f"constants that onnx cannot compute with: {problem}") from None
    attrs = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    quant = kept_quant(node.op_type, attrs, inputs)
    return tuple(replace(constant_from(np.asarray(each), layer), quant=quant) for each in results)


def kept_quant(op_type: str, attrs: Mapping[str, Any], inputs: Sequence[Constant]) -> Quant | None:
    """The quantization of a dequantized constant, where the op only moves its values."""
    quant = inputs[0].quant
    if quant is None or op_type not in (
        "Flatten",
        "Identity",
        "Reshape",
        "Slice",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    ):
        return None
    if quant.axis is None:
        return quant
    if op_type == "Transpose" and "perm" in attrs:
        return Quant(quant.scale, quant.zero, list(attrs["perm"]).index(quant.axis))
    return None
