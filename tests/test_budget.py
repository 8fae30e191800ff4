"""Counts of kept units: rounded to lanes, spent where they cost least."""

from __future__ import annotations

import numpy as np
import pytest

from s2c.budget import keep_count, kept_units, levels, spend
from s2c.channels import Channels, Group, Slice
from s2c.ir import Graph, Node, Type


def make_group(units: int, channels: int = 1) -> Group:
    """units, each with so many channels, that one dense layer makes."""
    weight = np.ones((units * channels, 2), np.float32)
    node = Node("dense", (), {"weight": weight}, Type((1, units * channels), "f32"), "layer")
    unit = np.repeat(np.arange(units), channels)
    return Group("layer", ("layer",), units, (Slice(node, "weight", 0, unit, True),))


@pytest.mark.parametrize(
    ("units", "width", "lanes", "wanted"),
    [
        (64, 0.5, 16, 32),
        (64, 0.25, 16, 16),
        (64, 0.4, 16, 32),  # 25.6 is nearer to 32 than to 16
        (16, 0.5, 16, 8),  # less than the lanes: half of them
        (16, 0.05, 16, 1),
        (16, 0.75, 16, 12),  # whole lanes would be all
        (32, 0.75, 16, 24),
        (24, 0.5, 16, 12),
        (100, 0.5, 16, 48),
        (100, 1.0, 16, 100),
        (3, 0.5, 4, 2),
        (1, 0.25, 4, 1),
    ],
)
def test_kept_counts_are_whole_lanes(units: int, width: float, lanes: int, wanted: int) -> None:
    assert keep_count(make_group(units), width, lanes) == wanted


def test_a_unit_of_many_channels_fills_the_lanes_itself() -> None:
    assert keep_count(make_group(4, channels=32), 0.75, 16) == 3


@pytest.mark.parametrize(("units", "lanes"), [(64, 16), (16, 16), (17, 4), (1, 4), (2, 1), (512, 4), (6, 16)])
def test_levels_fall_from_the_whole_group(units: int, lanes: int) -> None:
    found = levels(make_group(units), lanes)
    assert found[0] == units
    assert list(found) == sorted(set(found), reverse=True)
    assert found[-1] >= 1
    assert len(found) <= 9
    assert units == 1 or found[-1] <= units / 2


def test_kept_units_have_the_highest_scores() -> None:
    groups = (make_group(4), make_group(2))
    channels = Channels(Graph((), ()), groups, {})
    scores = {0: np.array([0.1, 3.0, 0.2, 0.2]), 1: np.array([1.0, 2.0])}
    keep = kept_units(channels, (2, 2), scores)
    assert {index: kept.tolist() for index, kept in keep.items()} == {0: [1, 2]}


def test_budget_goes_where_it_costs_least() -> None:
    """Both groups cost alike; the second loses nothing down to its half."""
    ladders = [(8, 4, 2), (8, 4, 2)]
    losses = [[0.0, 1.0, 2.0], [0.0, 0.0, 5.0]]
    assert spend(ladders, losses, sum, 12) == (8, 4)
    assert spend(ladders, losses, sum, 8) == (4, 4)
    assert spend(ladders, losses, sum, 16) == (8, 8)


def test_what_a_step_saved_too_much_is_given_back() -> None:
    """The cheap small step comes first, then the large one, which would have been enough alone."""
    ladders = [(10, 9), (10, 2)]
    losses = [[0.0, 0.01], [0.0, 1.0]]
    assert spend(ladders, losses, sum, 13) == (10, 2)


def test_an_unreachable_budget_gives_none() -> None:
    assert spend([(4, 2), (4, 2)], [[0.0, 1.0], [0.0, 1.0]], sum, 3) is None


def test_a_level_never_counts_as_better_than_a_higher_one() -> None:
    """Noise makes 2 seem better than 4; what leads to 4 is not made cheaper by that."""
    ladders = [(8, 4, 2), (8, 6)]
    losses = [[0.0, 1.0, 0.1], [0.0, 0.4]]
    assert spend(ladders, losses, sum, 14) == (8, 6)
