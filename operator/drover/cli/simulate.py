"""``drover simulate``: manifests in, and what the operator would make of them, in virtual time."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from drover.api.quantity import human
from drover.cli.manifests import Manifest, ManifestError, read
from drover.cli.output import Output
from drover.cli.traces import DRAIN_BUDGET, TraceName, simulate_trace
from drover.sim.rehearsal import rehearse
from drover.sim.report import MigrationLine, Report, Told
from drover.sim.simulation import InvariantError
from drover.sim.store import ApiError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MAX_LENGTH = timedelta(days=3660)
"""Ten years: dates end in 9999."""
_OF_MANIFESTS: Final = {"for_": "--for", "faults": "--faults", "events": "--events"}
_OF_TRACES: Final = {"drain_budget": "--drain-budget", "plot": "--plot"}


def duration(text: str) -> timedelta:
    """``90s``, ``1h30m``, ``7d``."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"--for {text!r} is not a duration: write 90s, 1h30m or 7d")
    length = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if length > MAX_LENGTH.total_seconds():
        raise typer.BadParameter(f"--for {text} is above {MAX_LENGTH.days} days: simulate a shorter time")
    return timedelta(seconds=length)


def simulate(
    context: typer.Context,
    manifests: Annotated[
        list[Path],
        typer.Argument(help="YAML files, or folders of them; with --trace its file or folder.", exists=True),
    ],
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="Virtual time: 90s, 1h30m, 7d.")] = "1h",
    seed: Annotated[
        int | None, typer.Option(help="Everything random follows from it.", show_default="1; 0 for a trace")
    ] = None,
    faults: Annotated[bool, typer.Option(help="Let the operator, its network and hosts fail now and then.")] = False,
    output: Output = "text",
    events: Annotated[int, typer.Option(min=0, help="Lines of the timeline, the last ones; 0 for all.")] = 60,
    trace: Annotated[TraceName | None, typer.Option(help="Replay a trace of a real cloud instead.")] = None,
    drain_budget: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the VMs that an hourly drain may move (azure2017)."),
    ] = DRAIN_BUDGET,
    plot: Annotated[Path | None, typer.Option(help="Draw hosts in use over time into this PNG (azure2017).")] = None,
) -> None:
    """Run the operator on manifests in virtual time, with no cluster, and tell what happened.

    With --trace, replay virtual machines of a real cloud through the operator's
    placement instead, and tell what the policies come to.

    azure2017: a CSV file, gzipped or not, of the Azure trace of 2017
    (AzurePublicDataset, CC-BY-4.0) as huaweicloud/trace_generation_rnn (MIT)
    gives it. Lifetimes are drawn evenly from their bins. Hosts have 64 vCPU and
    128 GiB and are added when a VM fits on none. The bound is the larger of
    ceil(demand / capacity) over CPU and memory.

    huawei-topology: the folder of Huawei Cloud's set for topology-aware placement
    (mdl1104/Dataset-for-topology-aware-VM-placement, CC0 1.0). Affinity is read
    as one rack, anti-affinity as distinct hosts, fault_domain as no rack for two
    domains of a group.
    """
    _refuse_strays(context, trace)
    if trace is not None:
        if len(manifests) != 1:
            raise typer.BadParameter(f"--trace replays one file or folder, not {len(manifests)}")
        simulate_trace(
            trace, manifests[0], seed=seed or 0, drain_budget=drain_budget, plot=plot, as_json=output == "json"
        )
        return
    _simulate_manifests(manifests, duration(for_), 1 if seed is None else seed, faults, output, events)


def _refuse_strays(context: typer.Context, trace: TraceName | None) -> None:
    """Options that would do nothing."""
    strays = _OF_TRACES if trace is None else _OF_MANIFESTS if trace == "azure2017" else {**_OF_MANIFESTS, **_OF_TRACES}
    for parameter, option in strays.items():
        source = context.get_parameter_source(parameter)
        if source is not None and source.name == "COMMANDLINE":
            where = "manifests" if trace is None else f"--trace {trace}"
            raise typer.BadParameter(f"{option} means nothing with {where}: leave it out")


