"""A chip's clock, as --mhz gives it."""

from __future__ import annotations

import math

from s2c.errors import error

MHZ = 100.0  # where none is given


def check_clock(mhz: float | None) -> None:
    """CompileError where time cannot be told by it."""
    if mhz is not None and not 0 < mhz < math.inf:
        raise error("--mhz", "a clock above 0 MHz, and finite", f"{mhz:g}", "give the chip's clock")
