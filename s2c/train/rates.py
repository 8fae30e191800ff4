"""A net to an optimizer whose rates fit the scale of each of its arrays: a net may read 0..255 or -1..1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from s2c import cost
from s2c.ir import Graph
from s2c.quantization.scales import CONTRACTIONS
from s2c.train.module import GraphModule, trained_attrs
from s2c.train.soap import LONGEST, Soap

RATE = 0.03  # how far a weight may move in one step, in parts of its array's root mean square
HIGH_RATE = (
    0.06  # the same in a net of normalised weights, held at their norm, that has lost most of its MACs
)
MOST_LOST = 3  # times as many MACs as it has left
SHORT = 32  # an axis whose directions are always sought
ROWS = 6  # for each entry of an axis whose directions are sought: so these take less than a quarter more time
WARM = 0.05  # the share of training in which the rate rises


def make_optimizer(
    module: GraphModule, batches: Sequence[Sequence[Tensor]], rate: float, samples: int
) -> tuple[torch.optim.Optimizer, list[float]]:
    """One that moves by about its rate whatever the gradient's scale, and the largest rate of each of its
    groups. samples: in a batch."""
    scales = natural_scales(module, batches)
    parameters = dict(module.named_parameters())
    longest = longest_sides(module, samples)
    groups = [{"params": [parameters[name]], "longest": longest.get(name, SHORT)} for name in sorted(scales)]
    return Soap(groups), [rate * scales[name] for name in sorted(scales)]


def longest_sides(module: GraphModule, samples: int) -> dict[str, int]:
    """By name of a contraction's weight: how long an axis may be whose directions are sought. For each entry
    that costs four times its length, training itself three times the rows of a batch."""
    owner = {id(parameter): name for name, parameter in module.named_parameters()}
    rows: Counter[str] = Counter()
    for node in module.order:
        if node.op in CONTRACTIONS and "weight" in trained_attrs(node):
            weight = module.attr(node, "weight")
            rows[owner[id(weight)]] += samples * node.type.size // len(weight)
    return {name: max(SHORT, min(LONGEST, count // ROWS)) for name, count in rows.items()}


def default_rate(module: GraphModule, teacher: Graph) -> float:
    """What is left of a net that was pruned hard has far to go; a net near its teacher would be led away."""
    is_far = MOST_LOST * cost.macs(module.graph) < cost.macs(teacher)
    return HIGH_RATE if module.norms and is_far else RATE


def rate_share(share: float) -> float:
    """Of the largest rate: rises, then falls as a cosine to nothing."""
    if share < WARM:
        return max(share, WARM / 100) / WARM
    return (1 + math.cos(math.pi * (share - WARM) / (1 - WARM))) / 2


def natural_scales(module: GraphModule, batches: Sequence[Sequence[Tensor]]) -> dict[str, float]:
    """By parameter: its root mean square; for what is added to sums, how far these vary."""
    owner = {id(parameter): name for name, parameter in module.named_parameters()}
    found: dict[str, float] = {}
    contractions = [node for node in module.order if node.op in CONTRACTIONS]
    moments = {} if module.graph.states else module.moments(contractions, batches)
    for node in module.order:
        norm = module.norm(node)
        for attr in trained_attrs(node):
            value = module.attr(node, attr)
            scale = root_mean_square(value)
            if attr == "bias" and node in moments:
                scale = math.sqrt(float(moments[node][1].mean()))
            elif attr in ("bias", "shift"):
                scale = max(
                    scale, root_mean_square(module.attr(node, "weight" if attr == "bias" else "scale"))
                )
            found.setdefault(owner[id(value)], scale)
        if norm is not None:
            scale = root_mean_square(norm.scale)
            found[owner[id(norm.scale)]] = found[owner[id(norm.shift)]] = scale
            del found[owner[id(module.attr(node, "bias"))]]  # the norm's shift stands for it
    return found


def root_mean_square(value: Tensor) -> float:
    return math.sqrt(float(value.detach().double().square().mean()))
