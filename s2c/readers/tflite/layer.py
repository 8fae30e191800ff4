"""One op of a .tflite file with its inputs as nodes: what the tables of readers work on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from s2c.errors import CompileError, error
from s2c.ir import Node, Quant, Type
from s2c.layers import basic
from s2c.ops import make
from s2c.ops.integer import LIMITS
from s2c.readers.tflite.schema import Operator, Tensor, guarded
from s2c.readers.tflite.tensors import dtype_of

ACTIVATIONS: Mapping[int, Mapping[str, Any]] = {
    tflite.ActivationFunctionType.NONE: {},
    tflite.ActivationFunctionType.RELU: {"lo": 0.0},
    tflite.ActivationFunctionType.RELU_N1_TO_1: {"lo": -1.0, "hi": 1.0},
    tflite.ActivationFunctionType.RELU6: {"lo": 0.0, "hi": 6.0},
}

MOST_INTEGERS = 64


@dataclass(frozen=True)
class Layer:
    """inputs has None for an omitted one; name is that of the first output, as ops have none of their own.
    keep: leaves a value in the variable tensor at a place of the inputs."""

    operator: Operator
    inputs: tuple[Node | None, ...]
    outputs: tuple[Tensor, ...]
    quants: tuple[Quant | None, ...]
    keep: Callable[[Operator, int, Node], None]

    @property
    def name(self) -> str:
        return self.outputs[0].name

    @property
    def quant(self) -> Quant | None:
        return self.quants[0]

    @property
    def result_type(self) -> Type:
        """What the file declares for the first output; its shape is another where extents are set."""
        return Type(self.outputs[0].shape, dtype_of(self.outputs[0]), self.quant)

    @property
    def quantized_result(self) -> Type:
        """result_type, where that is int8 or int16 with one scale."""
        kind = self.result_type
        if kind.quant is None or kind.dtype not in LIMITS:
            raise self.error(
                "a result of int8 or int16 with one scale", str(kind), "quantize the model again"
            )
        return kind

    def at_most(self, value: int, limit: int, what: str) -> int:
        """value, where what is made of it stays small."""
        if value > limit:
            raise self.error(f"{what} of at most {limit}", str(value), "rebuild the model with less")
        return value

    def error(self, wanted: str, found: str, do: str) -> CompileError:
        return error(self.name, f"{wanted} for {self.operator.op}", found, do)

    def option(self, field: str) -> Any:
        """A field of the op's options."""
        if self.operator.options is None:
            raise self.error("options", "none", "export the model again")
        with guarded():
            options = getattr(tflite, self.operator.options_name)()
            options.Init(self.operator.options.Bytes, self.operator.options.Pos)
            return getattr(options, field)()

    def integer(self, field: str, least: int = 1, most: int = (1 << 31) - 1) -> int:
        value = int(self.option(field))
        if not least <= value <= most:
            raise self.error(f"{field} between {least} and {most}", str(value), "export the model again")
        return value

    def finite(self, field: str) -> float:
        value = float(self.option(field))
        if not math.isfinite(value):
            raise self.error(f"a finite {field}", f"{value}", "export the model again")
        return value

    def clamp(self) -> Mapping[str, Any]:
        """lo and hi of the fused activation."""
        code = self.option("FusedActivationFunction")
        if code not in ACTIVATIONS:
            raise self.error("a fused relu, relu6 or relu_n1_to_1", f"activation {code}", "make it a layer")
        return ACTIVATIONS[code]

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def any(self, index: int) -> Node:
        """An input of any dtype."""
        node = self.inputs[index] if index < len(self.inputs) else None
        if node is None:
            raise self.error(f"input {index}", "none", "export the model again")
        return node

    def real(self, index: int = 0) -> Node:
        """An input that stands for real numbers: float32, or int8 with one scale."""
        return self.of_dtypes(index, "i8")

    def of_dtypes(self, index: int, *dtypes: str) -> Node:
        """An input of float32, or of one of the dtypes, with one scale."""
        node = self.any(index)
        kind = node.type
        if kind.dtype == "f32" or (kind.dtype in dtypes and kind.quant and kind.quant.axis is None):
            return node
        raise self.error(
            "float32, or int8 with one scale", str(kind), "quantize the model to int8, or not at all"
        )

    def number(self, index: int = 0) -> Node:
        """An input that is float32 or an integer without a scale."""
        node = self.any(index)
        if node.type.quant is not None or node.type.dtype in ("f16", "bool"):
            raise self.error(
                "float32 or integers without a scale", str(node.type), "keep this layer in float"
            )
        return node

    def signed(self, index: int = 0) -> Node:
        """A number that can be negative."""
        node = self.number(index)
        if node.type.dtype.startswith("u"):
            raise self.error("float32 or signed integers", str(node.type), "cast its input")
        return node

    def raw(self, index: int = 0) -> Node:
        """An input's stored values, without their quantization."""
        node = self.any(index)
        return node if node.type.quant is None else make("reinterpret", (node,), self.name)

    def stored(self, node: Node) -> Node:
        """Stored values under the output's quantization."""
        return node if node.type.quant == self.quant else self.make("reinterpret", node)

    def float_only(self, index: int = 0) -> Node:
        node = self.any(index)
        if node.type.dtype != "f32":
            raise self.error("float32", str(node.type), "keep this layer in float")
        return node

    def array(self, index: int, what: str) -> np.ndarray:
        """The stored value of an input that must be a constant."""
        node = self.any(index)
        if node.op != "constant":
            raise self.error(
                f"constant {what}", "computed ones", "bind the input that they come from with --const"
            )
        return np.asarray(node.attrs["value"])

    def reals(self, index: int, what: str) -> np.ndarray:
        """A constant as float32: float16 and quantized values are converted once, at compile time."""
        value, quant = self.array(index, what), self.any(index).type.quant
        if value.dtype in (np.float16, np.float32):
            return value.astype(np.float32)
        if quant is None:
            raise self.error(f"{what} with a scale", f"{value.dtype}", "convert the model again")
        shape = [1] * value.ndim
        if quant.axis is not None:
            if not 0 <= quant.axis < value.ndim or value.shape[quant.axis] != len(quant.scale):
                found = f"{len(quant.scale)} scales on axis {quant.axis} of {list(value.shape)}"
                raise self.error(
                    f"a scale for each index of an axis of the {what}", found, "convert it again"
                )
            shape[quant.axis] = -1
        scale = np.array(quant.scale, np.float32).reshape(shape)
        return np.asarray((value.astype(np.float32) - np.float32(quant.zero)) * scale, np.float32)

    def integers(self, index: int, what: str) -> tuple[int, ...]:
        value = self.array(index, what)
        if value.dtype not in (np.int32, np.int64) or value.size > MOST_INTEGERS:
            raise self.error(f"integer {what}", f"{value.dtype}{list(value.shape)}", "export the model again")
        return tuple(int(each) for each in value.reshape(-1))

    def one_integer(self, index: int, what: str) -> int:
        values = self.integers(index, what)
        if len(values) != 1:
            raise self.error(f"one {what}", str(list(values)), "export the model again")
        return values[0]

    def axis(self, value: int, rank: int) -> int:
        """An axis counted from the end too, as one from the front."""
        if not -rank <= value < rank:
            raise self.error(f"an axis of {rank}", str(value), "export the model again")
        return value % rank

    def make(self, op: str, *inputs: Node, quant: Quant | None = None, **attrs: Any) -> Node:
        """A node with the output's quantization, unless another is given."""
        return make(op, inputs, self.name, quant or self.quant, **attrs)

    def clamped(self, node: Node) -> Node:
        """The fused activation as a node of its own, for ops that carry no clamp."""
        clamp = self.clamp()
        if node.type.dtype == "f32" or node.type.quant is not None:
            return self.make("relu", node, **clamp) if clamp else node
        return basic.clamp(node, clamp.get("lo", -math.inf), clamp.get("hi", math.inf), self.name)

    def reshape(self, node: Node, shape: tuple[int, ...]) -> Node:
        return node if node.type.shape == shape else self.make("reshape", node, shape=shape)

    def same_quant(self, node: Node) -> Node:
        """node, where input and output share scale and zero point, as LiteRT takes for granted."""
        if node.type.quant != self.quant:
            raise self.error(
                "one scale and zero point for input and output",
                f"{node.type.quant} and {self.quant}",
                "quantize the model again",
            )
        return node


Read = Callable[[Layer], Node | tuple[Node, ...]]


@dataclass(frozen=True)
class Reader:
    """How one builtin op is read; options: the class of its options, "" where it needs none."""

    read: Read
    options: str = ""


def is_int8(node: Node) -> bool:
    return node.type.dtype == "i8" and node.type.quant is not None
