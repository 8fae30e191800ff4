"""Schedule -> the words of a chip's two programs, field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2c.plan import Plan
from s2c.silicon.datapath import Lanes, signed_bits, unsigned_bits
from s2c.silicon.instructions import Back, Front, Loop, Params, Rounding, Unit, make_loops
from s2c.silicon.schedule import Schedule

MULTIPLIER_BITS = 31
CYCLE_BITS = 3  # of a tile's draining
COMPUTED = (Unit.MULTIPLY, Unit.MOST, Unit.TABLE)
Values = Sequence[int | None]  # one for each word; None: it does not matter


@dataclass(frozen=True)
class Field:
    """values: of each word, in two's complement where negative. bits: of the ROM; a field whose values are all the same needs none."""

    name: str
    width: int
    values: tuple[int, ...]

    @property
    def is_constant(self) -> bool:
        return len(set(self.values)) == 1


def make_field(name: str, width: int, values: Values) -> Field:
    """What does not matter is as what does, where that is all the same, else 0."""
    known = {each for each in values if each is not None}
    other = known.pop() if len(known) == 1 else 0
    mask = (1 << width) - 1
    return Field(name, width, tuple((other if each is None else each) & mask for each in values))


def unsigned_field(name: str, values: Values) -> Field:
    return make_field(name, unsigned_bits(max((each or 0 for each in values), default=0)), values)


def flag(name: str, values: Sequence[bool | None]) -> Field:
    return make_field(name, 1, values)


@dataclass(frozen=True)
class Transfer:
    """An input or output: its bytes in the arena."""

    address: int
    size: int


@dataclass(frozen=True)
class Sizes:
    """Of what both halves share. address, count, column: bits of the arena's addresses, of how many bytes are written at once, and
    of a row's columns; read: bytes read at once."""

    read: int
    rows: int
    address: int
    count: int

    @property
    def turn(self) -> int:
        """log2 of read"""
        return self.read.bit_length() - 1


