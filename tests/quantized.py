"""Small nets in int8 against the oracle: what the tests of calibration and of training in int8 share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from graphs import GEOMETRY, floats, seeded, single, tensor

from s2c import oracle
from s2c.ir import Graph, Node
from s2c.ops import make
from s2c.ops.core import quantize
from s2c.ops.integer import scale_of, zero_of
from s2c.quantization.scheme import Scheme
from s2c.train.data import Samples
from s2c.train.integers import QuantizedModule
from s2c.train.module import batch_of
from s2c.train.quantization import Quantized, quantize_net

Arrays = tuple[np.ndarray, ...]
EXACT = ("input", "constant", "quantize", "dequantize", "slice", "reshape", "transpose", "relu")


def samples_of(graph: Graph, count: int = 16, seed: int = 0, labels: np.ndarray | None = None) -> Samples:
    """Noise for each input; of a net with states in five steps."""
    source = np.random.default_rng(seed)
    steps = (5,) if graph.states else ()
    arrays = tuple(
        source.normal(size=(count, *steps, *each.type.shape)).astype(np.float32) for each in graph.inputs
    )
    task = "distillation" if labels is None else "classification"
    return Samples(arrays, labels, task, tuple(each.type.numpy for each in graph.inputs))


def conv(source: Node, layer: str, outputs: int, groups: int = 1, **attrs: object) -> Node:
    depth = source.type.shape[-1] // groups
    pick = seeded(sum(map(ord, layer)))
    weights = {"weight": floats(pick, outputs, 3, 3, depth) / 3, "bias": floats(pick, outputs)}
    geometry = {**GEOMETRY, "pads": ((1, 1), (1, 1)), "groups": groups}
    return make("conv2d", (source,), layer, **geometry, **weights, **attrs)


def dense(source: Node, layer: str, outputs: int, **attrs: object) -> Node:
    pick = seeded(sum(map(ord, layer)))
    weight = floats(pick, outputs, source.type.shape[-1])
    return make("dense", (source,), layer, weight=weight, bias=floats(pick, outputs), **attrs)


def small_net() -> Graph:
    x = tensor("x", 1, 6, 6, 2)
    first = conv(x, "first", 6, lo=0.0)
    second = conv(first, "second", 6, lo=0.0)
    pool = {**GEOMETRY, "kernel": (6, 6), "count_pads": False, "mean": False}
    flat = make("reshape", (make("average_pool", (second,), "mean", **pool),), "flat", shape=(1, 6))
    return single(dense(flat, "head", 4), x)


def narrowed(graph: Graph, samples: Samples) -> Scheme:
    """Ranges that clip a part of the values of inner layers."""
    found = quantize_net(graph, samples)
    scheme = found.scheme.of(found.reference)
    inner = {node for node in scheme.quants if node.op == "conv2d"}
    quants = {
        node: replace(quant, scale=(quant.scale[0] * 0.3,)) if node in inner else quant
        for node, quant in scheme.quants.items()
    }
    return replace(scheme, quants=quants)


def stored_inputs(graph: Graph, arrays: Arrays) -> Arrays:
    return tuple(
        array if node.type.dtype == "f32" else quantize(array, node.type)
        for node, array in zip(graph.inputs, arrays, strict=True)
    )


def real(node: Node, array: np.ndarray) -> np.ndarray:
    if node.type.dtype != "i8":
        return array
    return (array.astype(np.int32) - zero_of(node.type)).astype(np.float32) * np.float32(scale_of(node.type))


def check_module(found: Quantized, samples: Samples, count: int = 3) -> None:
    """What the oracle gives of the int8 Graph; floats behind int8 layers may be rounded otherwise."""
    module = QuantizedModule(found.scheme).eval()
    with torch.no_grad():
        values = module.values(module.graph.outputs, *batch_of(samples.batch(np.arange(count))))
    for sample in range(count):
        arrays = tuple(each[sample] for each in samples.inputs)
        wanted = oracle.run(found.graph, *stored_inputs(found.graph, arrays))
        for node, array, value in zip(found.graph.outputs, wanted, values, strict=True):
            row = value[sample if len(value) > 1 else 0].numpy()
            if all(each.type.dtype == "i8" or each.op in EXACT for each in found.graph.nodes()):
                assert np.array_equal(real(node, array), row), node.layer
            else:
                assert np.allclose(real(node, array), row, rtol=1e-4, atol=1e-4), node.layer
