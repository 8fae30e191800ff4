"""Functions of one int8 and sums of two to instructions and tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from s2c.errors import error
from s2c.ops.arithmetic import ADD_LEFT_SHIFT
from s2c.ops.integer import scale
from s2c.plan import Call
from s2c.silicon.datapath import Lanes
from s2c.silicon.instructions import Back, Front, Params, Rounding, Unit, count_loops, make_loops
from s2c.silicon.words import ParamWords, TableWords

VALUES = np.arange(-128, 128, dtype=np.int64)
MOST_SHIFT = 31


def schedule_map(call: Call, lanes: Lanes, tables: TableWords) -> tuple[Front, Back]:
    """One entry for each value."""
    if "table" in call.consts:
        table = np.asarray(call.consts["table"]).view(np.int8)
    else:  # between int8 and uint8, whose bytes differ in the topmost bit
        table = (VALUES ^ -128).astype(np.int8)
    front, back = table_instruction(call, lanes, 1)
    return replace(front, words=tables.add(table)), back


def schedule_add(call: Call, lanes: Lanes, tables: TableWords, params: ParamWords) -> tuple[Front, Back]:
    """Each operand's scaled value from a table of its own; their sum is requantized as any other."""
    number = {name: int(value) for name, value in call.params.items()}
    if number["outer"] * number["inner"] != 1:
        raise error(
            call.layer,
            "an addition of two values of one shape on this target",
            f"an operand that is repeated ({number['outer']} x {number['middle']} x {number['inner']})",
            "expand the operand in the model, or compile for cortex-m4 or host",
        )
    front, back = table_instruction(call, lanes, 2)
    operands = [
        scaled_table(number[f"{each}_zero"], number[f"{each}_multiplier"], number[f"{each}_shift"], number)
        for each in "ab"
    ]
    once, shift = number["add_once"], number["add_shift"]
    multiplier = number["add_multiplier"]
    if once:  # the tables hold products: their sum times 2 ** (31 - shift) is rounded at bit 31
        right = max(shift - MOST_SHIFT, 0)
        multiplier, shift = 1 << (MOST_SHIFT + right - shift), -right
    back = replace(
        params.place_one(back, multiplier, shift),
        rounding=Rounding.ONCE if once else Rounding.TWICE,
        zero=number["add_zero"],
        lo=number["add_lo"],
        hi=number["add_hi"],
    )
    return replace(front, words=tables.add(*operands)), back


def scaled_table(zero: int, multiplier: int, shift: int, number: dict[str, int]) -> np.ndarray:
    centred = VALUES - zero
    if number["add_once"]:
        return centred * multiplier
    return scale(centred << ADD_LEFT_SHIFT, multiplier, shift)


def table_instruction(call: Call, lanes: Lanes, operands: int) -> tuple[Front, Back]:
    """Tiles of as many values as come at once, of each operand one after the other."""
    first, *others = call.inputs
    assert isinstance(first, int), call.layer
    size = call.nodes[-1].type.size
    tiles = -(-size // lanes.results)
    apart = 0
    for other in others:
        assert isinstance(other, int), call.layer
        apart = other - first
    levels = [(operands, apart, 0, 0), (tiles, lanes.results, 0, 0)]
    front = Front(
        unit=Unit.TABLE,
        address=first,
        loops=make_loops(levels),
        tile_loops=count_loops(levels[:1]),
        row_loops=count_loops(levels[:1]),
    )
    back = Back(
        take=lanes.results,
        merge=0,
        columns=size,
        tiles=tiles,
        rows=1,
        beats=1,
        output=call.output,
        skip=0,
        params=0,
        params_step=Params.HOLD,
        rounding=Rounding.NONE,
        zero=0,
        lo=-128,
        hi=127,
    )
    return front, back
