"""Steps of the optimizer: in Adam's length, along the directions in which gradients vary apart."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402
from trained_nets import classifier  # noqa: E402

from s2c.train import soap  # noqa: E402
from s2c.train.module import GraphModule  # noqa: E402
from s2c.train.rates import longest_sides  # noqa: E402
from s2c.train.soap import Soap, direction  # noqa: E402


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def fitted(optimizer: torch.optim.Optimizer, weight: Tensor, x: Tensor, y: Tensor, steps: int) -> float:
    """The error of x @ weight.T, a convolution of one place, after some steps at a falling rate."""
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 - step / steps)
        optimizer.zero_grad()
        loss = (x @ weight.flatten(1).T - y).square().mean()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_finds_mixed_directions_sooner_than_adam() -> None:
    """Inputs of very different sizes, turned so that no axis is one of them."""
    turn = torch.linalg.qr(random(12, 12))[0]
    x = random(400, 12, seed=1) * torch.logspace(0, -2, 12) @ turn
    wanted = random(5, 12, seed=2)
    errors = []
    for make in (Soap, lambda groups: torch.optim.Adam(groups, betas=soap.BETAS)):
        weight = torch.nn.Parameter(torch.zeros(5, 12, 1, 1))
        optimizer = make([{"params": [weight]}])
        errors.append(fitted(optimizer, weight, x, x @ wanted.T, 300))
    assert errors[0] < errors[1] / 3, errors


@pytest.mark.parametrize("shape", [(7,), (1, 5), (6, 1)])
def test_without_directions_steps_are_adams(shape: tuple[int, ...]) -> None:
    mine, other = (torch.nn.Parameter(random(*shape)) for _ in range(2))
    soap_steps = Soap([{"params": [mine], "lr": 0.01}])
    adam_steps = torch.optim.Adam([other], lr=0.01, betas=soap.BETAS, eps=soap.EPSILON)
    for seed in range(30):
        mine.grad = random(*shape, seed=seed)
        other.grad = mine.grad.clone()
        soap_steps.step()
        adam_steps.step()
    torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_steps_have_the_rates_length(scale: float) -> None:
    state: dict[str, object] = {}
    for seed in range(40):
        step = direction(state, random(6, 10, seed=seed) * scale)
        assert 0.1 < float(step.square().mean().sqrt()) < 1.2
    assert {f"basis{axis}" for axis in range(2)} < set(state)


def test_bases_stay_orthonormal() -> None:
    """Also where gradients leave out most directions, or all."""
    state: dict[str, object] = {}
    for seed in range(60):
        gradient = random(8, 1, seed=seed) @ random(1, 9, seed=seed % 2) if seed > 20 else torch.zeros(8, 9)
        assert torch.isfinite(direction(state, gradient)).all()
    for axis, extent in enumerate((8, 9)):
        basis = state[f"basis{axis}"]
        assert isinstance(basis, Tensor)
        torch.testing.assert_close(basis.T @ basis, torch.eye(extent), atol=1e-5, rtol=0)


def test_long_sides_keep_their_axes() -> None:
    state: dict[str, object] = {}
    for seed in range(3):
        assert direction(state, random(4, 3, 3, seed=seed), 8).shape == (4, 9)
    assert "basis0" in state and "basis1" not in state


def test_directions_cost_less_than_training() -> None:
    """A convolution sees a row for each place of each image, a dense layer one for each sample."""
    module = GraphModule(classifier(0))
    convolution, head = (
        f"weights.{module.index[node]}_weight" for node in module.order if "weight" in node.attrs
    )
    assert longest_sides(module, 64) == {convolution: 64 * 16 // 6, head: 32}
    assert longest_sides(module, 1 << 20) == {convolution: 1024, head: 1024}
