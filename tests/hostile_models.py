"""Files that nobody should trust: each must be refused, or compiled where nothing is wrong with it."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_models import model_of, one_op
from tflite_writer import Op, Tensor, constant, write

DEMO = Path(__file__).parents[1] / "demo"
HUGE = (1 << 31, 1 << 40, 1 << 62, (1 << 63) - 1)
CODE = '*/ int main(void) { return 1; } /* "); system("touch /tmp/s2c_owned"); //'
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\n\x9b31m\u202eevil"
LONG = "x" * (1 << 20)
NAMES = {"code": CODE, "escapes": ESCAPES, "long": LONG, "slashes": "/" * 100_000, "parts": "a/" * 100_000}

Case = tuple[str, bytes]  # a file's name and its content


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def refused_cases() -> Iterator[Case]:
    """Each of these has something wrong."""
    yield from cyclic_models()
    yield from wrong_types()
    yield from huge_dimensions()
    yield from huge_attributes()
    yield from nested_models()
    yield from archives()
    yield "text.onnx", b"just a text\n" * 100
    yield "text.tflite", b"just a text\n" * 100
    yield "identifier.tflite", b"\x08\0\0\0TFL3" + b"\xff" * 64
    yield "suffix.exe", b"MZ" * 100


def cyclic_models() -> Iterator[Case]:
    def relu(source: str, result: str) -> onnx.NodeProto:
        return helper.make_node("Relu", [source], [result], name=result)

    yield "self.onnx", model_of([relu("y", "y")], {"x": (1, 4)})
    yield "pair.onnx", model_of([relu("b", "a"), relu("a", "b"), relu("b", "y")], {"x": (1, 4)})
    add = helper.make_node("Add", ["x", "y"], ["z"], name="z")
    yield "loop.onnx", model_of([add, relu("z", "y")], {"x": (1, 4)})
    tensors = [Tensor(name, (1, 4)) for name in "xaby"]
    ops = [Op("ADD", ["x", "b"], ["a"], "Add"), Op("RELU", ["a"], ["b"]), Op("RELU", ["b"], ["y"])]
    yield "loop.tflite", write(tensors, ops, ["y"])
    yield "self.tflite", write(tensors[:1] + tensors[3:], [Op("RELU", ["y"], ["y"])], ["y"])


def wrong_types() -> Iterator[Case]:
    for name, kind in (("string", TensorProto.STRING), ("complex", TensorProto.COMPLEX64), ("unknown", 77)):
        yield (
            f"input_{name}.onnx",
            model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (1, 4)}, input_type=kind),
        )
        model = onnx.ModelProto.FromString(one_op("Add", (1, 4), floats(1, 4)))
        model.graph.initializer[0].data_type = kind
        yield f"initializer_{name}.onnx", model.SerializeToString()
    model = onnx.ModelProto.FromString(one_op("Add", (1, 4), floats(1, 4)))
    model.graph.initializer[0].data_type = TensorProto.DOUBLE
    yield "initializer_double_of_half_the_bytes.onnx", model.SerializeToString()
    yield "axes_of_floats.onnx", one_op("Unsqueeze", (1, 4), floats(1))
    attribute = helper.make_node("Conv", ["x", "w"], ["y"])
    attribute.attribute.append(helper.make_attribute("strides", "two"))
    yield "strides_of_text.onnx", model_of([attribute], {"x": (1, 1, 4, 4)}, {"w": floats(1, 1, 2, 2)})
    weights = constant("w", np.zeros((4, 4), np.int64))
    tensors = [Tensor("x", (1, 4)), weights, Tensor("y", (1, 4))]
    dense = Op("FULLY_CONNECTED", ["x", "w"], ["y"], "FullyConnected")
    yield "weights_of_int64.tflite", write(tensors, [dense], ["y"])


def huge_dimensions() -> Iterator[Case]:
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    for extent in HUGE:
        yield f"input_{extent}.onnx", model_of(relu, {"x": (1, extent)})
        yield f"input_{extent}_squared.onnx", model_of(relu, {"x": (extent, extent)})
        model = onnx.ModelProto.FromString(one_op("Add", (1, 4), floats(4)))
        model.graph.initializer[0].dims[0] = extent
        yield f"initializer_{extent}.onnx", model.SerializeToString()
    model.graph.initializer[0].dims[:] = [1 << 32, 1 << 32, 0]
    yield "initializer_of_nothing.onnx", model.SerializeToString()
    model.graph.initializer[0].dims[:] = [-4]
    yield "initializer_negative.onnx", model.SerializeToString()
    model.graph.initializer[0].dims[:] = [1 << 62] * 100_000
    yield "initializer_of_many_axes.onnx", model.SerializeToString()
    yield "input_of_many_axes.onnx", model_of(relu, {"x": (1,) * 5000})
    for extent in (0, -5, (1 << 31) - 1):
        tensors = [Tensor("x", (extent, extent)), Tensor("y", (extent, extent))]
        yield f"input_{extent}.tflite", write(tensors, [Op("RELU", ["x"], ["y"])], ["y"])


def huge_attributes() -> Iterator[Case]:
    """Ops whose result, or whose kernel, is huge, from a file of a few hundred bytes."""
    image = (1, 2, 8, 8)
    for index, size in enumerate(HUGE[1:]):
        yield f"expand_{index}.onnx", one_op("Expand", (1, 4), integers(size, 4))
        yield f"tile_{index}.onnx", one_op("Tile", (1, 4), integers(size, 1))
        yield f"pad_{index}.onnx", one_op("Pad", (1, 4), integers(0, size, 0, 0))
        yield f"conv_pads_{index}.onnx", one_op("Conv", image, floats(2, 2, 3, 3), pads=[size] * 4)
        yield (
            f"conv_dilations_{index}.onnx",
            one_op("Conv", image, floats(2, 2, 3, 3), dilations=[size, size]),
        )
        yield f"conv_group_{index}.onnx", one_op("Conv", image, floats(2, 2, 3, 3), group=size)
        yield f"pool_{index}.onnx", one_op("MaxPool", image, kernel_shape=[size, size])
        yield f"pool_pads_{index}.onnx", one_op("AveragePool", image, kernel_shape=[2, 2], pads=[size] * 4)
        yield f"filled_{index}.onnx", filled("ConstantOfShape", integers(size))
        yield f"range_{index}.onnx", filled("Range", *(np.int64(each) for each in (0, size, 1)))
        yield f"reshape_{index}.onnx", one_op("Reshape", (1, 4), integers(size, -1))
        yield f"split_{index}.onnx", one_op("Split", (1, 4), integers(size, size), axis=1, outputs=("y", "z"))
        weights = (floats(1, 8, 3), floats(1, 8, 3))
        yield f"lstm_{index}.onnx", one_op("LSTM", (5, 1, 3), *weights, hidden_size=size)
        yield f"one_hot_{index}.onnx", filled("OneHot", integers(1), np.int64(size), floats(2))
        yield f"space_{index}.onnx", one_op("DepthToSpace", image, blocksize=size)
        scales = np.array([1, 1, size, size], np.float32)
        yield f"resize_{index}.onnx", one_op("Resize", image, None, scales, mode="nearest")
        stuffing = one_op("ConvTranspose", image, floats(2, 2, 3, 3), strides=[size, size])
        yield f"transposed_strides_{index}.onnx", stuffing
    yield "conv_strides_0.onnx", one_op("Conv", image, floats(2, 2, 3, 3), strides=[0, 0])
    yield "conv_negative_pads.onnx", one_op("Conv", image, floats(2, 2, 3, 3), pads=[-9] * 4)
    yield "pool_of_nothing.onnx", one_op("MaxPool", image, kernel_shape=[0, 0])


def filled(op: str, *consts: np.ndarray) -> bytes:
    """A constant that is made by an op of constants and added to the input."""
    names = [f"c{index}" for index in range(len(consts))]
    nodes = [
        helper.make_node(op, names, ["made"], name="made"),
        helper.make_node("Cast", ["made"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "cast"], ["y"]),
    ]
    return model_of(nodes, {"x": (1, 4)}, dict(zip(names, map(np.asarray, consts), strict=True)))


def nested_models() -> Iterator[Case]:
    yield "nested_80.onnx", nested_ifs(20)
    yield "nested_100000.onnx", nested_bytes(100_000)


def nested_ifs(depth: int) -> bytes:
    """If in If: each level is a graph in an attribute of a node in a graph."""
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    body = helper.make_graph([helper.make_node("Foo", ["x"], ["y"])], "body", [], [result])
    for _ in range(depth):
        node = helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body)
        body = helper.make_graph([node], "body", [], [result])
        if body.ByteSize() > 1 << 20:
            break
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, (1,))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))
    body.input.extend([x, flag])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def nested_bytes(depth: int) -> bytes:
    """The same on the wire, deeper than any message can be made: graph 7, node 1, attribute 5, graph 6."""
    content = b""
    for _ in range(depth):
        for field in (6, 5, 1):
            content = field_of(field, content)
        if len(content) > 1 << 20:
            break
    return field_of(7, content + field_of(12, b""))


def field_of(number: int, content: bytes) -> bytes:
    size, prefix = len(content), bytearray([number << 3 | 2])
    while size > 127:
        prefix.append(size & 127 | 128)
        size >>= 7
    return bytes([*prefix, size]) + content


class Payload:
    """What runs where somebody unpickles it."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (open, (str(MARKER), "w"))


