"""Schedule -> the fields of the back half's program."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2c.silicon.datapath import Lanes, unsigned_bits
from s2c.silicon.fields import Field, flag, make_field, unsigned_field
from s2c.silicon.instructions import Back, Params, Rounding
from s2c.silicon.params import MULTIPLIER_BITS, Scales, amount_of, find_scales
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import Sizes, find_transfers

CYCLE_BITS = 3  # of a tile's draining, at least


def back_fields(schedule: Schedule, sizes: Sizes, is_whole: bool = True) -> list[Field]:
    """Of a whole chip, of a word for each input, which is received byte by byte; then of the instructions
    that have a back half."""
    inputs = find_transfers(schedule.plan)[0] if is_whole else ()
    calls = [each.back for each in schedule.instructions if each.back is not None]
    backs: list[Back | None] = [*(None for _ in inputs), *calls]

    def of_calls(value: Callable[[Back], int | None]) -> list[int | None]:
        return [value(each) if each is not None else None for each in backs]

    lanes = schedule.lanes
    drained = {each: max((1 << each.merge) // lanes.results, 1) for each in calls}
    merge = unsigned_bits(max([lanes.results.bit_length() - 1, *(each.merge for each in calls)]))
    return [
        make_field(
            "output", sizes.address, [*(each.address for each in inputs), *(each.output for each in calls)]
        ),
        unsigned_field("columns", [*(each.size for each in inputs), *(each.columns for each in calls)]),
        flag("is_last_input", [*(each is inputs[-1] for each in inputs), *([None] * len(calls))]),
        unsigned_field("tiles", of_calls(lambda each: each.tiles - 1)),
        make_field("skip", sizes.address, of_calls(lambda each: each.skip if each.rows > 1 else None)),
        make_field("take", sizes.count, of_calls(lambda each: each.take)),
        make_field("last_cycle", cycle_bits(lanes), of_calls(lambda each: each.beats * drained[each] - 1)),
        make_field("phase_mask", cycle_bits(lanes), of_calls(lambda each: drained[each] - 1)),
        make_field("merge", merge, of_calls(lambda each: each.merge)),
        make_field("params", unsigned_bits(len(schedule.roms.bias) - 1), of_calls(lambda each: each.params)),
        flag("by_beat", of_calls(lambda each: each.params_step == Params.BEAT)),
        flag("by_row", of_calls(lambda each: each.params_step == Params.ROW)),
        make_field("zero", 8, of_calls(lambda each: each.zero)),
        make_field("lo", 8, of_calls(lambda each: each.lo)),
        make_field("hi", 8, of_calls(lambda each: each.hi)),
        make_field("least", 9, of_calls(lambda each: each.lo - each.zero)),
        make_field("most", 9, of_calls(lambda each: each.hi - each.zero)),
        flag("twice", of_calls(lambda each: each.rounding == Rounding.TWICE)),
        *(scale_fields(backs, find_scales(schedule)) if schedule.roms.is_uniform else []),
    ]


def cycle_bits(lanes: Lanes) -> int:
    return max(CYCLE_BITS, unsigned_bits(lanes.beats - 1))


def scale_fields(backs: Sequence[Back | None], scales: Scales) -> list[Field]:
    amount = unsigned_bits(scales.most_amount - scales.least_amount)

    def of_scaled(value: Callable[[Back], int]) -> list[int | None]:
        """Of a multiplier of 0 no shift matters."""
        return [value(each) if each is not None and each.multiplier else None for each in backs]

    def right(back: Back) -> int:
        return amount_of(back.shift, back.rounding) - scales.least_amount

    multipliers = [each.multiplier if each is not None else None for each in backs]
    return [
        make_field("multiplier", MULTIPLIER_BITS, multipliers),
        make_field("left", unsigned_bits(scales.most_left), of_scaled(lambda each: max(each.shift, 0))),
        make_field("amount", amount, of_scaled(right)),
    ]
