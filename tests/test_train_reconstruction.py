"""Which units a layer does without, by least squares that numpy solves anew for each choice."""

from __future__ import annotations

import numpy as np
import pytest
from channel_nets import NETS

from s2c.channels import find_channels
from s2c.importance import is_read

torch = pytest.importorskip("torch")

from s2c.train.reconstruction import STEPS, columns_of, elimination_order  # noqa: E402
from s2c.train.refit import Scatter  # noqa: E402


def scatter_of(rows: np.ndarray) -> Scatter:
    found = Scatter(rows.shape[1])
    for part in np.array_split(rows, 3):
        found.add(torch.from_numpy(part))
    return found


def lost(rows: np.ndarray, weight: np.ndarray, left: np.ndarray) -> float:
    """The sum of squares by which the results of the columns that are left differ from the layer's."""
    centred = rows - rows.mean(axis=0)
    wanted = centred @ weight.T
    some = centred[:, left]
    return float(np.sum((some @ np.linalg.lstsq(some, wanted, rcond=None)[0] - wanted) ** 2))


def test_each_step_loses_least() -> None:
    """Six units of two columns each, which depend on each other."""
    source = np.random.default_rng(0)
    rows = source.normal(size=(400, 12)) @ source.normal(size=(12, 12)) + 5
    weight = source.normal(size=(7, 12)).astype(np.float32)
    columns = source.permutation(12).reshape(6, 2)
    order = elimination_order(weight, scatter_of(rows), columns)
    left = list(range(6))
    for unit in np.argsort(order)[:4]:
        choices = {each: lost(rows, weight, columns[[i for i in left if i != each]].ravel()) for each in left}
        assert choices[unit] <= 1.01 * min(choices.values())
        left.remove(unit)


def test_of_two_that_tell_the_same_one_goes_first() -> None:
    """Though their weights are the largest."""
    source = np.random.default_rng(0)
    rows = source.normal(size=(500, 4))
    rows[:, 3] = rows[:, 0] + 0.01 * source.normal(size=500)
    weight = np.array([[3.0, 0.5, 1.0, 3.0]], np.float32)
    order = elimination_order(weight, scatter_of(rows), np.arange(4)[:, None])
    assert order.tolist() in ([0, 1, 2, 3], [3, 1, 2, 0])


def test_where_nothing_varies_the_first_stay() -> None:
    weight = np.ones((2, 4), np.float32)
    order = elimination_order(weight, scatter_of(np.ones((9, 4))), np.arange(4)[:, None])
    assert order.tolist() == [3, 2, 1, 0]


def test_many_units_leave_several_at_a_time() -> None:
    source = np.random.default_rng(0)
    units = 2 * STEPS + 1
    rows, weight = source.normal(size=(3 * units, units)), source.normal(size=(2, units)).astype(np.float32)
    order = elimination_order(weight, scatter_of(rows), np.arange(units)[:, None])
    assert sorted(order) == list(range(units))


@pytest.mark.parametrize("name", ["flattened", "residual"])
def test_columns_of_a_layer(name: str) -> None:
    """A channel is read by the taps of a convolution, or by all pixels of a dense layer."""
    slices = [
        (each, group.units)
        for group in find_channels(NETS[name].graph()).groups
        for each in filter(is_read, group.slices)
    ]
    assert slices
    for each, units in slices:
        found = columns_of(each, units)
        assert found is not None
        unit = np.broadcast_to(each.unit, each.node.attrs["weight"][0].shape).ravel()
        assert all((unit[columns] == index).all() for index, columns in enumerate(found))
        assert found.size == np.count_nonzero(unit >= 0)
