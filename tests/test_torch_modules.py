"""torch modules that users have: read into Graphs and compiled for the host, each equal to torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_modules import MODULES, make_inputs, make_module  # noqa: E402

import s2c  # noqa: E402
from s2c import oracle  # noqa: E402
from s2c.readers.torch import load_module, write_module  # noqa: E402

pytestmark = pytest.mark.build


TOLERANCE = 1e-4
SEEDS = range(4)
QUICK = ("gru", "gpt", "experts", "squeeze_excite", "autoencoder")


def assert_close(wanted: Any, found: Any) -> None:
    """Floats within TOLERANCE of the largest value, integers equal."""
    listed = [wanted] if isinstance(wanted, torch.Tensor) else list(wanted)
    arrays = found if isinstance(found, (tuple, list)) else [found]
    for a, b in zip((each.numpy() for each in listed), arrays, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if a.dtype.kind == "f":
            np.testing.assert_allclose(b, a, 0, TOLERANCE * float(np.abs(a).max()))
        else:
            np.testing.assert_array_equal(b, a)


def run(module: Any, inputs: tuple[Any, ...]) -> Any:
    with torch.no_grad():
        return module(*inputs)


@pytest.mark.parametrize("name", QUICK)
def test_graph_equals_torch(name: str) -> None:
    module = make_module(name)
    graph = load_module(module, make_inputs(name))
    for seed in SEEDS:
        inputs = make_inputs(name, seed)
        assert_close(run(module, inputs), oracle.run(graph, *(each.numpy() for each in inputs)))


@pytest.mark.build
@pytest.mark.parametrize("name", MODULES)
def test_program_equals_torch(name: str, tmp_path: Path) -> None:
    module = make_module(name)
    path = write_module(module, make_inputs(name), tmp_path)
    with s2c.compile(path) as program:
        for seed in SEEDS:
            inputs = make_inputs(name, seed)
            assert_close(run(module, inputs), program(*(each.numpy() for each in inputs)))
