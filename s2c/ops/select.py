"""select: a condition's choice between two values; where, the same with operands that broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.movement import lower_expand
from s2c.ops.table import Op, Params


def infer_select(node: Node) -> Type:
    condition, a, b = (each.type for each in node.inputs)
    if condition.dtype != "bool" or a.dtype != b.dtype:
        raise error(
            node.layer,
            "a bool condition and two operands of one dtype",
            f"{condition}, {a} and {b}",
            "cast the operands",
        )
    try:
        shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    except ValueError:
        raise error(
            node.layer, "three shapes that broadcast", f"{condition}, {a} and {b}", "reshape one of them"
        ) from None
    return Type(shape, a.dtype, a.quant if a.quant == b.quant else None)


def eval_select(node: Node, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(condition, a, b)


def select_params(node: Node) -> Params:
    """step: 1 for an operand of every element, 0 for one that is repeated."""
    steps = [int(each.type.size == node.type.size) for each in node.inputs]
    assert all(step or each.type.size == 1 for step, each in zip(steps, node.inputs, strict=True)), node.layer
    names = ("condition_step", "a_step", "b_step")
    return {
        "size": node.type.size,
        "bytes": node.type.numpy.itemsize,
        **dict(zip(names, steps, strict=True)),
    }


def lower_where(node: Node) -> Node:
    """Operands of one element stay, others are repeated."""

    def fitted(each: Node) -> Node:
        if each.type.size in (1, node.type.size):
            return each
        kind = replace(each.type, shape=node.type.shape)
        return lower_expand(Node("expand", (each,), {"shape": node.type.shape}, kind, node.layer))

    return Node("select", tuple(fitted(each) for each in node.inputs), {}, node.type, node.layer)


SELECT: Mapping[str, Op] = {
    "select": Op(infer_select, eval_select, params=select_params),
    "where": Op(infer_select, eval_select, lower_where),
}
