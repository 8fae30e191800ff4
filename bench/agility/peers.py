"""resnet8 or ResNet-20 pruned by s2c or by torch-pruning, and retrained alike -> a JSON file for each run.

Data, seeds, epochs, augmentation and loss are the same: both nets go through s2c's training.
Data come from S2C_DATA. A run whose file is there is not run again: files are kept with the sources, since
runs take long.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recognisers import ROOT, start
from resnets import IMAGE, NETS, RESNET8, test_file, training_files
from table import RESULTS
from torch_pruning_peer import METHODS, SAMPLES, count_macs, prune

from s2c import cost
from s2c.adapt import Recipe, adapt, prepare
from s2c.adapt.recipe import DEFAULT_METHOD
from s2c.driver import load_source, make_request
from s2c.ir import Graph
from s2c.readers.torch import save_module
from s2c.train.data import load_samples
from s2c.train.measure import measure
from s2c.train.module import GraphModule
from s2c.train.retrain import History, Progress, Training, retrain

sys.path.append(str(ROOT / "bench"))

from readme_tables import machine

WORK = ROOT / "build" / "agility" / "peers"
# The best on resnet8 of those that compare_methods.py tried; on ResNet-20 magnitude-isomorphic is better.
PEER_METHOD = "bn-scale-global"
AUGMENT = ("flip", "shift", "cutmix")
# Of training, which both share: 2 steps along gradients' directions, 3 takes batches in parts, 4 has CutMix,
# 5 four times as many variants of a sample, 6 moves images half as far; changes of its speed and rounding do
# not count.
LOOP = 6


@dataclass(frozen=True)
class Run:
    net: str
    tool: str
    method: str  # of torch-pruning; s2c's importance
    budget: tuple[str, float]
    seed: int
    epochs: int

    @property
    def name(self) -> str:
        kind, value = self.budget
        what = f"{self.net}-{self.tool}-{self.method}-{kind}{value:g}"
        return f"{what}-epochs{self.epochs}-seed{self.seed}-loop{LOOP}"


def execute(run: Run, folder: Path) -> dict[str, Any]:
    """Accuracies are on the 1,000 test images, which no run chooses by. A run that was interrupted counts
    what it prepares anew, too; what was stolen before is not known."""
    recipe = make_recipe(run, folder)
    checkpoint = folder / f"{run.name}.checkpoint"
    earlier = seconds_before(checkpoint)
    began, processor = time.monotonic(), processor_ticks()
    if run.tool == "s2c":
        report = dict(adapt(recipe, checkpoint, tell).report)
    else:
        report = adapt_by_peer(run, recipe, checkpoint)
    return {
        "net": run.net,
        "tool": run.tool,
        "method": run.method,
        "budget": list(run.budget),
        "seed": run.seed,
        "epochs": run.epochs,
        "loop": LOOP,
        "macs": report["macs"],
        "parameters": report["parameters"],
        "score": report["score"],
        "best": best_of(report["history"]),
        "threads": torch.get_num_threads(),
        "seconds": round(earlier + time.monotonic() - began),
        "stolen": None if earlier else share_stolen(processor, processor_ticks()),
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": {each: metadata.version(each) for each in ("s2c", "torch", "torch-pruning")},
    }


def best_of(history: dict[str, Any]) -> dict[str, Any]:
    """The epoch whose state the run left, counted from 1, and what it scored on what was held back."""
    if history["best"] == 0:
        return {"epoch": 0, "held": history["start"]}
    return {"epoch": history["best"], **history["epochs"][history["best"] - 1]}


def seconds_before(checkpoint: Path) -> float:
    """That an interrupted run has trained for."""
    if not checkpoint.exists():
        return 0.0
    return float(torch.load(checkpoint, weights_only=True)["state"]["spent"])


def processor_ticks() -> tuple[int, int] | None:
    """Of all processors since the start: used, and waited for while the host ran other machines. None where
    the system does not say."""
    path = Path("/proc/stat")
    if not path.exists():
        return None
    user, nice, system, _, _, hard, soft, stolen = map(int, path.read_text(encoding="ascii").split()[1:9])
    return user + nice + system + hard + soft, stolen


def share_stolen(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    """Of the processor time that was asked for meanwhile: what the host gave to other machines."""
    if before is None or after is None:
        return None
    used, stolen = (late - early for early, late in zip(before, after, strict=True))
    return round(stolen / max(used + stolen, 1), 3)


def tell(text: str, done: float | None = None) -> None:
    print(text, file=sys.stderr, flush=True)


def make_recipe(run: Run, folder: Path) -> Recipe:
    return Recipe(
        make_request(model_file(run.net, folder), "host"),
        budget=run.budget,
        data=training_files(),
        test=(test_file(),),
        epochs=run.epochs,
        seed=run.seed,
        augment=AUGMENT,
        **({"importance": run.method} if run.tool == "s2c" else {}),
    )


def model_file(net: str, folder: Path) -> Path:
    if net == "resnet8":
        return RESNET8
    path = folder / f"{net}.pt2"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.pt2")
        save_module(NETS[net](), [torch.zeros(IMAGE)], part)
        part.replace(path)
    return path


def adapt_by_peer(run: Run, recipe: Recipe, checkpoint: Path) -> dict[str, Any]:
    """s2c's training after the peer's choice of channels; a report like adapt's."""
    original = prepare(load_source(recipe.request))
    test = load_samples(recipe.test, original)
    graph = prune_by_peer(run, checkpoint.with_suffix(".pt2"))
    student = GraphModule(graph)
    before = measure(student, test).value
    history = retrain_by_recipe(student, original, recipe, checkpoint)
    return {
        "history": asdict(history),
        "macs": {"original": cost.macs(original), "pruned": cost.macs(graph)},
        "parameters": {
            "original": cost.parameters(original.nodes()),
            "pruned": cost.parameters(graph.nodes()),
        },
        "score": {
            "original": measure(original, test).value,
            "pruned": before,
            "retrained": measure(student, test).value,
        },
    }


