"""How many units of each channel group to keep: the same share of all, or what a budget of MACs leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from s2c.channels import Channels, Group

Counts = tuple[int, ...]  # kept units, by group
LEAST_SHARE = 1 / 8  # of a group; what is below saves little and costs much
MOST_OFF = 1 / 8  # of a group, that rounding may keep more or fewer
LEVELS = 8  # of a group, at most, that sensitivity is measured at
PARTS = 4  # of the lanes: groups of few channels keep whole ones of these


def channels_per_unit(group: Group) -> int:
    """The widest number of a producer's outputs that go with one unit: 1, or a head's channels."""
    widths = [int(np.count_nonzero(each.unit >= 0)) // group.units for each in group.slices if each.makes]
    return max(widths, default=1) or 1


def granularity(group: Group, wanted: float, lanes: int) -> int:
    """The largest number of units, a power of two parts of the target's lanes, that is at most `wanted`."""
    step = max(1, lanes // channels_per_unit(group))
    while step > max(wanted, 1.0):
        step //= 2
    return step


def keep_count(group: Group, width: float, lanes: int) -> int:
    """The share `width` of a group's units, rounded to whole lanes where there are as many, and to parts of
    them where that would be far off; at least one."""
    if width == 1:
        return int(group.units)
    wanted = group.units * width
    step = granularity(group, wanted, lanes)
    finest = max(1, lanes // PARTS)
    while step > finest and abs(rounded(wanted, step) - wanted) > group.units * MOST_OFF:
        step //= 2
    return int(min(group.units, rounded(wanted, step)))


def rounded(wanted: float, step: int) -> int:
    return max(step, int(wanted / step + 0.5) * step)


def levels(group: Group, lanes: int) -> tuple[int, ...]:
    """Kept counts to choose from, the whole group first."""
    step = granularity(group, group.units / 2, lanes)
    least = max(1, int(group.units * LEAST_SHARE))
    finest = max(1, lanes // PARTS)
    while step > finest and group.units // step < LEVELS:
        step //= 2
    counts = list(range(int(group.units - 1) // step * step, least - 1, -step))
    stride = max(1, -(-len(counts) // LEVELS))
    return (int(group.units), *counts[stride - 1 :: stride])


def kept_units(channels: Channels, counts: Counts, scores: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The highest scores of each group, as prune_channels takes them; ties keep the first."""
    keep = {}
    for index, count in enumerate(counts):
        if count < channels.groups[index].units:
            best = np.argsort(-scores[index], kind="stable")[:count]
            keep[index] = np.sort(best)
    return keep


def spend(
    ladders: Sequence[Sequence[int]],
    losses: Sequence[Sequence[float]],
    cost: Callable[[Counts], float],
    budget: float,
) -> Counts | None:
    """The counts that a greedy descent reaches with cost at most `budget`; None where the least are too many.

    ladders: levels of each group; losses: what each level alone costs in accuracy, the first being 0. Each
    step takes the group that loses least for what it saves, loss being made to rise with each level first.
    What the last step saved too much is given back where that helps most.
    """
    rising = [np.maximum.accumulate(each) for each in losses]
    at = [0] * len(ladders)

    def counts(places: Sequence[int]) -> Counts:
        return tuple(ladder[place] for ladder, place in zip(ladders, places, strict=True))

    now = cost(counts(at))
    while now > budget:
        choices = []
        for index, ladder in enumerate(ladders):
            if at[index] + 1 < len(ladder):
                lower = [place + (other == index) for other, place in enumerate(at)]
                saved = now - cost(counts(lower))
                lost = rising[index][at[index] + 1] - rising[index][at[index]]
                if saved > 0:
                    choices.append((float(lost) / saved, index))
        if not choices:
            return None
        at[min(choices)[1]] += 1
        now = cost(counts(at))
    return counts(give_back(at, rising, lambda places: cost(counts(places)) <= budget))


def give_back(
    at: list[int], losses: Sequence[np.ndarray], fits: Callable[[Sequence[int]], bool]
) -> list[int]:
    """Raises groups again, the most helpful first, as long as the budget holds."""
    while True:
        choices = []
        for index, place in enumerate(at):
            if place > 0:
                higher = [each - (other == index) for other, each in enumerate(at)]
                if fits(higher):
                    choices.append((float(losses[index][place] - losses[index][place - 1]), -index, higher))
        if not choices:
            return at
        at = max(choices)[2]
