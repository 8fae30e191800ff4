"""A net and a runtime to a Session: the runtime in the form in which it is fastest at batch 1."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from s2c import open_library
from s2c.errors import NOT_INSTALLED, error

F32, BF16 = "f32", "bf16"


@dataclass(frozen=True)
class Settings:
    """precision: in which float layers may be computed; is_reference: as plainly as the runtime can."""

    threads: int = 1
    precision: str = F32
    is_reference: bool = False


@dataclass(frozen=True)
class Session:
    """One net with the memory of its inputs and outputs. shapes: (shape, dtype) of each input. call: one
    inference. refill: writes the inputs again, where an inference may overwrite them."""

    shapes: tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]
    write: Callable[[Sequence[np.ndarray]], None]
    call: Callable[[], object]
    read: Callable[[], list[np.ndarray]]
    refill: Callable[[], None] | None = None


@dataclass(frozen=True)
class Peer:
    """A runtime beside which s2c is measured; suffixes: of the model files that it reads."""

    module: str
    distribution: str
    suffixes: tuple[str, ...]
    precisions: tuple[str, ...]
    open: Callable[[Path, Settings], Session]


def write_arrays(targets: Sequence[np.ndarray], arrays: Sequence[np.ndarray]) -> None:
    for target, array in zip(targets, arrays, strict=True):
        np.copyto(target, array)


def open_compiled(folder: Path, _: Settings) -> Session:
    """s2c itself. An inference may overwrite its inputs, so refill writes them again."""
    instance = open_library(folder)
    kept = [array.copy() for array in instance.inputs]

    def write(arrays: Sequence[np.ndarray]) -> None:
        write_arrays(kept, arrays)
        write_arrays(instance.inputs, arrays)

    return Session(
        shapes=tuple((array.shape, array.dtype) for array in instance.inputs),
        write=write,
        call=instance.run,
        read=lambda: [array.copy() for array in instance.outputs],
        refill=partial(write_arrays, instance.inputs, kept),
    )


# onnxruntime

ONNX_DTYPES = {
    "tensor(float)": "f4",
    "tensor(int8)": "i1",
    "tensor(uint8)": "u1",
    "tensor(int32)": "i4",
    "tensor(int64)": "i8",
    "tensor(bool)": "?",
}


def zeros(name: str, shape: Sequence[Any], dtype: str) -> np.ndarray:
    if not all(isinstance(size, int) for size in shape):
        raise ValueError(f"{name} has no fixed shape: {list(shape)}")
    return np.zeros(tuple(shape), dtype)


def open_onnxruntime(path: Path, settings: Settings) -> Session:
    """All optimisations, inputs and outputs bound once. Spinning threads pay only where there are several."""
    ort = importlib.import_module("onnxruntime")
    levels = ort.GraphOptimizationLevel
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = (
        levels.ORT_DISABLE_ALL if settings.is_reference else levels.ORT_ENABLE_ALL
    )
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if settings.threads > 1 else "0")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs, outputs = (
        [zeros(each.name, each.shape, ONNX_DTYPES[each.type]) for each in tensors]
        for tensors in (session.get_inputs(), session.get_outputs())
    )
    binding = session.io_binding()
    for each, array in zip(session.get_inputs(), inputs, strict=True):
        binding.bind_input(each.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    for each, array in zip(session.get_outputs(), outputs, strict=True):
        binding.bind_output(each.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    return Session(
        shapes=tuple((array.shape, array.dtype) for array in inputs),
        write=partial(write_arrays, inputs),
        # What run_with_iobinding forwards to, without its Python.
        call=partial(session._sess.run_with_iobinding, binding._iobinding, None),
        read=lambda: [array.copy() for array in outputs],
    )


# OpenVINO


def open_openvino(path: Path, settings: Settings) -> Session:
    """The latency hint, one stream, tensors set once."""
    ov = importlib.import_module("openvino")
    core = ov.Core()
    model = core.read_model(path)
    # What a .tflite file gives as 1 or any is read as any.
    shapes = {
        each: [1 if size.is_dynamic else size.get_length() for size in each.partial_shape]
        for each in model.inputs
        if each.partial_shape.is_dynamic
    }
    if shapes and path.suffix == ".tflite":
        model.reshape(shapes)
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": str(settings.threads),
            "NUM_STREAMS": "1",
            "INFERENCE_PRECISION_HINT": settings.precision,
        },
    )
    request = compiled.create_infer_request()
    inputs = [np.zeros(tuple(each.shape), each.element_type.to_dtype()) for each in compiled.inputs]
    outputs = [np.zeros(tuple(each.shape), each.element_type.to_dtype()) for each in compiled.outputs]
    for index, array in enumerate(inputs):
        request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
    for index, array in enumerate(outputs):
        request.set_output_tensor(index, ov.Tensor(array, shared_memory=True))
    return Session(
        shapes=tuple((array.shape, array.dtype) for array in inputs),
        write=partial(write_arrays, inputs),
        call=fastest_openvino_call(request),
        read=lambda: [array.copy() for array in outputs],
    )


def fastest_openvino_call(request: Any) -> Callable[[], object]:
    """The binding's own infer, without the dispatch of data and the dictionary of results around it."""
    bound = super(type(request), request).infer
    return partial(bound, {}, share_outputs=True, decode_strings=False)


