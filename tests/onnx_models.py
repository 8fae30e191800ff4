"""Small ONNX models for tests, and onnxruntime's answer to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None]

onnxruntime.set_default_logger_severity(4)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    consts: Mapping[str, np.ndarray] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    input_type: int = TensorProto.FLOAT,
    output_type: int = TensorProto.FLOAT,
) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, input_type, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, output_type, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (consts or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model.SerializeToString()


def one_op(
    op_type: str,
    shape: Sequence[int],
    *consts: np.ndarray | None,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    **attrs: Any,
) -> bytes:
    """A model of one node: its first input is x, the rest are constants (None: left out)."""
    names = ["x", *("" if value is None else f"c{index}" for index, value in enumerate(consts))]
    node = helper.make_node(op_type, names, list(outputs), name="layer", **attrs)
    values = {f"c{index}": value for index, value in enumerate(consts) if value is not None}
    return model_of([node], {"x": shape}, values, outputs, opset)


def reference(data: bytes, *arrays: np.ndarray) -> list[np.ndarray]:
    """onnxruntime's outputs, node by node, without its optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return list(session.run(None, dict(zip(names, arrays, strict=True))))
