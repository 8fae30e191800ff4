"""What nobody wrote as a .s2c file: refused with the layer, what was wanted and what was found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import tensor

from s2c.errors import CompileError
from s2c.ir import DTYPES, Graph
from s2c.ops import make
from s2c.readers.graph_file import container, document, load_graph
from s2c.readers.graph_file.container import pack
from s2c.readers.graph_file.values import Arrays

# files that nobody wrote


def message(data: bytes) -> str:
    with pytest.raises(CompileError) as caught:
        load_graph(data)
    return str(caught.value)


def whole(**changes: Any) -> bytes:
    """The bytes of a file of one node, with parts of the JSON replaced."""
    x = tensor("x", 1, 2)
    arrays = Arrays()
    described = document.describe_graph(Graph((x,), (make("relu", (x,), "y", lo=0.0),)), arrays)
    return pack({**described, **changes}, arrays.stored)


def with_header(text: str) -> bytes:
    data = text.encode()
    return container.MAGIC + len(data).to_bytes(8, "little") + data


LISTED = '{"version":1,"arrays":%s}'
AGAIN = "export or download the file again"
FILES = {
    "another kind": (b"PK\3\4", f"wanted a .s2c file, found another kind of file; {AGAIN}"),
    "no length": (container.MAGIC, f"wanted a file of at least 16 bytes, found 8 bytes; {AGAIN}"),
    "short": (
        container.MAGIC + b"\xff" * 8,
        f"wanted a file of at least 18446744073709551631 bytes, found 16 bytes; {AGAIN}",
    ),
    "too deep": (
        with_header('{"a":' + "[" * 100_000),
        f"wanted a JSON file, found lists or objects within each other, too deep; {AGAIN}",
    ),
    "version": (
        with_header('{"version":2}'),
        "wanted format 1 of .s2c files, found format 2; write the file again with this version of s2c",
    ),
    "no version": (
        with_header("{}"),
        "wanted format 1 of .s2c files, found another; write the file again with this version of s2c",
    ),
    "no arrays": (with_header(LISTED % "3"), f"wanted a list of arrays, found int; {AGAIN}"),
    "no array": (
        with_header(LISTED % "[3]"),
        f"wanted array 0 as a dtype and a shape of at most 32 axes, found something else; {AGAIN}",
    ),
    "dtype": (
        with_header(LISTED % '[["f33",[2]]]'),
        f"wanted array 0 of one of {', '.join(DTYPES)}, found f33; {AGAIN}",
    ),
    "shape": (
        with_header(LISTED % '[["f32",[-1]]]'),
        f"wanted array 0 as a dtype and a shape of at most 32 axes, found [-1]; {AGAIN}",
    ),
    "large shape": (
        with_header(LISTED % '[["f32",[0,65536,65536]]]'),
        f"wanted array 0 as a dtype and a shape of at most 32 axes, found [0, 65536, 65536]; {AGAIN}",
    ),
    "truncated": (
        with_header(LISTED % '[["f32",[1048576]]]'),
        f"wanted array 0 of 4194304 bytes, found 0 bytes; {AGAIN}",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_refuses_files(name: str) -> None:
    data, wanted = FILES[name]
    assert message(data) == f"model: {wanted}"


def test_refuses_trailing_bytes() -> None:
    data = whole()
    wanted = (
        f"model: wanted a file of {len(data)} bytes, as its arrays are, found {len(data) + 1} bytes; {AGAIN}"
    )
    assert message(data + b"\0") == wanted


def test_refuses_bools_of_other_bytes() -> None:
    data = bytearray(pack({"nodes": []}, [np.array([True, False])]))
    data[-container.UNIT] = 2
    assert message(bytes(data)) == f"model: wanted array 0 of the bytes 0 and 1, found others; {AGAIN}"


# graphs that nothing makes: parts of the JSON, by name

NAMES = {
    "nodes": (3, "at most 262144 nodes, found 3"),
    "inputs": ([7], "inputs: places of 0 to 1, found 7"),
    "outputs": ([], "0 names of outputs, found a list of 1"),
    "output_names": ([""], "names of outputs, found an empty text"),
    "states": (None, "a list of states, found None"),
}


@pytest.mark.parametrize("name", NAMES)
def test_refuses_parts(name: str) -> None:
    value, wanted = NAMES[name]
    assert message(whole(**{name: value})) == f"model: wanted {wanted}; write the file again"


ONCE = "each node of op {0} once in the list of the {0}s, and no others, found "
PARTS = {
    "no outputs": ({"outputs": [], "output_names": []}, "an output, found none"),
    "half a character": ({"output_names": ["\ud800"]}, "names of outputs, found half a character"),
    "no state": ({"states": [[0, 1]]}, ONCE.format("state") + "another"),
    "states": ({"states": [[0]]}, "a state's node and its next value, found a list of 1"),
    "input twice": ({"inputs": [0, 0]}, ONCE.format("input") + "one twice"),
    "input missing": ({"inputs": []}, ONCE.format("input") + "one that is not there"),
}


@pytest.mark.parametrize("name", PARTS)
def test_refuses_odd_graphs(name: str) -> None:
    changes, wanted = PARTS[name]
    assert message(whole(**changes)) == f"model: wanted {wanted}; write the file again"


def node_json(**changes: Any) -> dict[str, Any]:
    """A relu of the input, with parts replaced."""
    return {
        "op": "relu",
        "layer": "y",
        "inputs": [0],
        "type": ["f32", [1, 2]],
        "attrs": {"lo": 0.0},
    } | changes


INPUT = {"op": "input", "layer": "x", "inputs": [], "type": ["f32", [1, 2]], "attrs": {}}
FLOAT32 = "a finite float32 number"
NODES: dict[str, tuple[Any, str]] = {
    "no object": (3, "node 1: wanted an object, found 3"),
    "op": (node_json(op="eval"), "y: wanted an op that s2c has, found eval"),
    "no inputs": (node_json(inputs=[]), "y: wanted 1 inputs of relu, found 0 inputs"),
    "itself": (node_json(inputs=[1]), "y: wanted inputs before the node: places of 0 to 0, found 1"),
    "no list": (node_json(inputs=0), "y: wanted inputs before the node, found 0"),
    "no attrs": (node_json(attrs=None), "y: wanted attrs of relu, found None"),
    "missing attr": (node_json(op="max", attrs={}), "y: wanted size of max, found none"),
    "foreign attr": (node_json(attrs={"low": 1}), "y: wanted attrs that relu has (hi, lo), found low"),
    "kind": (
        node_json(attrs={"lo": "0"}),
        "y: wanted lo of relu as a number or an infinite one, found 0",
    ),
    "array": (node_json(attrs={"lo": {"array": 9}}), "y: wanted a value, found array: 9"),
    "object": (node_json(attrs={"lo": {}}), "y: wanted a value, found a dict of 0"),
    "nested": (
        node_json(attrs={"lo": [[[[[1]]]]]}),
        "y: wanted lists nested at most 4 deep, found deeper ones",
    ),
    "no name": (node_json(layer=""), "node 1: wanted a name of the layer, found an empty text"),
    "long name": (
        node_json(layer="y" * 2000),
        f"{'y' * 76} ...: wanted a name of the layer, found {'y' * 76} ...",
    ),
    "no type": (node_json(type=3), "y: wanted a type of dtype, shape and quantization, found 3"),
    "dtype": (
        node_json(type=["f31", [1]]),
        f"y: wanted one of the dtypes {', '.join(DTYPES)}, found f31",
    ),
    "empty": (
        node_json(type=["f32", [0]]),
        "y: wanted a shape of at most 32 extents of at least 1, found a list of 1",
    ),
    "huge": (
        node_json(type=["f32", [1 << 20, 1 << 20]]),
        "y: wanted a value of at most 33554432 elements, found 1099511627776",
    ),
    "quantized": (
        node_json(type=["f32", [2], [0.1], 0, None]),
        "y: wanted a quantized value of i8, u8, i16, i32, found f32",
    ),
    "scale": (
        node_json(type=["i8", [2], [0.0], 0, None]),
        "y: wanted scales of 1e-18 to 1e+18, found a list of 1",
    ),
    "zero": (
        node_json(type=["i8", [2], [0.1], 128, None]),
        "y: wanted a zero point of -128 to 127, found 128",
    ),
    "no axis": (
        node_json(type=["i8", [2], [0.1, 0.2], 0, None]),
        "y: wanted an axis, as there are several scales, found none",
    ),
    "axis": (
        node_json(type=["i8", [2], [0.1, 0.2], 0, 1]),
        "y: wanted an axis of the shape, and a zero point of 0, found 1",
    ),
    "scales": (node_json(type=["i8", [2], [0.1], 0, 0]), "y: wanted 2 scales, found 1"),
    "shape": (
        node_json(type=["f32", [2, 1]]),
        "y: wanted the type f32[1,2] of relu, found f32[2,1]",
    ),
    "ill-fitting": (
        node_json(op="slice", attrs={"starts": [0], "steps": [1], "shape": [1]}),
        "y: wanted inputs and attrs that go together in slice, found f32[1,2]",
    ),
    "inferred": (
        node_json(op="reshape", attrs={"shape": [3]}),
        "y: wanted a shape of 2 elements, found [3]; check the layer's shape",
    ),
    "element type": (
        node_json(op="dequantize", attrs={}),
        "y: wanted inputs of dequantize of i8~, found f32[1,2]",
    ),
    "result": (
        node_json(op="quantize", type=["i8", [1, 2]], attrs={}),
        "y: wanted a result of quantize of i8~, found i8[1,2]",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_refuses_nodes(name: str) -> None:
    value, wanted = NODES[name]
    wanted = wanted if ";" in wanted else f"{wanted}; write the file again"
    assert message(whole(nodes=[INPUT, value])) == wanted


def test_names_all_problems() -> None:
    nodes = [INPUT, node_json(op="a", layer="a"), node_json(inputs=[1]), node_json(op="c", layer="c")]
    assert message(whole(nodes=nodes)) == (
        "a: wanted an op that s2c has, found a; write the file again\n"
        "c: wanted an op that s2c has, found c; write the file again"
    )


def test_refuses_more_than_memory_holds() -> None:
    large = [1 << 25]
    nodes = [INPUT | {"layer": f"x{index}", "type": ["f32", large]} for index in range(9)]
    wanted = "model: wanted values of at most 268435456 elements together, found more; write the file again"
    assert message(whole(nodes=nodes)) == wanted
