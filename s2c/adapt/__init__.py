"""adapt: a model, a budget and data to a smaller, retrained, quantized Graph, with a report of each step."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2c import cost
from s2c.adapt.programs import adapted_request, built
from s2c.adapt.recipe import Recipe, check_recipe
from s2c.adapt.shrink import counts_file, shrink
from s2c.adapt.work import Job, load_work
from s2c.artifact import refuse_foreign, write_artifact
from s2c.driver import compile_model, load_source, staged_folder
from s2c.ir import Graph
from s2c.passes import SOURCE_PASSES
from s2c.passes.eliminate_dead_channels import eliminate_dead_channels
from s2c.passes.prune_channels import Pruned
from s2c.progress import Say, say_nothing
from s2c.quantization.names import folded_layers
from s2c.readers.graph_file import write_graph

if TYPE_CHECKING:
    from s2c.train.judge import Judge
    from s2c.train.module import GraphModule
    from s2c.train.retrain import Progress, Training


INT8_EPOCHS = 3  # of training in integer arithmetic, which starts from a net that is nearly right
LEAST_ERROR = 1e-12


@dataclass(frozen=True)
class Adapted:
    """graph is what is to be compiled; report holds plain values, for JSON."""

    graph: Graph
    original: Graph
    report: Mapping[str, Any] = field(default_factory=dict)


def prepare(graph: Graph) -> Graph:
    """A Graph as pruning and training take it: folded and channels-last, all channels still there."""
    for rewrite in SOURCE_PASSES:
        if rewrite is not eliminate_dead_channels:
            graph = rewrite(graph)
    from s2c.train.module import trainable

    return trainable(graph)


def adapt(
    recipe: Recipe,
    checkpoint: Path | None = None,
    say: Say = say_nothing,
    is_tried: bool = False,
) -> Adapted:
    """Prunes, retrains and quantizes. checkpoint: a file to resume from, and to leave after an interruption.
    is_tried: the pruned net is built for the target before it is trained, which refuses what is too large.

    Raises CompileError; all that can be wrong with model, data and budget before any training starts.
    """
    check_recipe(recipe)
    say("reading model and data")
    source = load_source(recipe.request)
    original = prepare(source)
    from s2c.train.parts import default_threads
    from s2c.train.quantization import refuse_unquantizable
    from s2c.train.retrain import fixed

    recipe = replace(recipe, keep_float=folded_layers(recipe.keep_float, source, original))
    work = load_work(recipe, original)
    if recipe.int8:
        refuse_unquantizable(original, recipe.keep_float)
    report: dict[str, Any] = {
        "model": recipe.request.model.name,
        "task": work.task,
        "judged": work.judged_name,
        "macs": {"original": cost.macs(original)},
        "parameters": {"original": cost.parameters(original.nodes())},
        "score": {},
    }
    threads = default_threads()  # one in a sweep, whose jobs run side by side
    job = Job(recipe, original, work, checkpoint, say, report, time.monotonic(), threads)
    with fixed():
        return Adapted(adapted(job, is_tried), original, report)


def adapted(job: Job, is_tried: bool) -> Graph:
    recipe, original = job.recipe, job.original
    job.record("original", original)
    pruned, judge = shrink(job) if recipe.budget is not None else (Pruned(original, {}), None)
    if is_tried:
        job.say(f"trying the target {recipe.request.target.name}")
        with built(recipe, pruned.graph, job.work.calibration):
            pass
    graph = original
    if recipe.budget is not None or recipe.epochs:
        graph, before = train(job, pruned, judge)
        job = replace(job, begun=job.begun - before)
    return make_int8(job, graph) if recipe.int8 else graph


def train(job: Job, pruned: Pruned, judge: Judge | None) -> tuple[Graph, float]:
    """The pruned net, its weights and statistics put right and retrained where there are data; and the
    seconds that interrupted runs had spent on that."""
    if job.work.train is None:
        job.record("pruned", pruned.graph)
        return pruned.graph, 0.0
    from s2c.train.module import GraphModule
    from s2c.train.retrain import retrain

    module = judge.corrected(pruned) if judge is not None else GraphModule(pruned.graph)
    job.record("pruned", module.to_graph())
    if job.recipe.epochs == 0:
        return module.to_graph(), 0.0
    flags = training(job)
    history = retrain(module, job.original, job.work.train, flags, job.checkpoint, heard(job.say), anew=True)
    job.report["history"] = {name: value for name, value in asdict(history).items() if name != "before"}
    graph = module.to_graph()
    job.record("retrained", graph)
    return graph, history.before


def training(job: Job) -> Training:
    from s2c.train.retrain import Training

    recipe = job.recipe
    flags = Training(
        minutes=job.minutes_left(), seed=recipe.seed, augment=recipe.augment, threads=job.threads
    )
    return flags if recipe.epochs is None else replace(flags, epochs=recipe.epochs)


def heard(say: Say) -> Callable[[Progress], None]:
    """Training's progress in words."""

    def hear(step: Progress) -> None:
        held = f", {step.held.kind} {step.held.value:.4g}" if step.held else ""
        say(f"training, epoch {step.epoch} of {step.epochs}: loss {step.loss:.3g}{held}", step.share)

    return hear


