"""Data files to Samples that fit the inputs and outputs of a net."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, Type
from s2c.train.heads import classes_of
from s2c.train.npz import MOST_BYTES, Header, check_headers, read_arrays, read_headers

TASKS = ("auto", "classification", "regression", "autoencoder", "distillation")
CHUNK = 1 << 16  # samples whose values are checked at a time
X, Y = "x", "y"


@dataclass(frozen=True, eq=False)
class Samples:
    """inputs: for each input of the net [samples, *shape], of a net with states [samples, steps, *shape]; in
    the dtype of the file, to spare memory: `batch` converts. targets: int64 [samples], the class; of a net
    with states that of the last step; or float32 like the output; or None. task: one of TASKS but "auto".
    """

    inputs: tuple[np.ndarray, ...]
    targets: np.ndarray | None
    task: str
    dtypes: tuple[np.dtype[Any], ...]

    def __len__(self) -> int:
        return len(self.inputs[0])

    def batch(self, rows: slice | np.ndarray) -> list[np.ndarray]:
        """Samples in the dtypes that the net's inputs have."""
        return [
            np.ascontiguousarray(each[rows], dtype)
            for each, dtype in zip(self.inputs, self.dtypes, strict=True)
        ]

    def part(self, rows: slice | np.ndarray) -> Samples:
        targets = None if self.targets is None else self.targets[rows]
        return Samples(tuple(each[rows] for each in self.inputs), targets, self.task, self.dtypes)


