"""Free Spoken Digit Dataset -> a trained recogniser of spoken digits, train.npz and test.npz.

fsdd/fsdd.npz of S2C_DATA has the recordings; 0..4 of each digit and speaker are the official test set.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from recognisers import DATA, Mean, Split, accuracy, arguments, fit, normed, start, write
from torch import Tensor, nn

RATE_HZ = 8000
WINDOW = 256
HOP = 200
FRAMES = 40
BANDS = 32
LOWEST_HZ, HIGHEST_HZ = 60.0, 3800.0
FLOOR = 1e-3  # of power, under which all is silence
OFFICIAL_TEST = 5
CLASSES = 10
EPOCHS = 30
LATEST = 4  # frames
NOISE = 0.5  # at most, of the features' deviation


# features


def mel(hertz: np.ndarray) -> np.ndarray:
    """O'Shaughnessy's scale: 2595 log10(1 + f / 700)."""
    return 2595 * np.log10(1 + hertz / 700)


def filters() -> np.ndarray:
    """Triangles, equally wide in mel, over the bins of the spectrum: [bins, BANDS]."""
    edges = np.linspace(*mel(np.array([LOWEST_HZ, HIGHEST_HZ])), BANDS + 2)
    bins = mel(np.fft.rfftfreq(WINDOW, 1 / RATE_HZ))[:, None]
    width = edges[1] - edges[0]
    return np.clip(1 - np.abs(bins - edges[1:-1]) / width, 0, None)


def features(pcm: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """int16 samples -> log of the mel bands' power [FRAMES, BANDS]; long sounds lose both ends."""
    needed = (FRAMES - 1) * HOP + WINDOW
    cut = max(len(pcm) - needed, 0) // 2
    sound = pcm[cut : cut + needed] / 32768
    missing = needed - len(sound)
    sound = np.pad(sound, (missing // 2, missing - missing // 2))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW))) ** 2
    return np.log(power @ bank + FLOOR)


def load() -> tuple[Split, Split]:
    """Features with mean 0 and deviation 1 over the training set, for training and test."""
    with np.load(DATA / "fsdd" / "fsdd.npz") as file:
        pcm, offsets, y, index = (file[name] for name in ("pcm", "offsets", "digit", "index"))
    bank = filters()
    x = np.stack([features(pcm[a:b], bank) for a, b in pairwise(offsets)])
    is_test = index < OFFICIAL_TEST
    x = (x - x[~is_test].mean()) / x[~is_test].std()
    x, y = x[:, None].astype(np.float32), y.astype(np.int64)
    return Split(x[~is_test], y[~is_test]), Split(x[is_test], y[is_test])


# the net


def recogniser() -> nn.Module:
    return nn.Sequential(
        normed(1, 16, 5, 2),
        normed(16, 32, 3, 2),
        normed(32, 32, 3),
        normed(32, 64, 3, 2),
        Mean(),
        nn.Linear(64, CLASSES),
    )


def vary(x: Tensor, source: torch.Generator) -> Tensor:
    """Each batch some frames later or earlier, each sample louder or softer, and noise over it."""
    late = int(torch.randint(-LATEST, LATEST + 1, (1,), generator=source))
    louder = 0.3 * torch.randn(len(x), 1, 1, 1, generator=source)
    noise = NOISE * torch.rand(len(x), 1, 1, 1, generator=source) * torch.randn(x.shape, generator=source)
    return torch.roll(x, late, 2) + louder + noise


def main() -> None:
    given = arguments("digits", EPOCHS, __doc__)
    start(given.seed)
    train, test = load()
    module = recogniser()
    fit(module, train, given.epochs, given.seed, vary)
    write(module, train, test, given.out)
    print(f"{accuracy(module, test):.1%} of {len(test.y)} recordings right: {given.out}")


if __name__ == "__main__":
    main()
