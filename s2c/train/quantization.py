"""A float Graph and typical inputs to the int8 Graph, each choice made by what it leaves of the outputs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from s2c import cost
from s2c.errors import CompileError, Problem
from s2c.ir import Graph
from s2c.progress import Say, say_nothing
from s2c.quantization.forms import use_int8_forms
from s2c.quantization.names import SILENT
from s2c.quantization.scales import CONTRACTIONS, find_layout
from s2c.quantization.scheme import Scheme
from s2c.train.biases import correct_biases
from s2c.train.calibration import Batch, RoundedModule, answers, find_ends, noise_db, observe
from s2c.train.data import Samples
from s2c.train.integers import QuantizedModule
from s2c.train.module import GraphModule, batch_of, trainable
from s2c.train.noise import LayerNoise, layer_noise
from s2c.train.ranges import choose_ranges, equalize_net, group_options, joined, stored_nodes
from s2c.train.retrain import fixed

SEEN = 512  # samples at most, by which ranges are found
MEASURED = 128  # of them at most, by which choices are compared
ROUGH = 4  # samples that tell what is slow and large
FEWEST = 32
MEASURED_MACS = 4e9  # at most, that one comparison may take
BATCH = 32


@dataclass(frozen=True, eq=False)
class Quantized:
    """graph: int8 where it can be, to be compiled as it is. snr_db: of its outputs (before a softmax) on
    calibration data. scheme: what it was made of. reference: the float Graph that it is compared with, of the
    same nodes."""

    graph: Graph
    layers: tuple[LayerNoise, ...]
    snr_db: float
    scheme: Scheme
    reference: Graph


def quantize_net(
    graph: Graph,
    calibration: Samples,
    keep_float: Collection[str] = (),
    float_io: bool = False,
    progress: Say = say_nothing,
) -> Quantized:
    """keep_float: layers that stay float. Raises CompileError with all problems of the arguments, and where
    the net gives values that are not finite."""
    refuse_unquantizable(graph, keep_float)
    prepared = use_int8_forms(trainable(graph))
    with fixed():
        scheme = find_scheme(prepared, calibration, keep_float, float_io, progress)
        _, measured = calibration_batches(prepared, calibration)
        progress("correcting biases", 0.8)
        return judged(correct_biases(scheme, measured), scheme.graph, calibration)


def find_scheme(
    graph: Graph, calibration: Samples, keep_float: Collection[str], float_io: bool, progress: Say
) -> Scheme:
    seen, measured = calibration_batches(graph, calibration)
    find_ends(RoundedModule(graph), stored_nodes(find_layout(graph, keep_float)), seen)
    progress("evening out channels", 0.0)
    graph = equalize_net(graph, seen, measured)
    progress("finding ranges", 0.2)
    return choose_ranges(graph, find_layout(graph, keep_float), seen, measured, float_io)


def judged(scheme: Scheme, reference: Graph, calibration: Samples) -> Quantized:
    """The int8 Graph and what it costs, layer by layer. reference: the float Graph, of the scheme's nodes."""
    _, measured = calibration_batches(scheme.graph, calibration)
    labels = calibration.part(measured_rows(scheme.graph, calibration)).targets
    wanted = answers(GraphModule(reference).eval(), measured)
    found = answers(QuantizedModule(scheme).eval(), measured)
    layers = layer_noise(scheme, reference, measured, wanted, labels)
    return Quantized(scheme.int8_graph(), layers, noise_db(wanted, found), scheme, reference)


def with_rough_ranges(
    graph: Graph, calibration: Samples, keep_float: Collection[str] = (), float_io: bool = False
) -> Graph:
    """The int8 Graph by the extremes of a few samples: as fast and as large as the calibrated one."""
    refuse_unquantizable(graph, keep_float)
    prepared = use_int8_forms(trainable(graph))
    some = calibration.batch(slice(ROUGH))
    if prepared.states:
        some = [each[:, :1] for each in some]
    layout = find_layout(prepared, keep_float)
    with fixed():
        seen = observe(RoundedModule(prepared), stored_nodes(layout), [batch_of(some)])
    options = [group_options(each, layout, seen) for each in range(len(layout.groups))]
    names = [next(iter(each)) for each in options]
    return joined(prepared, layout, options, names, float_io).int8_graph()


def refuse_unquantizable(graph: Graph, keep_float: Collection[str]) -> None:
    """Raises CompileError where keep_float names no layer, and where nothing of the float Graph can be int8:
    known before any training, which changes neither."""
    graph = use_int8_forms(trainable(graph))
    layers = {node.layer for node in graph.nodes() if node.op not in SILENT}
    problems = [
        Problem(
            "--keep-float",
            "the name of a layer that computes something",
            repr(name),
            "s2c inspect prints those of the model",
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
