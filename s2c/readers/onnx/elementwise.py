"""ONNX ops on single elements, softmax and quantization, as source ops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from s2c.ir import Node, Quant
from s2c.ops import make
from s2c.readers.onnx.file import ELEMENTS, element_name
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    given,
    known,
    refuse,
    required,
    reshaped,
    scalar_node,
    tensor,
    transposed,
)


def unary(function: str) -> Reader:
    def read(source: Source) -> Value:
        return apply(source, function, activation(source))

    return read


def apply(source: Source, function: str, x: Node) -> Node:
    return make("unary", (x,), source.layer, function=function)


def clamp(source: Source, x: Node, lo: float = -math.inf, hi: float = math.inf) -> Node:
    pairs = (("lo", lo), ("hi", hi))
    bounds: dict[str, Any] = {name: float(value) for name, value in pairs if not math.isinf(value)}
    return make("relu", (x,), source.layer, **bounds) if bounds else x


def relu(source: Source) -> Value:
    return clamp(source, activation(source), lo=0.0)


def clip(source: Source) -> Value:
    """Attributes min and max before opset 11, inputs from then on."""
    x = activation(source)
    if source.opset < 11:
        return clamp(source, x, source.attrs.get("min", -math.inf), source.attrs.get("max", math.inf))
    lo, hi = (
        default if given(source, index) is None else known(source, index, what).value.item()
        for index, what, default in ((1, "minimum", -math.inf), (2, "maximum", math.inf))
    )
    return clamp(source, x, lo, hi)


def leaky_relu(source: Source) -> Value:
    return make(
        "leaky_relu", (activation(source),), source.layer, alpha=float(source.attrs.get("alpha", 0.01))
    )


def prelu(source: Source) -> Value:
    x = activation(source)
    alpha = known(source, 1, "slopes").value
    if alpha.dtype != np.float32 or np.broadcast_shapes(x.type.shape, alpha.shape) != x.type.shape:
        raise refuse(
            source,
            f"float32 slopes that broadcast to {x.type}",
            f"{alpha.dtype}{list(alpha.shape)}",
            "check the layer's slopes",
        )
    if source.opset < 7 and alpha.ndim == 1 and alpha.size > 1:
        alpha = alpha.reshape(-1, *(1,) * (len(x.type.shape) - 2))
    return make("prelu", (x,), source.layer, alpha=alpha)


def elu(source: Source) -> Value:
    x = activation(source)
    alpha = float(source.attrs.get("alpha", 1.0))
    if alpha == 1:
        return apply(source, "elu", x)
    below = apply(source, "elu", clamp(source, x, hi=0.0))
    return sum_of(source, clamp(source, x, lo=0.0), times(source, below, alpha))


def times(source: Source, x: Node, factor: float) -> Node:
    return make("mul", (x, scalar_node(source, factor)), source.layer)


def plus(source: Source, x: Node, term: float) -> Node:
    return make("add", (x, scalar_node(source, term)), source.layer)


def sum_of(source: Source, a: Node, b: Node) -> Node:
    return make("add", (a, b), source.layer)


def hard_sigmoid(source: Source) -> Value:
    alpha, beta = source.attrs.get("alpha", 0.2), source.attrs.get("beta", 0.5)
    return clamp(source, plus(source, times(source, activation(source), alpha), beta), 0.0, 1.0)


def gelu(source: Source) -> Value:
    approximate = source.attrs.get("approximate", "none")
    return apply(source, {"none": "gelu", "tanh": "gelu_tanh"}[approximate], activation(source))


def negate(source: Source) -> Value:
    return times(source, activation(source), -1.0)


def power(source: Source) -> Value:
    exponent = known(source, 1, "exponent").value
    x = activation(source)
    known_powers = {0.5, 1.0, 2.0}
    value = float(exponent.reshape(-1)[0]) if exponent.size == 1 else math.nan
    if value not in known_powers:
        found = str(exponent.tolist()) if exponent.size == 1 else f"exponents {list(exponent.shape)}"
        raise refuse(source, "Pow with exponent 0.5, 1 or 2", found, "write it with Mul, Sqrt, Exp and Log")
    if value == 0.5:
        return apply(source, "sqrt", x)
    return x if value == 1 else make("mul", (x, x), source.layer)


def binary(op: str) -> Reader:
    def read(source: Source) -> Value:
        return make(op, operands(source), source.layer)

    return read


def operands(source: Source) -> tuple[Node, Node]:
    """Both inputs; before opset 7 the second one's axes could be aligned with `axis`."""
    a, b = activation(source, 0), activation(source, 1)
    if source.opset < 7 and source.attrs.get("broadcast", 0) and "axis" in source.attrs:
        axis = axis_of(source, source.attrs["axis"], len(a.type.shape))
        trailing = max(len(a.type.shape) - axis - len(b.type.shape), 0)
        b = reshaped(b, source.layer, b.type.shape + (1,) * trailing)
    return a, b


