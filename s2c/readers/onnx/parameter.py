"""The weights of a layer as nodes: constants where the model knows them, however they were stored."""

from __future__ import annotations

from s2c.ir import Node, constant
from s2c.readers.onnx.source import Constant, Source, activation, given, required
from s2c.readers.onnx.weights import float_array


def parameter(source: Source, index: int) -> Node:
    if isinstance(required(source, index), Constant):
        return constant(float_array(source, index, "weights"), source.layer)
    return activation(source, index)


def optional_parameter(source: Source, index: int) -> Node | None:
    return None if given(source, index) is None else parameter(source, index)
