"""``drover simulate``: manifests in, and what the operator would make of them, in virtual time."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from drover.api.kinds import KINDS
from drover.api.quantity import human
from drover.cli.traces import DRAIN_BUDGET, TraceName, simulate_trace
from drover.sim.rehearsal import rehearse
from drover.sim.report import MigrationLine, Report, Told
from drover.sim.simulation import InvariantError
from drover.sim.store import ApiError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_OF_MANIFESTS: Final = {"for_": "--for", "faults": "--faults", "events": "--events"}
_OF_TRACES: Final = {"drain_budget": "--drain-budget", "plot": "--plot"}


def duration(text: str) -> timedelta:
    """``90s``, ``1h30m``, ``7d``."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"--for {text!r} is not a duration: write 90s, 1h30m or 7d")
    return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())


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
    output: Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="How to tell it.")] = "text",
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
    manifests: Sequence[Path], length: timedelta, seed: int, faults: bool, output: Literal["text", "json"], events: int
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


class ManifestError(Exception):
    """A file that cannot be taken as it is; names the file and the mend."""


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Every object of a file, or of the YAML files of a folder in the order of their names; kubectl takes no more."""
    files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    for file in files:
        for document in _documents(file):
            for manifest in document.get("items", ()) if document.get("kind") == "List" else (document,):
                _check_fields(file, manifest)
                yield manifest


def _documents(file: Path) -> list[dict[str, Any]]:
    try:
        return [document for document in yaml.safe_load_all(file.read_text()) if isinstance(document, dict)]
    except yaml.YAMLError as error:
        raise ManifestError(f"{file}: {error}") from error


def _check_fields(file: Path, manifest: dict[str, Any]) -> None:
    """Refuse unknown fields of a spec, as ``kubectl apply`` does: a typo would otherwise be a default."""
    kind = KINDS.get(manifest.get("kind", ""))
    if kind is None:
        return
    name = f"{file}: {kind.KIND} {(manifest.get('metadata') or {}).get('name', '')}"
    try:
        kind.model_validate({"metadata": {"name": ""}, "spec": manifest.get("spec") or {}}, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = "unknown field" if first["type"] == "extra_forbidden" else first["msg"]
        raise ManifestError(f"{name}: {where}: {what}") from error


def _with_progress(raw: Sequence[dict[str, Any]], length: timedelta, seed: int, faults: bool) -> Report:
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
        console.print(f"[yellow]{waiting.virtual_machine}[/] {waiting.reason}: {waiting.message}")
    for failure in told.failures:
        console.print(f"[red]defect[/] {failure}", markup=True, highlight=False)


def _timeline(timeline: Sequence[Told], console: Console, events: int) -> None:
    shown = timeline[-events:] if events else timeline
    if len(shown) < len(timeline):
        console.print(f"[dim]({len(timeline) - len(shown)} earlier events; --events 0 shows all)[/]")
    for line in shown:
        colour = "yellow" if line.warning else "default"
        at = str(timedelta(seconds=round(line.seconds, 1)))[:9]
        console.print(f"[dim]{at:>9}[/] {line.about} [{colour}]{line.reason}[/] {line.message}", highlight=False)


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
