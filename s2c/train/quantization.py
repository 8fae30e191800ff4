"""A float Graph and typical inputs to the int8 Graph, each choice made by what it leaves of the net's
outputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from s2c import cost
from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, Quant
from s2c.quantization.equalize import Pair, equalize, find_factors, find_pairs
from s2c.quantization.forms import use_int8_forms
from s2c.quantization.ranges import METHODS, Seen, candidates
from s2c.quantization.scales import CONTRACTIONS, Layout, allowed, find_layout, fixed_quant
from s2c.quantization.scheme import Scheme
from s2c.train.calibration import (
    NOISELESS,
    Batch,
    RoundedModule,
    answers,
    channel_extremes,
    decibel,
    noise_db,
    observe,
    values_of,
)
from s2c.train.data import Samples
from s2c.train.losses import logits_of
from s2c.train.module import GraphModule, batch_of, lifetimes, trainable
from s2c.train.qat import QuantizedModule

SEEN = 512  # samples at most, by which ranges are found
MEASURED = 128  # of them at most, by which choices are compared
FEWEST = 32
MEASURED_MACS = 4e9  # at most, that one comparison may take
BATCH = 32
SILENT = ("constant", "input", "reshape", "state", "transpose")
LEAST_POWER = 1e-30
BETTER = 0.05  # dB: what a rewrite has to bring

Say = Callable[..., None]


def say_nothing(text: str, done: float | None = None) -> None:
    pass


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


@dataclass(frozen=True, eq=False)
class Quantized:
    """graph: int8 where it can be, to be compiled as it is. snr_db: of its outputs (before a softmax) on
    calibration data. scheme: what it was made of."""

    graph: Graph
    layers: tuple[LayerNoise, ...]
    snr_db: float
    scheme: Scheme


def quantize_net(
    graph: Graph,
    calibration: Samples,
    keep_float: Collection[str] = (),
    float_io: bool = False,
    progress: Say = say_nothing,
) -> Quantized:
    """keep_float: layers that stay float. Raises CompileError with all problems of the arguments, and where
    the net gives values that are not finite."""
    prepared = use_int8_forms(trainable(graph))
    refuse_empty(prepared, keep_float)
    seen, measured = calibration_batches(prepared, calibration)
    progress("evening out channels", 0.0)
    prepared = equalize_net(prepared, seen, measured)
    progress("finding ranges", 0.2)
    scheme = choose_ranges(prepared, find_layout(prepared, keep_float), seen, measured)
    progress("correcting biases", 0.6)
    scheme = correct_biases(scheme, measured)
    progress("measuring layers", 0.8)
    return judged(scheme, calibration, float_io)


def judged(scheme: Scheme, calibration: Samples, float_io: bool) -> Quantized:
    """The int8 Graph and what it costs, layer by layer."""
    _, measured = calibration_batches(scheme.graph, calibration)
    labels = calibration.part(measured_rows(scheme.graph, calibration)).targets
    wanted = answers(GraphModule(scheme.graph).eval(), measured)
    found = answers(QuantizedModule(scheme).eval(), measured)
    layers = tuple(layer_noise(scheme, measured, wanted, labels))
    return Quantized(scheme.int8_graph(float_io), layers, noise_db(wanted, found), scheme)


def with_rough_ranges(graph: Graph, keep_float: Collection[str] = (), float_io: bool = False) -> Graph:
    """The int8 Graph by noise in place of data: as fast and as large as the calibrated one."""
    prepared = use_int8_forms(trainable(graph))
    refuse_empty(prepared, keep_float)
    source = np.random.default_rng(0)
    steps = (1,) if prepared.states else ()
    noise = [
        source.normal(size=(4, *steps, *each.type.shape)).astype(each.type.numpy) for each in prepared.inputs
    ]
    layout = find_layout(prepared, keep_float)
    seen = observe(RoundedModule(prepared), stored_nodes(layout), [batch_of(noise)])
    options = [group_options(each, layout, seen) for each in range(len(layout.groups))]
    return joined(prepared, layout, options, [next(iter(each)) for each in options]).int8_graph(float_io)


def refuse_empty(graph: Graph, keep_float: Collection[str]) -> None:
    """Raises CompileError where keep_float names no layer, and where nothing can be int8."""
    layers = {node.layer for node in graph.nodes()}
    problems = [
        Problem(
            "--keep-float", "the name of a layer", repr(name), "take one of those that s2c inspect prints"
        )
        for name in keep_float
        if name not in layers
    ]
    if not any(node.op in CONTRACTIONS for node in find_layout(graph, keep_float).int8):
        wanted = "at least one convolution or dense layer to compute in int8"
        found = "all of them kept in float" if keep_float else "none"
        problems.append(Problem("--int8", wanted, found, "leave --int8 out"))
    if problems:
        raise CompileError(tuple(problems))


# data


def spread(count: int, most: int) -> np.ndarray:
    """At most so many of so many rows, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def measured_rows(graph: Graph, samples: Samples) -> np.ndarray:
    seen = spread(len(samples), SEEN)
    most = int(np.clip(MEASURED_MACS / max(cost.macs(graph), 1), FEWEST, MEASURED))
    return np.asarray(seen[spread(len(seen), most)])


