"""Trains a net that runs in int8: forward each value is what the integers give, backward what the reals
would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2c.ir import Node, Quant, Type, input_node
from s2c.ops import OPS, make
from s2c.ops.clamp import integer_bounds
from s2c.ops.convolution import requantization, result_scales
from s2c.ops.core import quantize
from s2c.ops.elementwise import tabulate
from s2c.ops.integer import HIGHEST, LOWEST, scale_of, zero_of
from s2c.passes.fuse_qdq import FUSED, MOVED, fuse_dequantize
from s2c.passes.quantize import int8_steps, weight_scale, with_int8_weights
from s2c.quantization.scales import CONTRACTIONS
from s2c.quantization.scheme import Scheme, round_twice
from s2c.train.functions import TORCH, conv2d_sums
from s2c.train.module import GraphModule
from s2c.train.tensors import aligned

EXACT_SUMS = float(1 << 24)  # below it float32 sums of integers are exact, in any order
TABULATED = ("leaky_relu", "requantize", "unary")


class StraightThrough(torch.autograd.Function):  # type: ignore[misc]
    """The value of hard with the gradient of soft."""

    @staticmethod
    def forward(ctx: Any, soft: Tensor, hard: Tensor) -> Tensor:
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def straight(soft: Tensor, hard: Tensor) -> Tensor:
    result: Tensor = StraightThrough.apply(soft, hard)
    return result


class QuantizedModule(GraphModule):
    """A Scheme's float Graph whose int8 nodes have, to the bit, the values of the int8 Graph: (q - zero) *
    scale.

    The parameters are the real weights and biases; to_graph() gives the float Graph with them, for the same
    Quants. Scales of tensors stay, those of weights follow the weights.
    """

    is_exact = True

    def __init__(self, scheme: Scheme) -> None:
        super().__init__(scheme.graph)
        self.scheme = scheme
        self.forms = {
            node: int8_form(node, scheme.quants) for node in self.order if node in scheme.layout.int8
        }

    def normalise(self, *_: Any, **__: Any) -> None:
        """Nothing: normalisation that is folded away later would change the integers."""

    def settings(self) -> str:
        quants = [
            f"{index} {quant!r} {node in self.forms}"
            for index, node in enumerate(self.order)
            if (quant := self.scheme.quants.get(node)) is not None
        ]
        return f"{self.scheme.float_io} {quants}"

    def values(self, wanted: Iterable[Node], *inputs: Tensor, states: Sequence[Tensor] = ()) -> list[Tensor]:
        stored = [
            self.rounded(node, x) if node in self.forms and not self.scheme.float_io else x
            for node, x in zip(self.graph.inputs, inputs, strict=True)
        ]
        return super().values(wanted, *stored, states=states)

    def kind(self, node: Node) -> Type:
        return replace(node.type, dtype="i8", quant=self.scheme.quants[node])

    def stored(self, node: Node, x: Tensor) -> Tensor:
        """The float32 whole numbers q - zero that stand for the node's real values."""
        kind = self.kind(node)
        scale, zero = scale_of(kind), zero_of(kind)
        soft = x / scale
        if node not in self.forms or node.op in ("input", "constant"):
            hard = torch.from_numpy(quantize(x.detach().numpy(), kind).astype(np.float32)) - zero
            return straight(soft.clamp(LOWEST - zero, HIGHEST - zero), hard)
        return straight(soft, torch.round(soft.detach()))

    def rounded(self, node: Node, x: Tensor) -> Tensor:
        return self.real(self.stored(node, x), self.kind(node))

    def real(self, steps: Tensor, kind: Type) -> Tensor:
        return steps * scale_of(kind)

    def value(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        if node not in self.forms:
            return super().value(node, inputs)
        kind = self.kind(node)
        if node.op == "constant":
            return self.rounded(node, super().value(node, inputs))
        form = self.forms[node]
        if node.op in MOVED:
            source = self.rounded(node.inputs[0], inputs[0])
            return TORCH[node.op](moved_form(node, kind), lambda name: self.attr(node, name), source)
        steps = [self.stored(each, x) for each, x in zip(node.inputs, inputs, strict=True)]
        if node.op == "concat":
            return self.concatenated(node, steps, kind)
        if form is None:
            return rounded_to(super().value(node, inputs), kind)
        if node.op in CONTRACTIONS:
            return self.contracted(node, form, steps[0])
        reals = [self.real(each, self.kind(of)) for each, of in zip(steps, node.inputs, strict=True)]
        soft = super().value(node, reals)
        return straight(within(soft, form), self.hard(node, form, steps))

    def hard(self, node: Node, form: Node, steps: Sequence[Tensor]) -> Tensor:
        """The real values of what the op's int8 form gives."""
        arrays = [
            (each.detach() + zero_of(of.type)).numpy().astype(np.int8)
            for each, of in zip(aligned(node, *steps), form.inputs, strict=True)
        ]
        if node.op in TABULATED:
            found = tabulate(form).attrs["table"][arrays[0].astype(np.int64) - LOWEST]
        elif node.op == "average_pool":
            flat = arrays[0].reshape(-1, *arrays[0].shape[2:])
            found = OPS[node.op].eval(form, flat).reshape(len(arrays[0]), *node.type.shape)
        else:
            found = OPS[node.op].eval(form, *arrays)
        return real_values(found, form.type)

    def concatenated(self, node: Node, steps: Sequence[Tensor], kind: Type) -> Tensor:
        parts = []
        for each, source in zip(steps, node.inputs, strict=True):
            soft = self.real(each, self.kind(source))
            if self.kind(source).quant == kind.quant:
                parts.append(soft)
                continue
            leaf = input_node(source.layer, self.kind(source))
            table = tabulate(make("requantize", (leaf,), node.layer, kind.quant)).attrs["table"]
            places = (each.detach() + zero_of(self.kind(source)) - LOWEST).long().numpy()
            form = input_node(node.layer, kind)
            parts.append(straight(within(soft, form), real_values(table[places], kind)))
        return TORCH["concat"](node, lambda name: self.attr(node, name), *parts)

    def contracted(self, node: Node, form: Node, steps: Tensor) -> Tensor:
        """conv2d or dense of whole numbers, with the integers that the weights stand for now."""
        weight, bias = self.attr(node, "weight"), self.attr(node, "bias")
        source = self.scheme.quants[node.inputs[0]]
        now = node.with_attrs(weight=weight.detach().numpy(), bias=bias.detach().numpy())
        scale = weight_scale(now, source)
        wide = torch.from_numpy(scale.astype(np.float64) * scale_of(form.inputs[0].type))
        rows = torch.from_numpy(scale).reshape(-1, *(1,) * (weight.ndim - 1))
        whole = straight(weight / rows, torch.from_numpy(int8_steps(now.attrs["weight"], scale)))
        offset = torch.round(bias.detach().double() / wide)
        sums = exact_sums(node, steps, whole)
        soft = within(sums * wide.float() + bias, form)
        form = form.with_attrs(weight_scale=scale)
        return straight(soft, requantized(form, sums.detach(), offset))


def int8_form(node: Node, quants: Mapping[Node, Quant]) -> Node | None:
    """The int8 node that fuse_qdq makes of it, of leaves; None for leaves, movements and what stays float."""
    if node.op not in FUSED or FUSED[node.op] is fuse_dequantize:
        return None
    leaves = [
        input_node(each.layer, replace(each.type, dtype="i8", quant=quants[each])) for each in node.inputs
    ]
    sources = tuple(make("dequantize", (each,), each.layer) for each in leaves)
    rounded = replace(node, inputs=sources)
    if node.op in CONTRACTIONS:
        rounded = with_int8_weights(rounded, quants[node.inputs[0]])
    fused = FUSED[node.op](rounded, quants[node])
    return None if fused is None else round_twice(fused) or fused


def moved_form(node: Node, kind: Type) -> Node:
    """A movement or clamp whose numbers are those that int8 holds."""
    leaf = replace(node, type=kind)
    if node.op == "pad":
        value = quantize(np.array([node.attrs["value"]]), kind)
        return node.with_attrs(value=float(real_values(value, kind)[0]))
    if node.op == "relu":
        lo, hi = real_values(np.array(integer_bounds(leaf)), kind).tolist()
        return node.with_attrs(lo=lo, hi=hi)
    return node


def real_values(stored: np.ndarray, kind: Type) -> Tensor:
    return torch.from_numpy((stored.astype(np.int32) - zero_of(kind)).astype(np.float32)) * scale_of(kind)


def rounded_to(x: Tensor, kind: Type) -> Tensor:
    soft = x.clamp(*real_values(np.array([LOWEST, HIGHEST]), kind).tolist())
    return straight(soft, real_values(quantize(x.detach().numpy(), kind), kind))


def within(x: Tensor, form: Node) -> Tensor:
    """Real values as far as the int8 node's result can hold them: beyond, no gradient."""
    lo, hi = real_values(np.array(integer_bounds(form)), form.type).tolist()
    return x.clamp(lo, hi)


def exact_sums(node: Node, steps: Tensor, weight: Tensor) -> Tensor:
    """The contraction without bias; in float64 where its sums could be too large for float32."""
    most = float(weight.detach().abs().flatten(1).sum(1).max()) * (HIGHEST - LOWEST)
    if most >= EXACT_SUMS:
        steps, weight = steps.double(), weight.double()
    if node.op == "conv2d":
        sums = conv2d_sums(node, lambda name: weight, steps, None)
    else:
        sums = torch.nn.functional.linear(steps, weight)
    return sums


def requantized(form: Node, sums: Tensor, bias: Tensor) -> Tensor:
    """The real values of the int8 results, from whole sums [.., outputs] without bias."""
    zero = zero_of(form.type)
    lo, hi = integer_bounds(form)
    if form.op == "dense":
        wide = torch.round(sums).double().add_(bias).mul_(torch.from_numpy(result_scales(form)))
        whole = wide.trunc()
        scaled = whole + torch.where((wide - whole).abs() >= 0.5, wide.sign(), 0.0)
    else:
        scaled = rounded_twice(torch.round(sums).long().add_(bias.long()), *requantization(form))
    return scaled.clamp_(lo - zero, hi - zero).float().mul_(scale_of(form.type))


def rounded_twice(x: Tensor, multipliers: np.ndarray, shifts: np.ndarray) -> Tensor:
    """ops.integer.scale of int64, in place: x * multiplier * 2**(shift - 31)."""
    multiplier, shift = (torch.from_numpy(each.astype(np.int64)) for each in (multipliers, shifts))
    right = (-shift).clamp_min(0)
    x.bitwise_left_shift_(shift.clamp_min(0)).mul_(multiplier).add_(1 << 30).bitwise_right_shift_(31)
    half = (torch.ones_like(right) << right) >> 1
    below = (x < 0) & (right > 0)
    return x.add_(half).sub_(below.long()).bitwise_right_shift_(right)
