"""Twenty torch modules of the kinds that users have, small, each with its weights and inputs from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

SEED = 7


def conv_norm(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    act: type[nn.Module] = nn.ReLU,
) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), act())


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv_norm(inputs, outputs, 3, stride)
        self.second = conv_norm(outputs, outputs, act=nn.Identity)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride, act=nn.Identity)

    def forward(self, x: Any) -> Any:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_norm(3, width, 7, 2), nn.MaxPool2d(3, 2, 1))
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        blocks = []
        for index in range(4):
            blocks.append(Residual(widths[index], widths[index + 1], 1 if index == 0 else 2))
            blocks.append(Residual(widths[index + 1], widths[index + 1], 1))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], 10)

    def forward(self, x: Any) -> Any:
        return self.head(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


class Inverted(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [] if expansion == 1 else [conv_norm(inputs, hidden, 1, act=nn.ReLU6)]
        self.layers = nn.Sequential(
            *expand,
            conv_norm(hidden, hidden, 3, stride, hidden, nn.ReLU6),
            conv_norm(hidden, outputs, 1, act=nn.Identity),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        return x + self.layers(x) if self.adds else self.layers(x)


class MobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        rows = [(8, 8, 1, 1), (8, 12, 2, 6), (12, 12, 1, 6), (12, 16, 2, 6), (16, 16, 1, 6), (16, 24, 1, 6)]
        self.features = nn.Sequential(
            conv_norm(3, 8, 3, 2, act=nn.ReLU6),
            *(Inverted(a, b, stride, expansion) for a, b, stride, expansion in rows),
            conv_norm(24, 64, 1, act=nn.ReLU6),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, 10))

    def forward(self, x: Any) -> Any:
        return self.classifier(self.features(x).mean((2, 3)))


class Gru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(6, 12, batch_first=True)
        self.head = nn.Linear(12, 4)

    def forward(self, x: Any, h: Any) -> Any:
        y, last = self.gru(x, h)
        return self.head(y[:, -1]), last


class BidirectionalLstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 8, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        return F.log_softmax(self.head(self.lstm(x)[0]), -1)


class TransformerEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.position = nn.Parameter(torch.randn(1, 10, 16))

    def forward(self, x: Any, padding: Any) -> Any:
        return self.encoder(x + self.position, src_key_padding_mask=padding)


class WaveNet(nn.Module):
    """Gated, dilated, causal convolutions with skip connections."""

    def __init__(self, channels: int = 8, dilations: Sequence[int] = (1, 2, 4, 8)) -> None:
        super().__init__()
        self.dilations = dilations
        self.enter = nn.Conv1d(1, channels, 1)
        self.gated = nn.ModuleList(nn.Conv1d(channels, 2 * channels, 2, dilation=each) for each in dilations)
        self.mixed = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in dilations)
        self.leave = nn.Conv1d(channels, 1, 1)

    def forward(self, x: Any) -> Any:
        x = self.enter(x)
        skips = torch.zeros_like(x)
        for dilation, gated, mixed in zip(self.dilations, self.gated, self.mixed, strict=True):
            filtered, gate = gated(F.pad(x, (dilation, 0))).chunk(2, 1)
            z = torch.tanh(filtered) * torch.sigmoid(gate)
            skips = skips + z
            x = x + mixed(z)
        return self.leave(F.relu(skips))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([self.twice(3, 8), self.twice(8, 16)])
        self.bottom = self.twice(16, 32)
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(32, 16, 2, 2), nn.Upsample(scale_factor=2, mode="bilinear")]
        )
        self.join = nn.ModuleList([self.twice(32, 16), self.twice(24, 8)])
        self.head = nn.Conv2d(8, 2, 1)

    @staticmethod
    def twice(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(conv_norm(inputs, outputs), conv_norm(outputs, outputs))

    def forward(self, x: Any) -> Any:
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat((up(x), kept.pop()), 1))
        return self.head(x)


class KeywordNet(nn.Module):
    """Depthwise-separable, over a spectrogram."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.stem = conv_norm(1, channels, 5, 2)
        pairs = [
            (conv_norm(channels, channels, 3, 1, channels), conv_norm(channels, channels, 1))
            for _ in range(3)
        ]
        self.blocks = nn.Sequential(*(each for pair in pairs for each in pair))
        self.head = nn.Linear(channels, 12)

    def forward(self, x: Any) -> Any:
        y = self.blocks(self.stem(x.unsqueeze(1)))
        return F.softmax(self.head(F.avg_pool2d(y, y.shape[2:]).flatten(1)), 1)


