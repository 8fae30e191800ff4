"""An artifact's memories against those of a device, before a tool runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from s2c.errors import error
from s2c.silicon.devices import DEVICES, Device

LUT_BITS = 16


def refuse_too_many_bits(folder: Path, name: str, arena_bytes: int, device: Device) -> None:
    """Raises CompileError where a chip's memories take more bits than all that a device has: what they take
    and what there is are counted so that no net is refused that a tool could fit."""
    room = memory_bits(device)
    bits = 8 * arena_bytes + sum(rom_bits(path.read_text()) for path in sorted(folder.glob(f"{name}.*.hex")))
    if room is None or bits <= room:
        return
    larger = [each.name for each in DEVICES.values() if (memory_bits(each) or 0) >= bits]
    do = f"take --device {' or '.join(larger)}, or a smaller net" if larger else "take a smaller net"
    wanted = f"at most {room:,} bits of memory for {device.name}, even if all its logic were memory"
    raise error(name, wanted, f"{bits:,} in ROMs and arena", do)


def memory_bits(device: Device) -> int | None:
    """Of block RAM, and of all LUTs and flip-flops; None where there is no limit."""
    if not device.capacity:
        return None
    blocks = device.capacity["block_rams"] * device.family.block_bits
    return blocks + LUT_BITS * device.capacity["logic"] + device.capacity["flip_flops"]


def rom_bits(text: str) -> int:
    """Of a file of hexadecimal words: those that are the same in all words are wires."""
    words = [int(line.split("//")[0], 16) for line in text.splitlines()]
    return len(words) * varying(words).bit_count()


def varying(words: Iterable[int]) -> int:
    """The bits that are not the same in all words."""
    either, both = 0, -1
    for word in words:
        either |= word
        both &= word
    return either & ~both
