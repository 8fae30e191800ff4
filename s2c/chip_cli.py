"""The verbs that are about chips alone; s2c.cli lists them among the others."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from s2c import options
from s2c.arguments import load_consts, parse_dims
from s2c.reporting import reporting


def lanes(
    model: options.Model,
    style: options.ChipStyle = None,
    lanes: options.ChipLanes = None,
    megahertz: options.Megahertz = None,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="OUT", help="A folder for the page and pictures.")
    ] = None,
    dim: options.Dims = None,
    const: options.Consts = None,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import activity, driver, report
        from s2c.extras import check_packages
        from s2c.silicon.chips import describe_chips
        from s2c.silicon.survey import survey

        if output is not None:
            check_packages()
        dims, consts = parse_dims(dim or []), load_consts(const or [])
        request = driver.make_request(model, "asic", dims=dims, consts=consts, style=style)
        with activity.spinner(f"scheduling {model.name}", as_json):
            chips = survey(request, lanes, megahertz)
        files: list[Path] = []
        if output is not None:
            from s2c.silicon.page import write_chips

            files = write_chips(output, chips)
        if as_json:
            typer.echo(report.to_json(chips))
            return
        report.show(*describe_chips(chips))
        if output is not None:
            typer.echo(f"Written to {shlex.quote(str(output))}: {', '.join(path.name for path in files)}.")


def synth(
    folder: options.Folder,
    device: options.Device,
    mhz: options.Mhz = None,
    liberty: options.Liberty = None,
    output: options.SynthFolder = None,
    as_json: options.Json = False,
) -> None:
    with reporting(as_json):
        from s2c import activity, report
        from s2c.silicon.devices import load_device
        from s2c.silicon.resources import describe_synthesis
        from s2c.silicon.synthesis import synthesise_artifact

        with activity.teller(as_json) as say:
            result = synthesise_artifact(folder, load_device(device), mhz, liberty, output, say)
        if as_json:
            typer.echo(report.to_json(result))
        else:
            report.show(*describe_synthesis(result))
