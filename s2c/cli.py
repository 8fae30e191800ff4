"""The command line: one function a verb. What takes long to import, its verb imports itself."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2c import bench_cli, chip_cli, options
from s2c.arguments import load_array, load_consts, parse_dims, parse_list, parse_states
from s2c.errors import CompileError, error
from s2c.reporting import DONE, FAILED, reporting

if TYPE_CHECKING:
    from s2c.driver import Request

app = typer.Typer(
    help="Compiles a trained net into one program of fixed shape: always the same instructions and bits.",
    epilog="Exit status: 0 done, 1 a check failed, 2 the input is at fault.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"s2c {metadata.version('s2c')}")
        raise typer.Exit(DONE)


@app.callback()
def global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("compile", help="Compile a model into a folder of C and its image.")
def compile_model(
    model: options.Model,
    output: Annotated[Path | None, typer.Option("-o", metavar="DIR", help="The folder to write.")] = None,
    target: Annotated[
        str, typer.Option(metavar="NAME", help="What to compile for; `s2c targets` lists them.")
    ] = "host",
    name: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Prefix of every C symbol. Default: from the file's name."),
    ] = None,
    dim: options.Dims = None,
    const: options.Consts = None,
    state: options.States = None,
    last_states: options.LastStates = 0,
    check: Annotated[bool, typer.Option("--check", help="Run the oracle after each stage.")] = False,
    stop_after: Annotated[
        str | None,
        typer.Option(metavar="STAGE", help="Print this stage (load, a pass, plan, schedule, emit) and stop."),
    ] = None,
    cc: Annotated[
        str | None, typer.Option(metavar="CC", help="A C compiler instead of the bundled one.")
    ] = None,
    reproducible: options.Reproducible = False,
    threads: options.Threads = 1,
    precision: options.Precision = "f32",
    tune: options.Tune = False,
    style: options.ChipStyle = None,
    lanes: options.ChipLanes = None,
    device: options.ChipDevice = None,
    interval: options.ChipInterval = None,
    mhz: options.ChipClock = None,
    width: options.Width = None,
    macs: options.Macs = None,
    latency: options.Latency = None,
    instructions: options.Instructions = None,
    importance: options.Importance = None,
    data: options.Data = None,
    test: options.Test = None,
    task: options.Task = "auto",
    epochs: options.Epochs = None,
    minutes: options.Minutes = None,
    seed: options.Seed = 0,
    augment: options.Augment = None,
    int8: options.Int8 = False,
    calibration: options.Calibration = None,
    max_drop: options.MaxDrop = None,
    keep_float: options.KeepFloat = None,
    float_io: options.FloatIo = False,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import activity, artifact, driver, report
        from s2c.adapt import save_adapted
        from s2c.adapt.recipe import make_recipe, refuse_stop
        from s2c.adapt.tables import describe_adaptation
        from s2c.silicon.choice import take_goal

        dims, consts = parse_dims(dim or []), load_consts(const or [])
        states = parse_states(state or [])
        goal, latency = take_goal(target, lanes, latency, mhz, device, interval, style)
        request = driver.make_request(
            model,
            target,
            name,
            dims,
            consts,
            cc,
            states,
            last_states,
            reproducible,
            threads,
            precision,
            tune=tune,
            lanes=lanes,
            goal=goal,
            style=style,
        )
        recipe = make_recipe(
            request,
            width=width,
            macs=macs,
            latency=latency,
            instructions=instructions,
            importance=importance,
            data=data or (),
            test=test or (),
            task=task,
            epochs=epochs,
            minutes=minutes,
            seed=seed,
            augment=parse_list(augment),
            int8=int8,
            calibration=calibration or (),
            max_drop=max_drop,
            keep_float=keep_float or (),
            float_io=float_io,
        )
        if stop_after is not None:
            refuse_stop(recipe)
            text = driver.stage_text(request, stop_after)
            artifact.dump_until(request, stop_after)
            typer.echo(json.dumps({"stage": stop_after, "text": text}) if as_json else text.rstrip("\n"))
            return
        if output is None:
            raise error("-o", "the folder to write", "none", "add -o DIR")
        artifact.refuse_foreign(output)
        with activity.teller(as_json) as say:
            manifest = save_adapted(recipe, output, check, say)
        if as_json:
            typer.echo(report.to_json({"folder": str(output), **manifest}))
            return
        report.show(*describe_adaptation(manifest), report.describe_artifact(manifest))
        folder = shlex.quote(str(output))
        run_line = " ".join(["s2c run", folder, *["IN.npy"] * len(manifest["inputs"])])
        typer.echo(f"Written to {folder}. Next: s2c verify {folder}; s2c bench {folder}; {run_line}")


@app.command(help="Run a compiled net on raw inputs.")
def run(
    folder: options.Folder,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IN.npy...",
            help="One for each input, in the model's layout and dtype; one more axis: many runs.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="OUT.npz", help="Write the arrays output_0, output_1, ..")
    ] = None,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import activity, report
        from s2c.program import Program, run_batch, save_arrays

        arrays = [load_array(str(path), path) for path in inputs or []]
        with Program(folder) as program, activity.spinner(f"running {program.name}", as_json):
            outputs, counters = run_batch(program, arrays)
        if output is not None:
            save_arrays(output, {f"output_{index}": array for index, array in enumerate(outputs)})
        if as_json:
            typer.echo(report.to_json(report.run_document(program.manifest, outputs, counters)))
            return
        report.show(*report.describe_outputs(program.manifest, outputs, counters))
        if output is not None:
            typer.echo(f"Written to {output}.")


@app.command(help="Prove and test a compiled net, and say what is not shown.")
def verify(
    folder: options.Folder,
    inputs: Annotated[int, typer.Option(min=0, help="Random inputs, besides the adversarial ones.")] = 64,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import activity, report
        from s2c.verify import verify as prove

        result = prove(folder, inputs, activity.tracker("verifying", as_json))
        if as_json:
            typer.echo(report.to_json(result))
        else:
            report.show(*report.describe_verification(result))
        if not result.ok:
            raise typer.Exit(FAILED)


@app.command(help="Show what a model or a compiled net costs, by layer, and whether a model will compile.")
def inspect(
    path: Annotated[Path, typer.Argument(metavar="MODEL|DIR", help="A model file or a compiled net.")],
    target: Annotated[str, typer.Option(help="What a model is to compile for.")] = "host",
    depth: Annotated[
        int | None, typer.Option(min=1, help="Levels of a model's tree. Default: what fits a screen.")
    ] = None,
    dim: options.Dims = None,
    const: options.Consts = None,
    state: options.States = None,
    last_states: options.LastStates = 0,
    mhz: options.Megahertz = None,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import driver, report
        from s2c.bench import predict_cycles, refuse_frequency
        from s2c.program import read_manifest
        from s2c.silicon.cycles import describe_cycles

        if path.is_dir():
            manifest = read_manifest(path)
            if mhz is not None:
                refuse_frequency(manifest, mhz)
            if as_json:
                typer.echo(report.to_json(manifest))
            else:
                is_chip = "cycles" in manifest
                tables = describe_cycles(predict_cycles(manifest, mhz)) if is_chip else []
                layers = report.describe_layers(manifest["calls"])
                report.show(layers, *tables, report.describe_artifact(manifest))
            return
        dims, consts, states = parse_dims(dim or []), load_consts(const or []), parse_states(state or [])
        request = driver.make_request(
            path, target, dims=dims, consts=consts, states=states, last_states=last_states
        )
        inspect_model(request, depth, as_json)


def inspect_model(request: Request, depth: int | None, as_json: bool) -> None:
    from s2c import activity, report, summary

    try:
        with activity.spinner(f"reading {request.model.name}", as_json):
            result = summary.summarise(request)
    except CompileError:
        if not as_json:  # what cannot be read says so again
            report.show(report.describe_outline(summary.read_layers(request), depth))
        raise
    if as_json:
        typer.echo(report.to_json(result))
        return
    report.show(report.describe_outline(result.layers, depth), report.describe_summary(result))
    typer.echo(summary.verdict(result))


app.command(help="What a model takes as a chip: cycles and memories for each number of lanes, and a page.")(
    chip_cli.lanes
)


@app.command(help="Pack a compiled net as a wheel that pip installs and that needs only numpy.")
def wheel(
    folder: options.Folder,
    output: Annotated[Path, typer.Option("-o", metavar="DIR", help="The folder to put it in.")] = Path(),
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c.wheel import write_wheel

        path = write_wheel(folder, output)
        if as_json:
            typer.echo(json.dumps({"wheel": str(path)}))
            return
        typer.echo(f"Written to {shlex.quote(str(path))}. Next: pip install {shlex.quote(str(path))}")


app.command(
    help="Measure a compiled net: latencies, instructions or cycles; --determinism: how steady it runs."
)(bench_cli.bench)


@app.command(
    help="Prune, retrain, quantize, compile and measure a model for each of some widths and precisions."
)
def sweep(
    model: options.Model,
    output: Annotated[
        Path, typer.Option("-o", metavar="DIR", help="The folder of the results; resumes there.")
    ],
    width: options.Widths = "1,0.75,0.5,0.25",
    macs: options.MacsShares = "",
    precision: options.Precisions = "f32,int8",
    target: options.Targets = "host",
    data: options.Data = None,
    test: options.SweepTest = None,
    task: options.Task = "auto",
    epochs: options.Epochs = None,
    seed: options.Seed = 0,
    augment: options.Augment = None,
    classes: options.Classes = None,
    jobs: options.Jobs = None,
    ray: options.Ray = None,
    dim: options.Dims = None,
    const: options.Consts = None,
    state: options.States = None,
    last_states: options.LastStates = 0,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import activity, report
        from s2c.sweep.check import make_sweep

        settings = make_sweep(
            model,
            (width, macs, precision, target),
            (tuple(data or ()), tuple(test or ())),
            classes,
            ray,
            jobs,
            task=task,
            epochs=epochs,
            seed=seed,
            augment=parse_list(augment),
            dims=parse_dims(dim or []),
            consts=load_consts(const or []),
            states=parse_states(state or []),
            last_states=last_states,
        )
        from s2c.sweep.run import run_sweep
        from s2c.sweep.table import describe_sweep

        with activity.teller(as_json) as say:
            document = run_sweep(settings, output, jobs or os.cpu_count() or 1, ray, say)
        if as_json:
            typer.echo(report.to_json({"folder": str(output), **document}))
            return
        report.show(*describe_sweep(document))
        typer.echo(f"Written to {shlex.quote(str(output))}: sweep.html, sweep.csv, sweep.json.")


app.command(help="Synthesise a chip for a device: what it takes, how fast it is there, its bitstream.")(
    chip_cli.synth
)


@app.command(help="List which ops of each model format are read, and what they become.")
def ops(as_json: options.Json = False) -> None:
    with reporting(as_json):
        from s2c import coverage, report

        result = coverage.find_coverage()
        if as_json:
            typer.echo(report.to_json(result))
        else:
            report.show(*report.describe_coverage(result))


@app.command(help="List what can be compiled for.")
def targets(as_json: options.Json = False) -> None:
    with reporting(as_json):
        from s2c import report
        from s2c.summary import list_rows

        rows = list_rows()
        if as_json:
            typer.echo(report.to_json({"targets": rows}))
        else:
            report.show(report.describe_targets(rows))


def main() -> None:
    app(prog_name="s2c")
