"""Bytes of a .tflite file to plain dataclasses; damage of any kind becomes one CompileError."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from s2c.errors import CompileError, error

IDENTIFIER = b"TFL3"
MOST_AXES = 8

# What the accessors of the flatbuffer, which verify nothing, raise on damage.
DAMAGE = (struct.error, ValueError, IndexError, TypeError, OverflowError, AttributeError, MemoryError)

STORED: Mapping[str, np.dtype[Any]] = {
    "FLOAT32": np.dtype("<f4"),
    "FLOAT16": np.dtype("<f2"),
    "INT8": np.dtype("i1"),
    "UINT8": np.dtype("u1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "BOOL": np.dtype("?"),
}


def names_of(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


DTYPES = names_of(tflite.TensorType)
BUILTINS = names_of(tflite.BuiltinOperator)


@dataclass(frozen=True)
class Tensor:
    """value is the array of a constant, None for all else; signature has -1 for each unknown dimension."""

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    scale: np.ndarray
    zero: np.ndarray
    axis: int
    value: np.ndarray | None
    is_sparse: bool
    is_variable: bool


@dataclass(frozen=True)
class Operator:
    """inputs holds -1 for an omitted one; options is the table of its options, of the class options_name."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    options_name: str


@dataclass(frozen=True)
class Subgraph:
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def damaged(found: str) -> CompileError:
    return error("model", "a whole .tflite file", found, "export or download the file again")


@contextmanager
def guarded() -> Iterator[None]:
    """What the accessors raise inside becomes a CompileError."""
    try:
        yield
    except DAMAGE as problem:
        raise damaged(f"damage: {type(problem).__name__} while reading it") from problem


def read_file(data: bytes) -> tuple[Subgraph, ...]:
    """The subgraphs of a model, the main one first, with views into `data` as constants."""
    with guarded():
        model = tflite.Model.GetRootAs(data, 0)
        if model.SubgraphsLength() < 1:
            raise damaged("damage: no subgraph")
        budget = Budget(len(data))
        codes = rows(data, model.OperatorCodesLength(), lambda index: read_code(model, index))
        return rows(
            data,
            model.SubgraphsLength(),
            lambda index: read_subgraph(data, model, model.Subgraphs(index), codes, budget),
        )


def read_subgraph(data: bytes, model: Any, graph: Any, codes: tuple[str, ...], budget: Budget) -> Subgraph:
    """No part of a subgraph is shared with another one in a real file: each takes its four bytes."""
    budget.take(4 * (graph.TensorsLength() + graph.OperatorsLength()))
    tensors = rows(data, graph.TensorsLength(), lambda index: read_tensor(data, model, graph, index, budget))
    operators = rows(
        data,
        graph.OperatorsLength(),
        lambda index: read_operator(graph, index, codes, len(tensors), budget),
    )
    inputs = indices(graph.InputsAsNumpy(), len(tensors), budget)
    outputs = indices(graph.OutputsAsNumpy(), len(tensors), budget)
    return Subgraph(tensors, operators, inputs, outputs)


@dataclass
class Budget:
    """Bytes that names and lists may still take: in a real file none shares its bytes with another."""

    left: int

    def take(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise damaged("damage: more content than bytes")


def rows(data: bytes, count: int, read: Callable[[int], Any]) -> tuple[Any, ...]:
    """Each element of a vector of offsets, which takes four bytes an element."""
    if count * 4 > len(data):
        raise damaged(f"damage: {count} elements in {len(data)} bytes")
    return tuple(read(index) for index in range(count))


def vector(found: Any) -> np.ndarray:
    """A vector as an array; the accessors give 0 where there is none."""
    return np.asarray(found) if isinstance(found, np.ndarray) else np.zeros(0, np.int32)


def indices(found: Any, count: int, budget: Budget) -> tuple[int, ...]:
    values = vector(found)
    budget.take(values.nbytes)
    if values.size and (int(values.min()) < -1 or int(values.max()) >= count):
        raise damaged("damage: a tensor that is not there")
    return tuple(int(each) for each in values)


def read_code(model: Any, index: int) -> str:
    code = model.OperatorCodes(index)
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = BUILTINS.get(number, f"op {number}")
    if name != "CUSTOM":
        return name
    return f"the custom op {(code.CustomCode() or b'')[:80].decode(errors='replace')!r}"


def read_operator(graph: Any, index: int, codes: tuple[str, ...], tensors: int, budget: Budget) -> Operator:
    operator = graph.Operators(index)
    return Operator(
        codes[operator.OpcodeIndex()],
        indices(operator.InputsAsNumpy(), tensors, budget),
        indices(operator.OutputsAsNumpy(), tensors, budget),
        operator.BuiltinOptions(),
        OPTIONS.get(operator.BuiltinOptionsType(), ""),
    )


OPTIONS = names_of(tflite.BuiltinOptions)


def read_tensor(data: bytes, model: Any, graph: Any, index: int, budget: Budget) -> Tensor:
    tensor = graph.Tensors(index)
    raw_name = tensor.Name() or b""
    budget.take(len(raw_name))
    shape = axes(tensor.ShapeAsNumpy())
    dtype = DTYPES.get(tensor.Type(), f"type {tensor.Type()}")
    quant = tensor.Quantization()
    scale, zero = (
        (vector(quant.ScaleAsNumpy()), vector(quant.ZeroPointAsNumpy())) if quant else (vector(0),) * 2
    )
    return Tensor(
        name=raw_name.decode(errors="replace") or f"tensor {index}",
        shape=shape,
        signature=axes(tensor.ShapeSignatureAsNumpy()) or shape,
        dtype=dtype,
        scale=scale,
        zero=zero,
        axis=int(quant.QuantizedDimension()) if quant else 0,
        value=None if tensor.Sparsity() else read_value(buffer_of(data, model, tensor), dtype, shape),
        is_sparse=tensor.Sparsity() is not None,
        is_variable=bool(tensor.IsVariable()),
    )


def axes(found: Any) -> tuple[int, ...]:
    extents = vector(found)
    if len(extents) > MOST_AXES:
        raise damaged(f"damage: a tensor of {len(extents)} axes")
    return tuple(int(each) for each in extents)


def buffer_of(data: bytes, model: Any, tensor: Any) -> np.ndarray:
    number = tensor.Buffer()
    if number >= model.BuffersLength():
        raise damaged("damage: a buffer that is not there")
    buffer = model.Buffers(number)
    if buffer.Offset() > 1:
        # A file above 2 GB keeps its arrays behind the flatbuffer.
        return np.frombuffer(data, np.uint8, buffer.Size(), buffer.Offset())
    return vector(buffer.DataAsNumpy())


def read_value(stored: np.ndarray, dtype: str, shape: tuple[int, ...]) -> np.ndarray | None:
    size = math.prod(shape)
    if stored.size and dtype == "INT4":
        return read_nibbles(stored, size).reshape(shape)
    if not stored.size or dtype not in STORED:
        return None
    if min(shape, default=1) < 0 or size * STORED[dtype].itemsize != stored.size:
        raise damaged(f"damage: {stored.size} bytes for {dtype.lower()} {list(shape)}")
    return np.frombuffer(stored, STORED[dtype]).reshape(shape)


def read_nibbles(stored: np.ndarray, size: int) -> np.ndarray:
    """Signed values of four bits, the lower half of each byte first."""
    if size < 0 or (size + 1) // 2 != stored.size:
        raise damaged(f"damage: {stored.size} bytes for {size} values of int4")
    pairs = np.stack((stored << 4, stored), axis=-1).astype(np.uint8)
    return (pairs.view(np.int8) >> 4).reshape(-1)[:size]
