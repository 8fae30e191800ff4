"""torch-pruning's methods on one net, each retrained briefly: MACs, accuracy before and after.

Accuracy is on training images held back: no method is chosen by the test images.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from peers import Run, make_recipe, prune_by_peer, retrain_by_recipe
from recognisers import ROOT, start
from resnets import NETS
from torch_pruning_peer import METHODS

from s2c import cost
from s2c.adapt import prepare
from s2c.driver import load_source
from s2c.train.module import GraphModule

BUDGET = ("macs", 0.5)


def compare(net: str, method: str, epochs: int, files: int, folder: Path) -> str:
    """The held score before and after; the test images stay unseen."""
    run = Run(net, "torch-pruning", method, BUDGET, 1, epochs)
    recipe = make_recipe(run, folder)
    recipe = replace(recipe, data=recipe.data[:files])
    start(run.seed)
    original = prepare(load_source(recipe.request))
    with tempfile.TemporaryDirectory() as temporary:
        graph = prune_by_peer(run, Path(temporary) / "pruned.pt2")
        history = retrain_by_recipe(GraphModule(graph), original, recipe, Path(temporary) / "checkpoint")
    best = max(each.held for each in history.epochs)
    return f"{net} {method:20} {cost.macs(graph) / cost.macs(original):.1%} {history.start:.2%} {best:.2%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=sorted(NETS), required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--files", type=int, default=2, help="of 10,000 training images each")
    given = parser.parse_args()
    folder = ROOT / "build" / "agility" / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    for method in given.methods:
        print(compare(given.net, method, given.epochs, given.files, folder), flush=True)


if __name__ == "__main__":
    main()
