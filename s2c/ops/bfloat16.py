"""bfloat16: float32 of which the upper 16 bits are kept."""

from __future__ import annotations

import numpy as np


def to_bfloat16(array: np.ndarray) -> np.ndarray:
    """float32 to the nearest number of 8 significant bits, ties to even; subnormals to zero, as processors
    do."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    rounded = np.where(np.isnan(array), bits | np.uint32(0x400000), rounded) & np.uint32(0xFFFF0000)
    is_flushed = np.abs(array) < np.finfo(np.float32).tiny
    return np.where(is_flushed, np.copysign(np.float32(0), array), rounded.view(np.float32))
