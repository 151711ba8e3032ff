"""``drover simulate --trace``: a trace of a real cloud, replayed through the operator's placement."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final, Literal

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from drover.cli.plot import Plot
from drover.model.placement import Strategy
from drover.sim.replay import azure, huawei, topology
from drover.sim.replay.policies import POLICIES, Comparison, compare
from drover.sim.replay.reading import TraceError
from drover.sim.replay.topology import Ask, CellHost
from drover.sim.replay.workload import Workload

TraceName = Literal["azure2017", "huawei-topology"]
DRAIN_BUDGET: Final = 0.005
STRATEGIES: Final[tuple[Strategy, ...]] = ("Pack", "Balance")


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many requests of a case were refused."""

    case: str
    strategy: Strategy
    looking_ahead: bool
    """On groups: the first member goes where all of them fit."""
    requests: int
    refused: int
    by_rule: Mapping[str, int]


def simulate_trace(
    name: TraceName, path: Path, *, seed: int, drain_budget: float, plot: Path | None, as_json: bool
) -> None:
    """Replays a trace and prints what the policies come to."""
    try:
        if name == "azure2017":
            _azure(path, seed, drain_budget, plot, as_json)
        else:
            _huawei(path, as_json)
    except (TraceError, ModuleNotFoundError, OSError, EOFError, UnicodeDecodeError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


def read_azure(path: Path, seed: int = 0) -> Workload:
    """The trace in a file, gzipped or not."""
    with _open(path) as lines:
        return azure.read(lines, seed)


def read_huawei(folder: Path) -> tuple[tuple[CellHost, ...], Mapping[str, tuple[Ask, ...]]]:
    """The hosts, and the requests of each case by the name of its file."""
    with _open(folder / huawei.HOSTS_FILE) as hosts, _open(folder / huawei.RACKS_FILE) as racks:
        found = huawei.read_hosts(hosts, racks)
    cases = {}
    for path in sorted(folder.glob(huawei.CASES)):
        with _open(path) as lines:
            cases[path.stem] = huawei.read_asks(lines, path.name)
    if not cases:
        raise TraceError(f"{folder}: no case: name a folder with files {huawei.CASES}")
    return found, cases


def refusals(hosts: tuple[CellHost, ...], cases: Mapping[str, tuple[Ask, ...]]) -> Iterator[Refusals]:
    """Every case with every strategy, without and with looking ahead."""
    for case, asks in cases.items():
        for strategy in STRATEGIES:
            for ahead in (False, True):
                refused = topology.replay(hosts, asks, strategy, look_ahead=ahead)
                by_rule: dict[str, int] = {rule or "none": count for rule, count in refused.items()}
                yield Refusals(case, strategy, ahead, len(asks), sum(refused.values()), by_rule)


def _open(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _azure(path: Path, seed: int, drain_budget: float, plot: Path | None, as_json: bool) -> None:
    chart = Plot() if plot is not None else None
    workload = read_azure(path, seed)
    with _progress() as bar:
        tasks = {policy.name: bar.add_task(policy.name, total=1.0) for policy in POLICIES}
        comparison = compare(
            workload, drain_budget=drain_budget, progress=lambda name, share: bar.update(tasks[name], completed=share)
        )
    if chart is not None and plot is not None:
        chart.save(comparison, plot)
    if as_json:
        bound = {"host_hours": comparison.bound.host_hours, "peak_hosts": comparison.bound.peak}
        policies = [asdict(figures) for figures in comparison.figures()]
        told = {"virtual_machines": comparison.virtual_machines, "bound": bound, "policies": policies}
        typer.echo(json.dumps(told, indent=2))
    else:
        Console().print(_compared(comparison))


def _huawei(folder: Path, as_json: bool) -> None:
    hosts, cases = read_huawei(folder)
    with _progress() as bar:
        told = list(bar.track(refusals(hosts, cases), total=2 * len(STRATEGIES) * len(cases), description="cases"))
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in told], indent=2))
    else:
        Console().print(_refused(told))


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _compared(comparison: Comparison) -> Table:
    bound = comparison.bound
    title = f"{comparison.virtual_machines:,} VMs; bound: {bound.host_hours:,.0f} host-hours, {bound.peak:,} hosts"
    table = _table(title, ("Policy",), ("Host-hours", "Over", "Peak", "Over", "Moves", "of VMs"))
    for line in comparison.figures():
        table.add_row(
            line.policy,
            f"{line.host_hours:,.0f}",
            f"{line.host_hours_over_percent:+.1f} %",
            f"{line.peak_hosts:,}",
            f"{line.peak_over_percent:+.1f} %",
            f"{line.migrations:,}",
            f"{line.migrated_percent:.1f} %",
        )
    return table


def _refused(told: Iterable[Refusals]) -> Table:
    table = _table("Requests refused", ("Case", "Policy"), ("Requests", "Refused", "of affinity groups"))
    for line in told:
        policy = f"{line.strategy}, look-ahead" if line.looking_ahead else line.strategy
        of_affinity = line.by_rule.get("affinity", 0)
        table.add_row(line.case, policy, str(line.requests), str(line.refused), str(of_affinity))
    return table


def _table(title: str, left: Iterable[str], right: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right")
    return table
