"""A pruned net and the original to the pruned net that answers like it, and like the labels where there are
any."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2c import cost
from s2c.errors import CompileError, error
from s2c.ir import Graph
from s2c.train.augment import Augment, check_augment
from s2c.train.checkpoint import digest_of, load_checkpoint, save_checkpoint
from s2c.train.data import Samples
from s2c.train.heads import is_softmax
from s2c.train.held import split
from s2c.train.lessons import Lessons, ask, mixed, parts_of
from s2c.train.losses import Loss, compared_values, make_loss
from s2c.train.measure import Score, joined, needs_teacher, score
from s2c.train.memory import batch_size, sample_count, step_count
from s2c.train.module import GraphModule, batch_of
from s2c.train.norm import measuring
from s2c.train.parts import Each, Part, add_up, parts_of_batch, side_by_side
from s2c.train.rates import default_rate, make_optimizer, rate_share

SEEN = 1024  # samples at most by which normalisation, variances and noise are measured
LEAST_PATIENCE = 5  # epochs
PATIENCE = 0.25  # the share of the epochs without a better held loss after which training stops
HIGH = 0.5  # the share of the epochs that are not counted so: a high rate makes a well begun net worse
MOST_JUDGED = 1 << 27  # numbers of outputs of held samples that are compared at a time
SMALL, LARGE = 64, 128  # samples in a batch
ENOUGH = 10_000  # samples for large batches, with which an epoch takes less time and has fewer steps
LEAST_MACS = 100_000  # of a net that is trained in bfloat16
AVERAGED = 20  # the running mean is of the last step in so many: of more steps, the longer the training


@dataclass(frozen=True)
class Training:
    """rate: the largest relative change of a weight in one step; None: that of default_rate. minutes: an
    upper limit, to which the schedule is shortened; then the result depends on the machine's speed. Where
    preparation alone takes as long, one batch is trained on, past the limit. Otherwise equal seeds give equal
    bytes on one machine, whatever the threads. batch: None: LARGE samples where there are enough, else SMALL.
    """

    epochs: int = 30
    minutes: float | None = None
    seed: int = 0
    augment: tuple[str, ...] = ()
    batch: int | None = None
    rate: float | None = None
    threads: int = 1


@dataclass(frozen=True)
class Progress:
    """Where training is: counted from 1. share: of all the work, 0 to 1. loss: of this batch, without unit.
    held: of the best epoch so far."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    held: Score | None
    share: float


@dataclass(frozen=True)
class Epoch:
    """loss: mean of the batches; held_loss and held (a Score's value): on the held part."""

    loss: float
    held_loss: float
    held: float


@dataclass(frozen=True)
class History:
    """start: the held score before training; best: the epoch whose state is left, counted from 1, 0 for the
    net as it was; kind as in Score. before: seconds that interrupted runs had spent."""

    kind: str
    start: float
    epochs: tuple[Epoch, ...]
    best: int
    before: float = field(default=0.0, compare=False)


State = dict[str, Tensor]
Hear = Callable[[Progress], None]
"""Hears of each batch."""


def retrain(
    student: GraphModule,
    teacher: Graph,
    train: Samples,
    training: Training,
    checkpoint: Path | None = None,
    progress: Hear = lambda step: None,
    anew: bool = False,
) -> History:
    """Trains the student in place and leaves its best state in it, by the held part of the samples, in
    evaluation mode. A student without normalisation gets some, unless it has states: to_graph folds it away.

    checkpoint: written after each epoch; where the file is there, training goes on from it; the caller
    removes it when all is done. anew: where it is of another training, or cannot be read, start from the
    beginning and overwrite it; else that is refused. May be called again on what it left. Raises
    CompileError.
    """
    check_augment(student.graph, training.augment)
    with fixed(), side_by_side(training.threads) as each:
        run = Run(student, teacher, train, training, checkpoint, progress, anew, each)
        while not run.is_done():
            run.train_epoch()
        return run.finish()


@contextmanager
def fixed() -> Iterator[None]:
    """Equal work gives equal bits: one thread for each call of torch."""
    memory = torch.utils.deterministic
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = memory.fill_uninitialized_memory
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # of every new tensor: it only helps to find faults
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        memory.fill_uninitialized_memory = filled


