"""One x86-64 instruction -> a Step."""

from __future__ import annotations

from typing import Any

import capstone
from capstone import x86

from s2c.frames.values import Code, Depth, State, Step, add, align, forget, move, operands, put, value_of

MODE = (capstone.CS_ARCH_X86, capstone.CS_MODE_64)
STACK_POINTER = "rsp"
RETURN_BYTES = 8  # a call pushes the return address
SLOW = frozenset(
    getattr(x86, f"X86_INS_{name}")
    for plain in ("DIV", "IDIV", "DIVSS", "DIVSD", "DIVPS", "DIVPD", "SQRTSS", "SQRTSD", "SQRTPS", "SQRTPD")
    for name in (plain, f"V{plain}")
    if hasattr(x86, f"X86_INS_{name}")
)
RED_ZONE_BYTES = 128  # System V ABI, AMD64 supplement, 3.2.2: a function that calls nothing may use it
CLOBBERED = ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
ENDS = {x86.X86_INS_UD2, x86.X86_INS_HLT, x86.X86_INS_INT3}


# Prefix and opcode, in the map 0F38, of AVX512-BF16 with those of others that have the same operands.
LIKE = {
    (2, 0x52): (1, 0x50),  # vdpbf16ps: vpdpbusd
    (3, 0x72): (1, 0x40),  # vcvtne2ps2bf16: vpmulld
    (2, 0x72): (1, 0x1E),  # vcvtneps2bf16: vpabsd
}


def like(text: bytes) -> bytes | None:
    """Intel SDM, 2.7.1: EVEX is 62 P0 P1 P2 opcode; P0 ends in the map, P1 in the prefix."""
    if len(text) < 5 or text[0] != 0x62 or text[1] & 7 != 2 or (text[2] & 3, text[4]) not in LIKE:
        return None
    prefix, opcode = LIKE[text[2] & 3, text[4]]
    return bytes((*text[:2], text[2] & ~3 | prefix, text[3], opcode)) + text[5:]


def step(code: Code, instruction: Any, state: State) -> Step:
    kind, values = instruction.id, operands(instruction)
    if kind == x86.X86_INS_CALL:
        if isinstance(values[0], int):
            return Step(forget(state, *CLOBBERED), call=values[0])
        return Step(forget(state, *CLOBBERED), unproved="calls through a pointer")
    if kind == x86.X86_INS_RET:
        return Step(state, falls=False, returned=state)
    if kind in ENDS:
        return Step(state, falls=False)
    if instruction.group(capstone.CS_GRP_JUMP):
        falls = kind != x86.X86_INS_JMP
        if isinstance(values[0], int):
            return Step(state, targets=(values[0],), falls=falls)
        return Step(state, falls=False, unproved="jumps through a pointer")
    if kind == x86.X86_INS_SYSCALL or instruction.group(capstone.CS_GRP_INT):
        return Step(state, unproved=f"enters the system by {instruction.mnemonic}")
    touched, is_red = 0, False
    for base, index, displacement in (value for value in values if isinstance(value, tuple)):
        held = state.get(base)
        if isinstance(held, Depth):
            touched = max(touched, held.bytes - displacement)
            # An index may be negative, and a pointer may go down: then this is not the lowest byte.
            is_red |= bool(index) or (kind == x86.X86_INS_LEA and values[0] != STACK_POINTER)
    sp = state[STACK_POINTER]
    red_zone = sp.bytes + RED_ZONE_BYTES if is_red and isinstance(sp, Depth) else 0
    return Step(next_state(instruction, values, state), touches=touched, touches_as_leaf=red_zone)


def next_state(instruction: Any, values: list[Any], state: State) -> State:
    """The registers after an instruction that goes on to the next."""
    kind = instruction.id
    _, written = instruction.regs_access()
    names = {instruction.reg_name(register) for register in written}
    after = forget(state, *(key for key in state if key != "rsp" and names & PARTS.get(key, {key})))
    if kind == x86.X86_INS_PUSH:
        return move(state, "rsp", 8)
    if kind == x86.X86_INS_POP:
        return move(after, "rsp", -8)
    if kind == x86.X86_INS_LEAVE:
        return forget(put(after, "rsp", add(state.get("rbp"), 8)), "rbp")
    if kind in (x86.X86_INS_ADD, x86.X86_INS_SUB):
        sign = 1 if kind == x86.X86_INS_ADD else -1
        total = add(value_of(state, values[0]), value_of(state, values[1]), sign)
    elif kind == x86.X86_INS_LEA:
        base, index, displacement = values[1]
        total = add(state.get(base), displacement) if not index else None
    elif kind in (x86.X86_INS_MOV, x86.X86_INS_MOVABS):
        total = value_of(state, values[1])
    elif (
        kind == x86.X86_INS_AND
        and isinstance(values[1], int)
        and values[1] < 0
        and not -values[1] & ~values[1]
    ):
        total = align(state.get(values[0]), -values[1])
    else:
        return forget(after, "rsp") if "rsp" in names else after
    if not isinstance(values[0], str):
        return after
    is_wide = values[0] in PARTS or values[0].startswith("e") or values[0].endswith("d")
    return put(after, widest(values[0]), total if is_wide else None)


# A write to a part of a register ends what is known of the whole.
PARTS = {
    **{f"r{x}x": {f"r{x}x", f"e{x}x", f"{x}x", f"{x}l", f"{x}h"} for x in "abcd"},
    **{f"r{x}": {f"r{x}", f"e{x}", x, f"{x}l"} for x in ("si", "di", "bp", "sp")},
    **{f"r{n}": {f"r{n}", f"r{n}d", f"r{n}w", f"r{n}b"} for n in range(8, 16)},
}


def widest(register: str) -> str:
    return next((whole for whole, parts in PARTS.items() if register in parts), register)
