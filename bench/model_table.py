"""Compiles every net of S2C_DATA, compares it with its reference, and writes README.md's table."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from readme_tables import DATA, caption, markdown, write_readme

import s2c
from s2c.compare import compare
from s2c.errors import CompileError
from s2c.inputs import random_inputs
from s2c.ir import Graph
from s2c.readers import load_model

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from litert import reference as litert  # noqa: E402 (tests/ is no package)
from nam_reference import reference as nam_outputs  # noqa: E402

SUFFIXES = (".tflite", ".onnx", ".h5", ".nam")
INPUTS = 5
INPUTS_EMULATED = 2
RTNEURAL_BLOCK = 10
SEED = 0
TOLERANCE = 1e-4  # of the largest magnitude of an output
ROUNDED = 0.1  # the same where the reference rounds activations to 8 bits
EMULATED = "cortex-m7"
LONGEST_REASON = 110
Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Flags:
    """What a user gives on the command line to a net that asks for it."""

    dims: Mapping[str, int] = field(default_factory=dict)
    consts: Mapping[str, np.ndarray] = field(default_factory=dict)


# A frame of 512 samples at 16 kHz after 64 samples of the frame before.
FLAGS: Mapping[str, Flags] = {
    "silero_vad/silero_vad_16k_op15.onnx": Flags(
        {"batch": 1, "sequence": 576}, {"sr": np.array(16000, np.int64)}
    ),
    **{
        f"rtneural/models/{name}.json": Flags({"samples": RTNEURAL_BLOCK})
        for name in ("conv", "dense", "gru", "gru_1d", "lstm", "lstm_1d")
    },
}

# Keras files, and the .tflite file of the same net and weights, which LiteRT runs.
TWINS: Mapping[str, str] = {
    "mlperf_tiny/pretrainedResnet.h5": "mlperf_tiny/pretrainedResnet.tflite",
    "mlperf_tiny/str_ww_ref_model.h5": "bench_nets/sww_fp32.tflite",
    "tinymaix/mnist_dw.h5": "tinymaix/mnist_dw_f.tflite",
    "tinymaix/mnist_valid.h5": "tinymaix/mnist_valid_f.tflite",
}


@dataclass(frozen=True)
class Row:
    """verdict: equal, near (the reference rounds activations, s2c does not), refused, wrong, or unchecked
    where the reference does not run; the others tell by how much, and why."""

    path: str
    verdict: str
    host: str
    emulated: str = ""


def model_paths() -> list[str]:
    """Files that s2c reads; a .json of weights alone is no net."""
    found = [path for path in DATA.rglob("*") if path.suffix in SUFFIXES]
    found += [path for path in DATA.glob("rtneural/models/*.json") if b'"in_shape"' in path.read_bytes()]
    return sorted(str(path.relative_to(DATA)) for path in found)


def weight_paths() -> list[str]:
    """Files of weights whose architecture tests/public_nets.py gives."""
    from public_nets import PUBLIC

    return sorted(path for path in PUBLIC if (DATA / path).is_file())


@contextmanager
def model_file(path: str) -> Iterator[Path]:
    """What is compiled: the file, or the export of a module with its weights."""
    if path in model_paths():
        yield DATA / path
        return
    from s2c.readers.torch import write_module

    module, example = public_module(path)
    with tempfile.TemporaryDirectory() as folder:
        yield write_module(module, [example], Path(folder))


def public_module(path: str) -> Any:
    """A torch module in evaluation mode, and an example of its input."""
    import torch
    from public_nets import PUBLIC

    make, shape = PUBLIC[path]
    return make(), torch.zeros(shape)


def flags_of(path: str) -> Flags:
    return FLAGS.get(path, Flags())


# one net


def measure(path: str) -> Row:
    """Compiled for the host and, where it computes on integers, for EMULATED, and compared."""
    flags = flags_of(path)
    try:
        with model_file(path) as file:
            graph = load_model(file, flags.dims, flags.consts)
            program = s2c.compile(file, dims=flags.dims, consts=flags.consts)
    except CompileError as refused:
        return Row(path, "refused", reason_of(refused))
    inputs = inputs_of(path, graph)
    try:
        wanted = references(path, inputs)
    except NoReference as problem:
        program.close()
        return Row(path, "unchecked", str(problem))
    step = last_step(path)
    with program:
        found = [outputs_of(program, each) for each in inputs]
    if rounds_activations(path):
        host = judge(found, wanted, step, ROUNDED)
        return Row(path, "wrong" if host.startswith("wrong") else "near", host)
    host = judge(found, wanted, step)
    is_quantized = any(node.type.quant is not None for node in graph.nodes())
    emulated = measure_emulated(path, inputs, wanted, step) if is_quantized else ""
    is_wrong = host.startswith("wrong") or emulated.startswith("wrong")
    return Row(path, "wrong" if is_wrong else "equal", host, emulated)


def measure_emulated(path: str, inputs: Sequence[Arrays], wanted: Sequence[Arrays], step: float) -> str:
    flags = flags_of(path)
    try:
        program = s2c.compile(DATA / path, EMULATED, flags.dims, flags.consts)
    except CompileError as refused:
        return reason_of(refused)
    with program:
        found = [outputs_of(program, each) for each in inputs[:INPUTS_EMULATED]]
    return judge(found, wanted[:INPUTS_EMULATED], step)


def inputs_of(path: str, graph: Graph) -> list[Arrays]:
    """Random ones, or those to which the data gives expected outputs."""
    given = expected(path)
    if given:
        shape = graph.inputs[0].type.shape
        return [(each,) for each in given[0].reshape(-1, *shape)[:INPUTS]]
    source = np.random.default_rng(SEED)
    if path.endswith(".nam"):  # sound
        shape = graph.inputs[0].type.shape
        return [(source.uniform(-1, 1, shape).astype(np.float32),) for _ in range(INPUTS)]
    return [random_inputs(graph, source) for _ in range(INPUTS)]


def outputs_of(program: s2c.program.Program, arrays: Arrays) -> Arrays:
    found = program(*arrays)
    return found if isinstance(found, tuple) else (found,)


def judge(
    found: Sequence[Arrays], wanted: Sequence[Arrays], step: float, tolerance: float = TOLERANCE
) -> str:
    """Integers by equality; floats by tolerance, or by the step of a net whose float output is quantized."""
    pairs = [pair for a, b in zip(wanted, found, strict=True) for pair in zip(a, b, strict=True)]
    results = [compare(*pair) for pair in pairs]
    if all(each.is_exact for each in results):
        return "to the bit"
    relative = max(each.difference / max(each.largest, 1e-30) for each in results)
    largest = max(each.difference for each in results)
    is_apart = any(each.apart or not each.is_float for each in results)
    if step and largest <= 1.001 * step and not is_apart:
        return "within a step of its quantization"
    verdict = "" if relative <= tolerance and not is_apart else "wrong: "
    return f"{verdict}{relative:.1e} of the largest value"


def reason_of(refused: CompileError) -> str:
    first, count = refused.problems[0], len(refused.problems)
    more = f"; {count - 1} more" if count > 1 else ""
    text = shorten(f"wanted {first.wanted}, found {first.found}", LONGEST_REASON, placeholder=" ...")
    return text.replace("|", "/") + more


# references


class NoReference(Exception):
    """The reference does not run the net."""


def references(path: str, inputs: Sequence[Arrays]) -> list[Arrays]:
    """The outputs for each set of inputs; a net that keeps state gets them in this order. Raises
    NoReference."""
    path = TWINS.get(path, path)
    if path.endswith(".json") and expected(path):
        blocks = [expected(path)[1].reshape(1, -1, 1)]
        if flags_of(path).dims:
            blocks = np.split(blocks[0], blocks[0].shape[1] // RTNEURAL_BLOCK, 1)
        return [(each,) for each in blocks[: len(inputs)]]
    if path.endswith((".h5", ".json")):
        raise NoReference("nothing else here runs it")
    if path.endswith(".nam"):
        return nam_references(path, inputs)
    if path not in model_paths():
        return torch_outputs(path, inputs)
    if path.endswith(".tflite"):
        stacked = [np.stack(each) for each in zip(*inputs, strict=True)]
        try:
            outputs = litert({path: ((DATA / path).read_bytes(), stacked)})[path]
        except AssertionError as problem:  # of the status of LiteRT's process
            raise NoReference(f"LiteRT: {str(problem).strip().splitlines()[-1]}") from None
        return list(zip(*outputs, strict=True))
    return onnxruntime_outputs(path, inputs)


def expected(path: str) -> tuple[np.ndarray, ...]:
    """RTNeural's own inputs and the outputs that Keras gave, where Keras computes what RTNeural does (its
    conv2d looks ahead); none for other nets."""
    names = [DATA / "rtneural/test_data" / f"{Path(path).stem}_{side}_python.csv" for side in "xy"]
    if not path.startswith("rtneural/") or path.endswith("conv2d.json") or not names[0].is_file():
        return ()
    return tuple(np.loadtxt(each).astype(np.float32) for each in names)


def nam_references(path: str, inputs: Sequence[Arrays]) -> list[Arrays]:
    """The blocks as one signal, behind silence."""
    signal = np.concatenate([each[0][0] for each in inputs])
    silent = np.concatenate([np.zeros((1, signal.shape[1])), signal])
    model = json.loads((DATA / path).read_bytes())
    behind = model["architecture"] == "LSTM"  # whose first state is stored
    wanted = nam_outputs(model, signal if behind else silent)[-len(signal) :]
    return [(each[None],) for each in np.split(wanted.astype(np.float32), len(inputs))]


def torch_outputs(path: str, inputs: Sequence[Arrays]) -> list[Arrays]:
    import torch

    module, _ = public_module(path)
    with torch.no_grad():
        found = [module(*(torch.tensor(array) for array in each)) for each in inputs]
    listed = [each if isinstance(each, tuple) else (each,) for each in found]
    return [tuple(array.numpy() for array in each) for each in listed]


def onnxruntime_outputs(path: str, inputs: Sequence[Arrays]) -> list[Arrays]:
    """Without its optimisations, which compute quantized layers in other integers than the model tells."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(DATA / path), options)
    consts = flags_of(path).consts
    names = [each.name for each in session.get_inputs() if each.name not in consts]
    feeds = [{**dict(zip(names, arrays, strict=True)), **consts} for arrays in inputs]
    return [tuple(session.run(None, feed)) for feed in feeds]


