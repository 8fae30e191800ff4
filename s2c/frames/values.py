"""What an instruction does to the stack pointer and to control, in one vocabulary for all architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import capstone


@dataclass(frozen=True)
class Depth:
    """The stack pointer on entry less `bytes`: exact, or more than the true depth after an alignment."""

    bytes: int


Value = Depth | int  # an int is a constant
State = Mapping[str, Value]  # registers; one that is not known is left out


@dataclass(frozen=True)
class Code:
    """Executable bytes of an image and how to read them."""

    read: Callable[[int, int], bytes]  # address, size -> bytes; empty outside the image
    ranges: Mapping[int, tuple[tuple[int, int], ...]]  # of a function: where instructions lie, without data


@dataclass(frozen=True)
class Step:
    """What one instruction does: the state after it, and where control goes."""

    state: State
    targets: tuple[int, ...] = ()  # jumps
    falls: bool = True  # goes on to the next instruction
    call: int | None = None
    returned: State | None = None  # what a caller gets back, if it may return here
    touches: int = 0  # bytes below the entry's stack pointer that it reads or writes, a red zone for example
    touches_as_leaf: int = 0  # the same, if the function calls nothing: then it may use all of its red zone
    unproved: str | None = None


def operands(instruction: Any) -> list[Any]:
    """Registers as names, immediates as ints, memory as (base, index, displacement)."""
    name = instruction.reg_name
    found: list[Any] = []
    for operand in instruction.operands:
        if operand.type == capstone.CS_OP_REG:
            found.append(name(operand.reg))
        elif operand.type == capstone.CS_OP_IMM:
            found.append(operand.imm)
        elif operand.type == capstone.CS_OP_MEM:
            memory = operand.mem
            found.append((name(memory.base) or "", name(memory.index) or "", memory.disp))
        else:
            found.append(None)
    return found


def is_shifted(instruction: Any) -> bool:
    return any(getattr(operand, "shift", None) and operand.shift.type for operand in instruction.operands)


def value_of(state: State, operand: Any) -> Value | None:
    return operand if isinstance(operand, int) else state.get(operand)


def add(left: Value | None, right: Value | None, sign: int = 1) -> Value | None:
    if isinstance(left, int) and isinstance(right, int):
        return left + sign * right
    if isinstance(left, Depth) and isinstance(right, int):
        return Depth(left.bytes - sign * right)
    if isinstance(left, int) and isinstance(right, Depth) and sign == 1:
        return Depth(right.bytes - left)
    return None


def align(value: Value | None, bytes_: int) -> Value | None:
    """`value` rounded down to a multiple: at most bytes_ - 1 deeper."""
    return Depth(value.bytes + bytes_ - 1) if isinstance(value, Depth) else None


def put(state: State, register: str, value: Value | None) -> State:
    kept = {key: each for key, each in state.items() if key != register}
    return kept if value is None else {**kept, register: value}


def forget(state: State, *registers: str) -> State:
    return {key: value for key, value in state.items() if key not in registers}


def move(state: State, register: str, bytes_: int) -> State:
    """`register` lowered by `bytes_`."""
    return put(state, register, add(state.get(register), bytes_, -1))


def merge(left: State, right: State) -> State:
    """What is known on both of two paths."""
    return {key: value for key, value in left.items() if right.get(key) == value}
