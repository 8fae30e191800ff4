"""torch modules and .pt2 files read into Graphs: each ATen op against torch, and what is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

import s2c  # noqa: E402
from s2c import oracle  # noqa: E402
from s2c.errors import CompileError  # noqa: E402
from s2c.readers.torch import load_module, load_program, write_module  # noqa: E402

pytestmark = pytest.mark.build


RTOL = 1e-4


class Each(nn.Module):
    """Several functions of the same inputs: one export for many ops."""

    def __init__(self, functions: tuple[Callable[..., Any], ...]) -> None:
        super().__init__()
        self.functions = functions
        self.parts = nn.ModuleList(each for each in functions if isinstance(each, nn.Module))

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        return tuple(each(*inputs) for each in self.functions)


LINE = inspect.getsourcelines(Each.forward)[1] + 1


def leaves(value: Any) -> list[Any]:
    return [each for each in torch.utils._pytree.tree_leaves(value) if each is not None]


def assert_same(module: nn.Module, *inputs: Any) -> None:
    """The oracle's result of the Graph against torch's."""
    graph = load_module(module, inputs)
    with torch.no_grad():
        wanted = leaves(module.eval()(*inputs))
    with np.errstate(all="ignore"):
        found = oracle.run(graph, *(each.numpy() for each in inputs))
    assert_close(graph.output_names, wanted, found)


def assert_close(names: Sequence[str], wanted: Sequence[Any], found: Sequence[np.ndarray]) -> None:
    """Integers equal, floats within RTOL of themselves or of the largest."""
    for name, a, b in zip(names, wanted, found, strict=True):
        assert tuple(a.shape) == b.shape and a.numpy().dtype == b.dtype, (name, a.dtype, a.shape, b.dtype)
        if b.dtype.kind == "f":
            scale = max(float(a.abs().nan_to_num(0, 0, 0).max()), 1e-6) if a.numel() else 1.0
            np.testing.assert_allclose(b, a.numpy(), RTOL, RTOL * scale, err_msg=name)
        else:
            np.testing.assert_array_equal(b, a.numpy(), err_msg=name)


def image(*shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


UNARY = (
    torch.abs,
    lambda x: torch.acos(x.clamp(-1, 1)),
    lambda x: torch.acosh(x.abs() + 1.1),
    lambda x: torch.asin(x.clamp(-1, 1)),
    torch.asinh,
    torch.atan,
    lambda x: torch.atanh(x.clamp(-0.9, 0.9)),
    torch.ceil,
    torch.cos,
    torch.cosh,
    torch.erf,
    torch.erfc,
    torch.exp,
    torch.exp2,
    torch.expm1,
    torch.floor,
    lambda x: torch.log(x.abs() + 0.1),
    lambda x: torch.log10(x.abs() + 0.1),
    lambda x: torch.log1p(x.abs()),
    lambda x: torch.log2(x.abs() + 0.1),
    torch.neg,
    torch.reciprocal,
    torch.round,
    lambda x: torch.round(x, decimals=2),
    lambda x: torch.rsqrt(x.abs() + 0.1),
    torch.sigmoid,
    torch.sign,
    torch.sin,
    torch.sinh,
    lambda x: torch.sqrt(x.abs()),
    torch.square,
    torch.tan,
    torch.tanh,
    torch.trunc,
    torch.frac,
    torch.isnan,
    torch.isinf,
    torch.isfinite,
    torch.sinc,
    lambda x: x.logit(0.1),
    torch.deg2rad,
)
ACTIVATIONS = (
    F.relu,
    F.relu6,
    F.hardtanh,
    F.elu,
    lambda x: F.elu(x, 0.3),
    F.selu,
    lambda x: F.celu(x, 0.5),
    F.gelu,
    lambda x: F.gelu(x, approximate="tanh"),
    F.silu,
    F.mish,
    F.softplus,
    lambda x: F.softplus(x, 2.0, 1.0),
    F.softsign,
    F.hardsigmoid,
    F.hardswish,
    lambda x: F.leaky_relu(x, 0.2),
    nn.PReLU(4),
    nn.PReLU(),
    lambda x: F.threshold(x, 0.1, 2.0),
    F.logsigmoid,
    F.tanhshrink,
    F.softshrink,
    F.hardshrink,
    lambda x: F.glu(x, 1),
    lambda x: F.rrelu(x),
    lambda x: F.softmax(x, 1),
    lambda x: F.softmax(x, -1),
    lambda x: F.softmin(x, 0),
    lambda x: F.log_softmax(x, 1),
    lambda x: F.dropout(x, 0.5, False),
    lambda x: F.normalize(x, dim=1),
)
BINARY = (
    torch.add,
    lambda a, b: torch.add(a, b, alpha=2),
    torch.sub,
    lambda a, b: torch.sub(a, b, alpha=3),
    lambda a, b: torch.rsub(a, b, alpha=2),
    torch.mul,
    torch.div,
    lambda a, b: torch.div(a * 4, b, rounding_mode="floor"),
    lambda a, b: torch.div(a * 4, b, rounding_mode="trunc"),
    torch.fmod,
    torch.remainder,
    torch.maximum,
    torch.minimum,
    torch.fmax,
    torch.fmin,
    torch.atan2,
    lambda a, b: torch.pow(a.abs(), b),
    lambda a, b: torch.pow(2.0, b),
    lambda a, b: a**3 + b**-1 + a.abs() ** 0.5 + a**0 + b**-2 + a.abs() ** 1.3,
    torch.eq,
    torch.ne,
    torch.lt,
    torch.le,
    torch.gt,
    torch.ge,
    lambda a, b: (a > 0) & (b > 0) | ~(a < b) ^ (b < 1),
    lambda a, b: torch.logical_and(a, b > 0),
    lambda a, b: torch.logical_or(a > 0, b > 0),
    lambda a, b: torch.logical_xor(a > 0, b > 0),
    lambda a, b: torch.logical_not(a > b),
    lambda a, b: torch.where(a > b, a, 2.0),
    lambda a, b: torch.clamp(a, -0.5, 0.5) + torch.clamp(b, min=0.1),
    lambda a, b: torch.clamp(a, torch.minimum(a, b), b),
    lambda a, b: a.masked_fill(b > 0, -7.0),
    lambda a, b: torch.lerp(a, b, 0.3),
    lambda a, b: torch.addcmul(a, a, b, value=0.5),
    lambda a, b: torch.addcdiv(a, a, b.abs() + 1),
    lambda a, b: torch.hypot(a, b),
    lambda a, b: a * (b > 0) + True,
    lambda a, b: torch.full_like(a, 3.0) + torch.zeros_like(b) + torch.ones_like(a),
    lambda a, b: a.new_full((2, 1, 1, 1), 4) * b,
    lambda a, b: torch.logaddexp(a, b),
    lambda a, b: torch.copysign(a, b),
    lambda a, b: torch.nan_to_num(a / b),
    lambda a, b: torch.heaviside(a, b),
)
WHOLE = (
    lambda a, b: a + b,
    lambda a, b: a * b - 3,
    lambda a, b: a / b,
    lambda a, b: a // b,
    lambda a, b: a % b,
    lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    lambda a, b: torch.fmod(a, b),
    lambda a, b: a**2,
    lambda a, b: a.float() * 0.5,
    lambda a, b: (a.float() * 1.7).int(),
    lambda a, b: (a > b).long() + a,
    lambda a, b: a & b | a ^ b,
    lambda a, b: ~a,
    lambda a, b: torch.maximum(a, b),
    lambda a, b: a.clamp(-1, 2),
    lambda a, b: a.sum(0),
    lambda a, b: a.abs().amax(1),
    lambda a, b: a.to(torch.int32).sum(),
    lambda a, b: a.bool().any(1),
    lambda a, b: a * 1.5,
    lambda a, b: torch.where(a > b, a, b),
    lambda a, b: a.to(torch.int8) + 100,
    lambda a, b: a.to(torch.uint8),
    lambda a, b: F.one_hot(a.abs(), 8),
    lambda a, b: a.cumsum(1),
    lambda a, b: a.sort(dim=1, stable=True),
    lambda a, b: a.sign() * b.neg(),
)
MOVEMENT = (
    lambda x: x.reshape(2, -1),
    lambda x: x.permute(3, 1, 0, 2),
    lambda x: x.transpose(1, 2),
    lambda x: x[:, :1].squeeze(1),
    lambda x: x.unsqueeze(-1).expand(-1, -1, -1, -1, 3),
    lambda x: x.repeat(1, 2, 1, 1),
    lambda x: x.repeat_interleave(2, 1),
    lambda x: torch.tile(x, (2, 2)),
    lambda x: torch.cat((x, x * 2), 1),
    lambda x: torch.stack((x, x + 1), -1),
    lambda x: x.split(3, 1)[1],
    lambda x: x.chunk(2, 2),
    lambda x: x[:, 1:, ::2, -3:],
    lambda x: x.select(1, -1),
    lambda x: x.narrow(3, 1, 2),
    lambda x: x.flip(1, 3),
    lambda x: x.roll((1, -2), (1, 2)),
    lambda x: x.roll(3),
    lambda x: F.pad(x, (1, 2, 0, -1), value=2.0),
    lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"),
    lambda x: F.pad(x, (1, 2, 2, 1), mode="replicate"),
    lambda x: F.pad(x, (1, 2, 2, 1), mode="circular"),
    lambda x: F.pixel_shuffle(x, 2),
    lambda x: F.pixel_unshuffle(x, 2),
    lambda x: F.channel_shuffle(x, 2),
    lambda x: x.unfold(2, 3, 2),
    lambda x: F.unfold(x, 3, padding=1),
    lambda x: F.fold(x.reshape(2, 16, 9), (4, 4), 2, padding=0),
    lambda x: x.diagonal(0, 2, 3),
    lambda x: torch.tril(x) + torch.triu(x, 1),
    lambda x: torch.rot90(x, 1, (2, 3)),
    lambda x: x.flatten(1).unflatten(1, (4, 36)),
    lambda x: x.movedim(1, -1),
    lambda x: torch.meshgrid(x[0, 0, 0], x[0, 0, 1], indexing="ij"),
    lambda x: torch.as_strided(x, (2, 3), (36, 1), 4),
    lambda x: x.contiguous().view(-1).clone().detach(),
    lambda x: x.type(torch.float32).to(torch.int64).type_as(x),
    lambda x: torch.arange(6.0) + x + torch.linspace(0, 1, 6) + torch.eye(6),
    lambda x: torch.broadcast_to(x[:, :1], x.shape),
    lambda x: torch.hstack((x, x)),
)
REDUCTIONS = (
    lambda x: x.sum(),
    lambda x: x.sum((1, 3)),
    lambda x: x.mean(-1, keepdim=True),
    lambda x: x.mean(),
    lambda x: x.amax((2, 3)),
    lambda x: x.amin(0),
    lambda x: x.max(),
    lambda x: x.max(2),
    lambda x: x.min(3, keepdim=True),
    lambda x: x.prod(3),
    lambda x: (x > 0).any(1),
    lambda x: (x > -9).all(),
    lambda x: (x > 0).sum(1),
    lambda x: x.argmax(1),
    lambda x: x.argmax(),
    lambda x: x.argmin(2, keepdim=True),
    lambda x: x.var(1),
    lambda x: x.std((2, 3), unbiased=False),
    lambda x: torch.var_mean(x, 1),
    lambda x: x.norm(dim=1),
    lambda x: torch.linalg.vector_norm(x, 1, dim=(2, 3)),
    lambda x: torch.linalg.vector_norm(x, float("inf")),
    lambda x: x.cumsum(2),
    lambda x: x.cumprod(1),
    lambda x: x.cummax(2)[0],
    lambda x: x.logsumexp(1),
    lambda x: x.topk(2, 3),
    lambda x: x.topk(3, 1, largest=False),
    lambda x: x.sort(3, descending=True),
    lambda x: x.argsort(1),
    lambda x: x.median(3)[0],
    lambda x: torch.count_nonzero(x > 0, 1),
    lambda x: x.aminmax(dim=1),
    lambda x: torch.kthvalue(x, 2, 3)[0],
    lambda x: torch.diff(x, dim=2),
)


CONVOLUTIONS = [
    (nn.Conv1d(4, 6, 3, padding=1, dilation=2), (2, 4, 9)),
    (nn.Conv1d(4, 8, 2, stride=2, groups=4), (4, 9)),
    (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), groups=2, bias=False), (2, 4, 7, 6)),
    (nn.Conv2d(4, 8, 3, padding="same"), (1, 4, 5, 6)),
    (nn.Conv2d(4, 4, 3, padding=2, padding_mode="circular"), (1, 4, 5, 6)),
    (nn.Conv3d(2, 4, (3, 2, 1), stride=2, padding=(1, 1, 0), groups=2), (2, 2, 5, 4, 3)),
    (nn.ConvTranspose1d(4, 6, 4, 2, 1), (2, 4, 5)),
    (nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2), (1, 4, 4, 3)),
    (nn.ConvTranspose2d(4, 2, 2, dilation=2), (1, 4, 4, 3)),
    (nn.ConvTranspose3d(2, 3, 2, 2), (1, 2, 3, 2, 2)),
]


@pytest.mark.parametrize(("module", "shape"), CONVOLUTIONS)
def test_convolutions(module: nn.Module, shape: tuple[int, ...]) -> None:
    assert_same(module, image(*shape))


POOLS = (
    nn.MaxPool2d(3, 2, 1),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.MaxPool2d(2, dilation=2),
    lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True, return_indices=True),
    lambda x: F.max_pool3d(x, 2, 1, return_indices=True),
    lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, 2, return_indices=True), 2, output_size=(5, 6)),
    nn.AvgPool2d(3, 2, 1),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    nn.AvgPool2d(2, divisor_override=3),
    nn.AdaptiveAvgPool2d(1),
    nn.AdaptiveAvgPool2d((3, 4)),
    nn.AdaptiveMaxPool2d((2, 3)),
    nn.LPPool2d(2, 2),
    lambda x: F.max_pool1d(x[0], 3, 2),
    lambda x: F.avg_pool1d(x[0], 2),
    lambda x: F.adaptive_avg_pool1d(x[0], 3),
    lambda x: F.adaptive_max_pool1d(x[0], 2),
    lambda x: F.max_pool3d(x, 2, 1),
    lambda x: F.avg_pool3d(x, (1, 2, 3), 2),
    lambda x: F.adaptive_avg_pool3d(x, (2, 3, 2)),
)
NORMS = (
    nn.BatchNorm2d(4),
    nn.BatchNorm2d(4, affine=False),
    nn.BatchNorm2d(4, track_running_stats=False),
    nn.LayerNorm(6),
    nn.LayerNorm((5, 6), elementwise_affine=False),
    nn.GroupNorm(2, 4),
    nn.InstanceNorm2d(4),
    nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    nn.RMSNorm(6),
    nn.RMSNorm((5, 6), 1e-3),
    nn.LocalResponseNorm(3),
    lambda x: F.cosine_similarity(x, x.flip(1), 1),
)
SIZES = (
    lambda x: F.interpolate(x, scale_factor=2),
    lambda x: F.interpolate(x, (7, 4)),
    lambda x: F.interpolate(x, (7, 4), mode="nearest-exact"),
    lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    lambda x: F.interpolate(x, (9, 3), mode="bilinear", align_corners=True),
    lambda x: F.interpolate(x, scale_factor=1.6, mode="bicubic"),
    lambda x: F.interpolate(x, (3, 3), mode="bilinear", antialias=True),
    lambda x: F.interpolate(x[0], 11, mode="linear"),
    lambda x: F.interpolate(x[0], 11),
    lambda x: F.interpolate(x[None], (3, 8, 4), mode="trilinear"),
    lambda x: F.interpolate(x[None], scale_factor=2),
)


PADDINGS = {
    "bilinear": ("zeros", "border", "reflection"),
    "nearest": ("zeros", "border"),
    "bicubic": ("zeros", "reflection"),
}


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str) -> None:
    def sample(x: Any, grid: Any) -> Any:
        return [F.grid_sample(x, grid, mode, each, align_corners=False) for each in PADDINGS[mode]]

    theta = torch.tensor([[[0.9, 0.2, 0.1], [-0.1, 1.1, 0.0]]])
    assert_same(
        Each((sample, lambda x, g: F.affine_grid(theta, [1, 2, 3, 4], False))),
        image(1, 2, 5, 4),
        image(1, 3, 6, 2),
    )


def written(x: Any) -> Any:
    """In place, in parts."""
    y = x.clone()
    y[:, 1] = 3
    y[:, :, ::2] *= 2
    y[..., 0] += x[..., 1]
    y.relu_().add_(1)
    return y


PICKS = (
    lambda x, i: x[:, [0, 2]],
    lambda x, i: x[[0, 1], [2, 3]],
    lambda x, i: x[:, [1, 0], :, [0, 1]],
    lambda x, i: x[:, i],
    lambda x, i: x[:, i % 3, i],
    lambda x, i: x[i % 2, :, i],
    lambda x, i: x.index_select(1, i),
    lambda x, i: x.gather(1, i.reshape(1, 3, 1, 1).expand(2, 3, 5, 6)),
    lambda x, i: torch.take_along_dim(x, i.reshape(1, 3, 1, 1), 1),
    lambda x, i: x.scatter(1, i.reshape(1, 3, 1, 1).expand(2, 3, 5, 6), x[:, 1:]),
    lambda x, i: x.scatter(1, i.reshape(1, 3, 1, 1).expand(2, 3, 5, 6), 7.0),
    lambda x, i: x.scatter_add(1, i.reshape(1, 3, 1, 1).expand(2, 3, 5, 6), x),
    lambda x, i: x.scatter_reduce(1, i.reshape(1, 3, 1, 1).expand(2, 3, 5, 6), x, "amax"),
    lambda x, i: x.index_add(1, i, x[:, :3]),
    lambda x, i: x.index_copy(1, i, x[:, :3]),
    lambda x, i: x.index_put((torch.tensor([0, 1]), torch.tensor([2, 2])), x[0, 0]),
    lambda x, i: x.masked_fill(x > 0, 1.5),
    lambda x, i: written(x),
    lambda x, i: F.embedding(i, torch.arange(20.0).reshape(5, 4)),
    lambda x, i: F.embedding_bag(i[None], torch.arange(20.0).reshape(5, 4)),
    lambda x, i: F.embedding_bag(i, torch.arange(20.0).reshape(5, 4), torch.tensor([0, 2]), mode="sum"),
    lambda x, i: F.embedding_bag(i[None], torch.arange(20.0).reshape(5, 4), mode="max"),
    lambda x, i: F.one_hot(i, 4),
    lambda x, i: torch.bucketize(x, torch.tensor([-1.0, 0.0, 0.5])),
)


PRODUCTS = (
    lambda a, b: a @ b.mT,
    lambda a, b: torch.bmm(a, b.mT),
    lambda a, b: torch.einsum("bij,bkj->bik", a, b),
    lambda a, b: torch.baddbmm(a @ b.mT, a, b.mT, beta=0.5, alpha=2.0),
    lambda a, b: torch.addmm(torch.ones(4), a[0], b[0].T),
    lambda a, b: a[0] @ b[0, 0],
    lambda a, b: a[0, 0] @ b[0, 0],
    lambda a, b: a @ torch.arange(15.0).reshape(5, 3),
    lambda a, b: torch.ones(2, 3) @ a,
    lambda a, b: F.linear(a, torch.arange(10.0).reshape(2, 5), torch.ones(2)),
    lambda a, b: F.linear(a, torch.arange(10.0).reshape(2, 5), torch.ones(1)),
    lambda a, b: F.linear(a, b[0]),
    lambda a, b: F.bilinear(a, a, torch.arange(50.0).reshape(2, 5, 5)),
    lambda a, b: torch.cdist(a, b),
    lambda a, b: torch.cdist(a, b, p=1.0),
    lambda a, b: torch.pdist(a[0]),
    lambda a, b: torch.outer(a[0, 0], b[0, 0]),
    lambda a, b: torch.tensordot(a, b, ([0, 2], [0, 2])),
    lambda a, b: F.scaled_dot_product_attention(a, b, b),
    lambda a, b: F.scaled_dot_product_attention(a[None], b[None], b[None], scale=0.3),
    lambda a, b: F.scaled_dot_product_attention(a, b, b, attn_mask=(a @ b.mT) > -1e3),
    lambda a, b: F.scaled_dot_product_attention(a, a, a, is_causal=True),
    lambda a, b: torch.kron(a[0], b[0]),
    lambda a, b: torch.linalg.cross(a[..., :3], b[:, :3, :3]),
)


HANN = torch.hann_window(16)
SPECTRA = (
    lambda x: torch.stft(x, 16, 4, window=HANN, return_complex=True).abs(),
    lambda x: torch.view_as_real(torch.stft(x, 16, 6, return_complex=True, normalized=True)),
    lambda x: torch.istft(torch.stft(x, 16, 4, window=HANN, return_complex=True), 16, 4, window=HANN),
    lambda x: torch.fft.rfft(x).abs() ** 2,
    lambda x: torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(x.flip(0)).conj()),
    lambda x: torch.fft.fft2(x, norm="ortho").imag,
    lambda x: torch.fft.ifft(torch.fft.fft(x)[:, ::2] + 1.0).real,
    lambda x: torch.fft.rfft(x[:, :9], norm="forward").angle(),
    lambda x: torch.view_as_real(torch.polar(x, x) / torch.complex(x, x + 9)),
    lambda x: torch.view_as_real(torch.cat((torch.fft.fft(x), -torch.fft.fft(x) * 2j), 1).sum(1)),
)


class Recurrent(nn.Module):
    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__()
        self.cell = getattr(nn, kind)(5, 4, **options)

    def forward(self, x: Any) -> Any:
        return self.cell(x)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(
    "options",
    [{"num_layers": 2, "bidirectional": True, "batch_first": True}, {"bias": False}],
    ids=["deep", "plain"],
)
def test_recurrent_nets(kind: str, options: dict[str, Any]) -> None:
    assert_same(Recurrent(kind, **options), image(3, 2, 5))


def test_cells() -> None:
    class Cells(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.gru, self.rnn = (
                nn.LSTMCell(5, 4),
                nn.GRUCell(5, 4),
                nn.RNNCell(5, 4, nonlinearity="relu"),
            )

        def forward(self, x: Any, h: Any) -> Any:
            return self.lstm(x, (h, h)), self.gru(x, h), self.rnn(x, h)

    assert_same(Cells(), image(2, 5), image(2, 4))


# dtypes, states of the module, names


@pytest.mark.parametrize(("dtype", "inside"), [(torch.float16, "f16"), (torch.bfloat16, "f32")])
def test_half_precision_is_computed_in_float32(dtype: Any, inside: str) -> None:
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).to(dtype)
    graph = load_module(module, (image(3, 4).to(dtype),))
    assert graph.inputs[0].type.dtype == graph.outputs[0].type.dtype == inside
    x = image(3, 4).to(dtype)
    (found,) = oracle.run(graph, x.float().numpy().astype(graph.inputs[0].type.numpy))
    with torch.no_grad():
        wanted = module.float()(x.float()).numpy()
    np.testing.assert_allclose(found.astype(np.float32), wanted, 2e-3, 2e-3)


def test_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    module[0].eval()
    load_module(module, (image(1, 4),))
    assert [each.training for each in module.modules()] == [True, False, True]


def test_names_of_inputs_outputs_and_layers() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(nn.Linear(4, 3))

        def forward(self, samples: Any, extra: Any) -> Any:
            return {"a": self.head(samples), "b": extra * 2, "c": None}

    graph = load_module(Named(), (image(2, 4), image(3)))
    assert [each.layer for each in graph.inputs] == ["samples", "extra"]
    assert graph.output_names == ("linear", "mul")
    assert [each.layer for each in graph.nodes() if each.op == "dense"] == ["head.0"]


# refusals


class Broken(nn.Module):
    def forward(self, x: Any) -> Any:
        y = torch.lgamma(x)
        z = x[x > 0].sum()
        r = torch.rand(3) + x.double().sum()
        return y.sum() + z + r


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Any) -> Any:
        self.count.add_(1)
        return x + self.count


def problems_of(load: Callable[[], Any]) -> list[str]:
    with pytest.raises(CompileError) as caught:
        load()
    return [str(each) for each in caught.value.problems]


def test_all_problems_at_once_with_the_line_of_each() -> None:
    found = problems_of(lambda: load_module(Broken(), (image(2, 4),)))
    assert [each.split(" (")[0].rsplit(":", 1)[0] + each[each.rindex(";") :] for each in found] == [
        "lgamma: wanted an ATen op that s2c reads, found aten.lgamma.default at test_load_torch.py; "
        "write it with ops that s2c reads",
        "index: wanted a shape that depends on no data, found torch.float32 of aten.index.Tensor at "
        "test_load_torch.py; write it with torch.where and masks",
        "rand: wanted a net without random numbers, found aten.rand.default at test_load_torch.py; "
        "make the random tensor an input",
        "_to_copy: wanted float32, an integer dtype or bool, found torch.float64 of aten._to_copy.default at "
        "test_load_torch.py; compute in float32, as module.float() does",
    ]
    assert "(y = torch.lgamma(x))" in found[0]


@pytest.mark.parametrize(
    ("module", "inputs", "message"),
    [
        (
            Counting(),
            (image(2),),
            "count: wanted a forward that changes no tensor in place, found a buffer that it writes to; "
            "return the new value as an output, and pass it as an input of the next call",
        ),
        (
            Each((lambda x: x.add_(1),)),
            (image(2),),
            "inputs_0: wanted a forward that changes no tensor in place, found an input that it writes to; "
            "return the new value as an output, and pass it as an input of the next call",
        ),
        (
            nn.Linear(2, 2).double(),
            (image(2).double(),),
            "input: wanted an input of float32, an integer dtype or bool, found torch.float64; compute in "
            "float32, as module.float() does",
        ),
        (
            Each((lambda x: x.cummax(0),)),
            (image(4),),
            "cummax: wanted aten.cummax.default without result 1, found its use at "
            f"test_load_torch.py:{LINE} (return tuple(each(*inputs) for each in self.functions)); "
            "leave it unused",
        ),
        (
            Each((lambda x: F.linear(x, torch.ones(1, 5), torch.ones(2)),)),
            (image(3, 5),),
            f"linear: wanted 1 biases, found [2] at test_load_torch.py:{LINE} "
            "(return tuple(each(*inputs) for each in self.functions)); export the model again",
        ),
        (
            Each((lambda x: 3,)),
            (image(2),),
            "model: wanted tensors as outputs, found 3; return tensors alone",
        ),
    ],
)
def test_refusals(module: nn.Module, inputs: tuple[Any, ...], message: str) -> None:
    assert problems_of(lambda: load_module(module, inputs)) == [message]


def test_what_torch_cannot_trace() -> None:
    (found,) = problems_of(lambda: load_module(nn.Linear(3, 2), (image(2, 5),)))
    assert found.startswith(
        "model: wanted a module that torch.export can trace with these inputs, found RuntimeError"
    )
    assert found.endswith("; make torch.export.export(module.eval(), inputs) work first")
    assert problems_of(lambda: load_module(torch.relu, (image(2),))) == [  # type: ignore[arg-type]
        "model: wanted a torch.nn.Module, found builtin_function_or_method; wrap the function in a module"
    ]


def test_symbolic_extents() -> None:
    batch = torch.export.Dim("batch")
    program = torch.export.export(nn.Linear(3, 2), (image(4, 3),), dynamic_shapes={"input": {0: batch}})
    (found,) = problems_of(lambda: load_program(program))
    assert found.startswith("input: wanted a fixed shape, found [s")
    assert found.endswith("; export without dynamic_shapes, with example inputs of the shape that you need")


def test_bound_inputs() -> None:
    program = torch.export.export(Each((lambda a, b: a * b,)), (image(3), image(3)))
    graph = load_program(program, {"inputs_1": np.array([1, 2, 3], np.float32)})
    assert oracle.run(graph, np.ones(3, np.float32))[0].tolist() == [1, 2, 3]
    assert problems_of(
        lambda: load_program(program, {"inputs_1": np.ones(2, np.float32), "z": np.ones(1)})
    ) == [
        "inputs_1: wanted an array torch.float32[3], found float32[2]; give an array of that shape and dtype",
        "model: wanted an input that consts can bind (inputs_0, inputs_1), found z; correct the name",
    ]


# all functions at once: by the oracle, and compiled


FACTORS = (torch.tensor([[5, -7, 3], [0, 2, -4]]), torch.tensor([[2, 3, -2], [1, -5, 3]]))
BATTERIES = {
    "unary": (UNARY, (image(2, 4, 3),)),
    "activations": (ACTIVATIONS, (image(2, 4, 3),)),
    "binary": (BINARY, (image(2, 1, 4, 3), image(5, 1, 3) * 2)),
    "integers": (WHOLE, FACTORS),
    "integers of 32 bits": (
        tuple(each for each in WHOLE if "one_hot" not in each.__code__.co_names),
        tuple(each.int() for each in FACTORS),
    ),
    "movement": (MOVEMENT, (image(2, 4, 6, 6),)),
    "reductions": (REDUCTIONS, (image(2, 4, 3, 5),)),
    "pools": (POOLS, (image(2, 4, 5, 6),)),
    "norms": (NORMS, (image(2, 4, 5, 6),)),
    "sizes": (SIZES, (image(2, 4, 5, 6),)),
    "indices": (PICKS, (image(2, 4, 5, 6), torch.tensor([3, 0, 2]))),
    "products": (PRODUCTS, (image(2, 3, 5), image(2, 4, 5))),
    "spectra": (SPECTRA, (image(2, 64),)),
}


@pytest.mark.parametrize("name", BATTERIES)
def test_functions(name: str) -> None:
    functions, inputs = BATTERIES[name]
    assert_same(Each(functions), *inputs)


@pytest.mark.build
@pytest.mark.parametrize("name", BATTERIES)
def test_programs(name: str, tmp_path: Path) -> None:
    """The same ops through a file and the C compiler."""
    functions, inputs = BATTERIES[name]
    module = Each(functions).eval()
    with torch.no_grad():
        wanted = leaves(module(*inputs))
    with s2c.compile(write_module(module, inputs, tmp_path)) as program:
        found = program(*(each.numpy() for each in inputs))
        names = [each["name"] for each in program.manifest["outputs"]]
    assert_close(names, wanted, found)
