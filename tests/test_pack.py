"""Packings: each has an inverse, and stores what its kernel reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c.kernel import list_kernels
from s2c.pack import PACKINGS

WEIGHT = np.arange(1 * 5 * 3).reshape(1, 5, 3)


@pytest.mark.parametrize("name", sorted(PACKINGS))
@settings(max_examples=100, deadline=None, derandomize=True)
@given(shape=st.tuples(st.integers(1, 5), st.integers(1, 19), st.integers(1, 9)))
def test_unpack_is_the_inverse(name: str, shape: tuple[int, int, int]) -> None:
    if name == "taps_first":
        shape = (shape[0], 1, shape[2])
    weight = np.arange(np.prod(shape)).reshape(shape)
    packed = PACKINGS[name].pack(weight)
    assert packed.shape == (weight.size,) and packed.flags.c_contiguous
    np.testing.assert_array_equal(PACKINGS[name].unpack(packed, shape), weight)


def test_interleave_alternates_columns_and_leaves_the_rest_plain() -> None:
    assert PACKINGS["interleave_2"].pack(WEIGHT).tolist() == [
        0,
        3,
        1,
        4,
        2,
        5,
        6,
        9,
        7,
        10,
        8,
        11,
        12,
        13,
        14,
    ]
    assert PACKINGS["interleave_4"].pack(WEIGHT).tolist() == [
        0,
        3,
        6,
        9,
        1,
        4,
        7,
        10,
        2,
        5,
        8,
        11,
        12,
        13,
        14,
    ]
    assert PACKINGS["interleave_8"].pack(WEIGHT).tolist() == list(range(15))


def test_groups_are_packed_one_after_the_other() -> None:
    two = np.arange(2 * 3 * 2).reshape(2, 3, 2)
    parts = [PACKINGS["interleave_2"].pack(two[group : group + 1]) for group in range(2)]
    np.testing.assert_array_equal(PACKINGS["interleave_2"].pack(two), np.concatenate(parts))


def test_taps_first_transposes() -> None:
    assert PACKINGS["taps_first"].pack(np.arange(6).reshape(2, 1, 3)).tolist() == [0, 3, 1, 4, 2, 5]


def test_kernels_name_packings_that_exist() -> None:
    named = {packing for kernel in list_kernels("c") for packing in kernel.packs.values()}
    assert named <= set(PACKINGS)
