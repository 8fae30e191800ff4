"""Graphs of every op, stored as .s2c files, to strange ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import graphs
from plain_graphs import plain_nodes, random_plain_graph

from fuzz.damage import damage
from fuzz.json_mutations import change, copied
from fuzz.stream_mutations import rtneural_seeds
from s2c.errors import CompileError
from s2c.ir import DTYPES, Graph, Node
from s2c.ops import OPS
from s2c.ops.functions import FUNCTIONS
from s2c.ops.zips import ZIPS
from s2c.passes import stages
from s2c.readers import load_model
from s2c.readers.graph_file.container import pack
from s2c.readers.graph_file.document import MISFITS, describe_graph, read_attrs, read_node
from s2c.readers.graph_file.signatures import SIGNATURES
from s2c.readers.graph_file.values import Arrays, Malformed, decode_type, encode_type
from s2c.readers.rtneural import load_rtneural

# A file without its bytes: the JSON object, and the arrays that it names.
Model = tuple[dict[str, Any], list[Any]]

DEMO = Path(__file__).parents[2] / "demo"
POOLS = (sorted(OPS), sorted(DTYPES), sorted(FUNCTIONS), sorted(ZIPS), ("once", "twice", "wide"))
OTHERS = ({"float": "inf"}, {"float": "nan"}, {"array": 0}, {"array": 1}, [1, 1], [[0, 0], [1, 1]], [2, 3, 4])


def seeds() -> list[Model]:
    """Nets before and after each pass, some with states or quantized, and single nodes."""
    found = [graphs.random_graph(graphs.seeded(seed), ("i8", "f32")[seed % 2]) for seed in range(60)]
    found += [random_plain_graph(graphs.seeded(seed)) for seed in range(30)]
    found += [load_model(path, {}, {}) for path in sorted(DEMO.glob("*.onnx"))]
    found += [each for net in rtneural_seeds() if (each := streamed(net))]
    for graph in list(found):
        for has_kernel in (graphs.has_host_kernel, lambda node: False):
            try:
                found += [each for _, each in stages(graph, has_kernel)]
            except CompileError:
                continue
    found += [single(node) for node in plain_nodes()[::3]]
    return [written(each) for each in found]


def streamed(net: Any) -> Graph | None:
    """A net over blocks of three samples, with what it keeps between them; None of one that keeps nothing."""
    try:
        return load_rtneural(json.dumps(net).encode(), {"samples": 3}, {})
    except CompileError:
        return None


def single(node: Node) -> Graph:
    return Graph(tuple(each for each in Graph((), (node,)).nodes() if each.op == "input"), (node,))


def written(graph: Graph) -> Model:
    arrays = Arrays()
    return describe_graph(graph, arrays), arrays.stored


def mutate(source: Random, models: Sequence[Model]) -> bytes:
    """Most often with types that fit again, so that what stands behind them is reached."""
    document, arrays = source.choice(models)
    if source.random() < 0.1:
        return damage(source, pack(document, arrays))
    document = copied(document)
    if source.random() < 0.3:
        change(source, document, POOLS, OTHERS)
    for _ in range(source.randrange(1, 4)):
        change_node(source, document.get("nodes"), len(arrays))
    if source.random() < 0.9:
        repair(document, arrays)
    return pack(finite(document), arrays)


def finite(document: Any) -> Any:
    """With numbers that JSON has."""
    return json.loads(json.dumps(document), parse_constant=lambda name: 1e300)


def change_node(source: Random, nodes: Any, arrays: int) -> None:
    """One node's attrs, inputs, type or op."""
    if not isinstance(nodes, list) or not nodes or not isinstance(node := source.choice(nodes), dict):
        return
    kind = source.randrange(8)
    if kind <= 3 and isinstance(node.get("attrs"), dict):
        change(source, node["attrs"], POOLS, OTHERS)
    elif kind == 4 and isinstance(node.get("type"), list):
        change(source, node["type"], POOLS, OTHERS)
    elif kind == 5 and isinstance(node.get("inputs"), list):
        node["inputs"] = [source.randrange(len(nodes)) for _ in node["inputs"]]
    elif kind == 6:
        node["op"] = source.choice(sorted(OPS))
        node["attrs"] = {name: attr(source, name, arrays) for name in SIGNATURES[node["op"]].attrs}
    elif isinstance(node.get("attrs"), dict) and str(node.get("op")) in SIGNATURES:
        optional = sorted(SIGNATURES[node["op"]].optional)
        name = source.choice(optional or ["lo"])
        node["attrs"][name] = attr(source, name, arrays)


def attr(source: Random, name: str, arrays: int) -> Any:
    """Something of the kind that an attr of that name most often is."""
    pair = [source.choice((1, 1, 1, 2, 3)) for _ in range(2)]
    words = {"function": source.choice(POOLS[2 + source.randrange(2)]), "dtype": source.choice(POOLS[1])}
    words |= {"rounding": source.choice(POOLS[4]), "ties": "away"}
    if name in words:
        return words[name]
    if name in ("kernel", "stride", "dilation"):
        return pair
    if name == "pads":
        return [[0, source.randrange(3)] for _ in range(source.choice((2, 3, 4)))]
    if name in ("lo", "hi", "beta", "alpha", "ratio", "value"):
        return source.choice((0, 0.0, 1.0, 6.0, -1.0, 1e18, 3e38, {"array": 0}))
    if name in ("keepdims", "transpose", "mean", "count_pads", "unsigned", "narrow_scales"):
        return source.random() < 0.5
    if name in ("axes", "perm", "shape", "starts", "steps", "extents", "repeats"):
        return [source.randrange(3) for _ in range(source.randrange(5))]
    return source.choice(({"array": source.randrange(max(arrays, 1))}, source.randrange(5)))


def repair(document: Any, arrays: Sequence[Any]) -> None:
    """Gives each node, as far as it has only a wrong type, the type that its op infers."""
    listed = document.get("nodes") if isinstance(document, dict) else None
    nodes: list[Node | None] = []
    for each in listed if isinstance(listed, list) else []:
        nodes.append(repaired(each, nodes, arrays))


def repaired(each: Any, nodes: Sequence[Node | None], arrays: Sequence[Any]) -> Node | None:
    try:
        sources = [nodes[place] for place in each["inputs"]]
        attrs = read_attrs(SIGNATURES[each["op"]], each["op"], each["attrs"], arrays)
        known = tuple(source for source in sources if source is not None)
        draft = Node(each["op"], known, attrs, decode_type(each["type"]), "repaired")
        each["type"] = encode_type(OPS[draft.op].infer(draft))
        return read_node(each, nodes, arrays)
    except (CompileError, Malformed, *MISFITS):
        return None
