"""One net pruned at once, or in several steps with training between them: equal MACs and equal epochs.

Each step keeps the same share of the MACs that are left. MACs, and accuracy before and after the last
training, on training images held back: nothing is chosen by the test images.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
from peers import WORK, Run, make_recipe
from recognisers import start
from resnets import NETS

from s2c import cost
from s2c.adapt import prepare
from s2c.adapt.recipe import DEFAULT_METHOD, Recipe
from s2c.adapt.shrink import shrink
from s2c.adapt.work import Job, load_work
from s2c.driver import load_source
from s2c.progress import say_nothing
from s2c.train.retrain import History, Training, fixed, retrain


@dataclass(frozen=True)
class Found:
    """macs: share of the original's; before, after: accuracy, shares; minutes: of all of it."""

    macs: float
    before: float
    after: float
    minutes: float


def prune(recipe: Recipe, share: float, epochs: list[int], threads: int) -> Found:
    """epochs: of the training after each step. The original teaches in all of them."""
    began = time.monotonic()
    graph = original = prepare(load_source(recipe.request))
    work = load_work(recipe, original)
    assert work.train is not None
    history: History | None = None
    for step, count in enumerate(epochs, 1):
        limit = cost.macs(original) * share ** (step / len(epochs))
        report: dict[str, dict[str, int]] = {"macs": {}, "parameters": {}}
        asked = replace(recipe, budget=("macs", limit))
        job = Job(asked, graph, work, None, say_nothing, report, began, threads)
        with fixed():
            pruned, judge = shrink(job)
            assert judge is not None
            module = judge.corrected(pruned)
        training = Training(count, seed=recipe.seed, augment=recipe.augment, threads=threads)
        history = retrain(module, original, work.train, training)
        graph = module.to_graph()
    assert history is not None
    best = max(each.held for each in history.epochs)
    minutes = (time.monotonic() - began) / 60
    return Found(cost.macs(graph) / cost.macs(original), history.start, best, minutes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=sorted(NETS), required=True)
    parser.add_argument("--macs", type=float, metavar="SHARE", default=0.5)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3], help="of pruning")
    parser.add_argument("--between", type=int, default=4, help="epochs after each step but the last")
    parser.add_argument("--epochs", type=int, default=24, help="of all steps together")
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.epochs <= given.between * (max(given.steps) - 1):
        parser.error("--epochs: wanted more than the epochs between the steps")
    WORK.mkdir(parents=True, exist_ok=True)
    for steps in given.steps:
        found = []
        for seed in given.seed:
            run = Run(given.net, "s2c", DEFAULT_METHOD, ("macs", given.macs), seed, given.epochs)
            recipe = replace(make_recipe(run, WORK), test=())
            epochs = [given.between] * (steps - 1)
            epochs.append(given.epochs - sum(epochs))
            start(seed)
            found.append(prune(recipe, given.macs, epochs, given.threads))
        macs, before, after, minutes = (
            float(np.mean([getattr(each, name) for each in found]))
            for name in ("macs", "before", "after", "minutes")
        )
        after_all = " ".join(f"{each.after:.1%}" for each in found)
        what = f"{given.net} {macs:.1%} of the MACs, {steps} steps:"
        print(f"{what} {before:.1%} {after:.2%} ({after_all}) {minutes:.1f} min", flush=True)


if __name__ == "__main__":
    main()
