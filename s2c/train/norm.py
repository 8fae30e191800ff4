"""Batch normalisation that is put into a net for training, and the moments that it starts from."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from s2c.train.normalise import EPSILON, normalise_clamp

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

    def forward(self, sums: Tensor, low: float, high: float) -> Tensor:
        """[..., channels] to what lies between low and high. While training, by the mean and variance of
        these sums, which `measuring` hears of; a single value of a channel has no variance to divide by: it
        is normalised as in evaluation."""
        rows = sums.numel() // sums.shape[-1]
        if not (self.training and rows > 1):
            factor = self.factor()
            return torch.addcmul(self.shift - self.mean * factor, sums, factor).clamp(low, high)
        result, mean, variance = normalise_clamp(sums, self.scale, self.shift, low, high)
        heard = getattr(HEARD, "moments", None)
        if heard is not None:
            heard[self] = mean, variance * (rows / (rows - 1))
        return result

    def move(self, mean: Tensor, variance: Tensor) -> None:
        """What is kept goes a step towards what was measured."""
        self.mean.lerp_(mean, MOMENTUM)
        self.variance.lerp_(variance, MOMENTUM)

    def factor(self) -> Tensor:
        return self.scale / torch.sqrt(self.variance + EPSILON)


Measured = dict[Norm, tuple[Tensor, Tensor]]  # mean and variance by channel, as far as samples tell of all
HEARD = threading.local()


@contextmanager
def measuring() -> Iterator[Measured]:
    """Of the Norms that this thread computes meanwhile."""
    moments: Measured = {}
    HEARD.moments = moments
    try:
        yield moments
    finally:
        HEARD.moments = None


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
