"""How channels are chosen: methods of s2c or of torch-pruning on one net, each retrained briefly.

MACs, and accuracy before and after, on training images held back: no method is chosen by the test images.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from peers import WORK, Run, make_recipe, prune_by_peer, retrain_by_recipe
from recognisers import start
from resnets import NETS
from torch_pruning_peer import METHODS as PEER_METHODS

from s2c import cost
from s2c.adapt import adapt, prepare
from s2c.adapt.recipe import Recipe
from s2c.driver import load_source
from s2c.importance import METHODS as OWN_METHODS
from s2c.train.module import GraphModule

METHODS: Mapping[str, tuple[str, ...]] = {"s2c": OWN_METHODS, "torch-pruning": tuple(PEER_METHODS)}


def compare(run: Run, files: int) -> dict[str, Any]:
    """The share of the MACs, and what the held images say before and after; the test images stay unseen."""
    recipe = make_recipe(run, WORK)
    recipe = replace(recipe, data=recipe.data[:files], test=())
    start(run.seed)
    with tempfile.TemporaryDirectory() as temporary:
        macs, history = (by_s2c if run.tool == "s2c" else by_peer)(run, recipe, Path(temporary))
    best = max(each["held"] for each in history["epochs"])
    return {"macs": macs, "before": history["start"], "after": best}


def by_s2c(run: Run, recipe: Recipe, folder: Path) -> tuple[float, Mapping[str, Any]]:
    report = adapt(recipe).report
    return report["macs"]["pruned"] / report["macs"]["original"], report["history"]


def by_peer(run: Run, recipe: Recipe, folder: Path) -> tuple[float, Mapping[str, Any]]:
    original = prepare(load_source(recipe.request))
    graph = prune_by_peer(run, folder / "pruned.pt2")
    history = retrain_by_recipe(GraphModule(graph), original, recipe, folder / "checkpoint")
    return cost.macs(graph) / cost.macs(original), asdict(history)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=sorted(NETS), required=True)
    parser.add_argument("--tool", choices=sorted(METHODS), default="torch-pruning")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="the tool's; all by default")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--files", type=int, default=2, help="of 10,000 training images each")
    budget = parser.add_mutually_exclusive_group()
    for kind in ("macs", "width"):
        budget.add_argument(f"--{kind}", type=float, metavar="SHARE", help="default: half of the MACs")
    given = parser.parse_args()
    unknown = sorted(set(given.methods or ()) - set(METHODS[given.tool]))
    if unknown:
        parser.error(f"{given.tool} has no {', '.join(unknown)}, but {', '.join(METHODS[given.tool])}")
    kind, share = "macs", 0.5 if given.macs is None else given.macs
    if given.width is not None:
        kind, share = "width", given.width
    WORK.mkdir(parents=True, exist_ok=True)
    for method in given.methods or METHODS[given.tool]:
        runs = [Run(given.net, given.tool, method, (kind, share), seed, given.epochs) for seed in given.seed]
        found = [compare(each, given.files) for each in runs]
        shares = [float(np.mean([each[name] for each in found])) for name in ("macs", "before", "after")]
        after = " ".join(f"{each['after']:.1%}" for each in found)
        print(
            f"{given.net} {method:20} {shares[0]:.1%} {shares[1]:.2%} {shares[2]:.2%} ({after})", flush=True
        )


if __name__ == "__main__":
    main()
