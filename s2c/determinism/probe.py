"""This process: what keeps it undisturbed, an empty loop, and counters of what its calls do."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import resource
import struct
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from s2c.determinism.peers import Session, Settings
from s2c.own_code import LIBRARY, build_own

PRIORITY = 50  # of SCHED_FIFO: above all ordinary processes, below what the kernel runs
LOCK_CURRENT, LOCK_FUTURE = 1, 2  # mlockall
PROBE_STEPS = 100_000
PROBES = 500  # some would not do: another process may hold the core for milliseconds
COUNTED_CALLS = 200


@cache
def load_probe() -> ctypes.CDLL:
    probe = ctypes.CDLL(str(build_own(Path(__file__).with_name("probe.c"), *LIBRARY)))
    probe.s2c_probe_spin.argtypes = [ctypes.c_int64]
    probe.s2c_probe_spin.restype = None
    return probe


# what keeps a process undisturbed


def settle(cores: tuple[int, ...]) -> dict[str, str]:
    """Asks for all that keeps this process undisturbed: "" for what was granted, or why it was not."""

    def lock() -> None:
        library = ctypes.CDLL(None, use_errno=True)
        if library.mlockall(LOCK_CURRENT | LOCK_FUTURE) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    steps: Mapping[str, Callable[[], object]] = {
        f"core {', '.join(map(str, cores))}": lambda: os.sched_setaffinity(0, cores),
        "SCHED_FIFO": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY)),
        "mlockall": lock,
        "prefault": load_probe().s2c_probe_touch_stack,
    }
    return {name: attempt(step) for name, step in steps.items()}


def attempt(step: Callable[[], object]) -> str:
    try:
        step()
    except OSError as problem:
        return problem.strerror or type(problem).__name__
    return ""


def is_throttled() -> bool:
    """Whether the kernel stops real-time processes that use a core for most of a second."""
    with suppress(OSError, ValueError):
        return int(Path("/proc/sys/kernel/sched_rt_runtime_us").read_text()) >= 0
    return True


def quiet_core() -> int:
    """One that the kernel keeps others from, where there is one; else the last that we may use."""
    free = sorted(os.sched_getaffinity(0))
    with suppress(OSError):
        isolated = parse_cores(Path("/sys/devices/system/cpu/isolated").read_text())
        free = [core for core in free if core in isolated] or free
    return free[-1]


def parse_cores(text: str) -> set[int]:
    """ "1-3,5" as the kernel writes it."""
    cores: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return cores


# an empty loop


def open_spin(_: Path, __: Settings, nanoseconds: float) -> Session:
    """A loop of registers alone that takes so long: what disturbs it is the machine."""
    spin = load_probe().s2c_probe_spin
    fastest = min(time_once(partial(spin, PROBE_STEPS)) for _ in range(PROBES))
    steps = max(1, round(PROBE_STEPS * nanoseconds / fastest))
    return Session(shapes=(), write=lambda _: None, call=partial(spin, steps), read=list)


def time_once(call: Callable[[], object]) -> int:
    started = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - started


# counters

PERF_SYSCALL = {"x86_64": 298, "aarch64": 241}  # perf_event_open
HARDWARE, TRACEPOINT, INSTRUCTIONS = 0, 2, 1  # linux/perf_event.h
ENABLE, DISABLE = 0x2400, 0x2401
EVENT_BYTES = 112
DISABLED, INHERIT, NO_KERNEL, NO_HYPERVISOR = 1 << 0, 1 << 1, 1 << 5, 1 << 6
ENTRIES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")


@dataclass(frozen=True)
class Count:
    """Of one call, the mean; why_not where it could not be counted."""

    of_a_call: float | None
    why_not: str = ""


def open_event(kind: int, config: int, flags: int) -> int:
    """A counter of this thread and those that it starts, as a file. OSError where that is not permitted."""
    number = PERF_SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"not known for {platform.machine()}")
    event = struct.pack("=IIQQQQQ", kind, EVENT_BYTES, config, 0, 0, 0, flags).ljust(EVENT_BYTES, b"\0")
    library = ctypes.CDLL(None, use_errno=True)
    file: int = library.syscall(number, ctypes.c_char_p(event), 0, -1, -1, 0)
    if file < 0:
        raise OSError(ctypes.get_errno(), f"perf_event_open: {os.strerror(ctypes.get_errno())}")
    return file


def open_instructions() -> int:
    try:
        return open_event(HARDWARE, INSTRUCTIONS, DISABLED | INHERIT | NO_KERNEL | NO_HYPERVISOR)
    except OSError as problem:
        if problem.errno not in (errno.ENOENT, errno.EOPNOTSUPP):
            raise
        raise OSError(problem.errno, f"this machine shows no counter of them ({problem.strerror})") from None


def open_syscalls() -> int:
    for place in ENTRIES:
        with suppress(OSError):
            entry = int(Path(place, "events/raw_syscalls/sys_enter/id").read_text())
            return open_event(TRACEPOINT, entry, DISABLED | INHERIT)
    raise OSError(errno.ENOENT, f"no tracefs at {ENTRIES[0]} that may be read, or perf_event_open is refused")


def count_events(open_counter: Callable[[], int], call: Callable[[], object]) -> Count:
    """Events of `call`, less those of an empty one: turning the counter off is a system call itself."""
    try:
        file = open_counter()
    except OSError as problem:
        return Count(None, problem.strerror or "not permitted")
    try:
        nothing, something = (count_once(file, each) for each in (lambda: None, call))
    finally:
        os.close(file)
    return Count(something - nothing)


def count_once(file: int, call: Callable[[], object]) -> int:
    before = read_event(file)
    fcntl.ioctl(file, ENABLE)
    call()
    fcntl.ioctl(file, DISABLE)
    return read_event(file) - before


def read_event(file: int) -> int:
    return int.from_bytes(os.read(file, 8), sys.byteorder)


def count_allocations(call: Callable[[], object]) -> Count:
    probe = load_probe()
    if probe.s2c_probe_watch() == 0:
        return Count(None, "no library calls malloc through a table that can be written")
    calls = ctypes.c_uint64.in_dll(probe, "s2c_probe_calls")
    before = calls.value
    call()
    return Count(calls.value - before)


def count_faults(call: Callable[[], object]) -> Count:
    before = resource.getrusage(resource.RUSAGE_SELF)
    call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return Count(after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt)


COUNTERS: Mapping[str, Callable[[Callable[[], object]], Count]] = {
    "page_faults": count_faults,
    "syscalls": partial(count_events, open_syscalls),
    "instructions": partial(count_events, open_instructions),
    "mallocs": count_allocations,  # last: from then on each allocation costs a little more
}


def count_calls(session: Session) -> dict[str, dict[str, Any]]:
    """Means over COUNTED_CALLS, by counter; the inputs stay as the last call left them."""
    call = session.call

    def repeat() -> None:
        for _ in range(COUNTED_CALLS):
            call()

    repeat()  # once more, so that the first of them is no first
    found = {name: counter(repeat) for name, counter in COUNTERS.items()}
    return {
        name: {
            "of_a_call": None if each.of_a_call is None else each.of_a_call / COUNTED_CALLS,
            "why_not": each.why_not,
        }
        for name, each in found.items()
    }
