"""Reads the kernels of a language: each file's name, signature and first comment are its registration."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from s2c.extents import DERIVED
from s2c.ir import DTYPES
from s2c.resources import folder

ANY = "any"  # of a kernel that moves elements of any dtype
DTYPE_NAMES = (*DTYPES, ANY)
EXTENSIONS: Mapping[str, str] = {"c": "c", "verilog": "v"}
FIELD = re.compile(r"^\s*(in place|scratch|where|needs|pack|tile|split): (.*?)\s*(?:\*/)?$", re.MULTILINE)
COMPUTES = re.compile(r"^\s*computes: (\w+)(?: in place (\w+))?(?: where (.*?))?$", re.MULTILINE)
COMPARE = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


@dataclass(frozen=True)
class Argument:
    name: str
    pointer: bool
    ctype: str


@dataclass(frozen=True)
class Packed:
    """A packing's name, and its arguments as expressions of the parameters."""

    name: str
    expressions: tuple[str, ...]

    def arguments(self, params: Mapping[str, int | float]) -> list[int]:
        return [evaluate(each, params) for each in self.expressions]


@dataclass(frozen=True, eq=False)
class Kernel:
    """One file. stems and dtypes say which chain of ops it computes; the rest comes from its first comment.

    in_place: the arguments that may lie where the output lies.
    scratch: bytes of working memory, as an expression of the parameters; "" for none.
    where: the condition on the parameters under which it applies; "" for none.
    needs: the target feature it is written for; "" for portable.
    packs: packing of each constant that is not stored as it is.
    tile: expressions of the rows in a line and the columns of which it takes a tile at a time, given by two
    more parameters, tile_rows and tile_columns; then, where it is not `depth`, of the steps that a tile
    takes, and 1 where rows left over cost as much as a whole tile. None: it has no such choice.
    split: an expression of how many units its work falls into; it computes those from `first` up to `last`,
    its last parameters, so that several threads can share a call. "": it always does all.
    """

    path: Path
    function: str
    stems: tuple[str, ...]
    dtypes: tuple[str, ...]
    arguments: tuple[Argument, ...]
    in_place: tuple[str, ...]
    scratch: str
    where: str
    needs: str
    packs: Mapping[str, Packed]
    tile: tuple[str, ...]
    split: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def key(self) -> str:
        return "_".join((*self.stems, *self.dtypes))


def evaluate(expression: str, params: Mapping[str, int | float]) -> int:
    """An expression of integers, parameters, + - * // %, comparisons, and, or."""
    return int(evaluate_tree(ast.parse(expression, mode="eval").body, params))


