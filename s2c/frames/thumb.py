"""One Thumb instruction of an M-profile core -> a Step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import capstone
from capstone import arm

from s2c.frames.values import (
    Code,
    State,
    Step,
    Value,
    add,
    align,
    forget,
    is_shifted,
    merge,
    move,
    operands,
    put,
    value_of,
)

MODE = (capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8)
STACK_POINTER = "sp"
RETURN_BYTES = 0  # the return address is in a register
CLOBBERED = ("r0", "r1", "r2", "r3", "ip", "lr")
# Loads and stores of several registers, and how the base moves with "!": 1 is down.
LISTS = {
    arm.ARM_INS_LDM: -1,
    arm.ARM_INS_STM: -1,
    arm.ARM_INS_LDMDB: 1,
    arm.ARM_INS_STMDB: 1,
    arm.ARM_INS_VLDMIA: -1,
    arm.ARM_INS_VSTMIA: -1,
    arm.ARM_INS_VLDMDB: 1,
    arm.ARM_INS_VSTMDB: 1,
}
SLOW = frozenset({arm.ARM_INS_UDIV, arm.ARM_INS_SDIV, arm.ARM_INS_VDIV, arm.ARM_INS_VSQRT})


def register_bytes(registers: list[str]) -> int:
    return sum(8 if name.startswith("d") else 4 for name in registers)


def like(_: bytes) -> None:
    """Of an instruction that capstone lacks: it lacks none here."""


def step(code: Code, instruction: Any, state: State) -> Step:
    after = step_always(code, instruction, state)
    if instruction.cc in (arm.ARM_CC_AL, arm.ARM_CC_INVALID) or instruction.id == arm.ARM_INS_IT:
        return after
    if after.returned is not None:
        return replace(after, state=state, falls=True)
    if after.state.get("sp") != state.get("sp"):
        return replace(after, unproved="moves the stack pointer under a condition")
    return replace(after, state=merge(state, after.state), falls=True)


def step_always(code: Code, instruction: Any, state: State) -> Step:
    """One instruction whose condition holds."""
    kind, values = instruction.id, operands(instruction)
    if kind in (arm.ARM_INS_BL, arm.ARM_INS_BLX):
        if isinstance(values[0], int):
            return Step(forget(state, *CLOBBERED), call=values[0])
        return Step(forget(state, *CLOBBERED), unproved="calls through a pointer")
    if kind == arm.ARM_INS_B:
        return Step(state, targets=(values[0],), falls=False)
    if kind in (arm.ARM_INS_CBZ, arm.ARM_INS_CBNZ):
        return Step(state, targets=(values[1],))
    if kind in (arm.ARM_INS_TBB, arm.ARM_INS_TBH):
        return Step(state, targets=table_targets(code, instruction), falls=False)
    if kind == arm.ARM_INS_BX and values[0] == "lr":
        return Step(state, falls=False, returned=state)
    if kind == arm.ARM_INS_UDF:
        return Step(state, falls=False)
    if kind in (arm.ARM_INS_SVC, arm.ARM_INS_BKPT):
        return Step(state, unproved=f"enters an exception by {instruction.mnemonic}")
    after = next_state(code, instruction, values, state)
    loads_pc = kind in (arm.ARM_INS_POP, arm.ARM_INS_LDM) and "pc" in values
    if loads_pc or (kind == arm.ARM_INS_LDR and values[0] == "pc" and values[1][0] == "sp"):
        return Step(after, falls=False, returned=after)
    _, written = instruction.regs_access()
    if kind == arm.ARM_INS_BX or arm.ARM_REG_PC in written:
        return Step(after, falls=False, unproved="jumps through a pointer")
    return Step(after)


def next_state(code: Code, instruction: Any, values: list[Any], state: State) -> State:
    """The registers after an instruction that goes on to the next, or returns."""
    kind = instruction.id
    _, written = instruction.regs_access()
    after = forget(
        state, *(instruction.reg_name(register) for register in written if register != arm.ARM_REG_SP)
    )
    if kind in (arm.ARM_INS_PUSH, arm.ARM_INS_VPUSH):
        return move(state, "sp", register_bytes(values))
    if kind in (arm.ARM_INS_POP, arm.ARM_INS_VPOP):
        return move(after, "sp", -register_bytes(values))
    if kind in LISTS and instruction.writeback:
        return put(after, values[0], add(state.get(values[0]), LISTS[kind] * register_bytes(values[1:]), -1))
    if instruction.writeback:
        base = next(value for value in values if isinstance(value, tuple))
        change = values[-1] if instruction.post_index else base[2]
        moved = add(state.get(base[0]), change if isinstance(change, int) and not base[1] else None)
        return put(after, base[0], moved)
    if kind in VALUES and not is_shifted(instruction):
        return put(after, values[0], VALUES[kind](values, state))
    if kind == arm.ARM_INS_LDR and values[1][0] == "pc" and not values[1][1]:
        literal = code.read(((instruction.address + 4) & ~3) + values[1][2], 4)
        return put(after, values[0], int.from_bytes(literal, "little", signed=True))
    return forget(after, "sp") if arm.ARM_REG_SP in written else after


def total(sign: int) -> Callable[[list[Any], State], Value | None]:
    return lambda values, state: add(value_of(state, values[-2]), value_of(state, values[-1]), sign)


def movt(values: list[Any], state: State) -> Value | None:
    low = state.get(values[0])
    if not isinstance(low, int):
        return None
    return int.from_bytes(((low & 0xFFFF) | values[1] << 16).to_bytes(4, "little"), "little", signed=True)


def bfc(values: list[Any], state: State) -> Value | None:
    return align(state.get(values[0]), 1 << values[2]) if values[1] == 0 else None


def bic(values: list[Any], state: State) -> Value | None:
    mask = values[-1]
    return (
        align(value_of(state, values[-2]), mask + 1)
        if isinstance(mask, int) and not mask & (mask + 1)
        else None
    )


VALUES: dict[int, Callable[[list[Any], State], Value | None]] = {
    arm.ARM_INS_ADD: total(1),
    arm.ARM_INS_ADDW: total(1),
    arm.ARM_INS_SUB: total(-1),
    arm.ARM_INS_SUBW: total(-1),
    arm.ARM_INS_MOV: lambda values, state: value_of(state, values[1]),
    arm.ARM_INS_MOVW: lambda values, state: values[1],
    arm.ARM_INS_MOVT: movt,
    arm.ARM_INS_BFC: bfc,
    arm.ARM_INS_BIC: bic,
}


def table_targets(code: Code, instruction: Any) -> tuple[int, ...]:
    """The targets of tbb and tbh: the table follows, and ends where instructions go on."""
    table = instruction.address + 4
    width = 1 if instruction.id == arm.ARM_INS_TBB else 2
    ranges = next(
        ranges for ranges in code.ranges.values() if any(low <= table - 4 < high for low, high in ranges)
    )
    end = min((low for low, _ in ranges if low >= table), default=table)
    data = code.read(table, end - table)
    entries = [int.from_bytes(data[at : at + width], "little") for at in range(0, len(data), width)]
    if width == 1 and entries and entries[-1] == 0:
        entries.pop()  # the byte that pads the table to a halfword
    return tuple(sorted({table + 2 * entry for entry in entries}))