def calibration_batches(graph: Graph, samples: Samples) -> tuple[list[Batch], list[Batch]]:
    """The samples that ranges are found by, and those that choices are compared by."""

    def batches(rows: np.ndarray) -> list[Batch]:
        return [batch_of(samples.batch(rows[i : i + BATCH])) for i in range(0, len(rows), BATCH)]

    return batches(spread(len(samples), SEEN)), batches(measured_rows(graph, samples))


def reference(graph: Graph, measured: Sequence[Batch]) -> tuple[RoundedModule, list[Tensor]]:
    """A module that rounds nothing yet, with what it answers."""
    module = RoundedModule(graph)
    return module, answers(module, measured)


# choices


def equalize_net(graph: Graph, seen: Sequence[Batch], measured: Sequence[Batch]) -> Graph:
    """Each pair of contractions evened out where its tensor and weights in int8 are better for it."""
    pairs = find_pairs(graph)
    module, wanted = reference(graph, measured)
    largest = channel_extremes(module, [each.consumer.inputs[0] for each in pairs], seen)
    kept = []
    for pair in pairs:
        factors = find_factors(pair, largest[pair.consumer.inputs[0]])
        tensors = (pair.producer, *pair.between)
        before = pair_db(graph, tensors, pair.consumer, measured, wanted)
        evened, new = equalize(graph, pair, factors)
        after = pair_db(evened, [new[each] for each in tensors], new[pair.consumer], measured, wanted)
        if after > before + BETTER:
            kept.append((pair, factors))
    for index, (pair, factors) in enumerate(kept):
        graph, new = equalize(graph, pair, factors)
        kept[index + 1 :] = [(moved(each, new), rest) for each, rest in kept[index + 1 :]]
    return graph


def choose_ranges(graph: Graph, layout: Layout, seen: Sequence[Batch], measured: Sequence[Batch]) -> Scheme:
    """For each group of tensors the method that leaves most of the outputs when nothing else is rounded; then
    one method for all of them where this is better together."""
    module, wanted = reference(graph, measured)
    spreads = observe(module, stored_nodes(layout), seen)
    options = [group_options(each, layout, spreads) for each in range(len(layout.groups))]
    best = [
        best_method(module, group, found, measured, wanted) if len(found) > 1 else next(iter(found))
        for group, found in zip(layout.groups, options, strict=True)
    ]
    mixes = [best, *([name if name in found else next(iter(found)) for found in options] for name in METHODS)]
    schemes = [joined(graph, layout, options, each) for each in mixes]
    scores = []
    for each in schemes:
        module.tensors, module.layers = roundings(each)
        scores.append(noise_db(wanted, answers(module, measured)))
    return schemes[int(np.argmax(scores))]


