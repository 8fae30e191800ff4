"""ONNX arithmetic on single elements, as source ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from s2c.ir import Node, constant
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
    scalar,
    sub,
    unary,
    where,
)
from s2c.ops import make
from s2c.readers.onnx.source import (
    INTEGERS,
    Constant,
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    broadcasts,
    given,
    refuse,
    reshaped,
    tensor,
)

MOST_POWER = 64  # of a constant exponent whose power is a product
POWER_BITS = 6  # of a computed integer exponent
Meaning = Callable[[Node, Node, str], Node]


def of_floats(function: str) -> Reader:
    def read(source: Source) -> Value:
        return unary(function, activation(source), source.layer)

    return read


def operands(source: Source) -> tuple[Node, Node]:
    """Both inputs; before opset 7 the second one's axes could be aligned with `axis`."""
    a, b = tensor(source, 0), tensor(source, 1)
    if source.opset < 7 and source.attrs.get("broadcast", 0) and "axis" in source.attrs:
        axis = axis_of(source, source.attrs["axis"], len(a.type.shape))
        trailing = max(len(a.type.shape) - axis - len(b.type.shape), 0)
        b = reshaped(b, source.layer, b.type.shape + (1,) * trailing)
    return a, b


def of_two(meaning: Meaning) -> Reader:
    def read(source: Source) -> Value:
        a, b = operands(source)
        return meaning(a, b, source.layer)

    return read


def arithmetic(op: str, function: str) -> Reader:
    """Floats have ops of their own, which are quantized; integers wrap, and quotients go towards zero."""

    def read(source: Source) -> Value:
        a, b = operands(source)
        if a.type.dtype == b.type.dtype == "f32":
            return make(op, (a, b), source.layer)
        return binary(function, a, b, source.layer)

    return read


def of_many(meaning: Meaning) -> Reader:
    def read(source: Source) -> Value:
        parts = [tensor(source, index) for index in range(len(source.inputs))]
        return reduce(lambda a, b: meaning(a, b, source.layer), parts)

    return read


def named(function: str) -> Meaning:
    def meaning(a: Node, b: Node, layer: str) -> Node:
        return binary(function, a, b, layer)

    return meaning


def swapped(function: str) -> Meaning:
    def meaning(a: Node, b: Node, layer: str) -> Node:
        return binary(function, b, a, layer)

    return meaning


def mean(source: Source) -> Value:
    total = of_many(add)(source)
    assert isinstance(total, Node), total
    count = len(source.inputs)
    return total if count == 1 else mul(total, 1.0 / count, source.layer)


def negate(source: Source) -> Value:
    return mul(tensor(source, 0), -1, source.layer)


def absolute(source: Source) -> Value:
    x = tensor(source, 0)
    return magnitude(x, source.layer)


def magnitude(x: Node, layer: str) -> Node:
    """|x|; of integers the greater of x and -x."""
    if x.type.dtype.startswith("u"):
        return x
    return unary("abs", x, layer) if x.type.dtype == "f32" else binary("maximum", x, mul(x, -1, layer), layer)


def inverted(x: Node, layer: str) -> Node:
    """All bits flipped, of bool the one that it has."""
    ones = np.ones((), np.bool_) if x.type.dtype == "bool" else ~np.zeros((), x.type.numpy)
    return binary("bit_xor", x, constant(ones, layer), layer)


def sign(source: Source) -> Value:
    x = tensor(source, 0)
    if x.type.dtype.startswith("u"):
        return cast(cast(x, "bool", source.layer), x.type.dtype, source.layer)
    if x.type.dtype == "f32":
        return unary("sign", x, source.layer)
    return clamp(x, -1, 1, source.layer)


def modulo(source: Source) -> Value:
    """fmod: of the dividend's sign; else of the divisor's."""
    a, b = operands(source)
    layer = source.layer
    if a.type.dtype == "f32":
        if not source.attrs.get("fmod", 0):
            return floor_modulo_of_floats(a, b, layer)
        return binary("fmod", a, b, layer)
    rest = binary("remainder", a, b, layer)
    if source.attrs.get("fmod", 0) or a.type.dtype.startswith("u"):
        return rest
    opposite = less(binary("bit_xor", rest, b, layer), 0, layer)
    wrong = both(opposite, inverted(equal(rest, 0, layer), layer), layer)
    return where(wrong, add(rest, b, layer), rest, layer)


def floor_modulo_of_floats(a: Node, b: Node, layer: str) -> Node:
    rest = binary("fmod", a, b, layer)
    opposite = less(mul(unary("sign", rest, layer), unary("sign", b, layer), layer), 0, layer)
    return where(opposite, add(rest, b, layer), rest, layer)


# powers


def power(source: Source) -> Value:
    x, exponent = tensor(source, 0), given(source, 1)
    if isinstance(exponent, Constant) and exponent.value.size:
        values = exponent.value.astype(np.float64)
        first = float(values.reshape(-1)[0])
        if (values == first).all() and broadcasts(operands(source)[1].type.shape, x.type.shape):
            return constant_power(source, x, first)
    return computed_power(source, *operands(source))


def constant_power(source: Source, x: Node, exponent: float) -> Value:
    layer = source.layer
    is_float = x.type.dtype == "f32"
    if exponent.is_integer() and abs(exponent) <= MOST_POWER and (is_float or exponent >= 0):
        if exponent == 0:
            return Constant(np.ones(x.type.shape, x.type.numpy))
        y = product_power(x, abs(int(exponent)), layer)
        return y if exponent > 0 else unary("reciprocal", y, layer)
    if is_float and abs(exponent) == 0.5:
        return unary("sqrt" if exponent > 0 else "rsqrt", x, layer)
    dtype = np.float32 if is_float or not exponent.is_integer() else np.int64
    return computed_power(source, x, constant(np.full((), exponent, dtype), layer))


