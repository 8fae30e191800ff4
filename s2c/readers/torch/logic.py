"""ATen comparisons, logic and choices."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from s2c.ir import Node
from s2c.layers.basic import (
    binary,
    equal,
    unary,
    where,
)
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    both_forms,
    kind_of,
    node,
    operand,
    operands,
    result_kind,
)


def is_nan(source: Source) -> Value:
    x = node(source)
    return invert(equal(x, x, source.layer), source.layer)


def is_infinite(source: Source) -> Value:
    x = node(source, "self", "f32")
    return equal(unary("abs", x, source.layer), math.inf, source.layer)


def invert(x: Node, layer: str) -> Node:
    """Logical not of bools, bitwise not of integers."""
    return binary("bit_xor", x, -1, layer)


def bitwise_not(source: Source) -> Value:
    return invert(node(source), source.layer)


def logical_not(source: Source) -> Value:
    return invert(node(source, "self", "bool"), source.layer)


def two(name: str) -> Reader:
    def read(source: Source) -> Value:
        return binary(name, *operands(source, result_kind(source)), source.layer)

    return read


def comparison(name: str, swapped: bool = False, inverted: bool = False) -> Reader:
    def read(source: Source) -> Value:
        kind = kind_of(source.layer, torch.result_type(source.kinds["self"], source.kinds["other"]))
        if kind == "bool" and name != "equal":
            kind = "i32"
        a, b = operands(source, kind)
        if swapped:
            a, b = b, a
        result = binary(name, a, b, source.layer)
        return invert(result, source.layer) if inverted else result

    return read


def logical(name: str) -> Reader:
    def read(source: Source) -> Value:
        return binary(name, *operands(source, "bool"), source.layer)

    return read


def choice(source: Source) -> Value:
    kind = result_kind(source)
    condition = node(source, "condition", "bool")
    return where(condition, operand(source, "self", kind), operand(source, "other", kind), source.layer)


LOGIC: Mapping[str, Reader] = {
    **both_forms("eq", comparison("equal")),
    **both_forms("ne", comparison("equal", inverted=True)),
    **both_forms("lt", comparison("less")),
    **both_forms("le", comparison("less_equal")),
    **both_forms("gt", comparison("less", swapped=True)),
    **both_forms("ge", comparison("less_equal", swapped=True)),
    **both_forms("bitwise_and", two("bit_and")),
    **both_forms("bitwise_or", two("bit_or")),
    **both_forms("bitwise_xor", two("bit_xor")),
    "aten.bitwise_left_shift.Tensor": two("shift_left"),
    "aten.bitwise_not.default": bitwise_not,
    "aten.isinf.default": is_infinite,
    "aten.isnan.default": is_nan,
    "aten.logical_and.default": logical("bit_and"),
    "aten.logical_not.default": logical_not,
    "aten.logical_or.default": logical("bit_or"),
    "aten.logical_xor.default": logical("bit_xor"),
    "aten.where.self": choice,
}
