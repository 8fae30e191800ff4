"""Adapted graphs as programs: built for the target, run and measured there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2c.adapt.recipe import Recipe
from s2c.artifact import write_artifact
from s2c.bench import Instructions, Latencies, bench
from s2c.driver import Request, compile_model
from s2c.ir import Graph
from s2c.readers.graph_file import write_graph

if TYPE_CHECKING:
    from s2c.train.data import Samples

TIMED_CALLS = 200


def measure_program(recipe: Recipe, graph: Graph, calibration: Samples | None) -> float:
    """Median microseconds, or instructions, of the graph's program on the target; raises CompileError."""
    with built(recipe, graph, calibration) as folder:
        result = bench(folder, calls=TIMED_CALLS)
    if isinstance(result, Instructions):
        return float(result.instructions)
    assert isinstance(result, Latencies), result
    return result.median_microseconds


@contextmanager
def built(recipe: Recipe, graph: Graph, calibration: Samples | None) -> Iterator[Path]:
    """The artifact of a graph that is not trained yet, in int8 where the recipe asks for it: as large and as
    fast as it will be. Raises CompileError where the target cannot have it."""
    if recipe.int8:
        assert calibration is not None
        from s2c.train.quantization import with_rough_ranges

        graph = with_rough_ranges(graph, calibration, recipe.keep_float, recipe.float_io)
    with tempfile.TemporaryDirectory(prefix="s2c-") as temporary:
        path = Path(temporary) / f"{recipe.request.name}.s2c"
        write_graph(path, graph)
        folder = Path(temporary) / "out"
        folder.mkdir()
        write_artifact(compile_model(adapted_request(recipe.request, path)), folder)
        yield folder


def adapted_request(request: Request, path: Path) -> Request:
    """The same for the adapted graph's file: dimensions, constants and states are in it already."""
    return replace(request, model=path, dims={}, consts={}, states={}, last_states=0)
