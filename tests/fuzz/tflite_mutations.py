"""Parts of .tflite files to strange ones, written anew, with their bytes damaged too."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import tflite
from flatbuffers.builder import OffsetArithmeticError
from tflite_writer import TENSOR_TYPES, Op, Subgraph, Tensor, write_subgraphs

from fuzz.damage import FLOATS, INTEGERS, TEXTS, damage
from s2c.readers.tflite import READERS

READ = sorted(READERS)
UNWRITABLE = (
    *(KeyError, TypeError, ValueError, AttributeError, OverflowError),
    *(struct.error, OffsetArithmeticError),
)
OPS = sorted(name for name in vars(tflite.BuiltinOperator) if name.isupper())
KINDS = sorted(name[: -len("Options")] for name in vars(tflite.BuiltinOptions) if name.endswith("Options"))
EXTENTS = (*range(-1, 8), 127, 1 << 15, (1 << 31) - 1)
SHAPES = ((), (0,), (1,), (5,), (1, 4), (3, 2), (1, 4, 4, 3), (2, 3, 5), (1, 1, 1, 1, 1), (1,) * 9)


@dataclass
class Parts:
    """A subgraph that changes; before and after are the others of its file."""

    tensors: list[Tensor]
    ops: list[Op]
    outputs: list[str]
    inputs: list[str] | None = None
    before: Sequence[Subgraph] = ()
    after: Sequence[Subgraph] = ()

    def graphs(self) -> list[Subgraph]:
        return [*self.before, Subgraph(self.tensors, self.ops, self.outputs, self.inputs), *self.after]


Mutation = Callable[[Random, Parts], None]


def mutate(source: Random, seeds: Sequence[Sequence[Subgraph]], files: Sequence[bytes]) -> bytes:
    """A file with damaged bytes, or one written from a changed subgraph; seeds are the subgraphs of files."""
    chosen = source.choice(seeds)
    whole = write_or_none(chosen) or source.choice(files)
    if source.random() < 0.2:
        return damage(source, source.choice((whole, whole, whole, source.choice(files))))
    parts = split(chosen, source.randrange(len(chosen)))
    for _ in range(source.choice((1, 1, 2, 4, 8))):
        source.choice(MUTATIONS)(source, parts)
    data = write_or_none(parts.graphs()) or whole
    return damage(source, data) if source.random() < 0.2 else data


def split(graphs: Sequence[Subgraph], at: int) -> Parts:
    chosen = graphs[at]
    inputs = None if chosen.inputs is None else list(chosen.inputs)
    lists = list(chosen.tensors), list(chosen.ops), list(chosen.outputs)
    return Parts(*lists, inputs, graphs[:at], graphs[at + 1 :])


def write_or_none(graphs: Sequence[Subgraph]) -> bytes | None:
    """The file, or None where the graphs hold what no file can."""
    try:
        return write_subgraphs(graphs)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        struct.error,
        OffsetArithmeticError,
    ):
        return None


def change_tensor(source: Random, parts: Parts, **fields: Any) -> None:
    at = source.randrange(len(parts.tensors))
    parts.tensors[at] = replace(parts.tensors[at], **fields)


def change_shape(source: Random, parts: Parts) -> None:
    at = source.randrange(len(parts.tensors))
    shape = list(parts.tensors[at].shape)
    if shape and source.random() < 0.7:
        shape[source.randrange(len(shape))] = source.choice(EXTENTS)
    else:
        shape = list(source.choice(SHAPES))
    parts.tensors[at] = replace(parts.tensors[at], shape=tuple(shape))


def change_dtype(source: Random, parts: Parts) -> None:
    change_tensor(source, parts, dtype=source.choice(sorted(TENSOR_TYPES)))


def change_value(source: Random, parts: Parts) -> None:
    """A constant of another array, an extreme value, or none; a tensor that becomes a constant."""
    at = source.randrange(len(parts.tensors))
    tensor = parts.tensors[at]
    if tensor.dtype == "resource":
        return
    dtype = np.dtype(tensor.dtype)
    if tensor.value is None or source.random() < 0.3:
        shape = source.choice(SHAPES) if source.random() < 0.5 else tensor.shape
        shape = tuple(min(max(extent, 0), 8) for extent in shape)
        values = np.random.default_rng(source.randrange(1 << 30)).integers(-3, 4, shape)
        parts.tensors[at] = replace(tensor, shape=shape, value=values.astype(dtype))
    elif source.random() < 0.7 and tensor.value.size:
        value = tensor.value.copy()
        chosen = source.choice(FLOATS if dtype.kind == "f" else (*range(-2, 9), *INTEGERS))
        with np.errstate(all="ignore"):
            value.reshape(-1)[source.randrange(value.size)] = np.asarray(chosen).astype(dtype)
        parts.tensors[at] = replace(tensor, value=value)
    else:
        parts.tensors[at] = replace(tensor, value=None)


def change_quantization(source: Random, parts: Parts) -> None:
    count = source.choice((0, 1, 1, 2, 3, 8))
    scale = tuple(source.choice((0.1, 0.5, 3.0, *FLOATS)) for _ in range(count))
    zero = tuple(source.choice((0, 0, 3, -128, 127, 1 << 40)) for _ in range(source.choice((count, 1, 0))))
    change_tensor(source, parts, scale=scale, zero=zero, axis=source.choice((0, 1, 3, -1, 1 << 30)))


def change_name(source: Random, parts: Parts) -> None:
    """Of a tensor and all that refer to it."""
    at = source.randrange(len(parts.tensors))
    old, new = parts.tensors[at].name, source.choice(TEXTS[1:])
    if new in {each.name for each in parts.tensors}:
        return
    parts.tensors[at] = replace(parts.tensors[at], name=new)

    def renamed(names: Sequence[str]) -> list[str]:
        return [new if name == old else name for name in names]

    parts.ops[:] = [replace(op, inputs=renamed(op.inputs), outputs=renamed(op.outputs)) for op in parts.ops]
    parts.outputs[:] = renamed(parts.outputs)
    parts.inputs = None if parts.inputs is None else renamed(parts.inputs)


def mark(source: Random, parts: Parts) -> None:
    """A variable, or unknown dimensions."""
    if source.random() < 0.5:
        change_tensor(source, parts, is_variable=True)
    else:
        change_tensor(source, parts, signature=tuple(source.choice((*SHAPES, (-1, -1), (-1, 4, 4, 3)))))


def place_of_op(source: Random, parts: Parts) -> int:
    if not parts.ops:
        name = source.choice(parts.tensors).name
        parts.ops.append(Op(source.choice(READ), [name], [name]))
    return source.randrange(len(parts.ops))


def change_op(source: Random, parts: Parts) -> None:
    at = place_of_op(source, parts)
    names = source.choice((READ, READ, OPS))
    parts.ops[at] = replace(parts.ops[at], op=source.choice(names))


def change_kind(source: Random, parts: Parts) -> None:
    at = place_of_op(source, parts)
    parts.ops[at] = replace(parts.ops[at], kind=source.choice(("", *KINDS)), options={})


def change_options(source: Random, parts: Parts) -> None:
    at = place_of_op(source, parts)
    options = dict(parts.ops[at].options)
    if not options:
        return
    name = source.choice(sorted(options))
    old = options[name]
    if isinstance(old, tuple):
        options[name] = tuple(source.choice(EXTENTS) for _ in range(source.randrange(6)))
    elif isinstance(old, float):
        options[name] = source.choice(FLOATS)
    else:
        options[name] = source.choice((*range(-2, 9), 100, -128, (1 << 31) - 1, -(1 << 31)))
    parts.ops[at] = replace(parts.ops[at], options=options)


def change_wires(source: Random, parts: Parts) -> None:
    """Inputs or outputs of an op: another tensor, none, one more, one less."""
    at = place_of_op(source, parts)
    field = source.choice(("inputs", "inputs", "outputs"))
    names = list(getattr(parts.ops[at], field))
    others = ["", *(each.name for each in parts.tensors)]
    if names and source.random() < 0.7:
        place = source.randrange(len(names))
        names[place : place + 1] = source.choice(([], [source.choice(others)], [source.choice(others)]))
    else:
        names.append(source.choice(others))
    parts.ops[at] = replace(parts.ops[at], **{field: names})


def insert_op(source: Random, parts: Parts) -> None:
    """One more op after an output."""
    if not parts.outputs:
        return
    like = [each for each in parts.tensors if each.name == parts.outputs[0]][:1]
    name = f"inserted{len(parts.tensors)}"
    parts.tensors += [replace(each, name=name) for each in like]
    other = source.choice(parts.tensors).name
    inputs = source.choice(([parts.outputs[0]], [parts.outputs[0], other]))
    parts.ops.append(Op(source.choice(READ), inputs, [name], source.choice(("", *KINDS)), {}))
    parts.outputs[0] = name


def reorder(source: Random, parts: Parts) -> None:
    choice = source.randrange(4) if parts.ops else 2
    if choice == 0:
        source.shuffle(parts.ops)
    elif choice == 1:
        parts.ops.append(source.choice(parts.ops))
    elif choice == 2:
        parts.outputs.append(source.choice(["", *(each.name for each in parts.tensors)]))
    else:
        graphs = parts.graphs()
        parts.after = [*parts.after, source.choice(graphs)][: source.randrange(4)]


MUTATIONS: tuple[Mutation, ...] = (
    *(change_shape, change_shape, change_dtype, change_value, change_value, change_quantization, change_name),
    *(mark, change_op, change_op, change_kind, change_options, change_options, change_options),
    *(change_wires, change_wires, insert_op, reorder),
)
