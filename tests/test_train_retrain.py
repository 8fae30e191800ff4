"""Training: it brings back what was lost, equally for equal seeds, and goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from graphs import raises, relu, tensor

torch = pytest.importorskip("torch")

from trained_nets import CLASSES, classifier, dense, detector, images, perceptron  # noqa: E402

from s2c import oracle  # noqa: E402
from s2c.ir import Graph, Node, State, state_node  # noqa: E402
from s2c.ops import make  # noqa: E402
from s2c.train import retrain as training_module  # noqa: E402
from s2c.train.confidence import confidences  # noqa: E402
from s2c.train.data import Samples, make_samples  # noqa: E402
from s2c.train.held import MOST_HELD, split  # noqa: E402
from s2c.train.lessons import mixed  # noqa: E402
from s2c.train.losses import Loss  # noqa: E402
from s2c.train.measure import measure  # noqa: E402
from s2c.train.module import GraphModule  # noqa: E402
from s2c.train.norm import Norm  # noqa: E402
from s2c.train.parts import PART, Part, add_up, parts_of_batch  # noqa: E402
from s2c.train.rates import HIGH_RATE, RATE, default_rate, natural_scales, rate_share  # noqa: E402
from s2c.train.retrain import Progress, Training, retrain, samples_in_batch  # noqa: E402

SHORT = Training(epochs=4, batch=32, rate=0.03)


def recurrent(seed: int) -> Graph:
    """Leaks what it kept, adds what it reads."""
    source = np.random.default_rng(seed)
    x = tensor("x", 1, 3)
    state = state_node(np.zeros((1, 5), np.float32), "state")
    total = make("add", (dense(x, 5, source, "a"), dense(state, 5, source, "b")), "sum")
    kept = relu(total, "kept")
    return Graph((x,), (dense(kept, 2, source, "c"),), states=(State(state, kept),))


def labelled(teacher: Graph, count: int = 320, scale: float = 1.0) -> Samples:
    x = images(count)
    y = np.array([int(oracle.run(teacher, each[None])[0].argmax()) for each in x])
    return make_samples(teacher, [x * np.float32(scale)], y)


def disturbed(graph: Graph, seed: int = 1, amount: float = 0.5) -> Graph:
    """Every array of the net, with noise of its own size."""
    source = np.random.default_rng(seed)

    def rule(node: Node, _: object) -> Node | None:
        arrays = {key: value for key, value in node.attrs.items() if isinstance(value, np.ndarray)}
        if not arrays or node.op == "state":
            return None
        noise = {key: amount * value.std() * source.normal(size=value.shape) for key, value in arrays.items()}
        return node.with_attrs(
            **{key: (arrays[key] + each).astype(np.float32) for key, each in noise.items()}
        )

    return graph.rewrite(rule)


def arrays_of(graph: Graph) -> list[np.ndarray]:
    return [
        value
        for node in graph.nodes()
        for _, value in sorted(node.attrs.items())
        if isinstance(value, np.ndarray)
    ]


def same(a: Graph, b: Graph) -> bool:
    pairs = zip(arrays_of(a), arrays_of(b), strict=True)
    return all(one.tobytes() == other.tobytes() for one, other in pairs)


def trained(
    student: Graph,
    teacher: Graph,
    samples: Samples,
    training: Training = SHORT,
    checkpoint: Path | None = None,
    progress: Callable[[Progress], None] = lambda step: None,
) -> tuple[Graph, training_module.History]:
    module = GraphModule(student)
    history = retrain(module, teacher, samples, training, checkpoint, progress)
    assert not module.training
    return module.to_graph(), history


# it learns


@pytest.mark.parametrize("augment", [(), ("flip", "shift", "noise"), ("cutmix",)])
def test_comes_back_to_its_teacher(augment: tuple[str, ...]) -> None:
    teacher = classifier(0)
    student = disturbed(teacher)
    samples = make_samples(teacher, [images(1000)])
    test = make_samples(teacher, [images(400, 1)])
    before = measure(student, test, teacher)
    graph, history = trained(student, teacher, samples, replace(SHORT, epochs=8, augment=augment))
    after = measure(graph, test, teacher)
    assert before.kind == after.kind == history.kind == "agreement"
    assert before.value < 0.8 and after.value > 0.92, (before.value, after.value)
    assert history.epochs[history.best - 1].held_loss == min(each.held_loss for each in history.epochs)
    assert history.epochs[-1].loss < history.epochs[0].loss / 2


def test_learns_labels_that_the_teacher_does_not_know() -> None:
    teacher, other = classifier(0), classifier(5)
    x = images(640)
    y = np.array([int(oracle.run(other, each[None])[0].argmax()) for each in x])
    samples = make_samples(teacher, [x], y)
    before = measure(teacher, samples)
    graph, history = trained(teacher, teacher, samples, replace(SHORT, epochs=8))
    assert history.kind == "accuracy"
    assert measure(graph, samples).value > before.value + 0.1


def test_two_classes_of_one_output() -> None:
    """A detector learns labels of 0 and 1 that it did not know, and its accuracy is what the oracle gives."""
    teacher = detector(0)
    x = images(320)
    y = (x.reshape(320, -1) @ np.random.default_rng(3).normal(size=72) > 0).astype(np.uint8)
    samples = make_samples(teacher, [x], y)
    before = measure(teacher, samples)
    graph, history = trained(teacher, teacher, samples, replace(SHORT, epochs=8))
    after = measure(graph, samples)
    shares = np.array([oracle.run(graph, each[None])[0].item() for each in x])
    assert history.kind == before.kind == after.kind == "accuracy"
    assert after.value == ((shares > 0.5) == y).mean() > before.value + 0.2
    assert after.predictions is not None and (after.predictions == (shares > 0.5)).all()
    assert after.total == (int((y == 0).sum()), int(y.sum()))
    certain = np.where(y == 1, shares, 1 - shares)
    assert after.certainty is not None
    np.testing.assert_allclose(after.certainty, certain, 1e-4, 1e-6)
    np.testing.assert_allclose(confidences(graph, samples)[np.arange(320), y], certain, 1e-4, 1e-6)


def test_targets_of_a_softmax_are_shares() -> None:
    """Not the logits that are compared with the teacher's."""
    teacher = classifier(0)
    x = images(320)
    wanted = np.concatenate([oracle.run(classifier(1), each[None])[0] for each in x])
    samples = make_samples(teacher, [x], wanted)
    assert samples.task == "regression"
    given = np.concatenate([oracle.run(teacher, each[None])[0] for each in x])
    before = measure(teacher, samples)
    assert before.value == pytest.approx(float(np.square(given - wanted).mean()), rel=1e-4)
    graph, _ = trained(teacher, teacher, samples, replace(SHORT, epochs=8))
    assert measure(graph, samples).value < 0.6 * before.value


