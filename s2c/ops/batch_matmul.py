"""batch_matmul: the contraction of two computed operands."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type
from s2c.ops.bfloat16 import to_bfloat16
from s2c.ops.table import Op, Params


def extents(node: Node) -> tuple[int, int, int, int]:
    """batch, rows, depth, columns."""
    a, b = (each.type.shape for each in node.inputs)
    return a[0], a[1], a[2], b[1] if node.attrs["transpose"] else b[2]


def infer_batch_matmul(node: Node) -> Type:
    """a [batch, rows, depth] times b [batch, depth, columns], or [batch, columns, depth] with transpose."""
    a, b = (each.type for each in node.inputs)
    fits = len(a.shape) == len(b.shape) == 3 and a.dtype == b.dtype and a.shape[0] == b.shape[0]
    if not fits or a.shape[2] != b.shape[2 if node.attrs["transpose"] else 1]:
        raise error(
            node.layer,
            "two stacks of as many matrices, of which the first have as many columns as the second rows",
            f"{a} and {b}",
            "check the layer's shapes",
        )
    batch, rows, _, columns = extents(node)
    return Type((batch, rows, columns), a.dtype)


def eval_batch_matmul(node: Node, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Floats are summed in float64, with precision "bf16" rounded to bfloat16 first; integers wrap around."""
    if node.attrs.get("precision") == "bf16":
        a, b = to_bfloat16(a), to_bfloat16(b)
    wide = np.float64 if a.dtype == np.float32 else a.dtype
    right = b.transpose(0, 2, 1) if node.attrs["transpose"] else b
    with np.errstate(all="ignore"):
        return np.asarray(np.matmul(a.astype(wide), right.astype(wide)).astype(a.dtype))


def batch_matmul_params(node: Node) -> Params:
    batch, rows, depth, columns = extents(node)
    return {
        "batch": batch,
        "rows": rows,
        "columns": columns,
        "depth": depth,
        "transpose": int(node.attrs["transpose"]),
    }


def batch_matmul_stem(node: Node) -> str:
    return "batch_matmul_bf16" if "precision" in node.attrs else "batch_matmul"


def batch_matmul_macs(node: Node) -> int:
    batch, rows, depth, columns = extents(node)
    return batch * rows * depth * columns


BATCH_MATMUL: Mapping[str, Op] = {
    "batch_matmul": Op(
        infer_batch_matmul,
        eval_batch_matmul,
        macs=batch_matmul_macs,
        params=batch_matmul_params,
        stem=batch_matmul_stem,
    )
}