def find_sizes(schedule: Schedule) -> Sizes:
    """A read may go on behind the arena's last byte; what comes from there is not used."""
    lanes = schedule.lanes
    widest = [read_width(each.front, lanes) for each in schedule.instructions]
    read = max([*widest, lanes.results])
    rows = -(-(schedule.plan.arena_bytes + read - 1) // read)
    address = max(unsigned_bits(rows * read - 1), read.bit_length())
    return Sizes(read, rows, address, unsigned_bits(lanes.results))


def read_width(front: Front, lanes: Lanes) -> int:
    if front.unit == Unit.SOFTMAX:
        return 1
    if front.unit == Unit.TABLE:
        return lanes.results
    return lanes.count if front.channelwise else 1 << front.merge


def find_transfers(plan: Plan) -> tuple[tuple[Transfer, ...], tuple[Transfer, ...]]:
    """Inputs, outputs."""
    inputs = zip(plan.inputs, plan.graph.inputs, strict=True)
    outputs = zip(plan.outputs, plan.graph.outputs, strict=True)
    return (
        tuple(Transfer(place, node.type.size) for place, node in inputs),
        tuple(Transfer(place, node.type.size) for place, node in outputs),
    )


def front_fields(schedule: Schedule, sizes: Sizes) -> list[Field]:
    """Of the instructions, then of a word for each output, which is sent byte by byte."""
    _, outputs = find_transfers(schedule.plan)
    sent = [
        Front(
            Unit.SEND, each.address, loops=make_loops([(each.size, 1, 0, 0)]), tile_loops=int(each.size > 1)
        )
        for each in outputs
    ]
    sent[0] = replace(sent[0], wait=schedule.finish)
    fronts = [*(each.front for each in schedule.instructions), *sent]
    depth = max(1, *(len(each.loops) for each in fronts))
    return [
        *call_fields(fronts, sizes, schedule),
        *(each for level in range(depth) for each in loop_fields(fronts, level, sizes)),
        *padding_fields(fronts, sizes, depth),
        *softmax_fields(fronts, sizes),
    ]


def call_fields(fronts: Sequence[Front], sizes: Sizes, schedule: Schedule) -> list[Field]:
    idle = unsigned_bits(max(max(each.wait, each.gap) for each in fronts))
    steps = [each if each.unit in COMPUTED else None for each in fronts]
    words = [each.words if each and each.unit != Unit.MOST and not each.ones else None for each in steps]
    return [
        make_field("address", sizes.address, [each.address for each in fronts]),
        make_field("wait", idle, [each.wait for each in fronts]),
        make_field(
            "gap", idle, [each.gap if each.unit in COMPUTED and each.tiles > 1 else None for each in fronts]
        ),
        make_field("words", word_bits(schedule), words),
        flag("softmax", [each.unit == Unit.SOFTMAX for each in fronts]),
        flag("send", [each.unit == Unit.SEND for each in fronts]),
        flag("is_final", [each is fronts[-1] for each in fronts]),
        flag("tables", [each and each.unit == Unit.TABLE for each in steps]),
        flag("most", [each and each.unit == Unit.MOST for each in steps]),
        flag("ones", [each and (each.ones or each.unit == Unit.MOST) for each in steps]),
        make_field(
            "spread", max(sizes.turn, 1), [each and spread_of(each, schedule.lanes) for each in steps]
        ),
    ]


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
    loops = loops_at(fronts, level)
    return [
        unsigned_field(f"count_{level}", [each.count - 1 if each else 0 for each in loops]),
        make_field(f"stride_{level}", sizes.address, [each and each.address for each in loops]),
        flag(
            f"of_tile_{level}",
            [each and level < front.tile_loops for each, front in zip(loops, fronts, strict=True)],
        ),
        flag(
            f"of_row_{level}",
            [
                each and level < front.row_loops if front.unit in COMPUTED else None
                for each, front in zip(loops, fronts, strict=True)
            ],
        ),
    ]


def loops_at(fronts: Sequence[Front], level: int) -> list[Loop | None]:
    return [each.loops[level] if level < len(each.loops) else None for each in fronts]


def padding_fields(fronts: Sequence[Front], sizes: Sizes, depth: int) -> list[Field]:
    """None where no call has padding."""
    padded = [each if each.image is not None else None for each in fronts]
    if not any(padded):
        return []
    lines = [image_of(each)[0] for each in padded if each]
    rows = [image_of(each)[1] for each in padded if each]
    line = max([signed_bits(*span(each, "line")) for each in padded if each] + [signed_bits(0, max(lines))])
    offset = max(
        [signed_bits(*span(each, "offset")) for each in padded if each]
        + [signed_bits(0, max(rows)), signed_bits(0, sizes.read)]
    )
    fields = [
        flag(
            "image",
            [
                each is not None if front.unit != Unit.SOFTMAX else False
                for each, front in zip(padded, fronts, strict=True)
            ],
        ),
        make_field("lines", line, [each and image_of(each)[0] for each in padded]),
        make_field("row", offset, [each and image_of(each)[1] for each in padded]),
        make_field("value", 8, [each and each.value for each in padded]),
        make_field("line", line, [each and each.line for each in padded]),
        make_field("offset", offset, [each and each.offset for each in padded]),
    ]
    for level in range(depth):
        loops = [each and loops_at([each], level)[0] for each in padded]
        fields.append(make_field(f"line_stride_{level}", line, [each and each.line for each in loops]))
        fields.append(make_field(f"offset_stride_{level}", offset, [each and each.offset for each in loops]))
    return fields


def image_of(front: Front) -> tuple[int, int]:
    assert front.image is not None
    return front.image


def span(front: Front, name: str) -> tuple[int, int]:
    """The least and the largest line or offset of a step."""
    low = high = int(getattr(front, name))
    taken_back = 0
    for loop in front.loops:
        stride = int(getattr(loop, name)) + taken_back
        taken_back += stride * (loop.count - 1)
        low, high = low + min(stride * (loop.count - 1), 0), high + max(stride * (loop.count - 1), 0)
    return low, high


def softmax_fields(fronts: Sequence[Front], sizes: Sizes) -> list[Field]:
    own = [each if each.unit == Unit.SOFTMAX else None for each in fronts]
    if not any(own):
        return []
    return [
        make_field("softmax_source", sizes.address, [each and each.address for each in own]),
        make_field("softmax_target", sizes.address, [each and each.output for each in own]),
        unsigned_field("softmax_rows", [each and each.count - 1 for each in own]),
        unsigned_field("softmax_size", [each and each.size - 1 for each in own]),
        unsigned_field("softmax_number", [each and each.words for each in own]),
    ]


def back_fields(schedule: Schedule, sizes: Sizes) -> list[Field]:
    """Of a word for each input, which is received byte by byte, then of the instructions that have a back half."""
    inputs, _ = find_transfers(schedule.plan)
    calls = [each.back for each in schedule.instructions if each.back is not None]
    backs: list[Back | None] = [*(None for _ in inputs), *calls]

    def of_calls(value: Callable[[Back], int | None]) -> list[int | None]:
        return [each and value(each) for each in backs]

    lanes = schedule.lanes
    drained = {each: max((1 << each.merge) // lanes.results, 1) for each in calls}
    merge = unsigned_bits(max([lanes.results.bit_length() - 1, *(each.merge for each in calls)]))
    return [
        make_field(
            "output", sizes.address, [*(each.address for each in inputs), *(each.output for each in calls)]
        ),
        unsigned_field("columns", [*(each.size for each in inputs), *(each.columns for each in calls)]),
        flag("is_last_input", [*(each is inputs[-1] for each in inputs), *(None for _ in calls)]),
        unsigned_field("tiles", of_calls(lambda each: each.tiles - 1)),
        make_field("skip", sizes.address, of_calls(lambda each: each.skip if each.rows > 1 else None)),
        make_field("take", sizes.count, of_calls(lambda each: each.take)),
        make_field("last_cycle", CYCLE_BITS, of_calls(lambda each: each.beats * drained[each] - 1)),
        make_field("phase_mask", CYCLE_BITS, of_calls(lambda each: drained[each] - 1)),
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


@dataclass(frozen=True)
class Scales:
    """What the requantizer does in the program: the largest shift to the left, and by how much it shifts to the right
    behind the product, at least and at most."""

    most_left: int
    least_amount: int
    most_amount: int


def amount_of(shift: int, rounding: Rounding) -> int:
    return max(-shift, 0) + (rounding == Rounding.ONCE)


def param_amounts(schedule: Schedule) -> np.ndarray:
    """[words, results]: by how much a result is shifted to the right behind the product."""
    backs = [each.back for each in schedule.instructions if each.back is not None]
    roms = schedule.roms
    amounts = np.maximum(-roms.shift, 0)
    starts = sorted({each.params: each.rounding for each in backs}.items())
    for start, rounding in starts:
        end = min((each for each, _ in starts if each > start), default=len(amounts))
        amounts[start:end] += rounding == Rounding.ONCE
    return amounts


def find_scales(schedule: Schedule) -> Scales:
    """Of results whose multiplier is 0 no shift matters."""
    used = schedule.roms.multiplier != 0
    if not used.any():
        return Scales(0, 0, 0)
    amounts, left = param_amounts(schedule)[used], np.maximum(schedule.roms.shift[used], 0)
    return Scales(int(left.max()), int(amounts.min()), int(amounts.max()))


def scale_fields(backs: Sequence[Back | None], scales: Scales) -> list[Field]:
    amount = unsigned_bits(scales.most_amount - scales.least_amount)
    scaled = [each if each and each.multiplier else None for each in backs]
    return [
        make_field("multiplier", MULTIPLIER_BITS, [each and each.multiplier for each in backs]),
        make_field("left", unsigned_bits(scales.most_left), [each and max(each.shift, 0) for each in scaled]),
        make_field(
            "amount",
            amount,
            [each and amount_of(each.shift, each.rounding) - scales.least_amount for each in scaled],
        ),
    ]


@dataclass(frozen=True)
class ParamLayout:
    """Where a result's bias, multiplier, left and amount stand in a word, from the lowest bit on; a field of no bits is not there."""

    bias: int
    multiplier: int
    left: int
    amount: int

    @property
    def result(self) -> int:
        return self.bias + self.multiplier + self.left + self.amount


def param_layout(schedule: Schedule) -> ParamLayout:
    roms = schedule.roms
    bias = max(signed_bits(int(roms.bias.min()), int(roms.bias.max())), 2)
    if roms.is_uniform:
        return ParamLayout(bias if roms.bias.any() else 0, 0, 0, 0)
    scales = find_scales(schedule)
    amount = unsigned_bits(scales.most_amount - scales.least_amount)
    return ParamLayout(bias, MULTIPLIER_BITS, unsigned_bits(scales.most_left), amount)


def param_words(schedule: Schedule) -> list[int]:
    """Each word's first result lowest."""
    layout, roms, scales = param_layout(schedule), schedule.roms, find_scales(schedule)
    used = roms.multiplier != 0
    left = np.where(used, np.maximum(roms.shift, 0), 0)
    amount = np.where(used, param_amounts(schedule) - scales.least_amount, 0)
    columns = [roms.bias, roms.multiplier, left, amount]
    widths = [layout.bias, layout.multiplier, layout.left, layout.amount]
    return [
        join_bits(
            [
                (int(column[word, result]), width)
                for result in range(roms.bias.shape[1])
                for column, width in zip(columns, widths, strict=True)
            ]
        )
        for word in range(len(roms.bias))
    ]


def join_bits(parts: Sequence[tuple[int, int]]) -> int:
    """Of values and their widths, the first lowest."""
    word, at = 0, 0
    for value, width in parts:
        word |= (value & (1 << width) - 1) << at
        at += width
    return word


def program_words(fields: Sequence[Field]) -> list[int]:
    """Of the fields that are not constant."""
    varying = [each for each in fields if not each.is_constant]
    return [
        join_bits([(each.values[at], each.width) for each in varying]) for at in range(len(fields[0].values))
    ]
