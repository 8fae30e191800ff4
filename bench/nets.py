"""Builds the larger nets of the comparisons as ONNX models, with random weights."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Sandler et al., "MobileNetV2" (2018), table 2: expansion, channels, repeats, stride.
MOBILENETV2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Builder:
    """Collects nodes and weights: a class, because every layer adds to both."""

    def __init__(self, seed: int) -> None:
        self.source = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, *shape: int) -> str:
        """Kaiming's normal initialisation over the fan-in."""
        fan_in = int(np.prod(shape[1:])) or 1
        values = self.source.normal(size=shape) * np.sqrt(2.0 / fan_in)
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def convolution(
        self, x: str, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
    ) -> str:
        index = len(self.nodes)
        weight = self.weight(f"weight_{index}", outputs, inputs // groups, kernel, kernel)
        bias = self.weight(f"bias_{index}", outputs)
        pad = kernel // 2
        return self.add(
            "Conv",
            [x, weight, bias],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=groups,
        )

    def relu6(self, x: str) -> str:
        return self.add("Clip", [x, "zero", "six"])


def mobilenetv2(seed: int = 0) -> onnx.ModelProto:
    """MobileNetV2 at 224 x 224 and width 1, batchnorm folded: 301 million MACs."""
    net = Builder(seed)
    for name, value in (("zero", 0.0), ("six", 6.0)):
        net.weights.append(numpy_helper.from_array(np.float32(value), name))
    x = net.relu6(net.convolution("image", 3, 32, 3, 2))
    channels = 32
    for expansion, outputs, repeats, first_stride in MOBILENETV2:
        for index in range(repeats):
            stride = first_stride if index == 0 else 1
            x = bottleneck(net, x, channels, outputs, expansion, stride)
            channels = outputs
    x = net.relu6(net.convolution(x, channels, 1280, 1, 1))
    x = net.add("Flatten", [net.add("GlobalAveragePool", [x])])
    x = net.add("Gemm", [x, net.weight("classes", 1000, 1280), net.weight("class_bias", 1000)], transB=1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])
    scores = helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 1000])
    graph = helper.make_graph(net.nodes, "mobilenetv2", [image], [scores], net.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def bottleneck(net: Builder, x: str, inputs: int, outputs: int, expansion: int, stride: int) -> str:
    wide = inputs * expansion
    y = net.relu6(net.convolution(x, inputs, wide, 1, 1)) if expansion > 1 else x
    y = net.relu6(net.convolution(y, wide, wide, 3, stride, groups=wide))
    y = net.convolution(y, wide, outputs, 1, 1)
    return net.add("Add", [x, y]) if stride == 1 and inputs == outputs else y
