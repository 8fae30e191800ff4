"""What an op is: one row of the table that every other part of the compiler reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2c.ir import Node, Type

Consts = Mapping[str, np.ndarray]
Params = Mapping[str, int | float]


def no_macs(node: Node) -> int:
    return 0


def no_consts(node: Node) -> Consts:
    return {}


def no_params(node: Node) -> Params:
    return {}


def never(node: Node) -> bool:
    return False


def always(node: Node) -> bool:
    return True


def op_name(node: Node) -> str:
    return node.op


@dataclass(frozen=True)
class Op:
    """One op.

    infer: its result type from inputs, attrs and the wanted quantization (node.type.quant), or a
    CompileError.
    eval: eval(node, *arrays) -> array, its meaning in the plainest numpy: the specification.
    lower: the same value made of other ops; None for a core op.
    macs: exact multiply-accumulates.
    consts, params: the arrays and numbers that a kernel takes, in argument order.
    stem: the word that stands for it in a kernel's file name.
    accumulator: the largest absolute value that its int32 accumulator can take, in any order of summation.
    channelwise: output channel c (last axis) depends on channel c of each input alone.
    """

    infer: Callable[[Node], Type]
    eval: Callable[..., np.ndarray]
    lower: Callable[[Node], Node] | None = None
    macs: Callable[[Node], int] = no_macs
    consts: Callable[[Node], Consts] = no_consts
    params: Callable[[Node], Params] = no_params
    stem: Callable[[Node], str] = op_name
    accumulator: Callable[[Node], int] | None = None
    channelwise: Callable[[Node], bool] = never


def like_input(node: Node) -> Type:
    """The first input's shape and dtype, with the node's own quantization where it has one."""
    kind = node.inputs[0].type
    return Type(kind.shape, kind.dtype, node.type.quant or kind.quant)


def attr(node: Node, name: str) -> Any:
    return node.attrs[name]
