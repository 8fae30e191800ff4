"""Gradients to steps: Adam in the directions that the gradients of a weight keep to.

Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam": the eigenvectors of the running means
of G Gt and Gt G, G being the gradient as a matrix, turn it to where its entries vary apart from each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

BETAS = (0.9, 0.99)  # of the mean of gradients, of their squares
MEMORY = 0.95  # of the means that the directions come from
EVERY = 10  # steps from one look at the directions to the next, but for the first ones
EPSILON = 1e-12  # gradients are in units of one over the scale: none is too small to count
LONGEST = 1024  # rows or columns of a weight whose directions are sought: their matrix is a square

State = dict[str, Any]


class Soap(torch.optim.Optimizer):  # type: ignore[misc]
    """Steps move by about the rate whatever the gradient's scale. Where directions are not sought, they are
    Adam's (Kingma and Ba 2015): in parameters with one axis, and along axes that are longer than `longest`,
    which each group may set."""

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        super().__init__([dict(each) for each in groups], {"lr": 0.0, "longest": LONGEST})

    def step(self, closure: None = None) -> None:
        assert closure is None
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        moved = direction(self.state[parameter], parameter.grad, group["longest"])
                        parameter.add_(moved.reshape(parameter.shape), alpha=-group["lr"])


def direction(state: State, gradient: Tensor, longest: int = LONGEST) -> Tensor:
    """A step at a rate of 1, as a matrix [first axis, all others]; state is what the next one needs."""
    gradient = gradient.reshape(len(gradient), -1)
    if not state:
        state.update(first_state(gradient, longest))
    state["count"] += 1
    state["mean"].lerp_(gradient, 1 - BETAS[0])
    state["square"].lerp_(turned(state, gradient).square(), 1 - BETAS[1])
    square = state["square"] / (1 - BETAS[1] ** state["count"])
    mean = turned(state, state["mean"]) / (1 - BETAS[0] ** state["count"])
    result = turned_back(state, mean / (square.sqrt() + EPSILON))
    follow(state, gradient)
    return result


def first_state(gradient: Tensor, longest: int) -> State:
    """The directions are the axes as yet."""
    state: State = {"count": 0, "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
    for axis, extent in enumerate(gradient.shape):
        if 1 < extent <= longest and min(gradient.shape) > 1:
            state[f"products{axis}"] = gradient.new_zeros(extent, extent)
            state[f"basis{axis}"] = torch.eye(extent)
    return state


def turned(state: State, x: Tensor) -> Tensor:
    if "basis0" in state:
        x = state["basis0"].T @ x
    return x @ state["basis1"] if "basis1" in state else x


def turned_back(state: State, x: Tensor) -> Tensor:
    if "basis0" in state:
        x = state["basis0"] @ x
    return x @ state["basis1"].T if "basis1" in state else x


def follow(state: State, gradient: Tensor) -> None:
    """Adds the gradient's products to their means, and looks at the directions now and then."""
    looks = state["count"] <= EVERY or state["count"] % EVERY == 0
    for axis, rows in enumerate((gradient, gradient.T)):
        if f"basis{axis}" in state:
            state[f"products{axis}"].lerp_(rows @ rows.T, 1 - MEMORY)
            if looks:
                look(state, axis)


def look(state: State, axis: int) -> None:
    """One step of orthogonal iteration towards the eigenvectors, the largest first; squares stay with
    theirs."""
    products, basis = state[f"products{axis}"], state[f"basis{axis}"]
    images = products @ basis
    order = torch.argsort((basis * images).sum(0), descending=True, stable=True)
    state["square"] = state["square"].index_select(axis, order)
    state[f"basis{axis}"] = torch.linalg.qr(images[:, order])[0]
