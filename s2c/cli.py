"""The command line: one function a verb. What takes long to import, its verb imports itself."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zipfile import BadZipFile

import typer

from s2c.errors import CompileError, Problem, error

if TYPE_CHECKING:
    import numpy as np

    from s2c.driver import Request

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    help="Compiles a trained net into one program of fixed shape: always the same instructions and bits.",
    epilog="Exit status: 0 done, 1 a check failed, 2 the input is at fault.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A .tflite, .onnx, .pt2, .h5, .nam or RTNeural .json file.")
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that s2c compile wrote.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Dims = Annotated[
    list[str] | None,
    typer.Option("--dim", metavar="N=V", help="Set an unknown dimension, e.g. batch=1. Repeatable."),
]
Consts = Annotated[
    list[str] | None,
    typer.Option("--const", metavar="INPUT=FILE.npy", help="Bind an input to an array. Repeatable."),
]

States = Annotated[
    list[str] | None,
    typer.Option(
        "--state", metavar="IN=OUT", help="Keep an input between calls: OUT is its next value. Repeatable."
    ),
]
LastStates = Annotated[
    int, typer.Option("--states", metavar="N", min=0, help="The same for the last N inputs and outputs.")
]


def print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"s2c {metadata.version('s2c')}")
        raise typer.Exit(DONE)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("compile", help="Compile a model into a folder of C and its image.")
def compile_model(
    model: Model,
    output: Annotated[Path | None, typer.Option("-o", metavar="DIR", help="The folder to write.")] = None,
    target: Annotated[str, typer.Option(help="What to compile for; `s2c targets` lists them.")] = "host",
    name: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Prefix of every C symbol. Default: from the file's name."),
    ] = None,
    dim: Dims = None,
    const: Consts = None,
    state: States = None,
    last_states: LastStates = 0,
    check: Annotated[bool, typer.Option("--check", help="Run the oracle after each stage.")] = False,
    stop_after: Annotated[
        str | None,
        typer.Option(metavar="STAGE", help="Print this stage (load, a pass, plan, emit) and stop."),
    ] = None,
    cc: Annotated[
        str | None, typer.Option(metavar="CC", help="A C compiler instead of the bundled one.")
    ] = None,
    as_json: Json = False,
) -> None:
    with reporting(as_json):
        from s2c import artifact, driver, report

        dims, consts = parse_dims(dim or []), load_consts(const or [])
        states = parse_states(state or [])
        request = driver.make_request(model, target, name, dims, consts, cc, states, last_states)
        if stop_after is not None:
            text = driver.stage_text(request, stop_after)
            artifact.dump_until(request, stop_after)
            typer.echo(json.dumps({"stage": stop_after, "text": text}) if as_json else text.rstrip("\n"))
            return
        if output is None:
            raise error("-o", "the folder to write", "none", "add -o DIR")
        artifact.refuse_foreign(output)
        with report.spinner(f"compiling {model.name} for {target}", as_json):
            manifest = artifact.save_artifact(driver.compile_model(request, check), output)
        if as_json:
            typer.echo(report.to_json({"folder": str(output), **manifest}))
            return
        report.show(report.describe_artifact(manifest))
        folder = shlex.quote(str(output))
        run_line = " ".join(["s2c run", folder, *["IN.npy"] * len(manifest["inputs"])])
        typer.echo(f"Written to {folder}. Next: s2c verify {folder}; s2c bench {folder}; {run_line}")


@app.command(help="Run a compiled net on raw inputs.")
def run(
    folder: Folder,
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
    as_json: Json = False,
) -> None:
    with reporting(as_json):
        from s2c import report
        from s2c.program import Program, run_batch, save_arrays

        arrays = [load_array(str(path), path) for path in inputs or []]
        with Program(folder) as program, report.spinner(f"running {program.name}", as_json):
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
    folder: Folder,
    inputs: Annotated[int, typer.Option(min=0, help="Random inputs, besides the adversarial ones.")] = 64,
    as_json: Json = False,
) -> None:
    with reporting(as_json):
        from s2c import report
        from s2c.verify import verify as prove

        result = prove(folder, inputs, report.tracker("verifying", as_json))
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
    dim: Dims = None,
    const: Consts = None,
    state: States = None,
    last_states: LastStates = 0,
    as_json: Json = False,
) -> None:
    with reporting(as_json):
        from s2c import driver, report
        from s2c.program import read_manifest

        if path.is_dir():
            manifest = read_manifest(path)
            if as_json:
                typer.echo(report.to_json(manifest))
            else:
                report.show(report.describe_layers(manifest["calls"]), report.describe_artifact(manifest))
            return
        dims, consts, states = parse_dims(dim or []), load_consts(const or []), parse_states(state or [])
        request = driver.make_request(
            path, target, dims=dims, consts=consts, states=states, last_states=last_states
        )
        inspect_model(request, depth, as_json)


def inspect_model(request: Request, depth: int | None, as_json: bool) -> None:
    from s2c import report, summary

    try:
        with report.spinner(f"reading {request.model.name}", as_json):
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


@app.command(help="Measure a compiled net: latencies, or instructions.")
def bench(
    folder: Folder,
    calls: Annotated[int, typer.Option(min=1, help="How many calls to time on the host.")] = 1000,
    as_json: Json = False,
) -> None:
    with reporting(as_json):
        from s2c import report
        from s2c.bench import bench as measure

        with report.spinner(f"measuring {folder}", as_json):
            result = measure(folder, calls)
        if as_json:
            typer.echo(report.to_json(result))
        else:
            report.show(*report.describe_bench(result))


@app.command(help="List which ops of each model format are read, and what they become.")
def ops(as_json: Json = False) -> None:
    with reporting(as_json):
        from s2c import coverage, report

        result = coverage.find_coverage()
        if as_json:
            typer.echo(report.to_json(result))
        else:
            report.show(*report.describe_coverage(result))


@app.command(help="List what can be compiled for.")
def targets(as_json: Json = False) -> None:
    with reporting(as_json):
        from s2c import report
        from s2c.summary import list_rows

        rows = list_rows()
        if as_json:
            typer.echo(report.to_json({"targets": rows}))
        else:
            report.show(report.describe_targets(rows))


# errors


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """What the user can mend becomes a message and an exit code; all else is our bug: a traceback."""
    from s2c.target import ProcessError

    try:
        yield
    except CompileError as problem:
        fail(problem.problems, WRONG_INPUT, as_json)
    except ProcessError as problem:
        wrong = Problem(
            "image", "outputs for every input", str(problem), "s2c verify finds the input; or compile again"
        )
        fail((wrong,), FAILED, as_json)
    except OSError as problem:
        if problem.filename is None:
            raise
        found = problem.strerror or type(problem).__name__
        wrong = Problem(
            str(problem.filename), "a path that can be used", found, "check the path and its permissions"
        )
        fail((wrong,), WRONG_INPUT, as_json)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def fail(problems: Sequence[Problem], code: int, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": [vars(problem) for problem in problems]}))
    else:
        from s2c.refusals import show_problems

        show_problems(problems)
    raise typer.Exit(code) from None


# arguments


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """N=V, .. -> sizes by name."""
    sizes: dict[str, int] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if not name or not value.isdecimal() or int(value) == 0 or name in sizes:
            found = text if name not in sizes else f"{name} twice"
            raise error(
                "--dim", "NAME=SIZE with a size of at least 1, each name once", found, "e.g. --dim batch=1"
            )
        sizes[name] = int(value)
    return sizes


def parse_states(texts: Sequence[str]) -> dict[str, str]:
    """IN=OUT, .. -> output names by input name."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, _, result = text.partition("=")
        if not name or not result or name in pairs:
            found = text if name not in pairs else f"{name} twice"
            raise error("--state", "INPUT=OUTPUT, each input once", found, "e.g. --state cache=cache_out")
        pairs[name] = result
    return pairs


def load_consts(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """INPUT=FILE.npy, .. -> arrays by name."""
    arrays: dict[str, np.ndarray] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path or name in arrays:
            found = text if name not in arrays else f"{name} twice"
            raise error("--const", "INPUT=FILE.npy, each input once", found, "e.g. --const axes=axes.npy")
        arrays[name] = load_array(f"--const {name}", Path(path))
    return arrays


def load_array(what: str, path: Path) -> np.ndarray:
    """The array of a .npy file; one with pickled objects is refused, for reading it would run its code.

    It is mapped before it is read, so that one that declares more than the file holds takes no memory.
    """
    import numpy as np

    wanted = "an array that numpy.save wrote, without objects"
    try:
        with np.errstate(over="raise"):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OverflowError, FloatingPointError, BadZipFile):
        raise error(what, wanted, f"{path}: another kind of file", "save the array again") from None
    if not isinstance(array, np.ndarray):
        raise error(what, wanted, f"{path}: an archive of arrays", "save each as a .npy file")
    return np.array(array)


def main() -> None:
    app(prog_name="s2c")
