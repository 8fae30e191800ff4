"""ATen functions of single elements, and arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from s2c.ir import Node
from s2c.layers.basic import (
    add,
    binary,
    both,
    cast,
    clamp,
    div,
    either,
    equal,
    less,
    mul,
    negate,
    sub,
    unary,
    where,
)
from s2c.readers.torch.logic import invert, two
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    both_forms,
    given,
    has,
    node,
    operand,
    operands,
    refuse,
    result_kind,
)

FUNCTIONS: Mapping[str, str] = {
    **{
        name: name
        for name in (
            "acos acosh asin asinh atan atanh ceil cos cosh erf erfc exp exp2 expm1 floor log log1p log2 "
            "mish reciprocal round rsqrt sigmoid silu sin sinh sqrt tan tanh trunc"
        ).split()
    },
    "hardswish": "hard_swish",
}
UNSIGNED = ("u8", "u16", "u32", "u64")
WHOLE_ALREADY = ("ceil", "floor", "round", "trunc")


def function(name: str) -> Reader:
    def read(source: Source) -> Value:
        kind = result_kind(source)
        x = node(source, "self", kind)
        if kind != "f32" and name in WHOLE_ALREADY:
            return x
        return unary(name, x, source.layer)

    return read


def absolute(source: Source) -> Value:
    x = node(source)
    if x.type.dtype == "f32":
        return unary("abs", x, source.layer)
    return x if x.type.dtype in UNSIGNED else binary("maximum", x, negate(x, source.layer), source.layer)


def sign(source: Source) -> Value:
    x = node(source)
    if x.type.dtype == "f32":
        y = unary("sign", x, source.layer)
        return where(equal(x, x, source.layer), y, 0, source.layer)  # torch gives 0 for NaN
    x = cast(x, "i32", source.layer) if x.type.dtype == "bool" else x
    above, below = less(0, x, source.layer), less(x, 0, source.layer)
    kind = result_kind(source)
    return sub(cast(above, kind, source.layer), cast(below, kind, source.layer), source.layer)


def common_logarithm(source: Source) -> Value:
    logarithm = unary("log", node(source, "self", "f32"), source.layer)
    return mul(logarithm, 1.0 / math.log(10.0), source.layer)


def negative(source: Source) -> Value:
    return negate(node(source), source.layer)


def round_decimals(source: Source) -> Value:
    factor = 10.0 ** given(source, "decimals")
    scaled = mul(node(source, "self", "f32"), factor, source.layer)
    return mul(unary("round", scaled, source.layer), 1.0 / factor, source.layer)


# arithmetic


def add_or_sub(subtract: bool) -> Reader:
    """self + alpha * other; of bools it is `or`."""

    def read(source: Source) -> Value:
        kind = result_kind(source)
        a, b = operands(source, kind)
        if kind == "bool":
            return either(a, b, source.layer)
        alpha = given(source, "alpha")
        if alpha != 1:
            b = mul(b, alpha, source.layer)
        return sub(a, b, source.layer) if subtract else add(a, b, source.layer)

    return read


def reversed_sub(source: Source) -> Value:
    a, b = operands(source, result_kind(source))
    alpha = given(source, "alpha")
    return sub(b, a if alpha == 1 else mul(a, alpha, source.layer), source.layer)


def product(source: Source) -> Value:
    kind = result_kind(source)
    a, b = operands(source, kind)
    return both(a, b, source.layer) if kind == "bool" else mul(a, b, source.layer)


def quotient(source: Source) -> Value:
    kind = result_kind(source)
    divisor = given(source, "other")
    if kind == "f32" and isinstance(divisor, (int, float)) and divisor != 0:
        return mul(node(source, "self", kind), 1.0 / divisor, source.layer)
    a, b = operands(source, kind)
    return div(a, b, source.layer)


def rounded_quotient(source: Source) -> Value:
    mode = given(source, "rounding_mode")
    if mode is None:
        return quotient(source)
    a, b = operands(source, result_kind(source))
    if a.type.dtype == "f32":
        rest = binary("fmod", a, b, source.layer)
        whole = unary("round", div(sub(a, rest, source.layer), b, source.layer), source.layer)
    else:
        rest = binary("remainder", a, b, source.layer)
        whole = div(a, b, source.layer)
    if mode == "trunc":
        return whole
    return where(opposed(rest, b, source.layer), sub(whole, 1, source.layer), whole, source.layer)


def opposed(rest: Node, divisor: Node, layer: str) -> Node:
    """Whether what a division towards zero leaves is not 0 and of the other sign than the divisor."""
    differ = binary("bit_xor", less(rest, 0, layer), less(divisor, 0, layer), layer)
    return both(invert(equal(rest, 0, layer), layer), differ, layer)


def floor_remainder(source: Source) -> Value:
    """Of the divisor's sign."""
    a, b = operands(source, result_kind(source))
    rest = binary("fmod" if a.type.dtype == "f32" else "remainder", a, b, source.layer)
    return where(opposed(rest, b, source.layer), add(rest, b, source.layer), rest, source.layer)


def truncated_remainder(source: Source) -> Value:
    a, b = operands(source, result_kind(source))
    return binary("fmod" if a.type.dtype == "f32" else "remainder", a, b, source.layer)


