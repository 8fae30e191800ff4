"""Convolutions of few channels in bfloat16, and their gradients, by the C in convolve.c."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2c.ops.window import output_extent
from s2c.own_code import load_own

LEAST, MOST = 3, 32  # channels; of others torch is as fast or faster
FUNCTIONS = {"convolve": 5, "convolve_input_slope": 4, "convolve_weight_slope": 4}  # arrays behind the shape
Shape = ctypes.Array[ctypes.c_int32]


@dataclass(frozen=True)
class Window:
    """How a kernel moves over images, by height and width; pads: in front and behind."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[tuple[int, int], tuple[int, int]]

    def results(self, x: Tensor, weight: Tensor) -> Tensor:
        """Room for them, not yet computed: [images, rows, columns, outputs]."""
        axes = zip(x.shape[1:3], weight.shape[1:3], self.stride, self.dilation, self.pads, strict=True)
        counts = [output_extent(*each) for each in axes]
        return x.new_empty(len(x), *counts, len(weight), dtype=torch.bfloat16)

    def shape(self, x: Tensor, weight: Tensor, y: Tensor) -> Shape:
        """The struct of convolve.c; y: results, or slopes of them."""
        assert x.shape[-1] == weight.shape[-1], (x.shape, weight.shape)
        assert min(map(min, self.pads)) >= 0, self.pads
        before = (first for first, _ in self.pads)
        numbers = (*x.shape, *y.shape[1:], *weight.shape[1:3], *self.stride, *self.dilation, *before)
        return (ctypes.c_int32 * len(numbers))(*numbers)


def is_narrow(shape: tuple[int, ...], stride: tuple[int, int]) -> bool:
    """Whether Convolve is faster for a weight [outputs, height, width, channels]: of single pixels only where
    some are left out."""
    outputs, height, width, channels = shape
    is_window = height * width > 1 or max(stride) > 1
    return is_window and LEAST <= channels <= MOST and outputs <= MOST


@cache
def load_code(*flags: str) -> ctypes.CDLL:
    """flags: -DPORTABLE, to try on any processor what those without products of pairs do."""
    code = load_own(Path(__file__).with_suffix(".c"), *flags)
    for name, arrays in FUNCTIONS.items():
        function = getattr(code, f"s2c_{name}")
        function.argtypes = [ctypes.c_void_p] * (arrays + 1)
        function.restype = None
    code.s2c_convolve_work.argtypes = [ctypes.c_void_p]
    code.s2c_convolve_work.restype = ctypes.c_int64
    return code


def call(name: str, shape: Shape, *arrays: Tensor | None) -> None:
    """arrays: contiguous, in the order of convolve.c, but for its working memory."""
    code = load_code()
    work = torch.empty(code.s2c_convolve_work(shape), dtype=torch.int32)
    function: Callable[..., None] = getattr(code, f"s2c_{name}")
    function(shape, *(None if each is None else each.data_ptr() for each in (*arrays, work)))


class Convolve(torch.autograd.Function):  # type: ignore[misc]
    """x [images, height, width, channels], weight [outputs, height, width, channels], bias [outputs] or None
    -> [images, rows, columns, outputs] of bfloat16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
        image, weight = x.to(torch.bfloat16).contiguous(), weight.float().contiguous()
        y = window.results(image, weight)
        shape = window.shape(image, weight, y)
        call("convolve", shape, image, weight, None if bias is None else bias.float().contiguous(), y)
        ctx.save_for_backward(image, weight)
        ctx.shape, ctx.dtype = shape, x.dtype
        return y

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        image, weight = ctx.saved_tensors
        slope = slopes[0].contiguous()
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = torch.empty_like(image)
            call("convolve_input_slope", ctx.shape, slope, weight, of_x)
            of_x = of_x.to(ctx.dtype)
        if ctx.needs_input_grad[1]:
            of_weight = torch.empty_like(weight)
            call("convolve_weight_slope", ctx.shape, image, slope, of_weight)
        if ctx.needs_input_grad[2]:
            of_bias = slope.float().sum((0, 1, 2))
        return of_x, of_weight, of_bias, None


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Convolve, of images in front of whose axes are others."""
    result: Tensor = Convolve.apply(x.flatten(0, -4), weight, bias, window)
    return result.unflatten(0, x.shape[:-3])