def group_options(index: int, layout: Layout, spreads: Mapping[Node, Seen]) -> dict[str, Quant]:
    """What a group's Quant could be, by method."""
    fixed = fixed_quant(layout.groups[index])
    return {"fixed": fixed} if fixed else candidates([spreads[each] for each in layout.measured[index]])


def moved(pair: Pair, new: Mapping[Node, Node]) -> Pair:
    return Pair(new[pair.producer], tuple(new[each] for each in pair.between), new[pair.consumer])


def pair_db(
    graph: Graph,
    tensors: Sequence[Node],
    consumer: Node,
    measured: Sequence[Batch],
    wanted: Sequence[Tensor],
) -> float:
    """What is left of the outputs when what one layer gives and the next one's weights are rounded."""
    module = RoundedModule(graph)
    spreads = observe(module, tensors, measured)
    quant = candidates([spreads[tensors[-1]]])["min-max"]
    module.tensors = dict.fromkeys(tensors[-1:], quant)
    module.layers = {consumer: quant}
    return noise_db(wanted, answers(module, measured))


def best_method(
    module: RoundedModule,
    group: tuple[Node, ...],
    found: Mapping[str, Quant],
    measured: Sequence[Batch],
    wanted: Sequence[Tensor],
) -> str:
    scores = {}
    for name, quant in found.items():
        module.tensors = dict.fromkeys(group, quant)
        scores[name] = noise_db(wanted, answers(module, measured))
    return max(scores, key=lambda name: scores[name])


def joined(
    graph: Graph, layout: Layout, options: Sequence[Mapping[str, Quant]], names: Sequence[str]
) -> Scheme:
    quants: dict[Node, Quant] = {}
    methods: dict[Node, str] = {}
    for group, found, name in zip(layout.groups, options, names, strict=True):
        quants |= dict.fromkeys(group, found[name])
        methods |= dict.fromkeys(group, name)
    return Scheme(graph, layout, allowed(layout, quants), methods)


def roundings(scheme: Scheme) -> tuple[Mapping[Node, Quant], Mapping[Node, Quant]]:
    """The tensors that int8 stores, and the contractions with their input's Quant."""
    layers = [node for node in scheme.layout.int8 if node.op in CONTRACTIONS]
    return scheme.quants, {node: scheme.quants[node.inputs[0]] for node in layers}


def stored_nodes(layout: Layout) -> list[Node]:
    return [node for group in layout.groups for node in group]


def correct_biases(scheme: Scheme, measured: Sequence[Batch]) -> Scheme:
    """Biases that undo what rounding adds to the mean of each channel, where the outputs are better for
    it."""
    if scheme.graph.states:
        return scheme
    module, wanted = reference(scheme.graph, measured)
    module.tensors, module.layers = roundings(scheme)
    before = noise_db(wanted, answers(module, measured))
    corrected = scheme.of(with_shifts(scheme.graph, mean_errors(scheme.graph, module, measured)))
    module = RoundedModule(corrected.graph)
    module.tensors, module.layers = roundings(corrected)
    return corrected if noise_db(wanted, answers(module, measured)) > before else scheme


def with_shifts(graph: Graph, shifts: Mapping[Node, np.ndarray]) -> Graph:
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        copy = replace(node, inputs=tuple(new[each] for each in node.inputs))
        new[node] = copy.with_attrs(bias=node.attrs["bias"] + shifts[node]) if node in shifts else copy
    return graph.mapped(new)


