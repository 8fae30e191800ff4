"""What taking channels away costs, before any training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from channel_nets import Builder  # noqa: E402

import s2c.adapt.shrink  # noqa: E402, F401 (its name in s2c.adapt is a function's)
from s2c.adapt import prepare  # noqa: E402
from s2c.adapt.recipe import make_recipe  # noqa: E402
from s2c.adapt.shrink import Choice  # noqa: E402
from s2c.adapt.work import Job, load_work  # noqa: E402
from s2c.channels import find_channels  # noqa: E402
from s2c.driver import load_source, make_request  # noqa: E402
from s2c.ir import Graph, Type, input_node  # noqa: E402
from s2c.progress import say_nothing  # noqa: E402
from s2c.readers.graph_file import write_graph  # noqa: E402
from s2c.train.retrain import fixed  # noqa: E402


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """As adapt works on it. Of a net with three groups of channels, and 300 samples."""
    source = np.random.default_rng(0)
    b, x = Builder(source), input_node("x", Type((1, 6, 6, 3), "f32"))
    y = b.relu(b.conv(b.relu(b.conv(b.relu(b.conv(x, 16)), 32)), 16))
    write_graph(tmp_path / "net.s2c", Graph((x,), (b.conv(y, 3),)))
    np.savez(tmp_path / "train.npz", x=source.normal(size=(300, 6, 6, 3)).astype(np.float32))
    request = make_request(tmp_path / "net.s2c", "host", "net")
    recipe = make_recipe(request, data=tmp_path / "train.npz", macs=0.5)
    original = prepare(load_source(recipe.request))
    with fixed():
        yield Job(recipe, original, load_work(recipe, original), None, say_nothing, {}, 0.0)


def test_sensitivities_are_the_same_whatever_the_threads(job: Job) -> None:
    channels = find_channels(job.original)
    choices = [Choice(replace(job, threads=threads), channels) for threads in (1, 3)]
    one, three = (each.losses for each in choices)
    assert one == three
    assert [len(each) for each in one] == [len(each) for each in choices[0].ladders]
    assert len(one) == 3 and min(map(len, one)) > 3


def test_sensitivities_are_losses_of_one_group_smaller(job: Job) -> None:
    choice = Choice(replace(job, threads=2), find_channels(job.original))
    assert choice.judge is not None
    for index, (ladder, losses) in enumerate(zip(choice.ladders, choice.losses, strict=True)):
        assert losses[0] == 0 < min(losses[1:])
        for count, loss in zip(ladder[1:], losses[1:], strict=True):
            counts = [*choice.most]
            counts[index] = count
            assert loss == choice.judge.loss(choice.pruned(tuple(counts)))
