"""Free Spoken Digit Dataset (fsdd/fsdd.npz of S2C_DATA) -> what MLPerf Tiny's keyword spotter reads, as .npz.

The features are those of that benchmark's training (keyword_spotting/get_dataset.py): 16 kHz, windows of
30 ms every 20 ms, 40 mel bands of 20 Hz to 4 kHz, 10 cepstral coefficients; 8 kHz hold all of that.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from recognisers import DATA

RATE_HZ = 16000
FRAME, HOP, BINS = 480, 320, 512
BANDS, COEFFICIENTS = 40, 10
LOWEST_HZ, HIGHEST_HZ = 20.0, 4000.0
FLOOR = 1e-6
COUNT = 1000


def mel(hertz: np.ndarray) -> np.ndarray:
    return np.asarray(1127 * np.log1p(hertz / 700))


def filters() -> np.ndarray:
    """Triangles, equally wide in mel, over the bins of the spectrum but the first: [bins, BANDS]."""
    edges = np.linspace(*mel(np.array([LOWEST_HZ, HIGHEST_HZ])), BANDS + 2)
    bins = mel(np.fft.rfftfreq(BINS, 1 / RATE_HZ))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    bank = np.clip(np.minimum(rising, falling), 0, None)
    bank[0] = 0
    return bank


def cosines() -> np.ndarray:
    """The first coefficients of the orthonormal DCT-II: [BANDS, COEFFICIENTS]."""
    angles = np.pi / BANDS * np.outer(np.arange(BANDS) + 0.5, np.arange(COEFFICIENTS))
    return np.asarray(np.cos(angles) * np.sqrt(2 / BANDS))


def resampled(pcm: np.ndarray) -> np.ndarray:
    """8 kHz to one second of 16 kHz, by zeros above the old spectrum; the loudest value is 1."""
    spectrum = np.fft.rfft(pcm)
    wide = np.fft.irfft(spectrum, 2 * len(pcm)) * 2
    loud = wide / max(wide.max(), 1e-9)
    return np.pad(loud[:RATE_HZ], (0, max(RATE_HZ - len(loud), 0)))


def features(pcm: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """[49, 10]"""
    frames = np.lib.stride_tricks.sliding_window_view(resampled(pcm), FRAME)[::HOP]
    window = np.hanning(FRAME + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, BINS))
    return np.asarray(np.log(power @ bank + FLOOR) @ cosines(), np.float32)


def load(count: int) -> np.ndarray:
    """The features of so many recordings, evenly chosen: [count, 1, 49, 10, 1]."""
    with np.load(DATA / "fsdd/fsdd.npz") as file:
        recordings, pcm = list(pairwise(file["offsets"])), file["pcm"]
    bank = filters()
    chosen = np.linspace(0, len(recordings) - 1, count).astype(int)
    x = np.stack([features(pcm[slice(*recordings[index])], bank) for index in chosen])
    return np.asarray(x[:, None, :, :, None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("calibration.npz"))
    np.savez(parser.parse_args().out, x=load(COUNT))


if __name__ == "__main__":
    main()
