"""Bytes to damaged bytes, without knowledge of their format."""

from __future__ import annotations

import struct
from random import Random

LARGEST = 1 << 20  # of a case, so that damage alone and not size is tried
INTEGERS = (
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    127,
    128,
    255,
    256,
    1 << 15,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
)
WIDE = (*INTEGERS, -1, -2, -128, -(1 << 31), 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, -(1 << 63))
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-40, 1e-30, 1e30, 3.4e38, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", "a", "*/ int x; /*", "\x1b[2J", "../x", "名", "x" * 5000, "%s%n", "\0", "NCHW", "SAME_UPPER")


def damage(source: Random, data: bytes) -> bytes:
    """One to eight places changed."""
    content = bytearray(data)
    for _ in range(1 << source.randrange(4)):
        source.choice(DAMAGES)(source, content)
    return bytes(content[:LARGEST])


def place(source: Random, content: bytearray) -> int:
    return source.randrange(max(len(content), 1))


def flip_bit(source: Random, content: bytearray) -> None:
    if content:
        content[place(source, content)] ^= 1 << source.randrange(8)


def set_byte(source: Random, content: bytearray) -> None:
    if content:
        content[place(source, content)] = source.choice((0, 1, 127, 128, 255, source.randrange(256)))


def set_word(source: Random, content: bytearray) -> None:
    """An aligned word of four bytes becomes an extreme one, or moves a little."""
    if len(content) < 4:
        return
    at = source.randrange(len(content) // 4) * 4
    old = struct.unpack_from("<I", content, at)[0]
    value = source.choice((*INTEGERS, old + 1, old - 1, old + 4, old - 4, len(content), len(content) - at))
    struct.pack_into("<I", content, at, value % (1 << 32))


def copy_word(source: Random, content: bytearray) -> None:
    if len(content) < 4:
        return
    here, there = (source.randrange(len(content) // 4) * 4 for _ in range(2))
    content[here : here + 4] = content[there : there + 4]


def truncate(source: Random, content: bytearray) -> None:
    del content[place(source, content) :]


def cut(source: Random, content: bytearray) -> None:
    at = place(source, content)
    del content[at : at + source.randrange(1, 65)]


def repeat(source: Random, content: bytearray) -> None:
    at = place(source, content)
    content[at:at] = content[at : at + source.randrange(1, 257)]


DAMAGES = (flip_bit, set_byte, set_word, set_word, set_word, copy_word, truncate, cut, repeat)
