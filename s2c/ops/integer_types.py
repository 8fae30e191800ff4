"""Plain integers: which dtypes are computed in, and how the others get there and back."""

from __future__ import annotations

from dataclasses import replace

from s2c.ir import Node

INTEGERS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
COMPUTED = ("i32", "i64", "bool")


def wide_dtype(dtype: str) -> str:
    """The dtype with kernels that holds every value of an integer dtype (u64: every bit pattern)."""
    if dtype in ("i8", "u8", "i16", "u16"):
        return "i32"
    return "i64" if dtype in ("u32", "u64") else dtype


def cast_node(node: Node, dtype: str, layer: str) -> Node:
    if node.type.dtype == dtype:
        return node
    return Node("cast", (node,), {"dtype": dtype}, replace(node.type, dtype=dtype, quant=None), layer)


def widened(node: Node, layer: str) -> Node:
    return cast_node(node, wide_dtype(node.type.dtype), layer)


def narrowed(node: Node, dtype: str) -> Node:
    return cast_node(node, dtype, node.layer)
