"""Samples to what a student is shown of them, and what its teacher says to that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from s2c.train.augment import Augment
from s2c.train.cutmix import Cuts, draw_cuts, paste
from s2c.train.data import Samples
from s2c.train.losses import compared_values
from s2c.train.module import GraphModule, batch_of
from s2c.train.parts import Each

VARIANTS = 96  # of each sample at most, so that its teacher has to be asked for no more of them
FEWEST = 12  # where fewer could be kept, the teacher is asked in each epoch
MOST_KNOWN = 1 << 27  # numbers of the teacher's that are kept instead of asking it in each epoch
DRAWS = 1  # sets the random numbers of a variant apart from those of an epoch


class Lessons:
    """In each epoch a sample is shown in one of its variants. What the teacher says to a variant is kept,
    where all of that can be; noise, and what is too large, are new in each epoch."""

    def __init__(
        self,
        teacher: GraphModule,
        samples: Samples,
        augment: Augment,
        seed: int,
        outputs: int,
        rough: bool,
    ) -> None:
        """outputs: how many numbers the teacher says to a sample; rough: whether in bfloat16."""
        self.teacher, self.samples, self.augment = teacher, samples, augment
        self.seed, self.rough = seed, rough
        wanted, least = (VARIANTS, FEWEST) if augment.names else (1, 1)
        count = min(wanted, MOST_KNOWN // (len(samples) * outputs))
        self.variants = count if count >= least and "noise" not in augment.names else None
        self.known: dict[int, list[Tensor]] = {}
        self.draws = np.zeros(())
        self.cuts: Cuts | None = None

    def begin(self, epoch: int, parts: Sequence[np.ndarray], each: Each) -> None:
        """Goes to the variants of an epoch, and asks the teacher for those of these rows that are to be kept
        and not known. parts: rows that it is asked for at a time."""
        self.variant = epoch if self.variants is None else epoch % self.variants
        source = np.random.default_rng([self.seed, self.variant, DRAWS])
        self.draws = self.augment.draw(len(self.samples), source)
        rows = np.concatenate(parts)
        if "cutmix" in self.augment.names:
            self.cuts = draw_cuts(len(self.samples), rows, self.extents(), source)
        if self.variants is None or self.variant in self.known:
            return
        assert "noise" not in self.augment.names  # so nobody draws from source, which threads share
        answers = each(lambda rows: self.answers(self.shown(rows, source)), parts)
        self.known[self.variant] = [
            placed(torch.cat(values), rows, len(self.samples)) for values in zip(*answers, strict=True)
        ]

    def shown(self, rows: np.ndarray, source: np.random.Generator) -> list[Tensor]:
        """Inputs of these samples in this epoch. source: of noise."""
        arrays = self.varied(rows, source)
        if self.cuts is not None:
            (places,) = np.nonzero(self.cuts.is_cut[rows])
            cut = rows[places]
            (others,) = self.varied(self.cuts.other[cut], source)
            arrays[0][places] = paste(arrays[0][places], others, self.axes(), self.cuts.box[cut])
        return batch_of(arrays)

    def varied(self, rows: np.ndarray, source: np.random.Generator) -> list[np.ndarray]:
        return self.augment(self.samples.batch(rows), self.draws[rows], source)

    def are_whole(self, rows: np.ndarray) -> Tensor | None:
        """[rows]: which of these samples are what their labels say; None: all."""
        return None if self.cuts is None else torch.from_numpy(~self.cuts.is_cut[rows])

    def axes(self) -> tuple[int, int]:
        """Height and width of images [samples, ...]."""
        axes = self.augment.axes[0]
        assert axes is not None
        return axes[0] + 1, axes[1] + 1

    def extents(self) -> tuple[int, int]:
        height, width = self.axes()
        shape = self.samples.batch(slice(1))[0].shape
        return shape[height], shape[width]

    def taught(self, rows: np.ndarray, inputs: Sequence[Tensor]) -> list[Tensor]:
        """What the teacher says to these samples, by output, as they are shown in this epoch."""
        if self.variants is None:
            return self.answers(inputs)
        return [each[torch.from_numpy(rows)] for each in self.known[self.variant]]

    def answers(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        with mixed(self.rough):
            return [each.float() for each in ask(self.teacher, inputs)]


def placed(values: Tensor, rows: np.ndarray, count: int) -> Tensor:
    """[count, ...], with the values [rows, ...] in their rows."""
    result = values.new_zeros(count, *values.shape[1:])
    result[torch.from_numpy(rows)] = values
    return result


def ask(net: GraphModule, inputs: Sequence[Tensor]) -> list[Tensor]:
    """What a net gives, by output, to compare with or to be judged."""
    with torch.no_grad():
        return compared_values(net, inputs)


def mixed(rough: bool) -> torch.autocast:
    """Contractions in bfloat16, with sums in float32: on CPUs that have it, half as much time."""
    # The cache of weights is one for all threads, and whichever leaves first would empty it under the others.
    return torch.autocast("cpu", torch.bfloat16, enabled=rough, cache_enabled=False)


def parts_of(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