@torch.no_grad()
def mean_errors(graph: Graph, module: RoundedModule, batches: Sequence[Batch]) -> dict[Node, np.ndarray]:
    """Of each int8 contraction by how much the mean of its sums is too low, behind those that are
    corrected."""
    float_module = GraphModule(graph).eval()
    exact: dict[Node, list[Tensor]] = {}
    noisy: dict[Node, list[Tensor]] = {}
    for index, node in enumerate(graph.inputs):
        exact[node] = [batch[index] for batch in batches]
        noisy[node] = [module.round(node, batch[index]) for batch in batches]
    shifts: dict[Node, np.ndarray] = {}
    for node, done in lifetimes(graph.outputs):
        if node not in exact:
            exact[node] = all_values(float_module, node, exact, len(batches))
            if node in module.layers:
                shift = mean_shift(float_module, module, node, exact, noisy)
                shifts[node] = shift.numpy()
                module.shifts = {**module.shifts, node: shift}
            noisy[node] = all_values(module, node, noisy, len(batches))
        for each in done:
            exact.pop(each)
            noisy.pop(each)
    return shifts


def all_values(
    module: GraphModule, node: Node, known: Mapping[Node, list[Tensor]], count: int
) -> list[Tensor]:
    return [module.value(node, [known[each][index] for each in node.inputs]) for index in range(count)]


def mean_shift(
    float_module: GraphModule,
    module: RoundedModule,
    node: Node,
    exact: Mapping[Node, list[Tensor]],
    noisy: Mapping[Node, list[Tensor]],
) -> Tensor:
    source = node.inputs[0]
    total = torch.zeros(node.type.shape[-1], dtype=torch.float64)
    for a, b in zip(exact[source], noisy[source], strict=True):
        difference = float_module.sums(node, a) - module.sums(node, b)
        total += difference.double().flatten(0, -2).mean(0) * len(a)
    return (total / sum(map(len, exact[source]))).float()


# the report


def layer_noise(
    scheme: Scheme, measured: Sequence[Batch], wanted: Sequence[Tensor], labels: np.ndarray | None
) -> list[LayerNoise]:
    """One for each node that computes, in the order of the net."""
    module = RoundedModule(scheme.graph)
    nodes = [node for node in module.order if node.op not in SILENT and node.type.dtype == "f32"]
    module.tensors, module.layers = roundings(scheme)
    found = signal_to_noise(module, nodes, measured)
    judge = make_judge(module.graph, wanted, labels)
    right = judge(wanted)
    result = []
    for node in nodes:
        alone, drop = NOISELESS, None if right is None else 0.0
        method = "float"
        if node in scheme.layout.int8:
            parts = {each: scheme.quants[each] for each in (node, *node.inputs)}
            module.tensors = parts
            module.layers = {node: parts[node.inputs[0]]} if node.op in CONTRACTIONS else {}
            given = answers(module, measured)
            alone, kept = noise_db(wanted, given), judge(given)
            drop = None if right is None or kept is None else right - kept
            method = scheme.methods[node]
        result.append(LayerNoise(node.layer, node.op, found[node], alone, drop, method))
    return result


def signal_to_noise(
    module: RoundedModule, nodes: Sequence[Node], measured: Sequence[Batch]
) -> dict[Node, float]:
    """Of each node's value in the net as it is rounded."""
    exact = GraphModule(module.graph).eval()
    signal = {node: np.zeros(3) for node in nodes}  # squares of noise, sum and squares of the signal
    for batch in measured:
        pairs = zip(values_of(exact, nodes, batch), values_of(module, nodes, batch), strict=True)
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
    is_classifier = logits_of(graph.outputs[0]) is not None or (
        labels is not None and labels.dtype == np.int64
    )
    own = torch.from_numpy(labels) if labels is not None and labels.dtype == np.int64 else None

    def judge(found: Sequence[Tensor]) -> float | None:
        if not is_classifier:
            return None
        answer = found[0].argmax(-1)
        if own is not None:
            answer = answer[-1].reshape(len(own), -1)[:, -1]
            return 100 * float((answer == own).double().mean())
        return 100 * float((answer == wanted[0].argmax(-1)).double().mean())

    return judge