class Mixer(nn.Module):
    def __init__(self, patches: int = 16, width: int = 24, depth: int = 2) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.tokens = nn.ModuleList(self.mlp(patches, 12) for _ in range(depth))
        self.channels = nn.ModuleList(self.mlp(width, 32) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    @staticmethod
    def mlp(width: int, hidden: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        for index, (tokens, channels) in enumerate(zip(self.tokens, self.channels, strict=True)):
            x = x + tokens(self.norms[2 * index](x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(self.norms[2 * index + 1](x))
        return self.head(x.mean(1))


class ConvNeXt(nn.Module):
    """Two blocks with layer scale."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.depthwise = nn.ModuleList(nn.Conv2d(width, width, 7, padding=3, groups=width) for _ in range(2))
        self.norm = nn.ModuleList(nn.LayerNorm(width, 1e-6) for _ in range(2))
        self.wide = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(2))
        self.gamma = nn.Parameter(torch.rand(2, width))

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for index in range(2):
            y = self.norm[index](self.depthwise[index](x).permute(0, 2, 3, 1))
            y = self.narrow[index](F.gelu(self.wide[index](y))) * self.gamma[index]
            x = x + y.permute(0, 3, 1, 2)
        return x


class VisionTransformer(nn.Module):
    def __init__(self, width: int = 24, heads: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 17, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 48), nn.GELU(), nn.Linear(48, width))
        self.head = nn.Linear(width, 10)

    def attend(self, x: Any) -> Any:
        batch, steps, width = x.shape
        split = self.qkv(x).reshape(batch, steps, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(*split)
        return self.out(y.transpose(1, 2).reshape(batch, steps, width))

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1) + self.position
        x = x + self.attend(self.norms[0](x))
        x = x + self.mlp(self.norms[1](x))
        return self.head(self.norms[2](x)[:, 0])


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 24), nn.SELU(), nn.Linear(24, 6), nn.Tanh())
        self.decoder = nn.Sequential(nn.Linear(6, 24), nn.Softplus(), nn.Linear(24, 40), nn.Sigmoid())

    def forward(self, x: Any) -> Any:
        code = self.encoder(x)
        restored = self.decoder(code)
        return restored, ((restored - x) ** 2).mean(1)


class Tcn(nn.Module):
    """Weight-normed causal convolutions; the padding at the end is cut off."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.convs = nn.ModuleList(
            norm(nn.Conv1d(3 if d == 1 else channels, channels, 3, padding=2 * d, dilation=d))
            for d in (1, 2, 4)
        )
        self.match = nn.Conv1d(3, channels, 1)
        self.head = nn.Linear(channels, 3)

    def forward(self, x: Any) -> Any:
        kept = self.match(x)
        for conv in self.convs:
            y = F.leaky_relu(conv(x)[..., : -conv.padding[0]], 0.1)
            kept = x = F.relu(y + kept)
        return self.head(x[..., -1])


class Gpt(nn.Module):
    """A causal decoder of tokens: embeddings, rotary positions, RMS norms, gated MLPs, shared keys."""

    def __init__(
        self, words: int = 40, width: int = 24, heads: int = 4, shared: int = 2, steps: int = 9
    ) -> None:
        super().__init__()
        self.heads, self.shared, self.depth = heads, shared, width // heads
        self.embedding = nn.Embedding(words, width)
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in range(3))
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * shared * self.depth, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, 32, bias=False), nn.Linear(width, 32, bias=False)
        self.down = nn.Linear(32, width, bias=False)
        angles = torch.outer(torch.arange(steps), 100.0 ** -(torch.arange(0, self.depth, 2) / self.depth))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def rotate(self, x: Any) -> Any:
        a, b = x.chunk(2, -1)
        return torch.cat((a * self.cos - b * self.sin, a * self.sin + b * self.cos), -1)

    def attend(self, x: Any) -> Any:
        batch, steps, width = x.shape
        query = self.query(x).view(batch, steps, self.heads, self.depth).transpose(1, 2)
        pair = self.key_value(x).view(batch, steps, 2, self.shared, self.depth)
        key, value = (each.transpose(1, 2) for each in pair.unbind(2))
        y = F.scaled_dot_product_attention(
            self.rotate(query), self.rotate(key), value, is_causal=True, enable_gqa=True
        )
        return self.out(y.transpose(1, 2).reshape(batch, steps, width))

    def forward(self, tokens: Any) -> Any:
        x = self.embedding(tokens)
        x = x + self.attend(self.norms[0](x))
        y = self.norms[1](x)
        x = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return self.norms[2](x[:, -1]) @ self.embedding.weight.T


class SqueezeExcite(nn.Module):
    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.stem = conv_norm(3, width, 3, 2, act=nn.Hardswish)
        self.squeeze, self.excite = nn.Conv2d(width, 4, 1), nn.Conv2d(4, width, 1)
        self.mix = conv_norm(width, width, 5, 1, width, nn.Hardswish)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        scale = F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        return self.mix(x * scale)


class VaeDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(8, 16 * 4 * 4)
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(16, 12, 4, 2, 1),
            nn.GroupNorm(3, 12),
            nn.SiLU(),
            nn.ConvTranspose2d(12, 8, 3, 2, 1, output_padding=1),
            nn.InstanceNorm2d(8, affine=True),
            nn.ELU(),
            nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect"),
            nn.Sigmoid(),
        )

    def forward(self, z: Any) -> Any:
        return self.layers(self.enter(z).view(-1, 16, 4, 4))


