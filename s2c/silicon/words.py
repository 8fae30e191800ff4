"""What a chip's ROMs hold, gathered call by call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from s2c.plan import Call
from s2c.silicon.instructions import Back, Params

UNSCALED = 1 << 30
NO_RESULT = -1  # in the place of a multiplier, which may be 0


@dataclass
class WeightWords:
    """One int8 for each lane."""

    lanes: int
    words: list[np.ndarray] = field(default_factory=list)

    def add(self, words: np.ndarray) -> int:
        """The address of the first."""
        first = sum(map(len, self.words))
        self.words.append(words)
        return first

    def array(self) -> np.ndarray:
        """[words, lanes]; at least one, since a ROM of none cannot be built."""
        return np.concatenate([*self.words, np.zeros((0 if self.words else 1, self.lanes), np.int8)])


@dataclass
class TableWords:
    """Tables of 256 integers, by the value that is looked up plus 128."""

    tables: list[np.ndarray] = field(default_factory=list)

    def add(self, *tables: np.ndarray) -> int:
        """The index of the first."""
        first = len(self.tables)
        self.tables += [np.asarray(each, np.int64) for each in tables]
        return first

    def array(self) -> np.ndarray:
        """[tables, 256]"""
        return np.stack(self.tables) if self.tables else np.zeros((0, 256), np.int64)


@dataclass
class ParamWords:
    """Bias, multiplier and shift of each of the results that come at once: [words, results] each."""

    results: int
    words: list[np.ndarray] = field(default_factory=list)  # [3, words, results]
    unscaled: Back | None = None  # that has the word of results that are not scaled

    def place(self, back: Back, call: Call, index: np.ndarray, step: Params) -> Back:
        """index: [words, up to results], which of the call's outputs a result is, or -1 for none; where the
        call has one multiplier, all have it."""
        bias, multiplier, shift = (np.asarray(call.consts[name]) for name in ("bias", "multiplier", "shift"))
        columns = [
            pick(bias, index, 0),
            pick(multiplier, index, NO_RESULT),
            pick(shift, index, int(shift.min())),
        ]
        return self.add(back, np.stack(columns), step)

    def place_one(self, back: Back, multiplier: int, shift: int) -> Back:
        """A word for a call whose results have no bias and one multiplier."""
        word = np.array([0, multiplier, shift]).reshape(3, 1, 1)
        return self.add(back, np.repeat(word, self.results, axis=2), Params.HOLD)

    def place_unscaled(self, back: Back) -> Back:
        """The multiplier and shift that give a result as it is, where the product loses 30 bits and is not
        rounded."""
        if self.unscaled is None:
            self.unscaled = self.place_one(back, UNSCALED, 0)
        kept = self.unscaled
        return replace(back, params=kept.params, multiplier=kept.multiplier, shift=kept.shift)

    def add(self, back: Back, words: np.ndarray, step: Params) -> Back:
        first = sum(each.shape[1] for each in self.words)
        padded = np.zeros((3, words.shape[1], self.results), np.int64)
        padded[1] = NO_RESULT
        padded[:, :, : words.shape[2]] = words
        self.words.append(padded)
        multiplier, shift = map(int, scales_of(padded)[:, 0])
        return replace(back, params=first, params_step=step, multiplier=multiplier, shift=shift)

    def is_uniform(self) -> bool:
        """Whether each call's results have one multiplier and shift, so that instructions can hold them."""
        return all(np.ptp(scales_of(each), axis=1).max() == 0 for each in self.words)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """bias, multiplier, shift; at least one word."""
        empty = np.zeros((3, 0 if self.words else 1, self.results), np.int64)
        bias, multiplier, shift = np.concatenate([*self.words, empty], axis=1)
        return bias, np.maximum(multiplier, 0), shift


def scales_of(words: np.ndarray) -> np.ndarray:
    """Multipliers and shifts of those that are results: [2, results]."""
    return np.asarray(words[1:, words[1] != NO_RESULT])


def pick(values: np.ndarray, index: np.ndarray, other: int) -> np.ndarray:
    """values at index, or the only one of them; `other` where index is negative."""
    wide = values.astype(np.int64)
    return np.where(index < 0, other, wide[np.clip(index, 0, len(wide) - 1)])
