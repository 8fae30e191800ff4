"""Evaluates a node whose inputs are all constants, within a bound on the size of its result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from s2c.errors import error
from s2c.ir import Quant
from s2c.readers.onnx.file import MOST_BYTES
from s2c.readers.onnx.source import Constant

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


def coordinates(arrays: Arrays) -> int:
    return arrays[0].size * max(arrays[0].ndim, 1)


ELEMENTWISE = (
    "Abs Add And BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil Clip Div Equal Erf Exp "
    "Floor Greater GreaterOrEqual Less LessOrEqual Log Max Mean Min Mod Mul Neg Not Or Pow "
    "QuantizeLinear Reciprocal Round Sign Sqrt Sub Sum Where Xor"
)
NEVER_LARGER = (
    "ArgMax ArgMin Concat CumSum Flatten Identity ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "Reshape Shape Size Slice Split Squeeze Transpose Trilu Unsqueeze"
)

# op_type -> the most elements that its result may have
FOLDS: Mapping[str, Size] = {
    **dict.fromkeys(ELEMENTWISE.split(), broadcast),
    **dict.fromkeys(NEVER_LARGER.split(), all_inputs),
    "ConstantOfShape": first_as_shape,
    "Expand": expanded,
    "Gather": gathered,
    "MatMul": contracted,
    "NonZero": coordinates,
    "Range": ranged,
    "Tile": expanded,
}


def fold(
    node: onnx.NodeProto, layer: str, opset: int, inputs: Sequence[Constant | None]
) -> tuple[Constant, ...]:
    """The values of a node of FOLDS by onnx's own reference implementation."""
    from onnx.reference import ReferenceEvaluator  # only nets that compute shapes pay for its import

    arrays = [each.value for each in inputs if each is not None]
    attrs = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    elements = FOLDS[node.op_type](arrays)
    if elements * 8 > MOST_BYTES:
        raise error(
            layer,
            f"a constant result of {node.op_type} of at most {MOST_BYTES} bytes",
            f"{elements} elements",
            "make the shapes that it is computed from smaller",
        )
    names = [name for name in node.input if name]
    step = helper.make_function(
        "s2c", "fold", list(dict.fromkeys(names)), list(node.output), [node], [helper.make_opsetid("", opset)]
    )
    with np.errstate(all="ignore"):
        results = ReferenceEvaluator(step).run(None, dict(zip(names, arrays, strict=True)), attributes={})
    return tuple(Constant(np.asarray(each), kept_quant(node.op_type, attrs, inputs)) for each in results)


def kept_quant(op_type: str, attrs: Mapping[str, Any], inputs: Sequence[Constant | None]) -> Quant | None:
    """The quantization of a dequantized constant, where the op only moves its values."""
    quant = inputs[0].quant if inputs and inputs[0] is not None else None
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
