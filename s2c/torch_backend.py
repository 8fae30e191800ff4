"""torch.compile(model, backend="s2c"): a graph of TorchDynamo to a compiled program on the host."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

import s2c
from s2c.errors import CompileError, Problem
from s2c.program import Program
from s2c.readers.torch import save_module

Function = Callable[..., tuple[torch.Tensor, ...]]
Versions = tuple[tuple[int, int], ...]


class Bound(nn.Module):  # type: ignore[misc]
    """A graph with its weights in their places: a module, because torch.export takes nothing else."""

    def __init__(self, graph: fx.GraphModule, values: Sequence[Any], is_weight: Sequence[bool]) -> None:
        super().__init__()
        self.graph = graph
        self.is_weight = tuple(is_weight)
        for index, value in enumerate(values):
            if is_weight[index]:
                self.register_buffer(f"weight_{index}", value.detach())

    def forward(self, *inputs: torch.Tensor) -> Any:
        rest = iter(inputs)
        values = [
            getattr(self, f"weight_{index}") if weight else next(rest)
            for index, weight in enumerate(self.is_weight)
        ]
        with fx.traceback.preserve_node_meta():
            return fx.Interpreter(self.graph).run(*values)


def compile_graph(graph: fx.GraphModule, example_inputs: Sequence[Any]) -> Function:
    """A function that runs the graph as a program, with the weights that it has now in it.

    Once a weight was written to, the next call compiles anew. Raises CompileError with all that cannot be
    compiled: nothing falls back to torch. What it returns carries no gradient.
    """
    refuse_inputs(graph, example_inputs)
    dtypes = result_dtypes(graph)
    is_weight = [is_static(each) for each in example_inputs]
    weights = [each for each, static in zip(example_inputs, is_weight, strict=True) if static]
    state = compile_weights(graph, example_inputs, is_weight)
    known = versions(weights)

    def run(*values: Any) -> tuple[torch.Tensor, ...]:
        nonlocal state, known
        found = versions([each for each, static in zip(values, is_weight, strict=True) if static])
        if found != known:
            state.close()
            state, known = compile_weights(graph, values, is_weight), found
        inputs = [each for each, static in zip(values, is_weight, strict=True) if not static]
        return call(state, inputs, dtypes)

    return run


def compile_weights(graph: fx.GraphModule, values: Sequence[Any], is_weight: Sequence[bool]) -> Program:
    inputs = tuple(each for each, static in zip(values, is_weight, strict=True) if not static)
    with tempfile.TemporaryDirectory(prefix="s2c-") as folder:
        path = Path(folder) / "graph.pt2"
        save_module(Bound(graph, values, is_weight), inputs, path)
        return s2c.compile(path, target="host")


def result_dtypes(graph: fx.GraphModule) -> list[torch.dtype]:
    (results,) = next(each for each in graph.graph.nodes if each.op == "output").args
    return [each.meta["example_value"].dtype for each in results]


def call(
    program: Program, inputs: Sequence[torch.Tensor], dtypes: Sequence[torch.dtype]
) -> tuple[torch.Tensor, ...]:
    results = program(*(plain(each).numpy() for each in inputs))
    listed = results if isinstance(results, tuple) else (results,)
    pairs = zip(listed, dtypes, strict=True)
    return tuple(torch.from_numpy(each.copy()).to(dtype) for each, dtype in pairs)


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """bfloat16, which numpy has not, as float32."""
    found = tensor.detach().contiguous()
    return found.to(torch.float32) if found.dtype == torch.bfloat16 else found


def versions(weights: Sequence[torch.Tensor]) -> Versions:
    """What changes when a weight is written to, or replaced."""
    return tuple((each.data_ptr(), each._version) for each in weights)


def is_static(value: Any) -> bool:
    """Whether TorchDynamo passes a tensor because a module holds it."""
    return isinstance(value, nn.Parameter) or hasattr(value, "_dynamo_static_input_type")


def refuse_inputs(graph: fx.GraphModule, example_inputs: Sequence[Any]) -> None:
    """Sizes and numbers that may change, and tensors elsewhere than on the CPU."""
    problems = []
    places = [each for each in graph.graph.nodes if each.op == "placeholder"]
    for place, value in zip(places, example_inputs, strict=True):
        if not isinstance(value, torch.Tensor):
            wanted, found = "tensors of fixed shape as inputs", "a size or a number that may change"
            do = "compile with torch.compile(model, backend='s2c', dynamic=False)"
            problems.append(Problem(place.name, wanted, found, do))
        elif value.device.type != "cpu":
            do = "move the model and its inputs there"
            problems.append(Problem(place.name, "a tensor on the CPU", f"one on {value.device}", do))
    if problems:
        raise CompileError(tuple(problems))
