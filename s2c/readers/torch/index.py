"""ATen ops that pick or place elements by index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from s2c.ir import Node
from s2c.layers.basic import (
    cast,
    concat,
    expand,
    mul,
    narrow,
    reduce,
    reshape,
    stack,
    transpose,
    where,
)
from s2c.layers.onehot import (
    gather_axis,
    gather_flat,
    gather_nd,
    scatter_along,
    scatter_flat,
    scatter_nd,
    take_along,
)
from s2c.readers.torch.source import (
    Reader,
    Source,
    Value,
    array_of,
    as_node,
    axis_of,
    given,
    has,
    known,
    node,
    operand,
    refuse,
)


def embedding(source: Source) -> Value:
    return gather_axis(node(source, "weight"), node(source, "indices"), 0, source.layer)


BAGS = ("sum", "mean", "max")


def embedding_bag(source: Source) -> tuple[Value | None, ...]:
    """The sum, mean or maximum of the rows of each bag, which ends where the next begins."""
    layer = source.layer
    if given(source, "padding_idx") != -1:
        raise refuse(source, "an embedding bag without padding_idx", "one", "make the row of padding zero")
    rows = gather_axis(node(source, "weight", "f32"), node(source, "indices"), 0, layer)
    if has(source, "per_sample_weights"):
        factors = node(source, "per_sample_weights", "f32")
        rows = mul(rows, reshape(factors, (-1, 1), layer), layer)
    starts = [int(each) for each in known(source, "offsets", "offsets")]
    ends = [*starts[1:], rows.type.shape[0]]
    if given(source, "include_last_offset"):
        starts, ends = starts[:-1], starts[1:]
    if any(a >= b for a, b in zip(starts, ends, strict=True)):
        raise refuse(source, "bags of at least one row", f"offsets {starts}", "leave empty bags out")
    parts = [
        reduce(BAGS[given(source, "mode")], narrow(rows, 0, a, b - a, layer), (0,), layer)
        for a, b in zip(starts, ends, strict=True)
    ]
    return concat(parts, 0, layer), None, None, None


def index_select(source: Source) -> Value:
    x = node(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    return gather_axis(x, node(source, "index"), axis, source.layer)


def gathered(source: Source) -> Value:
    x = node(source)
    axis = axis_of(source, given(source, "dim"), len(x.type.shape))
    return take_along(x, node(source, "index"), axis, source.layer)


# self[indices]: None leaves an axis whole; indices broadcast to each other

Indices = Sequence["Value | None"]


def indexed(source: Source) -> Value:
    x = node(source)
    indices: Indices = given(source, "indices")
    used = [axis for axis, each in enumerate(indices) if each is not None]
    if len(used) == 1 and not is_mask(indices[used[0]]):
        index = indices[used[0]]
        assert index is not None
        return gather_axis(x, as_node(source.layer, index), used[0], source.layer)
    if all(not isinstance(each, Node) for each in indices):
        return gather_flat(x, constant_positions(source, x.type.shape, indices), source.layer)
    first, _ = indexed_first(x.type.shape, used)
    front = transpose(x, first, source.layer)
    result = gather_nd(front, index_rows(source, indices), 0, source.layer)
    return transpose(result, back_in_place(len(result.type.shape), len(front.type.shape), used), source.layer)


def is_mask(value: Value | None) -> bool:
    if isinstance(value, Node):
        return value.type.dtype == "bool"
    return value is not None and value.dtype == torch.bool


def constant_positions(source: Source, shape: tuple[int, ...], indices: Indices) -> np.ndarray:
    """The position in flattened `self` of each element of the result."""
    every = np.arange(int(np.prod(shape))).reshape(shape)
    chosen = tuple(
        slice(None) if each is None else array_of(source.layer, each)
        for each in indices
        if not isinstance(each, Node)
    )
    return np.asarray(every[chosen])


def indexed_first(shape: tuple[int, ...], used: Sequence[int]) -> tuple[list[int], list[int]]:
    """A permutation that takes the indexed axes to the front, and its inverse."""
    first = [*used, *(axis for axis in range(len(shape)) if axis not in used)]
    return first, [first.index(axis) for axis in range(len(shape))]


def index_rows(source: Source, indices: Indices) -> Node:
    """Computed and constant indices, broadcast, with one column for each indexed axis."""
    nodes = [cast(as_node(source.layer, each), "i32", source.layer) for each in indices if each is not None]
    if any(is_mask(each) for each in indices):
        raise refuse(
            source,
            "indices that are constant, or integers",
            "a computed mask, which picks a number of elements that depends on data",
            "use torch.where with the mask",
        )
    shape = np.broadcast_shapes(*(each.type.shape for each in nodes))
    return stack([expand(each, shape, source.layer) for each in nodes], len(shape), source.layer)


def back_in_place(rank: int, source_rank: int, used: Sequence[int]) -> list[int]:
    """Neighbouring indexed axes give way to the result's axes where they stood; others move to the front."""
    index_rank = rank - (source_rank - len(used))
    if list(used) != list(range(used[0], used[-1] + 1)):
        return list(range(rank))
    before = list(range(index_rank, index_rank + used[0]))
    return [*before, *range(index_rank), *range(index_rank + used[0], rank)]


