"""torch-pruning on a ResNet: its methods, and a pruned net of at most so many MACs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning as tp
from resnets import IMAGE, ResNet, Widen
from torch import Tensor, nn
from torch.nn import functional

STEPS = 200  # in which a net would lose all its channels; it stops at the budget
SAMPLES = 256  # that gradients and statistics are taken from
SINGLE = 64  # of them, where the method wants gradients of single samples
LEAST_LEFT = 0.1  # of a layer's channels, as in torch-pruning's own benchmark


@dataclass(frozen=True)
class Method:
    """importance: what ranks the channels; ranked: within a layer (local), a kind of layers, or the net."""

    importance: Callable[[], Any]
    ranked: str = "global"


IMPORTANCES: Mapping[str, Callable[[], Any]] = {
    "magnitude": lambda: tp.importance.GroupMagnitudeImportance(p=2),
    "lamp": lambda: tp.importance.LAMPImportance(p=2),
    "bn-scale": lambda: tp.importance.BNScaleImportance(),
    "taylor": lambda: tp.importance.GroupTaylorImportance(),
    "taylor-plain": lambda: tp.importance.GroupTaylorImportance(normalizer=None),
    "hessian": lambda: tp.importance.GroupHessianImportance(),
    "hessian-plain": lambda: tp.importance.GroupHessianImportance(normalizer=None),
}
METHODS: Mapping[str, Method] = {
    f"{name}-{ranked}": Method(make, ranked)
    for name, make in IMPORTANCES.items()
    for ranked in ("local", "isomorphic", "global")
}


def prune(module: ResNet, x: Tensor, y: Tensor, method: Method, budget: tuple[str, float]) -> ResNet:
    """A smaller copy. budget: ("macs", how many at most) or ("width", the share of channels that stays).

    x, y: SAMPLES training images, bytes, and their classes. Residual sums are pruned too: shortcuts without
    weights become convolutions, as torch-pruning can't follow channels through a pad.
    """
    module = with_norms(with_convs(copy.deepcopy(module)), x)
    importance = method.importance()
    kind, value = budget
    pruner = tp.pruner.BasePruner(
        module,
        torch.zeros(IMAGE),
        importance=importance,
        global_pruning=method.ranked != "local",
        isomorphic=method.ranked == "isomorphic",
        pruning_ratio=1 - value if kind == "width" else 1.0,
        max_pruning_ratio=1 - LEAST_LEFT,
        iterative_steps=1 if kind == "width" else STEPS,
        ignored_layers=[module.linear],
    )
    places = find_places(module)
    while (kind == "macs" and macs_of(places) > value) or pruner.current_step == 0:
        assert pruner.current_step < pruner.iterative_steps, "a budget that can't be reached"
        add_gradients(module, importance, x, y)
        for group in pruner.step(interactive=True):
            group.prune()
            if kind == "macs" and macs_of(places) <= value:
                break
    measure_norms(module, x)
    return module.eval()


def add_gradients(module: nn.Module, importance: Any, x: Tensor, y: Tensor) -> None:
    """What the importances that look at data want of parameters' .grad."""
    module.eval()
    module.zero_grad()
    if isinstance(importance, tp.importance.GroupHessianImportance):
        importance.zero_grad()
        for one, truth in zip(x[:SINGLE].split(1), y[:SINGLE].split(1), strict=True):
            module.zero_grad()
            functional.cross_entropy(module(one.float()), truth).backward()
            importance.accumulate_grad(module)
    elif isinstance(importance, tp.importance.GroupTaylorImportance):
        functional.cross_entropy(module(x.float()), y).backward()


# the net in the form that suits the tool


def with_convs(module: ResNet) -> ResNet:
    for block in module.blocks:
        if isinstance(block.shortcut, Widen):
            block.shortcut = block.shortcut.as_conv()
    return module


@torch.no_grad()
def with_norms(module: ResNet, x: Tensor) -> ResNet:
    """Batch normalisation after convolutions that have none; the net's results stay what they were."""
    for owner in (module, *module.blocks):
        for conv_name, norm_name in (("conv1", "bn1"), ("conv2", "bn2")):
            if isinstance(getattr(owner, norm_name, None), nn.Identity):
                conv = getattr(owner, conv_name)
                setattr(owner, norm_name, norm_of(outputs_of(module, conv, x)))
    return module


def outputs_of(module: nn.Module, layer: nn.Module, x: Tensor) -> Tensor:
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output))
    module(x.float())
    hook.remove()
    return seen[0]


def norm_of(values: Tensor) -> nn.BatchNorm2d:
    """That changes nothing of values [samples, channels, height, width]."""
    norm = nn.BatchNorm2d(values.shape[1])
    norm.running_mean = values.mean((0, 2, 3))
    norm.running_var = values.var((0, 2, 3))
    norm.weight.data = torch.sqrt(norm.running_var + norm.eps)
    norm.bias.data = norm.running_mean.clone()
    return norm.eval()


@torch.no_grad()
def measure_norms(module: nn.Module, x: Tensor) -> None:
    """Sets means and variances to those of the pruned net."""
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    module.train()
    module(x.float())


def count_macs(module: nn.Module) -> int:
    """Multiplications of convolutions and dense layers for one image, those with padding too."""
    return macs_of(find_places(module))


def macs_of(places: Mapping[nn.Module, int]) -> int:
    return sum(count * layer.weight.numel() for layer, count in places.items())


@torch.no_grad()
def find_places(module: nn.Module) -> dict[nn.Module, int]:
    """How often a layer's weights are used for one image: pruning leaves that as it is."""
    places: dict[nn.Module, int] = {}

    def count(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        places[layer] = output.numel() // output.shape[1]

    layers = [each for each in module.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    hooks = [each.register_forward_hook(count) for each in layers]
    module(torch.zeros(IMAGE))
    for hook in hooks:
        hook.remove()
    return places