def prune_by_peer(run: Run, path: Path) -> Graph:
    """path: where the pruned net is for a moment, to go from torch to s2c."""
    module = NETS[run.net]()
    x, y = some_samples(run.seed)
    kind, value = run.budget
    limit = value * count_macs(module) if kind == "macs" else value
    pruned = prune(module, x, y, METHODS[run.method], (kind, limit))
    save_module(pruned, [torch.zeros(IMAGE)], path)
    graph = prepare(load_source(make_request(path, "host")))
    path.unlink()
    assert cost.macs(graph) == count_macs(pruned), (cost.macs(graph), count_macs(pruned))
    return graph


def retrain_by_recipe(student: GraphModule, original: Graph, recipe: Recipe, checkpoint: Path) -> History:
    train = load_samples(recipe.data, original, every_class=True)
    assert recipe.epochs is not None
    threads = torch.get_num_threads()
    training = Training(recipe.epochs, seed=recipe.seed, augment=recipe.augment, threads=threads)
    return retrain(student, original, train, training, checkpoint, hear)


def hear(step: Progress) -> None:
    if step.batch == step.batches:
        tell(f"epoch {step.epoch} of {step.epochs}: loss {step.loss:.3f}")


def some_samples(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Training images, bytes [SAMPLES, 32, 32, 3], and their classes."""
    with np.load(training_files()[0]) as file:
        x, y = file["x"], file["y"].astype(np.int64)
    chosen = np.random.default_rng(seed).permutation(len(x))[:SAMPLES]
    return torch.from_numpy(x[chosen]), torch.from_numpy(y[chosen])


@dataclass(frozen=True)
class Folders:
    """results: of a JSON file for each run; work: of checkpoints, and of nets on their way between tools."""

    results: Path
    work: Path


def parse() -> tuple[list[Run], Folders, int]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=sorted(NETS), required=True)
    parser.add_argument("--tool", choices=("s2c", "torch-pruning"), required=True)
    parser.add_argument("--method", help=f"s2c's --importance, or of torch-pruning: {', '.join(METHODS)}")
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1, help="they change nothing but time")
    budget = parser.add_mutually_exclusive_group(required=True)
    for kind in ("macs", "width"):
        budget.add_argument(f"--{kind}", type=float, metavar="SHARE")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON files")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of checkpoints")
    given = parser.parse_args()
    if given.epochs < 1:
        parser.error("--epochs: wanted at least one")
    chosen = ("macs", given.macs) if given.macs is not None else ("width", given.width)
    method = given.method or (PEER_METHOD if given.tool == "torch-pruning" else DEFAULT_METHOD)
    runs = [Run(given.net, given.tool, method, chosen, seed, given.epochs) for seed in given.seed]
    return runs, Folders(given.out, given.work), given.threads


def main() -> None:
    runs, folders, threads = parse()
    for folder in (folders.results, folders.work):
        folder.mkdir(parents=True, exist_ok=True)
    for run in runs:
        path = folders.results / f"{run.name}.json"
        if path.exists():
            tell(f"{path} is there")
            continue
        start(run.seed)
        torch.set_num_threads(threads)
        result = execute(run, folders.work)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
        (folders.work / f"{run.name}.checkpoint").unlink(missing_ok=True)
        print(f"{run.name}: {result['score']}, {result['macs']}", flush=True)


if __name__ == "__main__":
    main()
