"""TORCH: what each op computes on torch tensors that have one more axis in front, the samples of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from s2c.ir import Node
from s2c.ops.matmul import matmul_extents
from s2c.ops.pooling import pool_counts
from s2c.train.convolve import Window, convolve, is_narrow
from s2c.train.elementwise import ELEMENTWISE
from s2c.train.movement import MOVES
from s2c.train.tensors import Attr, Function, clamp

# contractions


def flat(x: Tensor) -> Tensor:
    """[samples, batch, height, width, channels] to [samples * batch, channels, height, width], not copied."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def unflat(x: Tensor, samples: int) -> Tensor:
    return x.permute(0, 2, 3, 1).unflatten(0, (samples, -1))


def pad_image(x: Tensor, pads: Any, value: float = 0.0) -> tuple[Tensor, tuple[int, int]]:
    """The image and what is left for a convolution or pool to pad on both sides alike."""
    (top, bottom), (left, right) = pads
    if top == bottom and left == right and value == 0.0:
        return x, (top, left)
    return functional.pad(x, (left, right, top, bottom), value=value), (0, 0)


def plain(x: Tensor) -> Tensor:
    """Strides that no axis of extent 1 makes ambiguous: by those, torch's float32 convolution takes one
    channel for channels-last and reads the wrong rows."""
    return x.flatten().view(x.shape) if x.shape[1] == 1 else x


def is_ours(node: Node) -> bool:
    """Whether in bfloat16 our own convolution takes it."""
    attrs = node.attrs
    is_plain = attrs["groups"] == 1 and min(map(min, attrs["pads"])) >= 0
    return is_plain and is_narrow(attrs["weight"].shape, attrs["stride"])


def conv2d_sums(node: Node, attr: Attr, x: Tensor, bias: Tensor | None) -> Tensor:
    weight = attr("weight")
    if torch.is_autocast_enabled("cpu") and is_ours(node):
        window = Window(*(node.attrs[name] for name in ("stride", "dilation", "pads")))
        return convolve(x, weight, bias, window)
    image, padding = pad_image(flat(x), node.attrs["pads"])
    kernel = weight.permute(0, 3, 1, 2)
    attrs = node.attrs
    y = functional.conv2d(
        plain(image), plain(kernel), bias, attrs["stride"], padding, attrs["dilation"], attrs["groups"]
    )
    return unflat(y, x.shape[0])


def conv2d(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return clamp(node, conv2d_sums(node, attr, x, attr("bias")))


def dense(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return clamp(node, functional.linear(x, attr("weight"), attr("bias")))


def matmul(node: Node, attr: Attr, x: Tensor) -> Tensor:
    rows, groups, _, depth = matmul_extents(node)
    sums = torch.einsum("srgk,gnk->srgn", x.reshape(-1, rows, groups, depth), attr("weight"))
    return clamp(node, (sums.flatten(2) + attr("bias")).reshape(-1, *node.type.shape))


def batch_matmul(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b.mT if node.attrs["transpose"] else b)


def batchnorm(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return x * attr("scale") + attr("shift")


# pools and reductions


def max_pool(node: Node, attr: Attr, x: Tensor) -> Tensor:
    """NaN in a patch gives NaN, where the oracle's selects can skip it."""
    attrs = node.attrs
    image = flat(x)
    if any(map(any, attrs["pads"])):
        image, _ = pad_image(image, attrs["pads"], -math.inf)
    return unflat(
        functional.max_pool2d(image, attrs["kernel"], attrs["stride"], 0, attrs["dilation"]), x.shape[0]
    )


def max_of_neighbours(node: Node, attr: Attr, x: Tensor) -> Tensor:
    rows = x.unflatten(-1, (-1, node.attrs["size"]))
    result = rows[..., 0]
    for index in range(1, node.attrs["size"]):
        result = torch.where(rows[..., index] > result, rows[..., index], result)
    return result


def average_pool(node: Node, attr: Attr, x: Tensor) -> Tensor:
    """Padding counts as zeros in the sum; pool_counts says by how many to divide."""
    image, padding = pad_image(flat(x), node.attrs["pads"])
    attrs = node.attrs
    kernel = attrs["kernel"]
    divisor = pool_counts(node)[1]
    if (
        attrs["dilation"] == (1, 1)
        and (divisor == math.prod(kernel)).all()
        and not any(map(any, attrs["pads"]))
    ):
        return clamp(node, unflat(functional.avg_pool2d(image, kernel, attrs["stride"]), x.shape[0]))
    channels = image.shape[1]
    ones = image.new_ones((channels, 1, *kernel))
    sums = functional.conv2d(plain(image), ones, None, attrs["stride"], padding, attrs["dilation"], channels)
    return clamp(node, unflat(sums / torch.from_numpy(divisor.astype("float32")), x.shape[0]))


def product(x: Tensor, axes: list[int]) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = torch.prod(x, axis, dtype=x.dtype)
    return x


# (tensor, axes, of which there is at least one); integers wrap around.
FOLDS: Mapping[str, Callable[[Tensor, list[int]], Tensor]] = {
    "max": torch.amax,
    "mean": torch.mean,
    "min": torch.amin,
    "prod": product,
    "sum": lambda x, axes: torch.sum(x, axes, dtype=x.dtype),
}


def reduce(node: Node, attr: Attr, x: Tensor) -> Tensor:
    axes = [axis + 1 for axis in node.attrs["axes"]]
    y = FOLDS[node.attrs["function"]](x, axes) if axes else x
    return y.reshape(x.shape[0], *node.type.shape)


def fold(node: Node, attr: Attr, x: Tensor) -> Tensor:
    rows = x.reshape(-1, *(node.attrs[name] for name in ("outer", "size", "inner")))
    return FOLDS[node.attrs["function"]](rows, [2]).reshape(-1, *node.type.shape)


def softmax(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return torch.softmax(x * node.attrs["beta"], -1)


TORCH: Mapping[str, Function] = {
    **ELEMENTWISE,
    **MOVES,
    "average_pool": average_pool,
    "batch_matmul": batch_matmul,
    "batchnorm": batchnorm,
    "conv2d": conv2d,
    "dense": dense,
    "fold": fold,
    "matmul": matmul,
    "max": max_of_neighbours,
    "max_pool": max_pool,
    "reduce": reduce,
    "softmax": softmax,
}

# What else is computed on: other integers move, and are cast to these first.
COMPUTED = ("f32", "i32", "i64", "bool")
COMPUTING = ("binary", "reduce")


def has_function(node: Node) -> bool:
    """Whether TORCH computes a node as it is; other nodes are lowered, or refused."""
    if "table" in node.attrs and node.op == "map":
        return False
    if node.op in COMPUTING and node.inputs[0].type.dtype not in COMPUTED:
        return False
    return node.op in TORCH
