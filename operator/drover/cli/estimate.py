"""``drover estimate``: what one live migration would take, pass by pass, before it is begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from drover.api.quantity import Duration, human
from drover.cli.output import Output
from drover.cli.scenario import (
    Pattern,
    Preset,
    Scenario,
    ScenarioError,
    WorkingSet,
    bandwidth,
    from_file,
    setting,
    size,
)
from drover.cli.telling import draw, in_json, tell
from drover.model.migration import estimate as forecast

PAGE = 4096


def estimate(
    context: typer.Context,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory of the VM: 8Gi.")] = None,
    zero: Annotated[str, typer.Option(metavar="SIZE", help="Memory that is all zeros and is not sent.")] = "0",
    dirty_rate: Annotated[str, typer.Option(metavar="SIZE", help="Bytes written a second, in whole pages.")] = "0",
    hot_set: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory that these writes go to.", show_default="all that is not zero"),
    ] = None,
    pattern: Annotated[
        Pattern, typer.Option(help="Whether writes go anywhere in the hot set or round it in order.")
    ] = "uniform",
    line: Annotated[
        str | None, typer.Option("--bandwidth", metavar="RATE", help="Goodput of the link: 1Gbit, or 125M bytes.")
    ] = None,
    cap: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Rate the copy is held to, but for the last part, with the guest paused."),
    ] = None,
    max_downtime: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="The guest may pause for so long: 300ms.", show_default="the preset's"),
    ] = None,
    preset: Annotated[Preset, typer.Option(help="Whose rules say when to stop copying and pause the guest.")] = "qemu",
    noise: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="Log-normal sigma of the hot set between passes; gives a band.")
    ] = 0.0,
    auto_converge: Annotated[bool, typer.Option("--auto-converge", help="Let the guest's CPUs be slowed.")] = False,
    post_copy: Annotated[
        bool, typer.Option("--post-copy", help="Let the guest go on at the target if the copy does not converge.")
    ] = False,
    file: Annotated[Path | None, typer.Option(metavar="SCENARIO", help="All of this from a JSON file.")] = None,
    output: Output = "text",
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw what remains over time into it.")] = None,
) -> None:
    """Say what a live migration would take: passes, bytes, total time, downtime, or why it would never end.

    A scenario file is JSON with memoryBytes and lineBytesPerSecond (the goodput)
    and, if wanted, zeroBytes, pageBytes, capBytesPerSecond, maxDowntimeMs,
    deviceStateMs, dirtyNoise, autoConverge, postCopy, preset and dirty: a list
    of working sets, each with kind cyclic or uniform, workingSetBytes and
    pagesPerSecond, or with kind points and points: a list of pairs of seconds
    and distinct pages.
    """
    try:
        if file is not None:
            _refuse_beside_file(context)
            scenario = from_file(file)
        else:
            told = _scenario(memory, zero, dirty_rate, hot_set, pattern, line, cap, max_downtime, preset)
            aids = {"dirty_noise": noise, "auto_converge": auto_converge, "post_copy": post_copy}
            scenario = told.model_copy(update=aids)
        estimated = forecast(setting(scenario), scenario.dirty_noise)
        if plot is not None:
            draw(estimated.likely, plot)
    except (ScenarioError, ModuleNotFoundError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if output == "json":
        typer.echo(json.dumps(in_json(estimated), indent=2))
    else:
        tell(estimated, Console(highlight=False))


def _refuse_beside_file(context: typer.Context) -> None:
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        given = source is not None and source.name == "COMMANDLINE"
        if given and parameter.name not in ("file", "output", "plot"):
            raise ScenarioError(f"--file has the whole scenario: leave out {parameter.opts[0]}")


def _scenario(
    memory: str | None,
    zero: str,
    dirty_rate: str,
    hot_set: str | None,
    pattern: Pattern,
    line: str | None,
    cap: str | None,
    max_downtime: str | None,
    preset: Preset,
) -> Scenario:
    if memory is None or line is None:
        raise ScenarioError("--memory and --bandwidth are needed (as 8Gi and 1Gbit), or a whole scenario with --file")
    whole, zeros = size("--memory", memory), size("--zero", zero)
    if whole == 0:
        raise ScenarioError(f"--memory {memory}: a VM has more than none")
    hot = size("--hot-set", hot_set) if hot_set is not None else max(0.0, whole - zeros)
    if zeros + hot > whole:
        raise ScenarioError(
            f"--hot-set {human(round(hot))} and --zero {human(round(zeros))} do not fit --memory {memory}: lower one"
        )
    rate = size("--dirty-rate", dirty_rate) / PAGE
    return Scenario(
        memory_bytes=whole,
        zero_bytes=zeros,
        dirty=(WorkingSet(kind=pattern, working_set_bytes=hot, pages_per_second=rate),) if rate else (),
        cap_bytes_per_second=bandwidth("--cap", cap) if cap is not None else None,
        line_bytes_per_second=bandwidth("--bandwidth", line),
        max_downtime_ms=_milliseconds(max_downtime) if max_downtime is not None else None,
        preset=preset,
    )


def _milliseconds(text: str) -> float:
    try:
        return Duration(text).seconds * 1000
    except ValueError as error:
        raise ScenarioError(f"--max-downtime {text}: write a duration as 300ms or 1.5s") from error
