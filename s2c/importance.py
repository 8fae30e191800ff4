"""importance: how much each unit of each channel group matters to the net."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from s2c.channels import PRODUCERS, Channels, Group, Slice
from s2c.ir import Node

METHODS = ("l1", "l2", "batchnorm", "taylor", "contribution", "reconstruction")
# These ask what the layers that read a unit lose, the others what makes it.
OF_READERS = ("contribution", "reconstruction")
NO_GRADIENTS: Mapping[int, np.ndarray] = MappingProxyType({})
NO_ORDERS: Mapping[int, np.ndarray] = MappingProxyType({})
NO_SPREAD: Mapping[Node, np.ndarray] = MappingProxyType({})


def importance(
    channels: Channels,
    method: str,
    gradients: Mapping[int, np.ndarray] = NO_GRADIENTS,
    deviations: Mapping[Node, np.ndarray] = NO_SPREAD,
    variances: Mapping[Node, np.ndarray] = NO_SPREAD,
    orders: Mapping[int, np.ndarray] = NO_ORDERS,
) -> dict[int, np.ndarray]:
    """A score of each unit, float64 [units], by group; only scores of one group compare with each other.

    l1, l2: norm of the weights that make a unit. batchnorm: the factors |scale| of normalisation (Liu et al.,
    Network Slimming, 2017), or where they are folded into weights, deviations: the standard deviation of what
    a node gives, by channel of its last axis. taylor: the sum of (gradient * weight)**2 over the weights and
    biases that make a unit (Molchanov et al., Importance Estimation for Neural Network Pruning, 2019, eq. 8);
    gradients have the shape of the array whose id is their key. contribution: of each layer that reads a
    unit, the share of what it sums that varies with the unit, as if channels varied independently: variances,
    of a node's input by channel, times its squared weights; of a unit that no weights read, the share of the
    variance of what makes it. reconstruction: `orders` by group, and contribution for groups that it lacks.
    """
    assert method in METHODS, method
    if method in OF_READERS:
        groups = enumerate(channels.groups)
        found = {index: contribution(group, deviations, variances) for index, group in groups}
        return found | {index: each.astype(np.float64) for index, each in orders.items()}
    if method == "batchnorm":
        return {index: spread(group, deviations) for index, group in enumerate(channels.groups)}
    return {index: weighed(group, method, gradients) for index, group in enumerate(channels.groups)}


def weighed(group: Group, method: str, gradients: Mapping[int, np.ndarray]) -> np.ndarray:
    """Steps of an unrolled layer have one weight, which counts once."""
    total = np.zeros(group.units)
    seen = set()
    for each in group.slices:
        weight = each.node.attrs[each.attr]
        wanted = each.attr in PRODUCERS or (method == "taylor" and each.attr == "bias")
        if each.makes and wanted and id(weight) not in seen:
            seen.add(id(weight))
            total += by_unit(each, entries(each, weight, method, gradients), group.units)
    return np.sqrt(total) if method == "l2" else total


def entries(each: Slice, weight: np.ndarray, method: str, gradients: Mapping[int, np.ndarray]) -> np.ndarray:
    """What the entries along the slice's axis count."""
    wide = weight.astype(np.float64)
    if method == "l1":
        values = np.abs(wide)
    elif method == "l2":
        values = wide**2
    else:
        values = (wide * gradients[id(weight)]) ** 2
    return np.asarray(np.moveaxis(values, each.axis, 0).reshape(len(each.unit), -1).sum(axis=1))


def spread(group: Group, deviations: Mapping[Node, np.ndarray]) -> np.ndarray:
    total = np.zeros(group.units)
    for each in group.slices:
        if not each.makes:
            continue
        if each.attr in PRODUCERS and each.node in deviations:
            total += by_unit(each, np.abs(deviations[each.node].astype(np.float64)), group.units)
        elif each.node.op == "batchnorm" and each.attr == "scale":
            total += by_unit(each, np.abs(each.node.attrs["scale"].astype(np.float64)), group.units)
    return total


def contribution(
    group: Group, deviations: Mapping[Node, np.ndarray], variances: Mapping[Node, np.ndarray]
) -> np.ndarray:
    """Of a group, by unit; where nothing that is measured tells its units apart, by their weights."""
    found: dict[int, list[np.ndarray]] = {}
    for each in filter(is_read, group.slices):
        shared = found.setdefault(id(each.node.attrs["weight"]), [])
        shared.append(read_shares(each, variances[each.node], group.units))
    total = np.sum([np.mean(each, axis=0) for each in found.values()], axis=0)
    score = total if found else shares(spread(group, deviations) ** 2)
    return score if score.any() else weighed(group, "l2", NO_GRADIENTS)


def is_read(each: Slice) -> bool:
    """By weights that sum over channels."""
    return each.attr == "weight" and not each.makes


def read_shares(each: Slice, variance: np.ndarray, units: int) -> np.ndarray:
    """Of what a layer sums over all of its inputs, by unit. Each group of a grouped convolution reads
    channels of its own."""
    weight = each.node.attrs["weight"].astype(np.float64)
    channels = weight.shape[-1]
    squares = (weight**2).reshape(len(variance) // channels, -1, channels).sum(axis=1)
    return by_unit(each, shares((squares * variance.reshape(-1, channels)).sum(axis=0)), units)


def shares(values: np.ndarray) -> np.ndarray:
    """Of their sum; all 0 where that is 0."""
    total = values.sum()
    return values / total if total > 0 else np.zeros_like(values)


def by_unit(each: Slice, values: np.ndarray, units: int) -> np.ndarray:
    """Sums of values, one for each entry of a slice, over the entries of each unit."""
    inside = each.unit >= 0
    return np.bincount(each.unit[inside], values[inside], units)