# LiteRT


def open_litert(path: Path, settings: Settings) -> Session:
    """With XNNPACK, its default; the reference are its plain kernels."""
    litert = importlib.import_module("ai_edge_litert.interpreter")
    kinds = litert.OpResolverType
    kind = kinds.BUILTIN_REF if settings.is_reference else kinds.AUTO
    interpreter = litert.Interpreter(
        model_path=str(path), num_threads=settings.threads, experimental_op_resolver_type=kind
    )
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def write(arrays: Sequence[np.ndarray]) -> None:
        for detail, array in zip(inputs, arrays, strict=True):
            interpreter.set_tensor(detail["index"], array)

    return Session(
        shapes=tuple((tuple(each["shape"].tolist()), np.dtype(each["dtype"])) for each in inputs),
        write=write,
        call=interpreter._interpreter.Invoke,  # what invoke() forwards to, without its check for views
        read=lambda: [interpreter.get_tensor(each["index"]).copy() for each in outputs],
    )


# torch


def open_torch(path: Path, settings: Settings) -> Session:
    """An exported program, run op by op without gradients."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(settings.threads)
    program = torch.export.load(path)
    module = program.module()
    examples = program.example_inputs[0] if program.example_inputs is not None else ()
    inputs = [torch.zeros(each.shape, dtype=each.dtype) for each in examples]
    results: list[Any] = []

    def call() -> None:
        with torch.inference_mode():
            results[:] = [module(*inputs)]

    def read() -> list[np.ndarray]:
        found = results[0]
        return [each.numpy().copy() for each in (found if isinstance(found, (tuple, list)) else [found])]

    views = [each.numpy() for each in inputs]
    return Session(
        shapes=tuple((view.shape, view.dtype) for view in views),
        write=partial(write_arrays, views),
        call=call,
        read=read,
    )


PEERS: Mapping[str, Peer] = {
    "onnxruntime": Peer("onnxruntime", "onnxruntime", (".onnx",), (F32,), open_onnxruntime),
    "openvino": Peer("openvino", "openvino", (".onnx", ".tflite"), (F32, BF16), open_openvino),
    "litert": Peer("ai_edge_litert", "ai-edge-litert", (".tflite",), (F32,), open_litert),
    "torch": Peer("torch", "torch", (".pt2",), (F32,), open_torch),
}


def check_peers(names: Sequence[str]) -> tuple[str, ...]:
    """Names of --against, in order and once each. CompileError where one is unknown or is not installed."""
    for name in names:
        if name not in PEERS:
            raise error("--against", f"some of {', '.join(PEERS)}", name, "name these, with commas between")
    for name in names:
        peer = PEERS[name]
        if importlib.util.find_spec(peer.module) is None:
            do = f"pip install {peer.distribution}, or leave it out"
            raise error(f"--against {name}", f"the Python module {peer.module}", NOT_INSTALLED, do)
    return tuple(dict.fromkeys(names))


def pick_model(name: str, models: Sequence[Path]) -> Path:
    """The first model file that a peer reads. CompileError where there is none."""
    suffixes = PEERS[name].suffixes
    found = [path for path in models if path.suffix in suffixes]
    if not found:
        wanted = f"a model that it reads: {' or '.join(suffixes)}"
        given = ", ".join(path.name for path in models) or "none"
        raise error(f"--against {name}", wanted, given, f"add --model FILE{suffixes[0]}, the same net")
    return found[0]
