"""Archives of torch.export.save to strange ones: their JSON, their members, their bytes."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Sequence
from random import Random

import torch
from torch import nn

from fuzz.damage import damage
from fuzz.json_mutations import change
from s2c.readers.torch.table import READERS

TARGETS = [f"torch.ops.{each}" for each in sorted(READERS)]
ARGUMENTS = ({"as_int": 1}, {"as_none": True})

Members = dict[str, bytes]


def mutate(source: Random, seeds: Sequence[bytes]) -> bytes:
    data = source.choice(seeds)
    if source.random() < 0.1:
        return damage(source, data)
    members = unpacked(data)
    for _ in range(source.choice((1, 1, 2, 4))):
        source.choice(MUTATIONS)(source, members)
    return packed(members)


def unpacked(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {each.filename: archive.read(each) for each in archive.infolist()}


def packed(members: Members) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


# mutations


def change_json(source: Random, members: Members) -> None:
    """One to eight values of the program, or of a list of weights."""
    programs = [name for name in members if name.endswith(".json")]
    names = [name for name in programs if "models/" in name]
    name = source.choice([*names * 4, *programs, ""])
    try:
        document = json.loads(members.get(name, b""))
    except ValueError:  # damaged before, or gone
        return
    change(source, document, (TARGETS,), ARGUMENTS)
    members[name] = json.dumps(document).encode()


def damage_member(source: Random, members: Members) -> None:
    name = source.choice(sorted(members))
    members[name] = damage(source, members[name])


def drop_member(source: Random, members: Members) -> None:
    if len(members) > 1:
        del members[source.choice(sorted(members))]


def rename_member(source: Random, members: Members) -> None:
    old = source.choice(sorted(members))
    content = members.pop(old)
    members[source.choice((*sorted(members), "../x", "/etc/x", f"{old}.pt", old.upper()))] = content


MUTATIONS: tuple[Callable[[Random, Members], None], ...] = (
    *(change_json,) * 8,
    damage_member,
    drop_member,
    rename_member,
)


# seeds


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.heads = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        return x + self.heads(y, y, y, need_weights=False)[0]


def seeds() -> list[bytes]:
    """Small nets of the usual kinds."""
    torch.manual_seed(0)
    image = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.ConvTranspose2d(4, 2, 2, stride=2),
        nn.Flatten(),
        nn.Linear(72, 3),
        nn.Softmax(-1),
    )
    nets = ((image, (1, 2, 6, 6)), (Recurrent(), (1, 3, 3)), (Attention(), (1, 3, 8)))
    return [exported(net, shape) for net, shape in nets]


def exported(net: nn.Module, shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(net.eval(), (torch.zeros(shape),)), stream)
    return stream.getvalue()