@pytest.mark.parametrize("task", ["autoencoder", "regression", "distillation"])
def test_errors_shrink(task: str) -> None:
    teacher = perceptron(0)
    x = np.random.default_rng(0).normal(size=(640, 4)).astype(np.float32)
    y = np.tanh(x[:, ::-1] * 2) if task == "regression" else None
    samples = make_samples(teacher, [x], y, task)
    student = disturbed(teacher)
    graph, history = trained(student, teacher, samples, replace(SHORT, epochs=10))
    before, after = (measure(each, samples, teacher) for each in (student, graph))
    assert history.kind == before.kind == "error"
    assert after.value < before.value * (0.1 if task == "distillation" else 0.7)


def test_nets_with_states() -> None:
    teacher = recurrent(0)
    student = disturbed(teacher)
    x = np.random.default_rng(0).normal(size=(200, 6, 3))
    samples = make_samples(teacher, [x])
    graph, _ = trained(student, teacher, samples, replace(SHORT, epochs=10))
    before, after = (measure(each, samples, teacher) for each in (student, graph))
    assert after.value < before.value / 5
    calls = [(x[0, step][None].astype(np.float32),) for step in range(6)]
    wanted = np.concatenate([each[0] for each in oracle.run_sequence(teacher, calls)])
    found = np.concatenate([each[0] for each in oracle.run_sequence(student, calls)])
    one = make_samples(teacher, [x[:1]])
    assert measure(student, one, teacher).value == pytest.approx(np.square(wanted - found).mean(), rel=1e-4)


def test_scale_of_the_inputs_does_not_matter() -> None:
    scores = []
    for scale in (1.0, 255.0, 1 / 255):
        teacher = classifier(0, scale)
        samples = make_samples(teacher, [images(640) * np.float32(scale)])
        graph, _ = trained(disturbed(teacher), teacher, samples)
        scores.append(measure(graph, samples, teacher).value)
    assert max(scores) - min(scores) < 0.03 and min(scores) > 0.8, scores


