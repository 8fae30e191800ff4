"""Batch normalisation that is put into a net for training, and the moments that it starts from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-5
MOMENTUM = 0.1
MOST_GAIN = 10.0  # by which a channel that hardly varies any more is stretched to what it did


class Norm(nn.Module):  # type: ignore[misc]
    """Batch normalisation of a contraction's sums while a net is trained; to_graph folds it away."""

    def __init__(self, mean: Tensor, variance: Tensor, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale.clone())
        self.shift = nn.Parameter(shift.clone())
        self.register_buffer("mean", mean.clone())
        self.register_buffer("variance", variance.clone())

    def forward(self, x: Tensor) -> Tensor:
        """[rows, channels] or [rows, channels, height, width]. A single value of a channel has no variance to
        divide by: it is normalised as in evaluation."""
        measures = self.training and x.numel() > x.shape[1]
        return functional.batch_norm(
            x, self.mean, self.variance, self.scale, self.shift, measures, MOMENTUM, EPSILON
        )

    def factor(self) -> Tensor:
        return self.scale / torch.sqrt(self.variance + EPSILON)


class Sums:
    """Running sums of rows [..., channels] and of their squares, in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.total = torch.zeros(())
        self.squares = torch.zeros(())

    def add(self, sums: Tensor) -> None:
        rows = sums.flatten(0, -2).double()
        self.count += rows.shape[0]
        self.total = self.total + rows.sum(0)
        self.squares = self.squares + rows.square().sum(0)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance by channel."""
        mean = self.total / self.count
        return mean.float(), (self.squares / self.count - mean.square()).clamp_min(0).float()


def matched(sums: Sequence[Tensor], bias: Tensor, goal: tuple[Tensor, Tensor] | None) -> Norm:
    """Gives the sums the goal's mean and variance; without one those that they have, bias added."""
    total = Sums()
    for each in sums:
        total.add(each)
    mean, variance = total.moments()
    goal_mean, goal_variance = goal or (mean + bias, variance)
    goal_variance = torch.minimum(goal_variance, MOST_GAIN**2 * variance)
    norm = Norm(mean, variance, torch.sqrt(goal_variance + EPSILON), goal_mean)
    norm.eval()  # the module that it goes into is being evaluated
    return norm


def folded(norm: Norm, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight [channels, ...] and bias of a contraction that computes what it does in front of the Norm."""
    mean, shift, factor = (each.detach().double().numpy() for each in (norm.mean, norm.shift, norm.factor()))
    scaled = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
    return scaled.astype(np.float32), (shift - mean * factor).astype(np.float32)
