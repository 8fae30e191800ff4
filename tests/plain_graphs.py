"""Random nets of plain integers and bools, and single core ops of every dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from graphs import (
    Pick,
    floats,
    generator,
    mixed_integers,
    one_of,
    random_input,
    random_movement,
    random_quant,
    seeded,
)

from s2c.inputs import lowest
from s2c.ir import DTYPES, Graph, Node, Quant, Type, constant, input_node
from s2c.ops import make
from s2c.ops.cast import STEPS
from s2c.ops.reduction import FOLDS
from s2c.ops.zips import ZIPS

INTEGERS = ("i32", "i64", "bool", "u8", "i16", "u16", "u32", "u64")
WRAPPING = ("add", "sub", "mul", "bit_and", "bit_or", "bit_xor")
UNSIGNED = ("less", "less_equal", "equal", "minimum", "maximum", "shift_left", "shift_right")
SIGNED = ("divide", "remainder")


def plain_functions(dtype: str) -> tuple[str, ...]:
    """The functions of binary that a plain integer dtype has."""
    if dtype == "bool":
        return ("bit_and", "bit_or", "bit_xor", "equal")
    return (*WRAPPING, *UNSIGNED, *(SIGNED if dtype != "u64" else ()))


def random_values(pick: Pick, kind: Type) -> np.ndarray:
    source = generator(pick)
    return source.integers(0, 2, kind.shape) > 0 if kind.dtype == "bool" else mixed_integers(kind, source)


def random_compute(pick: Pick, live: Sequence[Node], source: Node, layer: str) -> Node:
    """Of two values, and sometimes as the condition of a choice between them."""
    other = one_of(pick, [each for each in live if each.type == source.type])
    if pick(0, 1):
        kind = replace(source.type, shape=tuple(one_of(pick, (1, each)) for each in source.type.shape))
        other = constant(random_values(pick, kind), layer)
    function = one_of(pick, plain_functions(source.type.dtype))
    result = make("binary", (source, other), layer, function=function)
    if result.type.dtype == "bool" and pick(0, 1):
        return make("where", (result, source, other), layer)
    return result


def random_reduction(pick: Pick, source: Node, layer: str) -> Node:
    rank = len(source.type.shape)
    if source.type.dtype == "bool":
        return make("cast", (source,), layer, dtype="u8")
    axes = tuple(axis for axis in range(rank) if pick(0, 2) == 0)
    function = one_of(pick, ("sum", "prod", "max", "min"))
    return make("reduce", (source,), layer, function=function, axes=axes, keepdims=True)


def random_choice_of_rows(pick: Pick, source: Node, layer: str) -> Node:
    shape = source.type.shape
    if pick(0, 1) and source.type.size < 500:
        return make("tile", (source,), layer, repeats=tuple(pick(1, 2) for _ in shape))
    axis = pick(0, len(shape) - 1)
    index = generator(pick).integers(0, shape[axis], pick(1, 4))
    return make("gather_constant", (source,), layer, axis=axis, index=index)


def random_plain_layer(pick: Pick, live: Sequence[Node], layer: str) -> Node:
    source = live[max(pick(0, len(live) - 1), pick(0, len(live) - 1))]
    kind = pick(0, 8)
    if kind <= 3:
        return random_compute(pick, live, source, layer)
    if kind == 4:
        return make("cast", (source,), layer, dtype=one_of(pick, INTEGERS))
    if kind == 5:
        real = make("cast", (source,), layer, dtype=one_of(pick, ("f32", "f16")))
        return make("cast", (random_movement(pick, real, layer),), layer, dtype=one_of(pick, INTEGERS))
    if kind == 6:
        return random_reduction(pick, source, layer)
    return (random_choice_of_rows if kind == 7 else random_movement)(pick, source, layer)


def random_plain_graph(pick: Pick, most: int = 8) -> Graph:
    """A net of up to `most` layers of plain integers."""
    shape = (pick(1, 3), pick(1, 5), pick(1, 6))
    inputs = tuple(random_input(pick, f"x{index}", shape, one_of(pick, INTEGERS)) for index in range(3))
    live = list(inputs)
    for index in range(pick(1, most)):
        live.append(random_plain_layer(pick, live, f"layer {index}"))
    return Graph(inputs, (live[-1], *(one_of(pick, live) for _ in range(pick(0, 2)))))


# core ops: some of each, for kernels


def operand_shapes(pick: Pick) -> list[tuple[int, ...]]:
    """Of a result, and of what kernels take for its second operand."""
    shape = (pick(1, 3), pick(1, 5), pick(1, 19))
    return [shape, shape, (1,), shape[1:], shape[2:], (*shape[1:2], 1), (shape[0], 1, 1)]


def zipped(pick: Pick, dtype: str, op: str, **attrs: object) -> Node:
    shapes = operand_shapes(pick)
    a, b = (
        random_input(pick, name, shape, dtype)
        for name, shape in zip("ab", (shapes[0], one_of(pick, shapes)), strict=True)
    )
    return make(op, (a, b), op, **attrs)


def zips(pick: Pick, dtype: str) -> list[Node]:
    return [
        zipped(pick, dtype, "zip", function=name) for name, row in sorted(ZIPS.items()) if dtype in row.dtypes
    ]


def arithmetic(pick: Pick, dtype: str) -> list[Node]:
    return [zipped(pick, dtype, op) for op in ("add", "mul")]


def converts(pick: Pick, dtype: str) -> list[Node]:
    shape = (pick(1, 3), pick(40, 99))
    return [make("convert", (plain_input(shape, dtype),), "c", dtype=each) for each in STEPS[dtype]]


def plain_input(shape: tuple[int, ...], dtype: str, name: str = "x") -> Node:
    """Not quantized, int8 neither."""
    return input_node(name, Type(shape, dtype))


def folds(pick: Pick, dtype: str, functions: Sequence[str] = tuple(FOLDS)) -> list[Node]:
    return [
        fold(pick, dtype, function, columns)
        for function in functions
        for columns in (1, pick(2, 7), pick(8, 19))
    ]


def fold(pick: Pick, dtype: str, function: str, inner: int) -> Node:
    outer, size = pick(1, 3), one_of(pick, (1, pick(2, 9), pick(30, 100)))
    shape = (outer, size, inner)
    attrs = {"function": function, "outer": outer, "size": size, "inner": inner, "shape": (outer, inner)}
    return make("fold", (plain_input(shape, dtype),), "f", **attrs)


def products(pick: Pick, dtype: str) -> list[Node]:
    return [product(pick, dtype, transpose) for transpose in (False, True) for _ in range(4)]


def product(pick: Pick, dtype: str, transpose: bool) -> Node:
    batch, rows, depth, columns = pick(1, 3), pick(1, 9), pick(1, 17), pick(1, 40)
    a = plain_input((batch, rows, depth), dtype, "a")
    b = plain_input((batch, columns, depth) if transpose else (batch, depth, columns), dtype, "b")
    return make("batch_matmul", (a, b), "m", transpose=transpose)


def selects(pick: Pick, dtype: str) -> list[Node]:
    shape = operand_shapes(pick)[0]
    nodes = []
    for ones in ((), (0,), (1,), (2,), (1, 2)):
        shapes = [(1,) if at in ones else shape for at in range(3)]
        kinds = zip("cab", shapes, ("bool", dtype, dtype), strict=True)
        operands = tuple(plain_input(each, kind, name) for name, each, kind in kinds)
        nodes.append(make("select", operands, "s"))
    return nodes


def takes(pick: Pick, dtype: str) -> list[Node]:
    outer, source, inner, count = pick(1, 3), pick(1, 5), pick(1, 4), pick(2, 9)
    value = -1 if DTYPES[dtype].kind in "if" else 1
    nodes = []
    for least in (0, -1):
        index = np.array([least, *(pick(least, source - 1) for _ in range(count - 1))], np.int32)
        attrs = {"outer": outer, "source": source, "inner": inner, "index": index, "value": value}
        x = plain_input((outer, source, inner), dtype)
        nodes.append(make("take", (x,), "t", **attrs, shape=(outer, count, inner)))
    return nodes


def lookups(pick: Pick, dtype: str) -> list[Node]:
    kind = Type((pick(1, 9), pick(1, 5)), dtype)
    table = (
        floats(pick, *kind.shape).astype(kind.numpy) if kind.numpy.kind == "f" else random_values(pick, kind)
    )
    return [make("lookup", (plain_input((pick(1, 40),), "i32"),), "l", table=table)]


def moves(pick: Pick, dtype: str) -> list[Node]:
    """Core gathers and inserts, one with padding."""
    x, y = (plain_input((pick(1, 3), 4, 5), dtype, name) for name in "xy")
    pads = ((0, 1), (1, 0), (0, 2))
    return [
        make("pad", (x,), "p", pads=pads, value=lowest(x.type)),
        make("transpose", (x,), "t", perm=(2, 0, 1)),
        make("concat", (x, y, x), "c", axis=0),
    ]


def rescales(pick: Pick, dtype: str) -> list[Node]:
    """Of each kind of rounding and result."""
    if dtype == "i64":
        return [rescale(pick, dtype, "i16", "wide", scales) for scales in (1, 3)]
    kinds = [("i8", "once"), ("i8", "twice"), ("i16", "twice"), ("i32", "twice")]
    return [rescale(pick, dtype, result, rounding, scales) for result, rounding in kinds for scales in (1, 3)]


def rescale(pick: Pick, dtype: str, result: str, rounding: str, scales: int) -> Node:
    """Shifts of at most 0, so that int32 holds every product; sums of an int16 layer have 47 bits."""
    source = generator(pick)
    limits = np.iinfo(DTYPES[result])
    attrs = {
        "dtype": result,
        "rounding": rounding,
        "multiplier": source.integers(1 << 30, (1 << 31) - 1, scales).astype(np.int32),
        "shift": source.integers(-20, 0, scales).astype(np.int8),
        "bound": (1 << 30) - 1 if dtype == "i32" else (1 << 47) - 1,
        "zero": pick(-9, 9),
        "lo": int(limits.min),
        "hi": int(limits.max),
    }
    narrow = plain_input((pick(2, 9), 3), "i32" if dtype == "i64" else "i16")
    return make("rescale", (make("convert", (narrow,), "c", dtype=dtype),), "r", **attrs)


def recenters(pick: Pick, dtype: str) -> list[Node]:
    source = input_node("x", Type((pick(2, 9), 5), dtype, random_quant(pick)))
    return [make("recenter", (source,), "r")]


WIDE, ANY = ("i32", "i64"), ("f32", "f16", "bool", "i8", "u8", "i16", "u16", "u32", *("i32", "i64", "u64"))


def layers16(pick: Pick, dtype: str) -> list[Node]:
    """TFLite's int16 layers: patches, sums of int64 scaled in both ways, and largest values."""
    source = generator(pick)
    x = input_node("x", Type((2, 5, 4, 6), dtype, Quant((0.01,))))
    geometry = {"stride": (1, 2), "dilation": (1, 1), "pads": ((1, 1), (0, 1))}
    patches = make("window", (x,), "w", kernel=(3, 2), groups=2, value=0, **geometry)
    results = [make("max", (x,), "m", size=3)]
    for rounding, scales in (("once", 1), ("once", 8), ("twice", 1), ("twice", 8)):
        attrs = {
            "weight": source.integers(-127, 128, (2, 4, 18)).astype(np.int8),
            "bias": source.integers(-(1 << 20), 1 << 20, 8),
            "multiplier": source.integers(1 << 30, (1 << 31) - 1, scales).astype(np.int32),
            "fraction": source.integers(0, (1 << 31) - 1, scales).astype(np.int32),
            "shift": source.integers(-12, -6, scales).astype(np.int8),
            "rounding": rounding,
        }
        results.append(make("matmul", (patches,), rounding, Quant((0.02,)), **attrs, lo=-300.0))
    return results


PLAIN: Mapping[str, tuple[Callable[[Pick, str], list[Node]], tuple[str, ...]]] = {
    "zip": (zips, (*WIDE, "bool")),
    "arithmetic": (arithmetic, WIDE),
    "convert": (converts, tuple(STEPS)),
    "fold": (folds, WIDE),
    "product": (products, ("i32",)),
    "select": (selects, ANY),
    "take": (takes, ANY),
    "lookup": (lookups, ANY),
    "move": (moves, ANY),
    "rescale": (rescales, WIDE),
    "recenter": (recenters, ("i8", "u8")),
    "layers16": (layers16, ("i16",)),
}


def plain_nodes() -> list[Node]:
    tables = enumerate(PLAIN.values())
    return [
        node
        for index, (build, dtypes) in tables
        for at, dtype in enumerate(dtypes)
        for node in build(seeded(100 * index + at), dtype)
    ]
