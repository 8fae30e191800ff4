"""What each op of OPS takes: inputs, attrs, element types, and what must hold between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from s2c.ir import DTYPES, Node, Type
from s2c.ops.core import ROUNDINGS as QUANTIZES
from s2c.ops.functions import FUNCTIONS
from s2c.ops.matmul import ROUNDINGS
from s2c.ops.reduction import FOLDS
from s2c.ops.zips import ARITHMETIC, ZIPS
from s2c.readers.graph_file import conditions as check
from s2c.readers.graph_file.kinds import (
    ANY_ARRAY,
    AXES,
    AXIS,
    BOUND,
    COUNT,
    EXTENTS,
    FILL,
    FLAG,
    MOST_EXTENT,
    MOST_INTEGER,
    POSITIVE,
    REAL,
    STEPS,
    STORED,
    Kind,
    array,
    integer,
    integers,
    one_of,
    pads,
)

MOST_INPUTS = 1 << 16
COMPUTED = tuple(name for name in DTYPES if name != "f64")


def word(kind: Type) -> str:
    """A type's dtype, with "~" where it is quantized, and "~~" where it has several scales."""
    if kind.quant is None:
        return kind.dtype
    return kind.dtype + ("~" if kind.quant.axis is None else "~~")


Words = frozenset[str]
ANY: Words = frozenset((*COMPUTED, *(f"{name}~" for name in COMPUTED)))
EVERY: Words = ANY | {"f64", *(f"{name}~~" for name in COMPUTED)}
FLOAT: Words = frozenset({"f32"})
INT8: Words = frozenset({"i8~"})
LAYER: Words = FLOAT | INT8
LAYER16: Words = LAYER | {"i16~"}
WIDE: Words = frozenset({"i32", "i64"})


@dataclass(frozen=True)
class Signature:
    """operands and results: what `word` gives of inputs and of the node; least, most: how many inputs.
    check raises Malformed where a node whose type is right has attrs that no kernel could take."""

    operands: Words
    results: Words
    least: int = 1
    most: int = 1
    attrs: Mapping[str, Kind] = field(default_factory=dict)
    optional: Mapping[str, Kind] = field(default_factory=dict)
    check: Callable[[Node], None] = check.nothing


def two(operands: Words, results: Words, **optional: Kind) -> Signature:
    return Signature(operands, results, 2, 2, {}, optional, check.clamp)


EXTENT2 = integers(1, MOST_EXTENT, 2)
GEOMETRY = {"stride": EXTENT2, "dilation": EXTENT2, "pads": pads(2)}
POOL = {"kernel": EXTENT2, **GEOMETRY}
CLAMP = {"lo": BOUND, "hi": BOUND}
TWICE_OR_ONCE = one_of(("once", "twice"))
SCALED = {"weight_scale": array(1, "f32"), "narrow_scales": FLAG, "rounding": TWICE_OR_ONCE}
VECTOR = array(1, "f32")
REGION = {
    "extents": EXTENTS,
    "source_strides": STEPS,
    "source_offset": integer(0, MOST_INTEGER),
    "target_strides": STEPS,
    "target_offset": integer(0, MOST_INTEGER),
}
LEAF = Signature(frozenset(), ANY, 0, 0, {"value": ANY_ARRAY}, {}, check.leaf)
DTYPE = one_of(COMPUTED)

