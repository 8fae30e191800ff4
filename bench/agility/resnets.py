"""resnet8 and ResNet-20 of S2C_DATA as torch modules; they take images [samples, 32, 32, 3], 0..255."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from recognisers import DATA
from torch import Tensor, nn
from torch.nn import functional

from s2c.readers import load_model

RESNET8 = DATA / "mlperf_tiny" / "pretrainedResnet.tflite"
RESNET20 = DATA / "pytorch_resnet_cifar10" / "resnet20-12fca82f.th"
IMAGE = (1, 32, 32, 3)
CLASSES = 10
WIDTHS = (16, 32, 64)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """Bytes [samples, height, width, 3] -> colours of about mean 0 and deviation 1, channels first."""

    scale: Tensor
    offset: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("scale", 1 / (255 * torch.tensor(deviation)))
        self.register_buffer("offset", -torch.tensor(mean) / torch.tensor(deviation))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.scale + self.offset).permute(0, 3, 1, 2)


class ChannelsFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


class Widen(nn.Module):
    """The shortcut without weights: every other pixel, zeros for new channels (He et al. 2015, option A)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.more = inputs, (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))

    def as_conv(self) -> nn.Conv2d:
        """The same by weights, for tools that can't follow channels through a pad."""
        conv = nn.Conv2d(self.inputs, self.inputs + 2 * self.more, 1, 2, bias=False)
        nn.init.zeros_(conv.weight)
        for channel in range(self.inputs):
            conv.weight.data[channel + self.more, channel] = 1
        return conv


class Block(nn.Module):
    """pads: of a 3x3 convolution with stride 2, left, right, top and bottom."""

    def __init__(self, inputs: int, outputs: int, stride: int, pads: Sequence[int]) -> None:
        super().__init__()
        self.pads = tuple(pads) if stride == 2 else (1, 1, 1, 1)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, bias=True)
        self.bn1: nn.Module = nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=True)
        self.bn2: nn.Module = nn.Identity()
        self.shortcut: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(functional.pad(x, self.pads))))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Logits of CIFAR-10's classes."""

    def __init__(self, blocks: int, pads: Sequence[int], before: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=True)
        self.bn1: nn.Module = nn.Identity()
        self.blocks = nn.Sequential(*make_blocks(blocks, pads))
        self.linear = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(self.before(x))))
        return self.linear(self.blocks(x).mean((2, 3)))


def make_blocks(count: int, pads: Sequence[int]) -> Iterator[Block]:
    inputs = WIDTHS[0]
    for outputs in WIDTHS:
        for index in range(count):
            yield Block(inputs, outputs, 2 if index == 0 and outputs != inputs else 1, pads)
            inputs = outputs


# the two nets


def resnet8() -> ResNet:
    """The weights of the .tflite file, which have batch normalisation folded in, and its padding."""
    module = ResNet(1, (0, 1, 0, 1), ChannelsFirst())
    for inputs, outputs, block in zip(WIDTHS, WIDTHS[1:], module.blocks[1:], strict=False):
        block.shortcut = nn.Conv2d(inputs, outputs, 1, 2)
    graph = load_model(RESNET8, {}, {})
    stored = [node for node in graph.nodes() if "weight" in node.attrs]
    layers = [each for each in module.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    assert len(stored) == len(layers), (len(stored), len(layers))
    for node in stored:
        layer = next(each for each in layers if each.weight.shape == torch_weight(node.attrs["weight"]).shape)
        layers.remove(layer)
        layer.weight.data = torch_weight(node.attrs["weight"])
        layer.bias.data = torch.from_numpy(np.array(node.attrs["bias"]))
    return module.eval()


def torch_weight(weight: np.ndarray) -> Tensor:
    """[outputs, ..., inputs] -> [outputs, inputs, ...]."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(weight, -1, 1)))


def resnet20() -> ResNet:
    module = ResNet(3, (1, 1, 1, 1), Normalise(MEAN, DEVIATION))
    stored = torch.load(RESNET20, map_location="cpu", weights_only=True)["state_dict"]
    stored = {name.removeprefix("module."): value for name, value in stored.items()}
    load_normed(module.conv1, stored, "conv1")
    module.bn1 = load_norm(stored, "bn1")
    for index, block in enumerate(module.blocks):
        prefix = f"layer{index // 3 + 1}.{index % 3}"
        for part in ("1", "2"):
            load_normed(getattr(block, f"conv{part}"), stored, f"{prefix}.conv{part}")
            setattr(block, f"bn{part}", load_norm(stored, f"{prefix}.bn{part}"))
        inputs, outputs = block.conv1.in_channels, block.conv1.out_channels
        if inputs != outputs:
            block.shortcut = Widen(inputs, outputs)
    module.linear.load_state_dict({name: stored[f"linear.{name}"] for name in ("weight", "bias")})
    return module.eval()


def load_normed(conv: nn.Conv2d, stored: Mapping[str, Tensor], name: str) -> None:
    """A convolution that batch normalisation follows has no bias of its own."""
    conv.weight.data, conv.bias = stored[f"{name}.weight"].clone(), None


def load_norm(stored: Mapping[str, Tensor], name: str) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(len(stored[f"{name}.weight"]))
    norm.load_state_dict(
        {key: stored[f"{name}.{key}"] for key in norm.state_dict() if f"{name}.{key}" in stored}, strict=False
    )
    return norm


NETS: Mapping[str, Callable[[], ResNet]] = {"resnet8": resnet8, "resnet20": resnet20}


def training_files() -> tuple[Path, ...]:
    names = ("cifar10_train_00000_09999.npz", "cifar10_train_10000_19999.npz")
    return tuple(DATA / "cifar10" / name for name in names)


def test_file() -> Path:
    return DATA / "cifar10" / "cifar10_test_0000_0999.npz"
