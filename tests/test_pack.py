"""Packings: each has an inverse, and stores what its kernel reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c.kernel import list_kernels
from s2c.ops.bfloat16 import to_bfloat16
from s2c.pack import PACKINGS

WEIGHT = np.arange(1 * 5 * 3).reshape(1, 5, 3)


# How a weight [groups, columns, depth] leads to the array that is packed, and to the packing's arguments.
def of_weight(weight: np.ndarray, *arguments: int) -> tuple[np.ndarray, tuple[int, ...]]:
    return weight, arguments


def of_taps(weight: np.ndarray, *arguments: int) -> tuple[np.ndarray, tuple[int, ...]]:
    return weight[:, :1], arguments


CASES: Mapping[str, Callable[[np.ndarray], tuple[np.ndarray, tuple[int, ...]]]] = {
    "panels": lambda weight: of_weight(weight, 16),
    "quads": lambda weight: of_weight(weight, 1, 16),
    "quads of three runs": lambda weight: of_weight(np.concatenate([weight] * 3, axis=2), 3, 16),
    "spread": lambda weight: (weight[..., 0].reshape(-1), (*weight.shape[:2], 16)),
    "spread of one": lambda weight: (weight.reshape(-1)[:1], (*weight.shape[:2], 16)),
    "tap_order": lambda weight: (weight[0, :, 0], (weight.shape[1], 64)),
    "tap_order of one": lambda weight: (weight[0, :1, 0], (weight.shape[1], 64)),
    "tap_quads": lambda weight: of_taps(weight.swapaxes(0, 1), weight.shape[2], 64),
    "tap_quads of single taps": lambda weight: of_taps(weight.swapaxes(0, 1), 1, 64),
    "taps_first": of_taps,
}
PLAIN = {"interleave_2", "interleave_4", "interleave_8"}
FLOATS = {"bf16_pairs", "winograd"}


def test_each_packing_has_a_case() -> None:
    assert {name.split()[0] for name in CASES} | PLAIN | FLOATS == set(PACKINGS)


@pytest.mark.parametrize("name", sorted({*CASES, *PLAIN}))
@settings(max_examples=100, deadline=None, derandomize=True)
@given(shape=st.tuples(st.integers(1, 5), st.integers(1, 130), st.integers(1, 9)))
def test_unpack_is_the_inverse(name: str, shape: tuple[int, int, int]) -> None:
    weight = np.random.default_rng(sum(shape)).integers(-128, 128, shape).astype(np.int8)
    array, arguments = CASES.get(name, of_weight)(weight)
    packing = PACKINGS[name.split()[0]]
    packed = packing.pack(array, *arguments)
    assert packed.ndim == 1 and packed.dtype == np.int8 and packed.flags.c_contiguous
    assert packed.size == array.size or name not in PLAIN
    np.testing.assert_array_equal(packing.unpack(packed, array.shape, *arguments), array)


@pytest.mark.parametrize("channels", [1, 5])
def test_unpack_is_the_inverse_but_for_rounding(channels: int) -> None:
    weight = np.random.default_rng(channels).normal(size=(1, 17, 9 * channels)).astype(np.float32)
    packing = PACKINGS["winograd"]
    found = packing.unpack(packing.pack(weight, channels), weight.shape, channels)
    np.testing.assert_allclose(found, weight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("length", [1, 3, 6])
def test_pairs_of_bfloat16_hold_all_of_it(length: int) -> None:
    """Runs of an odd length end with a zero."""
    weight = to_bfloat16(np.random.default_rng(length).normal(size=(2, 17, 6)).astype(np.float32))
    packed = PACKINGS["bf16_pairs"].pack(weight, length)
    assert packed.dtype == np.uint32 and packed.size == 2 * 32 * (6 // length) * ((length + 1) // 2)
    found = PACKINGS["bf16_pairs"].unpack(packed, weight.shape, length)
    np.testing.assert_array_equal(found, weight)


def test_panels_hold_the_columns_of_one_depth_together() -> None:
    assert PACKINGS["panels"].pack(WEIGHT, 2).tolist() == [
        *(0, 3, 1, 4, 2, 5),
        *(6, 9, 7, 10, 8, 11),
        *(12, 0, 13, 0, 14, 0),
    ]


def test_quads_hold_four_inputs_of_a_column_together_behind_what_undoes_128() -> None:
    weight = np.arange(-5, 5, dtype=np.int8).reshape(1, 2, 5)
    packed = PACKINGS["quads"].pack(weight, 1, 2)
    assert packed[:8].view("<i4").tolist() == [-128 * -15, -128 * 10]
    assert packed[8:].tolist() == [-5, -4, -3, -2, 0, 1, 2, 3, -1, 0, 0, 0, 4, 0, 0, 0]


def test_quads_of_runs_are_padded_run_by_run() -> None:
    weight = np.arange(1, 7, dtype=np.int8).reshape(1, 1, 6)
    packed = PACKINGS["quads"].pack(weight, 2, 2)
    assert packed[:8].view("<i4").tolist() == [-128 * 21, 0]
    assert packed[8:].tolist() == [1, 2, 3, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0]


def test_raised_inputs_are_undone() -> None:
    """What the kernels compute: unsigned inputs, raised by 128, times packed weights, and the correction."""
    source = np.random.default_rng(5)
    weight = source.integers(-128, 128, (1, 16, 8)).astype(np.int8)
    x = source.integers(-128, 128, 8)
    packed = PACKINGS["quads"].pack(weight, 1, 16)
    undone, quads = packed[:64].view("<i4"), packed[64:].reshape(2, 16, 4).astype(np.int64)
    found = undone + ((x + 128).reshape(2, 1, 4) * quads).sum((0, 2))
    np.testing.assert_array_equal(found, weight[0].astype(np.int64) @ x)


def test_spread_repeats_one_for_all() -> None:
    assert PACKINGS["spread"].pack(np.array([7], np.int32), 2, 3, 4).tolist() == [7, 7, 7, 0] * 2
    assert PACKINGS["spread"].pack(np.arange(6), 2, 3, 4).tolist() == [0, 1, 2, 0, 3, 4, 5, 0]


def test_tap_order_takes_each_16_values_apart_by_fours() -> None:
    found = PACKINGS["tap_order"].pack(np.arange(64), 64, 64).reshape(4, 16)
    assert found[0].tolist() == [0, 1, 2, 3, 16, 17, 18, 19, 32, 33, 34, 35, 48, 49, 50, 51]
    assert found[3].tolist() == [12, 13, 14, 15, 28, 29, 30, 31, 44, 45, 46, 47, 60, 61, 62, 63]


def test_a_block_holds_as_many_pixels_as_find_room() -> None:
    """Of 24 channels: two, and nothing in the last 16 values; of 40 channels: one."""
    two = PACKINGS["tap_order"].pack(np.arange(1, 25), 24, 64).reshape(4, 4, 4).swapaxes(0, 1).reshape(-1)
    assert two.tolist() == [*range(1, 25), *range(1, 25), *[0] * 16]
    one = PACKINGS["tap_order"].pack(np.arange(1, 41), 40, 64).reshape(4, 4, 4).swapaxes(0, 1).reshape(-1)
    assert one.tolist() == [*range(1, 41), *[0] * 24]


def test_tap_quads_hold_four_taps_of_a_channel_together() -> None:
    weight = np.arange(64 * 6, dtype=np.int64).reshape(64, 1, 6).astype(np.int8)
    packed = PACKINGS["tap_quads"].pack(weight, 3, 64)
    undone, quads = packed[:256].view("<i4"), packed[256:].reshape(2, 64, 4)
    for place, channel in ((0, 0), (4, 16), (16, 4)):
        assert undone[place] == -128 * weight[channel].astype(np.int64).sum()
        for run in range(2):
            assert quads[run, place].tolist() == [*weight[channel, 0, 3 * run : 3 * run + 3], 0]


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
    named = {packing.name for kernel in list_kernels("c") for packing in kernel.packs.values()}
    assert named <= set(PACKINGS)
