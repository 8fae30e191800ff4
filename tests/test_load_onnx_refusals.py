"""What the ONNX reader says of a model that it does not take, as whole messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper
from onnx_models import model_of, one_op

from s2c.errors import CompileError
from s2c.readers.onnx import load_onnx

NEWEST = onnx.defs.onnx_opset_version()


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def node(op: str, inputs: str, outputs: str = "y", **attrs: Any) -> NodeProto:
    """Names between spaces; _ is an input left out."""
    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(op, names, outputs.split(), name="layer", **attrs)


def model(*nodes: NodeProto, **consts: np.ndarray) -> bytes:
    """Of an input x of three floats, in the newest opset."""
    return model_of(nodes, {"x": (3,)}, consts, opset=NEWEST)


def of_constants(op: str, *values: np.ndarray, **attrs: Any) -> bytes:
    """An op of constants, added to x."""
    consts = {f"c{index}": value for index, value in enumerate(values)}
    return model(node(op, " ".join(consts), "c", **attrs), node("Add", "x c"), **consts)


def of_cast(op: str, element: int, **attrs: Any) -> bytes:
    return model(node("Cast", "x", "i", to=element), node(op, "i", **attrs))


def graph(*nodes: NodeProto, inputs: str = "", outputs: str = "y") -> onnx.GraphProto:
    infos = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names.split()]
        for names in (inputs, outputs)
    )
    return helper.make_graph(list(nodes), "inner", *infos)


def of_type(element: int) -> bytes:
    """An initializer of another type, without elements."""
    changed = onnx.ModelProto.FromString(one_op("Add", (3,), floats(3)))
    changed.graph.initializer[0].data_type = element
    return changed.SerializeToString()


def of_axes(count: int) -> bytes:
    return one_op("Relu", (1,) * count)


def renamed(old: bytes, new: bytes) -> bytes:
    return one_op("Relu", (3,)).replace(old, new)


SEQUENCE = node("SequenceConstruct", "x x", "q")
EMPTY = node("SequenceEmpty", "", "q")
ADD = graph(node("Add", "a b", "r"), inputs="a b", outputs="r")
STOP = graph(node("Identity", "c", "d"), inputs="i c", outputs="d")
KEEP = graph(node("Identity", "x", "r"), outputs="r")
LIST = graph(node("SequenceConstruct", "a", "r"), inputs="a", outputs="r")
KEPT = graph(node("SequenceConstruct", "x", "r"), outputs="r")
CONDITION = (node("ReduceMax", "x", "m", keepdims=0), node("Cast", "m", "c", to=TensorProto.BOOL))
IMAGE = (1, 2, 5, 5)


REFUSALS = {
    "no numbers": (
        model(node("Constant", "", "c", value_string=b"text"), node("Add", "x c")),
        "layer: wanted a Constant of numbers, found value_string; make it a dense tensor of numbers",
    ),
    "no shape": (
        one_op("Reshape", (3,), opset=1),
        "layer: wanted a shape, found none; export the model again",
    ),
    "zeros beyond the axes": (
        one_op("Reshape", (3,), ints(3, 0)),
        "layer: wanted zeros at the 1 axes of f32[3], found [3, 0]; check the layer's shape",
    ),
    "another size": (
        one_op("Reshape", (3,), ints(2, 2)),
        "layer: wanted a shape of 3 elements, found [2, 2]; check the layer's shape",
    ),
    "flattened beyond": (
        one_op("Flatten", (2, 3), axis=3),
        "layer: wanted an axis from -2 to 2, found 3; check the layer's axis",
    ),
    "squeezed": (
        one_op("Squeeze", (2, 3), ints(1)),
        "layer: wanted axes of extent 1, found axes [1] of f32[2,3]; check the layer's axes",
    ),
    "unsqueezed twice": (
        one_op("Unsqueeze", (2, 3), ints(1, 1)),
        "layer: wanted axes that differ, found [1, 1]; check the layer's axes",
    ),
    "slice without ends": (
        one_op("Slice", (3,), ints(0)),
        "layer: wanted starts and ends, found none; export the model again",
    ),
    "slice of two lengths": (
        one_op("Slice", (3,), ints(0), ints(1, 2)),
        "layer: wanted as many starts, ends, axes and steps, and no step of 0, found [0], [1, 2], [0] and "
        "[1]; check the layer's inputs",
    ),
    "split sizes": (
        one_op("Split", (2, 3), ints(1, 1), axis=1, outputs=("y", "z")),
        "layer: wanted 2 sizes that add up to 3, found [1, 1]; check the layer's split",
    ),
    "expanded to nothing": (
        one_op("Expand", (1,), ints(0)),
        "layer: wanted positive extents of at most 268435456 elements, found [0]; check the layer's shape",
    ),
    "tiles": (
        one_op("Tile", (2,), ints(1 << 40)),
        "layer: wanted repeats that give 1 to 268435456 elements, found [1099511627776]; check the "
        "layer's repeats",
    ),
    "depth": (
        one_op("DepthToSpace", (1, 3, 2, 2), blocksize=2),
        "layer: wanted channels in groups of 4, found 3; check the blocksize",
    ),
    "pads that leave nothing": (
        one_op("Pad", (3,), ints(-2, -1)),
        "layer: wanted pads that leave elements, found [(-2, -1)] of f32[3]; check the layer's pads",
    ),
    "count of pads": (
        one_op("Pad", (3,), ints(1)),
        "layer: wanted 2 pads, found 1; check the layer's pads",
    ),
    "huge pads": (
        one_op("Pad", (3,), ints(1 << 40, 0)),
        "layer: wanted a padded tensor of at most 268435456 elements, found 1099511627779; check the "
        "layer's pads",
    ),
    "alpha of 0": (
        one_op("Celu", (3,), alpha=0.0),
        "layer: wanted an alpha above 0, found 0.0; check the layer's alpha",
    ),
    "approximation": (
        one_op("Gelu", (3,), opset=20, approximate="erf"),
        "layer: wanted approximate none or tanh, found erf; export the model again",
    ),
    "direction of a shift": (
        model(node("Cast", "x", "i", to=TensorProto.UINT8), node("BitShift", "i i", direction="UP")),
        "layer: wanted direction LEFT or RIGHT, found UP; export the model again",
    ),
    "heads": (
        one_op("RotaryEmbedding", (1, 2, 6), floats(1, 2, 1), floats(1, 2, 1), opset=23, num_heads=4),
        "layer: wanted num_heads that divides the last axis, found 4; set num_heads",
    ),
    "channels": (
        one_op("Conv", IMAGE, floats(4, 3, 3, 3)),
        "layer: wanted an input of 4 axes with 3 channels in at least 1 equal group, found input "
        "f32[1,2,5,5], 1 groups; check the layer's weights",
    ),
    "bias": (
        one_op("Conv", IMAGE, floats(4, 2, 3, 3), floats(3)),
        "layer: wanted a bias of 4 values, found f32[3]; check the layer's weights",
    ),
    "no pixels": (
        one_op("Conv", (1, 2), floats(4, 2)),
        "layer: wanted Conv over at least one spatial axis, found an input f32[1,2]; reshape the input to "
        "[batch, channels, *spatial]",
    ),
    "quantized convolution": (
        of_cast("QLinearConv", TensorProto.INT8),
        "layer: wanted eight inputs, found 1; export the model again",
    ),
    "quantized product": (
        of_cast("QLinearMatMul", TensorProto.INT8),
        "layer: wanted eight inputs, found 1; export the model again",
    ),
    "strides of 0": (
        one_op("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[0, 1]),
        "layer: wanted positive kernel, strides and dilations of 2 axes, and 4 pads of at least 0, found "
        "(2, 2), (0, 1), (1, 1) and (0, 0, 0, 0); check the layer's attributes",
    ),
    "axes of a kernel": (
        one_op("MaxPool", IMAGE, kernel_shape=[2]),
        "layer: wanted a kernel of 2 axes, found [2]; check the layer's attributes",
    ),
    "automatic pads": (
        one_op("MaxPool", IMAGE, kernel_shape=[2, 2], auto_pad="SAME"),
        "layer: wanted auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, found SAME; export the layer "
        "with explicit pads",
    ),
    "unpooled shape": (
        one_op(
            "MaxUnpool",
            (1, 1, 2),
            np.zeros((1, 1, 2), np.int64),
            ints(1, 1, 3),
            kernel_shape=[2],
            strides=[2],
        ),
        "layer: wanted an output shape of at least f32[1,1,4], found [1, 1, 3]; check the layer's shape",
    ),
    "root": (
        one_op("GlobalLpPool", IMAGE, p=65),
        "layer: wanted a p of 1 to 64, found 65; check the layer's p",
    ),
    "no matrices": (
        one_op("Gemm", (2, 3), floats(1, 3, 4)),
        "layer: wanted two matrices, found f32[2,3] and [1, 3, 4]; use MatMul for other shapes",
    ),
    "columns of indices": (
        one_op("GatherND", (2, 3), np.zeros((1, 3), np.int64)),
        "layer: wanted indices whose last axis has 1 to 2 columns, found i64[1,3]; check the layer's indices",
    ),
    "batch of indices": (
        one_op("GatherND", (2, 3), np.zeros((3, 1), np.int64), batch_dims=1),
        "layer: wanted indices behind the batch axes of f32[2,3], found i64[3,1] with 1 batch axes; check "
        "the layer's indices",
    ),
    "updates": (
        one_op("ScatterND", (2, 3), np.zeros((1, 1), np.int64), floats(1, 2)),
        "layer: wanted updates [1, 3], found f32[1,2]; check the layer's updates",
    ),
    "reduction": (
        one_op("ScatterND", (2, 3), np.zeros((1, 1), np.int64), floats(1, 3), opset=18, reduction="mean"),
        "layer: wanted a reduction of add, max, min, mul, none, found mean; check the layer's attributes",
    ),
    "depth of 0": (
        model(node("Cast", "x", "i", to=TensorProto.INT64), node("OneHot", "i d v"), d=ints(0), v=floats(2)),
        "layer: wanted a depth of at least 1, found 0; check the layer's depth",
    ),
    "operands": (
        one_op("Einsum", (2,), equation="i,j->i"),
        "layer: wanted an equation of 1 operands, found 'i,j->i'; check the equation",
    ),
    "extents": (
        one_op("Einsum", (2,), floats(3), equation="i,i->i"),
        "layer: wanted one extent of i, found 2 and 3; check the equation",
    ),
    "labels": (
        one_op("Einsum", (2,), equation="i->j"),
        "layer: wanted a result of different labels that operands have, found ('j',); check the equation",
    ),
    "statistics": (
        one_op("BatchNormalization", (1, 2, 3), *[floats(3)] * 4),
        "layer: wanted scale, bias, mean and variance [2], found [[3], [3], [3], [3]] for f32[1,2,3]; "
        "check the layer's weights",
    ),
    "groups": (
        one_op("GroupNormalization", (1, 3, 4), floats(3), floats(3), opset=21, num_groups=2),
        "layer: wanted channels in 2 equal groups, found f32[1,3,4]; check num_groups",
    ),
    "instances": (
        one_op("InstanceNormalization", (1, 3), floats(3), floats(3)),
        "layer: wanted an input [batch, channels, *spatial] of InstanceNormalization, found f32[1,3]; "
        "reshape the input",
    ),
    "norm": (
        one_op("LpNormalization", (2, 3), p=3),
        "layer: wanted LpNormalization with p 1 or 2, found p 3; write it with Pow and ReduceSum",
    ),
    "count of scales": (
        one_op("QuantizeLinear", (2, 3), floats(2), np.zeros(2, np.int8), axis=1),
        "layer: wanted 3 scales along axis 1, found [2]; quantize the weights again",
    ),
    "floats dequantized": (
        model(node("DequantizeLinear", "x s"), s=floats()),
        "layer: wanted a tensor of integers, found f32[3]; quantize it to int8",
    ),
    "steps": (
        one_op("RNN", (5, 3), floats(1, 4, 3), floats(1, 4, 4), hidden_size=4),
        "layer: wanted an input of three axes, found f32[5,3]; reshape the input",
    ),
    "recurrent weights": (
        one_op("GRU", (5, 1, 3), floats(1, 12, 2), floats(1, 12, 4), hidden_size=4),
        "layer: wanted input 1 of shape [1, 12, 3], found f32[1,12,2]; check the layer's weights and "
        "hidden_size",
    ),
    "no size": (
        one_op("Resize", (1, 1, 4), None, None, ints(1, 1, 0)),
        "layer: wanted positive sizes, found [0]; check the layer's scales or sizes",
    ),
    "way to resize": (
        one_op("Resize", (1, 1, 4), None, floats(3), mode="area"),
        "layer: wanted mode nearest, linear or cubic, coordinates align_corners, asymmetric, half_pixel, "
        "half_pixel_symmetric, pytorch_half_pixel, tf_crop_and_resize, tf_half_pixel_for_nn, rounding "
        "ceil, floor, round_prefer_ceil, round_prefer_floor, found area, half_pixel and "
        "round_prefer_floor; check the layer's attributes",
    ),
    "count of sizes": (
        one_op("Resize", (1, 1, 4), None, floats(2)),
        "layer: wanted 3 scales or sizes, found 2; check the layer's inputs",
    ),
    "grid": (
        one_op("GridSample", (1, 1, 4, 4), floats(1, 2, 2, 3), opset=20),
        "layer: wanted mode cubic, linear, nearest, padding zeros, border, reflection and a grid of 2 "
        "axes, found linear, zeros and f32[1,2,2,3]; check the layer's attributes",
    ),
    "offsets": (
        one_op("DeformConv", (1, 1, 4, 4), floats(1, 1, 3, 3), floats(1, 2, 2, 2), opset=19),
        "layer: wanted an input of 1 channels, and offsets [1, 18, 2, 2], found f32[1,1,4,4] and "
        "f32[1,2,2,2]; check the layer's shapes",
    ),
    "no sequence": (
        model(node("SequenceAt", "_ i"), i=ints(0)[0]),
        "layer: wanted a sequence as input 0 of SequenceAt, found none; check the model",
    ),
    "sequence of nothing": (
        model(EMPTY, node("ConcatFromSequence", "q", axis=0)),
        "layer: wanted a sequence of at least one tensor, found an empty one; check the model",
    ),
    "sequence as a tensor": (
        model(SEQUENCE, node("Identity", "q", "r"), node("Shape", "r")),
        "layer: wanted a tensor as input 0 of Shape, found a sequence; check the model",
    ),
    "parts of a sequence": (
        model(node("SplitToSequence", "x s", "q"), node("SequenceAt", "q i"), s=ints(1, 1), i=ints(0)[0]),
        "layer: wanted positive sizes that add up to 3, found [1, 1]; check the layer's split",
    ),
    "map of nothing": (
        model(EMPTY, node("SequenceMap", "q", "r", body=KEEP), node("SequenceAt", "r i"), i=ints(0)[0]),
        "layer: wanted a sequence of at least one tensor, found an empty one; check the model",
    ),
    "map of another length": (
        model(EMPTY, node("SequenceConstruct", "x", "p"), node("SequenceMap", "p q", body=ADD)),
        "layer: wanted sequences of 1 tensors, found a shorter one; check the model",
    ),
    "map to sequences": (
        model(SEQUENCE, node("SequenceMap", "q", "r", body=LIST), node("SequenceLength", "r")),
        "layer: wanted tensors as results of the body, found another; check the model",
    ),
    "empty optional": (
        model(node("Optional", "", "o"), node("OptionalGetElement", "o")),
        "layer: wanted an optional that holds a value, found an empty one; check the model",
    ),
    "signal": (
        one_op("STFT", (1, 8), np.array(2)),
        "layer: wanted a signal [batch, samples, 1 or 2], found f32[1,8]; reshape the signal",
    ),
    "frames": (
        one_op("STFT", (1, 8, 1), np.array(0), None, np.array(4)),
        "layer: wanted a step of at least 1, and frames of 1 to 8 samples, as many as the window's, found "
        "a step of 0, and frames of 4; check the layer's inputs",
    ),
    "blocks": (
        one_op("Col2Im", (1, 4, 3), ints(3, 3), ints(2, 2), opset=18),
        "layer: wanted an input [batch, channels * 4, 4], found f32[1,4,3]; check the layer's shapes",
    ),
    "window of strings": (
        of_constants("HannWindow", np.array(3), output_datatype=TensorProto.STRING),
        "layer: wanted a type of numbers, found string; choose float32",
    ),
    "identity of strings": (
        one_op("EyeLike", (3, 3), dtype=TensorProto.STRING),
        "layer: wanted a dtype of numpy, found string; use float32",
    ),
    "width of bits": (
        of_cast("BitCast", TensorProto.INT32, to=TensorProto.INT16),
        "layer: wanted a type of one width, found int16; keep one type",
    ),
    "computed mask": (
        model(node("Cast", "x", "c", to=TensorProto.BOOL), node("Compress", "x c")),
        "layer: wanted results of a fixed shape, found Compress of computed values; mask the values with "
        "Where, or bind the inputs that it comes from with --const",
    ),
    "sequences of branches": (
        model(*CONDITION, node("If", "c", then_branch=KEPT, else_branch=KEPT)),
        "layer: wanted a tensor, found a sequence or optional; make the condition or trip count constant",
    ),
    "loop of nothing": (
        model(node("Loop", "n", "y", body=STOP), n=np.array(0)),
        "layer: wanted a Loop of at least one iteration, found none, so that a result has no elements; "
        "check the trip count and the condition",
    ),
    "lengths of a scan": (
        model_of([node("Scan", "n x", body=KEEP, num_scan_inputs=1)], {"x": (1, 3)}, {"n": ints(3)}, opset=8),
        "layer: wanted no sequence_lens, found some; export the model with opset 9 or newer",
    ),
    "inputs of a graph": (
        model(node("Loop", "n", "y", body=KEEP), n=np.array(2)),
        "layer[0]: wanted a graph of 2 inputs, found 0; check the model",
    ),
    "missing input": (
        model(node("Add", "x")),
        "layer: wanted an input 1 of Add, found none; export the model again",
    ),
    "no floats": (
        model(node("Cast", "x", "i", to=TensorProto.INT32), node("GridSample", "i x")),
        "layer: wanted a float32 input of GridSample, found i32[3]; cast or dequantize the input before it",
    ),
    "computed shape": (
        model(node("Cast", "x", "i", to=TensorProto.INT64), node("Reshape", "x i")),
        "layer: wanted constant shape of Reshape, found a computed tensor i64[3]; make it an initializer, "
        "or bind the input that it comes from with --const",
    ),
    "axis": (
        one_op("Gather", (3,), ints(0), axis=1),
        "layer: wanted an axis from -1 to 0, found 1; check the layer's axis",
    ),
    "double made on the way": (
        model(node("Cast", "x", to=TensorProto.DOUBLE)),
        "layer: wanted a net without float64, found a cast to float64; export the model in float32",
    ),
    "strings": (
        of_type(TensorProto.STRING),
        "c0: wanted values of a float, integer or bool type, found string; convert the tensor to float32",
    ),
    "axes": (
        of_axes(33),
        "x: wanted at most 32 axes, found 33; declare fewer axes",
    ),
    "axes of a result": (
        model(node("Reshape", "x s"), s=ints(*[1] * 40, 3)),
        "layer: wanted a result of at most 32 axes, found 41; check the layer's shapes",
    ),
    "outputs": (
        one_op("Relu", (3,), outputs=("z", "y")),
        "layer: wanted Relu with 1 outputs, found output y; drop the output from the model",
    ),
    "type of an attribute": (
        one_op("ReduceSum", (2, 3), opset=11, axes=[1.0]),
        "layer: wanted ReduceSum's axes of type ints, found floats; check the file with "
        "onnx.checker.check_model",
    ),
    "missing attribute": (
        one_op("MaxPool", IMAGE),
        "layer: wanted a well-formed MaxPool, found Required attribute 'kernel_shape' is missing; check "
        "the file with onnx.checker.check_model",
    ),
    "training": (
        model_of([helper.make_node("Adam", ["x"], ["y"], domain="ai.onnx.preview.training")], {"x": (3,)}),
        "y: wanted a net without training ops, found Adam; export the model for inference",
    ),
    "name of an op": (
        renamed(b"Relu", b"Rel\xff"),
        "layer: wanted an op whose name is UTF-8, found b'Rel\\xff'; check the file with "
        "onnx.checker.check_model",
    ),
    "no op": (
        model(node("", "x")),
        "layer: wanted an ONNX op that s2c reads, found an empty name; write it with ops that s2c reads",
    ),
    "computed trip count": (
        model(*CONDITION, node("Loop", "n c", "y", body=STOP), n=np.array(2)),
        "layer: wanted control flow of known length: a Loop whose condition is constant, found a computed "
        "condition; export the model with a fixed trip count",
    ),
    "mode of a pad": (
        one_op("Pad", (3,), ints(1, 1), mode="zero"),
        "layer: wanted mode constant, edge, reflect, wrap, found zero; export the model again",
    ),
    "condition": (
        model(SEQUENCE, node("If", "q", then_branch=KEEP, else_branch=KEEP)),
        "layer: wanted a tensor as input 0 of If, found a sequence; check the model",
    ),
    "output of strings": (
        model_of([node("Relu", "x")], {"x": (3,)}, output_type=TensorProto.STRING),
        "y: wanted an output of float32, float16, integers or bool, found string; leave the output out, "
        "or cast it to float32",
    ),
    "unnamed output": (
        model_of([node("Relu", "x")], {"x": (3,)}, outputs=("",)),
        "(no name): wanted inputs that an earlier node makes, found '', which none makes; export the "
        "model again",
    ),
    "unnamed input": (
        model_of([node("Relu", "x")], {"x": (3,), "": (3,)}),
        "(no name): wanted an input with a name, found an empty name; name the model's inputs",
    ),
    "constants of strings": (
        of_constants(
            "ConstantOfShape", ints(3), value=helper.make_tensor("v", TensorProto.STRING, (1,), [b"a"])
        ),
        "layer: wanted constants of numbers, found a <U1 one; leave the strings out",
    ),
    "double weights": (
        one_op("MatMul", (2, 3), np.ones((3, 2))),
        "layer: wanted a constant of another type than float64, found float64; export the model in float32",
    ),
    "shape of two axes": (
        one_op("Reshape", (3,), ints(3).reshape(1, 1)),
        "layer: wanted integer shape, found int64[1, 1]; export the model again",
    ),
    "count of inputs": (
        one_op("Relu", (3,), floats(3)),
        "layer: wanted at most 1 inputs of Relu, found 2; check the file with onnx.checker.check_model",
    ),
    "type of an input": (
        one_op("Gather", (3,), floats(1)),
        "layer: wanted input 1 of Gather as int32, int64, found float; check the file with "
        "onnx.checker.check_model",
    ),
    "types of two inputs": (
        one_op("Add", (3,), ints(3)),
        "layer: wanted inputs of one type (T) of Add, found float and int64; check the file with "
        "onnx.checker.check_model",
    ),
    "unknown attribute": (
        one_op("ReduceSum", (3,), axes=[0]),
        "layer: wanted attributes that ReduceSum has (keepdims, noop_with_empty_axes), found axes; check "
        "the file with onnx.checker.check_model",
    ),
    "two values": (
        model(node("Constant", "", "c", value_int=1, value_float=1.0), node("Add", "x c")),
        "layer: wanted a Constant of numbers, found value_float, value_int; make it a dense tensor of "
        "numbers",
    ),
    "huge window": (
        one_op("MaxPool", IMAGE, kernel_shape=[2, 1 << 40]),
        "layer: wanted kernel, strides, dilations and pads of at most 1048576, found 1099511627776; check "
        "the layer's attributes",
    ),
    "addend": (
        one_op("Gemm", (3, 4), floats(4, 2), floats(3, 2, 1)),
        "layer: wanted an input 2 that broadcasts to [3, 2], found [3, 2, 1]; check the layer's weights",
    ),
    "shape to expand to": (
        one_op("Expand", (2,), ints(3)),
        "layer: wanted a shape that f32[2] broadcasts with, found [3]; check the layer's shape",
    ),
    "no permutation": (
        one_op("Transpose", (2, 3), perm=[0, 0]),
        "layer: wanted a permutation of 2 axes, found [0, 0]; check the layer's perm",
    ),
    "rank": (
        one_op("SpaceToDepth", (2, 3), blocksize=1),
        "layer: wanted an input of 4 axes, found f32[2,3]; check the layer's shapes",
    ),
    "rank of weights": (
        one_op("Conv", IMAGE, floats(2)),
        "layer: wanted weights of 3 to 32 axes, found f32[2]; check the layer's shapes",
    ),
    "rank of a range": (
        one_op("LRN", (3,), size=1),
        "layer: wanted an input of 2 to 32 axes, found f32[3]; check the layer's shapes",
    ),
    "size of 0": (
        one_op("LRN", IMAGE, size=0),
        "layer: wanted a size of at least 1, found 0; check the layer's size",
    ),
    "indices of other axes": (
        one_op("GatherElements", (2, 3), ints(0)),
        "layer: wanted indices, and updates, of one shape that fits f32[2,3], found [1]; check the "
        "layer's shapes",
    ),
    "two numbers": (
        one_op("TopK", (3,), ints(1, 1), outputs=("y", "i")),
        "layer: wanted one number as k, found int64[2]; check the model",
    ),
    "scanned inputs": (
        one_op("Scan", (2, 3), body=KEEP, num_scan_inputs=1 << 40),
        "layer: wanted num_scan_inputs of 1 to 1, found 1099511627776; check the model",
    ),
    "scanned inputs of a batch": (
        model_of([node("Scan", "_ x", body=KEEP, num_scan_inputs=0)], {"x": (1, 3)}, opset=8),
        "layer: wanted num_scan_inputs of 1 to 1, found 0; check the model",
    ),
    "no scales": (
        one_op("Upsample", (2, 3), opset=9),
        "layer: wanted scales, found none; export the model again",
    ),
    "inputs that do not fit": (
        one_op("Col2Im", (1, 4, 3), ints(3, 3), ints(2), opset=18),
        "layer: wanted a well-formed Col2Im, found float[1, 4, 3] and int64[2] and int64[1] as inputs "
        "(ValueError: zip() argument 2 is shorter than argument 1); check the file with "
        "onnx.checker.check_model",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(case: str) -> None:
    data, message = REFUSALS[case]
    with pytest.raises(CompileError) as caught:
        load_onnx(data, {}, {})
    assert str(caught.value) == message


def said(data: bytes, dims: dict[str, int], consts: dict[str, np.ndarray]) -> str:
    with pytest.raises(CompileError) as caught:
        load_onnx(data, dims, consts)
    return str(caught.value)


def test_extents_that_are_none() -> None:
    data = model_of([node("Relu", "x")], {"x": ("n", 3)})
    message = "model: wanted an extent of at least 1 for --dim n, found 0; set a positive extent"
    assert said(data, {"n": 0}, {}) == message


def test_const_of_a_sequence() -> None:
    changed = onnx.ModelProto.FromString(one_op("Relu", (3,)))
    element = helper.make_tensor_type_proto(TensorProto.FLOAT, (3,))
    changed.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(element))
    data = changed.SerializeToString()
    message = "x: wanted an input that is a tensor, found a sequence; make its tensors inputs of their own"
    assert said(data, {}, {"x": floats(3)}) == message


def test_input_without_a_shape() -> None:
    changed = onnx.ModelProto.FromString(one_op("Relu", (3,)))
    changed.graph.input[0].type.tensor_type.ClearField("shape")
    message = "x: wanted an input with a shape, found none; export the model with a declared input shape\n"
    assert said(changed.SerializeToString(), {}, {}) == message.rstrip()
