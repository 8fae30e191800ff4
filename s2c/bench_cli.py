"""The verb that measures; s2c.cli lists it among the others."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from s2c import options
from s2c.arguments import parse_list
from s2c.errors import error
from s2c.reporting import reporting


def bench(
    folder: options.Folder,
    calls: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="How many to time on the host. Default: 1000, with --determinism 20000."
        ),
    ] = None,
    determinism: Annotated[
        bool,
        typer.Option("--determinism", help="Percentiles, allocations, faults and calls of the system."),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="The same for onnxruntime, openvino, litert, torch, in one run."),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", metavar="FILE", help="The same net, for peers that read FILE. Repeatable."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="OUT", help="A folder for the page and plots.")
    ] = None,
    between_ticks: Annotated[
        bool,
        typer.Option("--between-ticks", help="Time only calls that meet no tick of the kernel's timer."),
    ] = False,
    mhz: options.Megahertz = None,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import activity, report
        from s2c.bench import CALLS, Cycles, StreamCycles
        from s2c.bench import bench as measure
        from s2c.silicon.cycles import describe_cycles

        if determinism:
            models = model or []
            bench_determinism(folder, parse_list(against), models, calls, output, between_ticks, as_json)
            return
        extra = {
            "--against": against,
            "--model": model,
            "-o": output,
            "--between-ticks": between_ticks,
        }
        given = [name for name, value in extra.items() if value]
        if given:
            raise error(given[0], "--determinism beside it", "none", f"add --determinism, or omit {given[0]}")
        with activity.spinner(f"measuring {folder}", as_json):
            result = measure(folder, calls or CALLS, mhz)
        if as_json:
            typer.echo(report.to_json(result))
        elif isinstance(result, Cycles | StreamCycles):
            report.show(*describe_cycles(result))
        else:
            report.show(*report.describe_bench(result))


def bench_determinism(
    folder: Path,
    against: Sequence[str],
    models: Sequence[Path],
    calls: int | None,
    output: Path | None,
    between_ticks: bool,
    as_json: bool,
) -> None:
    from s2c import activity, report
    from s2c.determinism.measure import CALLS, measure_determinism
    from s2c.determinism.table import describe_determinism
    from s2c.extras import check_packages

    if output is not None:
        check_packages()
    with activity.teller(as_json) as say:
        document, times = measure_determinism(folder, against, models, calls or CALLS, say, between_ticks)
    files: list[Path] = []
    if output is not None:
        from s2c.determinism.page import write_report

        files = write_report(output, document, times)
    if as_json:
        typer.echo(report.to_json(document))
        return
    report.show(*describe_determinism(document))
    if output is not None:
        typer.echo(f"Written to {shlex.quote(str(output))}: {', '.join(path.name for path in files)}.")
