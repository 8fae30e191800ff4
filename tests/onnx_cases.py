"""The cases of ONNX's own backend tests, and which of a case's inputs s2c needs as constants."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from s2c.driver import Compilation
from s2c.errors import CompileError

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
SMALL = 16  # elements: a parameter rather than data

Compile = Callable[[Mapping[str, np.ndarray]], Compilation]
Attempt = Callable[[Sequence[str]], Compilation | CompileError]


@dataclass(frozen=True)
class DataSet:
    """Arrays by input name and for each output; what is no tensor stands as it is."""

    inputs: Mapping[str, Any]
    outputs: tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    model: onnx.ModelProto
    data_sets: tuple[DataSet, ...]
    rtol: float
    atol: float


# loading


def load_cases(pattern: str = "") -> list[Case]:
    """All cases whose name the pattern finds, by kind and name. onnx computes those of its nodes: 5 s."""
    cases = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for kind in KINDS:
            found = (each for each in load_model_tests(kind=kind) if re.search(pattern, each.name))
            cases += [load_case(kind, each) for each in sorted(found, key=lambda each: each.name)]
    return cases


def load_case(kind: str, case: Any) -> Case:
    if case.model is not None:
        names = [each.name for each in case.model.graph.input]
        sets = [
            DataSet(dict(zip(names, map(as_array, inputs), strict=True)), tuple(map(as_array, outputs)))
            for inputs, outputs in case.data_sets
        ]
        return Case(case.name, kind, case.model, tuple(sets), case.rtol, case.atol)
    model = onnx.load(Path(case.model_dir, "model.onnx"))
    folders = sorted(Path(case.model_dir).glob("test_data_set_*"))
    sets = [read_data_set(model, folder) for folder in folders]
    return Case(case.name, kind, model, tuple(sets), case.rtol, case.atol)


def as_array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else value


def read_data_set(model: onnx.ModelProto, folder: Path) -> DataSet:
    inputs = read_values(model.graph.input, folder, "input")
    outputs = read_values(model.graph.output, folder, "output")
    return DataSet(
        {each.name: value for each, value in zip(model.graph.input, inputs, strict=False)}, tuple(outputs)
    )


def read_values(declared: Sequence[onnx.ValueInfoProto], folder: Path, role: str) -> list[Any]:
    """The values of <role>_0.pb, <role>_1.pb, ...; each belongs to the input or output of its number."""
    paths = [folder / f"{role}_{index}.pb" for index in range(len(declared))]
    return [
        read_value(each, path.read_bytes())
        for each, path in zip(declared, paths, strict=True)
        if path.exists()
    ]


def read_value(declared: onnx.ValueInfoProto, data: bytes) -> Any:
    if declared.type.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if declared.type.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


# binding


def dims_of(case: Case, data: DataSet) -> dict[str, int]:
    """The extents that the model leaves open, from the shapes of its data."""
    dims = {}
    for each in case.model.graph.input:
        value = data.inputs.get(each.name)
        declared = each.type.tensor_type.shape.dim
        if isinstance(value, np.ndarray) and value.ndim == len(declared):
            for axis, (dim, extent) in enumerate(zip(declared, value.shape, strict=True)):
                if not dim.HasField("dim_value"):
                    dims[dim.dim_param or f"{each.name}.{axis}"] = extent
    return dims


@dataclass(frozen=True)
class Refusal:
    """What is wrong with a net where `bound` is given: what its reader asks to be given, if anything."""

    bound: tuple[str, ...]
    error: CompileError
    is_constant: bool  # it compiles with more bound, but then reads no input


def compile_bound(data: DataSet, compile_with: Compile) -> Refusal | tuple[Compilation, tuple[str, ...]]:
    """The net with as few inputs bound to their data as it needs, and their names. A Refusal where no binding
    helps that leaves an input which the net reads."""
    arrays = {name: value for name, value in data.inputs.items() if isinstance(value, np.ndarray)}

    def attempt(names: Sequence[str]) -> Compilation | CompileError:
        try:
            return compile_with({name: arrays[name] for name in names})
        except CompileError as problem:
            return problem

    found = attempt(())
    if isinstance(found, Compilation):
        return found, ()
    named, found = bind_named(arrays, found, attempt)
    is_constant = False
    for names in (named, *others(arrays)):
        if isinstance(bound := attempt(names), Compilation):
            if reads_an_input(bound):
                return drop_needless(names, bound, attempt)
            is_constant = True
    if isinstance(found, Compilation):
        named, found = (), attempt(())
    assert isinstance(found, CompileError)
    return Refusal(named, found, is_constant or isinstance(attempt(tuple(arrays)), Compilation))


def reads_an_input(compilation: Compilation) -> bool:
    uses = compilation.source.uses()
    return any(uses[each] for each in compilation.source.inputs)


def drop_needless(
    names: Sequence[str], compilation: Compilation, attempt: Attempt
) -> tuple[Compilation, tuple[str, ...]]:
    kept = list(names)
    for name in names:
        fewer = [each for each in kept if each != name]
        found = attempt(fewer)
        if isinstance(found, Compilation):
            kept, compilation = fewer, found
    return compilation, tuple(kept)


def bind_named(
    arrays: Mapping[str, np.ndarray], problem: CompileError, attempt: Attempt
) -> tuple[tuple[str, ...], Compilation | CompileError]:
    """Binds what the problems name, and what the problems of that name, until nothing new is named."""
    named: tuple[str, ...] = ()
    found: Compilation | CompileError = problem
    while isinstance(found, CompileError):
        more = tuple(name for name in arrays if name in named or is_named(name, found))
        if more == named:
            break
        named = more
        found = attempt(named)
    return named, found


def others(arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[str, ...]]:
    """More sets of inputs worth binding, never all: one alone, what is not float, what is small, all but one.
    Later inputs first: the first is data as a rule."""
    by_size = sorted(arrays, key=lambda name: (arrays[name].size, -list(arrays).index(name)))
    sets = [
        *((name,) for name in by_size),
        tuple(name for name in arrays if arrays[name].dtype.kind in "iub"),
        tuple(name for name in by_size[:-1] if arrays[name].size <= SMALL),
        *(tuple(name for name in arrays if name != kept) for kept in reversed(by_size)),
    ]
    return (names for names in dict.fromkeys(sets) if 0 < len(names) < len(arrays))


def is_named(name: str, problem: CompileError) -> bool:
    """Whether a problem is about the input, or asks for it as a constant."""
    return any(each.layer == name or f"--const {name}=" in each.do for each in problem.problems)
