"""Batch normalisation and the clamp behind it in two passes over memory each way: torch's own, one after the
other, take up to ten times as long on values with few channels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2c.own_code import load_own

EPSILON = 1e-5
SUFFIX = {torch.float32: "f32", torch.bfloat16: "bf16"}
SLOTS = 64  # values of rows that are added up side by side
WORK = 4  # numbers of float64 for each channel and each of so many slots
SIGNATURE = {  # n: a count, c: channels, p: an array, f: a float
    "forward": "ncpppfffpppp",
    "backward": "ncppppppfffpppp",
}
KINDS = {"n": ctypes.c_int64, "c": ctypes.c_int, "p": ctypes.c_void_p, "f": ctypes.c_float}


@cache
def load_functions() -> dict[str, Callable[..., None]]:
    code = load_own(Path(__file__).with_suffix(".c"), f"-DSLOTS={SLOTS}")
    found = {}
    for name, kinds in SIGNATURE.items():
        for suffix in SUFFIX.values():
            function = getattr(code, f"s2c_{name}_{suffix}")
            function.argtypes = [KINDS[each] for each in kinds]
            function.restype = None
            found[f"{name}_{suffix}"] = function
    return found


def call(name: str, x: Tensor, *arguments: Tensor | float) -> None:
    """x: [rows, channels]; the function's other arguments follow its two extents."""
    rows, channels = x.shape
    work = torch.empty(WORK * (channels + SLOTS), dtype=torch.float64)
    plain = [each.data_ptr() if isinstance(each, Tensor) else each for each in (*arguments, work)]
    load_functions()[f"{name}_{SUFFIX[x.dtype]}"](rows, channels, *plain)


class NormaliseClamp(torch.autograd.Function):  # type: ignore[misc]
    """x [rows, channels], float32 or bfloat16; scale, shift [channels] -> results like x, and mean and
    variance of each channel, through which no gradient goes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, low: float, high: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, scale, shift = x.contiguous(), scale.contiguous(), shift.contiguous()
        y, mean, variance = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)
        call("forward", x, x, scale, shift, EPSILON, low, high, y, mean, variance)
        ctx.save_for_backward(x, y, scale, mean, variance)
        ctx.limits = low, high
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, y, scale, mean, variance = ctx.saved_tensors
        slope = slopes[0].contiguous()
        of_x, of_scale, of_shift = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)
        inputs = slope, x, y, scale, mean, variance
        call("backward", x, *inputs, EPSILON, *ctx.limits, of_x, of_scale, of_shift)
        return of_x, of_scale, of_shift, None, None


def normalise_clamp(x: Tensor, scale: Tensor, shift: Tensor, low: float, high: float) -> tuple[Tensor, ...]:
    """NormaliseClamp with x [..., channels]."""
    y, mean, variance = NormaliseClamp.apply(x.flatten(0, -2), scale, shift, low, high)
    return y.reshape(x.shape), mean, variance
