"""Inputs to try a net with: random ones, and those that break kernels which branch on data."""

from __future__ import annotations

import numpy as np

from s2c.ir import Graph, Type

# How large random float inputs are; a net that quantizes its input gets values over its whole range as well.
AMPLITUDES = (1.0, 0.1, 10.0, 100.0)


def random_inputs(graph: Graph, source: np.random.Generator) -> tuple[np.ndarray, ...]:
    """One random array per graph input: integers over their whole range, floats around 0."""
    return tuple(random_array(node.type, source, amplitude(graph, source)) for node in graph.inputs)


def amplitude(graph: Graph, source: np.random.Generator) -> float:
    ranges = [
        127.0 * each.type.quant.scale[0]
        for each in graph.nodes()
        if each.op == "quantize" and each.type.quant is not None and each.inputs[0].op == "input"
    ]
    choices = ranges or list(AMPLITUDES)
    return float(choices[source.integers(len(choices))])


def random_array(kind: Type, source: np.random.Generator, size: float) -> np.ndarray:
    if kind.numpy.kind == "f":
        return (source.normal(size=kind.shape) * size).astype(kind.numpy)
    if kind.dtype == "bool":
        return source.integers(0, 2, kind.shape).astype(np.bool_)
    limits = np.iinfo(kind.numpy)
    return source.integers(limits.min, limits.max, kind.shape, kind.numpy, endpoint=True)


def adversarial_inputs(graph: Graph) -> dict[str, tuple[np.ndarray, ...]]:
    """By name: constant and alternating extremes, and for floats what no ordinary arithmetic likes."""
    kinds = [node.type for node in graph.inputs]
    result = {
        "zeros": tuple(np.zeros(kind.shape, kind.numpy) for kind in kinds),
        "lowest": tuple(np.full(kind.shape, lowest(kind), kind.numpy) for kind in kinds),
        "highest": tuple(np.full(kind.shape, highest(kind), kind.numpy) for kind in kinds),
        "alternating": tuple(alternating(kind, lowest(kind), highest(kind)) for kind in kinds),
    }
    if any(kind.numpy.kind == "f" for kind in kinds):
        for name, value in FLOATS.items():
            result[name] = tuple(filled(kind, value if kind.numpy.kind == "f" else 0) for kind in kinds)
    return result


FLOATS = {
    "subnormal": 1e-40,
    "negative subnormal": -1e-40,
    "negative zero": -0.0,
    "infinity": np.inf,
    "negative infinity": -np.inf,
    "not a number": np.nan,
    "large": 1e30,  # far below overflow, so that the order of a sum does not decide what it gives
}


def lowest(kind: Type) -> float:
    """The lowest integer; for floats a large value that does not overflow in a sum."""
    if kind.numpy.kind == "f":
        return -largest(kind)
    return 0 if kind.dtype == "bool" else int(np.iinfo(kind.numpy).min)


def highest(kind: Type) -> float:
    if kind.numpy.kind == "f":
        return largest(kind)
    return 1 if kind.dtype == "bool" else int(np.iinfo(kind.numpy).max)


def filled(kind: Type, value: float) -> np.ndarray:
    """value everywhere; what float16 cannot hold becomes infinite."""
    with np.errstate(over="ignore"):
        return np.full(kind.shape, value).astype(kind.numpy)


def largest(kind: Type) -> float:
    return 6e4 if kind.dtype == "f16" else 1e6


def alternating(kind: Type, a: float, b: float) -> np.ndarray:
    ends = np.array([a], kind.numpy), np.array([b], kind.numpy)
    return np.where(np.arange(kind.size) % 2 == 0, *ends).reshape(kind.shape)