class VolumeNet(nn.Module):
    """3-d convolutions over voxels or frames."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(1, 6, 3, padding=1),
            nn.BatchNorm3d(6),
            nn.ReLU(),
            nn.MaxPool3d(2),
            nn.Conv3d(6, 8, 3, stride=(1, 2, 2), padding=1),
            nn.PReLU(8),
            nn.AdaptiveAvgPool3d((1, 2, 2)),
        )
        self.head = nn.Linear(32, 4)

    def forward(self, x: Any) -> Any:
        return self.head(self.layers(x).flatten(1))


class Crnn(nn.Module):
    """Convolutions over an image of text, then a recurrent net along its width."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            conv_norm(1, 8), nn.MaxPool2d(2), conv_norm(8, 12), nn.MaxPool2d((2, 1)), conv_norm(12, 12)
        )
        self.gru = nn.GRU(24, 10, bidirectional=True)
        self.head = nn.Linear(20, 11)

    def forward(self, x: Any) -> Any:
        y = self.convs(x).flatten(1, 2).permute(2, 0, 1)
        return self.head(self.gru(y)[0]).argmax(-1), y


class DenseBlock(nn.Module):
    def __init__(self, growth: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(8 + i * growth),
                nn.ReLU(),
                nn.Conv2d(8 + i * growth, growth, 3, padding=1, bias=False),
            )
            for i in range(4)
        )
        self.transition = nn.Sequential(nn.Conv2d(24, 12, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False))

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = torch.cat((x, layer(x)), 1)
        return self.transition(x)


class Experts(nn.Module):
    """A mixture of which each token uses the two that its gate chooses."""

    def __init__(self, width: int = 10, count: int = 5) -> None:
        super().__init__()
        self.gate = nn.Linear(width, count, bias=False)
        self.up = nn.Parameter(torch.randn(count, width, 16) / 4)
        self.down = nn.Parameter(torch.randn(count, 16, width) / 4)

    def forward(self, x: Any) -> Any:
        scores = self.gate(x)
        best, chosen = scores.topk(2, -1)
        shares = torch.zeros_like(scores).scatter(-1, chosen, F.softmax(best, -1))
        hidden = F.relu(torch.einsum("td,edh->eth", x, self.up))
        each = torch.einsum("eth,ehd->etd", hidden, self.down)
        return torch.einsum("etd,te->td", each, shares), chosen


