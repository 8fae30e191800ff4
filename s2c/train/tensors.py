"""What the functions of all ops share: operands that broadcast past the samples' axis, and clamps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from s2c.ir import Node
from s2c.ops.clamp import bounds

# attr(name): the Parameter or constant Tensor that stands for an array attr of the node.
Attr = Callable[[str], Tensor]
Function = Callable[..., Tensor]  # (node, attr, *inputs [samples, *shape]) -> [samples, *node.type.shape]


def clamp(node: Node, x: Tensor) -> Tensor:
    lo, hi = bounds(node)
    if lo == 0.0 and math.isinf(hi):
        return functional.relu(x)
    if math.isinf(lo) and math.isinf(hi):
        return x
    return torch.clamp(x, lo, hi)


def aligned(node: Node, *tensors: Tensor) -> list[Tensor]:
    """Operands with as many axes as the result, so that broadcasting leaves the samples' axis alone."""
    rank = len(node.type.shape) + 1
    return [each.reshape(each.shape[0], *(1,) * (rank - each.ndim), *each.shape[1:]) for each in tensors]


def same_samples(*tensors: Tensor) -> list[Tensor]:
    """A constant's one sample repeated as often as the others have samples."""
    samples = max(each.shape[0] for each in tensors)
    return [each.expand(samples, *each.shape[1:]) for each in tensors]
