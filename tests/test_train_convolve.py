"""Convolutions in C while training: against torch's in float64, with values whose sums are exact."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from channel_nets import Builder  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from s2c.ir import Graph, Type, input_node  # noqa: E402
from s2c.train import convolve as convolution  # noqa: E402
from s2c.train.convolve import Window, convolve, is_narrow, load_code  # noqa: E402
from s2c.train.lessons import mixed  # noqa: E402
from s2c.train.module import GraphModule  # noqa: E402

SAME = ((1, 1), (1, 1))
NONE = ((0, 0), (0, 0))


def wanted(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    (top, bottom), (left, right) = window.pads
    image = functional.pad(x.double().permute(0, 3, 1, 2), (left, right, top, bottom))
    kernel, offset = weight.double().permute(0, 3, 1, 2), None if bias is None else bias.double()
    y = functional.conv2d(image, kernel, offset, window.stride, 0, window.dilation)
    return y.permute(0, 2, 3, 1)


def signs(source: np.random.Generator, *shape: int, share: float = 1.0) -> Tensor:
    """-1, 0 and 1, and zeros beside the share: their sums are exact."""
    values = source.integers(-1, 2, shape) * (source.random(shape) < share)
    return torch.from_numpy(values.astype(np.float32))


def check(
    x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, source: np.random.Generator
) -> None:
    """Results and all slopes, to the bit; each slope alone, too, of slopes that are not contiguous."""
    leaves = [each.requires_grad_() for each in (x, weight, bias) if each is not None]
    found, expected = convolve(x, weight, bias, window), wanted(x, weight, bias, window)
    assert found.dtype == torch.bfloat16 and torch.equal(found.double(), expected.bfloat16().double())
    slope = signs(source, *expected.shape, share=0.3)
    slopes = torch.autograd.grad(found, leaves, slope.bfloat16())
    references = torch.autograd.grad(expected, leaves, slope.double())
    of_x, *others = zip(slopes, references, strict=True)
    assert torch.equal(of_x[0].double(), of_x[1].bfloat16().double())
    for one, other in others:
        assert one.dtype == torch.float32 and torch.equal(one.double(), other.double())
    for index, whole in enumerate(slopes):
        alone = [leaf.detach().requires_grad_(leaf is leaves[index]) for leaf in leaves]
        y = convolve(*alone, *([None] if bias is None else []), window)
        turned = slope.bfloat16().permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
        assert torch.equal(torch.autograd.grad(y, alone[index], turned)[0], whole)


def check_all(extents: tuple[int, int, int], window: Window, kernel: tuple[int, int], outputs: int) -> None:
    height, width, channels = extents
    source = np.random.default_rng([*extents, outputs])
    x = signs(source, 3, height, width, channels)
    weight = signs(source, outputs, *kernel, channels, share=0.2)
    check(x, weight, None, window, source)
    check(x.detach(), weight.detach(), signs(source, outputs), window, source)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 8, 12, 17, 40])
def test_every_count_of_channels(channels: int) -> None:
    for outputs in (1, 3, 4, 5, 8, 11, 12, 16, 20, 24, 28, 33):
        check_all((5, 9, channels), Window((1, 1), (1, 1), SAME), (3, 3), outputs)


@pytest.mark.parametrize("width", [*range(1, 19), 32])
def test_every_width_of_images(width: int) -> None:
    """Of one row, of few and of more rows than columns."""
    for height, stride in itertools.product((1, 4, 20), (1, 2)):
        check_all((height, width, 5), Window((stride, stride), (1, 1), SAME), (3, 3), 6)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (1, 3), (4, 4)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3), (3, 1)])
def test_every_window(stride: tuple[int, int], dilation: tuple[int, int]) -> None:
    for pads in (NONE, SAME, ((0, 1), (0, 1)), ((3, 0), (2, 5)), ((7, 7), (7, 7))):
        for kernel in ((1, 1), (2, 4), (3, 5), (1, 7)):
            check_all((8, 20, 4), Window(stride, dilation, pads), kernel, 9)


def test_random_shapes() -> None:
    source = np.random.default_rng(5)
    for _ in range(60):
        kernel = tuple(source.integers(1, 6, 2).tolist())
        window = Window(*(tuple(source.integers(1, 4, 2).tolist()) for _ in range(2)), SAME)
        extents = *(source.integers(1, 12, 2) + np.multiply(kernel, 3)).tolist(), int(source.integers(1, 20))
        check_all(extents, window, kernel, int(source.integers(1, 30)))


def test_on_processors_without_products_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    portable = load_code("-DPORTABLE")
    monkeypatch.setattr(convolution, "load_code", lambda: portable)
    for channels, outputs, stride in itertools.product((3, 8, 12), (4, 13), (1, 2)):
        check_all((7, 10, channels), Window((stride, stride), (1, 1), SAME), (3, 3), outputs)


def test_rounds_once() -> None:
    """Weights to bfloat16, results and slopes of the input from float32; slopes of weights are float32."""
    source = np.random.default_rng(1)
    x, weight, slope = (
        torch.from_numpy(source.normal(size=each)) for each in ((2, 9, 9, 8), (12, 3, 3, 8), (2, 9, 9, 12))
    )
    window = Window((1, 1), (1, 1), SAME)
    given = x.bfloat16().requires_grad_(), weight.float().requires_grad_()
    found = convolve(*given, None, window)
    of_x, of_weight = torch.autograd.grad(found, given, slope.bfloat16())

    def results(sign: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """In float64, of values or of their amounts."""
        exact = [sign(each.bfloat16().double()).requires_grad_() for each in (x, weight)]
        y = wanted(*exact, None, window)
        return y, *torch.autograd.grad(y, exact, sign(slope.bfloat16().double()))

    for each, exact, terms in zip((found, of_x), results(Tensor.clone), results(torch.abs), strict=False):
        away = (each.double() - exact).abs()
        assert bool((away <= 2.0**-8 * exact.abs() + 2.0**-20 * terms).all())
    away = (of_weight.double() - results(Tensor.clone)[2]).abs()
    assert bool((away <= 2.0**-18 * results(torch.abs)[2]).all())


def test_what_is_no_number_shows() -> None:
    x = torch.ones(1, 6, 20, 4)
    x[0, 2, 9, 1] = float("nan")
    y = convolve(x, torch.ones(9, 3, 3, 4), None, Window((1, 1), (1, 1), SAME))
    is_nan = torch.zeros(6, 20, dtype=torch.bool)
    is_nan[1:4, 8:11] = True
    assert torch.equal(y.isnan().all(-1)[0], is_nan) and torch.equal(y.isnan().any(-1)[0], is_nan)


def test_strange_strides_and_more_axes() -> None:
    source = np.random.default_rng(2)
    x, weight = signs(source, 8, 6, 2, 3, 5).permute(4, 3, 2, 1, 0), signs(source, 4, 3, 3, 8)
    assert x.shape == (5, 3, 2, 6, 8) and not x.is_contiguous()
    window = Window((1, 1), (1, 1), SAME)
    expected = wanted(x.flatten(0, 1), weight, None, window)
    assert torch.equal(convolve(x, weight, None, window).flatten(0, 1).double(), expected)


def test_only_few_channels_and_several_taps() -> None:
    assert is_narrow((8, 3, 3, 8), (1, 1)) and is_narrow((32, 1, 5, 3), (2, 1))
    assert is_narrow((8, 1, 1, 8), (2, 1)) and not is_narrow((8, 1, 1, 8), (1, 1))
    assert not is_narrow((8, 3, 3, 2), (1, 1))
    assert not is_narrow((40, 3, 3, 8), (1, 1)) and not is_narrow((8, 3, 3, 40), (2, 2))


def test_of_no_images() -> None:
    x = torch.zeros(0, 6, 6, 4, requires_grad=True)
    weight = torch.ones(5, 3, 3, 4, requires_grad=True)
    y = convolve(x, weight, None, Window((1, 1), (1, 1), SAME))
    assert y.shape == (0, 6, 6, 5)
    of_x, of_weight = torch.autograd.grad(y.sum(), (x, weight))
    assert of_x.shape == x.shape and torch.equal(of_weight, torch.zeros(5, 3, 3, 4))


def test_other_types_of_weights() -> None:
    source = np.random.default_rng(4)
    x, weight, bias = signs(source, 2, 6, 6, 4), signs(source, 5, 3, 3, 4), signs(source, 5)
    window = Window((1, 1), (1, 1), SAME)
    expected = convolve(x, weight, bias, window)
    for dtype in (torch.float64, torch.bfloat16):
        assert torch.equal(convolve(x, weight.to(dtype), bias.to(dtype), window), expected)


def heard_by_net(
    groups: int, pads: tuple[tuple[int, int], ...], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """What the net of one convolution calls of ours, forward and backward, in float32 and bfloat16."""
    source = np.random.default_rng(3)
    x = input_node("x", Type((1, 6, 6, 4 * groups), "f32"))
    node = Builder(source).conv(x, 8, 3, groups)
    module = GraphModule(Graph((x,), (replace(node, attrs=node.attrs | {"pads": pads}),))).eval()
    image = torch.from_numpy(source.normal(size=(7, *x.type.shape)).astype(np.float32))
    heard: list[str] = []
    real = convolution.call
    monkeypatch.setattr(convolution, "call", lambda name, *given: (heard.append(name), real(name, *given)))
    (exact,) = module(image)
    assert heard == []
    with mixed(True):
        (rough,) = module(image)
    rough.float().sum().backward()
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.02)
    return heard


def test_a_net_in_bfloat16_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard_by_net(1, SAME, monkeypatch) == ["convolve", "convolve_weight_slope"]


def test_groups_and_cropped_images_stay_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard_by_net(2, SAME, monkeypatch) == []
    assert heard_by_net(1, ((-1, 0), (0, -1)), monkeypatch) == []