MARKER = Path("/tmp/s2c_owned")


def archives() -> Iterator[Case]:
    yield "pickle.pt", pickle.dumps(Payload())
    yield "pickle.pth", pickle.dumps(Payload(), protocol=0)
    yield "pickle.pt2", pickle.dumps(Payload())
    yield "checkpoint.pt", zipped({"archive/data.pkl": pickle.dumps(Payload()), "archive/version": b"3\n"})
    yield "checkpoint.pt2", zipped({"archive/data.pkl": pickle.dumps(Payload()), "archive/version": b"3\n"})
    constants = {"archive/serialized_constants.pt": pickle.dumps(Payload())}
    yield "exported.pt2", zipped({"archive/serialized_exported_program.json": b"{}", **constants})
    yield "bomb.pt2", zipped({"archive/models/model.json": b" " * (1 << 28), "archive/version": b"3\n"})
    yield "slip.pt2", zipped({"../../../../tmp/s2c_owned": b"", "archive/version": b"3\n"})
    yield "empty.pt2", zipped({})


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def compiled_cases() -> Iterator[Case]:
    """Strange but right."""
    for name, text in NAMES.items():
        node = helper.make_node("Gemm", ["x", text], ["y"], name=text)
        yield f"{name}.onnx", model_of([node], {"x": (1, 4)}, {text: floats(4, 4)})
        node = helper.make_node("Relu", [text], [text + "y"], name=text)
        yield f"{name}_ends.onnx", model_of([node], {text: (1, 4)}, outputs=[text + "y"])
        tensors = [Tensor(text, (1, 4)), Tensor(text + "y", (1, 4))]
        yield f"{name}.tflite", write(tensors, [Op("RELU", [text], [text + "y"])], [text + "y"])
    names = [f"y{index}" for index in range(3000)]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in zip(["x", *names], names, strict=False)]
    yield "deep.onnx", model_of(nodes, {"x": (1, 4)}, outputs=names[-1:])


