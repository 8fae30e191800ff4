"""ResNet-18, ResNet-50 and MobileNetV2 at 224 x 224, with random weights of a fixed seed, to .onnx files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

SEED = 0

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


def export_onnx(name: str, path: Path) -> None:
    """By torch, which folds batch normalisation into the convolutions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            build_module(name),
            (torch.zeros(1, 3, 224, 224),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=["scores"],
        )
