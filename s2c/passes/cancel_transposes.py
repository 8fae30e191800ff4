"""Moves every transpose towards the outputs until it meets its inverse: activations stay channels-last.

before:  %1 = transpose(%0) perm=(0, 3, 1, 2) : f32[1,8,5,5]      # NHWC to NCHW, behind a conv2d
         %2 = relu(%1) lo=0.0 : f32[1,8,5,5]
         %3 = transpose(%2) perm=(0, 2, 3, 1) : f32[1,5,5,8]      # back, before the next one
after:   %2 = relu(%0) lo=0.0 : f32[1,5,5,8]

Valid because f(transpose(x)) = transpose(f'(x)) for every op f of MOVES, where f' is f with its axes
permuted: each element is computed from the same elements. Only a dense layer behind a flattening reads its
columns in another order, as its weights are permuted instead of its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from s2c.ir import Graph, Node, Uses
from s2c.ops import make

Perm = tuple[int, ...]
Move = Callable[[Node, Perm], Node | None]


def cancel_transposes(graph: Graph) -> Graph:
    graph = graph.rewrite(move_down)
    shared: dict[tuple[Node, Perm], Node] = {}

    def simplify(node: Node, _uses: Uses) -> Node | None:
        return simplify_movement(node, shared)

    return graph.rewrite(simplify)


def move_down(node: Node, _uses: Uses) -> Node | None:
    """node without the transposes of its inputs, and one transpose behind it."""
    perm = next((each.attrs["perm"] for each in node.inputs if each.op == "transpose"), None)
    if perm is None or node.op not in MOVES:
        return None
    return MOVES[node.op](node, perm)


def inverse(perm: Perm) -> Perm:
    return tuple(perm.index(axis) for axis in range(len(perm)))


def permuted(values: tuple[object, ...], perm: Perm) -> tuple[object, ...]:
    """Per-axis values of transpose(x), for the axes of x."""
    return tuple(values[axis] for axis in inverse(perm))


def remade(node: Node, inputs: tuple[Node, ...], **attrs: object) -> Node:
    return make(node.op, inputs, node.layer, node.type.quant, **{**node.attrs, **attrs})


def transposed(node: Node, perm: Perm, layer: str) -> Node:
    return make("transpose", (node,), layer, perm=perm)


def below(node: Node, perm: Perm, **attrs: object) -> Node:
    """transpose(node of the untransposed input), with the attrs that change."""
    source = node.inputs[0].inputs[0]
    return transposed(remade(node, (source,), **attrs), perm, node.layer)


def move_elementwise(node: Node, perm: Perm) -> Node:
    return below(node, perm)


def move_last_axis(node: Node, perm: Perm) -> Node | None:
    """For ops over the last axis, where that one stays."""
    return below(node, perm) if perm[-1] == len(perm) - 1 else None


def move_transpose(node: Node, perm: Perm) -> Node:
    source = node.inputs[0].inputs[0]
    whole = tuple(perm[axis] for axis in node.attrs["perm"])
    return source if whole == tuple(range(len(whole))) else transposed(source, whole, node.layer)


def move_slice(node: Node, perm: Perm) -> Node:
    return below(
        node, perm, **{name: permuted(node.attrs[name], perm) for name in ("starts", "steps", "shape")}
    )


def move_pad(node: Node, perm: Perm) -> Node:
    return below(node, perm, pads=permuted(node.attrs["pads"], perm))


def move_expand(node: Node, perm: Perm) -> Node | None:
    shape = node.attrs["shape"]
    return below(node, perm, shape=permuted(shape, perm)) if len(shape) == len(perm) else None


def move_prelu(node: Node, perm: Perm) -> Node:
    alpha = node.attrs["alpha"]
    wide = alpha.reshape((1,) * (len(perm) - alpha.ndim) + alpha.shape)
    return below(node, perm, alpha=np.ascontiguousarray(wide.transpose(inverse(perm))))


def move_axis(node: Node, perm: Perm) -> Node | None:
    """For an op along one axis that stays one."""
    if node.attrs["index"].ndim != 1:
        return None
    return below(node, perm, axis=perm[node.attrs["axis"]])


def move_tile(node: Node, perm: Perm) -> Node:
    return below(node, perm, repeats=permuted(node.attrs["repeats"], perm))


def move_reduce(node: Node, perm: Perm) -> Node:
    axes = tuple(sorted(perm[axis] for axis in node.attrs["axes"]))
    result = remade(node, (node.inputs[0].inputs[0],), axes=axes)
    if not node.attrs["keepdims"]:
        kept = [axis for axis in perm if axis not in axes]
        perm = tuple(sorted(kept).index(axis) for axis in kept)
    return result if perm == tuple(sorted(perm)) else transposed(result, perm, node.layer)


def move_concat(node: Node, perm: Perm) -> Node | None:
    parts = [untransposed(each, perm) for each in node.inputs]
    if None in parts:
        return None
    inputs = tuple(each for each in parts if each is not None)
    return transposed(remade(node, inputs, axis=perm[node.attrs["axis"]]), perm, node.layer)


def move_binary(node: Node, perm: Perm) -> Node | None:
    if len(perm) != len(node.type.shape):
        return None
    parts = [untransposed(each, perm) for each in node.inputs]
    if None in parts:
        return None
    return transposed(remade(node, tuple(each for each in parts if each is not None)), perm, node.layer)


def untransposed(node: Node, perm: Perm) -> Node | None:
    """The x of transpose(x) where it costs nothing: x itself, a permuted constant or a reshape; else None."""
    if node.op == "transpose":
        return node.inputs[0] if node.attrs["perm"] == perm else None
    back = inverse(perm)
    shape = (1,) * (len(perm) - len(node.type.shape)) + node.type.shape
    if moves_units(shape, back):
        target = tuple(shape[axis] for axis in back)
        if node.op == "constant" or node.type.shape != target:
            return reshaped(node, target)
        return node
    if node.op == "constant":
        value = np.ascontiguousarray(node.attrs["value"].reshape(shape).transpose(back))
        return replace(node, attrs={"value": value}, type=replace(node.type, shape=value.shape))
    if node.op == "dequantize" and node.inputs[0].op == "constant":
        source = untransposed(node.inputs[0], perm)
        return None if source is None else remade(node, (source,))
    return None


def moves_units(shape: tuple[int, ...], perm: Perm) -> bool:
    """Whether a transpose leaves the order of all axes of more than one element."""
    kept = [axis for axis in perm if shape[axis] != 1]
    return kept == sorted(kept)


def reshaped(node: Node, shape: tuple[int, ...]) -> Node:
    if node.op == "constant":
        value = node.attrs["value"].reshape(shape)
        return replace(node, attrs={"value": value}, type=replace(node.type, shape=shape))
    return make("reshape", (node,), node.layer, shape=shape)


def move_reshape(node: Node, perm: Perm) -> Node | None:
    """Where it only drops or adds axes of one element."""
    before, after = node.inputs[0].type.shape, node.type.shape
    old = [axis for axis, extent in enumerate(before) if extent != 1]
    new = [axis for axis, extent in enumerate(after) if extent != 1]
    if [before[axis] for axis in old] != [after[axis] for axis in new]:
        return None
    # The i-th long axis of the result is the order[i]-th of x.
    sources = [perm[axis] for axis in old]
    order = [sorted(sources).index(axis) for axis in sources]
    shape, result = [1] * len(after), list(range(len(after)))
    for index, axis in enumerate(new):
        shape[new[order[index]]] = after[axis]
        result[axis] = new[order[index]]
    source = node.inputs[0].inputs[0]
    return transposed(make("reshape", (source,), node.layer, shape=tuple(shape)), tuple(result), node.layer)


MOVES: Mapping[str, Move] = {
    **dict.fromkeys(
        ("cast", "dequantize", "leaky_relu", "quantize", "relu", "requantize", "unary"), move_elementwise
    ),
    **dict.fromkeys(("batchnorm", "dense", "softmax"), move_last_axis),
    **dict.fromkeys(("add", "binary", "div", "mul", "sub", "where"), move_binary),
    "concat": move_concat,
    "expand": move_expand,
    "gather_constant": move_axis,
    "pad": move_pad,
    "prelu": move_prelu,
    "reduce": move_reduce,
    "reshape": move_reshape,
    "slice": move_slice,
    "tile": move_tile,
    "transpose": move_transpose,
}


# what is left: reshapes instead of transposes, one transpose for all who want the same


def simplify_movement(node: Node, shared: dict[tuple[Node, Perm], Node]) -> Node | None:
    if node.op == "transpose":
        perm, source = node.attrs["perm"], node.inputs[0]
        if source.op == "constant":
            return untransposed(source, inverse(perm))
        if moves_units(source.type.shape, perm):
            return merged_reshape(make("reshape", (source,), node.layer, shape=node.type.shape))
        return shared.setdefault((source, perm), node)
    if node.op == "reshape":
        return merged_reshape(node)
    if node.op == "dense":
        return dense_of_flattened(node)
    return None


def merged_reshape(node: Node) -> Node:
    source = node.inputs[0]
    while source.op == "reshape":
        source = source.inputs[0]
    if source.type.shape == node.type.shape:
        return source
    return replace(node, inputs=(source,))


def dense_of_flattened(node: Node) -> Node | None:
    """dense(reshape(transpose(x))) with the columns of its weights in the order of x's elements."""
    flat = node.inputs[0]
    if flat.op != "reshape" or flat.inputs[0].op != "transpose":
        return None
    moved = flat.inputs[0]
    perm, shape = moved.attrs["perm"], moved.type.shape
    depth = node.attrs["weight"].shape[1]
    split = next((axis for axis in range(len(shape) + 1) if math.prod(shape[axis:]) == depth), None)
    if split is None or perm[:split] != tuple(range(split)):
        return None
    tail = tuple(axis - split for axis in perm[split:])
    weight = node.attrs["weight"].reshape(-1, *shape[split:])
    columns = weight.transpose(0, *(axis + 1 for axis in inverse(tail))).reshape(-1, depth)
    source = make("reshape", (moved.inputs[0],), flat.layer, shape=flat.type.shape)
    return remade(node, (source,), weight=np.ascontiguousarray(columns))
