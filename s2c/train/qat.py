"""Trains a quantized net in the arithmetic that it will run in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from s2c.ir import Graph
from s2c.train.data import Samples
from s2c.train.integers import QuantizedModule
from s2c.train.quantization import Quantized, judged
from s2c.train.retrain import Hear, History, Training, fixed, retrain

RATE = 1e-3  # of a net that is nearly right, in retrain's unit


def train_quantized(
    quantized: Quantized,
    teacher: Graph,
    train: Samples,
    training: Training,
    checkpoint: Path | None = None,
    progress: Hear = lambda step: None,
    anew: bool = False,
) -> tuple[Quantized, History]:
    """The same Quants, with weights and biases that make up for them: distilled from the float net as in
    retrain, whose arguments these are."""
    module = QuantizedModule(quantized.scheme)
    rate = RATE if training.rate is None else training.rate
    history = retrain(module, teacher, train, replace(training, rate=rate), checkpoint, progress, anew)
    with fixed():
        return judged(quantized.scheme.of(module.to_graph()), quantized.reference, train), history
