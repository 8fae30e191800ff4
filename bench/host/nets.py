"""The nets of the comparison: which file each runtime takes, and those that are built here.

ResNet-18, ResNet-50 and MobileNetV2 are written in torch after their papers, with random weights of a fixed
seed. int8 nets for which there is no trained file are quantized by onnxruntime.quantization on random inputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

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
    onnx = build_onnx(name, built) if name in BUILT else data / "bench_nets" / f"{name}.onnx"
    if precision != INT8:
        tflite = FLOAT_TFLITE.get(name) if precision == F32 else None
        return Net(name, precision, onnx, None if tflite is None else data / tflite, onnx)
    trained = INT8_ONNX.get(name)
    quantized = data / trained if trained is not None else quantize(name, onnx, built)
    tflite = INT8_TFLITE.get(name)
    path = None if tflite is None else data / tflite
    return Net(name, INT8, quantized, path, path or quantized, made=trained is None)


# ResNet: He et al., "Deep Residual Learning for Image Recognition" (2015), table 1.

RESNETS: Mapping[str, tuple[tuple[int, ...], bool]] = {
    "resnet18": ((2, 2, 2, 2), False),
    "resnet50": ((3, 4, 6, 3), True),
}
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4  # of a bottleneck's last convolution


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, clamp: nn.Module | None = None
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if clamp is None else [clamp]))


class Residual(nn.Module):
    """A body beside a shortcut, and what becomes of their sum."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.after = body, shortcut, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.after(self.body(x) + self.shortcut(x))
        return result


def residual_block(inputs: int, width: int, stride: int, is_bottleneck: bool) -> tuple[nn.Module, int]:
    """The block, and how many channels it gives. A bottleneck strides in its 3 x 3 convolution."""
    if is_bottleneck:
        outputs = width * EXPANSION
        body = nn.Sequential(
            convolution(inputs, width, 1, clamp=nn.ReLU()),
            convolution(width, width, 3, stride, clamp=nn.ReLU()),
            convolution(width, outputs, 1),
        )
    else:
        outputs = width
        body = nn.Sequential(
            convolution(inputs, width, 3, stride, clamp=nn.ReLU()), convolution(width, width, 3)
        )
    same = inputs == outputs and stride == 1
    shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)
    return Residual(body, shortcut, nn.ReLU()), outputs


def resnet(depths: Sequence[int], is_bottleneck: bool) -> nn.Module:
    layers: list[nn.Module] = [convolution(3, 64, 7, 2, clamp=nn.ReLU()), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True)):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            block, channels = residual_block(channels, width, stride, is_bottleneck)
            layers.append(block)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


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


def mobilenetv2() -> nn.Module:
    layers: list[nn.Module] = [convolution(3, 32, 3, 2, clamp=nn.ReLU6())]
    channels = 32
    for expansion, outputs, repeats, first_stride in MOBILENETV2:
        for index in range(repeats):
            layers.append(inverted_block(channels, outputs, expansion, first_stride if index == 0 else 1))
            channels = outputs
    layers.append(convolution(channels, 1280, 1, clamp=nn.ReLU6()))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def inverted_block(inputs: int, outputs: int, expansion: int, stride: int) -> nn.Module:
    wide = inputs * expansion
    widen = [convolution(inputs, wide, 1, clamp=nn.ReLU6())] if expansion > 1 else []
    body = nn.Sequential(
        *widen, convolution(wide, wide, 3, stride, wide, nn.ReLU6()), convolution(wide, outputs, 1)
    )
    if inputs != outputs or stride != 1:
        return body
    return Residual(body, nn.Identity(), nn.Identity())


def build_module(name: str) -> nn.Module:
    """With torch's own initialisation, and statistics of batch normalisation that are not 0 and 1."""
    torch.manual_seed(SEED)
    module = mobilenetv2() if name == "mobilenetv2" else resnet(*RESNETS[name])
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 1.0, 2.0)
    return module.eval()


def build_onnx(name: str, folder: Path) -> Path:
    """Exported by torch, which folds batch normalisation into the convolutions."""
    path = folder / f"{name}.onnx"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".new")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                build_module(name),
                (torch.zeros(1, 3, 224, 224),),
                str(staged),
                dynamo=False,
                opset_version=17,
                input_names=["image"],
                output_names=["scores"],
            )
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
                each.name: source.normal(size=each.shape).astype(np.float32)
                for each in session.get_inputs()
            }

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.left, None)
