"""The kernel's timer tick on this core: when it comes, and calls that lie between two of them.

A tick interrupts whatever runs, so it says nothing of a runtime; but it hits more than one short call in a
thousand, and then decides their p99.9. What is left between ticks is what the runtime itself and the rest of
the machine do to a call.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

RATES = (1000, 300, 250, 100)  # Hz, of which Linux is configured with one
LISTENING = 0.6  # seconds
GAP = 2_000  # nanoseconds between two looks at the clock: some would be no interruption
NEAR = 60_000  # nanoseconds by which ticks come off their phase, at most
REGULAR = 0.7  # of the ticks of a rate must have been felt
WINDOW = 50_000  # nanoseconds in which a call may begin, at least: many looks at the clock


@dataclass(frozen=True)
class Tick:
    """Nanoseconds of time.perf_counter_ns: it comes at phase, modulo period, and is over after length."""

    period: int
    phase: int
    length: int

    def wait(self, needed: int) -> bool:
        """Until so many nanoseconds are left before the next, or, where so many never are, one is just over;
        whether there was anything to wait for."""
        is_late = False
        last = max(self.period - needed, self.length + WINDOW)
        while not self.length <= (time.perf_counter_ns() - self.phase) % self.period <= last:
            is_late = True
        return is_late

    def leaves(self, needed: int) -> bool:
        """Whether there is time for it between two."""
        return self.length + WINDOW + needed <= self.period


def listen(seconds: float = LISTENING) -> np.ndarray:
    """Where this process, which does nothing else, was interrupted: [interruptions, 2], start and length in
    nanoseconds."""
    clock, found = time.perf_counter_ns, []
    before = clock()
    end = before + int(seconds * 1e9)
    while before < end:
        now = clock()
        if now - before > GAP:
            found.append((before, now - before))
        before = now
    return np.array(found, np.int64).reshape(-1, 2)


def find_tick(interruptions: np.ndarray, seconds: float = LISTENING) -> Tick | None:
    """The fastest rate whose ticks were felt; None where there is none, as on a core without ticks."""
    starts, lengths = interruptions[:, 0], interruptions[:, 1]
    for rate in RATES:
        period = round(1e9 / rate)
        phases = starts % period
        best = 0
        for phase in np.sort(phases):
            is_near = (phases - phase) % period < NEAR
            felt = len(np.unique((starts[is_near] - phase) // period))
            if felt > best:
                best, first, near = felt, int(phase), is_near
        if best >= REGULAR * seconds * rate:
            return Tick(period, first, NEAR + int(np.percentile(lengths[near], 90)))
    return None
