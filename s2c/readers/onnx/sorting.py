"""ONNX ops that sort, choose, accumulate, and index by computed positions."""

from __future__ import annotations

from collections.abc import Mapping

from s2c.ir import Node
from s2c.layers import onehot
from s2c.layers.basic import add, cast, equal, less, narrow, reshape, unsqueeze, where
from s2c.layers.limits import check_constants, iota
from s2c.layers.scan import scan
from s2c.layers.sort import arg, top_k
from s2c.readers.onnx.source import Reader, Source, Value, axis_of, number, refuse, tensor


def axis_attribute(source: Source, x: Node, default: int = 0) -> int:
    return axis_of(source, int(source.attrs.get("axis", default)), len(x.type.shape))


def arg_reader(function: str) -> Reader:
    def read(source: Source) -> Value:
        layer = source.layer
        x = tensor(source, 0)
        axis = axis_attribute(source, x)
        wide = x if x.type.dtype in ("f32", "i64") else cast(x, "i32", layer)
        last = bool(source.attrs.get("select_last_index", 0))
        index = cast(arg(function, wide, axis, last, layer), "i64", layer)
        if source.attrs.get("keepdims", 1):
            return index
        return reshape(index, (*x.type.shape[:axis], *x.type.shape[axis + 1 :]), layer)

    return read


def read_top_k(source: Source) -> tuple[Value, ...]:
    """k is an attribute before opset 10."""
    layer = source.layer
    x = tensor(source, 0)
    axis = axis_attribute(source, x, -1)
    k = int(source.attrs["k"]) if source.opset < 10 else int(number(source, 1, "k"))
    if not 1 <= k <= x.type.shape[axis]:
        raise refuse(source, f"k of 1 to {x.type.shape[axis]}", str(k), "check the layer's k")
    values, indices = top_k(x, k, axis, bool(source.attrs.get("largest", 1)), layer)
    return (values, cast(indices, "i64", layer))[: source.outputs]


def scan_reader(function: str) -> Reader:
    def read(source: Source) -> Value:
        x = tensor(source, 0)
        axis = axis_of(source, int(number(source, 1, "axis")), len(x.type.shape))
        exclusive, reverse = (bool(source.attrs.get(name, 0)) for name in ("exclusive", "reverse"))
        return scan(function, x, axis, source.layer, exclusive, reverse)

    return read


def one_hot(source: Source) -> Value:
    """values [off, on], at positions counted from either end; others are off everywhere."""
    layer = source.layer
    indices, values = tensor(source, 0), tensor(source, 2)
    depth = int(number(source, 1, "depth"))
    axis = axis_of(source, int(source.attrs.get("axis", -1)), len(indices.type.shape) + 1)
    if depth < 1:
        raise refuse(source, "a depth of at least 1", str(depth), "check the layer's depth")
    check_constants(depth, "an axis", layer)
    index = indices if indices.type.dtype == "i64" else cast(indices, "i32", layer)
    index = unsqueeze(where(less(index, 0, layer), add(index, depth, layer), index, layer), axis, layer)
    shape = [1] * len(index.type.shape)
    shape[axis] = depth
    positions = reshape(iota(depth, index.type.dtype, layer), shape, layer)
    off, on = (reshape(narrow(values, 0, each, 1, layer), (), layer) for each in (0, 1))
    return where(equal(index, positions, layer), on, off, layer)


def gather_elements(source: Source) -> Value:
    x, indices = tensor(source, 0), tensor(source, 1)
    check_indices(source, x, indices)
    return onehot.take_along(x, indices, axis_attribute(source, x), source.layer)


def check_indices(source: Source, x: Node, *others: Node) -> None:
    """Raises where indices or updates have other axes than x, or indices more elements on one."""
    shapes = [each.type.shape for each in others]
    axis = axis_attribute(source, x)
    beyond = any(
        a > b for place, (a, b) in enumerate(zip(shapes[0], x.type.shape, strict=False)) if place != axis
    )
    if any(each != shapes[0] for each in shapes) or len(shapes[0]) != len(x.type.shape) or beyond:
        wanted = f"indices, and updates, of one shape that fits {x.type}"
        found = " and ".join(str(list(each)) for each in shapes)
        raise refuse(source, wanted, found, "check the layer's shapes")


def gather_nd(source: Source) -> Value:
    batch_axes = int(source.attrs.get("batch_dims", 0))
    return onehot.gather_nd(tensor(source, 0), tensor(source, 1), batch_axes, source.layer)


def reduction_of(source: Source) -> str:
    name = str(source.attrs.get("reduction", "none"))
    if name not in onehot.REDUCTIONS:
        known = ", ".join(sorted(onehot.REDUCTIONS))
        raise refuse(source, f"a reduction of {known}", name, "check the layer's attributes")
    return name


def scatter_elements(source: Source) -> Value:
    x, indices, updates = (tensor(source, index) for index in range(3))
    check_indices(source, x, indices, updates)
    axis = axis_attribute(source, x)
    return onehot.scatter_along(x, indices, updates, axis, reduction_of(source), source.layer)


def scatter_nd(source: Source) -> Value:
    x, indices, updates = (tensor(source, index) for index in range(3))
    return onehot.scatter_nd(x, indices, updates, reduction_of(source), source.layer)


SORTING: Mapping[str, Reader] = {
    "ArgMax": arg_reader("max"),
    "ArgMin": arg_reader("min"),
    "CumProd": scan_reader("prod"),
    "CumSum": scan_reader("sum"),
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "OneHot": one_hot,
    "Scatter": scatter_elements,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "TopK": read_top_k,
}