def product_power(x: Node, exponent: int, layer: str) -> Node:
    """By squaring."""
    result: Node | None = None
    square = x
    while True:
        if exponent & 1:
            result = square if result is None else mul(result, square, layer)
        exponent >>= 1
        if not exponent:
            assert result is not None, layer
            return result
        square = mul(square, square, layer)


def computed_power(source: Source, x: Node, exponent: Node) -> Node:
    layer = source.layer
    if x.type.dtype == "f32":
        return binary("pow", x, cast(exponent, "f32", layer), layer)
    if exponent.type.dtype in INTEGERS:
        return integer_power(x, exponent, layer)
    y = binary("pow", cast(x, "f32", layer), exponent, layer)
    return cast(nearly_whole(y, layer), x.type.dtype, layer)


def nearly_whole(y: Node, layer: str) -> Node:
    """The next integer where a power, computed to some parts in 2**24, may be meant to be that."""
    whole = unary("round", y, layer)
    gap = unary("abs", sub(y, whole, layer), layer)
    most = mul(unary("abs", whole, layer), 2.0**-20, layer)
    return where(less(gap, most, layer), whole, y, layer)


def integer_power(x: Node, exponent: Node, layer: str) -> Node:
    """By squaring, as many times as a result that does not overflow asks for; 1 / x**-e below 0."""
    dtype = x.type.dtype
    base = cast(x, "i64", layer)
    raised = magnitude(cast(exponent, "i64", layer), layer)
    # Only -1, 0 and 1 have higher powers: those of the same parity.
    most = (1 << POWER_BITS) - 2
    folded = add(binary("bit_and", raised, 1, layer), most, layer)
    raised = where(less(most, raised, layer), folded, raised, layer)
    result: Node | None = None
    for bit in range(POWER_BITS):
        is_set = cast(binary("bit_and", raised, 1 << bit, layer), "bool", layer)
        factor = where(is_set, base, 1, layer)
        result = factor if result is None else mul(result, factor, layer)
        base = mul(base, base, layer)
    assert result is not None
    one = constant(np.ones((), np.int64), layer)
    below = less(cast(exponent, "i64", layer), 0, layer)
    return cast(where(below, div(one, result, layer), result, layer), dtype, layer)


# comparisons of floats with what is no number


def is_nan(source: Source) -> Value:
    x = activation(source)
    return inverted(equal(x, x, source.layer), source.layer)


def is_infinite(source: Source) -> Value:
    x = activation(source)
    layer = source.layer
    signs = [
        sign for name, sign in (("positive", 1), ("negative", -1)) if source.attrs.get(f"detect_{name}", 1)
    ]
    found = [equal(x, sign * np.inf, layer) for sign in signs]
    if not found:
        return Constant(np.zeros(x.type.shape, np.bool_))
    return reduce(lambda a, b: either(a, b, layer), found)


def select(source: Source) -> Value:
    condition, a, b = (tensor(source, index) for index in range(3))
    return make("where", (condition, a, b), source.layer)


def shift(source: Source) -> Value:
    """To the right, copies of the sign come in from the left."""
    direction = source.attrs.get("direction")
    if direction not in ("LEFT", "RIGHT"):
        raise refuse(source, "direction LEFT or RIGHT", str(direction), "export the model again")
    x, count, layer = tensor(source, 0), tensor(source, 1), source.layer
    if direction == "LEFT" or x.type.dtype.startswith("u"):
        return binary(f"shift_{direction.lower()}", x, count, layer)
    flip = where(less(x, 0, layer), scalar(-1, x, layer), scalar(0, x, layer), layer)
    moved = binary("shift_right", binary("bit_xor", x, flip, layer), count, layer)
    return binary("bit_xor", moved, flip, layer)


def invert(source: Source) -> Value:
    return inverted(tensor(source, 0), source.layer)


# What is called alike, but for capitals.
FUNCTIONS = (
    "Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Reciprocal Round Sin Sinh Sqrt Tan Tanh"
)

ELEMENTWISE: Mapping[str, Reader] = {
    **{name: of_floats(name.lower()) for name in FUNCTIONS.split()},
    "Abs": absolute,
    "Add": arithmetic("add", "add"),
    "And": of_two(both),
    "BitShift": shift,
    "BitwiseAnd": of_two(both),
    "BitwiseNot": invert,
    "BitwiseOr": of_two(either),
    "BitwiseXor": of_two(named("bit_xor")),
    "Div": arithmetic("div", "divide"),
    "Equal": of_two(equal),
    "Greater": of_two(swapped("less")),
    "GreaterOrEqual": of_two(swapped("less_equal")),
    "IsInf": is_infinite,
    "IsNaN": is_nan,
    "Less": of_two(less),
    "LessOrEqual": of_two(named("less_equal")),
    "Max": of_many(named("maximum")),
    "Mean": mean,
    "Min": of_many(named("minimum")),
    "Mod": modulo,
    "Mul": arithmetic("mul", "mul"),
    "Neg": negate,
    "Not": invert,
    "Or": of_two(either),
    "Pow": power,
    "Sign": sign,
    "Sub": arithmetic("sub", "sub"),
    "Sum": of_many(add),
    "Where": select,
    "Xor": of_two(named("bit_xor")),
}
