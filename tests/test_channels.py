"""find_channels: which channels go together and which have to stay, and how importance scores them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from channel_nets import IMAGE, NETS, Builder, on

from s2c.channels import Channels, find_channels
from s2c.channels.labels import FIRST, STAYS, UNKNOWN, Labels, blocks, reshaped
from s2c.importance import importance
from s2c.ir import Graph, Node


@pytest.mark.parametrize("name", NETS)
def test_finds_the_groups(name: str) -> None:
    found = find_channels(NETS[name].graph())
    assert tuple(group.units for group in found.groups) == NETS[name].units


@pytest.mark.parametrize("name", NETS)
def test_slices_cover_their_units(name: str) -> None:
    """Each slice fits its array, and has entries of every unit, as many of each."""
    for group in find_channels(NETS[name].graph()).groups:
        for each in group.slices:
            assert each.unit.shape == (each.node.attrs[each.attr].shape[each.axis],)
            counts = np.bincount(each.unit[each.unit >= 0], minlength=group.units)
            assert len(counts) == group.units and counts.min() == counts.max() > 0


def slices_of(channels: Channels, index: int) -> list[tuple[str, str, int, list[int], bool]]:
    return [
        (each.node.layer, each.attr, each.axis, each.unit.tolist(), each.makes)
        for each in channels.groups[index].slices
    ]


def test_slices_of_a_residual_net() -> None:
    found = find_channels(NETS["residual"].graph())
    eight = list(range(8))
    assert found.groups[0].name == "layer 1"
    assert found.groups[0].layers == ("layer 1", "layer 5")
    assert slices_of(found, 0) == [
        ("layer 1", "weight", 0, eight, True),
        ("layer 1", "bias", 0, eight, True),
        ("layer 3", "weight", 3, eight, False),
        ("layer 5", "weight", 0, eight, True),
        ("layer 5", "bias", 0, eight, True),
        ("layer 8", "weight", 3, eight, False),
    ]


def test_slices_of_grouped_convolutions() -> None:
    """Each group of the convolution keeps as many channels."""
    found = find_channels(NETS["grouped"].graph())
    assert slices_of(found, 0)[0] == ("layer 1", "weight", 0, [0, 1, 2, 3, 0, 1, 2, 3], True)
    assert slices_of(found, 0)[-1] == ("layer 2", "weight", 3, [0, 1, 2, 3], False)


def test_slices_of_joined_channels() -> None:
    found = find_channels(NETS["joined"].graph())
    first, second = [0, 1, 2, 3] + [-1] * 9, [-1] * 7 + [0, 1, 2, 3, 4, 5]
    assert [slices_of(found, index)[-1] for index in range(2)] == [
        ("layer 4", "weight", 3, first, False),
        ("layer 4", "weight", 3, second, False),
    ]


def test_slices_of_flattened_channels() -> None:
    found = find_channels(NETS["channels_first"].graph())
    assert slices_of(found, 0)[-1] == ("layer 4", "weight", 1, [each // 20 for each in range(120)], False)
    found = find_channels(NETS["flattened"].graph())
    assert slices_of(found, 0)[-1] == ("layer 3", "weight", 1, [each % 6 for each in range(120)], False)


def test_slices_of_heads() -> None:
    """A unit is a head: two of the query's and three of the value's channels."""
    found = find_channels(NETS["attention"].graph())
    parts = slices_of(found, 0)
    assert ("layer 1", "weight", 0, [0, 0, 1, 1, 2, 2, 3, 3], True) in parts
    assert parts[-1][2:] == (1, [each // 3 for each in range(12)], False)


def test_slices_of_constants_and_states() -> None:
    found = find_channels(NETS["delayed"].graph())
    assert ("before", "value", 1, [0, 1, 2, 3, 4, 5], True) in slices_of(found, 0)
    found = find_channels(NETS["embedding"].graph())
    assert ("layer 1", "table", 1, list(range(8)), True) in slices_of(found, 0)
    assert ("layer 2", "value", 1, list(range(8)), True) in slices_of(found, 0)


def test_labels_unite_to_the_least() -> None:
    labels = Labels()
    made = labels.fresh(6)
    assert made[0] == FIRST
    labels.unite(made[:3], made[3:])
    labels.unite(made[3:4], made[1:2])
    assert labels.roots(made).tolist() == [2, 2, 4, 2, 2, 4]
    labels.unite(made[5:], STAYS)
    assert labels.roots(made).tolist() == [2, 2, 0, 2, 2, 0]
    labels.unite(made, UNKNOWN)
    assert labels.roots(made).tolist() == [2, 2, 0, 2, 2, 0]


def test_labels_that_differ_along_two_axes() -> None:
    """The axis with most units wins; of equal ones the last."""
    labels = Labels()
    wide = labels.straighten(labels.fresh(15).reshape(5, 3))
    assert wide.shape == (5, 1)
    square = labels.straighten(labels.fresh(9).reshape(3, 3))
    assert square.shape == (1, 3)


def test_blocks_of_a_reshape() -> None:
    assert blocks((1, 6, 4), (6, 2, 2)) == [([0, 1], [0]), ([2], [1, 2])]
    assert blocks((2, 3, 1), (3, 2)) == [([0, 1], [0, 1]), ([2], [])]
    assert blocks((), (1, 1)) == [([], [0]), ([], [1])]


def test_reshape_keeps_labels_small() -> None:
    labels = np.arange(6).reshape(1, 1, 1, 6)
    assert reshaped(labels, (1, 4, 5, 6), (20, 2, 3)).tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert reshaped(labels, (1, 4, 5, 6), (120,)).tolist() == list(range(6)) * 20


def large_net(b: Builder, x: Node) -> Node:
    """As MobileNetV2: 17 blocks on images of 224 x 224."""
    x = b.conv(x, 32, 3)
    for index in range(17):
        width = (16, 24, 32, 64, 96, 160, 320)[index * 7 // 17]
        wide = b.relu(b.conv(x, 6 * x.type.shape[-1]))
        y = b.conv(b.relu(b.conv(wide, wide.type.shape[-1], 3, wide.type.shape[-1])), width)
        x = b.op("add", x, y) if x.type.shape == y.type.shape else y
    return b.dense(b.mean(b.conv(x, 1280), 1, 2), 1000)


def test_large_nets_take_seconds() -> None:
    graph = on(1, 224, 224, 3)(large_net)(Builder(np.random.default_rng(0)))
    start = time.perf_counter()
    found = find_channels(graph)
    assert time.perf_counter() - start < 3.0
    assert len(found.groups) == 17 + 8 + 1


# importance


@on(*IMAGE)
def two_layers(b: Builder, x: Node) -> Node:
    y = b.op("batchnorm", b.relu(b.conv(x, 3)), scale=np.float32([1, -2, 0]), shift=b.array(3))
    return b.conv(y, 2)


def small() -> tuple[Graph, Channels, Node]:
    graph = two_layers(Builder(np.random.default_rng(0)))
    first = graph.nodes()[1]
    first.attrs["weight"][...] = np.float32([[1, -2, 2], [0, 3, 0], [-1, 0, 1]]).reshape(3, 1, 1, 3)
    first.attrs["bias"][...] = np.float32([1, 10, 100])
    return graph, find_channels(graph), first


@pytest.mark.parametrize(("method", "wanted"), [("l1", [5, 3, 2]), ("l2", [3, 3, 2**0.5])])
def test_importance_of_weights(method: str, wanted: list[float]) -> None:
    _, channels, _ = small()
    assert importance(channels, method)[0] == pytest.approx(wanted)


def test_importance_of_deviations() -> None:
    _, channels, first = small()
    assert importance(channels, "batchnorm")[0].tolist() == [1, 2, 0]
    found = importance(channels, "batchnorm", deviations={first: np.array([0.5, 0.25, 4.0])})
    assert found[0].tolist() == [1.5, 2.25, 4.0]


def test_importance_of_gradients() -> None:
    _, channels, first = small()
    gradients = {id(first.attrs[name]): np.zeros_like(first.attrs[name]) for name in ("weight", "bias")}
    gradients[id(first.attrs["weight"])][:] = [[[1, 2, 3]]]
    gradients[id(first.attrs["bias"])][2] = 0.5
    assert importance(channels, "taylor", gradients)[0].tolist() == [1 + 16 + 36, 36, 1 + 9 + 2500]


def test_importance_of_what_readers_sum() -> None:
    """Squared weights 1, 5, 16 and 4, 0, 0 of the two outputs, for variances 4, 1, 0."""
    graph, channels, _ = small()
    last = graph.outputs[0]
    last.attrs["weight"][...] = np.float32([[1, 2, 4], [2, 1, 0]]).reshape(2, 1, 1, 3)
    variances = {last: np.array([4.0, 1.0, 0.0])}
    assert importance(channels, "contribution", variances=variances)[0].tolist() == [20 / 25, 5 / 25, 0]
    still = importance(channels, "contribution", variances={last: np.zeros(3)})
    assert still[0] == pytest.approx(importance(channels, "l2")[0])


def ones_read(channels: Channels) -> dict[int, np.ndarray]:
    """Contributions where every input varies alike."""
    nodes = [each for each in channels.graph.nodes() if each.op in ("conv2d", "dense")]
    read = {node: np.ones(node.inputs[0].type.shape[-1]) for node in nodes}
    return importance(channels, "contribution", variances=read)


def test_importance_is_of_all_that_a_layer_sums() -> None:
    """Of two groups with the input between them, side by side."""
    channels = find_channels(NETS["joined"].graph())
    weight = channels.graph.outputs[0].attrs["weight"].astype(np.float64)
    wanted = np.square(weight).reshape(-1, 13).sum(axis=0) / np.square(weight).sum()
    found = ones_read(channels)
    assert found[0] == pytest.approx(wanted[:4]) and found[1] == pytest.approx(wanted[7:])


def test_importance_counts_steps_that_read_once() -> None:
    """Two steps of one layer, and the last."""
    channels = find_channels(NETS["shared"].graph())
    weights = {
        id(each.attrs["weight"]): each.attrs["weight"]
        for each in channels.graph.nodes()[1:]
        if each.op == "dense" and each.inputs[0].op != "input"
    }
    squares = [np.square(each.astype(np.float64)).sum(axis=0) for each in weights.values()]
    assert len(squares) == 2
    assert ones_read(channels)[0] == pytest.approx(sum(each / each.sum() for each in squares))


def test_importance_of_what_a_grouped_convolution_reads() -> None:
    """Each group of it reads four channels, the first and the fifth of one unit."""
    graph = NETS["grouped"].graph()
    channels = find_channels(graph)
    nodes = [each for each in graph.nodes() if each.op == "conv2d"]
    variances = {node: np.zeros(node.inputs[0].type.shape[-1]) for node in nodes}
    last = next(each.node for each in channels.groups[0].slices if not each.makes)
    variances[last][[0, 4, 5]] = 1.0, 2.0, 3.0
    squares = last.attrs["weight"].astype(np.float64).reshape(2, -1, 4) ** 2
    wanted = np.array([squares[0, :, 0].sum() + 2 * squares[1, :, 0].sum(), 3 * squares[1, :, 1].sum(), 0, 0])
    found = importance(channels, "contribution", variances=variances)[0]
    assert found == pytest.approx(wanted / wanted.sum())


def test_importance_of_what_no_weights_read() -> None:
    """Queries and keys of a head: what of their variance is a channel's."""
    channels = find_channels(NETS["one_head"].graph())
    nodes = [each for each in channels.graph.nodes() if each.op == "dense"]
    made = {node: np.arange(node.type.shape[-1]) for node in nodes}
    read = {node: np.ones(node.inputs[0].type.shape[-1]) for node in nodes}
    found = importance(channels, "contribution", deviations=made, variances=read)
    assert found[0] == pytest.approx(np.arange(6) ** 2 / 55)


def test_importance_of_coupled_layers_adds_up() -> None:
    channels = find_channels(NETS["attention"].graph())
    nodes = [node for node in channels.graph.nodes() if node.op == "dense"]
    wanted = sum(
        np.abs(node.attrs["weight"]).reshape(4, -1).sum(axis=1, dtype=np.float64) for node in nodes[:3]
    )
    assert importance(channels, "l1")[0] == pytest.approx(wanted)


def test_importance_counts_a_shared_weight_once() -> None:
    """Two steps of a layer."""
    channels = find_channels(NETS["shared"].graph())
    nodes = [node for node in channels.graph.nodes() if node.op == "dense"]
    wanted = sum(np.abs(node.attrs["weight"]).sum(axis=1, dtype=np.float64) for node in nodes[:2])
    assert importance(channels, "l1")[0] == pytest.approx(wanted)