def extremum(name: str, of_bools: str) -> Reader:
    def read(source: Source) -> Value:
        kind = result_kind(source)
        return binary(of_bools if kind == "bool" else name, *operands(source, kind), source.layer)

    return read


# Exponents that need no logarithm: what they make of x.
POWERS: Mapping[float, Callable[[Node, str], Node]] = {
    -2.0: lambda x, layer: unary("reciprocal", mul(x, x, layer), layer),
    -1.0: lambda x, layer: unary("reciprocal", x, layer),
    -0.5: lambda x, layer: unary("rsqrt", x, layer),
    0.5: lambda x, layer: unary("sqrt", x, layer),
}
MOST_PRODUCTS = 16


def power_of(source: Source) -> Value:
    """self to a constant exponent."""
    exponent = given(source, "exponent")
    kind = result_kind(source)
    x = node(source, "self", kind)
    if exponent == int(exponent) and 1 <= exponent <= MOST_PRODUCTS:
        return whole_power(x, int(exponent), source.layer)
    if kind != "f32":
        raise refuse(
            source,
            f"integers to a power of 1 to {MOST_PRODUCTS}",
            f"the exponent {exponent}",
            "cast the tensor to float32",
        )
    if float(exponent) in POWERS:
        return POWERS[float(exponent)](x, source.layer)
    return binary("pow", x, float(exponent), source.layer)


def whole_power(x: Node, exponent: int, layer: str) -> Node:
    """By squaring."""
    result = x
    for bit in bin(exponent)[3:]:
        result = mul(result, result, layer)
        if bit == "1":
            result = mul(result, x, layer)
    return result


def power(source: Source) -> Value:
    if result_kind(source) != "f32":
        raise refuse(
            source, "a power of floats", str(source.result.dtype), "cast one of the operands to float32"
        )
    base, exponent = operand(source, "self", "f32"), operand(source, "exponent", "f32")
    return binary("pow", base, exponent, source.layer)


def hypotenuse(source: Source) -> Value:
    a, b = (mul(each, each, source.layer) for each in operands(source, "f32"))
    return unary("sqrt", add(a, b, source.layer), source.layer)


def with_sign(source: Source) -> Value:
    """The magnitude of self with the sign of other, of which zeros count as positive."""
    a, b = operands(source, "f32")
    size = unary("abs", a, source.layer)
    return where(less(b, 0, source.layer), negate(size, source.layer), size, source.layer)


def number_extremum(name: str) -> Reader:
    """As maximum or minimum, but NaN gives way to the other operand."""

    def read(source: Source) -> Value:
        a, b = operands(source, result_kind(source))
        best = binary(name, a, b, source.layer)
        if a.type.dtype != "f32":
            return best
        best = where(equal(b, b, source.layer), best, a, source.layer)
        return where(equal(a, a, source.layer), best, b, source.layer)

    return read


def clamped(source: Source) -> Value:
    kind = result_kind(source)
    lo = given(source, "min") if has(source, "min") else -math.inf
    hi = given(source, "max") if has(source, "max") else math.inf
    x = node(source, "self", kind)
    if kind == "f32" and lo > hi:
        x = clamp(x, lo, math.inf, source.layer)
        return clamp(x, -math.inf, hi, source.layer)
    return clamp(x, lo, hi, source.layer)


def clamped_by_tensors(source: Source) -> Value:
    kind = result_kind(source)
    x = node(source, "self", kind)
    if has(source, "min"):
        x = binary("maximum", x, node(source, "min", kind), source.layer)
    return binary("minimum", x, node(source, "max", kind), source.layer) if has(source, "max") else x


ELEMENTWISE: Mapping[str, Reader] = {
    **{f"aten.{name}.default": function(ours) for name, ours in FUNCTIONS.items()},
    **both_forms("add", add_or_sub(subtract=False)),
    **both_forms("sub", add_or_sub(subtract=True)),
    **both_forms("rsub", reversed_sub),
    **both_forms("mul", product),
    **both_forms("div", quotient),
    **both_forms("fmod", truncated_remainder),
    **both_forms("remainder", floor_remainder),
    "aten.abs.default": absolute,
    "aten.atan2.default": two("atan2"),
    "aten.clamp.Tensor": clamped_by_tensors,
    "aten.clamp.default": clamped,
    "aten.copysign.Scalar": with_sign,
    "aten.copysign.Tensor": with_sign,
    "aten.div.Scalar_mode": rounded_quotient,
    "aten.div.Tensor_mode": rounded_quotient,
    "aten.fmax.default": number_extremum("maximum"),
    "aten.fmin.default": number_extremum("minimum"),
    "aten.hypot.default": hypotenuse,
    "aten.log10.default": common_logarithm,
    "aten.maximum.default": extremum("maximum", "bit_or"),
    "aten.minimum.default": extremum("minimum", "bit_and"),
    "aten.neg.default": negative,
    "aten.pow.Scalar": power,
    "aten.pow.Tensor_Scalar": power_of,
    "aten.pow.Tensor_Tensor": power,
    "aten.round.decimals": round_decimals,
    "aten.sign.default": sign,
}