class Run:
    """One training. All that changes is in `state()`, and random numbers come from the seed and the epoch: so
    a checkpoint is enough to go on."""

    def __init__(
        self,
        student: GraphModule,
        teacher: Graph,
        samples: Samples,
        training: Training,
        checkpoint: Path | None,
        progress: Hear,
        anew: bool,
        each: Each,
    ) -> None:
        self.student, self.samples, self.training, self.each = student, samples, training, each
        self.checkpoint, self.progress = checkpoint, progress
        self.teacher = GraphModule(teacher).eval()
        flags = repr(asdict(replace(training, minutes=None, threads=1))) + student.settings()
        self.digest = "" if checkpoint is None else digest_of([student.to_graph(), teacher], samples, flags)
        self.held, self.trained = split(samples, training.seed)
        self.batch = samples_in_batch(training, len(self.trained))
        self.batches = math.ceil(len(self.trained) / self.batch)
        self.begun, self.spent = time.monotonic(), 0.0
        graphs = student.graph, self.teacher.graph
        steps = step_count(student.graph, samples)
        self.seen = min(sample_count(each, SEEN, steps) for each in graphs)
        self.asked = min(batch_size(each, self.batch, steps) for each in graphs)  # samples at a time
        self.prepare()
        self.parameters = list(student.parameters())
        self.resume(anew)

    def prepare(self) -> None:
        some = self.trained[: self.seen]
        batches = [self.inputs(rows) for rows in parts_of(some, self.asked)]
        if not self.student.norms and not self.student.graph.states:
            self.student.normalise(batches)
        arrays = self.samples.batch(some)
        augment = Augment(self.student.graph, self.training.augment, arrays)
        taught = self.ask_all(self.teacher, some)
        targets = self.targets(some, batch_of(arrays))
        self.loss = make_loss(self.student.graph, self.samples, taught, targets)
        self.rough = may_be_rough(self.student, self.loss)
        self.optimizer, self.rates = make_optimizer(self.student, batches, self.rate(), self.batch)
        normalised = [node for node in self.student.order if self.student.norm(node)]
        weights = [self.student.attr(node, "weight") for node in normalised]
        norms = [(each, each.detach().norm()) for each in weights]
        self.norms = [(weight, norm) for weight, norm in norms if norm > 0]
        outputs = sum(each[0].numel() for each in taught)
        self.lessons = Lessons(self.teacher, self.samples, augment, self.training.seed, outputs, self.rough)
        self.held_parts = parts_of(self.held, max(1, MOST_JUDGED // outputs))
        self.taught_held: list[Tensor] | None = None
        if len(self.held_parts) == 1:
            self.taught_held = self.ask_all(self.teacher, self.held)
        self.average = copied(self.student.state_dict())
        self.epochs: list[Epoch] = []
        self.best, self.best_state, self.steps = 0, copied(self.average), 0
        self.best_loss, self.best_score = self.judge(self.average)
        self.start = self.best_score

    # data

    def inputs(self, rows: np.ndarray) -> list[Tensor]:
        return batch_of(self.samples.batch(rows))

    def targets(self, rows: np.ndarray, inputs: Sequence[Tensor] = ()) -> Tensor | None:
        """[samples] or [samples, *shape]; None: the teacher is all there is. inputs: of an autoencoder, where
        they vary from the samples'."""
        if self.samples.task == "autoencoder":
            return (inputs or self.inputs(rows))[0].reshape(
                len(rows), *self.student.graph.outputs[0].type.shape
            )
        return None if self.samples.targets is None else torch.from_numpy(self.samples.targets[rows])

    def ask_all(self, net: GraphModule, rows: np.ndarray) -> list[Tensor]:
        """What a net says to samples as they are, by output."""
        parts = self.each(lambda some: ask(net, self.inputs(some)), parts_of(rows, self.asked))
        return [torch.cat(each) for each in zip(*parts, strict=True)]

    # one epoch

    def is_done(self) -> bool:
        waited = len(self.epochs) - max(self.best, HIGH * self.training.epochs)
        patience = max(LEAST_PATIENCE, PATIENCE * self.training.epochs)
        is_late = bool(self.epochs) and self.share(0) >= 1
        return len(self.epochs) >= self.training.epochs or waited >= patience or is_late

    def share(self, batch: int) -> float:
        """Of all work: by the steps done, or by the time where that is scarcer."""
        steps = (len(self.epochs) + batch / self.batches) / max(self.training.epochs, 1)
        limit = self.training.minutes
        return steps if limit is None else max(steps, self.elapsed() / (60 * limit))

    def elapsed(self) -> float:
        return self.spent + time.monotonic() - self.begun

    def train_epoch(self) -> None:
        source = np.random.default_rng([self.training.seed, len(self.epochs)])
        batches = np.array_split(source.permutation(self.trained), self.batches)
        losses: list[float] = []
        self.lessons.begin(len(self.epochs), parts_of(self.trained, self.asked), self.each)
        self.student.train()
        for index, rows in enumerate(batches):
            share = self.share(index)
            if losses and share >= 1:
                break
            if share >= 1 and not self.epochs:
                share = 0.0  # no time is left for a first step: it is as small as any first one
            losses.append(self.step(rows, index, share))
            self.hear(index + 1, losses[-1])
        self.close_epoch(math.fsum(losses) / len(losses))

    def step(self, rows: np.ndarray, batch: int, share: float) -> float:
        parts = parts_of_batch(rows)
        found = list(self.each(partial(self.part, len(rows), batch), enumerate(parts)))
        value = add_up(found, self.parameters)
        if not math.isfinite(value):
            raise self.diverged(value)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * rate_share(share)
        self.optimizer.step()
        self.hold()
        self.follow()
        return value

    def part(self, samples: int, batch: int, numbered: tuple[int, np.ndarray]) -> Part:
        """Of a batch of so many samples: the part's number and rows."""
        index, rows = numbered
        source = np.random.default_rng([self.training.seed, len(self.epochs), batch, index])
        inputs = self.lessons.shown(rows, source)
        taught = self.lessons.taught(rows, inputs)
        with measuring() as moments, mixed(self.rough):
            found = [each.float() for each in compared_values(self.student, inputs)]
        is_copied = self.samples.task == "autoencoder"
        whole = None if is_copied else self.lessons.are_whole(rows)
        loss = self.loss(found, taught, self.targets(rows, inputs), whole)
        slopes = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        return Part(len(rows) / samples, float(loss.detach()), slopes, moments)

    def hold(self) -> None:
        """Sets normalised weights back to the norm that they began with: their scale changes nothing but how
        far a step turns them."""
        with torch.no_grad():
            for weight, norm in self.norms:
                weight.mul_(norm / weight.norm())

    def follow(self) -> None:
        """Moves the running mean of the weights, which is what is held."""
        self.steps += 1
        for key, value in self.student.state_dict().items():
            self.average[key].lerp_(value, AVERAGED / (AVERAGED + self.steps))

    def rate(self) -> float:
        given = self.training.rate
        return default_rate(self.student, self.teacher.graph) if given is None else given

    def diverged(self, value: float) -> CompileError:
        found = f"{value} in epoch {len(self.epochs) + 1} at a rate of {self.rate():g}"
        return error("training", "a finite loss", found, "look for extreme inputs or targets")

    def hear(self, batch: int, loss: float) -> None:
        count, share = len(self.epochs) + 1, self.share(batch)
        self.progress(
            Progress(count, self.training.epochs, batch, self.batches, loss, self.best_score, share)
        )

    # the held part

    def close_epoch(self, loss: float) -> None:
        held_loss, held = self.judge(self.average)
        self.epochs.append(Epoch(loss, held_loss, held.value))
        if held_loss < self.best_loss:
            self.best, self.best_loss, self.best_score = len(self.epochs), held_loss, held
            self.best_state = copied(self.average)
        if self.checkpoint is not None:
            save_checkpoint(self.checkpoint, self.digest, self.state())

    def judge(self, state: State) -> tuple[float, Score]:
        """Loss and score of the held part with these weights."""
        current = copied(self.student.state_dict())
        self.student.load_state_dict(state)
        self.student.eval()
        judged = [self.judge_part(rows) for rows in self.held_parts]
        self.student.load_state_dict(current)
        if len(judged) == 1:
            return judged[0]
        counts = [len(rows) for rows in self.held_parts]
        losses = [loss * count for (loss, _), count in zip(judged, counts, strict=True)]
        return math.fsum(losses) / sum(counts), joined([each for _, each in judged], counts)

    def judge_part(self, rows: np.ndarray) -> tuple[float, Score]:
        found = self.ask_all(self.student, rows)
        taught = self.taught_held or self.ask_all(self.teacher, rows)
        samples = self.samples.part(rows)
        wanted = taught[0].numpy() if needs_teacher(samples) else None
        scored = score(self.student.graph, samples, found[0].numpy(), wanted)
        return float(self.loss(found, taught, self.targets(rows))), scored

    # what a checkpoint holds

    def state(self) -> dict[str, Any]:
        return {
            "student": self.student.state_dict(),
            "average": self.average,
            "best_state": self.best_state,
            "optimizer": self.optimizer.state_dict(),
            "epochs": [astuple(each) for each in self.epochs],
            "steps": self.steps,
            "best": self.best,
            "spent": self.elapsed(),
        }

    def resume(self, anew: bool) -> None:
        state = None if self.checkpoint is None else load_checkpoint(self.checkpoint, self.digest, anew)
        if state is None:
            return
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.best_state = state["average"], state["best_state"]
        self.epochs = [Epoch(*each) for each in state["epochs"]]
        self.steps, self.best, self.spent = state["steps"], state["best"], state["spent"]
        self.best_loss, self.best_score = self.judge(self.best_state)

    def finish(self) -> History:
        self.student.load_state_dict(self.best_state)
        self.student.eval()
        return History(self.start.kind, self.start.value, tuple(self.epochs), self.best, self.spent)


def may_be_rough(net: GraphModule, loss: Loss) -> bool:
    """A net that tells classes apart does as well with the rounding of bfloat16; one that gives numbers does
    not, and one of few MACs gains nothing."""
    # It has no public name.
    has_bfloat16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    gives_classes = loss.task == "classification" or (
        loss.task == "distillation" and all(map(is_softmax, net.graph.outputs))
    )
    return has_bfloat16 and not net.is_exact and gives_classes and cost.macs(net.graph) >= LEAST_MACS


def samples_in_batch(training: Training, count: int) -> int:
    """Of so many samples that are trained on."""
    if training.batch is not None:
        return training.batch
    return LARGE if count >= ENOUGH else SMALL


def copied(state: State) -> State:
    return {key: value.clone() for key, value in state.items()}
