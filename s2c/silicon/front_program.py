"""Schedule -> the fields of the front half's program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from s2c.silicon.datapath import Lanes, signed_bits, unsigned_bits
from s2c.silicon.fields import Field, flag, make_field, unsigned_field
from s2c.silicon.instructions import Front, Loop, Unit, make_loops
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import Sizes, find_transfers

COMPUTED = (Unit.MULTIPLY, Unit.MOST, Unit.TABLE)


def front_fields(schedule: Schedule, sizes: Sizes, is_whole: bool = True) -> list[Field]:
    """Of the instructions, then, of a whole chip, of a word for each output, which is sent byte by byte."""
    fronts = [*(each.front for each in schedule.instructions), *(send_outputs(schedule) if is_whole else ())]
    depth = max(1, *(len(each.loops) for each in fronts))
    return [
        *call_fields(fronts, sizes, schedule),
        *(each for level in range(depth) for each in loop_fields(fronts, level, sizes)),
        *padding_fields(fronts, sizes, depth),
        *softmax_fields(fronts, sizes),
    ]


def send_outputs(schedule: Schedule) -> list[Front]:
    _, outputs = find_transfers(schedule.plan)
    sent = [
        Front(
            Unit.SEND, each.address, loops=make_loops([(each.size, 1, 0, 0)]), tile_loops=int(each.size > 1)
        )
        for each in outputs
    ]
    sent[0] = replace(sent[0], wait=schedule.finish)
    return sent


def call_fields(fronts: Sequence[Front], sizes: Sizes, schedule: Schedule) -> list[Field]:
    idle = unsigned_bits(max(max(each.wait, each.gap) for each in fronts))

    def of_steps(value: Callable[[Front], int | None]) -> list[int | None]:
        return [value(each) if each.unit in COMPUTED else None for each in fronts]

    return [
        make_field("address", sizes.address, [each.address for each in fronts]),
        make_field("wait", idle, [each.wait for each in fronts]),
        make_field("gap", idle, of_steps(lambda each: each.gap if each.tiles > 1 else None)),
        make_field(
            "words", word_bits(schedule), of_steps(lambda each: each.words if has_words(each) else None)
        ),
        flag("softmax", [each.unit == Unit.SOFTMAX for each in fronts]),
        flag("send", [each.unit == Unit.SEND for each in fronts]),
        flag("is_final", [each is fronts[-1] for each in fronts]),
        flag("tables", of_steps(lambda each: each.unit == Unit.TABLE)),
        flag("most", of_steps(lambda each: each.unit == Unit.MOST)),
        flag("ones", of_steps(lambda each: each.ones or each.unit == Unit.MOST)),
        make_field("spread", max(sizes.turn, 1), of_steps(lambda each: spread_of(each, schedule.lanes))),
    ]


def has_words(front: Front) -> bool:
    """Of weights, or tables."""
    return front.unit == Unit.TABLE or (front.unit == Unit.MULTIPLY and not front.ones)


def word_bits(schedule: Schedule) -> int:
    """Of the counter of weights, or of a tile's tables."""
    weights, tables = schedule.roms.weights, schedule.roms.tables
    return unsigned_bits(max(len(weights), len(tables)) - 1)


def spread_of(front: Front, lanes: Lanes) -> int | None:
    """Lane i takes byte i & spread."""
    if front.unit == Unit.TABLE:
        return None
    return lanes.count - 1 if front.channelwise else (1 << front.merge) - 1


def loop_fields(fronts: Sequence[Front], level: int, sizes: Sizes) -> list[Field]:
    """A loop that an instruction has not is in its last round from the start."""

    def of_loops(value: Callable[[Front, Loop], int | None]) -> list[int | None]:
        return [value(each, each.loops[level]) if level < len(each.loops) else None for each in fronts]

    counts = [each.loops[level].count - 1 if level < len(each.loops) else 0 for each in fronts]
    return [
        unsigned_field(f"count_{level}", counts),
        make_field(f"stride_{level}", sizes.address, of_loops(lambda _, loop: loop.address)),
        flag(f"of_tile_{level}", of_loops(lambda front, _: level < front.tile_loops)),
        flag(
            f"of_row_{level}",
            of_loops(lambda front, _: level < front.row_loops if front.unit in COMPUTED else None),
        ),
    ]


def padding_fields(fronts: Sequence[Front], sizes: Sizes, depth: int) -> list[Field]:
    """None where no call has padding."""
    padded = [each for each in fronts if each.image is not None]
    if not padded:
        return []

    def of_padded(value: Callable[[Front], int | None]) -> list[int | None]:
        return [value(each) if each.image is not None else None for each in fronts]

    def stride(name: str, level: int) -> list[int | None]:
        return of_padded(
            lambda each: int(getattr(each.loops[level], name)) if level < len(each.loops) else None
        )

    line = max(signed_bits(*span(each, "line", image_of(each)[0])) for each in padded)
    reach = [signed_bits(*span(each, "offset", image_of(each)[1])) for each in padded]
    offset = max(*reach, signed_bits(0, sizes.read))
    fields = [
        flag("image", [each.image is not None for each in fronts]),
        make_field("lines", line, of_padded(lambda each: image_of(each)[0])),
        make_field("row", offset, of_padded(lambda each: image_of(each)[1])),
        make_field("value", 8, of_padded(lambda each: each.value)),
        make_field("line", line, of_padded(lambda each: each.line)),
        make_field("offset", offset, of_padded(lambda each: each.offset)),
    ]
    for level in range(depth):
        fields.append(make_field(f"line_stride_{level}", line, stride("line", level)))
        fields.append(make_field(f"offset_stride_{level}", offset, stride("offset", level)))
    return fields


def image_of(front: Front) -> tuple[int, int]:
    assert front.image is not None
    return front.image


def span(front: Front, name: str, end: int) -> tuple[int, int]:
    """The least and the largest line or offset of a step, and `end`."""
    low = high = int(getattr(front, name))
    taken_back = 0
    for loop in front.loops:
        stride = int(getattr(loop, name)) + taken_back
        taken_back += stride * (loop.count - 1)
        low, high = low + min(stride * (loop.count - 1), 0), high + max(stride * (loop.count - 1), 0)
    return low, max(high, end)


def softmax_fields(fronts: Sequence[Front], sizes: Sizes) -> list[Field]:
    """None where no call is a softmax."""

    def of_softmax(value: Callable[[Front], int]) -> list[int | None]:
        return [value(each) if each.unit == Unit.SOFTMAX else None for each in fronts]

    if all(each.unit != Unit.SOFTMAX for each in fronts):
        return []
    return [
        make_field("softmax_source", sizes.address, of_softmax(lambda each: each.address)),
        make_field("softmax_target", sizes.address, of_softmax(lambda each: each.output)),
        unsigned_field("softmax_rows", of_softmax(lambda each: each.count - 1)),
        unsigned_field("softmax_size", of_softmax(lambda each: each.size - 1)),
        unsigned_field("softmax_number", of_softmax(lambda each: each.words)),
    ]