def placed(source: Source) -> Value:
    """self with values at indices, or with values added there."""
    x = node(source)
    indices: Indices = given(source, "indices")
    values = node(source, "values", x.type.dtype)
    adds = bool(given(source, "accumulate"))
    if all(not isinstance(each, Node) for each in indices):
        positions = constant_positions(source, x.type.shape, indices)
        updates = expand(values, positions.shape, source.layer)
        flat = scatter_flat(x, positions, updates, "add" if adds else "none", source.layer)
        return reshape(flat, x.type.shape, source.layer)
    if len(indices) == 1 and is_mask(indices[0]) and values.type.size == 1 and not adds:
        return masked(source, x, as_node(source.layer, indices[0]), values)
    used = [axis for axis, each in enumerate(indices) if each is not None]
    first, back = indexed_first(x.type.shape, used)
    rows = index_rows(source, indices)
    rank = len(rows.type.shape) - 1 + len(x.type.shape) - len(used)
    shape_back = back_in_place(rank, len(x.type.shape), used)
    front = transpose(x, first, source.layer)
    rest = front.type.shape[len(used) :]
    wanted = [0] * rank
    for place, axis in enumerate(shape_back):
        wanted[place] = (*rows.type.shape[:-1], *rest)[axis]
    updates = transpose(
        expand(values, tuple(wanted), source.layer), [shape_back.index(i) for i in range(rank)], source.layer
    )
    result = scatter_nd(front, rows, updates, "add" if adds else "none", source.layer)
    return transpose(result, back, source.layer)


def masked(source: Source, x: Node, mask: Node, value: Node) -> Node:
    missing = len(x.type.shape) - len(mask.type.shape)
    spread = reshape(mask, (*mask.type.shape, *(1,) * missing), source.layer)
    return where(spread, reshape(value, (), source.layer), x, source.layer)


# scatter along an axis

REDUCTIONS: Mapping[str, str] = {
    "sum": "add",
    "add": "add",
    "prod": "mul",
    "multiply": "mul",
    "amax": "max",
    "amin": "min",
}


def scatter(reduction: str | None = "none") -> Reader:
    """reduction: of scatter_flat; None: the op names it."""

    def read(source: Source) -> Value:
        x = node(source)
        axis = axis_of(source, given(source, "dim"), len(x.type.shape))
        index = node(source, "index")
        how = reduction or REDUCTIONS.get(given(source, "reduce"))
        if how is None or not source.args.get("include_self", True):
            raise refuse(
                source,
                "a scatter that sums, multiplies or takes the extremum with what is there",
                f"{given(source, 'reduce')} with include_self={given(source, 'include_self')}",
                "write the reduction with include_self=True",
            )
        name = "src" if "src" in source.args else "value"
        updates = operand(source, name, x.type.dtype)
        return scatter_along(x, index, fitted(source, updates, index), axis, how, source.layer)

    return read


def fitted(source: Source, updates: Node, index: Node) -> Node:
    """The part of src that the index covers; a number is repeated."""
    if not updates.type.shape:
        return expand(updates, index.type.shape, source.layer)
    if updates.type.shape == index.type.shape:
        return updates
    for axis, extent in enumerate(index.type.shape):
        updates = narrow(updates, axis, 0, extent, source.layer)
    return updates


INDEX: Mapping[str, Reader] = {
    "aten._embedding_bag.default": embedding_bag,
    "aten._embedding_bag_forward_only.default": embedding_bag,
    "aten._unsafe_index.Tensor": indexed,
    "aten.embedding.default": embedding,
    "aten.gather.default": gathered,
    "aten.index.Tensor": indexed,
    "aten.index_put.default": placed,
    "aten.index_select.default": index_select,
    "aten.scatter.src": scatter(),
    "aten.scatter.value": scatter(),
    "aten.scatter_add.default": scatter("add"),
    "aten.scatter_reduce.two": scatter(None),
}
