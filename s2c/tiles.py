"""How many rows and columns of a contraction a kernel keeps in vector registers at a time."""

from __future__ import annotations

from dataclasses import dataclass

PANEL = 16  # columns, of which a tile has a multiple: kernels/c/lib/panels_f32.h
MOST_ROWS = 14
MOST_VECTORS = 8
LATENCY = 8  # sums that must be under way for a multiply-add to start in every cycle on every unit
START = 24  # of a tile: what its first sums and its results cost, in multiply-adds of a vector


@dataclass(frozen=True)
class Vectors:
    """A target's vector registers: bytes of one, and how many there are."""

    bytes: int
    registers: int


SCALAR = Vectors(4, 0)


@dataclass(frozen=True)
class Tile:
    """rows, and columns in elements: a multiple of PANEL."""

    rows: int
    columns: int


@dataclass(frozen=True)
class Work:
    """A line of rows by columns, over depth. is_whole: rows left over cost as much as a whole tile."""

    rows: int
    columns: int
    depth: int
    is_whole: bool = False


def cheapest_tiles(work: Work, vectors: Vectors, count: int) -> list[Tile]:
    """At most count, the cheapest first."""
    return [tile for _, tile in priced_tiles(work, vectors)[:count]]


def priced_tiles(work: Work, vectors: Vectors) -> list[tuple[int, Tile]]:
    """All that the registers hold and what they cost by `tile_cost`, the cheapest first; of equals the one
    with most rows."""
    lanes = vectors.bytes // 4
    unit = max(PANEL // lanes, 1)
    widest = -(-work.columns // PANEL) * unit
    found = [
        (tile_rows, wide)
        for tile_rows in range(min(work.rows, MOST_ROWS), 0, -1)
        for wide in range(unit, max(min(widest, MOST_VECTORS), unit) + 1, unit)
        if tile_rows * wide + wide + 1 <= vectors.registers or (tile_rows, wide) == (1, unit)
    ]
    across = -(-work.columns // lanes)
    priced = [
        (cost(work, across, tile_rows, wide), Tile(tile_rows, wide * lanes)) for tile_rows, wide in found
    ]
    return sorted(priced, key=lambda each: each[0])


def cost(work: Work, vectors: int, tile_rows: int, wide: int) -> int:
    """Of a line, in multiply-adds of a vector; the rows and vectors left over make smaller tiles."""
    rows = -(-work.rows // tile_rows) * tile_rows if work.is_whole else work.rows
    return sum(
        count * across * tile_cost(height, width, work.depth)
        for height, count in parts(rows, tile_rows)
        for width, across in parts(vectors, wide)
    )


def parts(total: int, size: int) -> list[tuple[int, int]]:
    """Sizes of tiles with how many there are of each."""
    return [(each, count) for each, count in ((size, total // size), (total % size, 1)) if each and count]


def tile_cost(rows: int, vectors: int, depth: int) -> int:
    """A step of the depth takes as long as its multiply-adds, its loads or the wait for a sum, whichever is
    longest."""
    return depth * max(rows * vectors, rows + vectors, LATENCY) + START + 2 * rows * vectors
