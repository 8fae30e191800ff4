"""zip: a scalar function of two operands; binary, the source op for it on every dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from s2c.errors import error
from s2c.ir import Node, Type, constant
from s2c.ops.arithmetic import repeat_params
from s2c.ops.integer_types import COMPUTED, cast_node, narrowed, wide_dtype, widened
from s2c.ops.table import Op

Meaning = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Zip:
    """meaning: on arrays of one dtype that broadcast; floats come as float64 unless it compares.
    dtypes: those that have a kernel. compares: the result is bool."""

    meaning: Meaning
    dtypes: tuple[str, ...]
    compares: bool = False


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Towards zero; a division by zero gives 0, and the lowest value over -1 wraps to itself."""
    a, b = np.broadcast_arrays(a, b)
    divisor = np.where(b == 0, 1, b).astype(b.dtype)
    with np.errstate(over="ignore"):
        floor = a // divisor
        inexact = (floor * divisor != a) & ((a < 0) != (divisor < 0))
        return np.where(b == 0, 0, floor + inexact).astype(a.dtype)


def remainder(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What divide leaves: of the dividend's sign, the dividend itself for a divisor of 0."""
    with np.errstate(over="ignore"):
        return np.asarray(a - divide(a, b) * b)


def shift_left(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """0 where as many bits as there are, or more, are shifted out."""
    bits = a.dtype.itemsize * 8
    inside = (b >= 0) & (b < bits)
    return np.where(inside, np.left_shift(a, np.where(inside, b, 0)), 0).astype(a.dtype)


def shift_right(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Logical: zeros come in from the left."""
    bits = a.dtype.itemsize * 8
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    inside = (b >= 0) & (b < bits)
    shifted = np.right_shift(a.astype(unsigned), np.where(inside, b, 0).astype(unsigned))
    return np.where(inside, shifted, 0).astype(a.dtype)


def fmod(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.fmod(a, b))


NUMBERS = ("f32", "i32", "i64")
WHOLE = ("i32", "i64")
BITS = ("i32", "i64", "bool")

ZIPS: Mapping[str, Zip] = {
    "atan2": Zip(np.arctan2, ("f32",)),
    "bit_and": Zip(np.bitwise_and, BITS),
    "bit_or": Zip(np.bitwise_or, BITS),
    "bit_xor": Zip(np.bitwise_xor, BITS),
    "divide": Zip(divide, WHOLE),
    "equal": Zip(np.equal, (*NUMBERS, "bool"), compares=True),
    "fmod": Zip(fmod, ("f32",)),
    "less": Zip(np.less, NUMBERS, compares=True),
    "less_equal": Zip(np.less_equal, NUMBERS, compares=True),
    "maximum": Zip(np.maximum, NUMBERS),
    "minimum": Zip(np.minimum, NUMBERS),
    "pow": Zip(np.power, ("f32",)),
    "remainder": Zip(remainder, WHOLE),
    "shift_left": Zip(shift_left, WHOLE),
    "shift_right": Zip(shift_right, WHOLE),
}

# Of binary alone, on integers: core ops that have names of their own, as they are parts of longer chains.
ARITHMETIC: Mapping[str, Meaning] = {"add": np.add, "sub": np.subtract, "mul": np.multiply}


def broadcast_type(node: Node, dtype: str) -> Type:
    a, b = (each.type for each in node.inputs)
    try:
        return Type(np.broadcast_shapes(a.shape, b.shape), dtype)
    except ValueError:
        raise error(node.layer, "two shapes that broadcast", f"{a} and {b}", "reshape one of them") from None


def infer_zip(node: Node) -> Type:
    a, b = (each.type for each in node.inputs)
    row = ZIPS[node.attrs["function"]]
    assert a.dtype == b.dtype and a.dtype in row.dtypes, (node.layer, node.attrs["function"], str(a), str(b))
    return broadcast_type(node, "bool" if row.compares else a.dtype)


def eval_zip(node: Node, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The function's meaning; floats are computed in float64 and rounded once."""
    name = node.attrs["function"]
    with np.errstate(all="ignore"):
        if name in ARITHMETIC:
            return np.asarray(ARITHMETIC[name](a, b)).astype(a.dtype)
        row = ZIPS[name]
        if a.dtype == np.float32 and not row.compares:
            return np.asarray(row.meaning(a.astype(np.float64), b.astype(np.float64)), np.float32)
        return np.asarray(row.meaning(a, b))


def zip_stem(node: Node) -> str:
    return str(node.attrs["function"])


# binary


def infer_binary(node: Node) -> Type:
    a, b = (each.type for each in node.inputs)
    name = node.attrs["function"]
    if a.dtype != b.dtype:
        raise error(node.layer, "operands of one dtype", f"{a} and {b}", "cast one of them")
    refuse_unsigned(node)
    wide = wide_dtype(a.dtype)
    known = ("f32", *COMPUTED) if name in ARITHMETIC else ZIPS[name].dtypes
    if wide not in known:
        listed = ", ".join(known)
        raise error(node.layer, f"operands of {name} of one of {listed}", str(a), "cast them")
    return broadcast_type(node, "bool" if name in ZIPS and ZIPS[name].compares else a.dtype)


def refuse_unsigned(node: Node) -> None:
    """u64 is computed as i64, which wraps alike; what depends on the topmost bit does not."""
    kind = node.inputs[0].type
    if kind.dtype == "u64" and node.attrs["function"] in ("divide", "remainder"):
        raise error(
            node.layer, f"signed operands of {node.attrs['function']}", str(kind), "cast them to int64"
        )


def lower_binary(node: Node) -> Node:
    """On the dtype that has a kernel, and back: wrapping commutes with widening."""
    name = node.attrs["function"]
    dtype = node.inputs[0].type.dtype
    a, b = node.inputs
    if name == "shift_right" and dtype in ("i8", "i16"):
        a = cast_node(a, f"u{dtype[1:]}", node.layer)  # zeros come in where the sign would
    a, b = widened(a, node.layer), widened(b, node.layer)
    if dtype == "u64" and name in ORDERED:
        a, b = (flip_topmost_bit(each) for each in (a, b))
    if name == "sub":
        minus = constant(np.full((), -1, a.type.numpy), node.layer)
        b = Node("mul", (b, minus), {}, b.type, node.layer)
    core = {"add": "add", "sub": "add", "mul": "mul"}.get(name, "zip")
    attrs = {"function": name} if core == "zip" else {}
    compares = node.type.dtype == "bool" and dtype != "bool"
    wide = replace(node.type, dtype="bool" if compares else a.type.dtype)
    result = Node(core, (a, b), attrs, wide, node.layer)
    if dtype == "u64" and name in ("minimum", "maximum"):
        result = flip_topmost_bit(result)
    return result if compares else narrowed(result, node.type.dtype)


ORDERED = ("less", "less_equal", "minimum", "maximum")


def flip_topmost_bit(node: Node) -> Node:
    """Maps the order of unsigned values to that of signed ones, and back."""
    topmost = constant(np.full((), np.iinfo(np.int64).min, np.int64), node.layer)
    return Node("zip", (node, topmost), {"function": "bit_xor"}, node.type, node.layer)


ZIP_OPS: Mapping[str, Op] = {
    "zip": Op(infer_zip, eval_zip, params=repeat_params, stem=zip_stem),
    "binary": Op(infer_binary, eval_zip, lower_binary),
}
