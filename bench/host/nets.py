"""The nets of the comparison: which file each runtime takes, and those that are built here.

int8 nets for which there is no trained file are quantized by onnxruntime.quantization on random inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SEED = 0
CALIBRATION_INPUTS = 4
F32, BF16, INT8 = "f32", "bf16", "int8"
BUILT = ("mobilenetv2", "resnet18", "resnet50")
SMALL = ("ad01", "sww", "kws", "vww", "resnet8", "mlp", "wavenet", "wavenet_state", "transformer")
NAMES = (*SMALL, *BUILT)

# Trained .tflite files, in mlperf_tiny/ or bench_nets/ of the data folder.
FLOAT_TFLITE: Mapping[str, str] = {
    "ad01": "mlperf_tiny/ad01_fp32.tflite",
    "sww": "bench_nets/sww_fp32.tflite",
    "kws": "bench_nets/kws_fp32.tflite",
    "vww": "mlperf_tiny/vww_96_float.tflite",
    "resnet8": "mlperf_tiny/pretrainedResnet.tflite",
}
INT8_TFLITE: Mapping[str, str] = {
    "ad01": "mlperf_tiny/ad01_int8.tflite",
    "sww": "mlperf_tiny/str_ww_ref_model.tflite",
    "kws": "mlperf_tiny/kws_ref_model.tflite",
    "vww": "mlperf_tiny/vww_96_int8.tflite",
    "resnet8": "mlperf_tiny/pretrainedResnet_quant.tflite",
}
# The same nets with the same weights as QDQ .onnx, from MLPerf Tiny submissions.
INT8_ONNX: Mapping[str, str] = {
    "ad01": "mlperf_tiny_onnx/deep_autoencoder.onnx",
    "kws": "mlperf_tiny_onnx/kws_ref_model.onnx",
    "vww": "mlperf_tiny_onnx/mobilenet_v1.onnx",
    "resnet8": "mlperf_tiny_onnx/resnet.onnx",
}


@dataclass(frozen=True)
class Net:
    """One row of the comparison. own: what s2c compiles; made: quantized here, from random inputs."""

    name: str
    precision: str
    onnx: Path
    tflite: Path | None
    own: Path
    made: bool = False

    @property
    def key(self) -> str:
        return f"{self.name} {self.precision}"


def list_nets(names: Sequence[str], precisions: Sequence[str], data: Path, built: Path) -> list[Net]:
    """Builds what is not there yet. data: the folder of trained nets; built: where the others are kept."""
    return [make_net(name, precision, data, built) for precision in precisions for name in names]


def make_net(name: str, precision: str, data: Path, built: Path) -> Net:
    onnx = built_onnx(name, built) if name in BUILT else data / "bench_nets" / f"{name}.onnx"
    if precision != INT8:
        tflite = FLOAT_TFLITE.get(name) if precision == F32 else None
        return Net(name, precision, onnx, None if tflite is None else data / tflite, onnx)
    trained = INT8_ONNX.get(name)
    quantized = data / trained if trained is not None else quantize(name, onnx, built)
    tflite = INT8_TFLITE.get(name)
    path = None if tflite is None else data / tflite
    return Net(name, INT8, quantized, path, path or quantized, made=trained is None)


def built_onnx(name: str, folder: Path) -> Path:
    path = folder / f"{name}.onnx"
    if not path.is_file():
        from host.torch_nets import export_onnx  # torch takes seconds to import, in each process anew

        folder.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".new")
        export_onnx(name, staged)
        staged.rename(path)
    return path


# int8 of what has no trained int8 file


def quantize(name: str, onnx: Path, folder: Path) -> Path:
    """QDQ form: int8 activations, weights by channel, ranges of a few random inputs."""
    path = folder / f"{name}_int8.onnx"
    if not path.is_file():
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        folder.mkdir(parents=True, exist_ok=True)
        prepared, staged = path.with_suffix(".prepared"), path.with_suffix(".new")
        quant_pre_process(str(onnx), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(staged),
            RandomInputs(prepared),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        staged.rename(path)
        prepared.unlink()
    return path


class RandomInputs:
    """What quantize_static asks for inputs: an interface of onnxruntime's, so a class."""

    def __init__(self, path: Path) -> None:
        self.left = self.draw(path)

    def draw(self, path: Path) -> Iterator[dict[str, np.ndarray]]:
        import onnxruntime as ort

        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        source = np.random.default_rng(SEED)
        for _ in range(CALIBRATION_INPUTS):
            yield {
                each.name: source.normal(size=each.shape).astype(np.float32) for each in session.get_inputs()
            }

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.left, None)
