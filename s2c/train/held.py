"""Samples to those that are trained on and those that judge it."""

from __future__ import annotations

import math

import numpy as np

from s2c.train.data import Samples

HELD = 0.1  # the share of the samples that decides when to stop and which state is best; not trained on
MOST_HELD = 1000  # samples: they tell apart what differs by two points, and the others teach
FEW = 10  # samples: with fewer, all are trained on, and held too


def split(samples: Samples, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are held and those that are trained on: of each class the same share."""
    everything = np.arange(len(samples))
    if len(samples) < FEW:
        return everything, everything
    order = np.random.default_rng(seed).permutation(len(samples))
    if samples.task == "classification" and samples.targets is not None:
        order = order[np.argsort(samples.targets[order], kind="stable")]
    is_held = np.zeros(len(samples), np.bool_)
    is_held[order[:: max(round(1 / HELD), math.ceil(len(samples) / MOST_HELD))]] = True
    return everything[is_held], everything[~is_held]
