"""The machine code of one function -> its stack frame, the calls that it makes, and what could not be shown.

An abstract interpretation: a register holds nothing known, a constant, or the stack pointer on entry less a
depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import capstone

from s2c.frames import thumb, x86
from s2c.frames.values import Code, Depth, State, Step, merge

__all__ = ["ARCHES", "Arch", "Code", "Frame", "walk"]


@dataclass(frozen=True)
class Arch:
    mode: tuple[int, int]  # capstone's architecture and mode
    stack_pointer: str
    return_bytes: int  # what a call pushes
    slow: frozenset[int]  # instructions whose latency depends on data, on a core that is in use
    step: Callable[[Code, Any, State], Step]
    like: Callable[[bytes], bytes | None]  # of an instruction that capstone lacks, one that moves as much


# The keys are pyelftools' names of e_machine.
ARCHES: Mapping[str, Arch] = {
    "EM_ARM": Arch(thumb.MODE, thumb.STACK_POINTER, thumb.RETURN_BYTES, thumb.SLOW, thumb.step, thumb.like),
    "EM_X86_64": Arch(x86.MODE, x86.STACK_POINTER, x86.RETURN_BYTES, x86.SLOW, x86.step, x86.like),
}


@dataclass
class Frame:
    """What a function does on any of its paths. Grows while `walk` finds them."""

    depth: int  # bytes of the function alone, its return address included where a call pushes one
    leaf_depth: int = 0  # the same, if it calls nothing
    is_leaf: bool = True  # a jump to another function is no call
    calls: dict[int, int] = field(default_factory=dict)  # callee -> bytes in use when it begins
    slow: set[str] = field(default_factory=set)  # mnemonics whose latency depends on data
    unproved: set[str] = field(default_factory=set)

    def call(self, callee: int, depth: int) -> None:
        self.calls[callee] = max(depth, self.calls.get(callee, 0))


def decode(arch: Arch, code: Code, start: int) -> dict[int, Any]:
    disassembler = capstone.Cs(*arch.mode)
    disassembler.detail = True
    found: dict[int, Any] = {}
    for low, high in code.ranges[start]:
        at = low
        text: bytes | None = code.read(low, high - low)
        while text:
            before = at
            for instruction in disassembler.disasm(text, at):
                found[instruction.address] = instruction
                at = instruction.address + instruction.size
            text = arch.like(code.read(at, high - at)) if before < at < high else None
    return found


def walk(arch: Arch, code: Code, start: int, end: int) -> Frame:
    """The frame of the function in start..end, over all of its paths."""
    instructions = decode(arch, code, start)
    frame = Frame(arch.return_bytes)
    seen: dict[int, State] = {}
    pending: list[tuple[int, State]] = [(start, {arch.stack_pointer: Depth(arch.return_bytes)})]
    while pending:
        at, state = pending.pop()
        if at in seen:
            if seen[at][arch.stack_pointer] != state[arch.stack_pointer]:
                frame.unproved.add(f"+{at - start:#x}: two paths meet with different stack depths")
                continue
            state = merge(seen[at], state)
            if state == seen[at]:
                continue
        seen[at] = state
        if at not in instructions:
            frame.unproved.add(f"+{at - start:#x}: no instruction that is known")
            continue
        step = arch.step(code, instructions[at], state)
        if step.unproved is not None:
            text = f"{instructions[at].mnemonic} {instructions[at].op_str}".strip()
            frame.unproved.add(f"+{at - start:#x}: {step.unproved} ({text})")
        if instructions[at].id in arch.slow:
            frame.slow.add(instructions[at].mnemonic)
        pending += follow(arch, frame, step, instructions[at], start, end)
    if frame.is_leaf:
        frame.depth = max(frame.depth, frame.leaf_depth)
    return frame


def follow(
    arch: Arch, frame: Frame, step: Step, instruction: Any, start: int, end: int
) -> list[tuple[int, State]]:
    """Enters a step into the frame: where the function goes on."""
    sp = step.state.get(arch.stack_pointer)
    place = f"+{instruction.address - start:#x}"
    if not isinstance(sp, Depth) or sp.bytes < 0:
        text = f"{instruction.mnemonic} {instruction.op_str}"
        frame.unproved.add(f"{place}: the stack pointer is not a known depth after it ({text})")
        return []
    frame.depth = max(frame.depth, sp.bytes, step.touches)
    frame.leaf_depth = max(frame.leaf_depth, step.touches_as_leaf)
    if step.call is not None:
        frame.is_leaf = False
        frame.call(step.call, sp.bytes)
    if step.returned is not None and step.returned.get(arch.stack_pointer) != Depth(arch.return_bytes):
        frame.unproved.add(f"{place}: returns with another stack depth than it began with")
    targets = [*step.targets, instruction.address + instruction.size] if step.falls else [*step.targets]
    for target in targets:
        if not start <= target < end:  # a tail call: this frame is gone but for what the caller pushed
            frame.call(target, sp.bytes - arch.return_bytes)
    return [(target, step.state) for target in targets if start <= target < end]
