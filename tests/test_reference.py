"""The oracle against LiteRT's reference kernels: int8 to the bit, float32 within 1e-5 of the largest."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from litert import reference
from nets import data
from tflite_cases import cases

from s2c import oracle
from s2c.errors import CompileError
from s2c.ir import Graph, Node
from s2c.ops import OPS
from s2c.readers import load_model
from s2c.readers.tflite import load_tflite

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(
        importlib.util.find_spec("ai_edge_litert") is None,
        reason="missing ai_edge_litert: pip install ai-edge-litert",
    ),
]

CALLS = 6
TOLERANCE = 1e-5

NETS = (
    "bench_nets/kws_fp32",
    "bench_nets/sww_fp32",
    "mcunet/mcunet_vww",
    "mlperf_tiny/ad01_fp32",
    "mlperf_tiny/ad01_int8",
    "mlperf_tiny/kws_ref_model",
    "mlperf_tiny/pretrainedResnet",
    "mlperf_tiny/pretrainedResnet_large_float",
    "mlperf_tiny/pretrainedResnet_large_int8",
    "mlperf_tiny/pretrainedResnet_quant",
    "mlperf_tiny/str_ww_ref_model",
    "mlperf_tiny/vww_96_float",
    "mlperf_tiny/vww_96_int8",
    "stm32_zoo/miniresnet_1stacks_64x50_tl_int8",
    "stm32_zoo/yamnet_256_64x96_tl_int8",
    "tflite_micro/hello_world_float",
    "tflite_micro/hello_world_int8",
    "tflite_micro/micro_speech_quantized",
    "tflite_micro/person_detect",
    "tinymaix/cifar10_f",
    "tinymaix/cifar10_q",
    "tinymaix/mnist_dw_f",
    "tinymaix/mnist_dw_q",
    "tinymaix/mnist_valid_f",
    "tinymaix/mnist_valid_q",
)


def inputs_of(graph: Graph) -> list[np.ndarray]:
    """CALLS inputs of each kind: both extremes, the zero point, extremes mixed, then random ones."""
    random = np.random.default_rng(0)
    arrays = []
    for node in graph.inputs:
        kind = node.type
        if kind.dtype == "i8":
            array = random.integers(-128, 128, (CALLS, *kind.shape)).astype(np.int8)
            array[0], array[1], array[2] = -128, 127, kind.quant.zero if kind.quant else 0
            array[3] = random.choice([-128, 127], kind.shape)
        else:
            array = random.normal(size=(CALLS, *kind.shape)).astype(np.float32)
            array[0], array[1] = 0, 1
            array[2] *= 10
            # Halves are ties of QUANTIZE at the scales of the cases.
            array[3] = random.integers(-8, 8, kind.shape) / 4
        arrays.append(array)
    return arrays


def lowered_value(node: Node, values: dict[Node, np.ndarray]) -> np.ndarray | None:
    """What node's lowering gives for the values of its inputs; None where it has none."""
    lower = OPS[node.op].lower
    if lower is None:
        return None
    leaves = {each: replace(each, op="input", inputs=(), attrs={}) for each in dict.fromkeys(node.inputs)}
    try:
        lowered = lower(replace(node, inputs=tuple(leaves[each] for each in node.inputs)))
    except CompileError:
        assert node.op in ("softmax", "average_pool"), node.op
        return None
    return oracle.run(Graph(tuple(leaves.values()), (lowered,)), *(values[each] for each in leaves))[0]


def assert_close(found: np.ndarray, wanted: np.ndarray, scale: float, what: str) -> None:
    assert found.dtype == wanted.dtype, what
    if wanted.dtype == np.int8:
        np.testing.assert_array_equal(found, wanted, what)
        return
    # LiteRT clamps infinities to the largest float where an op has a fused activation, even none.
    finite = np.isfinite(wanted) & np.isfinite(found) & (np.abs(wanted) < np.finfo(np.float32).max)
    np.testing.assert_allclose(found[finite], wanted[finite], rtol=0, atol=TOLERANCE * scale, err_msg=what)


def largest(array: np.ndarray) -> float:
    finite = np.isfinite(array) & (np.abs(array) < np.finfo(np.float32).max)
    return float(np.abs(array[finite]).max(initial=0)) if array.dtype == np.float32 else 0.0


def check(graph: Graph, arrays: list[np.ndarray], wanted: list[np.ndarray], name: str) -> None:
    for call in range(CALLS):
        values = oracle.trace(graph, *(array[call] for array in arrays))
        for node, array in zip(graph.outputs, wanted, strict=True):
            assert_close(values[node], array[call], largest(array), f"{name}, call {call}")
        for node in graph.nodes() if call in (3, 4) else ():
            lowered = lowered_value(node, values)
            if lowered is not None:
                what = f"{name}, lowering of {node.layer} ({node.op}), call {call}"
                assert_close(lowered, values[node], largest(values[node]), what)


@pytest.mark.parametrize("name", NETS)
def test_net_equals_litert(name: str) -> None:
    path = data(f"{name}.tflite")
    graph = load_model(path, {}, {})
    arrays = inputs_of(graph)
    check(graph, arrays, reference({name: (path.read_bytes(), arrays)})[name], name)


def test_each_op_equals_litert() -> None:
    models = cases()
    graphs = {name: load_tflite(model, {}, {}) for name, model in models.items()}
    arrays = {name: inputs_of(graph) for name, graph in graphs.items()}
    wanted = reference({name: (models[name], arrays[name]) for name in models})
    for name, graph in graphs.items():
        check(graph, arrays[name], wanted[name], name)