def softmax(source: Source) -> Value:
    """From opset 13 over one axis; before over all axes from `axis` on, as one."""
    x = activation(source)
    shape = x.type.shape
    rank = len(shape)
    if source.opset < 13:
        axis = axis_of(source, source.attrs.get("axis", 1), rank)
        flat = reshaped(x, source.layer, (*shape[:axis], math.prod(shape[axis:])))
        return reshaped(make("softmax", (flat,), source.layer, beta=1.0), source.layer, shape)
    axis = axis_of(source, source.attrs.get("axis", -1), rank)
    swap = [*range(rank)]
    swap[axis], swap[-1] = swap[-1], swap[axis]
    last = transposed(x, source.layer, tuple(swap))
    return transposed(make("softmax", (last,), source.layer, beta=1.0), source.layer, tuple(swap))


# Quantization: uint8 is int8 with 128 subtracted from values and zero points.


def quantize_linear(source: Source) -> Value:
    quant, _ = quantization(source)
    if quant.axis is not None:
        raise refuse(
            source,
            "one scale for an activation",
            f"{len(quant.scale)} scales along axis {quant.axis}",
            "quantize activations per tensor",
        )
    return make("quantize", (activation(source),), source.layer, quant)


def dequantize_linear(source: Source) -> Value:
    value = required(source, 0)
    if isinstance(value, Constant):
        return dequantized(source, value.value)
    quant, _ = quantization(source)
    node = tensor(source, 0)
    if node.type.quant != quant:
        raise refuse(
            source,
            f"the quantization that {node.type} was made with",
            str(quant),
            "use one scale and zero point",
        )
    return make("dequantize", (node,), source.layer)


def dequantized(source: Source, stored: np.ndarray) -> Constant:
    """A constant as floats; int8 and uint8 ones remember their quantization."""
    if stored.dtype not in (np.int8, np.uint8, np.int32):
        raise refuse(source, "int8, uint8 or int32 values", str(stored.dtype), "quantize to int8")
    quant, zeros = quantization(source, stored.dtype)
    shape: tuple[int, ...] = ()
    if quant.axis is not None:
        axis = axis_of(source, quant.axis, stored.ndim)
        quant = replace(quant, axis=axis)
        if len(quant.scale) != stored.shape[axis]:
            raise refuse(
                source,
                f"{stored.shape[axis]} scales along axis {axis}",
                str(len(quant.scale)),
                "quantize the weights again",
            )
        shape = tuple(-1 if each == axis else 1 for each in range(stored.ndim))
    scale = np.array(quant.scale, np.float32).reshape(shape)
    centred = stored.astype(np.int64) - zeros.reshape(shape)
    with np.errstate(over="ignore"):
        value = np.asarray(centred.astype(np.float32) * scale, np.float32)
    return Constant(value, None if stored.dtype == np.int32 else quant)


def quantization(source: Source, stored: np.dtype[np.generic] | None = None) -> tuple[Quant, np.ndarray]:
    """The Quant of int8 values, and the zero points as the model has them."""
    if source.attrs.get("block_size", 0):
        raise refuse(
            source, "scales per tensor or per axis", "scales per block", "quantize per tensor or per axis"
        )
    scale = known(source, 1, "scale").value
    if given(source, 2) is not None:
        zeros = known(source, 2, "zero point").value
    else:
        element = source.attrs.get("output_dtype", 0)
        if element not in (0, *ELEMENTS):
            raise refuse(source, "int8 or uint8", element_name(element), "quantize to int8")
        default = stored or (ELEMENTS[element][0] if element else np.dtype(np.uint8))
        zeros = np.zeros(scale.shape, default)
    if zeros.dtype not in ((np.int8, np.uint8) if stored is None else (stored,)):
        raise refuse(source, "int8 or uint8", str(zeros.dtype), "quantize to int8")
    if scale.dtype != np.float32 or not np.isfinite(scale).all() or (scale <= 0).any() or scale.ndim > 1:
        raise refuse(
            source,
            "finite float32 scales above 0",
            f"{scale.dtype}{list(scale.shape)}",
            "quantize the layer again",
        )
    if zeros.size != scale.size or not scale.size:
        raise refuse(
            source,
            f"{scale.size} zero points, one for each scale",
            str(zeros.size),
            "quantize the layer again",
        )
    if zeros.size > 1 and (zeros != zeros[0]).any():
        raise refuse(
            source, "one zero point for all channels", "several", "quantize the weights symmetrically"
        )
    zero = int(zeros.reshape(-1)[0]) - (128 if zeros.dtype == np.uint8 else 0)
    axis = int(source.attrs.get("axis", 1)) if scale.size > 1 else None
    return Quant(tuple(float(each) for each in scale.reshape(-1)), zero, axis), zeros.astype(np.int64)


ELEMENTWISE: Mapping[str, Reader] = {
    "Abs": unary("abs"),
    "Add": binary("add"),
    "Clip": clip,
    "DequantizeLinear": dequantize_linear,
    "Div": binary("div"),
    "Elu": elu,
    "Erf": unary("erf"),
    "Exp": unary("exp"),
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": unary("hard_swish"),
    "LeakyRelu": leaky_relu,
    "Log": unary("log"),
    "Mul": binary("mul"),
    "Neg": negate,
    "PRelu": prelu,
    "Pow": power,
    "QuantizeLinear": quantize_linear,
    "Reciprocal": unary("reciprocal"),
    "Relu": relu,
    "Sigmoid": unary("sigmoid"),
    "Softmax": softmax,
    "Softplus": unary("softplus"),
    "Sqrt": unary("sqrt"),
    "Sub": binary("sub"),
    "Tanh": unary("tanh"),
}
