"""Nets whose weights are public without their architecture: each architecture as a torch module."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from nets import data
from torch import Tensor, nn
from torch.nn import functional

# pytorch_resnet_cifar10: ResNet-20 and ResNet-32 (He et al. 2015, section 4.2, shortcuts of option A)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.more = stride, (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(x, (0, 0, 0, 0, self.more, self.more))
        return functional.relu(y + x)


class ResNet(nn.Module):
    """depth: 6 * blocks + 2."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(blocks, 16, 16, 1)
        self.layer2 = stage(blocks, 16, 32, 2)
        self.layer3 = stage(blocks, 32, 64, 2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def stage(blocks: int, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    first = Block(inputs, outputs, stride)
    return nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(blocks - 1)))


def resnet(path: str, blocks: int) -> nn.Module:
    stored = torch.load(data(path), map_location="cpu", weights_only=True)["state_dict"]
    return loaded(ResNet(blocks), {name.removeprefix("module."): value for name, value in stored.items()})


# ultraface: the slim detector for 320x240, an SSD on four scales


def normed(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def pair(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Depthwise, then pointwise."""
    return nn.Sequential(*normed(inputs, inputs, 3, stride, inputs), *normed(inputs, outputs, 1, 1))


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs)
    return nn.Sequential(depthwise, nn.ReLU(), nn.Conv2d(inputs, outputs, 1))


class UltraFace(nn.Module):
    """Scores [1, 4420, 2] after softmax, and boxes [1, 4420, 4] in the anchors' units."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256)
        strides = (1, 2, 1, 2, 1, 1, 1, 2, 1, 1, 2, 1)
        steps = zip(widths[:-1], widths[1:], strides, strict=True)
        first = nn.Sequential(*normed(3, 16, 3, 2))
        self.base_net = nn.Sequential(first, *(pair(*step) for step in steps))
        extra = nn.Sequential(nn.Conv2d(256, 64, 1), nn.ReLU(), separable(64, 256, 2), nn.ReLU())
        self.extras = nn.ModuleList([extra])
        self.classification_headers = headers(2)
        self.regression_headers = headers(4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = []
        for index, layer in enumerate(self.base_net):
            x = layer(x)
            if index in (7, 10, 12):
                maps.append(x)
        maps.append(self.extras[0](x))
        scores = listed(self.classification_headers, maps, 2)
        return scores.softmax(2), listed(self.regression_headers, maps, 4)


def headers(values: int) -> nn.ModuleList:
    anchors = zip((64, 128, 256), (3, 2, 2), strict=True)
    first = (separable(inputs, count * values) for inputs, count in anchors)
    return nn.ModuleList([*first, nn.Conv2d(256, 3 * values, 3, padding=1)])


def listed(heads: nn.ModuleList, maps: list[Tensor], values: int) -> Tensor:
    pairs = zip(heads, maps, strict=True)
    return torch.cat([head(x).permute(0, 2, 3, 1).reshape(1, -1, values) for head, x in pairs], 1)


def ultraface() -> nn.Module:
    stored = torch.load(data("ultraface/version-slim-320.pth"), map_location="cpu", weights_only=True)
    return loaded(UltraFace(), stored)


# rl_agents: the actor of Stable-Baselines3's MlpPolicy


def actor(path: str) -> nn.Module:
    with zipfile.ZipFile(data(path)) as file:
        stored = torch.load(io.BytesIO(file.read("policy.pth")), map_location="cpu", weights_only=True)
    outputs, hidden = stored["action_net.weight"].shape
    inputs = stored["mlp_extractor.policy_net.0.weight"].shape[1]
    parts = {"policy_net": [nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh()]}
    module = nn.Sequential(*parts["policy_net"], nn.Linear(hidden, outputs))
    names = {"mlp_extractor.policy_net.": "", "action_net.": "4."}
    return loaded(module, renamed(stored, names))


def renamed(stored: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Those whose name begins with one of names, which another beginning replaces."""
    return {
        new + key.removeprefix(old): value
        for key, value in stored.items()
        for old, new in names.items()
        if key.startswith(old)
    }


# alphazero_gomoku: policy and value of a board of 6x6 (Theano's convolutions turn their kernels)


class Gomoku(nn.Module):
    """log-probabilities [1, 36] and a value [1, 1] from four planes."""

    def __init__(self) -> None:
        super().__init__()
        widths = (4, 32, 64, 128)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.policy, self.policy_out = nn.Conv2d(128, 4, 1), nn.Linear(144, 36)
        self.value, self.value_hidden, self.value_out = (
            nn.Conv2d(128, 2, 1),
            nn.Linear(72, 64),
            nn.Linear(64, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for each in self.convs:
            x = functional.relu(each(x))
        policy = functional.relu(self.policy(x)).flatten(1)
        value = functional.relu(self.value(x)).flatten(1)
        hidden = functional.relu(self.value_hidden(value))
        return self.policy_out(policy).log_softmax(1), torch.tanh(self.value_out(hidden))


class ArraysOnly(pickle.Unpickler):
    """Of all that a pickle can name, numpy's arrays alone."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy", "dtype"): np.dtype,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} in a file of arrays")
        return known[module, name]


def gomoku() -> nn.Module:
    raw = data("alphazero_gomoku/best_policy_6_6_4.model").read_bytes()
    arrays = ArraysOnly(io.BytesIO(raw), encoding="latin1").load()
    module = Gomoku()
    layers = [
        *module.convs,
        module.policy,
        module.policy_out,
        module.value,
        module.value_hidden,
        module.value_out,
    ]
    for layer, weight, bias in zip(layers, arrays[::2], arrays[1::2], strict=True):
        turned = weight[:, :, ::-1, ::-1] if weight.ndim == 4 else weight.T
        layer.weight.data = torch.tensor(turned.copy())
        layer.bias.data = torch.tensor(bias)
    return module.eval()


def loaded(module: nn.Module, stored: Mapping[str, Tensor]) -> nn.Module:
    module.load_state_dict(dict(stored))
    return module.eval()


# file -> how its module is made, and the shape of its input
PUBLIC: Mapping[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "alphazero_gomoku/best_policy_6_6_4.model": (gomoku, (1, 4, 6, 6)),
    "pytorch_resnet_cifar10/resnet20-12fca82f.th": (
        lambda: resnet("pytorch_resnet_cifar10/resnet20-12fca82f.th", 3),
        (1, 3, 32, 32),
    ),
    "pytorch_resnet_cifar10/resnet32-d509ac18.th": (
        lambda: resnet("pytorch_resnet_cifar10/resnet32-d509ac18.th", 5),
        (1, 3, 32, 32),
    ),
    "rl_agents/ppo_CartPole-v1_1_CartPole-v1.zip": (
        lambda: actor("rl_agents/ppo_CartPole-v1_1_CartPole-v1.zip"),
        (1, 4),
    ),
    "rl_agents/ppo_Pendulum-v1_1_Pendulum-v1.zip": (
        lambda: actor("rl_agents/ppo_Pendulum-v1_1_Pendulum-v1.zip"),
        (1, 3),
    ),
    "ultraface/version-slim-320.pth": (ultraface, (1, 3, 240, 320)),
}
