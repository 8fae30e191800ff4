"""Scores, and how many samples a net sees at once: what is measured does not depend on it."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import GEOMETRY, floats, relu, seeded, single, tensor
from sample_nets import counter

torch = pytest.importorskip("torch")

from trained_nets import CLASSES, classifier, images, perceptron  # noqa: E402

from s2c import oracle  # noqa: E402
from s2c.ir import Graph  # noqa: E402
from s2c.ops import make  # noqa: E402
from s2c.train import memory, refit  # noqa: E402
from s2c.train import retrain as training_module  # noqa: E402
from s2c.train.confidence import confidences  # noqa: E402
from s2c.train.data import make_samples  # noqa: E402
from s2c.train.judge import Judge  # noqa: E402
from s2c.train.losses import compared_nodes  # noqa: E402
from s2c.train.measure import measure  # noqa: E402
from s2c.train.memory import batch_size, most_alive, sample_count, step_count  # noqa: E402
from s2c.train.module import GraphModule  # noqa: E402
from s2c.train.retrain import Training, retrain  # noqa: E402


def test_compares_logits() -> None:
    net = classifier(0)
    assert [each.op for each in compared_nodes(net)] == ["dense"]
    flat = make("reshape", (net.outputs[0],), "r", shape=(1, 1, CLASSES))
    assert [each.op for each in compared_nodes(single(flat, net.inputs[0]))] == ["dense"]
    assert [each.op for each in compared_nodes(perceptron(0))] == ["dense"]


def test_score_of_a_classifier() -> None:
    net = classifier(0)
    x, y = images(40), np.arange(40) % CLASSES
    found = measure(net, make_samples(net, [x], y))
    shares = np.concatenate([oracle.run(net, each[None])[0] for each in x])
    guesses = shares.argmax(1)
    assert found.predictions is not None and found.certainty is not None
    np.testing.assert_array_equal(found.predictions, guesses)
    np.testing.assert_allclose(found.certainty, shares[np.arange(40), y], 1e-4, 1e-6)
    assert found.kind == "accuracy" and found.value == (guesses == y).mean()
    assert found.total == (14, 13, 13)
    assert found.right == tuple(int(((guesses == y) & (y == each)).sum()) for each in range(CLASSES))


def test_confidence_is_the_softmax_once() -> None:
    """Also where a reshape follows it, or where the net has none."""
    net = classifier(0)
    samples = make_samples(net, [images(40)], np.arange(40) % CLASSES)
    (softmax,) = net.outputs
    flat = single(make("reshape", (softmax,), "flat", shape=(CLASSES,)), *net.inputs)
    logits = single(softmax.inputs[0], *net.inputs)
    wanted = np.concatenate([oracle.run(net, each[None])[0] for each in images(40)])
    for each in (net, flat):
        np.testing.assert_allclose(confidences(each, samples), wanted, 1e-4, 1e-6)
    np.testing.assert_allclose(confidences(logits, samples).sum(1), np.ones(40), 1e-6)
    assert (confidences(logits, samples).argmax(1) == wanted.argmax(1)).all()


def test_score_of_an_autoencoder() -> None:
    net = perceptron(0)
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    wanted = np.mean([np.square(oracle.run(net, each[None])[0] - each).mean() for each in x])
    found = measure(net, make_samples(net, [x], None, "autoencoder"))
    assert found.kind == "error" and found.value == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("task", ["classification", "distillation", "autoencoder"])
def test_scores_of_parts_are_those_of_all(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, other = (perceptron(0), perceptron(1)) if task == "autoencoder" else (classifier(0), classifier(1))
    x = np.random.default_rng(0).normal(size=(45, *net.inputs[0].type.shape)).astype(np.float32)
    samples = make_samples(net, [x], np.arange(45) % CLASSES if task == "classification" else None, task)
    whole = measure(net, samples, other)
    monkeypatch.setattr("s2c.train.measure.BATCH", 7)
    parts = measure(net, samples, other)
    assert parts.value == pytest.approx(whole.value, rel=1e-6)
    assert (parts.kind, parts.right, parts.total) == (whole.kind, whole.right, whole.total)
    if task != "autoencoder":
        np.testing.assert_array_equal(parts.predictions, whole.predictions)
        np.testing.assert_allclose(parts.certainty, whole.certainty, 1e-5)


@pytest.mark.parametrize("task", ["autoencoder", "distillation"])
def test_a_held_part_may_be_judged_in_parts(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, student = perceptron(0), perceptron(1)
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    samples = make_samples(teacher, [x], None, task)
    found = []
    for most in (1 << 20, 4 * 7):
        monkeypatch.setattr(training_module, "MOST_JUDGED", most)
        found.append(retrain(GraphModule(student), teacher, samples, Training(epochs=2)))
    whole, parts = found
    assert parts.start == pytest.approx(whole.start, rel=1e-5)
    for a, b in zip(whole.epochs, parts.epochs, strict=True):
        assert (b.held, b.held_loss) == pytest.approx((a.held, a.held_loss), rel=1e-4)


# memory


def chain(size: int, channels: int) -> Graph:
    """f32[1,size,size,3] through five convolutions of equal size."""
    pick = seeded(0)
    y = x = tensor("x", 1, size, size, 3)
    for index in range(5):
        weight = floats(pick, channels, 1, 1, y.type.shape[-1])
        y = make(
            "conv2d", (y,), f"c{index}", weight=weight, bias=floats(pick, channels), groups=1, **GEOMETRY
        )
    return single(relu(y, "r"), x)


def test_small_nets_see_as_many_as_are_wanted() -> None:
    net = chain(32, 16)
    assert (batch_size(net, 128), sample_count(net, 1024)) == (128, 1024)


def test_counts_what_is_alive() -> None:
    """The largest sum: what a convolution reads, its sums, and the same normalised."""
    image = 8 * 8 * 4
    assert most_alive(chain(8, 4)) == 3 * 4 * image
    x = tensor("x", 1, 8, 8, 1)
    kept = relu(x, "kept")
    total = make("add", (relu(relu(kept, "a"), "b"), kept), "total")
    assert most_alive(single(total, x)) == 4 * image


@pytest.mark.parametrize("most", [1 << 20, 1 << 22])
def test_large_nets_see_as_many_as_memory_allows(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_BYTES", most)
    net = chain(24, 8)
    one = 24 * 24 * 8 * 4
    assert batch_size(net, 128) == most // (2 * (6 * one + 24 * 24 * 3 * 4))
    assert sample_count(net, 1024) == most // (24 * 24 * 3 * 4 + one + 5 * 8 * 64 + 3 * one)
    samples = make_samples(net, [np.random.default_rng(0).normal(size=(80, 24, 24, 3))], None, "distillation")
    judge = Judge(net, samples, 0)
    sizes = [len(each[0]) for each in judge.batches]
    assert sum(sizes) == min(80, sample_count(net, 1024)) and max(sizes) == min(80, batch_size(net, 128))
    assert len(list(judge.gradients())) == len(sizes)


def test_nets_too_large_for_two_samples_see_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_BYTES", 1)
    assert (batch_size(chain(8, 4), 128), sample_count(chain(8, 4), 1024)) == (1, 1)


def test_long_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    """A net with states keeps the values of all steps, and of the samples of a batch."""
    net = counter()
    size = 2 * sum(node.type.bytes for node in net.nodes() if node.op != "constant")
    samples = make_samples(net, [np.zeros((5, 30, *net.inputs[0].type.shape))])
    assert step_count(net, samples) == 30 and step_count(chain(8, 4), samples) == 1
    monkeypatch.setattr(memory, "MOST_BYTES", 90 * size)
    assert (batch_size(net, 128, 30), batch_size(net, 128)) == (3, 90)
    assert not memory.length_problems(net, samples)
    monkeypatch.setattr(memory, "LONGEST_BYTES", 29 * 5 * size)
    (problem,) = memory.length_problems(net, samples)
    assert str(problem) == (
        "x: wanted sequences of at most 29 steps, whose values fit 0 MiB, found 30; "
        "cut them into shorter ones"
    )
    assert not memory.length_problems(net, samples, 4) and not memory.length_problems(net, samples, 64, 1)


def test_patches_are_made_of_as_many_samples_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = {each.layer: each for each in chain(16, 8).nodes()}
    assert refit.chunk_size(nodes["c1"]) == refit.CHUNK
    monkeypatch.setattr(refit, "MOST_BYTES", 5 * refit.POSITIONS * 8 * 4)
    assert refit.chunk_size(nodes["c1"]) == 5
    assert refit.is_refittable(nodes["c1"])
    monkeypatch.setattr(refit, "MOST_DEPTH", 7)
    assert not refit.is_refittable(nodes["c1"]) and refit.is_refittable(nodes["c0"])
