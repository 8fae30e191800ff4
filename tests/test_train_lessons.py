"""What a student is shown: each sample in few variants, of which its teacher is asked once."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trained_nets import classifier, images  # noqa: E402

from s2c.train import lessons as lessons_module  # noqa: E402
from s2c.train.augment import Augment  # noqa: E402
from s2c.train.data import make_samples  # noqa: E402
from s2c.train.lessons import FEWEST, VARIANTS, Lessons  # noqa: E402
from s2c.train.module import GraphModule  # noqa: E402

ROWS = np.array([1, 2, 5, 7])


class Counting(GraphModule):
    """Counts the samples that it is asked for."""

    asked = 0

    def values(self, wanted, *inputs, states=()):  # type: ignore[no-untyped-def]
        self.asked += len(inputs[0])
        return super().values(wanted, *inputs, states=states)


def made(*names: str) -> tuple[Lessons, Counting]:
    graph = classifier(0)
    samples, teacher = make_samples(graph, [images(9)]), Counting(graph).eval()
    augment = Augment(graph, names, samples.batch(slice(None)))
    return Lessons(teacher, samples, augment, 0, 3, False), teacher


def lesson(lessons: Lessons, epoch: int, rows: np.ndarray = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and what the teacher says to them."""
    lessons.begin(epoch, [ROWS[:3], ROWS[3:]], map)
    shown = lessons.shown(rows, np.random.default_rng(epoch))
    (taught,) = lessons.taught(rows, shown)
    return shown[0].numpy(), taught.numpy()


@pytest.mark.parametrize("names", [(), ("flip",), ("flip", "shift", "noise"), ("shift", "cutmix")])
def test_the_teacher_says_it_to_what_is_shown(names: tuple[str, ...]) -> None:
    lessons, teacher = made(*names)
    for epoch in (0, 1, VARIANTS, VARIANTS + 1):
        shown, taught = lesson(lessons, epoch, np.flip(ROWS).copy())
        (wanted,) = lessons_module.ask(teacher, [torch.from_numpy(shown)])
        np.testing.assert_allclose(taught, wanted.numpy(), 1e-5, 1e-6)


def test_asks_once_for_each_variant() -> None:
    lessons, teacher = made("flip", "shift")
    first = [lesson(lessons, epoch) for epoch in range(VARIANTS)]
    assert teacher.asked == VARIANTS * len(ROWS)
    for epoch, (shown, taught) in enumerate(first):
        again = lesson(lessons, VARIANTS + epoch)
        assert (shown == again[0]).all() and (taught == again[1]).all()
    assert teacher.asked == VARIANTS * len(ROWS)
    ways = 2 ** len(ROWS)  # images of 4 by 5 pixels are too small to move
    assert len({shown.tobytes() for shown, _ in first}) == ways


def test_what_is_not_varied_is_asked_for_once() -> None:
    lessons, teacher = made()
    for epoch in range(3):
        shown, _ = lesson(lessons, epoch)
        assert (shown[:, 0] == images(9)[ROWS]).all()
    assert teacher.asked == len(ROWS)


def test_asks_each_time_where_answers_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise is new in each epoch; so is all that would take too much memory."""
    monkeypatch.setattr(lessons_module, "MOST_KNOWN", 9 * 3 * FEWEST - 1)
    for names in (("flip", "noise"), ("flip", "shift")):
        lessons, teacher = made(*names)
        shown = [lesson(lessons, epoch)[0] for epoch in (0, VARIANTS, 0)]
        assert teacher.asked == 3 * len(ROWS)
        assert (shown[0] != shown[1]).any() and (shown[0] == shown[2]).all()


def test_keeps_as_many_variants_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons_module, "MOST_KNOWN", 9 * 3 * 20 + 1)
    lessons, teacher = made("flip", "shift")
    for epoch in range(45):
        lesson(lessons, epoch)
    assert teacher.asked == 20 * len(ROWS)


def test_half_of_the_images_get_a_rectangle_of_another() -> None:
    lessons, _ = made("cutmix")
    counts = []
    for epoch in range(VARIANTS):
        shown, _ = lesson(lessons, epoch)
        whole = lessons.are_whole(ROWS)
        assert whole is not None
        for image, row, is_whole in zip(shown[:, 0], ROWS, whole.tolist(), strict=True):
            own = image == images(9)[row]
            other = image == images(9)[lessons.cuts.other[row]]
            assert own.all() if is_whole else (own | other).all()
        counts.append(int(whole.sum()))
        assert set(lessons.cuts.other.tolist()) <= set(ROWS.tolist())
    assert 0.3 < sum(counts) / (VARIANTS * len(ROWS)) < 0.7
    assert made("flip")[0].are_whole(ROWS) is None
