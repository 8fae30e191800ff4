"""How well a layer does without some of its inputs, once those that stay make up for them.

Units leave one after another, as weights do in "Optimal Brain Surgeon" (Hassibi, Stork 1993) and in "Optimal
Brain Compression" (Frantar, Alistarh 2022): each time the one goes that changes the layer's results least
once least squares has spread what it did over the others.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from s2c.channels import Slice

STEPS = 64  # in which all columns of a layer's matrices are looked at; in each, a few units leave
CHOICE = 2  # as many units as are to leave in a step are looked at in it


def elimination_order(weight: np.ndarray, inverse: Tensor, columns: np.ndarray) -> np.ndarray:
    """By unit, when it leaves, counted from 0; of equals the first stays longest. weight: [outputs, depth];
    inverse: of Scatter.ridged of the inputs, [depth, depth], which is overwritten; columns: [units, columns
    of a unit]."""
    units = len(columns)
    left = torch.arange(units).flip(0)
    weights, places = few_rows(torch.from_numpy(weight).double()), torch.from_numpy(columns)
    order = np.zeros(units, np.int64)
    at_once = -(-units // STEPS)
    while len(left):
        some = left[losses(weights, inverse, places[left]).argsort(stable=True)[: CHOICE * at_once]]
        going = some[first_to_leave(weights, inverse, places[some], at_once)]
        order[going.numpy()] = units - len(left) + np.arange(len(going))
        take_out(weights, inverse, places[going].flatten())
        left = left[~torch.isin(left, going)]
    return order


def few_rows(weights: Tensor) -> Tensor:
    """Of many outputs no more rows than columns, whose products with each other are the same; else a copy."""
    if len(weights) > weights.shape[1]:
        return torch.linalg.qr(weights, mode="r").R
    return weights.clone()


def losses(weights: Tensor, inverse: Tensor, places: Tensor) -> Tensor:
    """By unit, the sum of squares by which results change where it leaves and the others make up for it."""
    blocks = inverse[places[:, :, None], places[:, None, :]]
    parts = weights[:, places].permute(1, 2, 0)
    return (parts * torch.linalg.solve(blocks, parts)).sum((1, 2))


def first_to_leave(weights: Tensor, inverse: Tensor, places: Tensor, count: int) -> list[int]:
    """Of these units, as indices of places: so many of them, one after another."""
    columns = places.flatten()
    weights, inverse = weights[:, columns], inverse[columns][:, columns]
    inner = torch.arange(len(columns)).reshape(places.shape)
    left = list(range(len(places)))
    going: list[int] = []
    while left and len(going) < count:
        going.append(left.pop(int(losses(weights, inverse, inner[left]).argmin())))
        take_out(weights, inverse, inner[going[-1]])
    return going


def take_out(weights: Tensor, inverse: Tensor, columns: Tensor) -> None:
    """Changes both to those of the layer without these columns, whose entries become 0."""
    gain = torch.linalg.solve(inverse[columns][:, columns], inverse[columns])
    weights.addmm_(weights[:, columns], gain, alpha=-1)
    inverse.addmm_(inverse[:, columns], gain, alpha=-1)


def columns_of(each: Slice, units: int) -> np.ndarray | None:
    """Of a layer's weights [outputs, depth]: [units, columns that read a unit]; None where units differ."""
    weight = each.node.attrs["weight"]
    unit = np.tile(each.unit, weight[0].size // len(each.unit))
    found = [np.flatnonzero(unit == index) for index in range(units)]
    widths = {len(columns) for columns in found}
    return np.stack(found) if len(widths) == 1 and widths != {0} else None
