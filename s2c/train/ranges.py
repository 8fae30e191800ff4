"""Which Quant each tensor gets, and factors between layers: what measures best on calibration data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from s2c.ir import Graph, Node, Quant
from s2c.quantization.equalize import Pair, equalize, find_factors, find_pairs
from s2c.quantization.ranges import METHODS, Seen, candidates
from s2c.quantization.scales import Layout, allowed, fixed_quant
from s2c.quantization.scheme import Scheme
from s2c.train.calibration import Batch, RoundedModule, answers, channel_extremes, noise_db, observe
from s2c.train.noise import roundings

BETTER = 0.05  # dB: what a rewrite has to bring


def equalize_net(graph: Graph, seen: Sequence[Batch], measured: Sequence[Batch]) -> Graph:
    """Each pair of contractions evened out where its tensor and weights in int8 are better for it."""
    pairs = find_pairs(graph)
    module, wanted = reference(graph, measured)
    largest = channel_extremes(module, [each.consumer.inputs[0] for each in pairs], seen)
    kept = []
    for pair in pairs:
        factors = find_factors(pair, largest[pair.consumer.inputs[0]])
        tensors = (pair.producer, *pair.between)
        before = pair_db(graph, tensors, pair.consumer, measured, wanted)
        evened, new = equalize(graph, pair, factors)
        after = pair_db(evened, [new[each] for each in tensors], new[pair.consumer], measured, wanted)
        if after > before + BETTER:
            kept.append((pair, factors))
    for index, (pair, factors) in enumerate(kept):
        graph, new = equalize(graph, pair, factors)
        kept[index + 1 :] = [(moved(each, new), rest) for each, rest in kept[index + 1 :]]
    return graph


def moved(pair: Pair, new: Mapping[Node, Node]) -> Pair:
    return Pair(new[pair.producer], tuple(new[each] for each in pair.between), new[pair.consumer])


def pair_db(
    graph: Graph,
    tensors: Sequence[Node],
    consumer: Node,
    measured: Sequence[Batch],
    wanted: Sequence[Tensor],
) -> float:
    """What is left of the outputs when what one layer gives and the next one's weights are rounded."""
    module = RoundedModule(graph)
    spreads = observe(module, tensors, measured)
    quant = candidates([spreads[tensors[-1]]])["min-max"]
    module.tensors = dict.fromkeys(tensors[-1:], quant)
    module.layers = {consumer: quant}
    return noise_db(wanted, answers(module, measured))


def choose_ranges(
    graph: Graph, layout: Layout, seen: Sequence[Batch], measured: Sequence[Batch], float_io: bool
) -> Scheme:
    """For each group of tensors the method that leaves most of the outputs when nothing else is rounded; then
    one method for all of them where this is better together."""
    module, wanted = reference(graph, measured)
    spreads = observe(module, stored_nodes(layout), seen)
    options = [group_options(each, layout, spreads) for each in range(len(layout.groups))]
    best = [
        best_method(module, group, found, measured, wanted) if len(found) > 1 else next(iter(found))
        for group, found in zip(layout.groups, options, strict=True)
    ]
    mixes = [best, *([name if name in found else next(iter(found)) for found in options] for name in METHODS)]
    schemes = [joined(graph, layout, options, each, float_io) for each in mixes]
    scores = []
    for each in schemes:
        module.tensors, module.layers = roundings(each)
        scores.append(noise_db(wanted, answers(module, measured)))
    return schemes[int(np.argmax(scores))]


def group_options(index: int, layout: Layout, spreads: Mapping[Node, Seen]) -> dict[str, Quant]:
    """What a group's Quant could be, by method."""
    fixed = fixed_quant(layout.groups[index])
    return {"fixed": fixed} if fixed else candidates([spreads[each] for each in layout.measured[index]])


def best_method(
    module: RoundedModule,
    group: tuple[Node, ...],
    found: Mapping[str, Quant],
    measured: Sequence[Batch],
    wanted: Sequence[Tensor],
) -> str:
    scores = {}
    for name, quant in found.items():
        module.tensors = dict.fromkeys(group, quant)
        scores[name] = noise_db(wanted, answers(module, measured))
    return max(scores, key=lambda name: scores[name])


def joined(
    graph: Graph,
    layout: Layout,
    options: Sequence[Mapping[str, Quant]],
    names: Sequence[str],
    float_io: bool,
) -> Scheme:
    quants: dict[Node, Quant] = {}
    methods: dict[Node, str] = {}
    for group, found, name in zip(layout.groups, options, names, strict=True):
        quants |= dict.fromkeys(group, found[name])
        methods |= dict.fromkeys(group, name)
    return Scheme(graph, layout, allowed(layout, quants), methods, float_io)


def stored_nodes(layout: Layout) -> list[Node]:
    return [node for group in layout.groups for node in group]


def reference(graph: Graph, measured: Sequence[Batch]) -> tuple[RoundedModule, list[Tensor]]:
    """A module that rounds nothing yet, with what it answers."""
    module = RoundedModule(graph)
    return module, answers(module, measured)
