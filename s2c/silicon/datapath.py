"""The sizes of a chip: what its modules take as parameters."""

from __future__ import annotations

from dataclasses import dataclass

from s2c.errors import error

LANES = tuple(1 << power for power in range(9))
LANES_PER_RESULT = 8  # at least; a tile is drained in as many cycles


@dataclass(frozen=True)
class Lanes:
    """count: that multiply at once. results: that the back half writes at once, one for so many lanes as
    per_result, a power of two. may_merge: several may share a result."""

    count: int
    may_merge: bool = True
    per_result: int = LANES_PER_RESULT

    @property
    def results(self) -> int:
        return max(self.count // self.per_result, 1)

    @property
    def beats(self) -> int:
        """Cycles in which a tile is drained."""
        return self.count // self.results

    def take(self, merge: int) -> int:
        """Results in a beat where each is the sum of 1 << merge lanes."""
        return max(self.results >> merge, 1)

    def tile_beats(self, merge: int) -> int:
        """Beats of a tile that carry results."""
        return (self.count >> merge) // self.take(merge)


def make_lanes(count: int) -> Lanes:
    if count not in LANES:
        raise error("--lanes", f"one of {', '.join(map(str, LANES))}", str(count), "name one of these")
    return Lanes(count)


def signed_bits(lowest: int, highest: int) -> int:
    """Of two's complement that holds both."""
    return max(highest.bit_length(), (~lowest if lowest < 0 else lowest).bit_length()) + 1


def unsigned_bits(highest: int) -> int:
    return max(highest.bit_length(), 1)