def test_rounds() -> None:
    """What a round leaves is what the next one starts from, as in gradual pruning."""
    teacher = classifier(0)
    samples = make_samples(teacher, [images(640)])
    first, one = trained(disturbed(teacher), teacher, samples)
    _, two = trained(first, teacher, samples)
    assert abs(two.start - one.epochs[one.best - 1].held) < 0.03
    assert min(each.held_loss for each in two.epochs) <= min(each.held_loss for each in one.epochs)


def test_few_samples() -> None:
    teacher = classifier(0)
    for count in (1, 2, 9, 11):
        graph, history = trained(disturbed(teacher), teacher, make_samples(teacher, [images(count)]))
        assert np.isfinite(history.epochs[-1].loss)
        assert all(np.isfinite(each).all() for each in arrays_of(graph))


def test_leaves_the_best_state_and_stops() -> None:
    """A net that is its own teacher cannot become better."""
    teacher = classifier(0)
    samples = make_samples(teacher, [images(64)])
    graph, history = trained(teacher, teacher, samples, replace(SHORT, epochs=40))
    assert history.best == 0 and history.start == 1 and len(history.epochs) == 30
    for a, b in zip(arrays_of(teacher), arrays_of(graph), strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)


# equal seeds, interruptions


def test_equal_seeds_give_equal_bytes() -> None:
    teacher = classifier(0)
    samples = labelled(teacher)
    training = replace(SHORT, augment=("flip", "noise"))
    one, history = trained(disturbed(teacher), teacher, samples, training)
    again, same_history = trained(disturbed(teacher), teacher, samples, training)
    other, _ = trained(disturbed(teacher), teacher, samples, replace(training, seed=1))
    assert same(one, again) and history == same_history and not same(one, other)


