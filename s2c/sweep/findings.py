"""Finished results to a document of plain values: points, what each net got wrong, and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2c.sweep.recipe import BASELINE, Job, Net, Point, Sweep, net_files
from s2c.sweep.score import ACCURACY, Score
from s2c.sweep.store import read_json, refusals

# A class is warned of when it loses more than this, in points of accuracy, and at least so many test inputs:
# then it is no accident of a small test set.
TIMES_MEAN = 2.0
POINTS_MORE = 2.0
FEWEST_LOST = 3


def find_results(sweep: Sweep, folder: Path, answers: np.ndarray) -> dict[str, Any]:
    """answers: the test set's labels or values. All jobs of the sweep are done. Nets that were refused are
    not among the nets, and the points of theirs have no score.
    """
    scores = {net: read_score(folder, net) for net in sweep.nets if not refusals(folder, Job("net", net))}
    base = scores[BASELINE]
    classes = class_names(sweep, len(base.total))
    return {
        "model": sweep.model.name,
        "metric": base.metric,
        "test_samples": len(answers),
        "classes": classes,
        "points": [read_point(folder, point, scores.get(point.net)) for point in sweep.points],
        "nets": [describe_net(folder, net, base, score, answers) for net, score in scores.items()],
        "warnings": [
            each for net, score in scores.items() for each in class_warnings(net, base, score, classes)
        ],
        "doubts": read_json(folder / Job("doubts").result) if sweep.data else [],
    }


def read_score(folder: Path, net: Net) -> Score:
    with np.load(folder / net_files(net)[1]) as kept:
        right, total = (tuple(kept[name].tolist()) for name in ("right", "total"))
        return Score(str(kept["metric"]), float(kept["value"]), kept["answers"], right, total)


def class_names(sweep: Sweep, count: int) -> list[str]:
    return list(sweep.classes) or [str(index) for index in range(count)]


def read_point(folder: Path, point: Point, score: Score | None) -> dict[str, Any]:
    kind, share = point.net.budget
    found = read_json(folder / Job("point", point.net, point.target).result)
    named = {"net": point.net.name, "budget": kind, "share": share}
    value = None if score is None else score.value
    return {**named, "precision": point.net.precision, "target": point.target, "score": value, **found}


def describe_net(folder: Path, net: Net, base: Score, score: Score, answers: np.ndarray) -> dict[str, Any]:
    found = {
        "name": net.name,
        "budget": net.budget[0],
        "share": net.budget[1],
        "precision": net.precision,
        "file": net.file,
        "score": score.value,
        "right": score.right,
        "total": score.total,
        "report": read_json(folder / net_files(net)[2]),
    }
    if score.metric != ACCURACY:
        return found
    was_right, is_right = base.answers == answers, score.answers == answers
    flips = [
        {
            "index": int(index),
            "label": int(answers[index]),
            "before": int(base.answers[index]),
            "after": int(score.answers[index]),
        }
        for index in np.flatnonzero(was_right & ~is_right)
    ]
    return {**found, "became_wrong": flips, "became_right": int(np.count_nonzero(~was_right & is_right))}


def class_losses(base: Score, score: Score) -> np.ndarray:
    """Points of accuracy that each class lost; a class without test inputs lost none."""
    lost = np.array(base.right, np.float64) - np.array(score.right)
    losses: np.ndarray = 100 * lost / np.maximum(base.total, 1)
    return losses


def class_warnings(net: Net, base: Score, score: Score, classes: Sequence[str]) -> list[Mapping[str, Any]]:
    """Classes that lost far more than the classes do on average, the worst first."""
    if score.metric != ACCURACY:
        return []
    losses = class_losses(base, score)
    tested = np.array(base.total) > 0
    mean = float(losses[tested].mean())
    found: list[Mapping[str, Any]] = []
    for index in np.argsort(-losses, kind="stable"):
        lost = base.right[index] - score.right[index]
        if losses[index] > TIMES_MEAN * max(mean, 0.0) + POINTS_MORE and lost >= FEWEST_LOST:
            counts = {"before": base.right[index], "after": score.right[index], "total": base.total[index]}
            lost_points = {"lost_points": float(losses[index]), "mean_points": mean}
            found.append({"net": net.name, "class": classes[index], **lost_points, **counts})
    return found
