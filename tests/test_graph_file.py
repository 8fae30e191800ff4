"""Graphs as .s2c files: nothing is lost on the way, and what nobody wrote is refused with its reason."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import (
    has_host_kernel,
    mixed_arrays,
    random_graph,
    same_array,
    seeded,
    single,
    tensor,
)
from plain_graphs import plain_nodes, random_plain_graph

from s2c import oracle
from s2c.artifact import save_artifact
from s2c.driver import compile_model, make_request
from s2c.errors import CompileError
from s2c.ir import DTYPES, Graph, Node, Quant, State, Type, constant, input_node, state_node
from s2c.ops import OPS, make
from s2c.passes import stages
from s2c.readers import load_model
from s2c.readers.graph_file import graph_bytes, load_graph, write_graph
from s2c.readers.graph_file.container import pack, unpack
from s2c.readers.graph_file.signatures import SIGNATURES
from s2c.readers.graph_file.values import Arrays, decode, encode
from s2c.verify import verify

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

from model_table import DATA, flags_of, model_paths

PATHS = model_paths()


def returned(graph: Graph) -> Graph:
    """What comes back, which has the same bytes again."""
    data = graph_bytes(graph)
    found = load_graph(data)
    assert graph_bytes(found) == data
    assert str(found) == str(graph)
    assert found.output_names == graph.output_names
    return found


def check_results(graph: Graph, found: Graph) -> None:
    arrays = mixed_arrays(graph)
    with np.errstate(all="ignore"):
        pairs = zip(oracle.run(graph, *arrays), oracle.run(found, *arrays), strict=True)
    assert all(same_array(a, b, tolerance=0.0) for a, b in pairs)


def with_stages(graph: Graph) -> Iterator[Graph]:
    """The graph as a reader gives it, after each pass, and of core ops alone."""
    yield graph
    for has_kernel in (has_host_kernel, lambda node: False):
        try:
            yield from (each for _, each in stages(graph, has_kernel))
        except CompileError:
            continue


# round trips


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("dtype", ["i8", "f32", "plain"])
def test_random_nets_come_back(dtype: str, seed: int) -> None:
    graph = random_plain_graph(seeded(seed)) if dtype == "plain" else random_graph(seeded(seed), dtype)
    for each in with_stages(graph):
        check_results(each, returned(each))


def test_single_nodes_come_back() -> None:
    nodes = plain_nodes()
    for node in nodes:
        returned(single(node, *(each for each in Graph((), (node,)).nodes() if each.op == "input")))
    assert len({node.op for node in nodes}) > 10


def test_every_op_has_a_signature() -> None:
    assert set(SIGNATURES) == set(OPS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype(dtype: str) -> None:
    values = np.array([0, 1, 1, 0, 1, 0]).astype(DTYPES[dtype])
    nodes = [constant(each, "c") for each in (values.reshape(1, 2, 3), values.reshape(2, 3).T, values[1])]
    last = constant(np.ones(2, np.float32), "y")
    arrays = Arrays()
    description = [encode(node.attrs["value"], arrays) for node in nodes]
    _, stored = unpack(pack({"nodes": []}, arrays.stored))
    for node, each in zip(nodes, description, strict=True):
        found, wanted = decode(each, stored), node.attrs["value"]
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        assert np.array_equal(found, wanted)
    returned(Graph((), (last, *(node for node in nodes if dtype != "f64"))))


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -(1 << 62), "", "名\n"),
        *(0.0, -0.0, 1e-45, 0.1, math.inf, -math.inf, math.nan),
        *((), ((0, 1), (2.0, "a")), (math.inf, None, False)),
    ],
    ids=repr,
)
def test_attrs_of_every_kind(value: Any) -> None:
    found = decode(json.loads(json.dumps(encode(value, Arrays()), allow_nan=False)), [])
    assert repr(found) == repr(value)


def test_scales_come_back_to_the_bit() -> None:
    scales = tuple(float(np.float32(each)) for each in (0.1, 1e-17, 3.3e17))
    weight = constant(np.ones((2, 3), np.int8), "w", Quant(scales, 0, 1))
    x = input_node("x", Type((2,), "u8", Quant((scales[0],), 255)))
    y = make("recenter", (x,), "y")
    found = returned(Graph((x,), (y, weight)))
    assert found.outputs[1].type.quant == Quant(scales, 0, 1)
    assert found.inputs[0].type.quant == Quant((scales[0],), 255)


def recurrent() -> Graph:
    """Two steps of one dense layer, with a state."""
    weight, bias = np.eye(3, dtype=np.float32) * 0.5, np.ones(3, np.float32)
    x, state = tensor("x", 1, 3), state_node(np.full((1, 3), 0.25, np.float32), "h")
    y = make("add", (x, state), "sum")
    for index in range(2):
        y = make("dense", (y,), f"step {index}", weight=weight, bias=bias)
    return Graph((x,), (y,), ("out",), (State(state, y),))


def test_states_and_names_come_back() -> None:
    graph = recurrent()
    found = returned(graph)
    calls = [(np.full((1, 3), each, np.float32),) for each in (1, 2, 3)]
    pairs = zip(oracle.run_sequence(graph, calls), oracle.run_sequence(found, calls), strict=True)
    assert all(np.array_equal(a[0], b[0]) for a, b in pairs)
    assert found.output_names == ("out",)


def test_shared_arrays_stay_shared() -> None:
    first, second = (node for node in returned(recurrent()).nodes() if node.op == "dense")
    assert first.attrs["weight"] is second.attrs["weight"]
    assert first.attrs["bias"] is second.attrs["bias"]
    graph = recurrent()
    equal = graph.rewrite(lambda node, uses: copied(node) if node.layer == "step 1" else None)
    first, second = (node for node in returned(equal).nodes() if node.op == "dense")
    assert first.attrs["weight"] is not second.attrs["weight"]


def copied(node: Node) -> Node:
    return node.with_attrs(weight=node.attrs["weight"].copy())


@pytest.mark.build
@pytest.mark.skipif(not PATHS, reason=f"missing nets: set S2C_DATA, now {DATA}")
@pytest.mark.parametrize("path", PATHS)
def test_public_nets_come_back(path: str) -> None:
    flags = flags_of(path)
    try:
        graph = load_model(DATA / path, flags.dims, flags.consts)
    except CompileError:
        pytest.skip("no net that s2c reads")
    found = returned(graph)
    wanted = [node.attrs for node in graph.nodes()]
    for a, b in zip(wanted, (node.attrs for node in found.nodes()), strict=True):
        for name, value in a.items():
            same = np.array_equal(value, b[name]) if isinstance(value, np.ndarray) else value == b[name]
            assert same or np.isnan(value).any(), name


# as a model


def test_compiles_and_verifies(tmp_path: Path) -> None:
    write_graph(tmp_path / "net.s2c", recurrent())
    request = make_request(tmp_path / "net.s2c", "host")
    save_artifact(compile_model(request), tmp_path / "out")
    assert (tmp_path / "out" / "net.s2c").read_bytes() == (tmp_path / "net.s2c").read_bytes()
    found = verify(tmp_path / "out", inputs=2)
    assert found.ok and found.bit_exact


def test_takes_no_flags_of_other_formats(tmp_path: Path) -> None:
    write_graph(tmp_path / "net.s2c", recurrent())
    with pytest.raises(CompileError) as caught:
        load_model(tmp_path / "net.s2c", {"batch": 2}, {"x": np.zeros(3)})
    assert str(caught.value) == (
        "net.s2c: wanted no --dim, as a .s2c file is fixed, found 'batch'; leave it out\n"
        "net.s2c: wanted no --const, as a .s2c file is fixed, found 'x'; leave it out"
    )
