"""OPS: every op, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from s2c.ir import Node, Quant, Type
from s2c.ops.batch_matmul import BATCH_MATMUL
from s2c.ops.cast import CAST
from s2c.ops.convolution import CONVOLUTION
from s2c.ops.core import CORE, LEAVES
from s2c.ops.elementwise import ELEMENTWISE
from s2c.ops.index import INDEX
from s2c.ops.movement import MOVEMENT
from s2c.ops.pooling import POOLING
from s2c.ops.quantized import QUANTIZED
from s2c.ops.reduction import REDUCTION
from s2c.ops.select import SELECT
from s2c.ops.softmax import SOFTMAX
from s2c.ops.table import Op
from s2c.ops.zips import ZIP_OPS

OPS: Mapping[str, Op] = MappingProxyType(
    {
        **LEAVES,
        **CORE,
        **BATCH_MATMUL,
        **CAST,
        **CONVOLUTION,
        **ELEMENTWISE,
        **INDEX,
        **MOVEMENT,
        **POOLING,
        **QUANTIZED,
        **REDUCTION,
        **SELECT,
        **SOFTMAX,
        **ZIP_OPS,
    }
)


def make(op: str, inputs: tuple[Node, ...], layer: str, quant: Quant | None = None, **attrs: Any) -> Node:
    """A node with its inferred type; raises CompileError where inputs and attrs do not fit."""
    draft = Node(op, inputs, attrs, Type((), "f32", quant), layer)
    return replace(draft, type=OPS[op].infer(draft))


def is_core(node: Node) -> bool:
    return OPS[node.op].lower is None