def make_int8(job: Job, graph: Graph) -> Graph:
    """The graph in int8, trained in its arithmetic where the score drops by more than max_drop."""
    from s2c.train.integers import QuantizedModule
    from s2c.train.qat import train_quantized
    from s2c.train.quantization import quantize_net

    recipe, work = job.recipe, job.work
    assert work.calibration is not None
    job.say("quantizing")
    result = quantize_net(graph, work.calibration, recipe.keep_float, recipe.float_io, job.say)
    job.record("int8", QuantizedModule(result.scheme))
    if recipe.max_drop is not None and work.train is not None:
        lost = drop(job, graph, QuantizedModule(result.scheme))
        job.report["drop"] = {"wanted": recipe.max_drop, "int8": lost}
        if lost > recipe.max_drop:
            flags = replace(training(job), epochs=INT8_EPOCHS)
            result, _ = train_quantized(
                result,
                job.original,
                work.train,
                flags,
                None if job.checkpoint is None else beside(job.checkpoint),
                heard(job.say),
                anew=True,
            )
            job.record("int8 trained", QuantizedModule(result.scheme))
            job.report["drop"]["int8 trained"] = drop(job, graph, QuantizedModule(result.scheme))
    job.report["quantization"] = [plain(vars(each)) for each in result.layers]
    return result.graph


def plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON, which has no infinity: a layer without noise gets None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }


def drop(job: Job, graph: Graph, quantized: GraphModule) -> float:
    """What quantizing costs on the part of the data that is not trained on: points, percent of an error."""
    from s2c.train.measure import measure

    assert job.work.held is not None
    before, after = (measure(net, job.work.held, job.original) for net in (graph, quantized))
    if before.kind == "error":
        return 100 * (after.value - before.value) / max(before.value, LEAST_ERROR)
    return 100 * (before.value - after.value)


def beside(checkpoint: Path) -> Path:
    """The checkpoint of the training in int8."""
    return checkpoint.with_suffix(".int8.checkpoint")


def save_adapted(
    recipe: Recipe, folder: Path, checked: bool = False, say: Say = say_nothing
) -> dict[str, Any]:
    """Adapts, compiles and writes the folder; returns the manifest. What an interrupted run has trained lies
    beside the folder, and is gone on with when the same is asked for again."""
    refuse_foreign(folder)
    final = folder.resolve()
    checkpoint = None
    if not recipe.is_empty:
        checkpoint = final.parent / f".{final.name}.{recipe.digest()[:16]}.checkpoint"
        final.parent.mkdir(parents=True, exist_ok=True)
    with staged_folder(final) as staged:
        manifest = write_adapted(recipe, staged, checked, say, checkpoint)
    if checkpoint is not None:
        for path in (checkpoint, beside(checkpoint), counts_file(checkpoint)):
            path.unlink(missing_ok=True)
    return manifest


def write_adapted(
    recipe: Recipe,
    folder: Path,
    checked: bool = False,
    say: Say = say_nothing,
    checkpoint: Path | None = None,
) -> dict[str, Any]:
    """The same into an empty folder."""
    if recipe.is_empty:
        say(f"compiling for {recipe.request.target.name}")
        return write_artifact(compile_model(recipe.request, checked), folder)
    found = adapt(recipe, checkpoint, say, is_tried=True)
    say(f"compiling for {recipe.request.target.name}")
    with tempfile.TemporaryDirectory(prefix="s2c-") as temporary:
        path = Path(temporary) / f"{recipe.request.name}.s2c"
        write_graph(path, found.graph)
        compilation = compile_model(adapted_request(recipe.request, path), checked)
        return write_artifact(compilation, folder, {**found.report, "digest": recipe.digest()})
