"""What int8 costs a net, layer by layer, on calibration data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2c.ir import Graph, Node, Quant
from s2c.quantization.names import SILENT
from s2c.quantization.scales import CONTRACTIONS
from s2c.quantization.scheme import Scheme
from s2c.train.calibration import Batch, RoundedModule, answers, decibel, noise_db, values_of
from s2c.train.heads import is_binary, is_softmax
from s2c.train.integers import QuantizedModule
from s2c.train.module import GraphModule

LEAST_POWER = 1e-30


@dataclass(frozen=True)
class LayerNoise:
    """What int8 costs a layer. snr_db: of its result in the int8 net, against the float net. alone_db: of the
    net's outputs (before a softmax) when this layer alone is int8. drop: points of accuracy, or of agreement
    with the float net where there are no labels, that this costs on the calibration data; None where the net
    does not classify. method: how the range of its result was found, or "float".
    """

    layer: str
    op: str
    snr_db: float
    alone_db: float
    drop: float | None
    method: str


def layer_noise(
    scheme: Scheme,
    reference: Graph,
    measured: Sequence[Batch],
    wanted: Sequence[Tensor],
    labels: np.ndarray | None,
) -> tuple[LayerNoise, ...]:
    """One for each node that computes, in the order of the net. reference: the float Graph, of the scheme's
    nodes; wanted: what it answers."""
    plain = scheme.of(reference)
    nodes = [node for node in reference.nodes() if node.op not in SILENT and node.type.dtype == "f32"]
    noise = signal_to_noise(scheme, reference, nodes, measured)
    module = RoundedModule(reference)
    judge = make_judge(reference, wanted, labels)
    right = judge(wanted)
    result = []
    for node in nodes:
        module.tensors, module.layers = alone(plain, node)
        given = answers(module, measured)
        kept = judge(given)
        drop = None if right is None or kept is None else right - kept
        method = plain.methods[node] if node in plain.layout.int8 else "float"
        result.append(LayerNoise(node.layer, node.op, noise[node], noise_db(wanted, given), drop, method))
    return tuple(result)


def alone(scheme: Scheme, node: Node) -> tuple[Mapping[Node, Quant], Mapping[Node, Quant]]:
    """roundings, of what a node reads and gives, where it is int8."""
    if node not in scheme.layout.int8:
        return {}, {}
    parts = {each: scheme.quants[each] for each in (node, *node.inputs)}
    return parts, {node: parts[node.inputs[0]]} if node.op in CONTRACTIONS else {}


def roundings(scheme: Scheme) -> tuple[Mapping[Node, Quant], Mapping[Node, Quant]]:
    """The tensors that int8 stores, and the contractions with their input's Quant."""
    layers = [node for node in scheme.layout.int8 if node.op in CONTRACTIONS]
    return scheme.quants, {node: scheme.quants[node.inputs[0]] for node in layers}


def signal_to_noise(
    scheme: Scheme, reference: Graph, nodes: Sequence[Node], measured: Sequence[Batch]
) -> dict[Node, float]:
    """Of each node's value in the int8 net."""
    exact, module = GraphModule(reference).eval(), QuantizedModule(scheme).eval()
    same = dict(zip(reference.nodes(), scheme.graph.nodes(), strict=True))
    rounded = [same[node] for node in nodes]
    signal = {node: np.zeros(3) for node in nodes}  # squares of noise, sum and squares of the signal
    for batch in measured:
        pairs = zip(values_of(exact, nodes, batch), values_of(module, rounded, batch), strict=True)
        for node, (a, b) in zip(nodes, pairs, strict=True):
            a, b = a.double(), b.double()
            signal[node] += [float((a - b).square().mean()), float(a.mean()), float(a.square().mean())]
    result = {}
    for node, sums in signal.items():
        noise, mean, power = sums / len(measured)
        result[node] = decibel(noise / max(power - mean**2, LEAST_POWER))
    return result


def make_judge(
    graph: Graph, wanted: Sequence[Tensor], labels: np.ndarray | None
) -> Callable[[Sequence[Tensor]], float | None]:
    """The percentage of answers that are right, or those of the float net; None where it does not
    classify."""
    output = graph.outputs[0]
    is_classifier = is_softmax(output) or (labels is not None and labels.dtype == np.int64)
    own = torch.from_numpy(labels) if labels is not None and labels.dtype == np.int64 else None

    def classes(values: Tensor) -> Tensor:
        """[calls, samples, ..]"""
        return (values > 0.5).reshape(values.shape[:2]).long() if is_binary(output) else values.argmax(-1)

    def judge(found: Sequence[Tensor]) -> float | None:
        if not is_classifier:
            return None
        answer = classes(found[0])
        if own is not None:
            answer = answer[-1].reshape(len(own), -1)[:, -1]
            return 100 * float((answer == own).double().mean())
        return 100 * float((answer == classes(wanted[0])).double().mean())

    return judge