def _simulate_manifests(
    manifests: Sequence[Path], length: timedelta, seed: int, faults: bool, output: str, events: int
) -> None:
    try:
        raw = [document for path in manifests for document in read(path)]
        if not raw:
            raise ManifestError(f"no manifests in {', '.join(map(str, manifests))}: name YAML files or folders of them")
        told = _with_progress(raw, length, seed, faults)
    except (ApiError, ManifestError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    except InvariantError as error:
        typer.echo(f"defect: {error}", err=True)
        raise typer.Exit(2) from error
    if output == "json":
        typer.echo(json.dumps(asdict(told), indent=2))
    else:
        _tell(told, Console(), events)
    if told.failures:
        raise typer.Exit(2)


def _with_progress(raw: Sequence[Manifest], length: timedelta, seed: int, faults: bool) -> Report:
    columns = (TextColumn("simulating"), BarColumn(), TextColumn("{task.percentage:.0f}%"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=1.0)
        return rehearse(raw, length, seed, faults=faults, progress=lambda share: bar.update(task, completed=share))


def _tell(told: Report, console: Console, events: int) -> None:
    _timeline(told.timeline, console, events)
    length = timedelta(seconds=round(told.simulated_seconds))
    console.print(f"\n[bold]{length} simulated[/] (seed {told.seed}): {told.steps} steps, {told.writes} writes")
    console.print("VMs: " + (", ".join(f"{count} {phase}" for phase, count in told.phases.items()) or "none"))
    if told.hosts:
        console.print(_hosts(told))
    if told.migrations:
        console.print(_migrations(told.migrations))
    for waiting in told.waiting:
        console.print(f"[yellow]{waiting.virtual_machine}[/] {waiting.reason}: {escape(waiting.message)}")
    for failure in told.failures:
        console.print(f"[red]defect[/] {escape(failure)}", highlight=False)


def _timeline(timeline: Sequence[Told], console: Console, events: int) -> None:
    shown = timeline[-events:] if events else timeline
    if len(shown) < len(timeline):
        console.print(f"[dim]({len(timeline) - len(shown)} earlier events; --events 0 shows all)[/]")
    for line in shown:
        colour = "yellow" if line.warning else "default"
        at = str(timedelta(seconds=round(line.seconds, 1)))[:9]
        console.print(
            f"[dim]{at:>9}[/] {line.about} [{colour}]{line.reason}[/] {escape(line.message)}", highlight=False
        )


def _hosts(told: Report) -> Table:
    table = Table(title="Hosts", title_justify="left")
    for name in ("Host", "State"):
        table.add_column(name)
    for name in ("VMs", "CPU%", "Memory%"):
        table.add_column(name, justify="right")
    for host in told.hosts:
        shares = (f"{host.cpu_percent:.0f}", f"{host.memory_percent:.0f}")
        table.add_row(host.name, host.phase, str(host.virtual_machines), *shares)
    return table


def _migrations(lines: Sequence[MigrationLine]) -> Table:
    table = Table(title="Migrations: played, and (predicted)", title_justify="left")
    for name in ("Migration", "VM", "Route", "Result"):
        table.add_column(name)
    for name in ("Passes", "Sent", "Downtime ms", "Duration s"):
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(
            line.name,
            line.virtual_machine,
            f"{line.source} > {line.target}",
            line.reason or line.phase,
            str(line.passes),
            human(line.sent_bytes),
            _beside(line.downtime_ms, line.downtime_predicted_ms),
            _beside(line.duration_s, line.duration_predicted_s),
        )
    return table


def _beside(played: float, predicted: float | None) -> str:
    return f"{played:.1f} ({predicted:.1f})" if predicted is not None else f"{played:.1f}"
