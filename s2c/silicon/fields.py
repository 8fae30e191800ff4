"""Fields of a chip's programs, and how words are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s2c.silicon.datapath import unsigned_bits

Values = Sequence[int | None]  # one for each word; None: it does not matter


@dataclass(frozen=True)
class Field:
    """values: of each word, in two's complement where negative. One whose values are all the same takes no
    bits of the ROM."""

    name: str
    width: int
    values: tuple[int, ...]

    @property
    def is_constant(self) -> bool:
        return len(set(self.values)) == 1


def make_field(name: str, width: int, values: Values) -> Field:
    """What does not matter is as what does, where that is all the same, else 0."""
    known = {each for each in values if each is not None}
    other = known.pop() if len(known) == 1 else 0
    mask = (1 << width) - 1
    return Field(name, width, tuple((other if each is None else each) & mask for each in values))


def unsigned_field(name: str, values: Values) -> Field:
    return make_field(name, unsigned_bits(max((each or 0 for each in values), default=0)), values)


def flag(name: str, values: Values) -> Field:
    return make_field(name, 1, values)


def join_bits(parts: Sequence[tuple[int, int]]) -> int:
    """Of values and their widths, the first lowest."""
    word, at = 0, 0
    for value, width in parts:
        word |= (value & (1 << width) - 1) << at
        at += width
    return word


def program_words(fields: Sequence[Field]) -> list[int]:
    """Of the fields that are not constant."""
    varying = [each for each in fields if not each.is_constant]
    return [
        join_bits([(each.values[at], each.width) for each in varying]) for at in range(len(fields[0].values))
    ]
