"""ATen casts, copies and constants of a shape."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from s2c.ir import Node
from s2c.layers.basic import (
    cast,
    expand,
)
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    as_node,
    given,
    node,
    refuse,
    result_kind,
    result_shape,
)


def converted(source: Source) -> Value:
    return node(source, "self", result_kind(source))


def identity(source: Source) -> Value:
    value: Value = given(source, next(iter(source.args)))
    return value


def copied(source: Source) -> Value:
    """src in the shape and dtype of self."""
    x = cast(as_node(source.layer, given(source, "src")), result_kind(source), source.layer)
    return expand(x, result_shape(source), source.layer)


def dropout(source: Source) -> tuple[Value, ...]:
    if given(source, "train"):
        raise refuse(source, "dropout for inference", "dropout that trains", "call module.eval()")
    return given(source, "input"), torch.ones(result_shape(source, 1), dtype=torch.bool)


def filled(value: float | None = None) -> Reader:
    """A constant of the result's shape; value, where none is given, is an argument."""

    def read(source: Source) -> Value:
        fill = (
            value
            if value is not None
            else next(source.args[name] for name in ("fill_value", "value") if name in source.args)
        )
        if isinstance(fill, (Node, torch.Tensor)):
            return expand(node_of(source, fill), result_shape(source), source.layer)
        return torch.full(result_shape(source), fill, dtype=source.result.dtype)

    return read


def node_of(source: Source, value: Value) -> Node:
    return cast(as_node(source.layer, value), result_kind(source), source.layer)


COPIES: Mapping[str, Reader] = {
    "aten._to_copy.default": converted,
    "aten.alias.default": identity,
    "aten.clone.default": identity,
    "aten.copy.default": copied,
    "aten.detach.default": identity,
    "aten.empty_like.default": filled(0),
    "aten.fill.Scalar": filled(),
    "aten.fill.Tensor": filled(),
    "aten.full_like.default": filled(),
    "aten.lift_fresh_copy.default": identity,
    "aten.native_dropout.default": dropout,
}
