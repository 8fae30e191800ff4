"""A Keras .h5 file to a Graph, through its own configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph, Node, Type, constant, input_node
from s2c.readers.keras.layer import AGAIN, MOST_EXTENT, Layer, is_integer
from s2c.readers.keras.layers import READERS
from s2c.readers.keras.weights import Stored, read_stored

MOST_ELEMENTS = 1 << 28
Place = tuple[str, int]  # of a layer and of one of its uses


def load_keras(path: Path, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> Graph:
    """The Graph of a Sequential or functional model saved as .h5, in float32, channels last.

    dims sets the batch ("batch", 1 where not given) and other unknown extents ("<input>.<axis>"); consts
    binds inputs to arrays. Raises CompileError with all problems.
    """
    try:
        return Reading(read_stored(path), dims, consts).graph()
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as problem:
        found = f"{type(problem).__name__}: {problem}".splitlines()[0]
        raise error("model", "a configuration as Keras writes it", found, "save the model again") from None


class Reading:
    """The state of one reading: the node of each use of a layer, None behind a problem."""

    def __init__(self, stored: Stored, dims: Mapping[str, int], consts: Mapping[str, np.ndarray]) -> None:
        self.stored, self.dims, self.consts = stored, dims, consts
        self.nodes: dict[Place, Node | None] = {}
        self.inputs: list[Node] = []
        self.flags: set[str] = set()
        self.problems: list[Problem] = []

    def graph(self) -> Graph:
        config = self.stored.config
        layers = config["config"]["layers"] if isinstance(config["config"], dict) else config["config"]
        if config["class_name"] == "Sequential":
            outputs = self.read_sequence(layers)
        else:
            outputs = self.read_functional(layers, config["config"])
        self.refuse_unknown_names()
        if self.problems:
            raise CompileError(tuple(self.problems))
        nodes = tuple(each for each in outputs if each is not None)
        return Graph(tuple(self.inputs), nodes)

    def read_sequence(self, layers: list[dict[str, Any]]) -> list[Node | None]:
        first = layers[0]
        if first["class_name"] != "InputLayer":
            name = f"{first['config']['name']}_input"
            layers = [{"class_name": "InputLayer", "config": {**first["config"], "name": name}}, *layers]
        last: Place | None = None
        for each in layers:
            name = str(each["config"]["name"])
            self.read(each, name, 0, [] if last is None else [last])
            last = (name, 0)
        assert last is not None
        return [self.nodes[last]]

    def read_functional(self, layers: list[dict[str, Any]], config: dict[str, Any]) -> list[Node | None]:
        waiting = [use for each in layers for use in uses(each)]
        while waiting:
            ready = [use for use in waiting if all(place in self.nodes for place in use[3])]
            if not ready:
                names = ", ".join(sorted({use[1] for use in waiting})[:4])
                raise error("model", "layers that need no layer behind them", names, "save the model again")
            for use in ready:
                self.read(*use)
            waiting = [use for use in waiting if use not in ready]
        return [self.nodes[place_of(each)] for each in as_list(config["output_layers"])]

    def read(self, layer: dict[str, Any], name: str, use: int, sources: list[Place]) -> None:
        self.nodes[name, use] = None
        inputs = [self.nodes[place] for place in sources]
        kind, config = str(layer["class_name"]), layer["config"]
        try:
            if kind == "InputLayer":
                self.nodes[name, use] = self.read_input(name, config)
            elif kind not in READERS:
                do = "write it with layers that s2c reads (s2c ops), or export the model to ONNX"
                raise error(name, "a layer that s2c reads from Keras", kind, do)
            elif None not in inputs:
                known = tuple(each for each in inputs if each is not None)
                weights = tuple(self.stored.weights.get(name, ()))
                node = READERS[kind](Layer(name, kind, config, known, weights))
                self.nodes[name, use] = checked_size(name, node)
        except CompileError as problem:
            self.problems += problem.problems

    def read_input(self, name: str, config: dict[str, Any]) -> Node:
        declared = config.get("batch_input_shape") or config.get("batch_shape")
        if not declared or config.get("dtype") not in (None, "float32"):
            found = f"shape {declared}, dtype {config.get('dtype')}"
            raise error(name, "a float32 input with a shape", found, "save the model with an Input layer")
        if name in self.consts:
            return self.bound(name, declared)
        shape = tuple(self.extent(name, axis, extent) for axis, extent in enumerate(declared))
        node = checked_size(name, input_node(name, Type(shape, "f32")))
        self.inputs.append(node)
        return node

    def extent(self, name: str, axis: int, extent: int | None) -> int:
        if extent is not None:
            if not is_integer(extent, 1):
                raise error(name, f"extents of 1 to {MOST_EXTENT}", str(extent)[:80], AGAIN)
            return extent
        flag = "batch" if axis == 0 else f"{name}.{axis}"
        self.flags.add(flag)
        if axis and flag not in self.dims:
            raise error(
                name, "a fixed shape", f"axis {axis} of unknown extent", f"set it with --dim {flag}=N"
            )
        return int(self.dims.get(flag, 1))

    def bound(self, name: str, declared: list[int | None]) -> Node:
        value = self.consts[name]
        fits = value.ndim == len(declared) and all(
            a in (None, b) for a, b in zip(declared, value.shape, strict=True)
        )
        if value.dtype != np.float32 or not fits:
            found = f"{value.dtype}{list(value.shape)}"
            raise error(name, f"--const of float32{declared}", found, "save another array")
        return constant(value, name)

    def refuse_unknown_names(self) -> None:
        names = {each for each, _ in self.nodes}
        for flag, given, known in (("dim", self.dims, self.flags), ("const", self.consts, names)):
            for each in sorted(set(given) - known):
                wanted = f"a name that --{flag} can set ({', '.join(sorted(known)) or 'none'})"
                self.problems.append(Problem("model", wanted, repr(each), f"correct --{flag} {each}"))


def checked_size(name: str, node: Node) -> Node:
    if not 1 <= node.type.size <= MOST_ELEMENTS:
        raise error(name, f"a result of 1 to {MOST_ELEMENTS} elements", str(node.type), "make it smaller")
    return node


def uses(layer: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, int, list[Place]]]:
    """Each use of a layer with the places that it reads: a layer may stand at several places of a net."""
    name = str(layer["name"])
    for index, call in enumerate(layer["inbound_nodes"] or [[]]):
        if any(len(each) > 3 and each[3] for each in call):
            found = json.dumps([each[3] for each in call if len(each) > 3])[:80]
            raise error(name, "a layer called with its inputs alone", found, "export the model to ONNX")
        yield layer, name, index, [place_of(each) for each in call]


def place_of(reference: list[Any]) -> Place:
    return str(reference[0]), int(reference[1])


def as_list(references: list[Any]) -> list[list[Any]]:
    return [references] if isinstance(references[0], str) else references
