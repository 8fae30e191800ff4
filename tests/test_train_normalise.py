"""Normalisation with its clamp, in C: against torch's in float64, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from s2c.train.norm import Norm, measuring  # noqa: E402
from s2c.train.normalise import EPSILON, normalise_clamp  # noqa: E402

INFINITY = float("inf")
LIMITS = [(-INFINITY, INFINITY), (0.0, INFINITY), (0.0, 0.5), (-0.3, 0.2)]


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0.7, 1.3, shape).astype(np.float32))


def wanted(x: Tensor, scale: Tensor, shift: Tensor, low: float, high: float) -> Tensor:
    rows = x.double().flatten(0, -2)
    y = functional.batch_norm(rows, None, None, scale.double(), shift.double(), True, 0.0, EPSILON)
    return y.clamp(low, high).reshape(x.shape)


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("channels", [1, 3, 8, 16, 33, 64, 65, 200])
def test_equals_torch(channels: int, limits: tuple[float, float]) -> None:
    for rows in (2, 7, 64, 5000):
        x = values(rows, channels).requires_grad_()
        scale = values(channels, seed=1).requires_grad_()
        shift = values(channels, seed=2).requires_grad_()
        slope = values(rows, channels, seed=3)
        y, mean, variance = normalise_clamp(x, scale, shift, *limits)
        expected = wanted(x, scale, shift, *limits)
        torch.testing.assert_close(y.double(), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(mean, x.mean(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(variance, x.var(0, correction=0), atol=1e-5, rtol=1e-4)
        assert not mean.requires_grad and not variance.requires_grad
        away = (expected.detach() - torch.tensor(limits, dtype=torch.float64)[:, None, None]).abs().amin(0)
        taken = torch.where((away > 1e-4) | (away == 0.0), slope, 0.0)
        found = torch.autograd.grad(y, (x, scale, shift), taken)
        reference = torch.autograd.grad(expected, (x, scale, shift), taken.double())
        # Slopes are differences: what they are taken from is what rounding is in parts of.
        gain = (scale / torch.sqrt(x.var(0, correction=0) + EPSILON)).abs().max()
        sizes = float((gain * slope.abs().max()).detach()), *(2 * [float(slope.abs().sum(0).max())])
        for name, one, other, size in zip("x scale shift".split(), found, reference, sizes, strict=True):
            assert float((one - other).abs().max()) < 2e-5 * size, (name, rows)


def test_small_differences_of_large_values() -> None:
    x = values(500, 8) * 1e-3 + 100
    scale, shift = torch.ones(8), torch.zeros(8)
    y, _, variance = normalise_clamp(x, scale, shift, -INFINITY, INFINITY)
    torch.testing.assert_close(variance.double(), x.double().var(0, correction=0), atol=0, rtol=1e-4)
    torch.testing.assert_close(y.double(), wanted(x, scale, shift, -INFINITY, INFINITY), atol=5e-3, rtol=0)


def test_of_bfloat16_rounds_once() -> None:
    x = values(4, 5, 6, 8).bfloat16()
    scale, shift = values(8, seed=1), values(8, seed=2)
    y, _, _ = normalise_clamp(x, scale, shift, 0.0, INFINITY)
    assert y.dtype == torch.bfloat16 and y.shape == x.shape
    exact = wanted(x, scale, shift, 0.0, INFINITY)
    assert bool(((y.double() - exact).abs() <= 2.0**-8 * exact.abs() + 1e-6).all())


@pytest.mark.parametrize("limits", [(0.0, INFINITY), (-0.7, 0.7), (0.1, 0.3)])
def test_slopes_of_bfloat16(limits: tuple[float, float]) -> None:
    """What lies at a bound passes nothing, also where the bound is no bfloat16."""
    x = values(300, 16).bfloat16().requires_grad_()
    scale, shift = values(16, seed=1).requires_grad_(), values(16, seed=2).requires_grad_()
    slope = values(300, 16, seed=3).bfloat16()
    y, _, _ = normalise_clamp(x, scale, shift, *limits)
    leaf = x.detach().double().requires_grad_()
    expected = wanted(leaf, scale, shift, *limits)
    # So near to a bound rounding decides.
    ends = torch.tensor(limits, dtype=torch.float64)[:, None, None]
    near = ((expected.detach() - ends).abs() < 2.0**-8).any(0) & (expected.detach() != ends).all(0)
    slope[near] = 0.0
    found = torch.autograd.grad(y, (x, scale, shift), slope)
    reference = torch.autograd.grad(expected, (leaf, scale, shift), slope.double())
    assert [each.dtype for each in found] == [torch.bfloat16, torch.float32, torch.float32]
    for one, other in zip(found, reference, strict=True):
        assert float((one.double() - other).abs().max()) < 2.0**-8 * float(other.abs().max())


def test_what_is_no_number_shows() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        x = values(20, 8)
        x[3, 2] = float("nan")
        y, _, _ = normalise_clamp(x.to(dtype), torch.ones(8), torch.zeros(8), 0.0, 1.0)
        assert bool(y[:, 2].isnan().all()) and not bool(y[:, 3:].isnan().any())


def test_no_nan_rounds_to_a_number() -> None:
    for bits in (0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF, 0x7FC00000):
        nan = torch.from_numpy(np.array([bits], np.uint32).view(np.float32))
        y, _, _ = normalise_clamp(values(20, 1).bfloat16(), nan, torch.zeros(1), 0.0, 1.0)
        assert bool(y.isnan().all()), hex(bits)


def test_strange_strides() -> None:
    x = values(8, 40).T
    assert not x.is_contiguous()
    y, _, _ = normalise_clamp(x, torch.ones(8), torch.zeros(8), 0.0, INFINITY)
    torch.testing.assert_close(y.double(), wanted(x, torch.ones(8), torch.zeros(8), 0.0, INFINITY))


def test_moments_are_heard_where_they_are_asked_for() -> None:
    x = values(50, 4)
    norm = Norm(torch.zeros(4), torch.ones(4), torch.ones(4), torch.zeros(4)).train()
    norm(x, 0.0, INFINITY)
    with measuring() as moments:
        norm(x, 0.0, INFINITY)
        norm(x[:1], 0.0, INFINITY)  # of a single row there is nothing to hear
    assert list(moments) == [norm]
    torch.testing.assert_close(moments[norm], (x.mean(0), x.var(0)))
    assert torch.equal(norm.mean, torch.zeros(4))
    norm.move(*moments[norm])
    torch.testing.assert_close(norm.mean, 0.1 * x.mean(0))
    torch.testing.assert_close(norm.variance, 0.9 + 0.1 * x.var(0))
