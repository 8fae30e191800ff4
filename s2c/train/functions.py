"""TORCH: what each op computes on torch tensors. Every tensor has one more axis in front, the samples of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from s2c.ir import Node
from s2c.ops.clamp import bounds
from s2c.ops.pooling import pool_counts

Tensor = torch.Tensor
# attr(name): the Parameter or constant Tensor that stands for an array attr of the node.
Attr = Callable[[str], Tensor]
Function = Callable[..., Tensor]  # (node, attr, *inputs [samples, *shape]) -> [samples, *node.type.shape]


def clamp(node: Node, x: Tensor) -> Tensor:
    lo, hi = bounds(node)
    if lo == 0.0 and math.isinf(hi):
        return F.relu(x)
    if math.isinf(lo) and math.isinf(hi):
        return x
    return torch.clamp(x, lo, hi)


def aligned(node: Node, *tensors: Tensor) -> list[Tensor]:
    """Operands with as many axes as the result, so that broadcasting leaves the samples' axis alone."""
    rank = len(node.type.shape) + 1
    return [each.reshape(each.shape[0], *(1,) * (rank - each.ndim), *each.shape[1:]) for each in tensors]


def flat(x: Tensor) -> Tensor:
    """[samples, batch, height, width, channels] as a channels-last [samples * batch, channels, height, width]."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def unflat(x: Tensor, samples: int) -> Tensor:
    return x.permute(0, 2, 3, 1).unflatten(0, (samples, -1))


def pad_image(x: Tensor, pads: Any, value: float = 0.0) -> tuple[Tensor, tuple[int, int]]:
    """The image and what is left for a convolution or pool to pad on both sides alike."""
    (top, bottom), (left, right) = pads
    if top == bottom and left == right and value == 0.0:
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=value), (0, 0)


def conv2d_sums(node: Node, attr: Attr, x: Tensor, bias: Tensor | None) -> Tensor:
    image, padding = pad_image(flat(x), node.attrs["pads"])
    weight = attr("weight").permute(0, 3, 1, 2)
    attrs = node.attrs
    y = F.conv2d(image, weight, bias, attrs["stride"], padding, attrs["dilation"], attrs["groups"])
    return unflat(y, x.shape[0])


def conv2d(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return clamp(node, conv2d_sums(node, attr, x, attr("bias")))


def dense(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return clamp(node, F.linear(x, attr("weight"), attr("bias")))


def batchnorm(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return x * attr("scale") + attr("shift")


def relu(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return clamp(node, x)


def add(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return clamp(node, torch.add(*aligned(node, a, b)))


def mul(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return clamp(node, torch.mul(*aligned(node, a, b)))


def sub(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return torch.sub(*aligned(node, a, b))


def div(node: Node, attr: Attr, a: Tensor, b: Tensor) -> Tensor:
    return torch.div(*aligned(node, a, b))


def reshape(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], *node.type.shape)


def transpose(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return x.permute(0, *(axis + 1 for axis in node.attrs["perm"]))


def concat(node: Node, attr: Attr, *parts: Tensor) -> Tensor:
    samples = max(each.shape[0] for each in parts)
    whole = [each.expand(samples, *each.shape[1:]) for each in parts]
    return torch.cat(whole, node.attrs["axis"] + 1)


def max_pool(node: Node, attr: Attr, x: Tensor) -> Tensor:
    image, _ = pad_image(flat(x), node.attrs["pads"], -math.inf)
    attrs = node.attrs
    return unflat(F.max_pool2d(image, attrs["kernel"], attrs["stride"], 0, attrs["dilation"]), x.shape[0])


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
        return clamp(node, unflat(F.avg_pool2d(image, kernel, attrs["stride"]), x.shape[0]))
    channels = image.shape[1]
    ones = image.new_ones((channels, 1, *kernel))
    sums = F.conv2d(image, ones, None, attrs["stride"], padding, attrs["dilation"], channels)
    return clamp(node, unflat(sums / torch.from_numpy(divisor.astype("float32")), x.shape[0]))


def softmax(node: Node, attr: Attr, x: Tensor) -> Tensor:
    return torch.softmax(x * node.attrs.get("beta", 1.0), -1)


TORCH: Mapping[str, Function] = {
    "add": add,
    "average_pool": average_pool,
    "batchnorm": batchnorm,
    "concat": concat,
    "conv2d": conv2d,
    "dense": dense,
    "div": div,
    "max_pool": max_pool,
    "mul": mul,
    "relu": relu,
    "reshape": reshape,
    "softmax": softmax,
    "sub": sub,
    "transpose": transpose,
}
