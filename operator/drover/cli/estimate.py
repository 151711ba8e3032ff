"""``drover estimate``: what one live migration would take, pass by pass, before it is begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drover.api.quantity import Duration, human
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
from drover.model.migration import Course, run
from drover.model.packing.extras import optional

PAGE = 4096
SHOWN = 40
"""Passes in the table for people; --json has all."""
COLOURS = {"Converges": "green", "ConvergesWithLongerDowntime": "yellow"}


def estimate(
    context: typer.Context,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory of the VM: 8Gi.")] = None,
    zero: Annotated[str, typer.Option(metavar="SIZE", help="Of it, pages that are all zeros.")] = "0",
    dirty_rate: Annotated[str, typer.Option(metavar="SIZE", help="Bytes written a second, in whole pages.")] = "0",
    hot_set: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory they go to.", show_default="all that is not zero")
    ] = None,
    pattern: Annotated[Pattern, typer.Option(help="Whether they go anywhere in it or round in order.")] = "uniform",
    line: Annotated[
        str | None, typer.Option("--bandwidth", metavar="RATE", help="Goodput of the link: 1Gbit, or 125M bytes.")
    ] = None,
    cap: Annotated[
        str | None, typer.Option(metavar="RATE", help="Rate cap of the passes; the last phase ignores it.")
    ] = None,
    max_downtime: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Pause no longer: 300ms.", show_default="the preset's")
    ] = None,
    preset: Annotated[Preset, typer.Option(help="Whose stop rules.")] = "qemu",
    file: Annotated[Path | None, typer.Option(metavar="SCENARIO", help="All of this from a JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw what remains over time into this PNG.")] = None,
) -> None:
    """Say what a live migration would take: passes, bytes, total time, downtime, or why it would never end.

    A scenario file is JSON with memoryBytes and lineBytesPerSecond (the goodput)
    and, if wanted, zeroBytes, pageBytes, capBytesPerSecond, maxDowntimeMs,
    deviceStateMs, preset and dirty: a list of working sets, each with kind
    cyclic or uniform, workingSetBytes and pagesPerSecond, or with kind points
    and points: a list of pairs of seconds and distinct pages.
    """
    try:
        if file is not None:
            _refuse_beside_file(context)
            scenario = from_file(file)
        else:
            scenario = _scenario(memory, zero, dirty_rate, hot_set, pattern, line, cap, max_downtime, preset)
        course = run(setting(scenario))
        if plot is not None:
            _draw(course, plot)
    except (ScenarioError, ModuleNotFoundError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(_json(course), indent=2))
    else:
        _tell(course, Console(highlight=False))


def _refuse_beside_file(context: typer.Context) -> None:
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        given = source is not None and source.name == "COMMANDLINE"
        if given and parameter.name not in ("file", "as_json", "plot"):
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


def _json(course: Course) -> dict[str, Any]:
    return {
        "verdict": course.verdict,
        "reason": course.reason,
        "message": course.message,
        "totalSeconds": round(course.total, 6),
        "downtimeMs": round(course.downtime * 1000, 3),
        "blackoutMs": round(course.blackout * 1000, 3),
        "bytes": round(course.bytes),
        "passes": [
            {
                "index": sent.index,
                "bytes": round(sent.bytes),
                "seconds": round(sent.seconds, 6),
                "remainingBytes": round(sent.remaining_bytes),
            }
            for sent in course.passes
        ],
    }


def _tell(course: Course, console: Console) -> None:
    console.print(
        f"[{COLOURS.get(course.verdict, 'red')}]{course.verdict}[/] ({course.reason}): {escape(course.message)}"
    )
    if course.passes:
        console.print(_passes(course))
    console.print(
        f"total {course.total:.2f} s, downtime {course.downtime * 1000:.0f} ms, "
        f"blackout {course.blackout * 1000:.0f} ms, {human(round(course.bytes))} sent"
    )


def _passes(course: Course) -> Table:
    table = Table()
    for name in ("Pass", "Sent", "Seconds", "Remaining"):
        table.add_column(name, justify="right")
    for sent in course.passes[:SHOWN]:
        row = (human(round(sent.bytes)), f"{sent.seconds:.2f}", human(round(sent.remaining_bytes)))
        table.add_row(str(sent.index), *row)
    if len(course.passes) > SHOWN:
        table.caption = f"and {len(course.passes) - SHOWN} more; --json has all"
    return table


def _draw(course: Course, path: Path) -> None:
    """What remains over time: it falls while a pass sends, and rises to what was dirtied meanwhile as it ends."""
    seconds, rest = [0.0], [course.whole]
    for sent in course.passes:
        seconds += [seconds[-1] + sent.seconds] * 2
        rest += [rest[-1] - sent.bytes, sent.remaining_bytes]
    if course.downtime:
        seconds.append(seconds[-1] + course.downtime + course.post_copy)
        rest.append(0.0)
    figure = optional("matplotlib.figure", "trace").Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(seconds, [bytes_ / 2**20 for bytes_ in rest])
    axes.set(xlabel="Seconds", ylabel="Remaining MiB", ylim=(0, None), title=course.verdict)
    axes.margins(x=0)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ScenarioError(f"--plot {path}: {error}: name a PNG file in a folder that exists") from error