def unknown_names() -> Iterator[Case]:
    """Names of everything that an error can repeat."""
    for name, text in NAMES.items():
        relu = helper.make_node("Relu", ["x"], ["y"])
        yield f"dim_{name}.onnx", model_of([relu], {"x": (text, 4)})
        yield f"op_{name}.onnx", model_of([helper.make_node(text, ["x"], ["y"])], {"x": (1, 4)})
        domain = helper.make_node("Relu", ["x"], ["y"], domain=text)
        yield f"domain_{name}.onnx", model_of([domain], {"x": (1, 4)})
        yield f"wire_{name}.onnx", model_of([helper.make_node("Relu", [text], ["y"])], {"x": (1, 4)})
        mode = helper.make_node("Pad", ["x"], ["y"], name=text, pads=[1] * 4, mode=text)
        yield f"mode_{name}.onnx", model_of([mode], {"x": (1, 4)}, opset=2)
        tensors = [Tensor("x", (1, 4)), Tensor("y", (1, 4))]
        yield f"op_{name}.tflite", write(tensors, [Op(text, ["x"], ["y"])], ["y"])


def truncations(data: bytes, suffix: str) -> Iterator[Case]:
    """Every cut of the first and last bytes, and a few of each stretch between."""
    ends = {*range(1, 200), *range(200, len(data), 61), *range(len(data) - 100, len(data))}
    for end in sorted(ends):
        yield f"cut_{end}{suffix}", data[:end]


def patched_words(data: bytes, suffix: str) -> Iterator[Case]:
    """Each aligned word in turn 0, one word back and forth, far away: tables that overlap, hold themselves,
    or lie outside."""
    for at in range(0, len(data) - 3, 4):
        for index, value in enumerate((0, 4, (1 << 32) - 4, 1 << 31, len(data) - at, (1 << 32) - at)):
            yield (
                f"word_{at}_{index}{suffix}",
                data[:at] + struct.pack("<I", value % (1 << 32)) + data[at + 4 :],
            )


def small_tflite() -> bytes:
    weights = constant("w", np.ones((3, 4), np.float32))
    tensors: Sequence[Tensor] = [Tensor("x", (1, 4)), weights, Tensor("h", (1, 3)), Tensor("y", (1, 3))]
    ops = [
        Op("FULLY_CONNECTED", ["x", "w"], ["h"], "FullyConnected", {"FusedActivationFunction": 0}),
        Op("SOFTMAX", ["h"], ["y"], "Softmax", {"Beta": 1.0}),
    ]
    return write(tensors, ops, ["y"])


def external(data: bytes, location: str, **entries: object) -> bytes:
    """The first initializer of a model moves to another file."""
    model = onnx.ModelProto.FromString(data)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return model.SerializeToString()


def with_external_data(path: Path, location: str = "weights.bin", **entries: object) -> np.ndarray:
    """A model whose addend lies elsewhere; returns it."""
    weights = np.arange(4, dtype=np.float32)
    path.write_bytes(external(one_op("Add", (1, 4), weights), location, **entries))
    return numpy_helper.to_array(numpy_helper.from_array(weights))
