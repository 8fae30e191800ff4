"""How well a layer does without some of its inputs, once those that stay make up for them.

Units leave one after another, as weights do in "Optimal Brain Surgeon" (Hassibi, Stork 1993) and in "Optimal
Brain Compression" (Frantar, Alistarh 2022): each time those go that change the layer's results least once
least squares has spread what they did over the others.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from s2c.channels import Slice
from s2c.train.refit import RIDGE, Scatter

STEPS = 64  # at most, in which a layer loses all units


def elimination_order(weight: np.ndarray, scatter: Scatter, columns: np.ndarray) -> np.ndarray:
    """By unit, when it leaves, counted from 0. weight: [outputs, depth]; scatter: of the inputs; columns:
    [units, columns of a unit]."""
    weights, places = torch.from_numpy(weight).double(), torch.from_numpy(columns)
    square = scatter.centred()
    pull = RIDGE * float(square.diagonal().mean())
    if not pull > 0:
        return np.arange(len(columns))[::-1].copy()  # nothing varies: of equals the first stay
    square.diagonal().add_(pull)
    inverse = torch.linalg.inv(square)
    left = torch.arange(len(columns))
    order = np.zeros(len(columns), np.int64)
    at_once = -(-len(columns) // STEPS)
    while len(left):
        going = left[losses(weights, inverse, places[left]).argsort(stable=True)[:at_once]]
        order[going.numpy()] = len(columns) - len(left) + np.arange(len(going))
        gone = places[going].flatten()
        gain = torch.linalg.solve(inverse[gone][:, gone], inverse[gone])
        weights = weights - weights[:, gone] @ gain
        inverse -= inverse[:, gone] @ gain
        left = left[~torch.isin(left, going)]
    return order


def losses(weights: Tensor, inverse: Tensor, places: Tensor) -> Tensor:
    """By unit, the sum of squares by which results change where it leaves and the others make up for it."""
    blocks = inverse[places[:, :, None], places[:, None, :]]
    parts = weights[:, places].permute(1, 2, 0)
    return (parts * torch.linalg.solve(blocks, parts)).sum((1, 2))


def columns_of(each: Slice, units: int) -> np.ndarray | None:
    """Of a layer's weights [outputs, depth]: [units, columns that read a unit]; None where units differ."""
    weight = each.node.attrs["weight"]
    unit = np.tile(each.unit, weight[0].size // len(each.unit))
    found = [np.flatnonzero(unit == index) for index in range(units)]
    widths = {len(columns) for columns in found}
    return np.stack(found) if len(widths) == 1 and widths != {0} else None
