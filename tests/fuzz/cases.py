"""Case number N of a reader: the same bytes for the same seed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
DEMO = HERE.parents[1] / "demo"
SUFFIXES = {
    "keras": ".h5",
    "nam": ".nam",
    "onnx": ".onnx",
    "rtneural": ".json",
    "s2c": ".s2c",
    "tflite": ".tflite",
    "torch": ".pt2",
}

Maker = Callable[[int], bytes]


def make_cases(reader: str, seed: int) -> Maker:
    """The function from a number to a case."""
    make = MAKERS[reader]()
    return lambda number: make(Random(f"{reader} {seed} {number}"))


def corpus(reader: str) -> list[Path]:
    """Files that were found once, and must be compiled or refused for ever."""
    return sorted(CORPUS.glob(f"*{SUFFIXES[reader]}"))


def onnx_cases() -> Callable[[Random], bytes]:
    from fuzz.onnx_mutations import mutate

    seeds = [path.read_bytes() for path in (*sorted(DEMO.glob("*.onnx")), *corpus("onnx"))]
    seeds = [each for each in (*seeds, *onnx_seeds()) if is_onnx(each)]
    return lambda source: mutate(source, seeds)


def is_onnx(data: bytes) -> bool:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        ModelProto.FromString(data)
    except DecodeError:
        return False
    return True


def onnx_seeds() -> Iterator[bytes]:
    """Well-formed models of one op, of kinds that the demo's nets lack."""
    from onnx_models import one_op

    def floats(*shape: int) -> np.ndarray:
        return (np.arange(np.prod(shape)).reshape(shape) % 7 - 3).astype(np.float32)

    def integers(*values: Any) -> np.ndarray:
        return np.array(values, np.int64)

    image = (1, 4, 6, 6)
    yield one_op("Conv", image, floats(2, 4, 3, 3), floats(2), pads=[1, 1, 1, 1], strides=[2, 2])
    yield one_op("Conv", (1, 4, 9), floats(4, 1, 3), group=4, dilations=[2])
    yield one_op("ConvTranspose", image, floats(4, 2, 3, 3), strides=[2, 2], output_padding=[1, 1])
    yield one_op("MaxPool", image, kernel_shape=[2, 2], ceil_mode=1, auto_pad="SAME_UPPER")
    yield one_op("AveragePool", image, kernel_shape=[3, 3], count_include_pad=1)
    yield one_op("BatchNormalization", image, floats(4), floats(4), floats(4), floats(4) ** 2)
    yield one_op("LSTM", (5, 1, 3), floats(1, 8, 3), floats(1, 8, 2), floats(1, 16), hidden_size=2)
    yield one_op("GRU", (5, 1, 3), floats(2, 6, 3), floats(2, 6, 2), hidden_size=2, direction="bidirectional")
    yield one_op("Resize", image, None, np.array([1, 1, 2, 2], np.float32), mode="linear")
    yield one_op("Pad", image, integers(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    yield one_op("Slice", image, integers(1, -1), integers(5, -7), integers(2, 3), integers(1, -2))
    yield one_op("Gather", (5, 4), np.array([[0, -1], [2, 1]], np.int64), axis=0)
    yield one_op("ScatterND", (5, 4), np.array([[0], [2]], np.int64), floats(2, 4))
    yield one_op("TopK", (2, 9), integers(3), outputs=("y", "i"))
    yield one_op("Einsum", (2, 3), floats(3, 4), equation="ij,jk->ik")
    yield one_op("Split", (2, 6), integers(2, 4), outputs=("y", "z"), axis=1)
    yield one_op("Reshape", (2, 6), integers(0, -1, 3))
    yield one_op("Transpose", (2, 3, 4), perm=[2, 0, 1])
    yield one_op("ReduceMean", (2, 3, 4), axes=[1], keepdims=0)
    yield one_op("Softmax", (2, 3, 4), axis=-1)
    yield one_op("LayerNormalization", (2, 8), floats(8), floats(8))
    yield one_op("Gemm", (3, 4), floats(2, 4), floats(2), transB=1, alpha=0.5)
    yield one_op("MatMul", (2, 3, 4), floats(4, 5))
    yield one_op("Where", (2, 3), floats(2, 3), floats(3))
    yield one_op("Clip", (2, 3), np.float32(-1), np.float32(1))
    yield one_op("QuantizeLinear", (2, 3), np.float32(0.1), np.int8(3))


def tflite_cases() -> Callable[[Random], bytes]:
    from fuzz.tflite_mutations import mutate, write_or_none

    seeds = tflite_seeds()
    files = [each.read_bytes() for each in corpus("tflite")]
    files += [data for each in seeds[:1] if (data := write_or_none(each)) is not None]
    return lambda source: mutate(source, seeds, files)


def tflite_seeds() -> list[Any]:
    """The subgraphs of the models of one op that the tests compare with LiteRT."""
    import tflite_writer

    names = sorted(path.stem for path in HERE.parent.glob("tflite_*cases.py"))
    modules = [importlib.import_module(name) for name in names]
    found: list[Any] = []
    original = tflite_writer.write_subgraphs

    def record(graphs: Any) -> bytes:
        found.append(list(graphs))
        return original(graphs)

    users: list[Any] = [each for each in (tflite_writer, *modules) if hasattr(each, "write_subgraphs")]
    for module in users:
        module.write_subgraphs = record
    for module in modules:
        module.cases()
    for module in users:
        module.write_subgraphs = original
    return found


def torch_cases() -> Callable[[Random], bytes]:
    from fuzz.torch_mutations import mutate, seeds

    made = seeds()
    return lambda source: mutate(source, made)


def keras_cases() -> Callable[[Random], bytes]:
    from fuzz.keras_mutations import mutate, seeds

    made = seeds()
    return lambda source: mutate(source, made)


def nam_cases() -> Callable[[Random], bytes]:
    from fuzz.stream_mutations import mutate_nam, nam_seeds

    made = nam_seeds()
    return lambda source: mutate_nam(source, made)


def rtneural_cases() -> Callable[[Random], bytes]:
    from fuzz.stream_mutations import mutate_rtneural, rtneural_seeds

    made = rtneural_seeds()
    return lambda source: mutate_rtneural(source, made)


def s2c_cases() -> Callable[[Random], bytes]:
    from fuzz.graph_mutations import mutate, seeds

    made = seeds()
    return lambda source: mutate(source, made)


MAKERS = {
    "keras": keras_cases,
    "nam": nam_cases,
    "onnx": onnx_cases,
    "rtneural": rtneural_cases,
    "s2c": s2c_cases,
    "tflite": tflite_cases,
    "torch": torch_cases,
}
