"""Archives of torch.export.save to strange ones: their JSON, their members, their bytes."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import torch
from torch import nn

from fuzz.damage import FLOATS, TEXTS, WIDE, damage
from s2c.readers.torch.table import READERS

READ = sorted(READERS)
VALUES = (*WIDE, *TEXTS, None, True, False, 0.5, [], {}, [[]], {"as_int": 1}, {"as_none": True})

Members = dict[str, bytes]
Container = dict[str, Any] | list[Any]


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
    for _ in range(1 << source.randrange(4)):
        places = containers(document)
        if places:
            source.choice(CHANGES)(source, source.choice(places), places)
    members[name] = json.dumps(document).encode()


def containers(document: Any) -> list[Container]:
    """Every object and list of a document that is not empty."""
    found: list[Container] = []
    pending = [document]
    while pending:
        each = pending.pop()
        if isinstance(each, dict | list) and each:
            found.append(each)
            pending += each.values() if isinstance(each, dict) else each
    return found


def keys(container: Container) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))


def set_value(source: Random, container: Container, others: list[Container]) -> None:
    """Of about the same kind most often."""
    key = source.choice(keys(container))
    old = container[key]
    if isinstance(old, bool):
        container[key] = not old
    elif isinstance(old, int):
        container[key] = source.choice((*range(-2, 9), *WIDE))
    elif isinstance(old, float):
        container[key] = source.choice(FLOATS)
    elif isinstance(old, str) and old.startswith("torch.ops.aten."):
        container[key] = f"torch.ops.{source.choice(READ)}" if source.random() < 0.9 else source.choice(TEXTS)
    else:
        container[key] = source.choice(VALUES)


def copy_value(source: Random, container: Container, others: list[Container]) -> None:
    """A value from a place of the same shape, such as another node's input."""
    key = source.choice(keys(container))
    same = [each for each in others if type(each) is type(container) and key in keys(each)]
    value = source.choice(same)[key]
    if not isinstance(value, dict | list):
        container[key] = value


def remove_value(source: Random, container: Container, others: list[Container]) -> None:
    del container[source.choice(keys(container))]


def repeat_value(source: Random, container: Container, others: list[Container]) -> None:
    if isinstance(container, list):
        copied = json.loads(json.dumps(source.choice(container)))
        container.insert(source.randrange(len(container) + 1), copied)


CHANGES = (set_value, set_value, set_value, copy_value, copy_value, remove_value, repeat_value)


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
