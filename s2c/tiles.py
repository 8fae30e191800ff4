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


def choose_tile(rows: int, columns: int, depth: int, vectors: Vectors) -> Tile:
    """The cheapest by `tile_cost` for a line of rows by columns; the first of equals, large ones first."""
    lanes = vectors.bytes // 4
    unit = max(PANEL // lanes, 1)
    widest = -(-columns // PANEL) * unit
    found = [
        (tile_rows, wide)
        for tile_rows in range(min(rows, MOST_ROWS), 0, -1)
        for wide in range(unit, max(min(widest, MOST_VECTORS), unit) + 1, unit)
        if tile_rows * wide + wide + 1 <= vectors.registers or (tile_rows, wide) == (1, unit)
    ]
    cheapest = min(found, key=lambda tile: cost(rows, -(-columns // lanes), depth, *tile))
    return Tile(cheapest[0], cheapest[1] * lanes)


def cost(rows: int, vectors: int, depth: int, tile_rows: int, wide: int) -> int:
    """Of a line, in multiply-adds of a vector; the rows and vectors left over make smaller tiles."""
    return sum(
        count * across * tile_cost(height, width, depth)
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
