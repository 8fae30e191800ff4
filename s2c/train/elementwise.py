"""ELEMENTWISE: ops on single elements, on torch tensors with one more axis in front, the samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from s2c.ir import DTYPES, Node
from s2c.train.tensors import Attr, Function, aligned, clamp

Unary = Callable[[Tensor], Tensor]
Binary = Callable[[Tensor, Tensor], Tensor]

HUGE = 2.0**126  # a larger divisor counts as infinite, as in the op's definition


def gelu(x: Tensor) -> Tensor:
    """torch's own has NaN for infinity."""
    return 0.5 * x * (1.0 + torch.erf(x * math.sqrt(0.5)))


def hard_swish(x: Tensor) -> Tensor:
    """torch's own overflows where the result does not."""
    return x * (torch.clamp(x + 3.0, 0.0, 6.0) / 6.0)


def gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def sign(x: Tensor) -> Tensor:
    """torch has 0 for NaN."""
    return torch.where(torch.isnan(x), x, torch.sign(x))


UNARY: Mapping[str, Unary] = {
    **{name: getattr(torch, name) for name in ("abs", "ceil", "floor", "round", "trunc")},
    **{name: getattr(torch, name) for name in ("exp", "exp2", "expm1", "log", "log1p", "log2")},
    **{name: getattr(torch, name) for name in ("reciprocal", "rsqrt", "sqrt")},
    **{name: getattr(torch, name) for name in ("acos", "asin", "atan", "cos", "sin", "tan")},
    **{name: getattr(torch, name) for name in ("acosh", "asinh", "atanh", "cosh", "sinh", "tanh")},
    **{name: getattr(torch, name) for name in ("erf", "erfc", "sigmoid")},
    **{name: getattr(functional, name) for name in ("elu", "mish", "silu", "softplus", "softsign")},
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "hard_swish": hard_swish,
    "sign": sign,
}


def unary(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return UNARY[node.attrs["function"]](x)


def relu(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return clamp(node, x)


def leaky_relu(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return functional.leaky_relu(x, node.attrs["alpha"])


def prelu(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return torch.where(x < 0, attr("alpha") * x, x)


# two operands


def add(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return clamp(node, torch.add(*aligned(node, a, b)))


def mul(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return clamp(node, torch.mul(*aligned(node, a, b)))


def sub(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return torch.sub(*aligned(node, a, b))


def div(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    divisor = torch.where(b.abs() > HUGE, torch.copysign(torch.full((), torch.inf), b), b)
    return torch.div(*aligned(node, a, divisor))


def divide(a: Tensor, b: Tensor) -> Tensor:
    """Towards zero, by 0 gives 0; the processor traps at the lowest value over -1, which wraps to itself."""
    safe = torch.where((b == 0) | (b == -1), 1, b)
    quotient = torch.div(a, safe, rounding_mode="trunc")
    return torch.where(b == 0, 0, torch.where(b == -1, -quotient, quotient))


def remainder(a: Tensor, b: Tensor) -> Tensor:
    return a - divide(a, b) * b


def fmod(a: Tensor, b: Tensor) -> Tensor:
    """Of float32 in float64: torch has NaN where the quotient overflows."""
    return torch.fmod(a.double(), b.double()).to(a.dtype)


def shifts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Which shifts leave a bit, and those with 0 for the others."""
    inside = (b >= 0) & (b < a.element_size() * 8)
    return inside, torch.where(inside, b, 0)


def shift_left(a: Tensor, b: Tensor) -> Tensor:
    inside, count = shifts(a, b)
    return torch.where(inside, torch.bitwise_left_shift(a, count), 0)


def shift_right(a: Tensor, b: Tensor) -> Tensor:
    """Logical: the first step clears the sign, after which torch's shift brings in zeros."""
    inside, count = shifts(a, b)
    half = torch.bitwise_right_shift(a, 1) & torch.iinfo(a.dtype).max
    shifted = torch.where(count == 0, a, torch.bitwise_right_shift(half, (count - 1).clamp_min(0)))
    return torch.where(inside, shifted, 0)


BINARY: Mapping[str, Binary] = {
    **{name: getattr(torch, name) for name in ("add", "sub", "mul", "pow", "maximum", "minimum")},
    "atan2": torch.atan2,
    "bit_and": torch.bitwise_and,
    "bit_or": torch.bitwise_or,
    "bit_xor": torch.bitwise_xor,
    "divide": divide,
    "equal": torch.eq,
    "fmod": fmod,
    "less": torch.lt,
    "less_equal": torch.le,
    "remainder": remainder,
    "shift_left": shift_left,
    "shift_right": shift_right,
}


def binary(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return BINARY[node.attrs["function"]](*aligned(node, a, b))


def where(node: Node, attr: Attr, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(*aligned(node, condition, a, b))


# casts


def cast(node: Node, attr: Attr, x: Tensor) -> Tensor:
    """As eval_cast has it: floats to integers saturate at int32 or int64, then lose their high bits."""
    name = node.attrs["dtype"]
    if name == "bool":
        return x != 0
    target = torch.from_numpy(DTYPES[name].type(0).reshape(1)).dtype
    if not x.is_floating_point() or target.is_floating_point:
        return x.to(target)
    wide = torch.int32 if name in ("i8", "u8", "i16", "u16", "i32") else torch.int64
    return saturated(x, wide).to(target)


def saturated(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Towards zero within an integer dtype, NaN as 0."""
    limits = torch.iinfo(dtype)
    beyond = -float(limits.min)
    whole = torch.where(x.abs() < beyond, x, 0).to(dtype)
    top = torch.where(x >= beyond, limits.max, whole)
    return torch.where(x <= -beyond, limits.min, top)


ELEMENTWISE: Mapping[str, Function] = {
    "add": add,
    "binary": binary,
    "cast": cast,
    "convert": cast,
    "div": div,
    "leaky_relu": leaky_relu,
    "map": unary,
    "mul": mul,
    "prelu": prelu,
    "relu": relu,
    "select": where,
    "sub": sub,
    "unary": unary,
    "where": where,
    "zip": binary,
}
