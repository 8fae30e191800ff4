"""Outputs of a program on test inputs to how good they are, by class where they are classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2c.ir import DTYPES
from s2c.program import Program, checked_inputs

ACCURACY, ERROR = "accuracy", "mean squared error"


@dataclass(frozen=True)
class Score:
    """value: share of right answers, or the mean squared error. answers: the class that each test input was
    taken for, or its squared error. right and total: by class, empty where there are none."""

    metric: str
    value: float
    answers: np.ndarray
    right: tuple[int, ...] = ()
    total: tuple[int, ...] = ()


def score(outputs: np.ndarray, targets: np.ndarray) -> Score:
    """outputs: floats [samples, .., classes]; targets: integer labels [samples], or values of the outputs'
    size."""
    if targets.dtype.kind not in "iu":
        errors = np.square(outputs - targets.reshape(outputs.shape), dtype=np.float64)
        each = errors.reshape(len(errors), -1).mean(1)
        return Score(ERROR, float(each.mean()), each)
    if outputs.shape[-1] == 1:  # the share of the second of two classes
        outputs = np.concatenate([1 - outputs, outputs], -1)
    logits = outputs.reshape(len(targets), -1, outputs.shape[-1])[:, -1]  # of the last step
    answers = logits.argmax(-1)
    classes = logits.shape[-1]
    right = np.bincount(targets[answers == targets], minlength=classes)
    total = np.bincount(targets, minlength=classes)
    share = float((answers == targets).mean())
    return Score(ACCURACY, share, answers, tuple(right.tolist()), tuple(total.tolist()))


def run_samples(program: Program, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """The first output of each sample: [samples, *shape]; a net with states takes and gives
    [samples, steps, *shape] and begins anew with each sample. Inputs are cast and quantized as it wants.
    """
    samples = zip(*inputs, strict=True)
    if program.manifest["states"]:
        return np.stack([run_sequence(program, sample) for sample in samples])
    with program.start() as process:
        return np.stack([program.run(process, fitting(program, sample))[0][0] for sample in samples])


def run_sequence(program: Program, sample: Sequence[np.ndarray]) -> np.ndarray:
    with program.start() as process:
        steps = zip(*sample, strict=True)
        return np.stack([program.run(process, fitting(program, step))[0][0] for step in steps])


def fitting(program: Program, sample: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    wanted = program.manifest["inputs"]
    arrays = [to_dtype(array, each) for array, each in zip(sample, wanted, strict=True)]
    return tuple(checked_inputs(program.manifest, tuple(arrays)))


def to_dtype(array: np.ndarray, wanted: Mapping[str, Any]) -> np.ndarray:
    """A sample as the program takes it: floats for a quantized input are rounded as op quantize does."""
    dtype = DTYPES[wanted["dtype"]]
    if wanted["scale"] is None or array.dtype == dtype:
        return array.astype(dtype)
    steps = np.rint(array.astype(np.float32) / np.float32(wanted["scale"])) + wanted["zero"]
    limits = np.iinfo(dtype)
    quantized: np.ndarray = np.clip(steps, limits.min, limits.max).astype(dtype)
    return quantized


def to_floats(outputs: np.ndarray, wanted: Mapping[str, Any]) -> np.ndarray:
    """What the output's integers stand for."""
    if wanted["scale"] is None:
        return outputs.astype(np.float32)
    floats: np.ndarray = (outputs.astype(np.float32) - wanted["zero"]) * np.float32(wanted["scale"])
    return floats