@pytest.mark.parametrize("is_rough", [False, True])
@pytest.mark.parametrize("augment", [("flip", "cutmix"), ("flip", "noise")])
def test_threads_change_nothing_but_time(
    augment: tuple[str, ...], is_rough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of three parts."""
    monkeypatch.setattr(training_module, "may_be_rough", lambda net, loss: is_rough)
    teacher = classifier(0)
    samples = labelled(teacher, 440)
    training = replace(SHORT, epochs=2, batch=2 * PART + 20, augment=augment)
    assert len(parts_of_batch(np.arange(396 // 3))) == 3
    one, history = trained(disturbed(teacher), teacher, samples, training)
    for threads in (2, 5):
        again, same_history = trained(
            disturbed(teacher), teacher, samples, replace(training, threads=threads)
        )
        assert same(one, again) and history == same_history


def test_threads_share_no_cache_of_weights() -> None:
    """The first to leave would empty it under the others, and their weights would be rounded anew."""
    with mixed(True):
        assert not torch.is_autocast_cache_enabled()


def test_parts_add_up() -> None:
    """Without normalisation the gradient of a batch is that of all its samples at once."""
    x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    weight = torch.ones(3, requires_grad=True)
    loss = torch.tanh(x @ weight).mean()
    loss.backward()
    wanted, weight.grad = weight.grad.clone(), None
    found = []
    for rows in np.array_split(np.arange(100), 3):
        part = torch.tanh(x[rows] @ weight).mean()
        found.append(Part(len(rows) / 100, float(part.detach()), torch.autograd.grad(part, [weight]), {}))
    spare = torch.ones(2, requires_grad=True)
    found = [replace(each, slopes=(*each.slopes, None)) for each in found]
    assert add_up(found, [weight, spare]) == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(weight.grad, wanted)
    assert spare.grad is None


def test_moments_of_parts_count_by_their_samples() -> None:
    norm = Norm(torch.zeros(2), torch.ones(2), torch.ones(2), torch.zeros(2))
    moments = [(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])), (torch.full((2,), 5.0), torch.zeros(2))]
    add_up(
        [Part(share, 0.0, (), {norm: each}) for share, each in zip((0.75, 0.25), moments, strict=True)], []
    )
    torch.testing.assert_close(norm.mean, 0.1 * torch.tensor([2.0, 2.75]))
    torch.testing.assert_close(norm.variance, 0.9 + 0.1 * torch.tensor([2.25, 3.0]))


def test_labels_are_of_whole_images_only() -> None:
    """Labels that the net cannot know of teach nothing of an image with a rectangle of another."""
    (output,) = classifier(0).outputs
    loss = Loss("classification", output, (True,), (1.0,), 1.0)
    found, taught = torch.randn(6, 3), torch.randn(6, 3)
    targets = torch.tensor([0, 1, 2, 0, 1, 2])
    whole = torch.tensor([True, False, True, False, False, True])
    wrong = torch.where(whole, targets, (targets + 1) % 3)
    assert torch.equal(loss([found], [taught], targets, whole), loss([found], [taught], wrong, whole))
    assert not torch.equal(loss([found], [taught], targets), loss([found], [taught], wrong))
    assert torch.equal(loss([found], [taught], targets, ~whole & whole), loss([found], [taught], None))


def test_settings_of_torch_stay() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    trained(classifier(0), classifier(0), labelled(classifier(0), 20), replace(SHORT, epochs=1))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


class Stop(Exception):
    pass


def stop_at(epoch: int, batch: int) -> Callable[[Progress], None]:
    def hear(step: Progress) -> None:
        if (step.epoch, step.batch) == (epoch, batch):
            raise Stop

    return hear


@pytest.mark.parametrize("place", [(1, 2), (2, 1), (4, 9)])
def test_resumes_as_if_nothing_had_been(place: tuple[int, int], tmp_path: Path) -> None:
    teacher = classifier(0)
    samples, path = labelled(teacher), tmp_path / "checkpoint"
    training = replace(SHORT, augment=("flip",))
    whole, history = trained(disturbed(teacher), teacher, samples, training)
    with pytest.raises(Stop):
        trained(disturbed(teacher), teacher, samples, training, path, stop_at(*place))
    assert path.exists() == (place[0] > 1)
    resumed, same_history = trained(disturbed(teacher), teacher, samples, training, path)
    assert same(whole, resumed) and history == same_history and history.before == 0
    assert (same_history.before > 0) == (place[0] > 1)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    again, _ = trained(
        disturbed(teacher), teacher, samples, training, path, lambda step: pytest.fail("trains")
    )
    assert same(whole, again)


def test_refuses_foreign_checkpoints(tmp_path: Path) -> None:
    teacher, path = classifier(0), tmp_path / "checkpoint"
    samples, student = labelled(teacher), disturbed(teacher)
    trained(student, teacher, samples, SHORT, path)
    message = (
        f"{path}: wanted a checkpoint of this model, data and flags, found one of others; "
        "delete it to start anew, or name another file"
    )
    fewer = samples.part(slice(0, 310))
    assert samples.targets is not None
    relabelled = replace(samples, targets=(samples.targets + 1) % CLASSES)
    cases = [
        (student, teacher, fewer, SHORT),
        (student, teacher, relabelled, SHORT),
        (disturbed(teacher, 2), teacher, samples, SHORT),
        (student, disturbed(teacher), samples, SHORT),
        (student, teacher, samples, replace(SHORT, seed=1)),
    ]
    for case in cases:
        assert raises(lambda case=case: trained(*case, path)) == message
    for content in (b"", b"nonsense", path.read_bytes()[:-100]):
        path.write_bytes(content)
        assert raises(lambda: trained(student, teacher, samples, SHORT, path)) == (
            f"{path}: wanted a checkpoint, found a file that cannot be read as one; "
            "delete it to start anew, or name another file"
        )


@pytest.mark.parametrize("content", [b"nonsense", None])
def test_anew_passes_over_foreign_checkpoints(content: bytes | None, tmp_path: Path) -> None:
    teacher, path = classifier(0), tmp_path / "checkpoint"
    samples, student = labelled(teacher, 40), disturbed(teacher)
    flags = replace(SHORT, epochs=2)
    wanted, history = trained(student, teacher, samples, flags)
    if content is None:
        trained(student, teacher, samples, replace(flags, seed=1), path)
    else:
        path.write_bytes(content)
    module = GraphModule(student)
    assert retrain(module, teacher, samples, flags, path, anew=True) == history
    assert same(module.to_graph(), wanted)
    resumed, _ = trained(student, teacher, samples, flags, path, lambda step: pytest.fail("trains"))
    assert same(resumed, wanted)


def test_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "checkpoint"
    net = classifier(0)
    assert raises(lambda: trained(net, net, labelled(net, 20), SHORT, path)) == (
        f"{path}: wanted a checkpoint to write, found No such file or directory; "
        "free some space or choose another folder"
    )


# time and progress


def test_hears_of_each_batch() -> None:
    teacher = classifier(0)
    steps: list[Progress] = []
    trained(disturbed(teacher), teacher, labelled(teacher, 100), SHORT, None, steps.append)
    assert [(each.epoch, each.batch) for each in steps] == [(a, b) for a in range(1, 5) for b in range(1, 4)]
    assert all(each.epochs == 4 and each.batches == 3 and each.held is not None for each in steps)
    np.testing.assert_allclose([each.share for each in steps], np.arange(1, 13) / 12)


def test_minutes_are_an_upper_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which each look takes a second."""
    teacher = classifier(0)
    now = [0.0]

    def tick() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr(training_module.time, "monotonic", tick)
    steps: list[Progress] = []
    training = replace(SHORT, epochs=1000, minutes=1.0)
    trained(disturbed(teacher), teacher, labelled(teacher), training, None, steps.append)
    assert 40 < now[0] < 70 and steps[-1].share > 0.9 and len(steps) > 20


def test_trains_where_preparation_takes_all_minutes() -> None:
    teacher = classifier(0)
    student, steps = disturbed(teacher), list[Progress]()
    training = replace(SHORT, minutes=1e-9)
    graph, history = trained(student, teacher, labelled(teacher), training, None, steps.append)
    assert len(history.epochs) == len(steps) == 1 and np.isfinite(history.epochs[0].loss)
    assert history.best == 1 and not same(student, graph)


def test_rate_rises_and_falls() -> None:
    shares = [rate_share(each) for each in np.linspace(0, 1, 101)]
    peak = int(np.argmax(shares))
    assert shares[peak] == 1 and 0 < shares[0] < 0.05 and shares[-1] < 1e-6 and 3 <= peak <= 10
    assert shares[:peak] == sorted(shares[:peak]) and shares[peak:] == sorted(shares[peak:], reverse=True)


def test_every_parameter_has_a_scale() -> None:
    module = GraphModule(classifier(0))
    batches = [[torch.from_numpy(images(50)[:, None])]]
    weights = {name for name, _ in module.named_parameters()}
    assert set(natural_scales(module, batches)) == weights
    module.normalise(batches)
    found = natural_scales(module, batches)
    assert len(found) == len(weights) + 1 and all(each > 0 for each in found.values())


def test_divergence_is_an_error() -> None:
    net = classifier(0)
    samples = labelled(net)
    assert raises(lambda: trained(net, net, samples, replace(SHORT, rate=1e30))) == (
        "training: wanted a finite loss, found nan in epoch 1 at a rate of 1e+30; "
        "look for extreme inputs or targets"
    )


def test_a_branch_without_weights_stays_dead() -> None:
    """Weights of zero have no norm that they could be held at."""
    net = classifier(0)

    def branched(node: Node, _: object) -> Node | None:
        if node.layer != "c":
            return None
        dead = node.with_attrs(weight=np.zeros_like(node.attrs["weight"]))
        return make("add", (node, replace(dead, layer="dead")), "sum")

    graph, history = trained(net.rewrite(branched), net, labelled(net))
    assert all(np.isfinite(each.loss) for each in history.epochs)
    (weight,) = (node.attrs["weight"] for node in graph.nodes() if node.layer == "dead")
    assert not weight.any()


def test_holds_back_the_same_share_of_each_class() -> None:
    net = classifier(0)
    y = np.repeat([0, 1, 2], [200, 80, 20])
    samples = make_samples(net, [images(300)], y)
    held, rest = split(samples, 0)
    assert sorted([*held, *rest]) == list(range(300))
    assert np.bincount(y[held]).tolist() == [20, 8, 2]
    assert (held != split(samples, 1)[0]).any() and (held == split(samples, 0)[0]).all()


def test_holds_back_no_more_than_it_takes_to_choose() -> None:
    for count in (MOST_HELD * 10 - 7, MOST_HELD * 10, MOST_HELD * 10 + 1, MOST_HELD * 13 + 5):
        held, rest = split(Samples((np.zeros((count, 1)),), None, "distillation", ()), 0)
        assert 0.9 * MOST_HELD < len(held) <= MOST_HELD and len(held) + len(rest) == count


def test_what_is_left_of_a_net_is_trained_at_a_higher_rate() -> None:
    """Where its normalised weights bear it; a net near its teacher keeps the usual rate."""
    teacher = classifier(0)
    module = GraphModule(teacher)
    module.normalise([[torch.from_numpy(images(8)[:, None])]])
    source = np.random.default_rng(0)
    x = tensor("x", 1, 3)
    larger = Graph((x,), (dense(x, 1 << 20, source, "a"),))
    assert module.norms
    assert default_rate(module, teacher) == RATE
    assert default_rate(module, larger) == HIGH_RATE
    assert default_rate(GraphModule(teacher), larger) == RATE


def test_many_samples_make_large_batches() -> None:
    assert [samples_in_batch(Training(), count) for count in (50, 9_999, 10_000)] == [64, 64, 128]
    assert samples_in_batch(Training(batch=7), 10_000) == 7
