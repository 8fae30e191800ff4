"""A torch module and labelled samples -> net.pt2, trained, with train.npz and test.npz beside it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2c.readers.torch import save_module

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("S2C_DATA", ROOT.parent / "shared" / "data"))
BATCH = 128
RATE = 4e-3
DECAY = 1e-2
SMOOTHING = 0.1


@dataclass(frozen=True, eq=False)
class Split:
    """x [samples, channels, height, width], y int64 [samples]."""

    x: np.ndarray
    y: np.ndarray


def normed(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution without bias, batch normalisation, and the threshold."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(normed(inputs, inputs, 3, stride, inputs), normed(inputs, outputs, 1))


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def fit(
    module: nn.Module,
    train: Split,
    epochs: int,
    seed: int,
    augment: Callable[[Tensor, torch.Generator], Tensor],
) -> None:
    """AdamW, its rate rising and falling once; labels are smoothed."""
    source = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(train.x), torch.from_numpy(train.y)
    optimizer = torch.optim.AdamW(module.parameters(), RATE, weight_decay=DECAY)
    steps = len(y) // BATCH * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    module.train()
    for epoch in range(epochs):
        order = torch.randperm(len(y), generator=source)[: len(y) // BATCH * BATCH]
        total = 0.0
        for chosen in order.reshape(-1, BATCH):
            scores = module(augment(x[chosen].float(), source))
            loss = functional.cross_entropy(scores, y[chosen], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {epochs}: loss {total * BATCH / len(order):.3f}", file=sys.stderr)
    module.eval()


@torch.no_grad()
def accuracy(module: nn.Module, test: Split) -> float:
    scores = [module(part.float()) for part in torch.from_numpy(test.x).split(BATCH)]
    return float((torch.cat(scores).argmax(1).numpy() == test.y).mean())


def write(module: nn.Module, train: Split, test: Split, folder: Path) -> None:
    """net.pt2 takes one sample; the samples have the net's batch axis of 1."""
    folder.mkdir(parents=True, exist_ok=True)
    save_module(module, [torch.from_numpy(test.x[:1]).float()], folder / "net.pt2")
    for name, split in (("train", train), ("test", test)):
        np.savez_compressed(folder / f"{name}.npz", x=split.x[:, None], y=split.y)


def arguments(name: str, epochs: int, about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "agility" / name, help="a folder")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def start(seed: int) -> None:
    """One thread and a seed: the same weights on every run of one kind of machine."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
