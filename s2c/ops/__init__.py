"""OPS: every op, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from s2c.ir import Node, Quant, Type
from s2c.ops.convolution import CONVOLUTION
from s2c.ops.core import CORE, LEAVES
from s2c.ops.elementwise import ELEMENTWISE
from s2c.ops.movement import MOVEMENT
from s2c.ops.pooling import POOLING
from s2c.ops.softmax import SOFTMAX
from s2c.ops.table import Op

OPS: Mapping[str, Op] = MappingProxyType(
    {**LEAVES, **CORE, **CONVOLUTION, **POOLING, **ELEMENTWISE, **MOVEMENT, **SOFTMAX}
)


def make(op: str, inputs: tuple[Node, ...], layer: str, quant: Quant | None = None, **attrs: Any) -> Node:
    """A node with its inferred type; raises CompileError where inputs and attrs do not fit."""
    draft = Node(op, inputs, attrs, Type((), "f32", quant), layer)
    return replace(draft, type=OPS[op].infer(draft))


def is_core(node: Node) -> bool:
    return OPS[node.op].lower is None