class GraphConv(nn.Module):
    """Over a constant graph with normalized adjacency, and pooled by segment."""

    def __init__(self, nodes: int = 9) -> None:
        super().__init__()
        links = (torch.rand(nodes, nodes, generator=torch.Generator().manual_seed(3)) < 0.4).float()
        links = ((links + links.T + torch.eye(nodes)) > 0).float()
        degree = links.sum(1).rsqrt()
        self.register_buffer("adjacency", degree[:, None] * links * degree)
        self.register_buffer("segment", torch.arange(nodes) // 3)
        self.first, self.second = nn.Linear(5, 12), nn.Linear(12, 6)

    def forward(self, x: Any) -> Any:
        x = F.elu(self.adjacency @ self.first(x))
        x = self.adjacency @ self.second(x)
        return torch.zeros(3, 6).index_add(0, self.segment, x)


Inputs = Callable[[torch.Generator], tuple[Any, ...]]


def normal(*shapes: tuple[int, ...]) -> Inputs:
    return lambda generator: tuple(torch.randn(shape, generator=generator) for shape in shapes)


def padded(generator: torch.Generator) -> tuple[Any, ...]:
    """Sequences, and which of their steps are padding."""
    lengths = torch.randint(3, 11, (2, 1), generator=generator)
    return torch.randn(2, 10, 16, generator=generator), torch.arange(10) >= lengths


def tokens(generator: torch.Generator) -> tuple[Any, ...]:
    return (torch.randint(0, 40, (2, 9), generator=generator),)


MODULES: Mapping[str, tuple[Callable[[], nn.Module], Inputs]] = {
    "resnet18": (ResNet18, normal((1, 3, 64, 64))),
    "mobilenet_v2": (MobileNetV2, normal((1, 3, 32, 32))),
    "gru": (Gru, normal((2, 7, 6), (1, 2, 12))),
    "bidirectional_lstm": (BidirectionalLstm, normal((2, 6, 6))),
    "transformer_encoder": (TransformerEncoder, padded),
    "wavenet": (WaveNet, normal((1, 1, 40))),
    "u_net": (UNet, normal((1, 3, 16, 16))),
    "keyword_net": (KeywordNet, normal((1, 32, 20))),
    "mlp_mixer": (Mixer, normal((1, 3, 16, 16))),
    "convnext": (ConvNeXt, normal((1, 3, 32, 32))),
    "vision_transformer": (VisionTransformer, normal((1, 3, 16, 16))),
    "autoencoder": (Autoencoder, normal((2, 40))),
    "tcn": (Tcn, normal((1, 3, 24))),
    "gpt": (Gpt, tokens),
    "squeeze_excite": (SqueezeExcite, normal((1, 3, 16, 16))),
    "vae_decoder": (VaeDecoder, normal((2, 8))),
    "volume_net": (VolumeNet, normal((1, 1, 6, 8, 8))),
    "crnn": (Crnn, normal((1, 1, 8, 20))),
    "dense_block": (DenseBlock, normal((1, 8, 9, 9))),
    "experts": (Experts, normal((6, 10))),
    "graph_conv": (GraphConv, normal((9, 5))),
}


def make_module(name: str) -> nn.Module:
    """In evaluation mode; norms have statistics and scales unlike those of a fresh module."""
    generator = torch.Generator().manual_seed(SEED)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        module = MODULES[name][0]()
    for each in module.modules():
        if isinstance(each, (nn.BatchNorm2d, nn.BatchNorm3d)):
            each.running_mean.normal_(0, 0.1, generator=generator)
            each.running_var.uniform_(0.8, 1.2, generator=generator)
            each.weight.data.uniform_(0.8, 1.2, generator=generator)
            each.bias.data.normal_(0, 0.1, generator=generator)
    return module.eval()


def make_inputs(name: str, seed: int = 0) -> tuple[Any, ...]:
    return MODULES[name][1](torch.Generator().manual_seed(seed))