def evaluate_tree(tree: ast.expr, params: Mapping[str, int | float]) -> int | float | bool:
    match tree:
        case ast.Constant(value=int() as value):
            return value
        case ast.Name(id=name):
            return DERIVED[name](params) if name in DERIVED else params[name]
        case ast.BinOp(left=left, op=op, right=right):
            result: int | float = ARITHMETIC[type(op)](
                evaluate_tree(left, params), evaluate_tree(right, params)
            )
            return result
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return bool(COMPARE[type(op)](evaluate_tree(left, params), evaluate_tree(right, params)))
        case ast.BoolOp(op=ast.And(), values=values):
            return all(evaluate_tree(each, params) for each in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(evaluate_tree(each, params) for each in values)
    raise AssertionError(f"not an expression of a kernel's comment: {ast.dump(tree)}")


def parse_kernel(path: Path, text: str) -> Kernel:
    """path's stem is <op>[_<op>..]_<dtype>[_<dtype>][.<variant>]."""
    key = path.stem.split(".")[0]
    comment = text[: text.index("*/") + 2]
    fields: dict[str, str] = {}
    packs: dict[str, Packed] = {}
    for name, value in FIELD.findall(comment):
        if name == "pack":
            constant, packing = value.split(" = ")
            packs[constant] = parse_packing(packing)
        else:
            fields[name] = value
    function = path.stem.replace(".", "_")
    signature = re.search(rf"\b{re.escape(function)}\((.*?)\)\s*\{{", text, re.DOTALL)
    assert signature is not None, f"{path} defines no function {function}"
    return Kernel(
        path=path,
        function=function,
        stems=stems_of(key),
        dtypes=dtypes_of(key),
        arguments=tuple(parse_argument(each) for each in signature.group(1).split(",")),
        in_place=tuple(fields.get("in place", "").replace(",", " ").split()),
        scratch=fields.get("scratch", ""),
        where=fields.get("where", ""),
        needs=fields.get("needs", ""),
        packs=packs,
        tile=tuple(each.strip() for each in fields["tile"].split(",")) if "tile" in fields else (),
        split=fields.get("split", ""),
    )


def parse_packing(text: str) -> Packed:
    """`name`, or `name(expression, ..)`."""
    name, _, rest = text.partition("(")
    return Packed(name, tuple(each.strip() for each in rest.rstrip(")").split(",")) if rest else ())


def parse_argument(text: str) -> Argument:
    words = text.replace("*", " * ").replace("restrict", " ").split()
    ctype = next(word for word in words if word not in ("const", "*"))
    return Argument(words[-1], "*" in words, ctype)


def parse_module(path: Path, text: str) -> list[Kernel]:
    """A Verilog module's first comment has a line for each chain that it computes: `computes: <key> [in place
    <argument>] [where <condition>]`, the arguments being `a` and `b`."""
    return [
        Kernel(
            path=path,
            function=path.stem,
            stems=stems_of(key),
            dtypes=dtypes_of(key),
            arguments=tuple(Argument(name, True, "int8_t") for name in ("output", "a", "b")),
            in_place=tuple(in_place.split()),
            scratch="",
            where=where,
            needs="",
            packs={},
            tile=(),
            split="",
        )
        for key, in_place, where in COMPUTES.findall(text[: text.index("*/")])
    ]


def first_dtype(words: Sequence[str]) -> int:
    return next(index for index, word in enumerate(words) if word in DTYPE_NAMES)


def stems_of(key: str) -> tuple[str, ...]:
    words = key.split("_")
    return tuple(words[: first_dtype(words)])


def dtypes_of(key: str) -> tuple[str, ...]:
    words = key.split("_")
    return tuple(words[first_dtype(words) :])


@lru_cache
def list_kernels(language: str) -> tuple[Kernel, ...]:
    paths = sorted((folder("kernels") / language).glob(f"*.{EXTENSIONS[language]}"))
    texts = [(path, path.read_text(encoding="utf-8")) for path in paths]
    if language == "verilog":
        return tuple(kernel for path, text in texts for kernel in parse_module(path, text))
    return tuple(parse_kernel(path, text) for path, text in texts)


def usable_kernels(language: str, features: Sequence[str]) -> Mapping[str, tuple[Kernel, ...]]:
    """The kernels of each key, best first: the target's most specific feature, then the narrowest
    condition.
    """
    rank = {feature: index for index, feature in enumerate(features)}

    def order(kernel: Kernel) -> tuple[int, int, str]:
        return rank.get(kernel.needs, len(rank)), -len(kernel.where), kernel.name

    result: dict[str, tuple[Kernel, ...]] = {}
    for kernel in sorted(list_kernels(language), key=order):
        if kernel.needs == "" or kernel.needs in rank:
            result[kernel.key] = (*result.get(kernel.key, ()), kernel)
    return result


def first_fitting(
    kernels: Mapping[str, tuple[Kernel, ...]], key: str, params: Mapping[str, int | float]
) -> Kernel | None:
    """The best kernel of a key whose condition holds."""
    return next(fitting(kernels, key, params), None)


def fitting(
    kernels: Mapping[str, tuple[Kernel, ...]], key: str, params: Mapping[str, int | float]
) -> Iterator[Kernel]:
    """The kernels of a key whose condition holds, best first."""
    for kernel in kernels.get(key, ()):
        if not kernel.where or evaluate(kernel.where, params):
            yield kernel