def last_step(path: str) -> float:
    """The scale of the last QuantizeLinear of an ONNX file, 0 where it has none: onnxruntime computes between
    quantizations in floats, whose rounding can move a value by a step."""
    if not path.endswith(".onnx"):
        return 0.0
    import onnx

    graph = onnx.load(DATA / path).graph
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    scales = [values[node.input[1]] for node in graph.node if node.op_type == "QuantizeLinear"]
    return float(scales[-1]) if scales else 0.0


def rounds_activations(path: str) -> bool:
    """Whether a .tflite file has float activations with int8 weights (dynamic range quantization), for which
    LiteRT quantizes activations as they come."""
    if not path.endswith(".tflite"):
        return False
    import tflite

    graph = tflite.Model.GetRootAs((DATA / path).read_bytes(), 0).Subgraphs(0)
    operators = (graph.Operators(index) for index in range(graph.OperatorsLength()))
    kinds = (
        [graph.Tensors(at).Type() for at in each.InputsAsNumpy()[:2]]
        for each in operators
        if each.InputsLength() >= 2
    )
    return [tflite.TensorType.FLOAT32, tflite.TensorType.INT8] in kinds


# the table


def model_table(rows: Sequence[Row]) -> str:
    lines = [[row.path, row.verdict, row.host, row.emulated] for row in rows]
    compiled = sum(row.verdict != "refused" for row in rows)
    text = (
        f"{compiled} of {len(rows)} nets compile. {INPUTS} random inputs each; .tflite against LiteRT's "
        "reference kernels, .onnx against onnxruntime, .nam against its formulas in numpy, RTNeural's .json "
        "against its own expected outputs, weights alone (.th, .pth, .zip, .model) against torch; "
        f"{EMULATED}: quantized nets, where they fit."
    )
    return markdown(["net", "result", "host", EMULATED], lines) + caption(text)


def main() -> None:
    rows = []
    for path in [*model_paths(), *weight_paths()]:
        rows.append(measure(path))
        print(rows[-1], file=sys.stderr)
    table = model_table(rows)
    print(table)
    write_readme({"models": table})


if __name__ == "__main__":
    main()
