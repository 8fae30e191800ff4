"""ATen ops on complex tensors, as pairs of float32 nodes: Fourier transforms and what surrounds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch

from s2c.ir import Node, constant
from s2c.layers.basic import add, binary, cast, div, mul, narrow, negate, reshape, stack, sub, unary
from s2c.layers.signal import dft
from s2c.readers.torch.elementwise import add_or_sub
from s2c.readers.torch.movement import MOVEMENT
from s2c.readers.torch.reduction import reduced
from s2c.readers.torch.source import Reader, Source, array_of, axis_of, float_node, given


@dataclass(frozen=True)
class Complex:
    real: Node
    imaginary: Node


Result: TypeAlias = "Node | Complex"
ComplexReader = Callable[[Source], "Result | tuple[Result, ...]"]


def is_complex(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.complex64


def as_complex(source: Source, value: Any) -> Complex:
    """A tensor or a number of any kind."""
    if isinstance(value, Complex):
        return value
    if isinstance(value, Node):
        real = cast(value, "f32", source.layer)
        return Complex(real, constant(np.zeros(real.type.shape, np.float32), source.layer))
    tensor = value if isinstance(value, torch.Tensor) else torch.tensor(value)
    wide = tensor.to(torch.complex64)
    parts = (constant(array_of(source.layer, each), source.layer) for each in (wide.real, wide.imag))
    return Complex(*parts)


def argument(source: Source, name: str = "self") -> Complex:
    return as_complex(source, given(source, name))


# part by part


def partwise(reader: Reader) -> ComplexReader:
    """A linear op with real factors, of both parts by themselves."""

    def read(source: Source) -> Result | tuple[Result, ...]:
        made: list[Any] = []
        for part in ("real", "imaginary"):
            args = {name: part_of(source, value, part) for name, value in source.args.items()}
            made.append(reader(replace(source, args=args, result=real_kinds(source.result))))
        first, second = made
        if isinstance(first, tuple):
            return tuple(Complex(*pair) for pair in zip(first, second, strict=True))
        return Complex(first, second)

    return read


def part_of(source: Source, value: Any, part: str) -> Any:
    if isinstance(value, list):
        return [part_of(source, each, part) for each in value]
    if isinstance(value, (Node, torch.Tensor, Complex)):
        return getattr(as_complex(source, value), part)
    return value


def real_kinds(result: Any) -> Any:
    if isinstance(result, (list, tuple)):
        return [real_kinds(each) for each in result]
    return torch.empty(result.shape, dtype=torch.float32, device="meta")


# arithmetic


def product(source: Source) -> Result:
    a, b = argument(source), argument(source, "other")
    layer = source.layer
    real = sub(mul(a.real, b.real, layer), mul(a.imaginary, b.imaginary, layer), layer)
    imaginary = add(mul(a.real, b.imaginary, layer), mul(a.imaginary, b.real, layer), layer)
    return Complex(real, imaginary)


def squared_size(x: Complex, layer: str) -> Node:
    return add(mul(x.real, x.real, layer), mul(x.imaginary, x.imaginary, layer), layer)


def quotient(source: Source) -> Result:
    """self times the conjugate of other, over its squared size."""
    b = argument(source, "other")
    size = squared_size(b, source.layer)
    turned = Complex(b.real, negate(b.imaginary, source.layer))
    above = product(replace(source, args={**source.args, "other": turned}))
    assert isinstance(above, Complex)
    return Complex(div(above.real, size, source.layer), div(above.imaginary, size, source.layer))


def conjugate(source: Source) -> Result:
    x = argument(source)
    return Complex(x.real, negate(x.imaginary, source.layer))


def opposite(source: Source) -> Result:
    x = argument(source)
    return Complex(negate(x.real, source.layer), negate(x.imaginary, source.layer))


def size(source: Source) -> Result:
    return unary("sqrt", squared_size(argument(source), source.layer), source.layer)


def angle(source: Source) -> Result:
    x = argument(source)
    return binary("atan2", x.imaginary, x.real, source.layer)


def polar(source: Source) -> Result:
    length, turn = float_node(source, "abs"), float_node(source, "angle")
    parts = (mul(length, unary(name, turn, source.layer), source.layer) for name in ("cos", "sin"))
    return Complex(*parts)


# to and from pairs


def pair_of(x: Complex, layer: str) -> Node:
    return stack((x.real, x.imaginary), len(x.real.type.shape), layer)


def complex_of(pair: Node, layer: str) -> Complex:
    axis = len(pair.type.shape) - 1
    parts = (reshape(narrow(pair, axis, i, 1, layer), pair.type.shape[:-1], layer) for i in range(2))
    return Complex(*parts)


def as_real(source: Source) -> Result:
    return pair_of(argument(source), source.layer)


def from_real(source: Source) -> Result:
    return complex_of(float_node(source), source.layer)


def from_parts(source: Source) -> Result:
    return Complex(float_node(source, "real"), float_node(source, "imag"))


def unchanged(source: Source) -> Result:
    return argument(source)


# Fourier transforms

# What a forward transform is multiplied by, for each of torch's normalizations; an inverse one of numpy,
# which is what dft gives, is that over the length already.
FACTORS: Mapping[int, Callable[[int], float]] = {
    0: lambda length: 1.0,
    1: lambda length: 1.0 / math.sqrt(length),
    2: lambda length: 1.0 / length,
}


def scaled(source: Source, x: Node, length: int, inverse: bool) -> Node:
    factor = FACTORS[given(source, "normalization")](length) * (length if inverse else 1)
    return x if factor == 1 else mul(x, factor, source.layer)


def transformed(source: Source, pair: Node, axes: list[int], inverse: bool) -> Node:
    """A pair, transformed along several axes."""
    for axis in axes:
        length = pair.type.shape[axis]
        pair = dft(pair, axis, length, inverse, False, source.layer)
        pair = scaled(source, pair, length, inverse)
    return pair


def fourier_axes(source: Source, rank: int) -> list[int]:
    return [axis_of(source, axis, rank) for axis in given(source, "dim")]


def real_to_complex(source: Source) -> Result:
    x = float_node(source)
    *rest, last = fourier_axes(source, len(x.type.shape))
    length = x.type.shape[last]
    column = reshape(x, (*x.type.shape, 1), source.layer)
    pair = dft(column, last, length, False, bool(given(source, "onesided")), source.layer)
    return complex_of(transformed(source, scaled(source, pair, length, False), rest, False), source.layer)


def complex_to_complex(source: Source) -> Result:
    pair = pair_of(argument(source), source.layer)
    axes = fourier_axes(source, len(pair.type.shape) - 1)
    return complex_of(transformed(source, pair, axes, not given(source, "forward")), source.layer)


def complex_to_real(source: Source) -> Result:
    pair = pair_of(argument(source), source.layer)
    *rest, last = fourier_axes(source, len(pair.type.shape) - 1)
    length = given(source, "last_dim_size")
    pair = transformed(source, pair, rest, True)
    column = dft(pair, last, length, True, True, source.layer)
    return scaled(source, reshape(column, column.type.shape[:-1], source.layer), length, True)


COMPLEX: Mapping[str, ComplexReader] = {
    **{name: partwise(reader) for name, reader in MOVEMENT.items()},
    "aten._conj.default": conjugate,
    "aten._fft_c2c.default": complex_to_complex,
    "aten._fft_c2r.default": complex_to_real,
    "aten._fft_r2c.default": real_to_complex,
    "aten._to_copy.default": unchanged,
    "aten.abs.default": size,
    "aten.add.Tensor": partwise(add_or_sub(subtract=False)),
    "aten.alias.default": unchanged,
    "aten.angle.default": angle,
    "aten.clone.default": unchanged,
    "aten.complex.default": from_parts,
    "aten.conj_physical.default": conjugate,
    "aten.detach.default": unchanged,
    "aten.div.Tensor": quotient,
    "aten.mean.dim": partwise(reduced("mean")),
    "aten.mul.Tensor": product,
    "aten.neg.default": opposite,
    "aten.polar.default": polar,
    "aten.sub.Tensor": partwise(add_or_sub(subtract=True)),
    "aten.sum.dim_IntList": partwise(reduced("sum")),
    "aten.view_as_complex.default": from_real,
    "aten.view_as_real.default": as_real,
}
