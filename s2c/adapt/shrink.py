"""Which channels a budget leaves: scores of units on data, counts by group, the search for a program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from s2c import cost
from s2c.adapt.programs import measure_program
from s2c.adapt.recipe import Recipe
from s2c.adapt.work import Job, Say, Work
from s2c.budget import Counts, keep_count, kept_units, levels, spend
from s2c.channels import Channels, find_channels
from s2c.errors import CompileError, error
from s2c.importance import importance
from s2c.ir import Graph
from s2c.passes.prune_channels import Pruned, prune_channels

if TYPE_CHECKING:
    from s2c.train.judge import Judge

MOST_BUILDS = 8  # programs that the search for a latency or a number of instructions measures


def shrink(job: Job) -> tuple[Pruned, Judge | None]:
    """The original within the recipe's budget, untrained; and who judged it, where there are data."""
    recipe, original, report = job.recipe, job.original, job.report
    channels = find_channels(original)
    if not any(group.units > 1 for group in channels.groups):
        wanted = "channels that can be taken away"
        found = "none: every channel reaches an output or an op that needs all of them"
        raise error(recipe.request.name, wanted, found, "compile it without a budget")
    judge = make_judge(recipe, original, job.work)
    scores = score_units(recipe, channels, judge)
    job.say("choosing channels")
    counts = choose_counts(recipe, channels, scores, judge, job.say)
    pruned = prune_channels(channels, kept_units(channels, counts, scores))
    report["groups"] = [
        {"name": group.name, "layers": list(group.layers), "before": group.units, "after": count}
        for group, count in zip(channels.groups, counts, strict=True)
    ]
    report["macs"]["pruned"] = cost.macs(pruned.graph)
    report["parameters"]["pruned"] = cost.parameters(pruned.graph.nodes())
    return pruned, judge


def make_judge(recipe: Recipe, original: Graph, work: Work) -> Judge | None:
    """Of a part of the training data; None where there is none, or the net keeps states."""
    if work.train is None or original.states:
        return None
    from s2c.train.judge import Judge

    return Judge(original, work.train, recipe.seed)


def score_units(recipe: Recipe, channels: Channels, judge: Judge | None) -> dict[int, np.ndarray]:
    """Without data, by the weights alone."""
    if judge is None:
        return importance(
            channels, "l2" if recipe.importance in ("taylor", "batchnorm") else recipe.importance
        )
    if recipe.importance != "taylor":
        return importance(channels, recipe.importance, deviations=judge.deviations())
    found = [importance(channels, "taylor", each) for each in judge.gradients()]
    return {index: np.mean([each[index] for each in found], axis=0) for index in found[0]}


def choose_counts(
    recipe: Recipe,
    channels: Channels,
    scores: Mapping[int, np.ndarray],
    judge: Judge | None,
    say: Say,
) -> Counts:
    assert recipe.budget is not None
    kind, value = recipe.budget
    lanes = recipe.request.target.lanes
    if kind == "width":
        return tuple(keep_count(group, value, lanes) for group in channels.groups)
    if judge is None:
        wanted, do = f"data to spend --{kind} where it costs least", "give --data, or --width"
        raise error("--data", wanted, "none" if not channels.graph.states else "a net with states", do)
    ladders = [levels(group, lanes) for group in channels.groups]
    losses = sensitivities(channels, ladders, scores, judge, say)
    full = cost.macs(channels.graph)

    def cost_of(counts: Counts) -> float:
        return channels.macs(kept_units(channels, counts, scores))

    def counts_within(budget: float) -> Counts | None:
        return spend(ladders, losses, cost_of, budget)

    if kind == "macs":
        budget = value * full if value <= 1 else value
        found = counts_within(budget)
        least = cost_of(tuple(ladder[-1] for ladder in ladders))
        if found is None:
            raise unreachable("--macs", f"{budget:.0f} MACs", f"{least:.0f} with the least channels")
        return found
    return search_programs(recipe, channels, scores, counts_within, cost_of, ladders, say)


def unreachable(flag: str, wanted: str, least: str) -> CompileError:
    return error(flag, wanted, least, "allow more, or start from a smaller net")


def sensitivities(
    channels: Channels,
    ladders: list[tuple[int, ...]],
    scores: Mapping[int, np.ndarray],
    judge: Judge,
    say: Say,
) -> list[list[float]]:
    """The loss on data of each level of each group alone."""
    full = [group.units for group in channels.groups]
    result = []
    for index, ladder in enumerate(ladders):
        say(f"sensitivity {index + 1}/{len(ladders)}: {channels.groups[index].name}")
        row = [0.0]
        for count in ladder[1:]:
            counts = tuple(count if other == index else units for other, units in enumerate(full))
            row.append(judge.loss(prune_channels(channels, kept_units(channels, counts, scores))))
        result.append(row)
    return result


def search_programs(
    recipe: Recipe,
    channels: Channels,
    scores: Mapping[int, np.ndarray],
    counts_within: Callable[[float], Counts | None],
    cost_of: Callable[[Counts], float],
    ladders: list[tuple[int, ...]],
    say: Say,
) -> Counts:
    """The most MACs whose program, built and run on the target, keeps the budget: by halving the interval."""
    assert recipe.budget is not None
    kind, value = recipe.budget
    full = tuple(group.units for group in channels.groups)
    smallest = tuple(ladder[-1] for ladder in ladders)

    def measured(counts: Counts) -> float:
        say(f"building for {recipe.request.target.name}: {cost_of(counts) / 1e6:.3g} million MACs")
        pruned = prune_channels(channels, kept_units(channels, counts, scores)).graph
        return measure_program(recipe, pruned)

    if measured(full) <= value:
        return full
    least = measured(smallest)
    if least > value:
        unit = "us" if kind == "latency" else "instructions"
        raise unreachable(f"--{kind}", f"{value:g} {unit}", f"{least:g} {unit} with the least channels")
    low, high, best = cost_of(smallest), cost_of(full), smallest
    for _ in range(MOST_BUILDS):
        middle = math.sqrt(low * high)
        counts = counts_within(middle)
        if counts is None or counts == best:
            break
        if measured(counts) <= value:
            best, low = counts, middle
        else:
            high = middle
    return best
