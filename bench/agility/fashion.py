"""Fashion-MNIST (fashion_mnist/ of S2C_DATA) -> a trained recogniser of clothes, train.npz and test.npz."""

from __future__ import annotations

import numpy as np
import torch
from recognisers import DATA, Mean, Split, accuracy, arguments, fit, normed, separable, start, write
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10
EPOCHS = 10
SHIFT = 1  # pixels


def load(part: str) -> Split:
    """x stays uint8, 0..255."""
    with np.load(DATA / "fashion_mnist" / f"fashion_mnist_{part}.npz") as file:
        return Split(file["x"][:, None], file["y"].astype(np.int64))


def recogniser() -> nn.Module:
    """Its last layers are depthwise separable, as in MobileNet; https://arxiv.org/abs/1704.04861."""
    return nn.Sequential(
        normed(1, 16, 3),
        normed(16, 32, 3, 2),
        normed(32, 32, 3),
        separable(32, 64, 2),
        separable(64, 128),
        Mean(),
        nn.Linear(128, CLASSES),
    )


def vary(x: Tensor, source: torch.Generator) -> Tensor:
    """Each batch moved by up to SHIFT pixels."""
    down, right = torch.randint(0, 2 * SHIFT + 1, (2,), generator=source).tolist()
    size = x.shape[2]
    return functional.pad(x, (SHIFT,) * 4)[:, :, down : down + size, right : right + size]


def main() -> None:
    given = arguments("fashion", EPOCHS, __doc__)
    start(given.seed)
    train, test = load("train"), load("test")
    module = recogniser()
    fit(module, train, given.epochs, given.seed, vary)
    write(module, train, test, given.out)
    print(f"{accuracy(module, test):.1%} of {len(test.y)} images right: {given.out}")


if __name__ == "__main__":
    main()