def load_samples(
    paths: Path | Sequence[Path], graph: Graph, task: str = "auto", every_class: bool = False
) -> Samples:
    """Reads .npz files, one after the other: x, or an array for each input by name or as x_0, x_1, ..; and y.

    every_class: each class must be among the labels, as in training data. Raises CompileError with all
    problems; no array is read before the shapes and dtypes of all are known to fit.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    assert files
    problems: list[Problem] = []
    chosen: list[dict[str, str]] = []
    headers: list[dict[str, Header]] = []
    for path in files:
        try:
            names, wanted = choose_fitting(path, graph, task)
        except CompileError as fault:
            problems += fault.problems
        else:
            chosen.append(names)
            headers.append(wanted)
    problems = problems or together(files, headers)
    if problems:
        raise CompileError(tuple(dict.fromkeys(problems)))
    stored = [read_roles(path, names) for path, names in zip(files, chosen, strict=True)]
    arrays = {role: joined([each[role] for each in stored]) for role in stored[0]}
    targets = arrays.pop(Y, None)
    return make_samples(
        graph, [arrays[f"{X}_{i}"] for i in range(len(graph.inputs))], targets, task, every_class
    )


def choose_fitting(path: Path, graph: Graph, task: str) -> tuple[dict[str, str], dict[str, Header]]:
    """The arrays of a file to read, and their headers, by role; raises CompileError where they do not fit."""
    found = read_headers(path)
    names, problems = choose(path, graph, found)
    headers = {role: found[name] for role, name in names.items()}
    problems += check_headers(path, {names[role]: each for role, each in headers.items()})
    problems = problems or fit_problems(path, graph, names, headers, task)
    if problems:
        raise CompileError(tuple(problems))
    return names, headers


def choose(path: Path, graph: Graph, found: Collection[str]) -> tuple[dict[str, str], list[Problem]]:
    """The array of a file for each input (x_0, x_1, ..) and for y."""
    names: dict[str, str] = {}
    problems = []
    single = len(graph.inputs) == 1
    for index, node in enumerate(graph.inputs):
        options = [node.layer, f"{X}_{index}", *([X] if single else [])]
        name = next((each for each in options if each in found), None)
        if name is None:
            wanted = f"an array {X}" if single else f"an array {options[0]} or {options[1]}"
            listed = ", ".join(sorted(found)[:8]) or "no array"
            problems.append(Problem(path.name, wanted, listed, "store the net's inputs under this name"))
        else:
            names[f"{X}_{index}"] = name
    if Y in found:
        names[Y] = Y
    return names, problems


def read_roles(path: Path, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    arrays = read_arrays(path, set(names.values()))
    return {role: arrays[name] for role, name in names.items()}


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def together(files: Sequence[Path], headers: Sequence[Mapping[str, Header]]) -> list[Problem]:
    """What is wrong with several files as one data set."""
    problems = []
    total = sum(each.bytes for roles in headers for each in roles.values())
    if total > MOST_BYTES:
        wanted = f"at most {MOST_BYTES >> 30} GiB of data"
        problems.append(Problem(files[0].name, wanted, f"{total / (1 << 30):.1f} GiB", "give fewer samples"))
    for path, roles in zip(files[1:], headers[1:], strict=True):
        if set(roles) != set(headers[0]):
            wanted, found = ("labels y", "none") if Y in headers[0] else ("no labels y", "labels")
            problems.append(
                Problem(path.name, f"{wanted}, as in {files[0].name}", found, "store all files alike")
            )
        for role in sorted(set(roles) & set(headers[0])):
            if roles[role].shape[1:] != headers[0][role].shape[1:]:
                wanted = f"samples as in {files[0].name}: {headers[0][role]}"
                problems.append(
                    Problem(f"{path.name}: {role}", wanted, str(roles[role]), "store all files alike")
                )
    return problems


# shapes and dtypes


def fit_problems(
    where: Path, graph: Graph, names: Mapping[str, str], headers: Mapping[str, Header], task: str
) -> list[Problem]:
    """Of arrays that were not read yet."""
    problems = []
    first = headers[f"{X}_0"].shape[0]
    for index, node in enumerate(graph.inputs):
        role = f"{X}_{index}"
        problems += input_problems(f"{where.name}: {names[role]}", graph, node, headers[role])
    for role, header in headers.items():
        if header.shape[0] != first:
            wanted = f"{first} samples, as in {names[f'{X}_0']}"
            do = "store arrays of equal length"
            problems.append(Problem(f"{where.name}: {names[role]}", wanted, str(header.shape[0]), do))
    problems += task_problems(f"{where.name}: {Y}", graph, headers.get(Y), task)
    if not problems and Y in headers:
        steps = headers[f"{X}_0"].shape[1] if graph.states else None
        problems += target_problems(f"{where.name}: {Y}", graph, headers[Y], task, steps)
    return problems


def input_problems(where: str, graph: Graph, node: Node, header: Header) -> list[Problem]:
    kind = node.type
    problems = []
    lead = 2 if graph.states else 1
    if len(header.shape) < lead or squeezed(header.shape[lead:]) != squeezed(kind.shape):
        axes = ["samples", "steps"][:lead]
        wanted = f"[{','.join([*axes, *map(str, kind.shape)])}] (axes of 1 may be missing)"
        problems.append(Problem(where, wanted, str(header), "store the samples in this shape"))
    if kind.numpy.kind != "f" and not np.can_cast(header.dtype, np.int64) and header.dtype != np.uint64:
        problems.append(Problem(where, f"integers for {kind}", str(header.dtype), "store integers"))
    return problems


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(each for each in shape if each != 1)


def is_labels(header: Header) -> bool:
    return header.dtype.kind in "biu" and squeezed(header.shape[1:]) == ()


def task_of(graph: Graph, y: Header | None, task: str) -> str:
    """What "auto" means: labels make a classification, other targets a regression, none a distillation."""
    if task != "auto":
        return task
    if y is None:
        return "distillation"
    return "classification" if classes_of(graph) and is_labels(y) else "regression"


def task_problems(where: str, graph: Graph, y: Header | None, task: str) -> list[Problem]:
    """What is wrong with a task, whatever the targets are."""
    if task not in TASKS:
        return [Problem("--task", f"one of {', '.join(TASKS)}", task, "name one of these")]
    chosen = task_of(graph, y, task)
    outputs = ", ".join(str(each.type) for each in graph.outputs)
    if chosen == "classification" and not classes_of(graph):
        wanted = "one output with a score for each class, or the sigmoid of one, to classify"
        return [Problem("--task", wanted, outputs, "choose regression or distillation")]
    if chosen == "autoencoder" and not gives_its_input(graph):
        wanted = "one input and one output of the same size, for an autoencoder"
        inputs = ", ".join(str(each.type) for each in graph.inputs)
        return [Problem("--task", wanted, f"{inputs} and {outputs}", "choose another task")]
    if chosen == "classification" and y is None:
        return [Problem(where, "labels, for a classification", "none", "store them, or choose distillation")]
    if chosen == "regression" and y is None:
        return [Problem(where, "targets, for a regression", "none", "store them, or choose distillation")]
    if chosen == "regression" and len(graph.outputs) > 1:
        wanted = "one output, for a regression"
        return [Problem("--task", wanted, outputs, "choose distillation")]
    return []


def gives_its_input(graph: Graph) -> bool:
    kinds = [each.type for each in (*graph.inputs, *graph.outputs)]
    return len(kinds) == 2 and kinds[0].size == kinds[1].size and kinds[0].numpy.kind == "f"


def target_problems(where: str, graph: Graph, y: Header, task: str, steps: int | None) -> list[Problem]:
    chosen = task_of(graph, y, task)
    count = y.shape[0]
    kind = graph.outputs[0].type
    if chosen == "classification" and not is_labels(y):
        if squeezed(y.shape[1:]) == (classes_of(graph),):
            do = f"store the labels: {Y}.argmax(-1)"
            return [Problem(where, f"integer labels [{count}]", f"{y}, one column a class", do)]
        return [
            Problem(where, f"integer labels [{count}]", str(y), "store the number of each sample's class")
        ]
    if chosen != "regression":
        return []
    whole = kind.shape if steps is None else (steps, *kind.shape)
    if squeezed(y.shape[1:]) != squeezed(whole):
        wanted = f"[{','.join(map(str, (count, *whole)))}], as the output (axes of 1 may be missing)"
        return [Problem(where, wanted, str(y), "store the targets in this shape")]
    return []


# values


def make_samples(
    graph: Graph,
    inputs: Sequence[np.ndarray],
    targets: np.ndarray | None = None,
    task: str = "auto",
    every_class: bool = False,
) -> Samples:
    """Samples of arrays in memory. Raises CompileError with all that does not fit the net."""
    where = Path("data")
    roles = {f"{X}_{index}": each for index, each in enumerate(inputs)}
    if targets is not None:
        roles[Y] = targets
    headers = {role: Header(each.shape, each.dtype) for role, each in roles.items()}
    names = {role: role for role in roles}
    problems = check_headers(where, headers) or fit_problems(where, graph, names, headers, task)
    chosen = task_of(graph, headers.get(Y), task)
    if problems:
        raise CompileError(tuple(problems))
    for role, array, node in zip(roles, inputs, graph.inputs, strict=False):
        problems += value_problems(role, array, node.type)
    if targets is not None and chosen == "classification":
        problems += label_problems(targets, classes_of(graph), every_class)
    elif targets is not None and chosen == "regression":
        problems += value_problems(Y, targets, graph.outputs[0].type) or one_hot_problems(
            graph, targets, task
        )
    if problems:
        raise CompileError(tuple(problems))
    return Samples(
        tuple(shaped(graph, each, node.type) for each, node in zip(inputs, graph.inputs, strict=True)),
        None if targets is None else shaped_targets(graph, targets, chosen),
        chosen,
        tuple(node.type.numpy for node in graph.inputs),
    )


def value_problems(role: str, array: np.ndarray, kind: Type) -> list[Problem]:
    """Values that the dtype of an input cannot hold."""
    lowest, highest = limits_of(kind)
    for start in range(0, len(array), CHUNK):
        part = array[start : start + CHUNK]
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            index = start + int(np.argmin(np.isfinite(part).reshape(len(part), -1).all(1)))
            found = "NaN" if np.isnan(array[index]).any() else "infinity"
            return [Problem(role, "finite numbers", f"{found} in sample {index}", "remove the sample")]
        if part.min() < lowest or part.max() > highest:
            found = f"{part.min()} to {part.max()}"
            return [Problem(role, f"values that {kind.dtype} holds", found, "scale or remove them")]
    return []


def limits_of(kind: Type) -> tuple[float, float]:
    """The least and the greatest value that an element can have."""
    if kind.dtype == "bool":
        return 0, 1
    limits = np.finfo(kind.numpy) if kind.numpy.kind == "f" else np.iinfo(kind.numpy)
    return limits.min, limits.max


def label_problems(labels: np.ndarray, classes: int, every_class: bool) -> list[Problem]:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        wanted = f"labels from 0 to {classes - 1}"
        return [Problem(Y, wanted, f"{low} to {high}", "number the classes as the net does")]
    missing = sorted(set(range(classes)) - set(np.unique(labels).tolist()))
    if every_class and missing:
        found = f"none of class {', '.join(map(str, missing[:8]))}{', ..' * (len(missing) > 8)}"
        do = "add samples of it, or choose distillation: it needs no labels"
        return [Problem(Y, f"samples of all {classes} classes", found, do)]
    return []


def one_hot_problems(graph: Graph, targets: np.ndarray, task: str) -> list[Problem]:
    """Rows of zeros and a single one for a classifier, or zeros and ones for one of two classes, are labels:
    a guess that the user has to confirm."""
    rows = targets.reshape(len(targets), -1)
    if task != "auto" or not classes_of(graph) or not ((rows == 0) | (rows == 1)).all():
        return []
    header = Header(targets.shape, targets.dtype)
    if graph.outputs[0].type.size == 1:
        if targets.dtype.kind != "f" or rows.shape[1] != 1:
            return []
        found, do = f"{header}, zeros and ones", f"store {Y} as integers, or choose --task regression"
    elif (rows.sum(1) == 1).all():
        found = f"{header}, one column a class"
        do = f"store {Y}.argmax(-1), or choose --task regression"
    else:
        return []
    return [Problem(Y, f"integer labels [{len(targets)}]", found, do)]


def shaped(graph: Graph, array: np.ndarray, kind: Type) -> np.ndarray:
    lead = 2 if graph.states else 1
    return array.reshape(*array.shape[:lead], *kind.shape)


def shaped_targets(graph: Graph, targets: np.ndarray, task: str) -> np.ndarray | None:
    if task == "classification":
        return targets.reshape(len(targets)).astype(np.int64)
    if task == "regression":
        steps = targets.shape[1:2] if graph.states else ()
        return targets.astype(np.float32).reshape(len(targets), *steps, *graph.outputs[0].type.shape)
    return None
