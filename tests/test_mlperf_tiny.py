"""The MLPerf Tiny nets, whole: built for the host and a Cortex-M4, against LiteRT and onnxruntime on real
data.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from litert import reference
from nets import data

import s2c
from s2c.program import Program
from s2c.verify import verify

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(
        importlib.util.find_spec("ai_edge_litert") is None,
        reason="missing ai_edge_litert: pip install ai-edge-litert",
    ),
]


@dataclass(frozen=True)
class Net:
    """flash and RAM are those of CMSIS-NN called directly (bytes); instructions the most allowed on a
    Cortex-M4.
    """

    path: str
    inputs: Callable[[], np.ndarray]
    flash: float
    ram: float
    instructions: float


def keyword_inputs() -> np.ndarray:
    return np.load(data("kws01_inputs/kws01.npz"))["x"].reshape(-1, 1, 49, 10, 1)


def image_inputs() -> np.ndarray:
    images = np.load(data("cifar10/cifar10_test_0000_0999.npz"))["x"]
    return (images.astype(np.int16) - 128).astype(np.int8)[:, np.newaxis]


def machine_inputs() -> np.ndarray:
    """Five consecutive mel frames each, quantized as the net declares."""
    frames = np.fromfile(data("mlperf_tiny/normal_id_01_00000000_hist_librosa.bin"), np.float32).reshape(
        -1, 128
    )
    rows = np.stack([frames[start : start + 5].reshape(1, 640) for start in range(len(frames) - 4)])
    return np.clip(np.rint(rows / 0.3910152316093445) + 89, -128, 127).astype(np.int8)


def random_inputs(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, (100, *shape)).astype(np.int8)


NETS = {
    "kws": Net("mlperf_tiny/kws_ref_model.tflite", keyword_inputs, 57e3, 17.0e3, 15e6),
    "vww": Net("mlperf_tiny/vww_96_int8.tflite", lambda: random_inputs(1, 96, 96, 3), 273e3, 57.1e3, 25e6),
    "resnet8": Net("mlperf_tiny/pretrainedResnet_quant.tflite", image_inputs, 107e3, 52.2e3, 50e6),
    "ad01": Net("mlperf_tiny/ad01_int8.tflite", machine_inputs, 282e3, 1.2e3, 1.2e6),
    "sww": Net(
        "mlperf_tiny/str_ww_ref_model.tflite", lambda: random_inputs(1, 30, 1, 40), 84e3, 10.9e3, 4.5e6
    ),
}
TARGETS = ("host", "cortex-m4", "cortex-m7", "cortex-m33")
# Right answers of 1,000, of LiteRT's reference kernels and so ours; with XNNPACK, LiteRT's default, it has
# 902 and 878.
LABELS = {"kws": ("kws01_inputs/kws01.npz", 901), "resnet8": ("cifar10/cifar10_test_0000_0999.npz", 880)}


@pytest.fixture(scope="module", params=sorted(NETS))
def case(request: pytest.FixtureRequest) -> tuple[str, np.ndarray, np.ndarray]:
    """A net's name, its inputs, and LiteRT's outputs for them."""
    name = request.param
    path = data(NETS[name].path)
    arrays = NETS[name].inputs()
    return name, arrays, reference({name: (path.read_bytes(), [arrays])})[name][0]


@pytest.fixture(scope="module", params=("host", "cortex-m4"))
def program(case: tuple[str, np.ndarray, np.ndarray], request: pytest.FixtureRequest) -> Iterator[Program]:
    with s2c.compile(data(NETS[case[0]].path), request.param) as compiled:
        yield compiled


def test_equals_litert_to_the_bit(case: tuple[str, np.ndarray, np.ndarray], program: Program) -> None:
    name, arrays, wanted = case
    counts = set()
    for index, array in enumerate(arrays):
        np.testing.assert_array_equal(program(array), wanted[index], f"{name}, input {index}")
        counts.add(program.counters.get("instructions"))
    assert len(counts) == 1, counts
    if name in LABELS:
        path, right = LABELS[name]
        labels = np.load(data(path))["y"]
        assert int((wanted.reshape(len(labels), -1).argmax(axis=1) == labels).sum()) == right


def test_meets_the_budget_of_a_cortex_m4(case: tuple[str, np.ndarray, np.ndarray], program: Program) -> None:
    net = NETS[case[0]]
    manifest = program.manifest
    assert manifest["image_bytes"] <= 1.1 * net.flash or manifest["target"] == "host"
    assert manifest["arena_bytes"] == manifest["arena_lower_bound"]
    if manifest["target"] == "cortex-m4":
        program(case[1][0])
        assert manifest["arena_bytes"] + manifest["stack_bytes"] <= net.ram
        assert program.counters["instructions"] <= net.instructions
    if case[0] == "vww":
        assert manifest["macs"] <= 3.73e6


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", sorted(NETS))
def test_verifies(name: str, target: str, tmp_path: Path) -> None:
    with s2c.compile(data(NETS[name].path), target) as compiled:
        result = verify(compiled.save(tmp_path / "out"), inputs=4)
    assert result.ok, result
    assert result.bit_exact


# floats


FLOAT_TFLITE = (
    "bench_nets/kws_fp32.tflite",
    "bench_nets/sww_fp32.tflite",
    "mlperf_tiny/ad01_fp32.tflite",
    "mlperf_tiny/pretrainedResnet.tflite",
    "mlperf_tiny/vww_96_float.tflite",
)
FLOAT_ONNX = (
    "bench_nets/ad01.onnx",
    "bench_nets/kws.onnx",
    "bench_nets/resnet8.onnx",
    "bench_nets/sww.onnx",
    "bench_nets/vww.onnx",
    "mlperf_tiny_onnx/pretrainedResnet.onnx",
    "mlperf_tiny_onnx/vww_96_float.onnx",
)


def float_inputs(shape: list[int]) -> np.ndarray:
    """Of the size that images, spectra and features have."""
    source = np.random.default_rng(0)
    return (
        source.normal(size=(3, *shape)) * np.array([1.0, 3.0, 30.0]).reshape(-1, *[1] * len(shape))
    ).astype(np.float32)


@pytest.mark.parametrize("target", ["host", "cortex-m4"])
@pytest.mark.parametrize("path", FLOAT_TFLITE)
def test_floats_equal_litert(path: str, target: str) -> None:
    with s2c.compile(data(path), target) as program:
        arrays = float_inputs(program.manifest["inputs"][0]["shape"])
        wanted = reference({path: (data(path).read_bytes(), [arrays])})[path][0]
        for array, each in zip(arrays, wanted, strict=True):
            np.testing.assert_allclose(program(array), each, rtol=0, atol=1e-5 * np.abs(each).max())


@pytest.mark.parametrize("target", ["host", "cortex-m4"])
@pytest.mark.parametrize("path", FLOAT_ONNX)
def test_floats_equal_onnxruntime(path: str, target: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(data(path)))
    with s2c.compile(data(path), target) as program:
        for array in float_inputs(program.manifest["inputs"][0]["shape"]):
            wanted = session.run(None, {session.get_inputs()[0].name: array})[0]
            np.testing.assert_allclose(program(array), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


QDQ = {
    "mlperf_tiny_onnx/deep_autoencoder.onnx": lambda: (
        (machine_inputs().astype(np.float32) - 89) * np.float32(0.39101523)
    ),
    "mlperf_tiny_onnx/kws_ref_model.onnx": lambda: (
        (keyword_inputs().reshape(-1, 1, 490)[:200].astype(np.float32) - 83) * np.float32(0.5847029)
    ),
    "mlperf_tiny_onnx/mobilenet_v1.onnx": lambda: (
        (random_inputs(1, 3, 96, 96)[:20].astype(np.float32) + 128) / 255
    ),
    "mlperf_tiny_onnx/resnet.onnx": lambda: image_inputs()[:200].astype(np.float32) + 128,
}


@pytest.mark.parametrize("path", sorted(QDQ))
def test_quantized_onnx_is_within_a_step(path: str) -> None:
    """The output's step is that of its last quantized value: logits before a float softmax, whose slope is at
    most 1/4.

    onnxruntime computes in float and rounds at each layer, so that its own noise can move a value by a step;
    where two classes are then as likely as each other, the first is not more right than the second.
    """
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(data(path)))
    with s2c.compile(data(path), "host") as program:
        step = last_step(data(path))
        for index, array in enumerate(QDQ[path]()):
            wanted = session.run(None, {session.get_inputs()[0].name: array})[0]
            found = program(array)
            assert np.abs(found - wanted).max() <= 1.001 * step, index
            assert found.reshape(-1)[wanted.argmax()] >= found.max() - 1e-6, index


def last_step(path: Path) -> float:
    """The scale of the last QuantizeLinear in the file."""
    import onnx

    graph = onnx.load(path).graph
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    return float(values[[node for node in graph.node if node.op_type == "QuantizeLinear"][-1].input[1]])
