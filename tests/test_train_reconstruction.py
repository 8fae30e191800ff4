"""Which units a layer does without, by least squares that numpy solves anew for each choice."""

from __future__ import annotations

import numpy as np
import pytest
from channel_nets import NETS, Builder

from s2c import oracle
from s2c.channels import find_channels
from s2c.importance import is_read
from s2c.ir import Graph, Type, input_node
from s2c.passes.prune_channels import prune_channels

torch = pytest.importorskip("torch")

from s2c.train import refit  # noqa: E402
from s2c.train.data import make_samples  # noqa: E402
from s2c.train.judge import Judge  # noqa: E402
from s2c.train.reconstruction import STEPS, columns_of, elimination_order  # noqa: E402
from s2c.train.refit import Scatter  # noqa: E402


def scatter_of(rows: np.ndarray) -> Scatter:
    found = Scatter(rows.shape[1])
    for part in np.array_split(rows, 3):
        found.add(torch.from_numpy(part))
    return found


def order_of(rows: np.ndarray, weight: np.ndarray, columns: np.ndarray) -> np.ndarray:
    found = scatter_of(rows).ridged()
    assert found is not None
    return elimination_order(weight, torch.linalg.inv(found[0]), columns)


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
    order = order_of(rows, weight, columns)
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
    order = order_of(rows, weight, np.arange(4)[:, None])
    assert order.tolist() in ([0, 1, 2, 3], [3, 1, 2, 0])


def test_of_equals_the_first_stay() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 4))
    assert order_of(rows, np.zeros((2, 4), np.float32), np.arange(4)[:, None]).tolist() == [3, 2, 1, 0]


def test_inputs_that_do_not_vary() -> None:
    """But for rounding: 0.1 is no binary number."""
    assert scatter_of(np.full((16_384, 4), np.float32(0.1)).astype(float)).ridged() is None


@pytest.mark.parametrize("outputs", [2, 200])
def test_many_units_leave_in_few_steps(outputs: int) -> None:
    """Two of large weights tell the same: one leaves early, the other, which then counts twice, last."""
    source = np.random.default_rng(0)
    units = 2 * STEPS + 1
    rows = source.normal(size=(3 * units, units))
    weight = source.normal(size=(outputs, units)).astype(np.float32)
    rows[:, 1], weight[:, :2] = rows[:, 0], 2.5
    order = order_of(rows, weight, np.arange(units)[:, None])
    assert sorted(order) == list(range(units))
    assert min(order[:2]) < 8 and max(order[:2]) == units - 1


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


def judge_of(net: str, count: int) -> tuple[Judge, np.ndarray]:
    """Of a net of one input, on so many samples."""
    graph = NETS[net].graph()
    data = np.random.default_rng(0).normal(size=(count, *graph.inputs[0].type.shape[1:]))
    return Judge(graph, make_samples(graph, [data], None, "distillation"), 0), data.astype(np.float32)


def test_what_a_judge_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all positions of a convolution with padding."""
    monkeypatch.setattr(refit, "POSITIONS", 20)
    judge, data = judge_of("residual", 40)
    reader = next(node for node in judge.nodes if node.inputs[0].op == "relu")
    before = Graph(judge.original.graph.inputs, reader.inputs)
    seen = np.concatenate([oracle.run(before, each[None])[0] for each in data])
    channels = seen.shape[-1]
    assert judge.variances()[reader] == pytest.approx(seen.reshape(-1, channels).var(axis=0), rel=1e-4)
    rows = patches_of(np.pad(seen, ((0, 0), (1, 1), (1, 1), (0, 0))), 3)
    found = judge.scatter(reader)
    assert found.count == len(rows)
    assert found.square.numpy() == pytest.approx(rows.T @ rows, rel=1e-4)
    assert found.total.numpy() == pytest.approx(rows.sum(axis=0), rel=1e-4)


def patches_of(images: np.ndarray, size: int) -> np.ndarray:
    """[samples * positions, size * size * channels]"""
    windows = np.lib.stride_tricks.sliding_window_view(images.astype(np.float64), (size, size), axis=(1, 2))
    return np.moveaxis(windows, 3, -1).reshape(-1, size * size * images.shape[-1])


@pytest.mark.parametrize(
    ("net", "count", "wanted"),
    [("residual", 30, [None, 6]), ("chain", 30, [None]), ("chain", 70, [8]), ("shared", 70, [None])],
)
def test_groups_that_have_an_order(net: str, count: int, wanted: list[int | None]) -> None:
    """What one layer reads that is fitted anew: not a residual sum, nor what steps of a layer read; what the
    last layer reads, where there are samples enough."""
    judge, _ = judge_of(net, count)
    groups = find_channels(judge.original.graph).groups
    orders = [judge.elimination_order(each) for each in groups]
    assert [None if each is None else len(each) for each in orders] == wanted


def test_the_last_layer_is_fitted() -> None:
    """A unit goes that does the same as another: nothing is lost."""
    graph = NETS["chain"].graph()
    first, last = (each for each in graph.nodes() if each.op == "dense")
    for name in ("weight", "bias"):
        first.attrs[name][3] = first.attrs[name][2]
    data = np.random.default_rng(0).normal(size=(100, 6))
    judge = Judge(graph, make_samples(graph, [data], None, "distillation"), 0)
    channels = find_channels(graph)
    order = judge.elimination_order(channels.groups[0])
    assert order is not None and np.argmin(order) in (2, 3)
    without = [prune_channels(channels, {0: np.delete(np.arange(8), unit)}) for unit in (0, 3)]
    assert judge.loss(without[1]) < 1e-4 < judge.loss(without[0])
    fitted = judge.corrected(without[1]).to_graph().outputs[0].attrs["weight"]
    assert fitted[:, 2] == pytest.approx(last.attrs["weight"][:, 2:4].sum(axis=1), rel=0.02)


def test_a_bias_that_layers_share_stays() -> None:
    """Else fitting one of two last layers would shift the other."""
    x = input_node("x", Type((1, 6), "f32"))
    b = Builder(np.random.default_rng(0))
    bias = np.zeros(3, np.float32)
    hidden = b.relu(b.dense(x, 8))
    graph = Graph((x,), tuple(b.dense(hidden, 3, bias=bias) for _ in range(2)))
    samples = make_samples(graph, [np.random.default_rng(0).normal(size=(100, 6))], None, "distillation")
    judge = Judge(graph, samples, 0)
    assert not any(judge.is_fitted(each) for each in graph.outputs)
    assert judge.is_fitted(graph.outputs[0].inputs[0].inputs[0])