SIGNATURES: Mapping[str, Signature] = MappingProxyType(
    {
        "input": Signature(frozenset(), ANY, 0, 0),
        "constant": Signature(frozenset(), EVERY, 0, 0, {"value": ANY_ARRAY}, {}, check.leaf),
        "state": LEAF,
        "matmul": Signature(
            LAYER16,
            LAYER16,
            attrs={"weight": array(3, "f32", "i8"), "bias": array(1, "f32", "i32", "i64")},
            optional={
                **CLAMP,
                "multiplier": array(1, "i32"),
                "fraction": array(1, "i32"),
                "shift": array(1, "i8"),
                "rounding": TWICE_OR_ONCE,
                "zero": integer(-(1 << 15), (1 << 15) - 1),
            },
            check=check.matmul,
        ),
        "window": Signature(ANY, ANY, attrs={**POOL, "groups": COUNT, "value": FILL}, check=check.window),
        "relu": Signature(LAYER, LAYER, optional=CLAMP, check=check.relu),
        "max": Signature(LAYER16, LAYER16, attrs={"size": COUNT}, check=check.largest),
        "add": two(LAYER | WIDE, LAYER | WIDE, **CLAMP, rounding=TWICE_OR_ONCE),
        "mul": two(LAYER | WIDE, LAYER | WIDE, **CLAMP),
        "map": Signature(
            frozenset({"f32", "i8", "i8~"}),
            frozenset({"f32", "i8", "i8~"}),
            optional={"table": array(1, "i8", "f32"), "function": one_of((*FUNCTIONS, *QUANTIZES))},
            check=check.mapping,
        ),
        "gather": Signature(ANY, ANY, attrs={"shape": EXTENTS, **REGION, "value": FILL}, check=check.gather),
        "insert": Signature(ANY, ANY, 2, 2, REGION, {}, check.insert),
        "batch_matmul": Signature(FLOAT | {"i32"}, FLOAT | {"i32"}, 2, 2, {"transpose": FLAG}),
        "convert": Signature(ANY, ANY, attrs={"dtype": DTYPE}, check=check.convert),
        "cast": Signature(ANY, ANY, attrs={"dtype": DTYPE}),
        "conv2d": Signature(
            LAYER,
            LAYER,
            attrs={
                "weight": array(4, "f32", "i8"),
                "bias": array(1, "f32", "i32"),
                **GEOMETRY,
                "groups": COUNT,
            },
            optional={**SCALED, **CLAMP},
            check=check.conv2d,
        ),
        "dense": Signature(
            LAYER,
            LAYER,
            attrs={"weight": array(2, "f32", "i8"), "bias": array(1, "f32", "i32")},
            optional={**SCALED, **CLAMP},
            check=check.contraction,
        ),
        "batchnorm": Signature(FLOAT, FLOAT, attrs={"scale": VECTOR, "shift": VECTOR}, check=check.batchnorm),
        "unary": Signature(LAYER, LAYER, attrs={"function": one_of(FUNCTIONS)}),
        "requantize": Signature(INT8, INT8, optional={**CLAMP, "ratio": REAL}, check=check.requantize),
        "leaky_relu": Signature(LAYER, LAYER, attrs={"alpha": REAL}, check=check.leaky_relu),
        "prelu": Signature(FLOAT, FLOAT, attrs={"alpha": array(None, "f32")}, check=check.prelu),
        "quantize": Signature(FLOAT, INT8, optional={"ties": one_of(("away", "even"))}),
        "dequantize": Signature(INT8, FLOAT),
        "sub": two(FLOAT, FLOAT),
        "div": two(FLOAT, FLOAT),
        "take": Signature(
            ANY,
            ANY,
            attrs={
                "outer": COUNT,
                "source": COUNT,
                "inner": COUNT,
                "index": array(1, "i32"),
                "shape": EXTENTS,
                "value": FILL,
            },
            check=check.take,
        ),
        "lookup": Signature(
            frozenset({"i32"}), ANY, attrs={"table": array(None, *COMPUTED)}, check=check.lookup
        ),
        "gather_constant": Signature(
            ANY, ANY, attrs={"axis": AXIS, "index": array(None, "i64", "i32")}, check=check.nothing
        ),
        "tile": Signature(ANY, ANY, attrs={"repeats": EXTENTS}, check=check.movement),
        "reshape": Signature(ANY, ANY, attrs={"shape": EXTENTS}),
        "transpose": Signature(ANY, ANY, attrs={"perm": AXES}, check=check.movement),
        "slice": Signature(
            ANY, ANY, attrs={"starts": STEPS, "steps": STEPS, "shape": EXTENTS}, check=check.movement
        ),
        "pad": Signature(ANY, ANY, attrs={"pads": pads(), "value": FILL}, check=check.pad),
        "concat": Signature(ANY, ANY, 1, MOST_INPUTS, {"axis": AXIS}, {}, check.movement),
        "expand": Signature(ANY, ANY, attrs={"shape": EXTENTS}, check=check.movement),
        "max_pool": Signature(LAYER16, LAYER16, attrs=POOL, check=check.max_pool),
        "average_pool": Signature(
            LAYER16,
            LAYER16,
            attrs={**POOL, "count_pads": FLAG, "mean": FLAG},
            optional={**CLAMP, "rounding": TWICE_OR_ONCE, "unsigned": FLAG},
            check=check.average_pool,
        ),
        "rescale": Signature(
            WIDE,
            ANY,
            attrs={
                "dtype": one_of(("i8", "i16", "i32")),
                "rounding": one_of(ROUNDINGS),
                "multiplier": array(1, "i32"),
                "shift": array(1, "i8"),
                "bound": integer(0, MOST_INTEGER << 8),
                "zero": STORED,
                "lo": STORED,
                "hi": STORED,
            },
            check=check.rescale,
        ),
        "recenter": Signature(frozenset({"i8~", "u8~"}), frozenset({"i8~", "u8~"})),
        "reinterpret": Signature(ANY, ANY),
        "fold": Signature(
            FLOAT | WIDE | {"bool", "f16"},
            FLOAT | WIDE | {"bool", "f16"},
            attrs={
                "function": one_of(FOLDS),
                "outer": COUNT,
                "size": COUNT,
                "inner": COUNT,
                "shape": EXTENTS,
            },
            check=check.fold,
        ),
        "reduce": Signature(
            ANY,
            ANY,
            attrs={"function": one_of((*FOLDS, "mean")), "axes": AXES, "keepdims": FLAG},
        ),
        "select": Signature(ANY, ANY, 3, 3, {}, {}, check.select),
        "where": Signature(ANY, ANY, 3, 3),
        "softmax": Signature(LAYER, LAYER, attrs={"beta": POSITIVE}, check=check.softmax),
        "zip": Signature(ANY, ANY, 2, 2, {"function": one_of(ZIPS)}),
        "binary": Signature(ANY, ANY, 2, 2, {"function": one_of((*ARITHMETIC, *ZIPS))}, {}, check.binary),
    }
)
