"""How samples are varied: mirrored, moved, with noise, equally for equal seeds."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import raises, single, tensor
from sample_nets import image_net, images, integer_net, same_net, two_inputs

pytest.importorskip("torch")

from s2c.ir import Graph
from s2c.ops import make
from s2c.train.augment import Augment, check_augment
from s2c.train.cutmix import draw_cuts, paste
from s2c.train.data import Samples, make_samples


def moved(net: Graph, names: tuple[str, ...], samples: Samples, seed: int = 0) -> np.ndarray:
    arrays = samples.batch(slice(None))
    augment, source = Augment(net, names, arrays), np.random.default_rng(seed)
    (result,) = augment(arrays, augment.draw(len(arrays[0]), source), source)
    assert result.shape == arrays[0].shape and result.dtype == arrays[0].dtype
    return result


def test_flip_mirrors_some_images() -> None:
    samples = make_samples(image_net(), [images()])
    before = samples.batch(slice(None))[0]
    after = moved(image_net(), ("flip",), samples)
    kept = [(a == b).all() for a, b in zip(before, after, strict=True)]
    mirrored = [(a[:, :, ::-1] == b).all() for a, b in zip(before, after, strict=True)]
    assert all(a != b for a, b in zip(kept, mirrored, strict=True)) and 0 < sum(kept) < len(kept)


def planar_net() -> Graph:
    """The same with channels first."""
    x = tensor("x", 1, 2, 32, 12)
    return single(make("transpose", (x,), "t", perm=(0, 2, 3, 1)), x)


def test_shift_moves_images_whole() -> None:
    """By a sixteenth of their extents, rounded to pixels."""
    x = np.arange(60 * 2 * 32 * 12).reshape(60, 1, 2, 32, 12)
    after = moved(planar_net(), ("shift",), make_samples(planar_net(), [x]))
    offsets = set()
    for a, b in zip(x[:, 0], after[:, 0], strict=True):
        rows, columns = divmod(int(b[0, 16, 6] - a[0, 16, 6] + 12 * 16 + 6), 12)
        offsets.add((rows - 16, columns - 6))
        padded = np.pad(a, ((0, 0), (2, 2), (1, 1)), "edge")
        np.testing.assert_array_equal(b, padded[:, rows - 14 : rows + 18, columns - 5 : columns + 7])
    assert {each[0] for each in offsets} == {-2, -1, 0, 1, 2}
    assert {each[1] for each in offsets} == {-1, 0, 1}


def test_noise_is_in_proportion() -> None:
    samples = make_samples(image_net(), [images(500)])
    before = samples.batch(slice(None))[0]
    difference = moved(image_net(), ("noise",), samples) - before
    assert 0.045 < difference.std() / before.std() < 0.055


def test_equal_seeds_vary_equally() -> None:
    samples = make_samples(image_net(), [images()])
    names = ("noise", "shift", "flip")
    one, other = moved(image_net(), names, samples), moved(image_net(), names[::-1], samples)
    np.testing.assert_array_equal(one, other)
    assert (one != moved(image_net(), names, samples, 1)).any()


def test_refuses_variations() -> None:
    assert raises(lambda: check_augment(same_net(), ("flip", "blur"))) == (
        "--augment: wanted an image [1,height,width,channels], to flip it, found f32[1,4]; leave out flip\n"
        "--augment: wanted one of flip, shift, cutmix, noise, found blur; name some of these, with commas"
    )
    assert raises(lambda: check_augment(integer_net(), ("noise",))) == (
        "--augment: wanted floats, to add noise, found i8[1,4]; leave out noise"
    )
    assert raises(lambda: check_augment(two_inputs(), ("cutmix",))) == (
        "--augment: wanted one input, an image [1,height,width,channels], to mix it with others, "
        "found f32[1,3], f32[1,3]; leave out cutmix"
    )


def test_rectangles_of_others() -> None:
    rows = np.array([3, 5, 6])
    cuts = draw_cuts(4000, rows, (10, 20), np.random.default_rng(0))
    assert set(cuts.other.tolist()) == set(rows.tolist()) and 0.45 < cuts.is_cut.mean() < 0.55
    top, bottom, left, right = cuts.box.T
    assert (top >= 0).all() and (bottom <= 10).all() and (left >= 0).all() and (right <= 20).all()
    areas = (bottom - top) * (right - left) / 200
    assert areas.min() < 0.01 and areas.max() > 0.8 and 0.25 < areas.mean() < 0.5
    again = draw_cuts(4000, rows, (10, 20), np.random.default_rng(0))
    assert (again.box == cuts.box).all() and (again.other == cuts.other).all()


def test_pastes_what_is_in_the_box() -> None:
    for axes in ((2, 3), (1, 2)):
        shape = (2, 1, 6, 8, 3) if axes == (2, 3) else (2, 6, 8, 3)
        images, others = np.zeros(shape, np.uint8), np.ones(shape, np.uint8)
        boxes = np.array([[1, 3, 2, 7], [4, 4, 0, 8]])
        after = paste(images, others, axes, boxes).reshape(2, 6, 8, 3)
        assert after[0].sum() == 2 * 5 * 3 and after[0, 1:3, 2:7].all() and not after[1].any()
        assert not images.any()
