"""Schedule -> what the instances of a chip take as parameters, and what its ROMs hold"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from s2c.emit.verilog_text import Parameters
from s2c.silicon.back_program import back_fields
from s2c.silicon.datapath import signed_bits, unsigned_bits
from s2c.silicon.fields import Field, join_bits, program_words
from s2c.silicon.front_program import front_fields, word_bits
from s2c.silicon.instructions import Unit
from s2c.silicon.params import ParamLayout, Scales, find_scales, param_layout, param_words
from s2c.silicon.schedule import Schedule
from s2c.silicon.sizes import Sizes, find_sizes
from s2c.silicon.widths import Widths, find_widths

POWER_BITS = 31
PAGE = 2048  # words of a ROM: of so many, whatever their width, block RAM needs no multiplexer
PROGRAMS = ("front", "back")  # never in pages
DRAINED = 5  # cycles from a step to its tile's last sum


def program_rom(fields: Iterable[Field]) -> tuple[list[int], int]:
    kept = list(fields)
    return program_words(kept), max(sum(each.width for each in kept if not each.is_constant), 1)


@dataclass(frozen=True)
class Chip:
    """page: words of its ROMs' pages, a power of two. stage: sizes of one of a stream, which neither receives
    nor sends."""

    schedule: Schedule
    name: str
    page: int = PAGE
    stage: Sizes | None = None

    @property
    def is_whole(self) -> bool:
        return self.stage is None

    @property
    def results(self) -> int:
        """That are requantized at once."""
        return int(self.schedule.roms.bias.shape[1])

    @cached_property
    def sizes(self) -> Sizes:
        return self.stage or find_sizes(self.schedule)

    @cached_property
    def widths(self) -> Widths:
        return find_widths(self.schedule)

    @cached_property
    def scales(self) -> Scales:
        return find_scales(self.schedule)

    @cached_property
    def layout(self) -> ParamLayout:
        return param_layout(self.schedule)

    @cached_property
    def front(self) -> Mapping[str, Field]:
        return {each.name: each for each in front_fields(self.schedule, self.sizes, self.is_whole)}

    @cached_property
    def back(self) -> Mapping[str, Field]:
        return {each.name: each for each in back_fields(self.schedule, self.sizes, self.is_whole)}

    @cached_property
    def units(self) -> set[Unit]:
        return {each.front.unit for each in self.schedule.instructions}

    @property
    def has_lanes(self) -> bool:
        return bool(self.units & {Unit.MULTIPLY, Unit.MOST})

    @property
    def has_weights(self) -> bool:
        return any(
            each.front.unit == Unit.MULTIPLY and not each.front.ones for each in self.schedule.instructions
        )

    @property
    def has_padding(self) -> bool:
        return "image" in self.front

    @property
    def loops(self) -> int:
        return sum(each.startswith("count_") for each in self.front)

    @cached_property
    def word(self) -> int:
        """Bits of the counter of weights, or of a tile's tables."""
        return word_bits(self.schedule)

    @cached_property
    def entry(self) -> int:
        tables = self.schedule.roms.tables
        return max(signed_bits(int(tables.min()), int(tables.max())), 2) if tables.size else 0

    @cached_property
    def roms(self) -> Mapping[str, tuple[list[int], int]]:
        """Words and their width, by the part of the file's name that says what they are."""
        roms, lanes = self.schedule.roms, self.schedule.lanes
        found: dict[str, tuple[list[int], int]] = {}
        if self.is_whole:
            found = {"front": program_rom(self.front.values()), "back": program_rom(self.back.values())}
        if self.has_weights:
            words = [join_bits([(int(each), 8) for each in word]) for word in roms.weights]
            found["weights"] = (words, 8 * lanes.count)
        if self.layout.result:
            found["params"] = (param_words(self.schedule), self.layout.result * self.results)
        if Unit.TABLE in self.units:
            found["tables"] = (roms.tables.reshape(-1).tolist(), self.entry)
        if Unit.SOFTMAX in self.units:
            found["powers"] = (roms.powers.reshape(-1).tolist(), POWER_BITS)
        return found

    def file(self, rom: str) -> str:
        return f'"{self.name}.{rom}.hex"'

    @property
    def files(self) -> Mapping[str, tuple[Sequence[int], int]]:
        """What file() and paged_rom read, by the same part of their names."""
        found: dict[str, tuple[Sequence[int], int]] = {}
        for rom, (words, width) in self.roms.items():
            starts = range(0, len(words), len(words) if rom in PROGRAMS else self.page)
            if len(starts) == 1:
                found[rom] = (words, width)
            else:
                pages = {f"{rom}.{page:03}": words[at : at + self.page] for page, at in enumerate(starts)}
                found |= {name: (page, width) for name, page in pages.items()}
        return found

    def address(self, rom: str) -> int:
        """Bits"""
        return unsigned_bits(len(self.roms[rom][0]) - 1)

    def pages(self, rom: str) -> Parameters:
        """What paged_rom takes for it, but for the widths of words and addresses."""
        words = len(self.roms[rom][0])
        return {
            "WORDS": words,
            "PAGE": self.page,
            "WITHIN": unsigned_bits(self.page - 1),
            "LAST": unsigned_bits((words - 1) % self.page),
            "FILE": f'"{self.name}.{rom}"',
        }

    @property
    def entries(self) -> int:
        """Bits of a sum of table entries; 0 where there are none."""
        return max(self.widths.entries, self.entry) if self.entry else 0
